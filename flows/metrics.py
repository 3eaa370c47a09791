"""What jobs stand at, for monitoring: OpenMetrics text in a file, on the screen, or served."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from rich.console import Console
from rich.text import Text

from flows.parts import open_ledger
from tasks.job import Job, load_job
from tasks.report.metrics import JobMetrics, Standing
from tasks.report.replacing import replacing

_CYCLES: Final = 500
"""Among how many of the latest cycles the latest good one is looked for."""


def standing_of(job: Job) -> Standing:
    """Read what a job stands at."""
    with open_ledger(job) as ledger:
        state = ledger.job_state(job.name)
        return Standing(
            job=job.name,
            now=ledger.now(),
            cycles=ledger.cycles(job.name, _CYCLES),
            escrow=ledger.escrow(job.name),
            linked=ledger.link_count(job.name),
            watermark_at=state.watermark_at,
            quarantine=state.quarantine_reason,
            quarantine_since=state.quarantine_since,
        )


def metrics_text(jobs: Sequence[Job]) -> bytes:
    """Give the jobs' metrics as OpenMetrics text (UTF-8)."""
    registry = CollectorRegistry()
    registry.register(JobMetrics([standing_of(job) for job in jobs]))
    return generate_latest(registry)


def write_metrics(job: Job) -> None:
    """Write the job's metrics to the file that it names, if any. Raises `OSError` when the disk does not take it."""
    if job.report.metrics_file is not None:
        with replacing(job.report.metrics_file) as path:
            path.write_bytes(metrics_text([job]))


def show_metrics(job_files: Sequence[Path]) -> None:
    """Print the metrics of jobs."""
    sys.stdout.write(metrics_text([load_job(file) for file in job_files]).decode())


def serve_metrics(console: Console, job_files: Sequence[Path], port: int, host: str, stop: threading.Event) -> None:
    """Serve the metrics of jobs over HTTP, read from their ledgers at each scrape, until `stop` is set or Ctrl-C.

    A port of 0 takes a free one; the address is printed.
    """
    registry = CollectorRegistry()
    registry.register(_Live([load_job(file) for file in job_files]))
    server, thread = start_http_server(port, addr=host, registry=registry)
    console.print(Text(f"Metrics are at http://{host}:{server.server_port}/metrics; Ctrl-C ends it."))
    try:
        stop.wait()
    except KeyboardInterrupt:
        console.print(Text("Ended."))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Live(Collector):
    """Reads the ledgers whenever somebody asks."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say nothing beforehand, so that registering reads no ledger."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read and tell."""
        return JobMetrics([standing_of(job) for job in self._jobs]).collect()

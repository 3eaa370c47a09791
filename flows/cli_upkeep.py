"""The commands `provision prune` and `provision metrics`: what keeps a job in order, and what tells a monitor of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]


def add_upkeep(app: typer.Typer) -> None:
    """Add the commands to `provision` itself."""
    app.command()(prune)
    app.command()(metrics)


def prune(
    job: JobFile,
    keep_days: Annotated[
        int | None, typer.Option(min=1, help="In place of the job's `report.keep_days`.", show_default=False)
    ] = None,
    despite_findings: Annotated[
        bool, typer.Option("--despite-findings", help="Also when the record has been altered, which hides how.")
    ] = False,
) -> None:
    """Remove activities, cycles, requests, plans and files that are older than the job keeps them.

    Whatever an open failure needs stays. What is left can still be verified.

    Example: provision prune acme.yaml --keep-days 400
    """
    from flows.prune import show_pruning

    show_pruning(Console(), job, keep_days, despite_findings=despite_findings)


def metrics(
    jobs: Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files (YAML).", show_default=False)],
    serve: Annotated[
        int | None, typer.Option(metavar="PORT", min=0, max=65535, help="Serve them over HTTP.", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="The address to serve at.")] = "127.0.0.1",
) -> None:
    """Print what jobs stand at as OpenMetrics text, or serve it: age of the watermark, failures, escrow, quarantine.

    Example: provision metrics acme.yaml --serve 9464
    """
    import threading

    from flows.metrics import serve_metrics, show_metrics

    if serve is None:
        show_metrics(jobs)
    else:
        serve_metrics(Console(), jobs, serve, host, threading.Event())

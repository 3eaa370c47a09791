"""A job's activities in files: each cycle's when it has ended, those that are missing, and what a person asks for.

The ledger is the truth and the files follow it: what a full disk refused is written after a later cycle.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.text import Text

from flows.metrics import write_metrics
from flows.parts import open_ledger
from tasks.job import GraphSource, Job, load_job
from tasks.ledger.cycles import RUNNING
from tasks.ledger.ledger import Ledger
from tasks.model import BadInputError, ProvisioningError
from tasks.report.files import FILES, write_activities
from tasks.report.summaries import Systems

_AT_ONCE: Final = 50
"""How many of the latest cycles are looked at after a cycle; `provision report export` looks at all."""
_Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
_STAMP: Final = "%Y%m%dT%H%M%SZ"


def systems_of(job: Job) -> Systems:
    """Give the two ends of a job as summaries name them; a directory in files has neither tenant nor application."""
    source = job.source
    known = (source.tenant_id, source.application_id) if isinstance(source, GraphSource) else ("", "")
    return Systems(*known, service_principal_id="", service_principal_name="", company_key=job.target.company_key)


def cycle_folder(job: Job, cycle: pd.Series) -> Path:
    """Give where a cycle's files are. Raises `BadInputError` when the job keeps none."""
    if job.report.folder is None:
        raise BadInputError(
            f"The job {job.name} keeps no files: {job.file} names no folder. Name one under `report.folder`."
        )
    return job.report.folder / job.name / f"{cycle['started_at']:{_STAMP}}-{cycle['cycle_id']}"


def write_missing(job: Job, limit: int | None = None) -> list[Path]:
    """Write the files of ended cycles that have activities and lack a file; give the folders.

    `limit` is how many of the latest cycles are looked at. Raises `OSError` when the disk does not take them.
    """
    with open_ledger(job) as ledger:
        cycles = ledger.cycles(job.name, limit)
        ended = cycles[cycles["state"].ne(RUNNING) & cycles["pruned_at"].isna()]
        lacking = [cycle for _, cycle in ended.iterrows() if not _written(job, cycle_folder(job, cycle))]
        told = ledger.cycles_with_activities([str(cycle["cycle_id"]) for cycle in lacking])
        return [_write(ledger, job, cycle) for cycle in lacking if cycle["cycle_id"] in told]


def prune_files(job: Job, before: dt.datetime) -> int:
    """Remove the folders of cycles that began before an instant; give how many."""
    if job.report.folder is None:
        return 0
    stamp = f"{before:{_STAMP}}"
    old = [path for path in sorted((job.report.folder / job.name).glob("*Z-*")) if path.name < stamp]
    for path in old:
        shutil.rmtree(path)
    return len(old)


@contextlib.contextmanager
def keeping_files(job: Job, log: _Log) -> Iterator[None]:
    """Write the files and metrics that the job asks for once the block has ended, well or with an error.

    A failure to do so is logged and is never a failure of the cycle: the ledger has everything. When the run is
    cancelled, it ends without them.
    """
    try:
        yield
    except Exception:
        _keep(job, log)
        raise
    _keep(job, log)


def show_export(console: Console, job_file: Path) -> None:
    """Write all files that are missing and name them."""
    job = load_job(job_file)
    try:
        written = write_missing(job)
    except OSError as error:
        raise BadInputError(
            f"The files cannot be written: {error}. Make room or name another `report.folder`."
        ) from error
    for folder in written:
        console.print(Text(f"wrote {folder}"), soft_wrap=True)
    if not written:
        console.print(Text(f"Nothing is missing in {job.report.folder}."), soft_wrap=True)


def _keep(job: Job, log: _Log) -> None:
    for keep in (_write_latest, write_metrics):
        try:
            keep(job)
        except (OSError, pa.ArrowException, ProvisioningError) as error:
            log.warning("The cycle's files were not written; a later cycle writes them from the ledger: %s", error)


def _write_latest(job: Job) -> None:
    if job.report.folder is not None:
        write_missing(job, _AT_ONCE)


def _write(ledger: Ledger, job: Job, cycle: pd.Series) -> Path:
    folder = cycle_folder(job, cycle)
    activities = ledger.activities(cycle_id=str(cycle["cycle_id"]))
    write_activities(folder, activities, systems_of(job), sorted(job.report.formats), job=job.name)
    return folder


def _written(job: Job, folder: Path) -> bool:
    return all((folder / name).exists() for kind in job.report.formats for name in FILES[kind])

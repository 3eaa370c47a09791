"""Retention: what is older than the job keeps is removed from the ledger and the files. A flow, and a command."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field
from rich.console import Console
from rich.text import Text

from flows.files import prune_files
from flows.parts import open_ledger
from flows.resume import forget_old
from tasks.job import Job, load_job
from tasks.model import BadInputError, ProvisioningError


@flow(name="prune")
def prune(job_file: str, keep_days: Annotated[int, Field(ge=0, le=36_500)] = 0) -> State[str]:
    """Remove what is older than the job keeps it.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        keep_days: In place of the job's own `report.keep_days`; 0 takes that.
    """
    job = load_job(Path(job_file))
    forget_old(job.name)
    if not keep_days and job.report.keep_days is None:
        # The schedule is every job's, and most keep everything.
        said = f"{job.name} keeps everything: it sets no `report.keep_days`"
    else:
        said = prune_job(job, keep_days or None)
    return Completed(message=said, data=said)


def prune_job(job: Job, keep_days: int | None = None, *, despite_findings: bool = False) -> str:
    """Remove what is older than the job keeps it, and say what went.

    Raises `BadInputError` when nothing says how long to keep, `ProvisioningError` when the record does not verify.
    """
    days = keep_days or job.report.keep_days
    if days is None:
        raise BadInputError(
            f"{job.file} does not say how long activities are kept. Set `report.keep_days`, or give --keep-days."
        )
    with open_ledger(job) as ledger:
        checked = ledger.verify(job.name)
        if not checked.sound and not despite_findings:
            raise ProvisioningError(
                f"The record of the job {job.name} does not verify ({checked.findings[0].what}), and removing a part "
                f"of it would hide what happened. Look at `provision report verify {job.file}`; once that is settled, "
                "`--despite-findings` removes it all the same."
            )
        before = ledger.now() - dt.timedelta(days=days)
        gone = ledger.prune(job.name, before)
    folders = prune_files(job, before)
    kept = f" {gone.kept:,} older activities stay, because something open needs them." if gone.kept else ""
    return (
        f"Removed what began before {before:%Y-%m-%d %H:%M} UTC: {gone.activities:,} activities, {gone.journal:,} "
        f"requests, {gone.plans:,} plans, {gone.cycles:,} cycles, the files of {folders:,} cycles.{kept}"
    )


def show_pruning(
    console: Console, job_file: Path, keep_days: int | None = None, *, despite_findings: bool = False
) -> None:
    """Remove what is older than the job keeps it and print what went."""
    job = load_job(job_file)
    forget_old(job.name)
    said = prune_job(job, keep_days, despite_findings=despite_findings)
    console.print(Text(said), soft_wrap=True)

"""What an administrator does to a job: switching it on and off, and restarting it in parts. Works without Prefect."""

from __future__ import annotations

import getpass
from collections.abc import Collection
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from flows.parts import open_ledger
from tasks.job import load_job
from tasks.ledger.cycles import JobStatus
from tasks.model import RESTART, BadInputError, ResetScope

_EFFECTS: Final = {
    ResetScope.WATERMARK: "the next cycle reads and evaluates everybody",
    ResetScope.ESCROWS: "who failed is tried again once a cycle looks at them, no longer by the calendar",
    ResetScope.QUARANTINE: "the job is out of quarantine",
    ResetScope.LINKS: "nobody is linked, and the next cycle matches everybody anew; accounts stay as they are",
    ResetScope.FORCE_DELETES: "the next cycle does the removals over the limit, once",
}


def reset(job_file: Path, scopes: Collection[ResetScope], *, confirm: str = "", by: str = "", why: str = "") -> str:
    """Restart the job at `job_file` in `scopes` and give what that means, as a sentence.

    Raises `BadInputError` when there is nothing to reset, or links are to be forgotten and `confirm` is not the job's
    name; `HeldError` when a cycle of the job runs. Then nothing was reset.
    """
    job = load_job(job_file)
    if not scopes:
        raise BadInputError(f"Nothing was reset: name at least one of {', '.join(ResetScope)}.")
    if ResetScope.LINKS in scopes and confirm != job.name:
        raise BadInputError(
            f"Forgetting the links makes the next cycle match everybody of {job.name} anew, so it is confirmed by the "
            f"job's name: expected {job.name!r}, found {confirm!r}. Nothing was reset."
        )
    with open_ledger(job) as ledger:
        ledger.restart(job.name, scopes, by or getpass.getuser(), why)
    effects = "; ".join(effect for scope, effect in _EFFECTS.items() if scope in scopes)
    return f"{job.name} restarted: {effects}."


def show_reset(
    console: Console, job_file: Path, scopes: Collection[ResetScope], *, confirm: str, by: str, why: str
) -> None:
    """Restart the job at `job_file`, by default as the portal's button does, and print what that means."""
    console.print(Text(reset(job_file, scopes or RESTART, confirm=confirm, by=by, why=why)))


def switch(console: Console, job_file: Path, status: JobStatus, *, by: str, why: str) -> None:
    """Switch the job at `job_file` on or off and print what that means."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        ledger.switch(job.name, status, by or getpass.getuser(), why)
        running = ledger.holder(job.name)
    if status is JobStatus.ON:
        console.print(Text(f"{job.name} is on: the next cycle goes on from where the last one stopped."))
        return
    ends = f" The cycle {running.cycle_id[:8]}, which runs now, goes on to its end." if running else ""
    console.print(Text(f"{job.name} is off: no cycle begins until it is switched on.{ends}"))

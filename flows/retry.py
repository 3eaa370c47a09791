"""Whoever is in escrow, shown and tried again: a thin layer over the ledger, without Prefect."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.parts import open_ledger
from tasks.job import Job, load_job
from tasks.ledger.ledger import Ledger
from tasks.model import BadInputError
from tasks.report.remedies import remedy_of


def retry_failed(console: Console, job_file: Path, code: str = "", user: str = "") -> int:
    """Make those in escrow due (with this code; this person), say so, and give how many.

    Raises `BadInputError` when a code or a person is named that nobody in escrow has or is.
    """
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        count = ledger.retry_now(job.name, error_code=code or None, source=user or None)
        if not count:
            _nobody(console, ledger, job, code, user)
            return 0
    people = "1 person is" if count == 1 else f"{count:,} people are"
    console.print(Text(f"{people} tried again in the next cycle. `provision run {job_file}` runs it now."))
    return count


def show_escrow(console: Console, job_file: Path, code: str = "", user: str = "") -> None:
    """Print who is in escrow: why, how often they failed, and when they are tried again. Longest there first."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        escrow, now = ledger.escrow(job.name), ledger.now()
        chosen = _chosen(escrow, code, user)
        if chosen.empty:
            _nobody(console, ledger, job, code, user)
            return
    table = Table(box=box.SIMPLE_HEAD, expand=False)
    for title in ("Person", "Code", "Failed", "First (UTC)", "Next try (UTC)", "Why", "What to do"):
        table.add_column(title, overflow="fold")
    for row in chosen.astype(object).where(chosen.notna(), None).to_dict("records"):
        table.add_row(*_line(row, now))
    console.print(table)


def _line(row: dict[Any, Any], now: dt.datetime) -> tuple[Text, ...]:
    next_try = row["next_retry_at"]
    if next_try is None:
        when = "given up; when the source or the mapping changes, or by hand"
    elif next_try <= now:
        when = "in the next cycle"
    else:
        when = f"{next_try:%Y-%m-%d %H:%M}"
    failed = f"{row['attempts']} times" if row["attempts"] > 1 else "once"
    cells = (
        row["source_name"] or row["source_id"],
        row["error_code"],
        failed + (", partly" if row["partial"] else ""),
        f"{row['first_failed_at']:%Y-%m-%d %H:%M}",
        when,
        row["reason"] or "",
        remedy_of(row["error_code"]).action,
    )
    return tuple(Text(str(cell)) for cell in cells)


def _chosen(escrow: pd.DataFrame, code: str, user: str) -> pd.DataFrame:
    if code:
        escrow = escrow[escrow["error_code"].str.casefold().eq(code.casefold())]
    if user:
        names = escrow[["source_id", "source_name"]].apply(lambda column: column.str.casefold())
        escrow = escrow[names.eq(user.casefold()).any(axis=1)]
    return escrow


def _nobody(console: Console, ledger: Ledger, job: Job, code: str, user: str) -> None:
    """Say that nobody is in escrow; raises `BadInputError` when somebody is, and not who was asked for."""
    escrow = ledger.escrow(job.name)
    if escrow.empty:
        console.print(Text(f"Nobody of the job {job.name} is in escrow: there is nothing to try again."))
        return
    asked = " and ".join(filter(None, (f"the code {code}" if code else "", f"the name or id {user}" if user else "")))
    codes = ", ".join(f"{name} {count:,}" for name, count in escrow["error_code"].value_counts().items())
    raise BadInputError(
        f"Nobody in the escrow of the job {job.name} has {asked}. There are: {codes}. "
        f"`provision retry {job.file} --list` shows them all."
    )

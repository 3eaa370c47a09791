"""Activities as somebody asked for them: chosen by filters, told as table, CSV or JSON; the check of the chain."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from pathlib import Path
from typing import Final

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.files import systems_of
from flows.history import cycle_of, show_told
from flows.parts import open_ledger
from tasks.job import Job, ReportFormat, load_job
from tasks.model import BadInputError, ExitCode, Operation, Status
from tasks.report.activity import groups_of
from tasks.report.files import write_activities, write_csv, write_json

_LINES: Final = 50
"""How many activities a table shows unless all are asked for."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which activities are asked for. Without a cycle, a time or a person it is the latest cycle."""

    cycle: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    user: str | None = None
    operation: Operation | None = None
    status: Status | None = None
    error_code: str | None = None

    @property
    def filtered(self) -> bool:
        """Whether less, or something else, than a whole cycle is asked for."""
        return dataclasses.replace(self, cycle="") != Asked()

    @property
    def of_one_cycle(self) -> bool:
        """Whether one cycle alone is asked for."""
        return bool(self.cycle) or not (self.since or self.until or self.user)


def show(console: Console, job_file: Path, asked: Asked, form: str, out: Path | None, *, everybody: bool) -> None:
    """Tell the activities that are asked for as `form` (table, csv or json), to the screen or to files in `out`."""
    job = load_job(job_file)
    if form == "table":
        if out is not None:
            raise BadInputError("A table goes to the screen. Choose --format csv or json to write files with --out.")
        if not asked.filtered:
            show_told(console, job, asked.cycle, everybody=everybody)
            return
        _show_lines(console, chosen(job, asked), None if everybody else _LINES)
    elif out is not None:
        _write(console, job, chosen(job, asked), form, out)
    else:
        write = write_csv if form == "csv" else write_json
        write(sys.stdout.buffer, chosen(job, asked), systems_of(job), job=job.name)
        sys.stdout.flush()


def chosen(job: Job, asked: Asked) -> pd.DataFrame:
    """Give the activities that are asked for (`ACTIVITY_COLUMNS`), in the order in which they were recorded.

    Raises `BadInputError` when a cycle is asked for that the job does not have.
    """
    with open_ledger(job) as ledger:
        cycle = cycle_of(ledger, job, asked.cycle or None)["cycle_id"] if asked.of_one_cycle else None
        return ledger.activities(
            job=job.name,
            cycle_id=None if cycle is None else str(cycle),
            since=asked.since,
            until=asked.until,
            source=asked.user,
            status=asked.status,
            operation=asked.operation,
            error_code=asked.error_code,
        )


def show_verification(console: Console, job_file: Path, head: str = "") -> int:
    """Check the chain of a job's activities, say what was found and give the exit code."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        checked = ledger.verify(job.name, head.strip().lower())
    console.print(
        Text(
            f"{checked.records:,} records of the job {job.name} were checked, {checked.superseded:,} of them brought "
            f"up to date since; {checked.pruned:,} more were removed for their age."
        )
    )
    if checked.sound:
        kept = (
            f"The chain stands at record {checked.head.position:,} with the head {checked.head.seal or '(none yet)'}."
        )
        console.print(Text(f"Nothing was altered. {kept}", style="green"), soft_wrap=True)
        return ExitCode.DONE
    for finding in checked.findings:
        of = f" Person: {finding.person}." if finding.person else ""
        which = f" Change: {finding.change_id}." if finding.change_id else ""
        console.print(Text(f"{finding.what}{of}{which}", style="bold red"), soft_wrap=True)
    console.print(Text("Compare with a backup of the ledger and with the files that the cycles left."))
    return ExitCode.SOME_FAILED


def _show_lines(console: Console, activities: pd.DataFrame, limit: int | None) -> None:
    """Print activities, a line each, the latest last."""
    table = Table(box=box.SIMPLE_HEAD, expand=False)
    for title in ("Time (UTC)", "Person", "Operation", "Result", "Code", "Why"):
        table.add_column(title, overflow="fold")
    shown = activities if limit is None else activities.tail(limit)
    columns = shown.assign(group=groups_of(shown)).fillna({"reason": "", "error_code": "", "target_name": ""})
    for row in columns.to_dict("records"):
        person = row["source_name"] if isinstance(row["source_name"], str) else row["target_name"]
        cells = (f"{row['started_at']:%Y-%m-%d %H:%M:%S}", person, row["operation"], row["group"], row["error_code"])
        table.add_row(*(Text(str(cell)) for cell in (*cells, row["reason"])))
    console.print(table if len(shown) else Text("No activity is like that."))
    if len(shown) < len(activities):
        console.print(Text(f"These are the latest {len(shown)} of {len(activities):,}; --all shows all of them."))


def _write(console: Console, job: Job, activities: pd.DataFrame, form: str, out: Path) -> None:
    try:
        paths = write_activities(out, activities, systems_of(job), [ReportFormat(form)], job=job.name)
    except OSError as error:
        raise BadInputError(f"The files cannot be written to {out}: {error}. Name another folder.") from error
    for path in paths:
        console.print(Text(f"wrote {path}: {len(activities):,} activities"), soft_wrap=True)

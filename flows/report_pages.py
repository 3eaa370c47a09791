"""The activity report as HTML files, told from the ledger without Prefect: of one cycle, or of a span of time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from flows.history import referred_names, source_name, target_name, told_again
from flows.parts import open_ledger
from tasks.job import Job, load_job
from tasks.model import BadInputError
from tasks.report.replacing import replacing


def show_page(
    console: Console, job_file: Path, out: Path, cycle_id: str = "", since: dt.datetime | None = None
) -> None:
    """Write the page of all cycles since then (UTC unless it says otherwise), else of one cycle, and say where it is.

    Raises `BadInputError` when both a cycle and a span of time are asked for.
    """
    if cycle_id and since is not None:
        raise BadInputError("A page is of one cycle or of a span of time; give --cycle or --since.")
    job = load_job(job_file)
    if since is None:
        write_cycle_page(job, out, cycle_id or None)
    else:
        write_period_page(job, out, since=since if since.tzinfo else since.replace(tzinfo=dt.UTC))
    console.print(Text(f"wrote {out}"), soft_wrap=True)


def write_cycle_page(job: Job, out: Path, cycle_id: str | None = None) -> Path:
    """Write the page of a cycle of `job`, the one whose id begins so or else the latest, to `out`; give `out`.

    Raises `BadInputError` when the job has no such cycle or `out` cannot be written.
    """
    # Drawing needs an engine that takes a second to start, so it is imported by whoever draws.
    from tasks.report.pages.render import cycle_page

    activities, told = told_again(job, cycle_id)
    with open_ledger(job) as ledger:
        cycles = ledger.cycles(job.name)
        escrow, now = ledger.escrow(job.name), ledger.now()
    own = cycles[cycles["cycle_id"].eq(told.facts.cycle_id)]
    return _written(out, cycle_page(activities, told, own, escrow, now))


def write_period_page(
    job: Job,
    out: Path,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    activities: pd.DataFrame | None = None,
    filters: tuple[str, ...] = (),
) -> Path:
    """Write the page of the cycles of `job` that began from `since` on and before `until` to `out`; give `out`.

    `activities` (`ACTIVITY_COLUMNS`) are those that were chosen, and `filters` say by what; all of these cycles when
    null. Instants are aware. Raises `BadInputError` when `out` cannot be written.
    """
    from tasks.report.pages.render import Period, Standing, period_page

    with open_ledger(job) as ledger:
        cycles = ledger.cycles(job.name)
        cycles = cycles[_within(cycles["started_at"], since, until)].reset_index(drop=True)
        chosen = ledger.activities(job=job.name, since=since) if activities is None else activities
        if activities is None:
            chosen = chosen[chosen["cycle_id"].isin(cycles["cycle_id"])].reset_index(drop=True)
        names = referred_names(ledger, job.name, chosen["changes"])
        state = ledger.job_state(job.name)
        standing = Standing(
            ledger.links(job.name), ledger.escrow(job.name), ledger.now(), quarantine=state.quarantine_reason
        )
    period = Period(
        job=job.name,
        source=source_name(job),
        target=target_name(job),
        since=since,
        until=until,
        filters=filters,
        names=names,
        see=f"provision report {job.file}",
    )
    return _written(out, period_page(chosen, period, cycles, standing))


def _within(instants: pd.Series, since: dt.datetime | None, until: dt.datetime | None) -> pd.Series:
    inside = pd.Series(True, index=instants.index)
    if since is not None:
        inside &= instants.ge(pd.Timestamp(since)).astype(bool)
    if until is not None:
        inside &= instants.lt(pd.Timestamp(until)).astype(bool)
    return inside


def _written(out: Path, page: str) -> Path:
    """Write a page; a file that is there is replaced by the whole of it or not at all."""
    try:
        with replacing(out) as beside:
            beside.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{out} cannot be written ({error.strerror}). Give another file, or make room.") from error
    return out

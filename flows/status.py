"""What a job stands at, as the portal's page shows it: status, cycles, people, escrow, quarantine. Without Prefect."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.history import source_name, target_name
from flows.parts import open_ledger
from tasks.job import Job, load_job
from tasks.ledger.cycles import RUNNING, JobState
from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import Holder
from tasks.model import CycleKind, ExitCode
from tasks.report.cycle import KINDS, duration

_DEEDS: Final = 5


@dataclasses.dataclass(frozen=True)
class Standing:
    """What a job stands at. Instants are UTC.

    `last` is the latest cycle that has ended and `running` who holds the job now, null when there is none. `linked` and
    `in_use` count people with an account, and those of them whose login is on. `escrow` counts who waits to be tried
    again, by error code. `deeds` are what administrators did last, newest first.
    """

    job: str
    source: str
    target: str
    now: dt.datetime
    state: JobState
    last: Mapping[str, Any] | None
    running: Holder | None
    linked: int
    in_use: int
    escrow: Mapping[str, int]
    next_retry: dt.datetime | None
    deeds: pd.DataFrame


def standing_of(job: Job, ledger: Ledger) -> Standing:
    """Read from the ledger what `job` stands at."""
    links, escrow = ledger.links(job.name), ledger.escrow(job.name)
    cycles = ledger.cycles(job.name, limit=2)
    ended = cycles[cycles["state"].ne(RUNNING)].to_dict("records")
    due = escrow["next_retry_at"].dropna()
    return Standing(
        job=job.name,
        source=source_name(job),
        target=target_name(job),
        now=ledger.now(),
        state=ledger.job_state(job.name),
        last=ended[0] if ended else None,
        running=ledger.holder(job.name),
        linked=len(links),
        in_use=int(links["active"].sum()),
        escrow=escrow["error_code"].value_counts().to_dict(),
        next_retry=None if due.empty else due.min().to_pydatetime(),
        deeds=ledger.administration(job.name, _DEEDS),
    )


def show_status(console: Console, job_file: Path, *, as_json: bool = False) -> int:
    """Print what the job at `job_file` stands at; give 4 when it is in quarantine, else 0."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        standing = standing_of(job, ledger)
    if as_json:
        console.print_json(json.dumps(facts(standing), default=str))
    else:
        console.print(rendered(standing))
    return ExitCode.HELD if standing.state.quarantine_reason else ExitCode.DONE


def facts(standing: Standing) -> dict[str, Any]:
    """Give a standing as plain data, for programs."""
    state, last, running = standing.state, standing.last, standing.running
    return {
        "job": standing.job,
        "source": standing.source,
        "target": standing.target,
        "status": str(state.status),
        "running": None if running is None else dataclasses.asdict(running),
        "lastCycle": None
        if last is None
        else {name: None if pd.isna(last[name]) else last[name] for name in _OF_A_CYCLE},
        "linked": standing.linked,
        "inUse": standing.in_use,
        "escrow": dict(standing.escrow),
        "nextRetry": standing.next_retry,
        "quarantine": None
        if state.quarantine_reason is None
        else {
            "reason": state.quarantine_reason,
            "since": state.quarantine_since,
            "message": state.quarantine_message,
        },
        "forceDeletes": state.force_removals,
        "watermark": state.watermark is not None,
    }


_OF_A_CYCLE: Final = ("cycle_id", "kind", "state", "started_at", "ended_at", "message", "flow_run_id")


def rendered(standing: Standing) -> Group:
    """Give a standing as a person reads it."""
    state = standing.state
    table = Table.grid(padding=(0, 2))
    for name, value in _lines(standing):
        table.add_row(Text(name, style="dim"), value)
    parts: list[Any] = [Text(f"\n{standing.job}", style="bold"), Padding(table, (0, 0, 0, 2))]
    if state.quarantine_reason:
        parts.append(Padding(Text(str(state.quarantine_message), style="yellow"), (1, 0, 0, 2)))
    if len(standing.deeds):
        parts += [Text("\nWhat administrators did", style="bold"), Padding(_deeds(standing.deeds), (0, 0, 0, 2))]
    return Group(*parts)


def _lines(standing: Standing) -> list[tuple[str, Text]]:
    state = standing.state
    status = Text(str(state.status), style="green" if state.status == "on" else "yellow")
    if state.quarantine_reason:
        since = "" if state.quarantine_since is None else f" since {state.quarantine_since:%Y-%m-%d %H:%M}"
        status.append(f", in quarantine{since}: {state.quarantine_reason}", style="bold red")
    lines = [("Status", status), ("From", Text(standing.source)), ("To", Text(standing.target))]
    if standing.running is not None:
        running = standing.running
        lines.append(
            (
                "Running",
                Text(f"cycle {running.cycle_id[:8]}, {running.holder} on {running.host}, since {_at(running.since)}"),
            )
        )
    lines += [("Last cycle", Text(_last(standing))), ("Next cycle", Text(_next(state)))]
    lines.append(("Users", Text(f"{standing.linked:,} linked, {standing.in_use:,} of them with their login on")))
    lines.append(("Escrow", Text(_escrow(standing))))
    return lines


def _last(standing: Standing) -> str:
    last = standing.last
    if last is None:
        return "none yet"
    kind = KINDS[CycleKind(last["kind"])]
    took = "" if pd.isna(last["ended_at"]) else f", {duration(last['ended_at'] - last['started_at'])}"
    return f"{kind}, {_at(last['started_at'])} UTC{took}, {last['state']}: {last['message']}"


def _next(state: JobState) -> str:
    what = "reads everybody" if state.watermark is None else "reads what changed"
    return f"{what}, and does the removals over the limit" if state.force_removals else what


def _escrow(standing: Standing) -> str:
    if not standing.escrow:
        return "nobody waits to be tried again"
    codes = ", ".join(f"{count:,} {code}" for code, count in standing.escrow.items())
    when = "" if standing.next_retry is None else f"; the next from {_at(standing.next_retry)} UTC on"
    return f"{sum(standing.escrow.values()):,} wait to be tried again ({codes}){when}"


def _deeds(deeds: pd.DataFrame) -> Table:
    table = Table.grid(padding=(0, 2))
    for deed in deeds.to_dict("records"):
        what = f"{deed['action']} ({deed['detail']})" if deed["detail"] else deed["action"]
        table.add_row(Text(_at(deed["at"]), style="dim"), Text(what), Text(deed["by_whom"]), Text(deed["why"]))
    return table


def _at(instant: dt.datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"

"""The runs of a job as Prefect's server has them, each with what its cycle did; from the ledger where there is none."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any, Final

import httpx
import pandas as pd
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.parts import open_ledger
from tasks.job import Job, load_job
from tasks.report.cycle import duration

_PAGE: Final = 200
_LOOKED_THROUGH: Final = 5_000
"""How many of the latest runs are looked through for those of the job."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One run or cycle, as the list shows it. A cycle that no run is known of has none of a run's facts."""

    started_at: dt.datetime | None
    cycle_id: str
    kind: str
    state: str
    did: str
    took: dt.timedelta | None
    run: str


def show_history(console: Console, job_file: Path, limit: int) -> None:
    """Print the latest runs of a job, a line each, and say where they are from."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        cycles = ledger.cycles(job.name, limit)
    runs, note = _runs(job, limit)
    lines = history_lines(cycles, runs)[:limit]
    table = Table(box=box.SIMPLE_HEAD, expand=False)
    for title in ("Started (UTC)", "Cycle", "Kind", "State", "What it did", "Took", "Run"):
        table.add_column(title, overflow="fold")
    for line in lines:
        started = "" if line.started_at is None else f"{line.started_at:%Y-%m-%d %H:%M:%S}"
        took = "" if line.took is None else duration(line.took)
        told = (started, line.cycle_id[:8], line.kind, line.state, line.did, took, line.run)
        table.add_row(*(Text(cell) for cell in told))
    console.print(table if lines else Text(f"The job {job.name} has not run yet."))
    if note:
        console.print(Text(note, style="yellow"))
    elif ui := PREFECT_UI_URL.value():
        console.print(Text(f"Each run in full: {ui}/runs"), soft_wrap=True)


def history_lines(cycles: pd.DataFrame, runs: list[FlowRun]) -> list[Line]:
    """Give the runs with what the ledger knows of their cycles, and the cycles without a run, newest first."""
    of_runs = {str(run.id): run for run in runs}
    lines, told = [], set()
    for cycle in cycles.astype(object).where(cycles.notna(), None).to_dict("records"):
        run = of_runs.get(str(cycle["flow_run_id"]))
        told.add(str(cycle["flow_run_id"]))
        took = None if cycle["ended_at"] is None else cycle["ended_at"] - cycle["started_at"]
        lines.append(
            Line(
                started_at=cycle["started_at"],
                cycle_id=cycle["cycle_id"],
                kind=cycle["kind"],
                state=cycle["state"],
                did=cycle["message"] or "",
                took=took if run is None else run.total_run_time,
                run="" if run is None else run.name,
            )
        )
    # A run that never came as far as a cycle: late, cancelled, crashed before, or refused.
    lines += [_without_cycle(run) for name, run in of_runs.items() if name not in told]
    return sorted(lines, key=lambda line: line.started_at or dt.datetime.max.replace(tzinfo=dt.UTC), reverse=True)


def _without_cycle(run: FlowRun) -> Line:
    state = run.state
    return Line(
        started_at=run.start_time or run.expected_start_time,
        cycle_id="",
        kind="",
        state=run.state_name or "",
        did=(state.message if state is not None else None) or "",
        took=run.total_run_time,
        run=run.name,
    )


def _runs(job: Job, limit: int) -> tuple[list[FlowRun], str]:
    """Give the latest runs of `job`, or why there are none."""
    if not PREFECT_API_URL.value():
        return [], "PREFECT_API_URL names no server, so this is from the ledger alone."
    try:
        with get_client(sync_client=True) as client:
            found: list[FlowRun] = []
            for offset in range(0, _LOOKED_THROUGH, _PAGE):
                newest = FlowRunSort.EXPECTED_START_TIME_DESC
                page = client.read_flow_runs(sort=newest, limit=_PAGE, offset=offset)
                found += [run for run in page if _is_of(job, run.parameters)]
                if len(page) < _PAGE or len(found) >= limit:
                    break
            return found[:limit], ""
    except (PrefectException, httpx.HTTPError) as error:
        return [], f"Prefect's server at {PREFECT_API_URL.value()} does not answer ({error}); this is from the ledger."


def _is_of(job: Job, parameters: dict[str, Any]) -> bool:
    """Tell whether a run was of this job, by the job file that it was given."""
    given = parameters.get("job_file")
    return isinstance(given, str) and Path(given).resolve() == job.file

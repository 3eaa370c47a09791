"""Jobs and their cycles: what the next cycle starts from, and the record of each run.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import orjson
import pandas as pd
import sqlalchemy as sa

from tasks.ledger.database import insert
from tasks.ledger.frames import CYCLE_COLUMNS, fetch
from tasks.ledger.tables import CYCLES, JOBS
from tasks.model import CycleKind

RUNNING: Final = "running"
"""State of a cycle that has not ended."""
CRASHED: Final = "crashed"
"""State of a cycle whose process ended without saying how."""


class JobStatus(StrEnum):
    """Whether a job may run."""

    ON = "on"
    """It runs by its schedule and by hand."""
    OFF = "off"
    """It begins no cycle until a person switches it on."""


@dataclasses.dataclass(frozen=True)
class JobState:
    """What a job's next cycle starts from. A job that never ran has none of it, and is on."""

    watermark: Mapping[str, Any] | None = None
    mapping_digest: str | None = None
    status: JobStatus = JobStatus.ON
    quarantine_reason: str | None = None
    quarantine_message: str | None = None
    quarantine_since: dt.datetime | None = None
    last_complete: Mapping[str, Any] | None = None
    """The manifest of the last complete read."""
    settings: str | None = None
    """What names the scope and the source that were carried out last."""
    force_removals: bool = False
    """Whether the next cycle may do the removals over the limit."""


def state(connection: sa.Connection, job: str) -> JobState:
    """Give what the next cycle of `job` starts from."""
    row = connection.execute(sa.select(JOBS).where(JOBS.c.job == job)).one_or_none()
    if row is None:
        return JobState()
    return JobState(
        watermark=None if row.watermark is None else orjson.loads(row.watermark),
        mapping_digest=row.mapping_digest,
        status=JobStatus(row.status),
        quarantine_reason=row.quarantine_reason,
        quarantine_message=row.quarantine_message,
        quarantine_since=row.quarantine_since,
        last_complete=None if row.last_complete is None else orjson.loads(row.last_complete),
        settings=row.settings,
        force_removals=row.force_removals,
    )


def ensure_job(connection: sa.Connection, job: str, now: dt.datetime) -> None:
    """Make the row of `job` unless it is there."""
    row = {"job": job, "status": JobStatus.ON, "created_at": now}
    connection.execute(insert(connection, JOBS).on_conflict_do_nothing(index_elements=["job"]), row)


def change_job(connection: sa.Connection, job: str, **values: Any) -> None:
    """Set columns of the job's row."""
    connection.execute(JOBS.update().where(JOBS.c.job == job).values(**values))


def begin(
    connection: sa.Connection,
    cycle_id: str,
    job: str,
    kind: CycleKind,
    flow_run_id: str,
    holder: str,
    now: dt.datetime,
) -> None:
    """Record that a cycle runs; earlier ones of the job that never ended are marked as crashed."""
    connection.execute(
        CYCLES.update()
        .where(CYCLES.c.job == job, CYCLES.c.state == RUNNING)
        .values(state=CRASHED, ended_at=now, message="Its process ended without saying how.")
    )
    row = {
        "cycle_id": cycle_id,
        "job": job,
        "kind": kind,
        "state": RUNNING,
        "flow_run_id": flow_run_id,
        "holder": holder,
        "started_at": now,
        "counts": "{}",
        "message": "",
    }
    connection.execute(CYCLES.insert(), row)


def end(
    connection: sa.Connection,
    cycle_id: str,
    outcome: str,
    counts: Mapping[str, int],
    manifest: Mapping[str, Any] | None,
    message: str,
    now: dt.datetime,
) -> None:
    """Record how a cycle ended."""
    connection.execute(
        CYCLES.update()
        .where(CYCLES.c.cycle_id == cycle_id)
        .values(
            state=outcome,
            ended_at=now,
            counts=orjson.dumps(dict(counts)).decode(),
            manifest=None if manifest is None else orjson.dumps(dict(manifest)).decode(),
            message=message,
        )
    )


def read(connection: sa.Connection, job: str | None, limit: int | None) -> pd.DataFrame:
    """Give cycles (`CYCLE_COLUMNS`), newest first."""
    chosen = sa.select(CYCLES).order_by(CYCLES.c.started_at.desc(), CYCLES.c.cycle_id.desc()).limit(limit)
    return fetch(connection, CYCLES, CYCLE_COLUMNS, chosen if job is None else chosen.where(CYCLES.c.job == job))


def job_of(connection: sa.Connection, cycle_id: str) -> str:
    """Give the job that a cycle is of."""
    return connection.execute(sa.select(CYCLES.c.job).where(CYCLES.c.cycle_id == cycle_id)).scalar_one()


def kind_of(connection: sa.Connection, cycle_id: str) -> CycleKind:
    """Give the kind of a cycle."""
    return CycleKind(connection.execute(sa.select(CYCLES.c.kind).where(CYCLES.c.cycle_id == cycle_id)).scalar_one())


def change_kind(connection: sa.Connection, cycle_id: str, kind: CycleKind) -> None:
    """Set the kind of a cycle."""
    connection.execute(CYCLES.update().where(CYCLES.c.cycle_id == cycle_id).values(kind=kind))

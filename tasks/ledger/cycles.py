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

from tasks.ledger.chain import ChainHead
from tasks.ledger.database import insert
from tasks.ledger.frames import CYCLE_COLUMNS, fetch
from tasks.ledger.tables import CYCLES, JOBS
from tasks.model import CycleKind, HeldError

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
    DISABLED = "disabled"
    """It was switched off after four weeks in quarantine, and begins no cycle until a person switches it on."""


class SwitchedOffError(HeldError):
    """Raised when a job is to run that is switched off. Nothing was done."""


@dataclasses.dataclass(frozen=True)
class JobState:
    """What a job's next cycle starts from. A job that never ran has none of it, and is on."""

    watermark: Mapping[str, Any] | None = None
    mapping_digest: str | None = None
    status: JobStatus = JobStatus.ON
    quarantine_reason: str | None = None
    quarantine_message: str | None = None
    quarantine_since: dt.datetime | None = None
    quarantine_cycles: int = 0
    """How many bad cycles have lengthened the pause."""
    quarantine_until: dt.datetime | None = None
    """Until when scheduled cycles rest."""
    last_complete: Mapping[str, Any] | None = None
    """The manifest of the last complete read."""
    watermark_at: dt.datetime | None = None
    """When the cycle began that read up to the watermark."""
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
        quarantine_cycles=row.quarantine_cycles,
        quarantine_until=row.quarantine_until,
        last_complete=None if row.last_complete is None else orjson.loads(row.last_complete),
        watermark_at=row.watermark_at,
        settings=row.settings,
        force_removals=row.force_removals,
    )


def check_switch(connection: sa.Connection, job: str) -> None:
    """Make sure that a job may run. Raises `SwitchedOffError` when it is switched off."""
    found = state(connection, job)
    if found.status is JobStatus.OFF:
        raise SwitchedOffError(f"The job {job} is switched off, so nothing was done. Switch it on to run it.")
    if found.status is JobStatus.DISABLED:
        raise SwitchedOffError(
            f"The job {job} was switched off after four weeks in quarantine ({found.quarantine_reason}, since "
            f"{found.quarantine_since:%Y-%m-%d %H:%M} UTC), so nothing was done. The last cycle said: "
            f"{found.quarantine_message} Mend it, then switch the job on."
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
    measured: Mapping[str, Any] | None = None,
    at: ChainHead | None = None,
) -> None:
    """Record how a cycle ended, what it took, and where its job's chain then stands."""
    connection.execute(
        CYCLES.update()
        .where(CYCLES.c.cycle_id == cycle_id)
        .values(
            state=outcome,
            ended_at=now,
            counts=orjson.dumps(dict(counts)).decode(),
            manifest=None if manifest is None else orjson.dumps(dict(manifest)).decode(),
            message=message,
            measured=None if measured is None else orjson.dumps(dict(measured)).decode(),
            chain_position=at.position if at else None,
            chain_head=at.seal if at else None,
        )
    )


def read(connection: sa.Connection, job: str | None, limit: int | None) -> pd.DataFrame:
    """Give cycles (`CYCLE_COLUMNS`), newest first."""
    chosen = sa.select(CYCLES).order_by(CYCLES.c.started_at.desc(), CYCLES.c.cycle_id.desc()).limit(limit)
    return fetch(connection, CYCLES, CYCLE_COLUMNS, chosen if job is None else chosen.where(CYCLES.c.job == job))


def job_of(connection: sa.Connection, cycle_id: str) -> str:
    """Give the job that a cycle is of."""
    return connection.execute(sa.select(CYCLES.c.job).where(CYCLES.c.cycle_id == cycle_id)).scalar_one()


def began_at(connection: sa.Connection, cycle_id: str) -> dt.datetime:
    """Give when a cycle began."""
    return connection.execute(sa.select(CYCLES.c.started_at).where(CYCLES.c.cycle_id == cycle_id)).scalar_one()


def kind_of(connection: sa.Connection, cycle_id: str) -> CycleKind:
    """Give the kind of a cycle."""
    return CycleKind(connection.execute(sa.select(CYCLES.c.kind).where(CYCLES.c.cycle_id == cycle_id)).scalar_one())


def change_kind(connection: sa.Connection, cycle_id: str, kind: CycleKind) -> None:
    """Set the kind of a cycle."""
    connection.execute(CYCLES.update().where(CYCLES.c.cycle_id == cycle_id).values(kind=kind))

"""What administrators do to a job: switching it on and off, restarting it in parts, and the record of both.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
import sqlalchemy as sa

from tasks.ledger import cycles, quarantine
from tasks.ledger.cycles import JobStatus
from tasks.ledger.frames import ADMINISTRATION_COLUMNS, fetch
from tasks.ledger.tables import ADMINISTRATION, ESCROW, LEAVING, LINKS, SKIPS
from tasks.model import ResetScope


def switch(connection: sa.Connection, job: str, status: JobStatus, by: str, why: str, now: dt.datetime) -> None:
    """Switch a job on or off and record who did it. Switching on lifts a quarantine."""
    cycles.ensure_job(connection, job, now)
    if status is JobStatus.ON:
        quarantine.leave(connection, job)
    cycles.change_job(connection, job, status=status)
    _record(connection, job, status.value, "", by, why, now)


def restart(
    connection: sa.Connection, job: str, scopes: Collection[ResetScope], by: str, why: str, now: dt.datetime
) -> None:
    """Reset parts of what a job remembers and record who did it."""
    changed: dict[str, Any] = {}
    if ResetScope.WATERMARK in scopes or ResetScope.LINKS in scopes:
        changed["watermark"] = None
    if ResetScope.FORCE_DELETES in scopes:
        changed["force_removals"] = True
    # Whoever was staged is looked at again in any cycle; the quarantine they caused is over.
    if ResetScope.QUARANTINE in scopes or ResetScope.FORCE_DELETES in scopes:
        quarantine.leave(connection, job)
    if changed:
        cycles.change_job(connection, job, **changed)
    forgotten = [ESCROW] if ResetScope.ESCROWS in scopes else []
    if ResetScope.LINKS in scopes:
        forgotten += [LINKS, LEAVING, SKIPS]
    for table in forgotten:
        connection.execute(table.delete().where(table.c.job == job))
    _record(connection, job, "restart", ", ".join(sorted(scopes)), by, why, now)


def read(connection: sa.Connection, job: str, limit: int | None) -> pd.DataFrame:
    """Give what administrators did (`ADMINISTRATION_COLUMNS`), newest first."""
    chosen = sa.select(ADMINISTRATION).where(ADMINISTRATION.c.job == job)
    return fetch(
        connection,
        ADMINISTRATION,
        ADMINISTRATION_COLUMNS,
        chosen.order_by(ADMINISTRATION.c.number.desc()).limit(limit),
    )


def _record(connection: sa.Connection, job: str, action: str, detail: str, by: str, why: str, now: dt.datetime) -> None:
    row: Mapping[str, Any] = {"job": job, "at": now, "action": action, "detail": detail, "by_whom": by, "why": why}
    connection.execute(ADMINISTRATION.insert(), row)

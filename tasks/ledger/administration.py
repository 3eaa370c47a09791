"""What administrators do to a job: switching it, restarting it in parts, restoring it, and the record of all that.

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
from tasks.ledger.records import State
from tasks.ledger.tables import ADMINISTRATION, ESCROW, JOURNAL, LEAVING, LINKS, SKIPS
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


def restored(
    connection: sa.Connection, job: str, status: JobStatus, detail: str, by: str, why: str, now: dt.datetime
) -> None:
    """Settle what a job goes on from after its ledger was put back from a backup, and record who did it.

    Whatever was done since the backup is found by reading: everybody is read, every linked account is looked at, and a
    request that was under way then is not sent again. A leave to exceed the limit of removals has been used since, or
    has not; it is over. A job that is off stays off.
    """
    values: dict[str, Any] = {"watermark": None, "force_removals": False}
    if status is not JobStatus.ON:
        values["status"] = status
    cycles.change_job(connection, job, **values)
    connection.execute(LINKS.update().where(LINKS.c.job == job).values(account_digest=None))
    connection.execute(JOURNAL.delete().where(JOURNAL.c.job == job, JOURNAL.c.state != State.DONE))
    _record(connection, job, "restore", detail, by, why, now)


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

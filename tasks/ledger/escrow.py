"""The escrow: people whose last operation failed or was not wholly done, and the calendar of further attempts.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import sqlalchemy as sa

from tasks.ledger.database import upsert
from tasks.ledger.frames import ESCROW_COLUMNS, chunks, fetch
from tasks.ledger.records import Ending
from tasks.ledger.tables import ESCROW
from tasks.model import Status

RETRIES: Final = tuple(dt.timedelta(hours=hours) for hours in (6, 12, *range(24, 24 * 28 + 1, 24)))
"""When a person is tried again, counted from the first failure: after 6, 12 and 24 hours, then daily for 28 days ("How
application provisioning works in Microsoft Entra ID", errors and retries)."""
PASSING: Final = frozenset(
    {
        "TooManyRequests",
        "Timeout",
        "InternalServerError",
        "InternalError",
        "WebExceptionProtocolError",
        "InvalidAnchor",
        "NotApplied",
    }
)
"""Codes of failures that may be over by the next cycle, which tries once more before the calendar begins. Microsoft's
service does so with every failure; what was refused for its content would only be refused again."""


def next_retry(
    first_failed_at: dt.datetime, now: dt.datetime, attempts: int, *, passing: bool = False
) -> dt.datetime | None:
    """Give when a person who has failed `attempts` times is tried again; null when never.

    A failure that is `passing` is tried again at once the first time.
    """
    if passing and attempts == 1:
        return now
    return next((first_failed_at + after for after in RETRIES if first_failed_at + after > now), None)


def settle(connection: sa.Connection, job: str, endings: Sequence[Ending], now: dt.datetime) -> None:
    """Put those that are to be tried again into the escrow, and let those out that succeeded."""
    people = [ending.change.source_id for ending in endings]
    found = connection.execute(sa.select(ESCROW).where(ESCROW.c.job == job, ESCROW.c.source_id.in_(people)))
    held = {row.source_id: row for row in found}
    done = [_of(ending) for ending in endings if ending.status is Status.SUCCESS and _of(ending) in held]
    forget(connection, job, done)
    failed = [_row(job, ending, held.get(_of(ending)), now) for ending in endings if ending.escrow]
    if failed:
        connection.execute(upsert(connection, ESCROW), failed)


def forget(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> None:
    """Let people out of the escrow: there is nothing left to try."""
    for part in chunks(source_ids):
        connection.execute(ESCROW.delete().where(ESCROW.c.job == job, ESCROW.c.source_id.in_(part)))


def read(connection: sa.Connection, job: str) -> pd.DataFrame:
    """Give the escrow of `job` (`ESCROW_COLUMNS`), longest there first."""
    chosen = sa.select(ESCROW).where(ESCROW.c.job == job).order_by(ESCROW.c.first_failed_at, ESCROW.c.source_id)
    return fetch(connection, ESCROW, ESCROW_COLUMNS, chosen)


def retry_now(connection: sa.Connection, job: str, now: dt.datetime, error_code: str | None, source: str | None) -> int:
    """Make entries due now; give how many. Letter case does not count."""
    due = ESCROW.update().where(ESCROW.c.job == job).values(next_retry_at=now)
    if error_code is not None:
        due = due.where(sa.func.lower(ESCROW.c.error_code) == error_code.lower())
    if source is not None:
        names = (ESCROW.c.source_id, ESCROW.c.source_name)
        due = due.where(sa.or_(*(sa.func.lower(name) == source.lower() for name in names)))
    return connection.execute(due).rowcount


def _of(ending: Ending) -> str:
    return ending.change.source_id


def _row(job: str, ending: Ending, held: sa.Row[Any] | None, now: dt.datetime) -> dict[str, Any]:
    change = ending.change
    same = held is not None and (held.account_digest, held.mapping_digest) == (
        change.account_digest,
        change.mapping_digest,
    )
    # What changed at its source or in its mapping is a new attempt, not a further one.
    first, attempts = (held.first_failed_at, held.attempts + 1) if held is not None and same else (now, 1)
    return {
        "job": job,
        "source_id": change.source_id,
        "source_name": change.source_name,
        "error_code": ending.error_code or "Unknown",
        "first_failed_at": first,
        "last_failed_at": now,
        "next_retry_at": next_retry(first, now, attempts, passing=ending.error_code in PASSING),
        "attempts": attempts,
        "account_digest": change.account_digest,
        "mapping_digest": change.mapping_digest,
        "partial": ending.status is Status.WARNING,
        "reason": ending.reason,
    }

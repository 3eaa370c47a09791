"""The chain: each activity is sealed by a hash over itself and the seal before it, in an order of the job's own.

Statements on a connection of `database.py`. `activities.py` seals what it records in the same transaction, so that no
activity is ever without its seal; `verification.py` checks them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import sqlalchemy as sa

from tasks.ledger.database import insert
from tasks.ledger.frames import chunks
from tasks.ledger.tables import ACTIVITIES, CHAINS, SUPERSEDED

SEALED: Final = (
    "change_id",
    "cycle_id",
    "job",
    "source_id",
    "source_name",
    "target_uri",
    "target_name",
    "situation",
    "operation",
    "decision",
    "status",
    "error_code",
    "reason",
    "remedy",
    "changes",
    "refused",
    "attempts",
    "started_at",
    "duration_ms",
)
"""What a seal covers, in this order. Never changed: the seals of all ledgers are made of it."""


@dataclasses.dataclass(frozen=True)
class ChainHead:
    """Where a job's chain stands: how many activities it has sealed so far, and the last seal (empty before any)."""

    position: int = 0
    seal: str = ""


def record_of(row: Mapping[str, Any] | sa.RowMapping) -> str:
    """Give an activity as the text that is sealed: a JSON array of `SEALED`, instants in UTC to the microsecond."""
    return orjson.dumps([_plain(row[name]) for name in SEALED]).decode()


def seal(before: str, record: str) -> str:
    """Give the seal of `record` behind the seal `before`: SHA-256 over both, in hexadecimal."""
    return hashlib.sha256(f"{before}\n{record}".encode()).hexdigest()


def head(connection: sa.Connection, job: str) -> ChainHead:
    """Give where the chain of `job` stands."""
    row = connection.execute(sa.select(CHAINS.c.position, CHAINS.c.seal).where(CHAINS.c.job == job)).one_or_none()
    return ChainHead() if row is None else ChainHead(row.position, row.seal)


def hold(connection: sa.Connection, job: str) -> ChainHead:
    """Give where the chain of `job` stands, and keep other writers from it until the transaction ends."""
    first = {"job": job, "position": 0, "seal": ""}
    connection.execute(insert(connection, CHAINS).on_conflict_do_nothing(index_elements=["job"]), first)
    chosen = sa.select(CHAINS.c.position, CHAINS.c.seal).where(CHAINS.c.job == job).with_for_update()
    row = connection.execute(chosen).one()
    return ChainHead(row.position, row.seal)


def extended(connection: sa.Connection, job: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the activities `rows` of `job` with their `position` and `seal`, and move the chain's head behind them.

    What is recorded already of the same changes goes to the superseded records, where it stays as it was sealed.
    """
    at = hold(connection, job)
    _supersede(connection, [row["change_id"] for row in rows])
    sealed = []
    position, last = at.position, at.seal
    for row in rows:
        position, last = position + 1, seal(last, record_of(row))
        sealed.append({**row, "position": position, "seal": last})
    connection.execute(CHAINS.update().where(CHAINS.c.job == job).values(position=position, seal=last))
    return sealed


def _supersede(connection: sa.Connection, change_ids: Sequence[str]) -> None:
    for part in chunks(change_ids):
        known = connection.execute(sa.select(ACTIVITIES).where(ACTIVITIES.c.change_id.in_(part))).mappings()
        if rows := [_superseded(row) for row in known]:
            connection.execute(SUPERSEDED.insert(), rows)


def _superseded(row: sa.RowMapping) -> dict[str, Any]:
    kept = {name: row[name] for name in ("job", "position", "change_id", "seal")}
    return {**kept, "record": record_of(row)}


def _plain(value: Any) -> str | int | None:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return str(value)

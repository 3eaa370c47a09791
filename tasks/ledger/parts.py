"""Who carries out a part of a cycle's work: whoever took it last. A process that was thought dead records nothing more.

Statements on a connection of `database.py`; `ledger.py` calls them. The cycle itself is held in `locks.py`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

import sqlalchemy as sa

from tasks.ledger.database import upsert
from tasks.ledger.locks import LostLockError, holder
from tasks.ledger.tables import PARTS


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the work of the cycle that holds `job`, as one process took it. `token` is that taking's own."""

    job: str
    number: int
    token: str


def take(connection: sa.Connection, job: str, number: int, now: dt.datetime) -> Part:
    """Take a part for this process, from whoever has it: a part is handed out again only when its process is gone."""
    part = Part(job, number, uuid.uuid4().hex)
    row = {"job": job, "part": number, "token": part.token, "holder": holder(), "taken_at": now}
    connection.execute(upsert(connection, PARTS), [row])
    return part


def check(connection: sa.Connection, part: Part) -> None:
    """Make sure, within a writing transaction, that the part has not been taken by another. Raises `LostLockError`."""
    chosen = sa.select(PARTS).where(PARTS.c.job == part.job, PARTS.c.part == part.number)
    row = connection.execute(chosen.with_for_update(read=True)).one()
    if row.token != part.token:
        raise LostLockError(
            f"Part {part.number} of the job {part.job} was given to {row.holder} at {row.taken_at:%H:%M:%S} UTC, "
            "because this process seemed to be gone. It writes nothing further; the other settles what is under way."
        )

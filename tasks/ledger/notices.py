"""What people have to be told of a job, each cause once: what stands, what is over, and what they know of it.

Statements on a connection of `database.py`; `ledger.py` calls them. What counts as a cause is the report's business.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa

from tasks.ledger.database import upsert
from tasks.ledger.tables import NOTICES


@dataclasses.dataclass(frozen=True, order=True)
class Cause:
    """Why people are told something: `kind` and `code` name it, `message` says it in words."""

    kind: str
    code: str
    message: str = dataclasses.field(compare=False, default="")


@dataclasses.dataclass(frozen=True)
class Notice:
    """One cause as it is remembered: `over_at` is null while it stands, `told` whether people know that it did."""

    cause: Cause
    since: dt.datetime
    over_at: dt.datetime | None
    told: bool


@dataclasses.dataclass(frozen=True)
class Turn:
    """What a cycle changed: causes that stand since, and causes that are over. Both are empty in most cycles."""

    entered: tuple[Cause, ...]
    over: tuple[Cause, ...]


def note(connection: sa.Connection, job: str, causes: Iterable[Cause], now: dt.datetime) -> Turn:
    """Remember that exactly `causes` stand now, and give what is new and what is over.

    A cause that comes back before people were told of its end never ended for them.
    """
    standing = {(cause.kind, cause.code): cause for cause in causes}
    known = {(notice.cause.kind, notice.cause.code): notice for notice in read(connection, job)}
    entered = [key for key in standing if key not in known or known[key].over_at is not None]
    over = [key for key, notice in known.items() if key not in standing and notice.over_at is None]
    rows = [
        {
            "job": job,
            "kind": key[0],
            "code": key[1],
            "message": standing[key].message,
            "since": known[key].since if key in known else now,
            "over_at": None,
            "told": key in known and known[key].told,
        }
        for key in standing
    ]
    if rows:
        connection.execute(upsert(connection, NOTICES), rows)
    for kind, code in over:
        connection.execute(NOTICES.update().where(_is(job, kind, code)).values(over_at=now))
    return Turn(tuple(standing[key] for key in entered), tuple(known[key].cause for key in over))


def read(connection: sa.Connection, job: str) -> list[Notice]:
    """Give what is remembered, in a steady order."""
    chosen = sa.select(NOTICES).where(NOTICES.c.job == job).order_by(NOTICES.c.kind, NOTICES.c.code)
    return [
        Notice(Cause(row.kind, row.code, row.message), row.since, row.over_at, row.told)
        for row in connection.execute(chosen)
    ]


def told(connection: sa.Connection, job: str, notices: Iterable[Notice]) -> None:
    """Record that people know of `notices`; those that are over are forgotten, unless they have come back since."""
    for notice in notices:
        kind, code = notice.cause.kind, notice.cause.code
        if notice.over_at is None:
            connection.execute(NOTICES.update().where(_is(job, kind, code)).values(told=True))
        else:
            connection.execute(NOTICES.delete().where(_is(job, kind, code), NOTICES.c.over_at == notice.over_at))


def _is(job: str, kind: str, code: str) -> sa.ColumnElement[bool]:
    return sa.and_(NOTICES.c.job == job, NOTICES.c.kind == kind, NOTICES.c.code == code)

"""Links between people and accounts, and the skips that have been told.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import pandas as pd
import sqlalchemy as sa

from tasks.ledger.database import upsert
from tasks.ledger.frames import LINK_COLUMNS, SKIP_COLUMNS, chunks, fetch
from tasks.ledger.records import Ending, Keep, Link
from tasks.ledger.tables import LINKS, SKIPS

_MANY: Final = 20_000
"""From how many people on all links are read at once instead."""


def read(connection: sa.Connection, job: str, source_ids: Sequence[str] | None = None) -> pd.DataFrame:
    """Give the links of `job` (`LINK_COLUMNS`), all or those of `source_ids`."""
    chosen = sa.select(LINKS).where(LINKS.c.job == job)
    if source_ids is None or len(source_ids) > _MANY:
        whole = fetch(connection, LINKS, LINK_COLUMNS, chosen)
        return whole if source_ids is None else whole[whole["source_id"].isin(source_ids)].reset_index(drop=True)
    parts = [
        fetch(connection, LINKS, LINK_COLUMNS, chosen.where(LINKS.c.source_id.in_(part))) for part in chunks(source_ids)
    ]
    return pd.concat(parts, ignore_index=True) if parts else fetch(connection, LINKS, LINK_COLUMNS, chosen.limit(0))


def count(connection: sa.Connection, job: str) -> int:
    """Count the links of `job`."""
    return connection.execute(sa.select(sa.func.count()).where(LINKS.c.job == job)).scalar_one()


def holders(connection: sa.Connection, job: str, target_uris: Sequence[str]) -> dict[str, str]:
    """Give the source ids, by URI, that these accounts are linked to."""
    statement = sa.select(LINKS.c.target_uri, LINKS.c.source_id).where(
        LINKS.c.job == job, LINKS.c.target_uri.in_(target_uris)
    )
    return {row.target_uri: row.source_id for row in connection.execute(statement)}


def settle(connection: sa.Connection, job: str, endings: Sequence[Ending], now: dt.datetime) -> None:
    """Make, change and end links as the endings say. Who has a link or an ending that counts is skipped no more."""
    ended = [_person(ending) for ending in endings if ending.link is Keep.END]
    if ended:
        connection.execute(_OF_PERSON.where(LINKS.c.job == job), ended)
    look_again(connection, job, [ending.change.source_id for ending in endings if ending.link is Keep.LOOK_AGAIN])
    made = [(ending, ending.link) for ending in endings if isinstance(ending.link, Link)]
    if made:
        people = [ending.change.source_id for ending, _ in made]
        written = _written(connection, job, people)
        rows = [_row(job, ending, link, written.get(ending.change.source_id), now) for ending, link in made]
        _put(connection, job, rows, frozenset({"linked_at"}))


def put(connection: sa.Connection, job: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make or replace links; `rows` have every column. Of a link that is there, what it remembers as written stays."""
    _put(connection, job, rows, frozenset({"linked_at", "written"}))


def _put(connection: sa.Connection, job: str, rows: Sequence[Mapping[str, Any]], keep: frozenset[str]) -> None:
    if rows:
        connection.execute(upsert(connection, LINKS, keep=keep), [dict(row) for row in rows])
        forget_skips(connection, job, [row["source_id"] for row in rows])


def look_again(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> None:
    """Forget these people's digests, so that the next cycle compares their accounts whatever the source says."""
    for part in chunks(source_ids):
        connection.execute(
            LINKS.update().where(LINKS.c.job == job, LINKS.c.source_id.in_(part)).values(account_digest=None)
        )


def end(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> int:
    """Remove the links of these people; give how many there were."""
    statements = (LINKS.delete().where(LINKS.c.job == job, LINKS.c.source_id.in_(part)) for part in chunks(source_ids))
    return sum(connection.execute(statement).rowcount for statement in statements)


def read_skips(connection: sa.Connection, job: str) -> pd.DataFrame:
    """Give the skips of `job` that have been told (`SKIP_COLUMNS`)."""
    return fetch(connection, SKIPS, SKIP_COLUMNS, sa.select(SKIPS).where(SKIPS.c.job == job))


def put_skips(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember skips as told."""
    if rows:
        connection.execute(upsert(connection, SKIPS), [dict(row) for row in rows])


def forget_skips(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> None:
    """Forget that these people's skips were told: something else has happened to them since."""
    for part in chunks(source_ids):
        connection.execute(SKIPS.delete().where(SKIPS.c.job == job, SKIPS.c.source_id.in_(part)))


_OF_PERSON = LINKS.delete().where(LINKS.c.source_id == sa.bindparam("person"))


def _person(ending: Ending) -> dict[str, str]:
    return {"person": ending.change.source_id}


def _written(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> dict[str, str]:
    statement = sa.select(LINKS.c.source_id, LINKS.c.written).where(
        LINKS.c.job == job, LINKS.c.source_id.in_(source_ids)
    )
    return {row.source_id: row.written for row in connection.execute(statement)}


def _row(job: str, ending: Ending, link: Link, written: str | None, now: dt.datetime) -> dict[str, Any]:
    change = ending.change
    return {
        "job": job,
        "source_id": change.source_id,
        "source_name": change.source_name,
        "target_uri": link.target_uri,
        "target_name": link.target_name,
        "account_digest": link.account_digest,
        "written": orjson.dumps({**orjson.loads(written or "{}"), **link.written}).decode(),
        "active": link.active,
        "linked_at": now,
    }

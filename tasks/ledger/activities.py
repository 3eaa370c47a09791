"""Activities: one row a change, how it ended. Written by load, read by the report and the command line.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import orjson
import pandas as pd
import sqlalchemy as sa

from tasks.ledger import chain
from tasks.ledger.database import insert
from tasks.ledger.frames import fetch
from tasks.ledger.tables import ACTIVITIES, CYCLES
from tasks.model import ACTIVITY_COLUMNS, REDACTED, History, Operation, Status

_ORDER: Final = (ACTIVITIES.c.job, ACTIVITIES.c.position)
"""The order in which activities were recorded, which their seals vouch for."""


def put(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], withheld: Set[str] = frozenset()) -> None:
    """Record activities of one job, each sealed behind the one before.

    One that is there already, of a change whose outcome was not known, is brought up to date.

    The values of the attributes that are `withheld` are not recorded, only that they changed.
    """
    if not rows:
        return
    if withheld:
        rows = [{**row, "changes": _without(row["changes"], withheld)} for row in rows]
    # Each change once, or the first of two would lose its place in the chain.
    rows = chain.extended(connection, rows[0]["job"], list({row["change_id"]: row for row in rows}.values()))
    statement = insert(connection, ACTIVITIES)
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in {"change_id", "job"}}
    connection.execute(statement.on_conflict_do_update(index_elements=["change_id"], set_=replaced), rows)


def _without(changes: str, withheld: Set[str]) -> str:
    """Give the changes with the values of withheld attributes hidden; that there was none stays visible."""
    shown = [
        {name: REDACTED if value is not None and name != "attribute" else value for name, value in change.items()}
        if change["attribute"] in withheld
        else change
        for change in orjson.loads(changes)
    ]
    return orjson.dumps(shown).decode()


def read(
    connection: sa.Connection,
    *,
    job: str | None = None,
    cycle_id: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    source: str | None = None,
    status: str | None = None,
    operation: str | None = None,
    error_code: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Give activities (`ACTIVITY_COLUMNS`), oldest first; with `limit` only the latest. See `Ledger.activities`."""
    equal = {"job": job, "cycle_id": cycle_id, "status": status, "operation": operation, "error_code": error_code}
    chosen = sa.select(ACTIVITIES).where(
        *(ACTIVITIES.c[name] == value for name, value in equal.items() if value is not None)
    )
    if since is not None:
        chosen = chosen.where(ACTIVITIES.c.started_at >= since)
    if until is not None:
        chosen = chosen.where(ACTIVITIES.c.started_at < until)
    if source is not None:
        chosen = chosen.where(sa.or_(ACTIVITIES.c.source_id == source, ACTIVITIES.c.source_name == source))
    if limit is None:
        return fetch(connection, ACTIVITIES, ACTIVITY_COLUMNS, chosen.order_by(*_ORDER))
    backwards = (column.desc() for column in _ORDER)
    latest = fetch(connection, ACTIVITIES, ACTIVITY_COLUMNS, chosen.order_by(*backwards).limit(limit))
    return latest.iloc[::-1].reset_index(drop=True)


def recorded(connection: sa.Connection, change_ids: Sequence[str]) -> pd.DataFrame:
    """Give the activities of these changes."""
    return fetch(
        connection,
        ACTIVITIES,
        ACTIVITY_COLUMNS,
        sa.select(ACTIVITIES).where(ACTIVITIES.c.change_id.in_(change_ids)),
    )


def cycles_among(connection: sa.Connection, cycle_ids: Sequence[str]) -> set[str]:
    """Give those of these cycles that have activities."""
    has_some = sa.exists().where(ACTIVITIES.c.cycle_id == CYCLES.c.cycle_id)
    chosen = sa.select(CYCLES.c.cycle_id).where(CYCLES.c.cycle_id.in_(cycle_ids), has_some)
    return set(connection.execute(chosen).scalars())


def history(connection: sa.Connection, job: str) -> History:
    """Give which operations the job has carried out, and how many a second its latest writing cycle managed."""
    done = {
        operation
        for operation in Operation
        if connection.execute(
            sa.select(ACTIVITIES.c.number)
            .where(
                ACTIVITIES.c.job == job,
                ACTIVITIES.c.operation == operation,
                ACTIVITIES.c.status.in_([Status.SUCCESS, Status.WARNING]),
            )
            .limit(1)
        ).first()
    }
    sent = sa.and_(ACTIVITIES.c.job == job, ACTIVITIES.c.attempts > 0)
    latest = sa.select(ACTIVITIES.c.cycle_id).where(sent).order_by(ACTIVITIES.c.position.desc()).limit(1)
    first, last = sa.func.min(ACTIVITIES.c.started_at), sa.func.max(ACTIVITIES.c.started_at)
    spans = sa.select(sa.func.count(), first, last, sa.func.avg(ACTIVITIES.c.duration_ms))
    chosen = spans.where(sent, ACTIVITIES.c.cycle_id == latest.scalar_subquery())
    count, began, ended, took_ms = connection.execute(chosen).one()
    # From the first start to the last one, and what the last one took.
    seconds = (ended - began).total_seconds() + float(took_ms) / 1000 if count else 0.0
    return History(frozenset(done), count / seconds if seconds else None)

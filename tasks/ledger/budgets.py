"""Budgets of calls, one a target, shared by all jobs and processes that call it. What the text says is load's affair.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from tasks.ledger.database import insert, upsert
from tasks.ledger.tables import BUDGETS


def take(connection: sa.Connection, target: str, now: dt.datetime) -> str | None:
    """Give the state of a budget, null when there is none yet, and keep others from it until the transaction ends."""
    found = sa.select(BUDGETS.c.state).where(BUDGETS.c.target == target).with_for_update()
    state: str | None = connection.execute(found).scalar()
    if state is None:
        # Two that begin at once must not both find nothing: the second waits for the first one's row.
        first = insert(connection, BUDGETS).values(target=target, state="", changed_at=now)
        connection.execute(first.on_conflict_do_nothing())
        state = connection.execute(found).scalar()
    return state or None


def put(connection: sa.Connection, target: str, state: str, now: dt.datetime) -> None:
    """Replace the state of a budget."""
    connection.execute(upsert(connection, BUDGETS), [{"target": target, "state": state, "changed_at": now}])

"""Plans that were saved to files: their digests, and who decided what about them, and why. The plans are in the files.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import sqlalchemy as sa

from tasks.ledger.database import upsert
from tasks.ledger.tables import PLANS
from tasks.model import Approval


@dataclasses.dataclass(frozen=True)
class SavedPlan:
    """What is recorded of one plan; the last four are null until somebody has decided."""

    plan_id: str
    job: str
    digest: str
    saved_at: dt.datetime
    choice: Approval | None
    decided_by: str | None
    why: str | None
    decided_at: dt.datetime | None


def keep(connection: sa.Connection, job: str, plan_id: str, digest: str, now: dt.datetime) -> None:
    """Record a plan; one that is saved again keeps what was decided."""
    row = {"plan_id": plan_id, "job": job, "digest": digest, "saved_at": now}
    connection.execute(upsert(connection, PLANS, keep=frozenset({"choice", "decided_by", "why", "decided_at"})), [row])


def decide(connection: sa.Connection, plan_id: str, choice: Approval, by: str, why: str, now: dt.datetime) -> None:
    """Record a decision."""
    decided = {"choice": choice.value, "decided_by": by, "why": why, "decided_at": now}
    connection.execute(PLANS.update().where(PLANS.c.plan_id == plan_id).values(**decided))


def read(connection: sa.Connection, plan_id: str) -> SavedPlan | None:
    """Give what is recorded of a plan."""
    row = connection.execute(sa.select(PLANS).where(PLANS.c.plan_id == plan_id)).one_or_none()
    if row is None:
        return None
    choice = None if row.choice is None else Approval(row.choice)
    return SavedPlan(**{**row._asdict(), "choice": choice})

"""Retention: removing old activities, and the journal, plans and cycles that belong to them, so that the chain holds.

Statements on a connection of `database.py`; `ledger.py` calls them. What an open escrow needs stays, however old.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import Final

import sqlalchemy as sa

from tasks.ledger import chain
from tasks.ledger.database import insert
from tasks.ledger.frames import chunks
from tasks.ledger.tables import ACTIVITIES, CYCLES, ESCROW, JOURNAL, PLANS, PRUNINGS, SUPERSEDED
from tasks.model import Operation, Status

PART: Final = 20_000
"""How many places of the chain one transaction goes through."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """How many rows of each kind were removed; `kept` are old activities that something open still needs."""

    activities: int = 0
    journal: int = 0
    plans: int = 0
    cycles: int = 0
    kept: int = 0


def end_of(connection: sa.Connection, job: str, before: dt.datetime) -> int:
    """Give the last place of the chain up to which every activity of `job` began before the instant `before`."""
    younger = sa.select(sa.func.min(ACTIVITIES.c.position)).where(
        ACTIVITIES.c.job == job, ACTIVITIES.c.started_at >= before
    )
    first = connection.execute(younger).scalar()
    return chain.head(connection, job).position if first is None else first - 1


def prune_activities(connection: sa.Connection, job: str, end: int, now: dt.datetime) -> tuple[int, int]:
    """Remove up to `PART` places of the chain up to the place `end`; give how many went, and how far that came.

    Each stretch that goes leaves its last seal behind, so that the rest can still be checked.
    """
    chain.hold(connection, job)
    kept = _kept(connection, job, end)
    here = ACTIVITIES.c.job == job
    left = sa.select(ACTIVITIES.c.position).where(here, ACTIVITIES.c.position <= end)
    places = connection.execute(left.order_by(ACTIVITIES.c.position).limit(len(kept) + 1)).scalars()
    first = next((place for place in places if place not in kept), None)
    if first is None:
        return 0, end
    end = _beyond(connection, job, min(end, first + PART))
    stretches = _stretches([place for place in kept if place <= end], end)
    seals = _seals(connection, job, [last for _, last in stretches])
    gone = 0
    for start, last in stretches:
        within = ACTIVITIES.c.position.between(start, last)
        of_cycles = sa.select(ACTIVITIES.c.cycle_id).where(here, within)
        connection.execute(CYCLES.update().where(CYCLES.c.cycle_id.in_(of_cycles)).values(pruned_at=now))
        gone += connection.execute(ACTIVITIES.delete().where(here, within)).rowcount
        connection.execute(
            SUPERSEDED.delete().where(SUPERSEDED.c.job == job, SUPERSEDED.c.position.between(start, last))
        )
    connection.execute(PRUNINGS.delete().where(PRUNINGS.c.job == job, PRUNINGS.c.last <= end))
    rows = [
        {"job": job, "first": start, "last": last, "seal": seals.get(last, ""), "pruned_at": now}
        for start, last in stretches
    ]
    connection.execute(insert(connection, PRUNINGS), rows)
    return gone, end


def prune_rest(connection: sa.Connection, job: str, before: dt.datetime) -> Pruned:
    """Remove what belongs to pruned activities: finished requests, saved plans, and cycles with nothing left.

    A job's latest cycle stays, and the latest of each state.
    """
    told = sa.exists().where(ACTIVITIES.c.change_id == JOURNAL.c.change_id)
    journal = connection.execute(
        JOURNAL.delete().where(JOURNAL.c.job == job, JOURNAL.c.state == "done", JOURNAL.c.ended_at < before, ~told)
    ).rowcount
    plans = connection.execute(PLANS.delete().where(PLANS.c.job == job, PLANS.c.saved_at < before)).rowcount
    latest = sa.select(sa.func.max(CYCLES.c.started_at)).where(CYCLES.c.job == job).group_by(CYCLES.c.state)
    cycles = connection.execute(
        CYCLES.delete().where(
            CYCLES.c.job == job,
            CYCLES.c.ended_at < before,
            CYCLES.c.started_at.not_in(latest),
            ~sa.exists().where(ACTIVITIES.c.cycle_id == CYCLES.c.cycle_id),
            ~sa.exists().where(JOURNAL.c.cycle_id == CYCLES.c.cycle_id),
        )
    ).rowcount
    return Pruned(journal=journal, plans=plans, cycles=cycles)


def pruned_at(connection: sa.Connection, job: str) -> dt.datetime | None:
    """Give when retention last removed activities of `job`; null when it never did."""
    return connection.execute(sa.select(sa.func.max(PRUNINGS.c.pruned_at)).where(PRUNINGS.c.job == job)).scalar()


def kept_before(connection: sa.Connection, job: str, end: int) -> int:
    """Count the activities of `job` up to the place `end`."""
    chosen = sa.select(sa.func.count()).where(ACTIVITIES.c.job == job, ACTIVITIES.c.position <= end)
    return connection.execute(chosen).scalar_one()


def _kept(connection: sa.Connection, job: str, end: int) -> set[int]:
    """Give the places, up to `end`, that stay: the latest activity of everybody in escrow, and of each operation.

    Who is in escrow has to be explained as long as they are; and an operation that a job has once carried out is not
    the first of its kind again.
    """
    here = sa.and_(ACTIVITIES.c.job == job, ACTIVITIES.c.position.is_not(None))
    waiting = connection.execute(sa.select(ESCROW.c.source_id).where(ESCROW.c.job == job)).scalars().all()
    latest = sa.select(sa.func.max(ACTIVITIES.c.position))
    found: set[int | None] = set()
    for part in chunks(waiting):
        of_people = latest.where(here, ACTIVITIES.c.source_id.in_(part)).group_by(ACTIVITIES.c.source_id)
        found.update(connection.execute(of_people).scalars())
    done = ACTIVITIES.c.status.in_([Status.SUCCESS, Status.WARNING])
    for operation in Operation:
        found.add(connection.execute(latest.where(here, ACTIVITIES.c.operation == operation, done)).scalar())
    return {place for place in found if place is not None and place <= end}


def _beyond(connection: sa.Connection, job: str, end: int) -> int:
    """Give `end`, or the end of the stretch removed earlier that it lies in."""
    around = sa.select(PRUNINGS.c.last).where(PRUNINGS.c.job == job, PRUNINGS.c.first <= end, PRUNINGS.c.last > end)
    return connection.execute(around).scalar() or end


def _stretches(kept: list[int], end: int) -> list[tuple[int, int]]:
    """Give the stretches between the kept places, from the first place of the chain to `end`."""
    bounds = [0, *sorted(kept), end + 1]
    return [(low + 1, high - 1) for low, high in itertools.pairwise(bounds) if high - low > 1]


def _seals(connection: sa.Connection, job: str, places: list[int]) -> dict[int, str]:
    """Give the seals at these places, whatever holds them."""
    found: dict[int, str] = {}
    for table, place in ((ACTIVITIES, "position"), (SUPERSEDED, "position"), (PRUNINGS, "last")):
        column = table.c[place]
        for start in range(0, len(places), 500):
            chosen = sa.select(column, table.c.seal).where(table.c.job == job, column.in_(places[start : start + 500]))
            found.update((row[0], row[1]) for row in connection.execute(chosen))
    return found

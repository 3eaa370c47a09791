"""Checking the chain of a job's activities: what was altered, taken out, put in or moved since it was sealed.

Statements on a connection of `database.py`; `ledger.py` calls `verify`.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator
from typing import Any, Final

import orjson
import sqlalchemy as sa

from tasks.ledger import chain
from tasks.ledger.tables import ACTIVITIES, CYCLES, JOURNAL, PRUNINGS, SUPERSEDED

FINDINGS: Final = 1000
"""Most findings that are named."""
_PART: Final = 10_000
_SHOWN: Final = 20


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `position` is null where no single place can be named."""

    what: str
    position: int | None = None
    change_id: str | None = None
    person: str | None = None


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a check found. `records` counts those checked, `superseded` those of them brought up to date since.

    `pruned` counts the records that retention removed, whose content can no longer be checked; `head` is where the
    chain stands.
    """

    findings: tuple[Finding, ...]
    records: int
    superseded: int
    pruned: int
    head: chain.ChainHead

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclasses.dataclass(frozen=True)
class _Record:
    """One place in the chain as it is stored now."""

    position: int
    change_id: str
    person: str | None
    record: str
    seal: str | None
    superseded: bool = False


@dataclasses.dataclass(frozen=True)
class _Pruning:
    """A stretch that retention removed."""

    position: int
    last: int
    seal: str


def verify(connection: sa.Connection, job: str, expected: str = "") -> Verification:
    """Check every record of `job` against its seal, its place and its neighbours, and the heads kept by the cycles.

    `expected` is a head that was kept somewhere else: it has to be one of the chain's seals. A record that was altered
    is named once, and those behind it are measured by the seals that are stored.
    """
    walk = _Walk(connection, job, expected)
    for one in heapq.merge(*_sources(connection, job), key=lambda each: each.position):
        walk.step(one)
    walk.finish()
    return Verification(
        findings=tuple(walk.findings[:FINDINGS]),
        records=walk.records,
        superseded=walk.superseded,
        pruned=walk.pruned,
        head=walk.head,
    )


class _Walk:
    """A walk along the chain, from its first place to its last."""

    def __init__(self, connection: sa.Connection, job: str, expected: str) -> None:
        self._connection = connection
        self._job = job
        self._expected, self._expected_found = expected, not expected
        self.head = chain.head(connection, job)
        self._at, self._seal, self._seal_known = 0, "", True
        self._heads = _cycle_heads(connection, job)
        self._replaced: dict[str, int] = {}
        self._gaps = False
        self.findings: list[Finding] = []
        self.records = self.superseded = self.pruned = 0

    def step(self, one: _Record | _Pruning) -> None:
        """Take the next place."""
        if one.position <= self._at:
            self._find("stands where another record stands already", one)
            return
        if one.position > self.head.position:
            self._find("stands beyond the end of the chain", one)
            return
        if one.position > self._at + 1:
            self._find_gap(self._at + 1, one.position - 1)
        if isinstance(one, _Pruning):
            self.pruned += one.last - one.position + 1
            self._move(one.last, one.seal)
        else:
            self.records += 1
            self._check(one)
            self._move(one.position, one.seal or "")

    def finish(self) -> None:
        """Compare the end of the chain with what is kept of it elsewhere."""
        head = self.head
        if head.position > self._at:
            self._find_gap(self._at + 1, head.position)
        elif (head.position, head.seal) != (self._at, self._seal):
            self.findings.append(Finding(f"The chain ends at record {self._at}, not as was kept of it.", self._at))
        self.findings += [
            Finding(f"A cycle ended at record {position}, with a head that is not in the chain.", position)
            for position in sorted(self._heads)
            if position > head.position
        ]
        self.findings += [
            Finding(f"Record {position} was superseded, and nothing stands in its place.", position, change_id)
            for change_id, position in self._replaced.items()
        ]
        self.findings += [
            Finding("A record was put in without a seal.", None, row.change_id, row.source_name)
            for row in self._connection.execute(_loose(self._job))
        ]
        if self._gaps:
            self.findings += [
                Finding("By the journal this change was carried out; its record is gone.", None, *row)
                for row in self._connection.execute(_lost(self._job))
            ]
        if not self._expected_found:
            removed = ", or it lies in what retention removed" if self.pruned else ""
            said = (
                f"The head {self._expected} is not in the chain: the chain was made anew, or the head is another job's"
            )
            self.findings.append(Finding(f"{said}{removed}."))

    def _check(self, one: _Record) -> None:
        """Check one record against its seal."""
        intact = not self._seal_known or chain.seal(self._seal, one.record) == one.seal
        if one.superseded:
            self.superseded += 1
            self._replaced[one.change_id] = one.position
            intact = intact and one.record.startswith(orjson.dumps([one.change_id]).decode()[:-1])
        else:
            self._replaced.pop(one.change_id, None)
        if not intact:
            self._find("was altered or moved: it does not go with its seal and the one before", one)

    def _move(self, position: int, seal: str) -> None:
        self._at, self._seal, self._seal_known = position, seal, True
        self._expected_found = self._expected_found or seal == self._expected
        if self._heads.pop(position, {seal}) != {seal}:
            self.findings.append(
                Finding(f"A cycle ended at record {position}, with another head than it has.", position)
            )

    def _find(self, what: str, one: _Record | _Pruning) -> None:
        if isinstance(one, _Record):
            self.findings.append(Finding(f"Record {one.position} {what}.", one.position, one.change_id, one.person))
        else:
            self.findings.append(Finding(f"The removed stretch from {one.position} on {what}.", one.position))

    def _find_gap(self, first: int, last: int) -> None:
        places = f"Record {first} is" if first == last else f"Records {first} to {last} are"
        self.findings.append(Finding(f"{places} missing.", first))
        self._gaps, self._seal_known = True, False


def _sources(connection: sa.Connection, job: str) -> list[Iterator[_Record | _Pruning]]:
    return [_recorded(connection, job), _superseded(connection, job), _prunings(connection, job)]


def _recorded(connection: sa.Connection, job: str) -> Iterator[_Record | _Pruning]:
    """Give the job's activities by position, some thousands at a time."""
    after: Any = None
    while True:
        chosen = sa.select(ACTIVITIES).where(ACTIVITIES.c.job == job, ACTIVITIES.c.position.is_not(None))
        if after is not None:
            chosen = chosen.where(ACTIVITIES.c.position > after)
        rows = connection.execute(chosen.order_by(ACTIVITIES.c.position).limit(_PART)).mappings().all()
        for row in rows:
            person = row["source_name"] or row["target_name"]
            record = chain.record_of(row)
            yield _Record(row["position"], row["change_id"], person, record, row["seal"])
        if len(rows) < _PART:
            return
        after = rows[-1]["position"]


def _superseded(connection: sa.Connection, job: str) -> Iterator[_Record | _Pruning]:
    chosen = sa.select(SUPERSEDED).where(SUPERSEDED.c.job == job).order_by(SUPERSEDED.c.position)
    for row in connection.execute(chosen).all():
        yield _Record(row.position, row.change_id, None, row.record, row.seal, superseded=True)


def _prunings(connection: sa.Connection, job: str) -> Iterator[_Record | _Pruning]:
    chosen = sa.select(PRUNINGS).where(PRUNINGS.c.job == job).order_by(PRUNINGS.c.first)
    for row in connection.execute(chosen).all():
        yield _Pruning(row.first, row.last, row.seal)


def _cycle_heads(connection: sa.Connection, job: str) -> dict[int, set[str]]:
    """Give the heads that the cycles kept, by position, from where they can still be compared."""
    chosen = sa.select(CYCLES.c.chain_position, CYCLES.c.chain_head).where(
        CYCLES.c.job == job, CYCLES.c.chain_position > 0
    )
    heads: dict[int, set[str]] = {}
    for position, seal in connection.execute(chosen):
        heads.setdefault(position, set()).add(seal)
    return heads


def _loose(job: str) -> sa.Select[Any]:
    """Select the activities that stand outside the chain."""
    chosen = sa.select(ACTIVITIES.c.change_id, ACTIVITIES.c.source_name)
    return chosen.where(ACTIVITIES.c.job == job, ACTIVITIES.c.position.is_(None)).limit(_SHOWN)


def _lost(job: str) -> sa.Select[Any]:
    """Select the changes that the journal knows as done and that have no activity."""
    told = sa.select(ACTIVITIES.c.number).where(ACTIVITIES.c.change_id == JOURNAL.c.change_id)
    return (
        sa.select(JOURNAL.c.change_id, JOURNAL.c.source_name)
        .where(JOURNAL.c.job == job, JOURNAL.c.state == "done", JOURNAL.c.step == 1, ~sa.exists(told))
        .limit(_SHOWN)
    )

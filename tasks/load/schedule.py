"""The plan's operations in the order in which they can run: who needs another's account waits for that one alone.

`execute.py` takes from it and tells it which accounts have come about. No I/O here.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd

from tasks.ledger.records import Change, Difference, Value
from tasks.load.work import LOGIN_NAME, SUPERVISOR, Item
from tasks.model import Operation, Situation, TargetAttribute

_FACTS: Final = ("change_id", "source_id", "source_name", "target_uri", "target_name", "situation", "operation")


class Schedule:
    """The rows of a plan that are carried out. Not safe to use from several threads.

    `operations` and `changes` are the plan's frames, the former cut to those rows. A row whose supervisor is created
    or made fit by another row waits for that row and for nothing else. In a circle the first row goes without its
    supervisor, who is written in a second step. A row that takes over a login name is kept back until the row is done
    whose account still has it; `release` lets it go where both wait for each other.
    """

    def __init__(
        self,
        operations: pd.DataFrame,
        changes: pd.DataFrame,
        mapping_digest: str,
        schema: Mapping[str, TargetAttribute],
    ) -> None:
        self._columns = {name: operations[name].tolist() for name in (*_FACTS, "account_digest", "reason")}
        self._changes = Changes(operations["change_id"], changes, schema)
        self._mapping_digest = mapping_digest
        parents = _parents(operations)
        self._late = _openers(parents)
        waiting = np.flatnonzero((parents >= 0) & ~self._late)
        self._reports: dict[str, list[int | Item]] = {}
        for row, supervisor in zip(waiting.tolist(), parents[waiting].tolist(), strict=True):
            self._reports.setdefault(self._columns["source_id"][supervisor], []).append(row)
        self._parents = parents.tolist()
        self._awaited = {self._columns["source_id"][row] for row in np.unique(parents[parents >= 0]).tolist()}
        # Rows in the plan's order are a heap already.
        self._ready: list[int] = np.flatnonzero((parents < 0) | self._late).tolist()
        self._givers = _givers(operations, changes)
        self._kept_back: dict[str, list[int]] = {}
        self._again: list[Item] = []
        self._settled: set[str] = set()
        self.total: Final = len(operations)

    def __bool__(self) -> bool:
        return bool(self._again or self._ready)

    def take(self, count: int) -> list[Item]:
        """Take up to `count` operations that can run now, further steps of those under way first."""
        taken, self._again = self._again[:count], self._again[count:]
        while self._ready and len(taken) < count:
            row = heapq.heappop(self._ready)
            giver = self._givers.pop(row, None)
            if giver is None or giver in self._settled:
                taken.append(self._item(row))
            else:
                self._kept_back.setdefault(giver, []).append(row)
        return taken

    def release(self) -> None:
        """Let rows go that are kept back for a login name: nothing is under way that could set it free."""
        for rows in self._kept_back.values():
            self._ready.extend(rows)
        self._kept_back = {}
        heapq.heapify(self._ready)

    def put(self, item: Item) -> None:
        """Let a further step of an operation wait for its turn, or for the account that it refers to."""
        supervisor = item.after or item.waits_for()
        if supervisor is not None and supervisor in self._awaited:
            self._reports.setdefault(supervisor, []).append(item)
        else:
            self._again.append(item)

    def settled(self, source_id: str) -> None:
        """Tell that the account of `source_id` is as planned, or will not be: who waited for it can run."""
        self._awaited.discard(source_id)
        self._settled.add(source_id)
        for row in self._kept_back.pop(source_id, ()):
            heapq.heappush(self._ready, row)
        for entry in self._reports.pop(source_id, ()):
            if isinstance(entry, Item):
                self._again.append(entry)
            else:
                heapq.heappush(self._ready, entry)

    def unfinished(self) -> list[Item]:
        """Take the operations that have a further step to go."""
        items = [*self._again, *(entry for reports in self._reports.values() for entry in _items(reports))]
        self._again = []
        self._reports = {
            source_id: [entry for entry in reports if not isinstance(entry, Item)]
            for source_id, reports in self._reports.items()
        }
        return items

    def rest(self) -> list[int]:
        """Give the rows that have not been taken, in the plan's order."""
        waiting = [entry for reports in self._reports.values() for entry in reports if not isinstance(entry, Item)]
        kept_back = [row for rows in self._kept_back.values() for row in rows]
        return sorted([*self._ready, *waiting, *kept_back])

    def _item(self, row: int) -> Item:
        facts: dict[str, Any] = {
            name: None if pd.isna(values[row]) else values[row] for name, values in self._columns.items()
        }
        differences = self._changes.of(row)
        operation = Operation(facts.pop("operation"))
        facts["why"] = facts.pop("reason")
        change = Change(
            **{**facts, "situation": Situation(facts["situation"])},
            operation=operation,
            mapping_digest=self._mapping_digest,
            differences=differences,
        )
        item = Item(
            change,
            operation,
            {entry.attribute: entry.after for entry in differences},
            target_uri=change.target_uri,
            target_name=change.target_name,
        )
        if self._late[row]:
            item.later[SUPERVISOR] = item.values.pop(SUPERVISOR)
            item.after = self._columns["source_id"][self._parents[row]]
        return item


def _items(entries: Iterable[int | Item]) -> list[Item]:
    return [entry for entry in entries if isinstance(entry, Item)]


class Changes:
    """The differences that each change writes, found by the change's place among `change_ids`."""

    def __init__(self, change_ids: pd.Series, changes: pd.DataFrame, schema: Mapping[str, TargetAttribute]) -> None:
        self._lists = frozenset(name for name, described in schema.items() if described.multivalued)
        row = pd.Index(change_ids).get_indexer(pd.Index(changes["change_id"]))
        order = np.argsort(row, kind="stable")
        order = order[row[order] >= 0]
        self._starts = np.searchsorted(row[order], np.arange(len(change_ids) + 1)).tolist()
        frame = changes.iloc[order]
        self._columns = [frame[name].tolist() for name in ("attribute", "before", "after")]

    def of(self, place: int) -> tuple[Difference, ...]:
        """Give what the change at `place` writes."""
        part = slice(self._starts[place], self._starts[place + 1])
        return tuple(
            Difference(name, self._value(name, before), self._value(name, after))
            for name, before, after in zip(*(column[part] for column in self._columns), strict=True)
        )

    def _value(self, attribute: str, text: Any) -> Value:
        if pd.isna(text):
            return None
        return orjson.loads(text) if attribute in self._lists else str(text)


def _parents(operations: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Give for each row the row that makes its supervisor's account, or makes it fit for it; -1 where none does."""
    source = pd.Index(operations["source_id"])
    parents = source.get_indexer(pd.Index(operations["waits_for"]))
    makes = operations["operation"].isin([Operation.CREATE, Operation.UPDATE, Operation.ENABLE])
    waits = operations["waits_for"].notna().to_numpy(dtype=bool) & (parents >= 0)
    return np.where(waits & makes.to_numpy(dtype=bool)[parents], parents, -1).astype(np.int64)


def _givers(operations: pd.DataFrame, changes: pd.DataFrame) -> dict[int, str]:
    """Give, by row, the person whose account still has the login name that the row's account is to get."""
    logins = changes[changes["attribute"].eq(LOGIN_NAME)].set_index("change_id")
    change_ids = operations["change_id"]
    new = logins["after"].str.casefold().reindex(change_ids).reset_index(drop=True)
    old = logins["before"].str.casefold().reindex(change_ids).reset_index(drop=True)
    deleted = operations["operation"].eq(Operation.DELETE).fillna(value=False).reset_index(drop=True)
    given = old.mask(deleted, operations["target_name"].str.casefold().reset_index(drop=True))
    given = given[given.notna() & given.ne(new).fillna(value=True)].drop_duplicates()
    holders = pd.Series(given.index, index=given.array)
    taken = new[new.isin(holders.index)]
    rows = holders.reindex(taken.array).astype(int)
    source_ids = operations["source_id"].reset_index(drop=True)
    return dict(zip(taken.index.tolist(), source_ids.iloc[rows.to_numpy()].tolist(), strict=True))


def _openers(parents: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mark in each circle of rows the one that comes first in the plan."""
    step = parents.copy()
    for _ in range(len(parents).bit_length()):
        step = np.where(step >= 0, step[step], -1)
    opens = np.zeros(len(parents), bool)
    circle = set(step[step >= 0].tolist())
    while circle:
        first = min(circle)
        opens[first] = True
        row = int(parents[first])
        while row != first:
            circle.discard(row)
            row = int(parents[row])
        circle.discard(first)
    return opens

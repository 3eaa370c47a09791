"""Reading a collection of Graph to its end, page by page into columns, and judging whether it was whole.

The client calls it for users, deleted users, assignments and members. A doubtful listing is read twice.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.model import Progress

PAGE_SIZE: Final = 999
"""Objects a page, the most that users, groups and members allow (Microsoft Graph, "Paging")."""


@dataclasses.dataclass(frozen=True)
class Collection:
    """A collection to read: where, with which query, into which columns; `key` is the column of ids."""

    path: str
    query: Mapping[str, str]
    reading: Reading
    key: str
    columns: Callable[[Sequence[Mapping[str, Any]]], pa.Table]
    label: str
    """How messages call it."""


@dataclasses.dataclass(frozen=True)
class Listing:
    """A collection as read: each id once; `problems` says in words why it may not be whole, nothing when it is."""

    table: pa.Table
    pages: int
    problems: tuple[str, ...]


class Tally:
    """Counts what all listings of a read have fetched, and tells the progress. Safe between threads.

    `clock` gives seconds.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self.pages = 0
        self._people = 0
        self._total: int | None = None

    def expect(self, people: int | None) -> None:
        """Say how many people there are to read, from the first on: a doubtful listing is read once more."""
        with self._lock:
            self._total, self._people, self._started = people, 0, self._clock()

    def page(self, people: int) -> None:
        """Say that a page came, with so many people on it."""
        with self._lock:
            self.pages += 1
            self._tell(people)

    def found(self, people: int) -> None:
        """Say that so many people were looked up."""
        with self._lock:
            self._tell(people)

    def _tell(self, people: int) -> None:
        self._people += people
        # Somebody may have joined since they were counted.
        total = None if self._total is None else max(self._total, self._people)
        self._progress("extract", self._people, total, self._note())

    def _note(self) -> str:
        """Say how many pages came, and once people did, how many a second."""
        pages, seconds = f"{self.pages:,} pages", self._clock() - self._started
        return f"{pages}, {self._people / seconds:,.0f} people/s" if self._people and seconds > 0 else pages


def first_ids(api: GraphApi, path: str, reading: Reading, size: int) -> list[str]:
    """Give the ids on the first page of a collection, at most `size`. Raises what `GraphApi.get` raises."""
    query = {"$select": "id", "$top": str(min(size, PAGE_SIZE))}
    return [str(each["id"]) for each in api.get(path, reading, query, holding="value")["value"]]


def read_whole(api: GraphApi, collection: Collection, tally: Tally, *, people: bool = False) -> Listing:
    """Read `collection`; when it is doubtful, once more.

    `people` makes the tally count its objects. Raises what `GraphApi.get` raises.
    """
    listing = _read_and_judge(api, collection, tally, people)
    if not listing.problems:
        return listing
    del listing
    return _read_and_judge(api, collection, tally, people)


def _read_and_judge(api: GraphApi, collection: Collection, tally: Tally, people: bool) -> Listing:
    before = api.count(collection.path, collection.reading)
    if people:
        tally.expect(before)
    table, pages, looped = _read_once(api, collection, tally, people)
    ids = table[collection.key]
    distinct = pc.count_distinct(ids).as_py()
    problems = []
    if looped:
        problems.append(
            f"{collection.label}: the link to page {pages + 1} kept coming again, so the end was not reached"
        )
    counted = before
    if before is not None and distinct < before:
        # Objects may have left while the pages were read: the smaller count is the one that has to be there.
        after = api.count(collection.path, collection.reading)
        counted = before if after is None else min(before, after)
    if counted is not None and distinct < counted:
        problems.append(f"{collection.label}: {distinct:,} were read where Graph counts {counted:,}")
    elif counted is None and distinct < len(table):
        problems.append(f"{collection.label}: {len(table) - distinct:,} came twice, and Graph gives no count to go by")
    return Listing(_last_of_each(table, collection.key), pages, tuple(problems))


def _read_once(api: GraphApi, collection: Collection, tally: Tally, people: bool) -> tuple[pa.Table, int, bool]:
    """Follow the links to the end, fetching the next page while this one is parsed; true when it never came.

    A link that comes again is followed again, for the page behind it may go on differently; a third time ends it.
    """
    tables = [collection.columns([])]
    followed: Counter[str] = Counter()
    with ThreadPoolExecutor(1, "graph-page") as ahead:
        query = {"$top": str(PAGE_SIZE), **collection.query}
        page = api.get(collection.path, collection.reading, query, holding="value")
        while True:
            link = page.get("@odata.nextLink")
            looped = followed[str(link)] > 1
            coming = None
            if isinstance(link, str) and not looped:
                followed[link] += 1
                coming = ahead.submit(api.get, link, collection.reading, holding="value")
            tables.append(collection.columns(page["value"]))
            tally.page(len(page["value"]) if people else 0)
            if coming is None:
                return pa.concat_tables(tables), len(tables) - 1, looped
            page = coming.result()


def _last_of_each(table: pa.Table, key: str) -> pa.Table:
    """Keep the last row of every id, in the order of reading."""
    if pc.count_distinct(table[key]).as_py() == len(table):
        return table
    rows = pa.table({"id": table[key], "row": pa.array(range(len(table)), pa.int64())})
    last = rows.group_by("id").aggregate([("row", "max")])["row_max"]
    return table.take(last.take(pc.sort_indices(last)))

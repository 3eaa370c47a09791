"""Replicon's list of accounts: read whole or narrowed by a search, page by page to the end. Gives URIs, not accounts.

`reading.py` calls it. Wire: UserListService1.GetData ("Filtering data with the API").
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pyarrow as pa

from tasks.connectors.replicon.catalogue import Caller
from tasks.connectors.replicon.errors import Failure, Fault, error_of
from tasks.model import Progress, silent

PAGE: Final = 5000
"""Rows asked for in one page."""

Row = tuple[str | None, ...]

_OPERATION: Final = "UserListService1.GetData"
_COLUMN: Final = "urn:replicon:user-list-column:"
_FILTER: Final = "urn:replicon:user-list-filter:"
_OPERATOR: Final = "urn:replicon:filter-operator:"
_STALE_PAGES: Final = 3


class AccountList:
    """Reads the list, the pages of a whole one `lanes` at a time. Safe to use from several threads."""

    def __init__(self, client: Caller, lanes: int) -> None:
        self._client = client
        self._lanes = lanes

    def read(
        self, columns: Sequence[str], narrowed: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> pa.Table:
        """Give the list's `user` column (URIs) and `columns` as text, each account once.

        Only an empty page marks the end, since the largest page that Replicon gives is documented nowhere.
        """
        names = ["user", *columns]
        known: set[str] = set()
        cells: list[Row] = []
        stale = 0
        for rows in self._pages(names, narrowed):
            new = [row for row in dict.fromkeys(rows) if row[0] not in known]
            known.update(str(row[0]) for row in new)
            cells += new
            stale = 0 if new else stale + 1
            if stale >= _STALE_PAGES:
                raise _unreadable(f"further accounts or an empty page, found {stale} pages with known accounts only")
            progress("list accounts", len(known), None)
        return pa.table(
            {name: pa.array([row[place] for row in cells], pa.string()) for place, name in enumerate(names)}
        )

    def _pages(self, columns: Sequence[str], narrowed: Mapping[str, Any] | None) -> Iterator[list[Row]]:
        # A small list is over after two pages; a large one is read ever more pages at a time, their number unknown.
        page, lanes = 1, 1
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="replicon-list") as pool:
            while True:
                read = functools.partial(self._page, columns=columns, narrowed=narrowed)
                for rows in pool.map(read, range(page, page + lanes)):
                    if not rows:
                        return
                    yield rows
                page, lanes = page + lanes, min(page, self._lanes)

    def _page(self, page: int, columns: Sequence[str], narrowed: Mapping[str, Any] | None) -> list[Row]:
        body: dict[str, Any] = {
            "page": page,
            "pagesize": PAGE,
            "columnUris": [_COLUMN + name for name in columns],
            "sort": [],
            "filterExpression": narrowed,
        }
        answer = self._client.call("UserListService1", "GetData", body)
        rows = answer.get("rows") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list):
            raise _unreadable("`rows`, found none")
        cells = [row.get("cells") if isinstance(row, dict) else None for row in rows]
        if any(not isinstance(row, list) or len(row) != len(columns) for row in cells):
            raise _unreadable(f"rows of {len(columns)} cells each, found something else")
        return [tuple(_cell(cell) for cell in row) for row in cells if row]


def any_of(filter_name: str, operator: str, values: Sequence[str]) -> Mapping[str, Any]:
    """Give a filter for any of the values, halved again and again so that it nests no deeper than it must."""
    if len(values) == 1:
        return {
            "leftExpression": {"filterDefinitionUri": _FILTER + filter_name},
            "operatorUri": _OPERATOR + operator,
            "rightExpression": {"value": {"text": values[0]}},
        }
    half = len(values) // 2
    return {
        "leftExpression": any_of(filter_name, operator, values[:half]),
        "operatorUri": _OPERATOR + "or",
        "rightExpression": any_of(filter_name, operator, values[half:]),
    }


def _unreadable(expected: str) -> Exception:
    return error_of(Fault(Failure.PROTOCOL, _OPERATION, f"expected {expected}"))


def _cell(cell: Any) -> str | None:
    value = (cell.get("uri") or cell.get("textValue")) if isinstance(cell, dict) else None
    return None if value is None else str(value)

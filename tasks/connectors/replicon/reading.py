"""Accounts out of Replicon: bulk reads matched by content, and searches whose hits are checked again. Writes nothing.

`users.py` calls it. Wire: ImportService1.BulkGetUsers3; lists are read by `account_list.py`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.replicon.account_list import AccountList, any_of
from tasks.connectors.replicon.attributes import Binding
from tasks.connectors.replicon.catalogue import Caller
from tasks.connectors.replicon.errors import Failure, Fault, RepliconError, error_of
from tasks.connectors.replicon.values import Value
from tasks.connectors.replicon.wires import Item
from tasks.model import STRING, STRINGS, TARGET_COLUMNS, Progress, silent

SLICE: Final = 250
"""Accounts asked for in one bulk read. Replicon names no limit; 50 to 500 are usual and stay within its 30 seconds."""
SEARCHED: Final = 40
"""Values looked for in one search; their filters nest, so many more would nest deeply."""
LISTED_FROM: Final = 1000
"""From how many values on the whole list is read instead of searching for each."""
LANES: Final = 6
"""Reading calls under way at once."""

_OMIT: Final = "urn:replicon:data-load-option:omit-data-if-insufficient-access-permission"


@dataclasses.dataclass(frozen=True)
class Lookup:
    """How accounts are found by one attribute.

    `column` holds it in the account list; `filter` and `operator` narrow the list, `identifier` is the member of a
    user target that takes it, null where none does.
    """

    column: str
    filter: str
    operator: str
    identifier: str | None


LOOKUPS: Final[Mapping[str, Lookup]] = {
    "LoginName": Lookup("login-name", "login-name", "text-search", "loginName"),
    "EmployeeId": Lookup("employee-id", "text", "text-search", "employeeId"),
    "EmailAddress": Lookup("email-address", "email-address", "equal", None),
}
"""Employee ids are searched for even when a direct look-up finds one, since several accounts may share it."""


class AccountReader:
    """Reads accounts with the attributes of `bindings`, as of `today`. Safe to use from several threads."""

    def __init__(self, client: Caller, bindings: Sequence[Binding], today: dt.date, *, lanes: int = LANES) -> None:
        self._client = client
        self._bindings = [binding for binding in bindings if binding.target.readable]
        self._today = today
        self._lanes = lanes
        self._list = AccountList(client, lanes)
        self._lock = threading.Lock()
        self._withheld: set[str] = set()
        self._minds_case: bool | None = None

    @property
    def withheld(self) -> frozenset[str]:
        """URIs that were asked for and that the tenant has, but keeps from the signed-in account."""
        with self._lock:
            return frozenset(self._withheld)

    def read(self, uris: pd.Series, progress: Progress = silent) -> pd.DataFrame:
        """Give the accounts with these URIs; those that are gone or withheld are absent."""
        wanted = list(dict.fromkeys(uris.dropna()))
        slices = _slices(wanted, SLICE)
        parts: list[pa.Table] = []
        done = 0
        for asked, part in zip(slices, self._at_once(self._by_uri, slices), strict=True):
            parts.append(part)
            done += len(asked)
            progress("read accounts", done, len(wanted))
        return self._frame(parts)

    def list_uris(self, progress: Progress = silent) -> pd.Series:
        """Give the URI of every account."""
        return _series(self._list.read((), progress=progress).column("user"))

    def find(self, binding: Binding, values: pd.Series) -> pd.DataFrame:
        """Give every account whose attribute equals one of `values`."""
        lookup = LOOKUPS[binding.name]
        wanted = [value for value in dict.fromkeys(values.dropna()) if value]
        if not wanted:
            return self._frame([])
        if len(wanted) >= LISTED_FROM:
            return self._equal(self.read(self._hits(binding, lookup, wanted, None)), binding, wanted)
        direct = self._direct(lookup, wanted)
        left = self._left(direct, binding, wanted) if binding.name == "LoginName" else wanted
        filters = [any_of(lookup.filter, lookup.operator, part) for part in _slices(left, SEARCHED)]
        search = functools.partial(self._hits, binding, lookup, left)
        uris = pd.concat([pd.Series([], dtype=STRING), *self._at_once(search, filters)], ignore_index=True)
        found = pd.concat([direct, self.read(uris[~uris.isin(direct["target_uri"])])], ignore_index=True)
        return self._equal(found, binding, wanted)

    def _at_once(self, work: Any, parts: Sequence[Any]) -> Iterator[Any]:
        if len(parts) <= 1:
            yield from map(work, parts)
            return
        with ThreadPoolExecutor(min(self._lanes, len(parts)), thread_name_prefix="replicon-read") as pool:
            yield from pool.map(work, parts)

    def _direct(self, lookup: Lookup, wanted: Sequence[str]) -> pd.DataFrame:
        """Look accounts up by an identifier other than the URI."""
        if lookup.identifier is None:
            return self._frame([])
        targets = [[_target(lookup.identifier, value) for value in part] for part in _slices(wanted, SLICE)]
        return self._frame([self._table(items) for items in self._at_once(self._items, targets)])

    def _by_uri(self, uris: Sequence[str]) -> pa.Table:
        """Read one slice. Slots are matched by content: a tenant that withholds accounts shifts them."""
        try:
            slots = self._slots([_target("uri", uri) for uri in uris])
        except RepliconError as error:
            # Whether the URI of a deleted account gives an empty slot or fails the call is documented nowhere.
            if error.kind is not Failure.UNKNOWN_URI:
                raise
            return self._halved([uri for uri in uris if uri != error.fault.uri] if len(uris) > 1 else [])
        table = self._table([item for item in slots if isinstance(item, Mapping)])
        table = table.filter(pc.is_in(table.column("target_uri"), pa.array(uris, pa.string())))
        there = set(table.column("target_uri").to_pylist())
        absent = [uri for uri in uris if uri not in there]
        if not absent or len(slots) >= len(uris):
            return table
        # Too few slots: some accounts are withheld rather than gone, which asking in smaller parts tells apart.
        if len(uris) == 1:
            with self._lock:
                self._withheld.update(uris)
            return table
        return pa.concat_tables([table, self._halved(absent)])

    def _halved(self, uris: Sequence[str]) -> pa.Table:
        """Read a slice in two halves; none when nothing is left to ask for."""
        size = (len(uris) + 1) // 2
        return pa.concat_tables([self._table([]), *(self._by_uri(part) for part in _slices(uris, size or 1))])

    def _items(self, targets: Sequence[Mapping[str, Any]]) -> list[Item]:
        return [item for item in self._slots(targets) if isinstance(item, Mapping)]

    def _slots(self, targets: Sequence[Mapping[str, Any]]) -> list[Any]:
        body = {"users": targets, "dataLoadOptionUri": _OMIT}
        answer = self._client.call("ImportService1", "BulkGetUsers3", body)
        if not isinstance(answer, list):
            raise error_of(
                Fault(Failure.PROTOCOL, "ImportService1.BulkGetUsers3", "expected a list of accounts, found none")
            )
        return answer

    def _table(self, items: Sequence[Item]) -> pa.Table:
        """Turn accounts into columns, an account given twice into one row."""
        by_uri = {uri: item for item in items if (uri := _uri_of(item))}
        columns = {
            "target_uri": pa.array(by_uri, pa.string()),
            "target_name": pa.array([_login_of(item) for item in by_uri.values()], pa.string()),
        }
        for binding in self._bindings:
            kind = pa.list_(pa.string()) if binding.target.multivalued else pa.string()
            read = binding.wire.read
            columns[binding.name] = pa.array([read(item, self._today) for item in by_uri.values()], kind)
        return pa.table(columns)

    def _frame(self, parts: Sequence[pa.Table]) -> pd.DataFrame:
        whole = pa.concat_tables([self._table([]), *parts])
        frame: pd.DataFrame = whole.to_pandas(types_mapper=pd.ArrowDtype)
        kinds = {binding.name: STRINGS if binding.target.multivalued else STRING for binding in self._bindings}
        typed = frame.astype({**TARGET_COLUMNS, **kinds})
        return typed.drop_duplicates("target_uri", ignore_index=True)

    def _equal(self, found: pd.DataFrame, binding: Binding, wanted: Sequence[str]) -> pd.DataFrame:
        """Keep the accounts whose attribute truly equals one of the values: searches are fuzzy."""
        column = self._compared(binding, found)
        return found[_among(column, wanted, binding)].drop_duplicates("target_uri", ignore_index=True)

    def _left(self, found: pd.DataFrame, binding: Binding, wanted: Sequence[str]) -> list[str]:
        """Give the login names that a direct look-up may have missed because it minds letter case."""
        if not self._direct_minds_case():
            return []
        asked = pd.Series(wanted, dtype=STRING)
        return asked[~_among(asked, found["target_name"].dropna().tolist(), binding)].tolist()

    def _direct_minds_case(self) -> bool:
        """Find out once, by looking the signed-in account up in another letter case: it is documented nowhere."""
        with self._lock:
            if self._minds_case is None:
                me = self._client.call("UserAccessControlService1", "GetMyActualUserIdentity", {})
                login = str(me.get("loginName") or "") if isinstance(me, Mapping) else ""
                other = login.swapcase()
                self._minds_case = other == login or not self._items([_target("loginName", other)])
            return self._minds_case

    def _compared(self, binding: Binding, found: pd.DataFrame) -> pd.Series:
        return found["target_name"] if binding.name == "LoginName" else found[binding.name]

    def _hits(
        self, binding: Binding, lookup: Lookup, wanted: Sequence[str], narrowed: Mapping[str, Any] | None
    ) -> pd.Series:
        """Give the URIs of listed accounts whose column equals one of the values."""
        rows = self._list.read([lookup.column], narrowed).to_pandas(types_mapper=pd.ArrowDtype)
        return rows.loc[_among(rows[lookup.column], wanted, binding), "user"].reset_index(drop=True)


def _target(identifier: str, value: str) -> dict[str, Any]:
    """Give a user target: exactly one identifier is not null."""
    target: dict[str, Any] = dict.fromkeys(("uri", "loginName", "employeeId", "parameterCorrelationId"))
    return target | {identifier: value}


def _uri_of(item: Item) -> str | None:
    for place in ("userDetails", "user"):
        found = item.get(place)
        if isinstance(found, Mapping) and found.get("uri"):
            return str(found["uri"])
    return None


def _login_of(item: Item) -> str | None:
    security = item.get("securityConfiguration")
    return security.get("loginName") if isinstance(security, Mapping) else None


def _series(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pd.array(column, dtype=STRING))


def _among(column: pd.Series, values: Iterable[str], binding: Binding) -> pd.Series:
    """Mark the texts that equal one of `values` under the attribute's rule for letter case."""
    if binding.target.case_exact:
        return column.isin(list(values)).fillna(False)
    return column.str.lower().isin([value.lower() for value in values]).fillna(False)


def _slices(values: Sequence[Value], size: int) -> list[Sequence[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]

"""What a Replicon tenant offers for accounts to refer to: groups, permission sets, time zones, custom fields.

Each list is read once and kept, so one `Catalogue` serves one cycle. Knows nothing of accounts. `wires.py` asks it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, Protocol

from tasks.connectors.replicon.values import RefusedValueError, time_zone_name, time_zone_slug

_FIELD_TYPE: Final = "urn:replicon:custom-field-type:"


class Caller(Protocol):
    """What can call a reading operation of Replicon: the client."""

    def call(self, service: str, operation: str, body: Mapping[str, Any]) -> Any:
        """Give the operation's result."""


class Listing(Enum):
    """A list that a tenant gives whole: what its entries are called, and the operation that reads it."""

    DEPARTMENT = ("department", "DepartmentGroupService1", "GetAllDepartmentGroups")
    EMPLOYEE_TYPE = ("employee type", "EmployeeTypeGroupService1", "GetAllEmployeeTypeGroups")
    LOCATION = ("location", "LocationService1", "GetAllLocations")
    DIVISION = ("division", "DivisionService1", "GetAllDivisions")
    COST_CENTER = ("cost center", "CostCenterService1", "GetAllCostCenters")
    SERVICE_CENTER = ("service center", "ServiceCenterService1", "GetAllServiceCenters")
    PERMISSION_SET = ("permission set", "PermissionSetService1", "GetAllPermissionSets")
    TIME_ZONE = ("time zone", "InternationalizationService1", "GetAllTimeZones")
    CUSTOM_FIELD = ("custom field", "CustomFieldService1", "GetAllCustomFields")

    def __init__(self, noun: str, service: str, operation: str) -> None:
        self.noun = noun
        self.service = service
        self.operation = operation

    @property
    def body(self) -> Mapping[str, Any]:
        """The request: nothing, but for the kind of object that custom fields belong to."""
        return {"objectUri": "urn:replicon:object-type:user"} if self is Listing.CUSTOM_FIELD else {}


class FieldType(Enum):
    """What a custom field holds, by the last part of its type's URI."""

    TEXT = "text"
    NUMERIC = "numeric"
    DATE = "date"
    DROP_DOWN = "drop-down"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing that accounts can refer to. `type` is set for custom fields only."""

    uri: str
    name: str
    slug: str = ""
    type: FieldType = FieldType.TEXT


@dataclasses.dataclass(frozen=True)
class Index:
    """The entries of one listing, found by URI first, then by name or slug without regard to letter case."""

    noun: str
    by_uri: Mapping[str, Entry]
    by_name: Mapping[str, tuple[Entry, ...]]

    def find(self, text: str) -> Entry:
        """Give the one entry that `text` means. Raises `RefusedValueError` when there is none or several."""
        wanted = text.strip()
        found = (self.by_uri[wanted],) if wanted in self.by_uri else self.by_name.get(wanted.lower(), ())
        exact = tuple(entry for entry in found if entry.name == wanted)
        if len(exact) == 1:
            return exact[0]
        if not found:
            raise RefusedValueError(
                f"the tenant has no {self.noun} {text!r}; create it in Replicon, or correct the mapping"
            )
        if len(found) > 1:
            raise RefusedValueError(
                f"the tenant has {len(found)} entries of kind {self.noun} called {text!r}; "
                "write the URI of the one you mean"
            )
        return found[0]


class Catalogue:
    """The lists of one tenant, each read at its first use. Safe to use from several threads.

    Every method may raise what the client's `call` raises.
    """

    def __init__(self, client: Caller) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._read: dict[Listing, Index] = {}

    def index(self, listing: Listing) -> Index:
        """Give one list. Callers that come while it is being read wait for that one read."""
        with self._lock:
            if listing not in self._read:
                answer = self._client.call(listing.service, listing.operation, listing.body)
                self._read[listing] = _indexed(listing, answer if isinstance(answer, list) else [])
            return self._read[listing]

    def find(self, listing: Listing, text: str) -> Entry:
        """Give the one entry that `text` (a name, slug or URI) means; `RefusedValueError` if there is not just one."""
        return self.index(listing).find(text)


def _indexed(listing: Listing, items: Iterable[Any]) -> Index:
    entries = [_entry(listing, item) for item in items if isinstance(item, Mapping) and item.get("uri")]
    by_name: dict[str, tuple[Entry, ...]] = {}
    for entry in entries:
        for key in {entry.name.lower(), entry.slug.lower()} - {""}:
            by_name[key] = (*by_name.get(key, ()), entry)
    return Index(listing.noun, {entry.uri: entry for entry in entries}, by_name)


def _entry(listing: Listing, item: Mapping[str, Any]) -> Entry:
    uri = str(item["uri"])
    name = str(item.get("name") or item.get("displayText") or "")
    if listing is Listing.TIME_ZONE:
        return Entry(uri, str(item.get("IANAName") or time_zone_name(uri) or name), time_zone_slug(uri))
    return Entry(uri, name, str(item.get("slug") or ""), _field_type(item))


def _field_type(item: Mapping[str, Any]) -> FieldType:
    """Find the type of a custom field: no document names the member, but its values are known URIs."""
    candidates = [
        inner for value in item.values() for inner in (value.values() if isinstance(value, dict) else [value])
    ]
    types = {_FIELD_TYPE + kind.value: kind for kind in FieldType}
    return next((types[text] for text in candidates if isinstance(text, str) and text in types), FieldType.TEXT)

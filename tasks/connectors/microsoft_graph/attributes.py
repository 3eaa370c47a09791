"""Mapping attribute names and Microsoft Graph's property names: which to select, and how to read them from answers.

The Graph connector calls it for every page. It sends nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
import pyarrow as pa

from tasks.connectors.directory import COMPUTED, without_guest_marks
from tasks.model import Presence

GRAPH_NAMES: Final[Mapping[str, str]] = {
    "objectId": "id",
    "originalUserPrincipalName": "userPrincipalName",
    "mobile": "mobilePhone",
    "telephoneNumber": "businessPhones",
    "facsimileTelephoneNumber": "faxNumber",
    "physicalDeliveryOfficeName": "officeLocation",
    "dirSyncEnabled": "onPremisesSyncEnabled",
    "immutableId": "onPremisesImmutableId",
    "deletedTimestamp": "deletedDateTime",
}
"""Attributes whose mapping name differs from the property name (Microsoft Graph, "Property differences between
Azure AD Graph and Microsoft Graph"); every other attribute is called alike."""

EXTENSION_ATTRIBUTES: Final = frozenset(f"extensionAttribute{number}" for number in range(1, 16))
"""Attributes that Graph keeps within `onPremisesExtensionAttributes`."""

COLLECTIONS: Final = frozenset({"businessPhones", "proxyAddresses", "otherMails", "imAddresses"})
"""Attributes that are multi-valued under this very name; `telephoneNumber` is the first of `businessPhones`."""

MANAGER: Final = "manager"


@dataclasses.dataclass(frozen=True)
class Selection:
    """The attributes to read of every person, sorted by name."""

    attributes: tuple[str, ...]

    @classmethod
    def of(cls, attributes: Iterable[str]) -> Selection:
        """Select the `attributes` that a directory holds."""
        return cls(tuple(sorted(set(attributes) - COMPUTED)))

    @property
    def query(self) -> dict[str, str]:
        """The $select, and the $expand where the manager is wanted, of a read of users."""
        query = {"$select": self.select}
        if MANAGER in self.attributes:
            query["$expand"] = "manager($levels=1;$select=id)"
        return query

    @property
    def select(self) -> str:
        """The value of $select: each property once, `id` first."""
        properties = {_path(name)[0] for name in self.attributes if name != MANAGER}
        return ",".join(["id", *sorted(properties - {"id"})])

    @property
    def tracked(self) -> str:
        """The value of $select of a round of change tracking, which takes the manager as a property."""
        return f"{self.select},{MANAGER}" if MANAGER in self.attributes else self.select

    def table(self, people: Sequence[Mapping[str, Any]], presence: Presence) -> pa.Table:
        """Give the people of one page as columns: `source_id`, `presence`, then the attributes by mapping name."""
        columns = {
            "source_id": pa.array([person["id"] for person in people], pa.string()),
            "presence": pa.repeat(pa.scalar(str(presence)), len(people)),
        }
        return pa.table(columns | {name: _column(people, name) for name in self.attributes})

    @property
    def schema(self) -> pa.Schema:
        """The columns that `table` gives."""
        return self.table([], Presence.PRESENT).schema


def _path(name: str) -> tuple[str, ...]:
    if name in EXTENSION_ATTRIBUTES:
        return ("onPremisesExtensionAttributes", name)
    if name == MANAGER:
        return (MANAGER, "id")
    return (GRAPH_NAMES.get(name, name),)


def _column(people: Sequence[Mapping[str, Any]], name: str) -> pa.Array:
    first, *rest = _path(name)
    values = [person.get(first) for person in people]
    for step in rest:
        values = [None if value is None else value.get(step) for value in values]
    if name in COLLECTIONS:
        return pa.array([value or None for value in values], pa.list_(pa.string()))
    if name == "telephoneNumber":
        values = [value[0] if value else None for value in values]
    try:
        column = pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        column = pa.array([_text(value) for value in values], pa.string())
    return without_guest_marks(column) if name == "userPrincipalName" else column


def _text(value: Any) -> str | None:
    """Write a JSON value as mappings see it: "True" and "False", numbers plainly, anything deeper as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return orjson.dumps(value).decode()

"""What a Replicon tenant offers its users: groups, permission sets, fields, products, time zones, defaults.

Users themselves are in `replicon_state`; what a new sandbox's catalog holds is decided in `replicon_seed`.
"""

from __future__ import annotations

import dataclasses
import functools
import uuid
import zoneinfo
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from deployments.sandbox.replicon_wire import TENANT_URI, text, unknown_uri

SUPERVISION_POLICY: Final = "supervision"
"""Policy a user must have a permission set for to be anybody's supervisor."""
ADMINISTRATION_POLICY: Final = "administration"
"""Policy a caller must have a permission set for to read and write users."""
_NAMESPACE: Final = uuid.UUID("5e1f6d0a-7f7b-4f0e-9d0c-2b1a3c4d5e6f")


def reference(uri: str, name: str) -> dict[str, Any]:
    """Give the reference to a named object as responses show it."""
    return {"uri": uri, "displayText": name, "name": name, "slug": slug(name)}


def slug(name: str) -> str:
    """Give a name as it stands in addresses: lower case, dashed."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


class GroupKind(Enum):
    """A way of grouping users; a user is in at most one group of each kind at a time."""

    DEPARTMENT = ("departmentGroup", "department-group")
    EMPLOYEE_TYPE = ("employeeTypeGroup", "employee-type-group")
    LOCATION = ("location", "location")
    DIVISION = ("division", "division")
    COST_CENTER = ("costCenter", "cost-center")
    SERVICE_CENTER = ("serviceCenter", "service-center")

    def __init__(self, member: str, uri_type: str) -> None:
        self.member = member
        """Name of the group within a schedule's entry; the schedule is called `<member>Schedule`."""
        self.uri_type = uri_type
        """Type in the URI; list columns and filters carry the same name."""
        self.position = len(type(self).__members__)
        """Where the kind's schedule stands in `Account.groups`."""

    @property
    def service(self) -> str:
        """Name of the kind's service."""
        return f"{self.member[0].upper()}{self.member[1:]}Service1"


@dataclasses.dataclass(frozen=True)
class Group:
    """One department, location, and so on."""

    number: int
    kind: GroupKind
    uri: str
    name: str
    parent: int | None = None
    enabled: bool = True

    @functools.cached_property
    def reference(self) -> dict[str, Any]:
        """The group as responses show it; shared, not to be changed."""
        return reference(self.uri, self.name)


@dataclasses.dataclass(frozen=True)
class PermissionSet:
    """What one may do under one policy; users hold at most one set of each policy."""

    number: int
    name: str
    policy: str
    own_uri: str | None = None
    """The set's URI where it is not made from the number."""

    @functools.cached_property
    def uri(self) -> str:
        """The set's URI."""
        return self.own_uri or f"{TENANT_URI}:permission-set:{self.number}"

    @functools.cached_property
    def policy_uri(self) -> str:
        """The policy's URI."""
        return f"urn:replicon:policy:{self.policy}"

    @functools.cached_property
    def reference(self) -> dict[str, Any]:
        """The set as responses show it; shared, not to be changed."""
        return reference(self.uri, self.name)


@dataclasses.dataclass(frozen=True)
class Field:
    """A field that the tenant has added to users: `text`, `numeric`, `date` or `drop-down` with its options."""

    uri: str
    name: str
    type: str
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Option names by URI."""

    @functools.cached_property
    def reference(self) -> dict[str, Any]:
        """The field as responses show it; shared, not to be changed."""
        return {"uri": self.uri, "name": self.name, "displayText": self.name, "groupUri": None}


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What a new user gets where the caller says nothing ("New User Defaults", or a user template)."""

    time_zone: str = "America/New_York"
    week_start: str = "monday"
    permission_sets: tuple[int, ...] = ()
    products: tuple[str, ...] = ()


DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
PRODUCTS: Final = tuple(
    f"urn:replicon-saas:product:{name}"
    for name in (
        "time-bill-plus",
        "time-off-plus",
        "time-attend-plus",
        "wfm-enterprise",
        "time-off-enterprise",
        "time-intelligence",
        "psm-enterprise",
        "psm-enterprise-2",
    )
)


def day_uri(day: str) -> str:
    """Give the URI of a day of the week."""
    return f"urn:replicon:day-of-week:{day}"


@functools.cache
def _zones() -> Mapping[str, str]:
    """IANA names by the last part of the time zone's URI."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
    return {name.lower().replace("/", "-").replace("_", "-"): name for name in names}


@functools.cache
def zone_reference(name: str) -> dict[str, Any]:
    """Give the time zone with this IANA name as responses show it; shared, not to be changed."""
    part = name.lower().replace("/", "-").replace("_", "-")
    return {"uri": f"urn:replicon:time-zone:{part}", "displayText": name, "IANAName": name}


def all_zones() -> Iterable[str]:
    """Give the IANA names of all time zones."""
    return _zones().values()


def find_zone(value: Mapping[str, Any]) -> str:
    """Read a time zone given by `uri` or `IANAName`. Raises `ValueError` when there is none such."""
    uri, name = text(value.get("uri")), text(value.get("IANAName"))
    part = uri.removeprefix("urn:replicon:time-zone:") if uri else (name or "")
    found = _zones().get(part.lower().replace("/", "-").replace("_", "-"))
    if found is None:
        raise ValueError(f"expected a time zone's uri or IANAName, found {value!r}")
    return found


class Catalog:
    """Everything of the tenant that users can be given, by number, URI and name (letter case aside)."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.permission_sets: list[PermissionSet] = []
        self.custom_fields: dict[str, Field] = {}
        self.extension_fields: dict[str, Field] = {}
        self.defaults = Defaults()
        self.templates: dict[str, Defaults] = {}
        """User templates by name in lower case."""
        self.legacy_departments: dict[str, str] = {f"{TENANT_URI}:department:1": "Company"}
        """Old departments' names by URI; the first is the company's root."""
        self.legacy_employee_types: dict[str, str] = {}
        self._groups_by_uri: dict[str, Group] = {}
        self._groups_by_name: dict[tuple[GroupKind, str], list[Group]] = {}
        self._sets: dict[str, PermissionSet] = {}

    def add_group(self, kind: GroupKind, name: str, parent: Group | None = None, *, enabled: bool = True) -> Group:
        """Make a group; one of the same name below the same parent is given back instead."""
        above = parent.number if parent else None
        for group in self._groups_by_name.get((kind, name.lower()), ()):
            if group.parent == above:
                return group
        guid = uuid.uuid5(_NAMESPACE, f"{kind.uri_type}/{above}/{name.lower()}")
        return self._keep(Group(len(self.groups), kind, f"{TENANT_URI}:{kind.uri_type}:{guid}", name, above, enabled))

    def copy_group(self, kind: GroupKind, uri: str, name: str) -> Group:
        """Take over a group of another tenant with its URI, below no other."""
        return self._keep(Group(len(self.groups), kind, uri, name))

    def _keep(self, group: Group) -> Group:
        self.groups.append(group)
        self._groups_by_uri[group.uri] = group
        self._groups_by_name.setdefault((group.kind, group.name.lower()), []).append(group)
        return group

    def groups_of(self, kind: GroupKind) -> list[Group]:
        """Give all groups of a kind, in the order they were made."""
        return [group for group in self.groups if group.kind is kind]

    def find_group(self, kind: GroupKind, item: Mapping[str, Any]) -> Group | None:
        """Find a group by `uri`, or by `name` and, if given, its parent; null when there is none."""
        uri, name = text(item.get("uri")), text(item.get("name"))
        if uri:
            group = self._groups_by_uri.get(uri)
            return group if group and group.kind is kind else None
        parent_uri, parent_name = text(item.get("parentUri")), None
        if isinstance(item.get("parent"), Mapping):
            parent_uri = text(item["parent"].get("uri")) or parent_uri
            parent_name = text(item["parent"].get("name"))
        for group in self._groups_by_name.get((kind, (name or "").lower()), ()):
            above = self.groups[group.parent] if group.parent is not None else None
            if parent_uri and (above is None or above.uri != parent_uri):
                continue
            if parent_name and (above is None or above.name.lower() != parent_name.lower()):
                continue
            return group
        return None

    def get_group(self, kind: GroupKind, uri: Any) -> Group:
        """Give the group with this URI. Raises `RepliconFault` (UriError1) when there is none."""
        group = self._groups_by_uri.get(uri) if isinstance(uri, str) else None
        if group is None or group.kind is not kind:
            raise unknown_uri(uri)
        return group

    def within(self, group: Group, top: Group) -> bool:
        """Tell whether `group` is `top` or below it."""
        while group.number != top.number:
            if group.parent is None:
                return False
            group = self.groups[group.parent]
        return True

    def path(self, group: Group) -> list[Group]:
        """Give the group's ancestors from the top down, itself last."""
        path = [group]
        while path[0].parent is not None:
            path.insert(0, self.groups[path[0].parent])
        return path

    def add_permission_set(self, name: str, policy: str, uri: str | None = None) -> PermissionSet:
        """Make a permission set, with a URI of its own if given; one of the same name is given back instead."""
        known = self._sets.get(name.lower())
        if known is not None:
            return known
        made = PermissionSet(len(self.permission_sets), name, policy, uri)
        self.permission_sets.append(made)
        self._sets[name.lower()] = self._sets[made.uri] = made
        return made

    def find_permission_set(self, item: Mapping[str, Any]) -> PermissionSet | None:
        """Find a permission set by `uri` or `name`; null when there is none."""
        uri, name = text(item.get("uri")), text(item.get("name"))
        return self._sets.get(uri) if uri else self._sets.get((name or "").lower())

    def get_permission_set(self, uri: Any) -> PermissionSet:
        """Give the permission set with this URI. Raises `RepliconFault` (UriError1) when there is none."""
        found = self._sets.get(uri) if isinstance(uri, str) and uri.startswith("urn:") else None
        if found is None:
            raise unknown_uri(uri)
        return found

    def holding(self, held: Iterable[int], added: Iterable[PermissionSet]) -> tuple[int, ...]:
        """Give the permission sets after `added` joined `held`: each takes the place of the set of its policy."""
        by_policy = {self.permission_sets[number].policy: number for number in held}
        by_policy.update({each.policy: each.number for each in added})
        return tuple(sorted(by_policy.values()))

    def holds(self, held: Iterable[int], policy: str) -> bool:
        """Tell whether one of the permission sets `held` is of `policy`."""
        return any(self.permission_sets[number].policy == policy for number in held)

    def add_field(self, name: str, type_: str, options: Iterable[str] = (), *, extension: bool = False) -> Field:
        """Make a custom field of users, or an extension field."""
        owner = self.extension_fields if extension else self.custom_fields
        kind, option = (
            ("object-extension-field-definition", "object-extension-tag")
            if extension
            else (
                "user-defined-field",
                "custom-field-option",
            )
        )
        made = Field(
            f"{TENANT_URI}:{kind}:{uuid.uuid5(_NAMESPACE, name)}",
            name,
            type_,
            {f"{TENANT_URI}:{option}:{uuid.uuid5(_NAMESPACE, f'{name}/{each}')}": each for each in options},
        )
        owner[made.uri] = made
        return made

    def find_field(self, item: Mapping[str, Any], *, extension: bool = False) -> Field | None:
        """Find a custom or extension field by `uri` or `name`; null when there is none."""
        owner = self.extension_fields if extension else self.custom_fields
        uri, name = text(item.get("uri")), text(item.get("name"))
        if uri:
            return owner.get(uri)
        return next((field for field in owner.values() if field.name.lower() == (name or "").lower()), None)

"""Groups, their members, app roles and who is assigned them. Knows ids and rows, not wire formats.

Used by `tenant` (editing) and by the Graph service (reading).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np

from deployments.sandbox.tenant_columns import Rows

DEFAULT_ACCESS: Final = "00000000-0000-0000-0000-000000000000"
"""The role id of an assignment made without a role."""


class PrincipalType(StrEnum):
    """What an app role can be assigned to."""

    USER = "User"
    """A person."""
    GROUP = "Group"
    """A group; its direct members have the role."""
    SERVICE_PRINCIPAL = "ServicePrincipal"
    """Another application."""


@dataclasses.dataclass(frozen=True)
class AppRole:
    """One role that the enterprise application offers."""

    id: str
    display_name: str
    value: str | None
    description: str
    enabled: bool = True
    member_types: tuple[str, ...] = ("User",)


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """One app role held by one principal; `number` counts them in the order of their making."""

    number: int
    id: str
    principal_id: str
    principal_type: PrincipalType
    role_id: str
    created: str


class GroupChange(NamedTuple):
    """One entry of the groups' log: property names written, or a member (a person's row or a group id) in or out."""

    group_id: str
    names: frozenset[str] = frozenset()
    member: int | str | None = None
    created: bool = False


class Group:
    """One group: its properties, its people by row, and the groups within it."""

    def __init__(self, number: int, identifier: str, properties: dict[str, Any], rows: Rows) -> None:
        """Start with these members; `number` counts the groups in the order of their making."""
        self.number = number
        self.id = identifier
        self.properties = properties
        self.nested: dict[str, None] = {}
        self._rows = np.unique(rows)
        self._added: set[int] = set()
        self._removed: set[int] = set()

    def rows(self) -> Rows:
        """Give the rows of the people in it, in ascending order, deleted people included."""
        if self._added or self._removed:
            kept = np.setdiff1d(self._rows, np.fromiter(self._removed, np.int64), assume_unique=True)
            self._rows = np.union1d(kept, np.fromiter(self._added, np.int64))
            self._added, self._removed = set(), set()
        return self._rows

    def has(self, row: int) -> bool:
        """Tell whether a person is a direct member."""
        if row in self._added or row in self._removed:
            return row in self._added
        place = int(np.searchsorted(self._rows, row))
        return place < len(self._rows) and int(self._rows[place]) == row

    def put(self, row: int, inside: bool) -> bool:
        """Take a person in, or out; tells whether that changed anything."""
        if self.has(row) == inside:
            return False
        (self._added if inside else self._removed).add(row)
        (self._removed if inside else self._added).discard(row)
        return True


class Access:
    """The groups of the directory, and the assignments of the enterprise application's roles."""

    def __init__(self, seed: int, roles: tuple[AppRole, ...]) -> None:
        """Start with no group and no assignment."""
        self._seed = seed
        self.roles = roles
        self.groups: dict[str, Group] = {}
        self.log: list[GroupChange] = []
        self.assignments: dict[str, Assignment] = {}
        self._held: dict[str, dict[str, str]] = {}
        self._numbers = 0
        self._groups_made = 0

    def add_group(self, identifier: str, properties: dict[str, Any], rows: Rows) -> Group:
        """Add a group with these people."""
        group = Group(self._groups_made, identifier, properties, rows)
        self._groups_made += 1
        self.groups[identifier] = group
        self.log.append(GroupChange(identifier, frozenset({*properties, "members"}), created=True))
        return group

    def groups_of(self, member: int | str) -> list[Group]:
        """Give the groups that directly hold a person (by row) or a group (by id)."""
        if isinstance(member, str):
            return [group for group in self.groups.values() if member in group.nested]
        return [group for group in self.groups.values() if group.has(member)]

    def within(self, group: Group) -> tuple[list[Group], Rows]:
        """Give all groups nested in `group` at any depth, circles included once, and the people of all of them."""
        found: dict[str, Group] = {}
        waiting = list(group.nested)
        while waiting:
            inner = self.groups.get(waiting.pop())
            if inner is not None and inner.id not in found and inner.id != group.id:
                found[inner.id] = inner
                waiting += inner.nested
        return list(found.values()), np.unique(
            np.concatenate([group.rows(), *(inner.rows() for inner in found.values())])
        )

    def assign(self, principal_id: str, principal_type: PrincipalType, role_id: str, created: str) -> Assignment:
        """Give a role to a principal; a role that is held already is left as it is."""
        held = self._held.setdefault(principal_id, {})
        if role_id in held:
            return self.assignments[held[role_id]]
        self._numbers += 1
        digest = hashlib.sha256(f"{self._seed}:{self._numbers}".encode()).digest()
        identifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assignment = Assignment(self._numbers, identifier, principal_id, principal_type, role_id, created)
        self.assignments[identifier] = assignment
        held[role_id] = identifier
        return assignment

    def unassign(self, principal_id: str, role_id: str | None) -> int:
        """Take one role, or all of them, from a principal; gives how many were taken."""
        held = self._held.get(principal_id, {})
        taken = [role for role in held if role_id is None or role == role_id]
        for role in taken:
            del self.assignments[held.pop(role)]
        return len(taken)

    def assignments_of(self, principal_id: str) -> Iterator[Assignment]:
        """Go through the assignments that a principal holds itself."""
        return (self.assignments[identifier] for identifier in self._held.get(principal_id, {}).values())

"""The directory as a person edits it: people, groups, app roles and assignments by object id, and `generate`.

No wire formats: the Graph service serves what stands here, tests and `months` edit it, nobody else holds state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from deployments.sandbox.company import (
    DOMAIN,
    EXTENSIONS,
    INITIAL_DOMAIN,
    TODAY,
    Company,
    draw_company,
    midnight,
    nickname,
    proxy_addresses,
)
from deployments.sandbox.tenant_access import (
    DEFAULT_ACCESS,
    Access,
    AppRole,
    Assignment,
    Group,
    GroupChange,
    PrincipalType,
)
from deployments.sandbox.tenant_ids import named_id
from deployments.sandbox.tenant_people import LISTS, People, Standing, UnknownObjectError, with_extensions

APPLICATION_ID: Final = "5a0c7a37-6d1e-4c6b-9d56-3f6d3c6e2b11"
"""appId of the Replicon enterprise application in every sandbox."""

_PAGE: Final = 1000


class Tenant:
    """The state of one directory. Every editing method takes effect, and shows in change tracking, at once.

    `version` grows with every edit. `today` is the day of the directory's own calendar, which `month_passes` moves.
    """

    def __init__(self, company: Company) -> None:
        """Make the directory of a drawn company."""
        seed = company.seed
        self.seed = seed
        self.tenant_id = named_id(seed, "tenant")
        self.service_principal_id = named_id(seed, "service principal")
        self.application_id = APPLICATION_ID
        self.robot_id = named_id(seed, "robot")
        """A service principal that is assigned a role, as happens in real directories."""
        self.display_name = "Replicon"
        self.domain = DOMAIN
        self.initial_domain = INITIAL_DOMAIN
        self.today: dt.date = TODAY
        self.version = 0
        self.people = People(company)
        self.access = Access(seed, _roles(seed))
        self._populate(company)

    @property
    def roles(self) -> tuple[AppRole, ...]:
        """The app roles of the enterprise application, in the order in which it declares them."""
        return self.access.roles

    def role(self, display_name: str) -> AppRole:
        """Give the app role of this display name; raises `UnknownObjectError` when there is none."""
        for role in self.roles:
            if role.display_name == display_name:
                return role
        raise UnknownObjectError(
            f"No app role is called {display_name!r}; there are {[r.display_name for r in self.roles]}."
        )

    def user(self, user_id: str) -> dict[str, Any]:
        """Give every property of one person, present or in the recycle bin; `manager` is an object id."""
        return self.people.record(self._row(user_id, Standing.PRESENT, Standing.SOFT_DELETED))

    def users(self) -> Iterator[dict[str, Any]]:
        """Go through the people present, every property of each, `manager` as an object id."""
        names = sorted(self.people.properties)
        rows = self.people.after(-1, _PAGE)
        while len(rows):
            yield from self.people.records(rows, names)
            rows = self.people.after(int(rows[-1]), _PAGE)

    def standing(self, user_id: str) -> Standing:
        """Tell whether a person is present, in the recycle bin or purged."""
        return Standing(int(self.people.standing[self._row(user_id, *Standing)]))

    def assignments(self) -> list[Assignment]:
        """Give the assignments whose principal is present, in the order of their making."""
        return [held for held in self.access.assignments.values() if self.is_present(held)]

    def is_present(self, assignment: Assignment) -> bool:
        """Tell whether the principal of an assignment is there: neither deleted nor purged."""
        if assignment.principal_type is PrincipalType.USER:
            row = self.people.row(assignment.principal_id)
            return row is not None and self.people.standing[row] == Standing.PRESENT
        return assignment.principal_type is not PrincipalType.GROUP or assignment.principal_id in self.access.groups

    def groups(self) -> list[Group]:
        """Give the groups in the order of their making."""
        return list(self.access.groups.values())

    def group(self, name: str) -> Group:
        """Give the group of this id or display name; raises `UnknownObjectError` when there is none."""
        for group in self.access.groups.values():
            if name in {group.id, group.properties["displayName"]}:
                return group
        raise UnknownObjectError(f"No group has the id or the name {name!r}.")

    def members(self, group_id: str) -> list[str]:
        """Give the ids of the people present and of the groups that are direct members."""
        group = self.group(group_id)
        rows = group.rows()
        return [*group.nested, *self.people.ids(rows[self.people.standing[rows] == Standing.PRESENT])]

    def add_user(self, **attributes: Any) -> str:
        """Add a person and give their object id; what is not given is derived or left empty.

        Raises `ValueError` for a property that users do not have.
        """
        self._check(attributes)
        given = with_extensions(None, attributes)
        manager = self._manager_row(given.pop("manager", None))
        full_name = " ".join(str(part) for part in (given.get("givenName"), given.get("surname")) if part)
        given.setdefault("displayName", full_name or "Newcomer")
        given.setdefault("userPrincipalName", f"person{self.people.count}@{self.domain}")
        given.setdefault("mail", given["userPrincipalName"])
        derived = {
            "accountEnabled": True,
            "userType": "Member",
            "mailNickname": nickname(given["userPrincipalName"]),
            "proxyAddresses": proxy_addresses(given["mail"]),
            "createdDateTime": midnight(self.today),
            "onPremisesExtensionAttributes": with_extensions(None, {"extensionAttribute1": None})[
                "onPremisesExtensionAttributes"
            ],
            **{name: [] for name in LISTS if name != "proxyAddresses"},
        }
        self.version += 1
        return self.people.id(self.people.add({**derived, **given}, manager))

    def update_user(self, user_id: str, **attributes: Any) -> None:
        """Write properties of a person who is present; `manager` takes an object id or None.

        `extensionAttribute1..15` may be given by themselves. Raises `ValueError` for unknown properties.
        """
        self._check(attributes)
        row = self._row(user_id, Standing.PRESENT)
        held = self.people.records(np.array([row]), ["onPremisesExtensionAttributes"])[0]
        given = with_extensions(held["onPremisesExtensionAttributes"], attributes)
        self.version += 1
        if "manager" in given:
            self.people.set_manager(row, self._manager_row(given.pop("manager")))
        if given:
            self.people.write(row, given)

    def soft_delete(self, user_id: str) -> None:
        """Move a person to the recycle bin; memberships and assignments are hidden until they are restored."""
        self._stand(user_id, Standing.PRESENT, Standing.SOFT_DELETED)

    def restore(self, user_id: str) -> None:
        """Take a person back from the recycle bin."""
        self._stand(user_id, Standing.SOFT_DELETED, Standing.PRESENT)

    def hard_delete(self, user_id: str) -> None:
        """Purge a person, from the recycle bin or at once; nothing of them can be read any more."""
        if self.standing(user_id) is Standing.PRESENT:
            self.soft_delete(user_id)
        row = self._stand(user_id, Standing.SOFT_DELETED, Standing.HARD_DELETED)
        self.access.unassign(user_id, None)
        for group in self.access.groups_of(row):
            group.put(row, inside=False)

    def add_group(self, name: str, members: Iterable[str] = (), **properties: Any) -> str:
        """Add a security group with these people and groups in it, and give its object id."""
        known = list(members)
        rows = [found for found in map(self._member, known) if isinstance(found, int)]
        group = self._add_group(name, np.array(rows, dtype=np.int64), properties)
        group.nested.update(dict.fromkeys(member for member in known if member in self.access.groups))
        return group.id

    def remove_group(self, group_id: str) -> None:
        """Delete a group for good, with its assignments; groups that hold it lose it."""
        group = self.group(group_id)
        for holder in self.access.groups_of(group.id):
            self.remove_member(holder.id, group.id)
        self.version += 1
        del self.access.groups[group.id]
        self.access.unassign(group.id, None)
        self.access.log.append(GroupChange(group.id))

    def update_group(self, group_id: str, **properties: Any) -> None:
        """Write properties of a group."""
        group = self.group(group_id)
        group.properties.update(properties)
        self.version += 1
        self.access.log.append(GroupChange(group.id, frozenset(properties)))

    def add_member(self, group_id: str, member_id: str) -> None:
        """Put a person or a group into a group."""
        self._put(group_id, member_id, inside=True)

    def remove_member(self, group_id: str, member_id: str) -> None:
        """Take a person or a group out of a group."""
        self._put(group_id, member_id, inside=False)

    def assign(self, principal_id: str, role_id: str = DEFAULT_ACCESS) -> str:
        """Assign an app role to a person or a group and give the assignment's id."""
        kind = PrincipalType.USER if isinstance(self._member(principal_id), int) else PrincipalType.GROUP
        if role_id != DEFAULT_ACCESS and role_id not in {role.id for role in self.roles}:
            raise UnknownObjectError(f"The enterprise application declares no app role {role_id}.")
        self.version += 1
        return self.access.assign(principal_id, kind, role_id, midnight(self.today)).id

    def unassign(self, principal_id: str, role_id: str | None = None) -> int:
        """Take a role (or, without `role_id`, all roles) from a person or a group; gives how many were taken."""
        self.version += 1
        return self.access.unassign(principal_id, role_id)

    def _populate(self, company: Company) -> None:
        role_ids = {role.display_name: role.id for role in self.roles} | {"": DEFAULT_ACCESS}
        created = midnight(self.today)
        ids = {plan.name: self._add_group(plan.name, plan.members, {}).id for plan in company.groups}
        for plan in company.groups:
            self.access.groups[ids[plan.name]].nested.update(dict.fromkeys(ids[name] for name in plan.nested))
            if plan.role is not None:
                self.access.assign(ids[plan.name], PrincipalType.GROUP, role_ids[plan.role], created)
        self._add_group("Social Committee", company.soft_deleted, {"securityEnabled": False, "groupTypes": ["Unified"]})
        self.access.assign(self.robot_id, PrincipalType.SERVICE_PRINCIPAL, role_ids["User"], created)
        for role_name, rows in company.direct:
            for user_id in self.people.ids(rows[self.people.standing[rows] != Standing.HARD_DELETED]):
                self.access.assign(user_id, PrincipalType.USER, role_ids[role_name], created)
        for place, row in enumerate(company.soft_deleted.tolist()):
            self.people.deleted_on[row] = midnight(self.today - dt.timedelta(days=place % 29))
        for group in self.access.groups.values():
            for row in company.hard_deleted.tolist():
                group.put(row, inside=False)
        self.access.log.clear()

    def _add_group(self, name: str, rows: Any, properties: dict[str, Any]) -> Group:
        self.version += 1
        identifier = named_id(self.seed, f"group {len(self.access.groups)} {self.version} {name}")
        standard: dict[str, Any] = {
            "displayName": name,
            "description": None,
            "mailEnabled": False,
            "mailNickname": identifier[:8],
            "securityEnabled": True,
            "groupTypes": [],
            "createdDateTime": midnight(self.today),
            "mail": None,
            "visibility": None,
        }
        return self.access.add_group(identifier, {**standard, **properties}, rows)

    def _put(self, group_id: str, member_id: str, *, inside: bool) -> None:
        group, member = self.group(group_id), self._member(member_id)
        if isinstance(member, int):
            changed = group.put(member, inside)
        else:
            changed = (member in group.nested) != inside
            group.nested = (
                {**group.nested, member: None} if inside else {held: None for held in group.nested if held != member}
            )
        if changed:
            self.version += 1
            self.access.log.append(GroupChange(group.id, member=member))

    def _stand(self, user_id: str, before: Standing, after: Standing) -> int:
        row = self._row(user_id, before)
        moment = None if after is Standing.PRESENT else midnight(self.today)
        self.version += 1
        self.people.stand(row, after, moment)
        if after is not Standing.HARD_DELETED:
            self.access.log += [GroupChange(group.id, member=row) for group in self.access.groups_of(row)]
        return row

    def _member(self, identifier: str) -> int | str:
        """Give the row of a person, or the id of a group."""
        if identifier in self.access.groups:
            return identifier
        return self._row(identifier, Standing.PRESENT)

    def _row(self, user_id: str, *standings: Standing) -> int:
        row = self.people.row(user_id)
        if row is None or self.people.standing[row] not in standings:
            wanted = " or ".join(standing.name.lower().replace("_", " ") for standing in standings)
            raise UnknownObjectError(f"The directory has no person {user_id} who is {wanted}.")
        return row

    def _manager_row(self, user_id: str | None) -> int:
        return -1 if user_id is None else self._row(user_id, Standing.PRESENT)

    def _check(self, attributes: Iterable[str]) -> None:
        unknown = sorted(
            name
            for name in attributes
            if name not in self.people.properties and name not in EXTENSIONS and not name.startswith("extension_")
        )
        if unknown:
            raise ValueError(f"Users have no such properties: {', '.join(unknown)}. Use Graph's property names.")


def generate(users: int, seed: int) -> Tenant:
    """Make the directory of a believable company with `users` people present; the same arguments, the same directory.

    Raises `ValueError` unless 1 <= users <= 10,000,000.
    """
    if not 1 <= users <= 10_000_000:
        raise ValueError(f"A sandbox directory holds 1 to 10,000,000 people, not {users}.")
    return Tenant(draw_company(users, seed))


def _roles(seed: int) -> tuple[AppRole, ...]:
    """Give the app roles that the enterprise application declares, `msiam_access` as every gallery application."""

    def role(display_name: str, value: str | None, *, enabled: bool = True) -> AppRole:
        return AppRole(named_id(seed, f"role {display_name}"), display_name, value, display_name, enabled)

    return (
        role("User", "Replicon.User"),
        role("Supervisor", "Replicon.Supervisor"),
        role("Project Manager", "Replicon.ProjectManager"),
        role("Legacy Approver", "Replicon.LegacyApprover", enabled=False),
        role("msiam_access", None),
    )

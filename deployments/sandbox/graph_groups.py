"""Reads of groups, members, the enterprise application and its assignments, as the sandbox's Graph serves them.

Called by `graph`; people are rendered by `graph_users`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from deployments.sandbox.graph_errors import bad_request, not_found
from deployments.sandbox.graph_query import Call
from deployments.sandbox.graph_throttle import permits
from deployments.sandbox.graph_users import UserReads
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_access import Assignment, Group, PrincipalType
from deployments.sandbox.tenant_columns import Rows
from deployments.sandbox.tenant_people import Standing

GROUP_PROPERTIES: Final = (
    "id", "deletedDateTime", "createdDateTime", "description", "displayName", "groupTypes", "mail", "mailEnabled",
    "mailNickname", "securityEnabled", "visibility",
)  # fmt: skip
PRINCIPAL_PROPERTIES: Final = (
    "id", "deletedDateTime", "accountEnabled", "appDisplayName", "appId", "appRoleAssignmentRequired", "appRoles",
    "displayName", "servicePrincipalType", "servicePrincipalNames", "signInAudience", "tags",
)  # fmt: skip
ASSIGNMENT_PROPERTIES: Final = (
    "id", "deletedDateTime", "appRoleId", "createdDateTime", "principalDisplayName", "principalId", "principalType",
    "resourceDisplayName", "resourceId",
)  # fmt: skip

READS_USERS: Final = ("User.Read.All", "Directory.Read.All")
"""Permissions that show more of a person than the id."""


class GroupReads:
    """Groups, members, service principals and app role assignments, one tenant's."""

    def __init__(self, tenant: Tenant, users: UserReads) -> None:
        """Read from `tenant`; `users` renders the people among the members."""
        self._tenant = tenant
        self._people = tenant.people
        self._access = tenant.access
        self._users = users
        self._listed: tuple[int, list[Assignment]] | None = None
        self._standing: tuple[tuple[str, int], Rows] | None = None
        self._within: tuple[tuple[str, int], tuple[list[Group], Rows]] | None = None

    def listing(self, call: Call) -> dict[str, Any]:
        """GET /groups."""
        names = call.selected(GROUP_PROPERTIES, GROUP_PROPERTIES, "group")
        wanted = call.filter()
        groups = [group for group in self._access.groups.values() if wanted is None or wanted.holds(_group(group))]
        return self._numbered(call, "groups", groups, lambda page: [_group(group, names) for group in page])

    def one(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}."""
        names = call.selected(GROUP_PROPERTIES, GROUP_PROPERTIES, "group")
        return {"@odata.context": f"{call.context('groups')}/$entity", **_group(self._group_of(call), names)}

    def members(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/members: people and groups together, each with its @odata.type."""
        group = self._group_of(call)
        return self._members(call, self._nested(group), self._people_in(group), "mixed")

    def member_users(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/members/microsoft.graph.user."""
        return self._members(call, [], self._people_in(self._group_of(call)), "users")

    def member_groups(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/members/microsoft.graph.group."""
        return self._members(call, self._nested(self._group_of(call)), np.empty(0, dtype=np.int64), "groups")

    def transitive_members(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/transitiveMembers."""
        return self._members(call, *self._transitive(self._group_of(call)), "mixed")

    def transitive_member_users(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/transitiveMembers/microsoft.graph.user."""
        return self._members(call, [], self._transitive(self._group_of(call))[1], "users")

    def member_number(self, call: Call) -> str:
        """GET /groups/{id}/members/$count; raises `GraphError` (400) without ConsistencyLevel: eventual."""
        if not call.eventual:
            raise bad_request("$count is not currently supported without the ConsistencyLevel:eventual header.")
        group = self._group_of(call)
        return str(len(self._nested(group)) + len(self._people_in(group)))

    def member_of(self, call: Call) -> dict[str, Any]:
        """GET /users/{id}/memberOf."""
        names = call.selected(GROUP_PROPERTIES, GROUP_PROPERTIES, "group")
        groups = self._access.groups_of(self._users.row(call.keys[0]))
        return self._numbered(
            call,
            "directoryObjects",
            groups,
            lambda page: [{"@odata.type": "#microsoft.graph.group", **_group(group, names)} for group in page],
        )

    def service_principals(self, call: Call) -> dict[str, Any]:
        """GET /servicePrincipals."""
        names = call.selected(PRINCIPAL_PROPERTIES, PRINCIPAL_PROPERTIES, "servicePrincipal")
        call.page_size()
        wanted = call.filter()
        principal = self._principal()
        found = [principal] if wanted is None or wanted.holds(principal) else []
        value = [{name: record[name] for name in names} for record in found]
        return {"@odata.context": call.context("servicePrincipals"), "value": value}

    def service_principal(self, call: Call) -> dict[str, Any]:
        """GET /servicePrincipals/{id} and /servicePrincipals(appId='{appId}')."""
        names = call.selected(PRINCIPAL_PROPERTIES, PRINCIPAL_PROPERTIES, "servicePrincipal")
        self._check_principal(call)
        principal = self._principal()
        context = f"{call.context('servicePrincipals')}/$entity"
        return {"@odata.context": context, **{name: principal[name] for name in names}}

    def assigned_to(self, call: Call) -> dict[str, Any]:
        """GET /servicePrincipals/{id}/appRoleAssignedTo."""
        self._check_principal(call)
        if self._listed is None or self._listed[0] != self._tenant.version:
            self._listed = (self._tenant.version, self._tenant.assignments())
        what = f"servicePrincipals('{self._tenant.service_principal_id}')/appRoleAssignedTo"
        return self._assignments(call, what, self._listed[1])

    def assignments_of_user(self, call: Call) -> dict[str, Any]:
        """GET /users/{id}/appRoleAssignments: those held directly and those held through a group directly."""
        row = self._users.row(call.keys[0])
        holders = [self._people.id(row), *(group.id for group in self._access.groups_of(row))]
        held = [held for holder in holders for held in self._access.assignments_of(holder)]
        what = f"users('{call.keys[0]}')/appRoleAssignments"
        return self._assignments(call, what, sorted(held, key=lambda assignment: assignment.number))

    def assignments_of_group(self, call: Call) -> dict[str, Any]:
        """GET /groups/{id}/appRoleAssignments."""
        group = self._group_of(call)
        what = f"groups('{group.id}')/appRoleAssignments"
        return self._assignments(call, what, list(self._access.assignments_of(group.id)))

    def organization(self, call: Call) -> dict[str, Any]:
        """GET /organization."""
        tenant = self._tenant
        domains = [
            {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": True, "isInitial": False,
             "name": tenant.domain, "type": "Managed"},
            {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": False, "isInitial": True,
             "name": tenant.initial_domain, "type": "Managed"},
        ]  # fmt: skip
        record = {"id": tenant.tenant_id, "displayName": "Northwind Traders", "verifiedDomains": domains}
        names = call.selected(tuple(record), tuple(record), "organization")
        return {"@odata.context": call.context("organization"), "value": [{name: record[name] for name in names}]}

    def _members(self, call: Call, groups: Iterable[Group], rows: Rows, kind: str) -> dict[str, Any]:
        """Render one page: groups first, people after them; positions below zero lie among the groups."""
        if "filter" in call.options or "expand" in call.options:
            raise bad_request("$filter and $expand are not supported on members here.")
        size, position = call.page_size(), call.position()
        inner = list(groups)
        total = len(inner) + len(rows)
        started = "skiptoken" in call.options
        first = len(inner) + position + 1 if started and position < 0 else 0
        shown = [] if started and position >= 0 else inner[first : first + size]
        start = int(np.searchsorted(rows, position, side="right")) if position >= 0 else 0
        people = rows[start : start + size - len(shown)]
        body: dict[str, Any] = {"@odata.context": call.context("directoryObjects" if kind == "mixed" else kind)}
        if call.count:
            body["@odata.count"] = total
        if len(people) and start + len(people) < len(rows):
            body["@odata.nextLink"] = call.next_link(int(people[-1]))
        elif not len(people) and len(shown) == size and first + size < total:
            body["@odata.nextLink"] = call.next_link(first + size - len(inner) - 1)
        body["value"] = [*self._render_groups(call, shown, kind), *self._render_people(call, people, kind)]
        return body

    def _render_groups(self, call: Call, groups: list[Group], kind: str) -> list[dict[str, Any]]:
        typed = {"@odata.type": "#microsoft.graph.group"} if kind == "mixed" else {}
        # On mixed members $select may name properties of people; what a group does not have is left out.
        selected = call.options.get("select", "").split(",")
        names = GROUP_PROPERTIES if selected == [""] else tuple(name for name in GROUP_PROPERTIES if name in selected)
        return [{**typed, **_group(group, names), "id": group.id} for group in groups]

    def _render_people(self, call: Call, rows: Rows, kind: str) -> list[dict[str, Any]]:
        if not len(rows):
            return []
        names = self._users.names(call)
        if not permits(call.caller.permissions, READS_USERS):
            # Members of a type that the application may not read come with their type and id only.
            hidden = dict.fromkeys(names)
            typed = {"@odata.type": "#microsoft.graph.user"}
            return [{**typed, **hidden, "id": identifier} for identifier in self._people.ids(rows)]
        records = self._users.render(rows, names)
        if kind == "mixed":
            return [{"@odata.type": "#microsoft.graph.user", **record} for record in records]
        return records

    def _assignments(self, call: Call, what: str, held: list[Assignment]) -> dict[str, Any]:
        names = call.selected(ASSIGNMENT_PROPERTIES, ASSIGNMENT_PROPERTIES, "appRoleAssignment")
        if "filter" in call.options:
            raise bad_request("$filter is not supported on app role assignments here.")
        return self._numbered(call, what, held, lambda page: self._render_assignments(page, names))

    def _numbered(self, call: Call, what: str, things: list[Any], render: Any) -> dict[str, Any]:
        """Render one page of things that carry ascending numbers."""
        size = call.page_size()
        start = bisect_right(things, call.position(), key=lambda thing: thing.number)
        page = things[start : start + size]
        body: dict[str, Any] = {"@odata.context": call.context(what)}
        if call.count:
            body["@odata.count"] = len(things)
        if start + size < len(things):
            body["@odata.nextLink"] = call.next_link(page[-1].number)
        body["value"] = render(page)
        return body

    def _render_assignments(self, page: list[Assignment], names: tuple[str, ...]) -> list[dict[str, Any]]:
        people = {
            held.principal_id: row
            for held in page
            if held.principal_type is PrincipalType.USER and (row := self._people.row(held.principal_id)) is not None
        }
        rows = np.fromiter(people.values(), np.int64, len(people))
        shown = [record["displayName"] for record in self._people.records(rows, ["displayName"])]
        called = dict(zip(people, shown, strict=True))
        called |= {group.id: group.properties["displayName"] for group in self._access.groups.values()}
        called[self._tenant.robot_id] = "Timesheet Robot"
        return [
            {
                name: value
                for name, value in {
                    "id": held.id,
                    "deletedDateTime": None,
                    "appRoleId": held.role_id,
                    "createdDateTime": held.created,
                    "principalDisplayName": called[held.principal_id],
                    "principalId": held.principal_id,
                    "principalType": held.principal_type.value,
                    "resourceDisplayName": self._tenant.display_name,
                    "resourceId": self._tenant.service_principal_id,
                }.items()
                if name in names
            }
            for held in page
        ]

    def _principal(self) -> dict[str, Any]:
        roles = [
            {
                "allowedMemberTypes": list(role.member_types),
                "description": role.description,
                "displayName": role.display_name,
                "id": role.id,
                "isEnabled": role.enabled,
                "origin": "Application",
                "value": role.value,
            }
            for role in self._tenant.roles
        ]
        return {
            "id": self._tenant.service_principal_id,
            "deletedDateTime": None,
            "accountEnabled": True,
            "appDisplayName": self._tenant.display_name,
            "appId": self._tenant.application_id,
            "appRoleAssignmentRequired": True,
            "appRoles": roles,
            "displayName": self._tenant.display_name,
            "servicePrincipalType": "Application",
            "servicePrincipalNames": [self._tenant.application_id],
            "signInAudience": "AzureADMyOrg",
            "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
        }

    def _check_principal(self, call: Call) -> None:
        key = call.keys[0].lower()
        if key not in {self._tenant.service_principal_id, f"appid={self._tenant.application_id}"}:
            raise not_found(call.keys[0].partition("=")[2] or call.keys[0])

    def _group_of(self, call: Call) -> Group:
        group = self._access.groups.get(call.keys[0].lower())
        if group is None:
            raise not_found(call.keys[0])
        return group

    def _nested(self, group: Group) -> list[Group]:
        return [self._access.groups[inner] for inner in group.nested if inner in self._access.groups]

    def _people_in(self, group: Group) -> Rows:
        """Give the people present in a group; the last answer is kept, because every page asks for it again."""
        key = (group.id, self._tenant.version)
        if self._standing is None or self._standing[0] != key:
            self._standing = (key, self._present(group.rows()))
        return self._standing[1]

    def _transitive(self, group: Group) -> tuple[list[Group], Rows]:
        """Give everything within a group; the last answer is kept, because every page asks for it again."""
        key = (group.id, self._tenant.version)
        if self._within is None or self._within[0] != key:
            inner, rows = self._access.within(group)
            self._within = (key, (inner, self._present(rows)))
        return self._within[1]

    def _present(self, rows: Rows) -> Rows:
        return rows[self._people.standing[rows] == Standing.PRESENT]


def _group(group: Group, names: tuple[str, ...] = GROUP_PROPERTIES) -> dict[str, Any]:
    record = {"id": group.id, "deletedDateTime": None, **group.properties}
    return {name: record.get(name) for name in names}

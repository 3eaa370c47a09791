"""What Replicon's users must be, worked out person by person from the directory and the default mapping's definition.

It calls nothing of `tasks`: it is the yardstick that whole cycles are held against. `actual` tells what Replicon has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_access import DEFAULT_ACCESS, PrincipalType
from deployments.sandbox.tenant_people import Standing

Values = dict[str, Any]
"""One account as plain values under Replicon's names (see `actual.accounts`)."""

LONGEST_NAME: Final = 50
"""Characters that Replicon takes in a first or last name."""
SUPERVISING: Final = "Supervisor"
"""The permission set without which nobody is anybody's supervisor."""
GROUPS: Final = {
    "departmentGroup": "department",
    "employeeTypeGroup": "employeeType",
    "location": "officeLocation",
    "division": "companyName",
}
"""Replicon's groups by the property of the directory that names them; the cost center is an extension attribute."""
CASELESS: Final = frozenset({"loginName", "emailAddress", "timeZone", "costCenter", *GROUPS})
"""What is the same in another letter case, so that the account keeps its own spelling."""


class Truth:
    """Replicon's accounts as they must be after each cycle, and whose they are.

    Starts from the accounts that Replicon has before the first cycle, what it gives a `newcomer` where the caller
    says nothing, and the names of its `groups` (lower case) by kind.
    """

    def __init__(self, found: Mapping[str, Values], newcomer: Values, groups: Mapping[str, frozenset[str]]) -> None:
        self._accounts: dict[int, Values] = dict(enumerate(dict(values) for values in found.values()))
        by_login = {values["loginName"]: number for number, values in self._accounts.items()}
        for values in self._accounts.values():
            values["supervisor"] = by_login.get(values["supervisor"])
        self._newcomer = newcomer
        self._groups = groups
        self._owned: dict[str, int] = {}
        self._away: set[str] = set()

    @property
    def accounts(self) -> dict[str, Values]:
        """All accounts as they must be, by login name in lower case; supervisors by login name."""
        shown = {}
        for values in self._accounts.values():
            above = self._accounts.get(values["supervisor"])
            shown[values["loginName"].lower()] = {**values, "supervisor": above and above["loginName"]}
        return shown

    @property
    def people(self) -> dict[str, str]:
        """The login names of everybody who is managed, by object id."""
        return {person: self._accounts[number]["loginName"] for person, number in self._owned.items()}

    def cycle(self, tenant: Tenant, keeps: Callable[[str], bool]) -> None:
        """Let a cycle make Replicon agree with the directory as it is now.

        `keeps` tells of a login name whether Replicon refuses to delete that account.
        """
        present = {person["id"]: person for person in tenant.users()}
        roles = counting_roles(tenant)
        active = {who: present[who] for who in roles if who in present and present[who]["accountEnabled"] is not False}
        self._let_go(tenant, active, keeps)
        wanted = {who: self._values(person, roles[who]) for who, person in active.items()}
        wanted = {who: values for who, values in wanted.items() if _fits(values)}
        self._take_on(wanted)
        for who, values in wanted.items():
            if who in self._owned:
                self._write(who, values)
        for who in wanted:
            if who in self._owned:
                self._put_under(who, present[who]["manager"])

    def _let_go(self, tenant: Tenant, active: Mapping[str, Any], keeps: Callable[[str], bool]) -> None:
        """Take the login from everybody managed who is no longer active; nothing else of theirs changes."""
        for who, number in list(self._owned.items()):
            if who in active:
                continue
            account = self._accounts[number]
            account["loginEnabled"] = False
            self._away.add(who)
            if tenant.standing(who) is Standing.HARD_DELETED and not keeps(account["loginName"]):
                del self._accounts[number], self._owned[who]

    def _take_on(self, wanted: Mapping[str, Values]) -> None:
        """Give everybody who has no account the one that is theirs already, by login name, then by mail, or a new one.

        Without a first and a last name Replicon makes no account.
        """
        by_login = {values["loginName"].lower(): number for number, values in self._accounts.items()}
        by_mail = {str(values["emailAddress"]).lower(): number for number, values in self._accounts.items()}
        for key in ("loginName", "emailAddress"):
            shared = Counter(str(values[key]).lower() for values in wanted.values() if values.get(key))
            assert not [name for name, times in shared.items() if times > 1], "the generator makes these unique"
        for who, values in wanted.items():
            if who in self._owned:
                continue
            found = by_login.get(values["loginName"].lower(), by_mail.get(values.get("emailAddress", "").lower()))
            if found is not None:
                assert found not in self._owned.values(), "the generator gives nobody another one's addresses"
                self._owned[who] = found
            elif values.get("firstName") and values.get("lastName"):
                self._owned[who] = max(self._accounts, default=0) + 1
                self._accounts[self._owned[who]] = dict(self._newcomer)

    def _write(self, who: str, values: Values) -> None:
        """Write what the directory has a value for; an account whose login is given back loses an old end date."""
        account = self._accounts[self._owned[who]]
        if who in self._away:
            self._away.discard(who)
            account["endDate"] = None
        for name, value in values.items():
            held = account.get(name)
            if name in CASELESS and held is not None and held.lower() == value.lower():
                continue
            account[name] = value

    def _put_under(self, who: str, manager: str | None) -> None:
        """Write the manager as supervisor if they have an account that may supervise; else leave what there is."""
        above = self._owned.get(manager or "")
        if above is not None and SUPERVISING in self._accounts[above]["permissionSets"]:
            self._accounts[self._owned[who]]["supervisor"] = above

    def _values(self, person: Mapping[str, Any], roles: frozenset[str]) -> Values:
        """Give what the mapping's definition says of an active person, without what has no value.

        Where Replicon cannot take a value, such as an unknown group, it counts as none.
        """
        extensions = person["onPremisesExtensionAttributes"]
        login = sign_in_name(person["userPrincipalName"])
        mail = person["mail"] or login
        sets = sorted({value.replace("Replicon.", "").replace("ProjectManager", "Project Manager") for value in roles})
        values = {
            "loginName": login,
            "ssoName": login,
            "emailAddress": mail if mail.isascii() else None,
            "firstName": person["givenName"],
            "lastName": person["surname"],
            "displayName": person["displayName"],
            "employeeId": person["employeeId"],
            "startDate": _day(person["employeeHireDate"]),
            "endDate": _day(person["employeeLeaveDateTime"]),
            "timeZone": extensions["extensionAttribute2"],
            "permissionSets": sets,
            "loginEnabled": True,
            **{kind: self._group(kind, person[source]) for kind, source in GROUPS.items()},
            "costCenter": self._group("costCenter", extensions["extensionAttribute1"]),
        }
        return {name: value for name, value in values.items() if value not in (None, "", [])}

    def _group(self, kind: str, name: str | None) -> str | None:
        return name if name and name.lower() in self._groups[kind] else None


def counting_roles(tenant: Tenant) -> dict[str, frozenset[str]]:
    """Give everybody who is entitled, by object id, with the values of the roles that count.

    A role counts when the application declares it and it is enabled; Default Access never does. A group passes its
    roles on to the people who are directly in it.
    """
    enabled = {role.id: role for role in tenant.roles if role.enabled}
    held: dict[str, set[str]] = {}
    for assignment in tenant.assignments():
        role = enabled.get(assignment.role_id)
        if role is None or assignment.role_id == DEFAULT_ACCESS:
            continue
        for person in _holders(tenant, assignment.principal_type, assignment.principal_id):
            held.setdefault(person, set()).update([role.value] if role.value else [])
    return {person: frozenset(values) for person, values in held.items()}


def sign_in_name(principal_name: str) -> str:
    """Give a user principal name as mappings see it: `ann_there.com#EXT#@here.com` is a guest's `ann@there.com`."""
    home, marked, _ = principal_name.partition("#EXT#")
    if not marked:
        return principal_name
    name, _, domain = home.rpartition("_")
    return f"{name}@{domain}"


def _holders(tenant: Tenant, kind: PrincipalType, principal: str) -> Iterator[str]:
    if kind is PrincipalType.USER:
        yield principal
    elif kind is PrincipalType.GROUP:
        nested = tenant.group(principal).nested
        yield from (member for member in tenant.members(principal) if member not in nested)


def _fits(values: Values) -> bool:
    """Tell whether the names are short enough; of somebody with a longer one nothing is written at all."""
    return all(len(values.get(name) or "") <= LONGEST_NAME for name in ("firstName", "lastName"))


def _day(instant: str | None) -> str | None:
    return instant and instant[:10]

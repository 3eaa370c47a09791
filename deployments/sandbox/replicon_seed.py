"""What a new sandbox's Replicon holds: groups by the directory's words, permission sets, fields, first accounts.

Called by `Sandbox`; nothing here knows the wire.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deployments.sandbox.company import DOMAIN, cost_center
from deployments.sandbox.names import EXECUTIVE_DEPARTMENT, FUNCTIONS, OFFICES
from deployments.sandbox.replicon_catalog import Catalog, Defaults, GroupKind
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.replicon_wire import TENANT_URI
from deployments.sandbox.tenant import Tenant

PERMISSION_SETS: Final = (
    ("User", "user"),
    ("Supervisor", "supervision"),
    ("Project Manager", "project-management"),
    ("System Administrator", "administration"),
    ("Project Management Administrator", "project-administration"),
    ("Team Manager", "team-management"),
    ("Resource Manager", "resource-management"),
    ("Cost Manager", "cost-management"),
    ("Billing Manager", "billing-management"),
    ("Payroll Manager", "payroll-management"),
    ("Dashboard User", "dashboard"),
)
"""Name and policy of every permission set."""

_EMPLOYEE_TYPES: Final = ("Employee", "Contractor", "Intern")
_SOURCES: Final[Mapping[GroupKind, tuple[str, ...]]] = {
    GroupKind.DEPARTMENT: ("department",),
    GroupKind.EMPLOYEE_TYPE: ("employeeType",),
    GroupKind.LOCATION: ("officeLocation",),
    GroupKind.DIVISION: ("companyName",),
    GroupKind.COST_CENTER: ("onPremisesExtensionAttributes", "extensionAttribute1"),
    GroupKind.SERVICE_CENTER: ("usageLocation",),
}
"""Where the directory has the name of a person's group of each kind."""
_CHUNK: Final = 50_000


def fill_catalog(catalog: Catalog, tenant: Tenant, missing_departments: int = 0) -> None:
    """Give Replicon the groups that people of the directory are in or may move to, permission sets and fields.

    `missing_departments` of the departments, last by name, are left out, as happens when nobody set them up.
    """
    for name, policy in PERMISSION_SETS:
        catalog.add_permission_set(name, policy)
    user = catalog.add_permission_set(*PERMISSION_SETS[0])
    catalog.defaults = Defaults(permission_sets=(user.number,))
    catalog.templates = {"contractor": catalog.defaults}
    catalog.legacy_employee_types = {
        f"{TENANT_URI}:employee-type:{number}": name for number, name in enumerate(_EMPLOYEE_TYPES, start=1)
    }
    catalog.add_field("Job title", "text")
    catalog.add_field("Badge number", "numeric")
    catalog.add_field("Probation ends", "date")
    catalog.add_field("Work mode", "drop-down", ("Office", "Hybrid", "Remote"))
    catalog.add_field("Desk", "text", extension=True)
    parents = {department: function.name for function in FUNCTIONS for department in function.departments}
    names = _names_in_use(tenant)
    left_out = set(sorted(names[GroupKind.DEPARTMENT])[len(names[GroupKind.DEPARTMENT]) - missing_departments :])
    for kind, found in names.items():
        for name in sorted(found - left_out if kind is GroupKind.DEPARTMENT else found):
            above = parents.get(name) if kind is GroupKind.DEPARTMENT else None
            catalog.add_group(kind, name, catalog.add_group(kind, above) if above else None)


def _names_in_use(tenant: Tenant) -> dict[GroupKind, set[str]]:
    """Collect the names of groups of each kind: those the company knows, and those people have."""
    found = {
        GroupKind.DEPARTMENT: {EXECUTIVE_DEPARTMENT, *(name for each in FUNCTIONS for name in each.departments)},
        GroupKind.EMPLOYEE_TYPE: set(_EMPLOYEE_TYPES),
        GroupKind.LOCATION: {office.name for office in OFFICES},
        GroupKind.DIVISION: {office.company for office in OFFICES},
        GroupKind.COST_CENTER: {
            cost_center(function, department, region)
            for function, each in enumerate(FUNCTIONS)
            for department in range(len(each.departments))
            for region in {office.region for office in OFFICES}
        },
        GroupKind.SERVICE_CENTER: {office.usage_location for office in OFFICES},
    }
    properties = [source[0] for source in _SOURCES.values()]
    for person in _people(tenant, properties):
        for kind, source in _SOURCES.items():
            value = person[source[0]]
            name = (value or {}).get(source[1]) if len(source) > 1 else value
            if name:
                found[kind].add(name)
    return found


def _people(tenant: Tenant, properties: list[str]) -> Iterator[dict[str, Any]]:
    rows = tenant.people.after(-1, _CHUNK)
    while len(rows):
        yield from tenant.people.records(rows, properties)
        rows = tenant.people.after(int(rows[-1]), _CHUNK)


def add_account(state: RepliconState, password: str | None, permission_set: str, **attributes: Any) -> Account:
    """Put an account into Replicon from outside, without a trace in the log; attributes are those of `Account`."""
    held = state.catalog.find_permission_set({"name": permission_set})
    account = Account(
        state.new_number(),
        permission_sets=() if held is None else (held.number,),
        has_data=True,
        **attributes,
    )
    state.put(None, account)
    if password is not None:
        state.passwords[account.number] = password
    return account


def add_existing_accounts(state: RepliconState, tenant: Tenant, share: float, seed: int) -> None:
    """Give a share (0 to 1) of the directory's people the account that somebody once made for them by hand."""
    if share <= 0:
        return
    chance = random.Random(seed)
    properties = ["userPrincipalName", "givenName", "surname", "mail", "employeeId"]
    for person in _people(tenant, properties):
        if chance.random() >= share:
            continue
        mail = person["mail"]
        add_account(
            state,
            None,
            "User",
            login=person["userPrincipalName"].lower(),
            first_name=person["givenName"] or "-",
            last_name=person["surname"] or "-",
            email=mail if mail and mail.isascii() else None,
            employee_id=person["employeeId"],
        )


def add_orphans(state: RepliconState, count: int) -> None:
    """Add accounts that belong to nobody in the directory, as old integrations leave behind."""
    for number in range(1, count + 1):
        add_account(
            state,
            None,
            "User",
            login=f"integration{number}@{DOMAIN}",
            first_name="Integration",
            last_name=f"No. {number}",
        )

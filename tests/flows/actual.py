"""What the sandbox's Replicon has, in the shape of `truth`, and how the two differ. Reads the sandbox's own state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployments.sandbox.replicon_catalog import GroupKind
from deployments.sandbox.sandbox import Sandbox
from tests.flows.truth import Truth, Values


def accounts(sandbox: Sandbox) -> dict[str, Values]:
    """Give every account by login name in lower case: plain values under Replicon's names, supervisors by login."""
    state = sandbox.replicon
    shown = {}
    for account in state.accounts.values():
        values = state.describe(account)
        above = state.users.get(values["supervisor"])
        shown[account.login.lower()] = {**values, "supervisor": above and above.login}
    return shown


def truth_of(sandbox: Sandbox) -> Truth:
    """Start the truth from what the sandbox's Replicon has now."""
    catalog = sandbox.replicon.catalog
    groups = {kind.member: frozenset(group.name.lower() for group in catalog.groups_of(kind)) for kind in GroupKind}
    nothing = dict.fromkeys(next(iter(accounts(sandbox).values())))
    newcomer: Values = {
        **nothing,
        "authentication": "replicon",
        "timeZone": catalog.defaults.time_zone,
        "workWeekStartDay": catalog.defaults.week_start,
        "permissionSets": sorted(catalog.permission_sets[number].name for number in catalog.defaults.permission_sets),
        "products": sorted(catalog.defaults.products),
        "fields": {},
    }
    return Truth(accounts(sandbox), newcomer, groups)


def keeps(sandbox: Sandbox) -> Callable[[str], bool]:
    """Give the function that tells of a login name whether Replicon refuses to delete that account."""
    state = sandbox.replicon
    deleted = {change.login: change.before for change in state.change_log if change.kind == "delete"}

    def refuses(login: str) -> bool:
        account = state.by_login(login) or deleted[login]
        assert account is not None
        return account.has_data

    return refuses


def differences(truth: Truth, sandbox: Sandbox) -> list[str]:
    """Say, a line each, what Replicon has and must not, lacks, or has otherwise than it must."""
    must, has = truth.accounts, accounts(sandbox)
    return [
        *(f"{login}: there is no account, and there must be one" for login in must.keys() - has.keys()),
        *(f"{login}: there is an account, and there must be none" for login in has.keys() - must.keys()),
        *(line for login in must.keys() & has.keys() for line in _unlike(login, must[login], has[login])),
    ]


def _unlike(login: str, must: Mapping[str, Any], has: Mapping[str, Any]) -> list[str]:
    names = sorted({*must, *has})
    return [
        f"{login}: {name} is {has.get(name)!r} and must be {must.get(name)!r}"
        for name in names
        if must.get(name) != has.get(name)
    ]

"""A Replicon of the sandbox that stands in for another tenant: the same catalog, accounts and URIs, on loopback.

Whoever embeds it copies in what they have read elsewhere. No directory is served, and nothing reaches the other tenant.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from deployments.sandbox.faults import Faults
from deployments.sandbox.replicon import DiscoveryService, RepliconService
from deployments.sandbox.replicon_catalog import (
    ADMINISTRATION_POLICY,
    SUPERVISION_POLICY,
    Catalog,
    Defaults,
    Field,
    GroupKind,
    slug,
)
from deployments.sandbox.replicon_seed import PERMISSION_SETS
from deployments.sandbox.replicon_state import Account, FieldValue, RepliconState, Schedule
from deployments.sandbox.replicon_wire import TENANT_URI, user_number
from deployments.sandbox.server import Server
from deployments.sandbox.wire import Request, Response

COMPANY_KEY: Final = "rehearsal"
"""Company key of the stand-in."""
CUSTOM_FIELD: Final = "CustomField:"
EXTENSION_FIELD: Final = "ExtensionField:"
"""Begin the names of attributes that are fields of the tenant; the field's name or URI follows."""

_TENANT: Final = re.compile(r"urn:replicon-tenant:[^:]+")
_POLICIES: Final = {slug(name): policy for name, policy in PERMISSION_SETS}
_GROUPS: Final[Mapping[str, GroupKind]] = {
    "Department": GroupKind.DEPARTMENT,
    "EmployeeType": GroupKind.EMPLOYEE_TYPE,
    "Location": GroupKind.LOCATION,
    "Division": GroupKind.DIVISION,
    "CostCenter": GroupKind.COST_CENTER,
    "ServiceCenter": GroupKind.SERVICE_CENTER,
}
_TEXTS: Final[Mapping[str, str]] = {
    "LoginName": "login",
    "FirstName": "first_name",
    "LastName": "last_name",
    "DisplayName": "display_name",
    "EmailAddress": "email",
    "EmployeeId": "employee_id",
    "TimeZone": "time_zone",
}

Values = Mapping[str, str | Sequence[str] | None]


@dataclasses.dataclass(frozen=True)
class Offered:
    """One thing that the other tenant offers its accounts. `type` and `options` are those of a custom field."""

    uri: str
    name: str
    type: str = "text"
    options: tuple[str, ...] = ()


class Mirror:
    """The stand-in for the tenant that has the account `me`; use it in a `with` statement.

    `me` is the URI of the account that signs in there. Raises `ValueError` when it is no URI of a tenant's user.
    """

    def __init__(self, me: str) -> None:
        tenant = _TENANT.match(me)
        if tenant is None:
            raise ValueError(f"expected the URI of a Replicon user (urn:replicon-tenant:...:user:7), found {me!r}")
        self.state = RepliconState()
        """Everything the stand-in knows, in the sandbox's own URIs; `state.change_log` has what was changed."""
        self.faults = Faults()
        self._theirs = tenant.group()
        replicon = RepliconService(self.state, COMPANY_KEY)
        self._server = Server(self.faults)
        self._server.add("replicon", _Renamed(replicon, self._theirs))
        self._server.add("discovery", DiscoveryService(replicon, lambda: self._server.url("replicon")))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def discovery_url(self) -> str:
        """Where the stand-in tells its address; known once started."""
        return self._server.url("discovery")

    def copy_groups(self, kind: str, groups: Iterable[Offered]) -> None:
        """Copy the groups of one kind: DEPARTMENT, EMPLOYEE_TYPE, LOCATION, DIVISION, COST_CENTER, SERVICE_CENTER."""
        for group in groups:
            self.state.catalog.copy_group(GroupKind[kind], self._ours(group.uri), group.name)

    def copy_permission_sets(self, sets: Iterable[Offered]) -> None:
        """Copy the permission sets. Their policies are not told by Replicon and are taken from their names.

        A new account gets the set called User, as in a tenant that was never set up otherwise.
        """
        catalog = self.state.catalog
        for one in sets:
            catalog.add_permission_set(one.name, _policy(one), self._ours(one.uri))
        usual = catalog.find_permission_set({"name": "User"})
        catalog.defaults = Defaults(permission_sets=() if usual is None else (usual.number,))

    def copy_fields(self, fields: Iterable[Offered], *, extension: bool = False) -> None:
        """Copy the custom fields of users, or the extension fields."""
        owner = self.state.catalog.extension_fields if extension else self.state.catalog.custom_fields
        for one in fields:
            uri = self._ours(one.uri)
            options = {f"{uri}:option:{number}": name for number, name in enumerate(one.options)}
            owner[uri] = Field(uri, one.name, one.type, options)

    def copy_accounts(self, accounts: Iterable[tuple[str, Values]]) -> None:
        """Copy accounts: the URI and the values by attribute, groups and permission sets by name, dates yyyy-mm-dd.

        Supervisors are URIs; those that are not copied are left out, as are values that the catalog does not have.
        Whether data hangs on an account is not known, so that deleting one works.
        """
        rows = {user_number(self._ours(uri)): values for uri, values in accounts}
        for number, values in rows.items():
            self.state.put(self.state.accounts.get(number), self._account(number, values, rows.keys()))

    def sign_in(self, me: str, password: str) -> None:
        """Let the account `me`, which has been copied, sign in with `password` and administer."""
        number, catalog = user_number(self._ours(me)), self.state.catalog
        account = self.state.accounts[number]
        held = account.permission_sets
        if not catalog.holds(held, ADMINISTRATION_POLICY):
            held = (*held, catalog.add_permission_set("Rehearsal administrator", ADMINISTRATION_POLICY).number)
        usable = dataclasses.replace(account, permission_sets=held, enabled=True, authentication="replicon")
        self.state.put(account, usable)
        self.state.passwords[number] = password

    def changed(self) -> set[str]:
        """Give the URIs, as the other tenant has them, of all accounts that were changed since the start."""
        sides = (side for change in self.state.change_log for side in (change.before, change.after))
        return {side.uri.replace(TENANT_URI, self._theirs) for side in sides if side is not None}

    def run(self, function: Callable[[], Any]) -> Any:
        """Call `function` between two requests."""
        return self._server.run(function)

    def _ours(self, uri: str) -> str:
        return uri.replace(self._theirs, TENANT_URI)

    def _account(self, number: int, values: Values, numbers: Iterable[int]) -> Account:
        catalog = self.state.catalog
        one = {name: value for name, value in values.items() if isinstance(value, str) and value}
        texts: dict[str, Any] = {"login": f"account-{number}", "first_name": "-", "last_name": "-"}
        texts |= {field: one[name] for name, field in _TEXTS.items() if name in one}
        above = user_number(self._ours(one["Supervisor"])) if "Supervisor" in one else None
        sets = (catalog.find_permission_set({"name": name}) for name in values.get("PermissionSets") or ())
        return Account(
            number,
            **texts,
            start=_date(one.get("StartDate")),
            end=_date(one.get("EndDate")),
            enabled=one.get("LoginEnabled", "True") == "True",
            week_start=one.get("WorkWeekStartDay", "Monday").lower(),
            permission_sets=tuple(sorted(each.number for each in sets if each is not None)),
            products=tuple(f"urn:replicon-saas:product:{name}" for name in values.get("Products") or ()),
            groups=_schedules(catalog, one),
            supervisors=((None, above),) if above is not None and above in numbers else (),
            fields=self._fields(one),
        )

    def _fields(self, values: Mapping[str, str]) -> Mapping[str, FieldValue]:
        held: dict[str, FieldValue] = {}
        for name, value in values.items():
            for prefix, extension in ((CUSTOM_FIELD, False), (EXTENSION_FIELD, True)):
                wanted = self._ours(name.removeprefix(prefix))
                key = {"uri": wanted} if wanted.startswith("urn:") else {"name": wanted}
                field = self.state.catalog.find_field(key, extension=extension) if name.startswith(prefix) else None
                if field is not None:
                    held[field.uri] = _held(field, value)
        return held


class _Renamed:
    """A service that speaks of `theirs` to its callers where it has the sandbox's own tenant."""

    def __init__(self, service: RepliconService, theirs: str) -> None:
        self._service = service
        self._theirs, self._ours = f"{theirs}:".encode(), f"{TENANT_URI}:".encode()

    def endpoint(self, request: Request) -> str:
        """Name the operation as the service does."""
        return self._service.endpoint(request)

    def handle(self, request: Request) -> Response:
        """Answer a request and make its changes."""
        return self._outward(self._service.handle(self._inward(request)))

    def pretend(self, request: Request) -> Response:
        """Answer a request without making its changes."""
        return self._outward(self._service.pretend(self._inward(request)))

    def _inward(self, request: Request) -> Request:
        return dataclasses.replace(request, body=request.body.replace(self._theirs, self._ours))

    def _outward(self, response: Response) -> Response:
        return dataclasses.replace(response, body=response.body.replace(self._ours, self._theirs))


def _policy(one: Offered) -> str:
    """Guess the policy of a permission set by its name; sets that nothing is known of have one of their own."""
    name = slug(one.name)
    if name in _POLICIES:
        return _POLICIES[name]
    for part, policy in (("supervis", SUPERVISION_POLICY), ("system-admin", ADMINISTRATION_POLICY)):
        if part in name:
            return policy
    return f"own-{name}"


def _schedules(catalog: Catalog, values: Mapping[str, str]) -> tuple[Schedule, ...]:
    schedules: list[Schedule] = [()] * len(GroupKind)
    for name, kind in _GROUPS.items():
        group = catalog.find_group(kind, {"name": values[name]}) if name in values else None
        if group is not None:
            schedules[kind.position] = ((None, group.number),)
    return tuple(schedules)


def _held(field: Field, value: str) -> FieldValue:
    if field.type == "numeric":
        return float(value)
    if field.type == "date":
        return dt.date.fromisoformat(value)
    return next((uri for uri, name in field.options.items() if name == value), value)


def _date(value: str | None) -> dt.date | None:
    return None if value is None else dt.date.fromisoformat(value)

"""The users of the sandbox's Replicon, what was done to them, and how to find them again.

Wire shapes are in `replicon_views`; the operations that change users are in `replicon_modify` and
`replicon_granular`. Tests read this state directly.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deployments.sandbox.replicon_catalog import Catalog, GroupKind
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_wire import user_number, user_uri

Schedule = tuple[tuple[dt.date | None, int | None], ...]
"""What holds from which day on, oldest first: a group's or user's number, or null for none. A null day is the start
of time."""
FieldValue = str | float | dt.date
"""Value of a custom field: text, an option's URI, a number or a date."""
_NO_GROUPS: Final[tuple[Schedule, ...]] = ((),) * len(GroupKind)
_NO_FIELDS: Final[Mapping[str, FieldValue]] = {}


@dataclasses.dataclass(slots=True)
class Account:
    """One user of Replicon. Never changed in place: a change makes a new one, so that the log can keep both."""

    number: int
    login: str
    first_name: str
    last_name: str
    display_name: str | None = None
    email: str | None = None
    employee_id: str | None = None
    start: dt.date | None = None
    end: dt.date | None = None
    enabled: bool = True
    sso_name: str | None = None
    authentication: str = "replicon"
    time_zone: str = "America/New_York"
    week_start: str = "monday"
    permission_sets: tuple[int, ...] = ()
    products: tuple[str, ...] = ()
    groups: tuple[Schedule, ...] = _NO_GROUPS
    supervisors: Schedule = ()
    department_uri: str | None = None
    employee_type_uri: str | None = None
    fields: Mapping[str, FieldValue] = dataclasses.field(default_factory=lambda: _NO_FIELDS)
    """Values of custom and extension fields, by the field's URI."""
    has_data: bool = False
    """Whether something hangs on the user, so that Replicon refuses to delete them."""

    @property
    def uri(self) -> str:
        """The user's URI."""
        return user_uri(self.number)

    @property
    def display_text(self) -> str:
        """The name that people see: the custom display name, or "Last, First"."""
        return self.display_name or f"{self.last_name}, {self.first_name}"

    def group(self, kind: GroupKind, day: dt.date) -> int | None:
        """Give the number of the group of this kind on a day; null when there is none."""
        return in_force(self.groups[kind.position], day)

    def supervisor(self, day: dt.date) -> int | None:
        """Give the number of the supervisor on a day; null when there is none."""
        return in_force(self.supervisors, day)


def in_force(schedule: Schedule, day: dt.date) -> int | None:
    """Give what a schedule says for a day."""
    found: int | None = None
    for start, item in schedule:
        if start is None or start <= day:
            found = item
    return found


def overlay(schedule: Schedule, item: int | None, start: dt.date | None, end: dt.date | None) -> Schedule:
    """Give the schedule with `item` in force from `start` through `end`; what held after `end` holds again then.

    The overlap rule of the real service is not documented; this one keeps everything outside the range.
    """
    kept = [entry for entry in schedule if start is not None and (entry[0] is None or entry[0] < start)]
    kept.append((start, item))
    if end is not None:
        after = end + dt.timedelta(days=1)
        kept.append((after, in_force(schedule, after)))
        kept.extend(entry for entry in schedule if entry[0] is not None and entry[0] > after)
    return tuple(entry for index, entry in enumerate(kept) if entry[1] != (kept[index - 1][1] if index else None))


def describe(account: Account, catalog: Catalog, day: dt.date) -> dict[str, Any]:
    """Give a user as plain values under Replicon's names: groups, permission sets and fields by name, dates as
    yyyy-mm-dd, the supervisor by URI, and what is in force on `day` only."""
    supervisor = account.supervisor(day)
    groups = {
        kind.member: None if (number := account.group(kind, day)) is None else catalog.groups[number].name
        for kind in GroupKind
    }
    return {
        "loginName": account.login,
        "firstName": account.first_name,
        "lastName": account.last_name,
        "displayName": account.display_name,
        "emailAddress": account.email,
        "employeeId": account.employee_id,
        "startDate": account.start and account.start.isoformat(),
        "endDate": account.end and account.end.isoformat(),
        "loginEnabled": account.enabled,
        "ssoName": account.sso_name,
        "authentication": account.authentication,
        "timeZone": account.time_zone,
        "workWeekStartDay": account.week_start,
        "permissionSets": sorted(catalog.permission_sets[number].name for number in account.permission_sets),
        "products": sorted(account.products),
        **groups,
        "supervisor": None if supervisor is None else user_uri(supervisor),
        "department": account.department_uri and catalog.legacy_departments.get(account.department_uri),
        "employeeType": account.employee_type_uri and catalog.legacy_employee_types.get(account.employee_type_uri),
        "fields": {_field_name(catalog, uri): _plain(catalog, uri, value) for uri, value in account.fields.items()},
    }


def _field_name(catalog: Catalog, uri: str) -> str:
    return (catalog.custom_fields.get(uri) or catalog.extension_fields[uri]).name


def _plain(catalog: Catalog, uri: str, value: FieldValue) -> str | float:
    field = catalog.custom_fields.get(uri) or catalog.extension_fields[uri]
    if isinstance(value, dt.date):
        return value.isoformat()
    return field.options.get(value, value) if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One real change of one user: who did it with which operation, and the user before and after."""

    number: int
    when: dt.datetime
    operation: str
    caller: str
    """Login name of the account that called."""
    unit_of_work_id: str | None
    before: Account | None
    after: Account | None
    catalog: Catalog = dataclasses.field(repr=False)

    @property
    def kind(self) -> str:
        """`create`, `update` or `delete`."""
        return "create" if self.before is None else "delete" if self.after is None else "update"

    @property
    def uri(self) -> str:
        """URI of the user."""
        return self._one.uri

    @property
    def login(self) -> str:
        """Login name of the user, after the change if they are still there."""
        return self._one.login

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Before and after of everything that changed, under the names of `describe`; null stands for not there.

        When only schedules changed, and for other days than that of the change, they stand whole under `schedules`.
        """
        day = self.when.date()
        before = describe(self.before, self.catalog, day) if self.before else {}
        after = describe(self.after, self.catalog, day) if self.after else {}
        changed = {
            name: (before.get(name), after.get(name))
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        }
        if changed or self.before is None or self.after is None:
            return changed
        return {
            "schedules": (
                (self.before.groups, self.before.supervisors),
                (self.after.groups, self.after.supervisors),
            )
        }

    @property
    def _one(self) -> Account:
        one = self.after or self.before
        assert one is not None
        return one


@dataclasses.dataclass
class Token:
    """An access token: whose it is, until when it works, and when it was last used."""

    number: int
    expires: dt.datetime | None
    last_used: dt.datetime


class RepliconState:
    """Everything the sandbox's Replicon knows. Change it between requests only (`Server.run`, `Sandbox.run`)."""

    def __init__(self, settings: RepliconSettings | None = None) -> None:
        self.settings = settings or RepliconSettings()
        self.catalog = Catalog()
        self.accounts: dict[int, Account] = {}
        self.change_log: list[Change] = []
        """Every real change since the start, oldest first."""
        self.calls: Counter[str] = Counter()
        """Calls received, by operation, those that failed included."""
        self.writes_requested: Counter[str] = Counter()
        """Calls of operations that write, by operation: whether or not they changed anything, replays included."""
        self.replays = 0
        """Calls answered from the memory of their unit-of-work id."""
        self.units_of_work: dict[str, tuple[dt.datetime, bytes]] = {}
        """Results by unit-of-work id (with the operation before it, if the settings say so), and when they came."""
        self.passwords: dict[int, str] = {}
        self.tokens: dict[str, Token] = {}
        self.unreadable: set[int] = set()
        """Numbers of users whom no caller may read."""
        self._logins: dict[str, int] = {}
        self._by_employee_id: dict[str, tuple[int, ...]] = {}
        self._by_email: dict[str, tuple[int, ...]] = {}
        self._numbers: list[int] | None = []
        self._last = 0
        self.version = 0
        """A number that rises with every change."""

    @property
    def users(self) -> dict[str, Account]:
        """All users by URI. Made anew at every use: with very many users, prefer `accounts`."""
        return {account.uri: account for account in self.accounts.values()}

    def describe(self, account: Account) -> dict[str, Any]:
        """Give a user as plain values, as of today; see `describe` of this module."""
        return describe(account, self.catalog, self.settings.today())

    def by_login(self, login: str) -> Account | None:
        """Find a user by login name, letter case aside unless the settings say otherwise."""
        number = self._logins.get(login.casefold())
        if number is None:
            return None
        account = self.accounts[number]
        return account if self.settings.logins_found_without_case or account.login == login else None

    def by_uri(self, uri: Any) -> Account | None:
        """Find a user by URI. Raises `RepliconFault` (UriError1) when it is not the URI of any user."""
        return self.accounts.get(user_number(uri))

    def by_employee_id(self, employee_id: str) -> list[Account]:
        """Find the users with an employee id, oldest first: it is not unique."""
        return [self.accounts[number] for number in self._by_employee_id.get(employee_id, ())]

    def by_email(self, email: str) -> list[Account]:
        """Find the users with an e-mail address, letter case aside, oldest first."""
        return [self.accounts[number] for number in self._by_email.get(email.casefold(), ())]

    def login_taken(self, login: str, by_other_than: int) -> bool:
        """Tell whether another user has this login name, letter case aside."""
        return self._logins.get(login.casefold(), by_other_than) != by_other_than

    def page(self, page: int, size: int) -> Iterator[Account]:
        """Give one page of all users in the order they were made; the first page is 1."""
        if self._numbers is None:
            self._numbers = list(self.accounts)
        return (self.accounts[number] for number in self._numbers[(page - 1) * size : page * size])

    def new_number(self) -> int:
        """Give a number that no user has or had."""
        self._last += 1
        return self._last

    def gets_data(self, number: int) -> bool:
        """Decide for a new user whether they count as having data, by the settings' share and the same every time."""
        return (number * 2654435761 % 2**32) / 2**32 < self.settings.data_share

    def commit(
        self,
        before: Account | None,
        after: Account | None,
        *,
        operation: str,
        caller: str,
        unit_of_work_id: str | None = None,
    ) -> None:
        """Put `after` in the place of `before` and write the log; does nothing when they are equal."""
        if before == after:
            return
        self.put(before, after)
        self.change_log.append(
            Change(
                len(self.change_log) + 1,
                self.settings.now(),
                operation,
                caller,
                unit_of_work_id,
                before,
                after,
                self.catalog,
            )
        )

    def put(self, before: Account | None, after: Account | None) -> None:
        """Put `after` in the place of `before` without a trace in the log: to set the scene."""
        self.version += 1
        if before is not None:
            self._forget(before)
        if after is not None:
            self._remember(after)
            if before is None:
                self._last = max(self._last, after.number)
                if self._numbers is not None:
                    self._numbers.append(after.number)
        elif before is not None:
            del self.accounts[before.number]
            self._numbers = None

    def _remember(self, account: Account) -> None:
        self.accounts[account.number] = account
        self._logins[account.login.casefold()] = account.number
        if account.employee_id:
            _join(self._by_employee_id, account.employee_id, account.number)
        if account.email:
            _join(self._by_email, account.email.casefold(), account.number)

    def _forget(self, account: Account) -> None:
        self._logins.pop(account.login.casefold(), None)
        if account.employee_id:
            _leave(self._by_employee_id, account.employee_id, account.number)
        if account.email:
            _leave(self._by_email, account.email.casefold(), account.number)


def _join(index: dict[str, tuple[int, ...]], key: str, number: int) -> None:
    index[key] = (*sorted((*index.get(key, ()), number)),)


def _leave(index: dict[str, tuple[int, ...]], key: str, number: int) -> None:
    rest = tuple(each for each in index.get(key, ()) if each != number)
    if rest:
        index[key] = rest
    else:
        index.pop(key, None)

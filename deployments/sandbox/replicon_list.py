"""UserListService1: the table of users, with columns, filters and numbered pages."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from deployments.sandbox.replicon_call import Call, Operation
from deployments.sandbox.replicon_catalog import GroupKind
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.replicon_views import login_enabled
from deployments.sandbox.replicon_wire import (
    DateRange,
    Json,
    RepliconFault,
    flag,
    mapping,
    sequence,
    text,
    unknown_uri,
    user_number,
    write_date,
)

_COLUMN: Final = "urn:replicon:user-list-column:"
_FILTER: Final = "urn:replicon:user-list-filter:"
_OPERATOR: Final = "urn:replicon:filter-operator:"
_OBJECT: Final = "urn:replicon:object-type:"
_DEFAULT_PAGE: Final = 100

Cell = dict[str, Any]
Test = Callable[[Account], bool]


def _text(value: str | None) -> Cell:
    return {} if value is None else {"textValue": value}


def _date(value: dt.date | None) -> Cell:
    return {} if value is None else {"dateValue": write_date(value), "textValue": value.strftime("%b %d, %Y")}


def _user_cell(account: Account) -> Cell:
    return {
        "uri": account.uri,
        "slug": account.login,
        "objectType": f"{_OBJECT}user",
        "dataType": "urn:replicon:list-type:object",
        "textValue": account.display_text,
    }


def _enabled_cell(state: RepliconState, account: Account) -> Cell:
    enabled = login_enabled(state, account)
    return {"boolValue": enabled, "textValue": str(enabled)}


def _supervisor_cell(state: RepliconState, account: Account) -> Cell:
    number = account.supervisor(state.settings.today())
    above = None if number is None else state.accounts.get(number)
    return {} if above is None else _user_cell(above)


def _named_cell(uri: str, name: str, type_: str) -> Cell:
    return {"uri": uri, "objectType": f"{_OBJECT}{type_}", "textValue": name}


def _legacy_department_cell(state: RepliconState, account: Account) -> Cell:
    departments = state.catalog.legacy_departments
    uri = account.department_uri or next(iter(departments))
    return _named_cell(uri, departments[uri], "department")


def _legacy_employee_type_cell(state: RepliconState, account: Account) -> Cell:
    uri = account.employee_type_uri
    return {} if uri is None else _named_cell(uri, state.catalog.legacy_employee_types[uri], "employee-type")


def _group_cell(kind: GroupKind, state: RepliconState, account: Account) -> Cell:
    """Hierarchical groups come as a collection from the top down, with the leaf last."""
    number = account.group(kind, state.settings.today())
    if number is None:
        return {}
    path = state.catalog.path(state.catalog.groups[number])
    return {
        "cellCollection": [_named_cell(each.uri, each.name, kind.uri_type) for each in path],
        "textValue": " / ".join(each.name for each in path),
    }


_COLUMNS: Final[Mapping[str, tuple[str, Callable[[RepliconState, Account], Cell]]]] = {
    "user": ("User", lambda _, account: _user_cell(account)),
    "user-name": ("User Name", lambda _, account: _text(account.display_text)),
    "login-name": ("Login Name", lambda _, account: _text(account.login)),
    "employee-id": ("Employee ID", lambda _, account: _text(account.employee_id)),
    "email-address": ("Email Address", lambda _, account: _text(account.email)),
    "enabled": ("Enabled", _enabled_cell),
    "start-date": ("Start Date", lambda _, account: _date(account.start)),
    "end-date": ("End Date", lambda _, account: _date(account.end)),
    "supervisor": ("Supervisor", _supervisor_cell),
    "department": ("Department", _legacy_department_cell),
    "employee-type": ("Employee Type", _legacy_employee_type_cell),
    **{
        kind.uri_type: (kind.name.replace("_", " ").title(), functools.partial(_group_cell, kind)) for kind in GroupKind
    },
    **{
        name: (name.replace("-", " ").title(), lambda _state, _account: {})
        for name in (
            "timesheet-period",
            "timesheet-period-type",
            "timesheet-approval-path",
            "time-off-approval-path",
            "hourly-cost",
        )
    },
}
"""Title and cell of each column, by the last part of its URI; the sandbox keeps nothing for the last five."""


class UserList:
    """The list's memory of the last filtered lists, so that paging through one does not filter all users each time."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[int, dt.date, list[int]]] = {}

    def get_data(self, call: Call) -> dict[str, Any]:
        """Give one page of the list; the first is 1, and one after the last is empty."""
        columns = [self._column(uri) for uri in sequence(call.body.get("columnUris"))]
        page, size = _number(call, "page", 1), _number(call, "pagesize", _DEFAULT_PAGE)
        largest = call.state.settings.largest_page
        accounts = self._page(call, page, size if largest is None else min(size, largest))
        return {
            "header": [{"uri": f"{_COLUMN}{name}", "displayName": title} for name, title, _ in columns],
            "rows": [{"cells": [cell(call.state, account) for _, _, cell in columns]} for account in accounts],
        }

    def _column(self, uri: Any) -> tuple[str, str, Callable[[RepliconState, Account], Cell]]:
        name = str(uri).removeprefix(_COLUMN)
        if not str(uri).startswith(_COLUMN) or name not in _COLUMNS:
            raise unknown_uri(uri)
        return name, *_COLUMNS[name]

    def _page(self, call: Call, page: int, size: int) -> Iterable[Account]:
        state, expression, sort = call.state, call.body.get("filterExpression"), sequence(call.body.get("sort"))
        if not expression and not sort and not state.unreadable:
            return state.page(page, size)
        numbers = self._matching(call, mapping(expression), [mapping(element) for element in sort])
        return (state.accounts[number] for number in islice(numbers, (page - 1) * size, page * size))

    def _matching(self, call: Call, expression: Json, sort: list[Json]) -> list[int]:
        state, today = call.state, call.state.settings.today()
        key = orjson.dumps([expression, sort], option=orjson.OPT_SORT_KEYS)
        version, day, numbers = self._kept.get(key, (-1, today, []))
        if version == state.version and day == today:
            return numbers
        test = _compile(state, expression) if expression else None
        found = [
            account
            for account in _candidates(state, expression)
            if call.readable(account) and (test is None or test(account))
        ]
        for element in reversed(sort):
            _, _, cell = self._column(element.get("columnUri"))
            descending = not flag(element.get("isAscending", True))
            found = sorted(found, key=_by_cell(state, cell), reverse=descending)
        if len(self._kept) >= 8:
            self._kept.pop(next(iter(self._kept)))
        numbers = [account.number for account in found]
        self._kept[key] = (state.version, today, numbers)
        return numbers


def _by_cell(
    state: RepliconState, make: Callable[[RepliconState, Account], Cell]
) -> Callable[[Account], tuple[int, int, int, str]]:
    """Make the key that sorts by what a column shows: by day for dates, else by text."""

    def key(account: Account) -> tuple[int, int, int, str]:
        cell = make(state, account)
        day = cell.get("dateValue") or {"year": 0, "month": 0, "day": 0}
        return day["year"], day["month"], day["day"], str(cell.get("textValue", "")).casefold()

    return key


def _number(call: Call, member: str, default: int) -> int:
    value = call.body.get(member)
    try:
        number = default if value is None else int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise RepliconFault("InvalidParameterError1", f"{member} must be a positive number", echo={member: value})
    return number


def _candidates(state: RepliconState, expression: Json) -> Iterable[Account]:
    """Give the users that can pass at all: those of the address when an address is asked for, else everyone."""
    definition = mapping(expression.get("leftExpression")).get("filterDefinitionUri")
    value = mapping(mapping(expression.get("rightExpression")).get("value"))
    if definition == f"{_FILTER}email-address" and expression.get("operatorUri") == f"{_OPERATOR}equal":
        return state.by_email(text(value.get("text")) or "")
    return state.accounts.values()


@dataclasses.dataclass(frozen=True)
class _Question:
    """One comparison of a filter: its operator and value, and the state to look things up in."""

    state: RepliconState
    operator: str
    value: Json


def _compile(state: RepliconState, expression: Json) -> Test:
    """Turn a filter expression into a test. Raises `RepliconFault` for definitions and operators that do not exist."""
    operator = str(expression.get("operatorUri")).removeprefix(_OPERATOR)
    if operator in {"and", "or"}:
        left = _compile(state, mapping(expression.get("leftExpression")))
        right = _compile(state, mapping(expression.get("rightExpression")))
        if operator == "and":
            return lambda account: left(account) and right(account)
        return lambda account: left(account) or right(account)
    definition = mapping(expression.get("leftExpression")).get("filterDefinitionUri")
    name = str(definition).removeprefix(_FILTER)
    if not str(definition).startswith(_FILTER) or name not in _FILTERS:
        raise unknown_uri(definition)
    operators, make = _FILTERS[name]
    if operator not in operators:
        raise unknown_uri(expression.get("operatorUri"))
    value = mapping(mapping(expression.get("rightExpression")).get("value"))
    try:
        return make(_Question(state, operator, value))
    except (TypeError, ValueError) as error:
        raise RepliconFault("InvalidFilterExpressionError1", str(error), echo={"value": dict(value)}) from error


def _containing(*parts: Callable[[Account], str | None]) -> Callable[[_Question], Test]:
    def make(asked: _Question) -> Test:
        needle = (text(asked.value.get("text")) or "").casefold()
        return lambda account: any(needle in (part(account) or "").casefold() for part in parts)

    return make


def _email_equal(asked: _Question) -> Test:
    wanted = (text(asked.value.get("text")) or "").casefold()
    return lambda account: account.email is not None and account.email.casefold() == wanted


def _enabled_equal(asked: _Question) -> Test:
    wanted = flag(asked.value.get("bool"))
    return lambda account: login_enabled(asked.state, account) is wanted


def _among_users(asked: _Question) -> Test:
    numbers = {user_number(uri) for uri in _uris(asked.value)}
    return lambda account: (account.number in numbers) is (asked.operator != "not-in")


def _ends_within(asked: _Question) -> Test:
    span = DateRange.read(asked.value.get("dateRange"))

    def test(account: Account) -> bool:
        end = account.end
        return end is not None and (span.start is None or end >= span.start) and (span.end is None or end <= span.end)

    return test


def _in_groups(kind: GroupKind) -> Callable[[_Question], Test]:
    def make(asked: _Question) -> Test:
        wanted = [asked.state.catalog.get_group(kind, uri) for uri in _uris(asked.value)]
        numbers = {group.number for group in wanted}
        if asked.operator == "in-hierarchy":
            numbers = {
                group.number
                for group in asked.state.catalog.groups_of(kind)
                if any(asked.state.catalog.within(group, top) for top in wanted)
            }
        today = asked.state.settings.today()
        return lambda account: (account.group(kind, today) in numbers) is (asked.operator != "not-in")

    return make


def _uris(value: Json) -> list[Any]:
    return [*sequence(value.get("uri")), *sequence(value.get("uris"))]


_MEMBERSHIP: Final = frozenset({"equal", "in", "not-in"})
_FILTERS: Final[Mapping[str, tuple[frozenset[str], Callable[[_Question], Test]]]] = {
    "text": (
        frozenset({"text-search"}),
        _containing(
            lambda account: account.display_text,
            lambda account: f"{account.first_name} {account.last_name}",
            lambda account: account.login,
            lambda account: account.email,
            lambda account: account.employee_id,
        ),
    ),
    "login-name": (frozenset({"text-search"}), _containing(lambda account: account.login)),
    "email-address": (frozenset({"equal"}), _email_equal),
    "enabled": (frozenset({"equal"}), _enabled_equal),
    "user": (_MEMBERSHIP, _among_users),
    "end-date-range": (frozenset({"in"}), _ends_within),
    **{kind.uri_type: (_MEMBERSHIP | {"in-hierarchy"}, _in_groups(kind)) for kind in GroupKind},
}
"""Operators and test of each filter, by the last part of its URI."""


def _get_all_columns(_call: Call) -> list[Any]:
    return [{"uri": f"{_COLUMN}{name}", "displayText": title} for name, (title, _) in _COLUMNS.items()]


def _get_all_filter_definitions(_call: Call) -> list[Any]:
    return [{"uri": f"{_FILTER}{name}", "displayText": name.replace("-", " ").title()} for name in _FILTERS]


def list_operations() -> Mapping[str, Operation]:
    """Give the operations of a new list service."""
    users = UserList()
    return {
        "UserListService1.GetData": Operation(users.get_data),
        "UserListService1.GetAllColumns": Operation(_get_all_columns),
        "UserListService1.GetAllFilterDefinitions": Operation(_get_all_filter_definitions),
    }

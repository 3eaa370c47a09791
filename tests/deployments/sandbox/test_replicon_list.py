"""UserListService1.GetData: columns, filters, sorting, and pages numbered from 1 until one is empty."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployments.sandbox.replicon_rig import Rig
from tests.deployments.sandbox.test_replicon_upsert import day, item

COLUMN = "urn:replicon:user-list-column:"
GET_DATA = "UserListService1.GetData"


def question(filter_: str, operator: str, **value: Any) -> dict[str, Any]:
    return {
        "leftExpression": {"filterDefinitionUri": f"urn:replicon:user-list-filter:{filter_}"},
        "operatorUri": f"urn:replicon:filter-operator:{operator}",
        "rightExpression": {"value": value},
    }


def both(operator: str, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {
        "leftExpression": left,
        "operatorUri": f"urn:replicon:filter-operator:{operator}",
        "rightExpression": right,
    }


def body(expression: Any = None, *, page: Any = 1, size: Any = 100, columns: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "page": page,
        "pagesize": size,
        "columnUris": [f"{COLUMN}{name}" for name in columns or ("login-name",)],
        "sort": [],
        "filterExpression": expression,
    }


def logins(replicon: Rig, expression: Any = None, **more: Any) -> list[str]:
    rows = replicon.result(GET_DATA, body(expression, **more))["rows"]
    return [row["cells"][0]["textValue"] for row in rows]


def test_cells_follow_the_order_of_the_columns(replicon: Rig) -> None:
    uri = replicon.create("jane", employeeId={"value": "E1"}, **item("location", "London"))
    columns = ("employee-id", "user", "enabled", "location", "email-address", "start-date")
    data = replicon.result(GET_DATA, body(columns=columns))
    cells = data["rows"][-1]["cells"]
    assert [column["uri"] for column in data["header"]] == [f"{COLUMN}{name}" for name in columns]
    assert cells[0] == {"textValue": "E1"}
    assert (cells[1]["uri"], cells[1]["textValue"]) == (uri, "Doe, Jane")
    assert cells[2] == {"boolValue": True, "textValue": "True"}
    assert [part["textValue"] for part in cells[3]["cellCollection"]] == ["Europe", "London"]
    assert cells[4:] == [{}, {}]


def test_pages_are_numbered_from_1_and_an_empty_one_ends_them(replicon: Rig) -> None:
    for number in range(3):
        replicon.create(f"user{number}")
    assert [logins(replicon, page=page, size=2) for page in (1, 2, 3, 4)] == [
        ["svc", "boss"],
        ["user0", "user1"],
        ["user2"],
        [],
    ]


def test_numbers_may_be_spelled_as_text(replicon: Rig) -> None:
    assert logins(replicon, page="2", size="1") == ["boss"]


def test_a_page_may_have_a_largest_size(replicon: Rig) -> None:
    replicon.settings.largest_page = 1
    assert logins(replicon, size=1000) == ["svc"]


def test_a_deleted_user_leaves_the_list(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.result("UserService1.Delete", {"userUri": uri})
    assert logins(replicon) == ["svc", "boss"]


def test_an_address_is_found_by_the_whole_of_it(replicon: Rig) -> None:
    replicon.create("jane", emailAddress={"value": "jane@acme.test"})
    replicon.create("janet", emailAddress={"value": "janet@acme.test"})
    assert logins(replicon, question("email-address", "equal", text="JANE@acme.test")) == ["jane"]
    assert logins(replicon, question("email-address", "equal", text="jane@acme")) == []


def test_text_is_searched_in_several_fields_and_a_login_name_in_part(replicon: Rig) -> None:
    replicon.create("jane", employeeId={"value": "E77"})
    assert logins(replicon, question("text", "text-search", text="e77")) == ["jane"]
    assert logins(replicon, question("text", "text-search", text="bo ss")) == ["boss"]
    assert logins(replicon, question("login-name", "text-search", text="OS")) == ["boss"]


def test_disabled_users_come_unless_they_are_filtered_out(replicon: Rig) -> None:
    replicon.create("jane", securitySettings={"value": {"loginEnabled": {"value": False}}})
    assert logins(replicon) == ["svc", "boss", "jane"]
    assert logins(replicon, question("enabled", "equal", bool="true")) == ["svc", "boss"]


def test_filters_are_joined_with_and_and_or(replicon: Rig) -> None:
    boss, svc = (question("login-name", "text-search", text=text) for text in ("boss", "svc"))
    enabled = question("enabled", "equal", bool=True)
    assert logins(replicon, both("or", boss, svc)) == ["svc", "boss"]
    assert logins(replicon, both("and", enabled, both("and", boss, svc))) == []


def test_groups_are_found_alone_or_with_what_is_within_them(replicon: Rig) -> None:
    replicon.create("jane", **item("location", "London"))
    europe = next(
        group["uri"] for group in replicon.result("LocationService1.GetAllLocations") if group["name"] == "Europe"
    )
    assert logins(replicon, question("location", "equal", uri=europe)) == []
    assert logins(replicon, question("location", "in-hierarchy", uri=europe)) == ["jane"]
    assert logins(replicon, question("location", "not-in", uris=[europe])) == ["svc", "boss", "jane"]


def test_users_are_found_by_uri_and_by_end_date(replicon: Rig) -> None:
    ends = {"startDate": day(2019, 1, 1), "endDate": day(2020, 6, 1)}
    uri = replicon.create("jane", employmentDateRange={"value": ends})
    span = {"startDate": day(2020, 1, 1), "endDate": day(2020, 12, 31)}
    assert logins(replicon, question("user", "in", uris=[uri])) == ["jane"]
    assert logins(replicon, question("end-date-range", "in", dateRange=span)) == ["jane"]


def test_a_filtered_list_sees_what_has_changed_since(replicon: Rig) -> None:
    enabled = question("enabled", "equal", bool=True)
    assert logins(replicon, enabled) == ["svc", "boss"]
    replicon.create("jane")
    assert logins(replicon, enabled) == ["svc", "boss", "jane"]


def test_the_list_is_sorted_by_a_column(replicon: Rig) -> None:
    sort = [{"columnUri": f"{COLUMN}login-name", "isAscending": "true"}]
    rows = replicon.result(GET_DATA, {**body(), "sort": sort})["rows"]
    assert [row["cells"][0]["textValue"] for row in rows] == ["boss", "svc"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"columnUris": ["urn:replicon:user-list-column:shoe-size"]},
        {"filterExpression": question("shoe-size", "equal", text="42")},
        {"filterExpression": question("email-address", "text-search", text="x")},
    ],
)
def test_columns_filters_and_operators_that_do_not_exist_are_uri_errors(replicon: Rig, wrong: dict[str, Any]) -> None:
    assert replicon.error(GET_DATA, {**body(), **wrong})["type"] == "UriError1"


def test_a_page_before_the_first_is_refused(replicon: Rig) -> None:
    assert "positive" in replicon.error(GET_DATA, body(page=0))["details"]["displayText"]


def test_columns_and_filters_can_be_listed(replicon: Rig) -> None:
    columns = {each["uri"] for each in replicon.result("UserListService1.GetAllColumns")}
    filters = {each["uri"] for each in replicon.result("UserListService1.GetAllFilterDefinitions")}
    assert f"{COLUMN}login-name" in columns
    assert "urn:replicon:user-list-filter:email-address" in filters

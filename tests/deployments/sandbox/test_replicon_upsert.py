"""CreateUserOrApplyModifications: creating, modifying, partial success, replay, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from deployments.sandbox.replicon_wire import TENANT_URI
from tests.deployments.sandbox.replicon_rig import UPSERT, Rig, minimal, partial

SCHEDULES = ["department", "employeeType", "location", "division", "costCenter", "serviceCenter"]


def item(schedule: str, name: str, start: dict[str, int] | None = None) -> dict[str, Any]:
    key = f"{schedule}Group" if schedule in {"department", "employeeType"} else schedule
    span = None if start is None else {"startDate": start, "endDate": None}
    return {f"{key}Schedule": [{"dateRange": span, "item": {"uri": None, "name": name}}]}


def day(year: int, month: int, day: int) -> dict[str, int]:
    return {"year": year, "month": month, "day": day}


def test_the_smallest_create_takes_the_rest_from_the_defaults(replicon: Rig) -> None:
    seen = replicon.seen(replicon.create("jane@acme.test"))
    assert (seen["loginName"], seen["permissionSets"], seen["timeZone"]) == (
        "jane@acme.test",
        ["User"],
        "America/New_York",
    )


@pytest.mark.parametrize("key", ["firstName", "lastName", "loginName", "securitySettings"])
def test_what_a_create_cannot_do_without_is_named(replicon: Rig, key: str) -> None:
    modifications = {name: value for name, value in minimal("jane").items() if name != key}
    error = replicon.error(UPSERT, replicon.upsert(modifications))
    assert error["type"] == "MissingRequiredParameterError1"
    assert key in error["details"]["displayText"]


def test_an_answer_refers_to_the_user(replicon: Rig) -> None:
    created = replicon.result(UPSERT, replicon.upsert(minimal("jane")))
    assert created == {
        "user": {"uri": f"{TENANT_URI}:user:3", "loginName": "jane", "displayText": "Doe, Jane", "slug": "jane"},
        "errors": [],
    }


def test_every_scalar_is_written(replicon: Rig) -> None:
    uri = replicon.create(
        "jane",
        displayName={"value": "J. Doe"},
        emailAddress={"value": "jane@acme.test"},
        employeeId={"value": "E1"},
        employmentDateRange={"value": {"startDate": day(2026, 4, 1), "endDate": day(2027, 4, 1)}},
        timeZone={"value": {"IANAName": "Europe/London"}},
        workWeekStartDay={"value": {"uri": "urn:replicon:day-of-week:sunday"}},
        securitySettings={"value": {"loginEnabled": {"value": False}, "ssoName": {"value": "jane.sso"}}},
    )
    seen = replicon.seen(uri)
    assert {name: seen[name] for name in ("displayName", "emailAddress", "employeeId", "startDate", "endDate")} == {
        "displayName": "J. Doe",
        "emailAddress": "jane@acme.test",
        "employeeId": "E1",
        "startDate": "2026-04-01",
        "endDate": "2027-04-01",
    }
    assert (seen["timeZone"], seen["workWeekStartDay"], seen["loginEnabled"], seen["ssoName"]) == (
        "Europe/London",
        "sunday",
        False,
        "jane.sso",
    )


def test_a_time_zone_is_found_by_its_uri_too(replicon: Rig) -> None:
    uri = replicon.create("jane", timeZone={"value": {"uri": "urn:replicon:time-zone:america-los-angeles"}})
    assert replicon.seen(uri)["timeZone"] == "America/Los_Angeles"


def test_scalars_may_be_spelled_as_text(replicon: Rig) -> None:
    uri = replicon.create(
        "jane",
        securitySettings={"value": {"loginEnabled": {"value": "false"}}},
        employmentDateRange={"value": {"startDate": {"year": "2026", "month": "4", "day": "1"}}},
    )
    assert (replicon.seen(uri)["loginEnabled"], replicon.seen(uri)["startDate"]) == (False, "2026-04-01")


@pytest.mark.parametrize("absent", [{}, {"emailAddress": None}])
def test_an_absent_or_null_key_leaves_alone(replicon: Rig, absent: dict[str, None]) -> None:
    uri = replicon.create("jane", emailAddress={"value": "jane@acme.test"})
    replicon.modify(uri, **absent)
    assert replicon.seen(uri)["emailAddress"] == "jane@acme.test"


@pytest.mark.parametrize(("clears", "after"), [(True, None), (False, "jane@acme.test")])
def test_whether_a_null_value_clears_is_a_setting(replicon: Rig, clears: bool, after: str | None) -> None:
    replicon.settings.null_clears = clears
    uri = replicon.create("jane", emailAddress={"value": "jane@acme.test"})
    replicon.modify(uri, emailAddress={"value": None})
    assert replicon.seen(uri)["emailAddress"] == after


def test_an_end_date_of_null_clears_the_end_date(replicon: Rig) -> None:
    uri = replicon.create(
        "jane", employmentDateRange={"value": {"startDate": day(2026, 1, 1), "endDate": day(2026, 2, 1)}}
    )
    replicon.modify(uri, employmentDateRange={"value": {"startDate": day(2026, 1, 1), "endDate": None}})
    assert (replicon.seen(uri)["startDate"], replicon.seen(uri)["endDate"]) == ("2026-01-01", None)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_groups_are_found_by_name_in_any_letter_case(replicon: Rig, schedule: str) -> None:
    uri = replicon.create("jane", **item(schedule, "north"))
    member = f"{schedule}Group" if schedule in {"department", "employeeType"} else schedule
    assert replicon.seen(uri)[member] == "North"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_unknown_group_is_refused_in_part_and_the_user_exists(replicon: Rig, schedule: str) -> None:
    result = replicon.result(UPSERT, replicon.upsert({**minimal("jane"), **item(schedule, "West")}))
    assert "West" in partial(result)[0]
    assert replicon.seen(result["user"]["uri"])["loginName"] == "jane"


def test_a_group_from_a_later_day_leaves_the_history_alone(replicon: Rig) -> None:
    uri = replicon.create("jane", **item("location", "North"))
    replicon.modify(uri, **item("location", "South", day(2999, 1, 1)))
    assert replicon.seen(uri)["location"] == "North"
    [user] = replicon.result("ImportService1.BulkGetUsers3", {"users": [{"uri": uri}]})
    assert [entry["location"]["name"] for entry in user["locationSchedule"]] == ["North", "South"]


def test_a_group_for_a_range_gives_way_to_the_one_before_afterwards(replicon: Rig) -> None:
    uri = replicon.create("jane", **item("location", "North"))
    span = {"startDate": day(2020, 1, 1), "endDate": day(2020, 12, 31)}
    replicon.modify(uri, locationSchedule=[{"dateRange": span, "item": {"name": "South"}}])
    [user] = replicon.result("ImportService1.BulkGetUsers3", {"users": [{"uri": uri}]})
    assert [(entry["location"]["name"], entry["effectiveDate"]) for entry in user["locationSchedule"]] == [
        ("North", None),
        ("South", day(2020, 1, 1)),
        ("North", day(2021, 1, 1)),
    ]


def test_a_supervisor_needs_a_permission_set_of_the_supervision_policy(replicon: Rig) -> None:
    boss, peer = f"{TENANT_URI}:user:2", replicon.create("peer")
    result = replicon.result(UPSERT, replicon.upsert({**minimal("jane"), **supervisor(peer)}))
    uri = result["user"]["uri"]
    assert "supervisor permission set" in partial(result)[0]
    assert replicon.seen(uri)["supervisor"] is None
    assert replicon.modify(uri, **supervisor(boss))["errors"] == []
    assert replicon.seen(uri)["supervisor"] == boss


def supervisor(uri: str) -> dict[str, Any]:
    return {"supervisorSchedule": [{"dateRange": None, "item": {"uri": uri, "loginName": None}}]}


def test_nobody_supervises_themselves_or_is_supervised_by_nobody(replicon: Rig) -> None:
    boss = f"{TENANT_URI}:user:2"
    assert "own supervisor" in partial(replicon.modify(boss, **supervisor(boss)))[0]
    assert "does not exist" in partial(replicon.modify(boss, **supervisor(f"{TENANT_URI}:user:999")))[0]


@pytest.mark.parametrize(
    ("option", "named", "after"),
    [
        ("add", ["Supervisor"], ["Supervisor", "User"]),
        ("remove", ["User"], []),
        ("replace", ["Supervisor"], ["Supervisor"]),
    ],
)
def test_permission_sets_are_added_removed_and_replaced(
    replicon: Rig, option: str, named: list[str], after: list[str]
) -> None:
    uri = replicon.create("jane")
    assert replicon.modify(uri, **permission_sets(option, *named))["errors"] == []
    assert replicon.seen(uri)["permissionSets"] == after


def permission_sets(option: str, *named: str) -> dict[str, Any]:
    items = [{"permissionSetPolicy": {"uri": None, "name": name}, "groupAccessFilter": None} for name in named]
    return {
        "permissionSets": [
            {"modificationOptionUri": f"urn:replicon:collection-modification-option:{option}", "items": items}
        ]
    }


def test_a_permission_set_takes_the_place_of_the_one_of_its_policy(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.modify(uri, **permission_sets("add", "Power User"))
    assert replicon.seen(uri)["permissionSets"] == ["Power User"]


def test_an_unknown_permission_set_is_refused_in_part_and_the_known_one_is_given(replicon: Rig) -> None:
    uri = replicon.create("jane")
    assert "Emperor" in partial(replicon.modify(uri, **permission_sets("add", "Supervisor", "Emperor")))[0]
    assert replicon.seen(uri)["permissionSets"] == ["Supervisor", "User"]


def test_products_are_known_ones(replicon: Rig) -> None:
    uri, known = replicon.create("jane"), "urn:replicon-saas:product:time-off-plus"
    option = "urn:replicon:collection-modification-option:add"
    items = [{"uri": known}, {"uri": "urn:replicon-saas:product:flying-car"}]
    result = replicon.modify(uri, products=[{"modificationOptionUri": option, "items": items}])
    assert "flying-car" in partial(result)[0]
    assert replicon.seen(uri)["products"] == [known]


def test_custom_fields_take_values_of_their_type(replicon: Rig) -> None:
    fields = [
        {"value": {"customField": {"name": "Badge"}, "text": "B-7"}},
        {"value": {"customField": {"name": "Since"}, "date": day(2026, 4, 1)}},
        {"value": {"customField": {"name": "Desk"}, "number": "12.5"}},
        {"value": {"customField": {"name": "Shirt"}, "dropDownOption": {"name": "M"}}},
        {"value": {"customField": {"name": "Hat"}, "text": "7"}},
    ]
    uri = replicon.create("jane")
    assert "Hat" in partial(replicon.modify(uri, customFields=fields))[0]
    assert replicon.seen(uri)["fields"] == {"Badge": "B-7", "Since": "2026-04-01", "Desk": 12.5, "Shirt": "M"}


def test_the_target_of_a_modification_is_found_by_login_name_in_any_letter_case(replicon: Rig) -> None:
    uri = replicon.create("Jane@acme.test")
    body = replicon.upsert({"firstName": {"value": "Janet"}}, {"loginName": "jane@ACME.test"})
    assert replicon.result(UPSERT, body)["user"]["uri"] == uri
    assert replicon.seen(uri)["firstName"] == "Janet"


def test_a_target_without_an_identifier_is_an_error_that_echoes_it(replicon: Rig) -> None:
    error = replicon.error(UPSERT, replicon.upsert({}, {"uri": None, "loginName": None}))
    assert error["type"] == "InvalidUserTargetParameterError1"
    assert error["details"]["displayText"].endswith("One of uri or loginName should be specified in the target.")
    assert error["details"]["target"] == {"uri": None, "loginName": None}


@pytest.mark.parametrize("status", [400, 500])
def test_two_identifiers_in_a_target_are_an_error(replicon: Rig, status: Any) -> None:
    replicon.settings.two_identifiers_status = status
    target = {"loginName": "boss", "employeeId": "E1"}
    error = replicon.error(UPSERT, replicon.upsert({}, target), status=status)
    assert error["details"]["displayText"] == "invalid target fields specified"
    assert error["details"]["target"] == target


@pytest.mark.parametrize("uri", [f"{TENANT_URI}:user:999", f"{TENANT_URI}:department:1", "nonsense"])
def test_a_uri_of_nobody_is_a_uri_error(replicon: Rig, uri: str) -> None:
    error = replicon.error(UPSERT, replicon.upsert({}, {"uri": uri}))
    assert (error["type"], error["code"], error["details"]["uri"]) == ("UriError1", "Client", uri)
    assert error["reason"] == f"URI not found : Incorrect URI Type : {uri}"


def test_a_uri_of_another_tenant_says_so(replicon: Rig) -> None:
    uri = "urn:replicon-tenant:ffffffffffffffffffffffffffffffff:user:1"
    assert replicon.error(UPSERT, replicon.upsert({}, {"uri": uri}))["reason"] == "Invalid Tenant Selected"


@pytest.mark.parametrize("creates", [False, True])
def test_whether_an_unknown_login_as_target_creates_is_a_setting(replicon: Rig, creates: bool) -> None:
    replicon.settings.unknown_login_creates = creates
    response = replicon.post(UPSERT, replicon.upsert(minimal("jane"), {"loginName": "jane"}))
    assert response.status_code == (200 if creates else 400)
    assert (replicon.state.by_login("jane") is not None) is creates


@pytest.mark.parametrize("status", [400, 500])
def test_a_login_name_that_is_taken_in_another_letter_case_is_refused(replicon: Rig, status: Any) -> None:
    replicon.settings.duplicate_login_status = status
    error = replicon.error(UPSERT, replicon.upsert(minimal("BOSS")), status=status)
    assert error["reason"] == "The specified user already exists."


def test_a_login_name_that_is_taken_can_be_a_partial_error_without_a_user(replicon: Rig) -> None:
    replicon.settings.duplicate_login = "partial"
    result = replicon.result(UPSERT, replicon.upsert(minimal("BOSS")))
    assert result["user"] is None
    assert "already exists" in partial(result)[0]


def test_the_login_name_of_a_renamed_user_is_free_again(replicon: Rig) -> None:
    first = replicon.create("jane")
    replicon.modify(first, loginName={"value": "jane_old"})
    assert replicon.create("jane") != first


def test_several_users_share_an_employee_id(replicon: Rig) -> None:
    first = replicon.create("jane", employeeId={"value": "E1"})
    second = replicon.create("janet", employeeId={"value": "E1"})
    assert [user.uri for user in replicon.state.by_employee_id("E1")] == [first, second]


@pytest.mark.parametrize(
    ("bad", "type_"),
    [
        ({"emailAddress": {"value": "jürgen@acme.test"}}, "InvalidUserModificationsParameterError1"),
        ({"firstName": {"value": "x" * 51}}, "InvalidUserModificationsParameterError1"),
        ({"loginName": {"value": ""}}, "InvalidUserModificationsParameterError1"),
        ({"timeZone": {"value": {"IANAName": "Mars/Olympus"}}}, "InvalidUserTimeZoneModificationParameterError1"),
        ({"workWeekStartDay": {"value": {"uri": "x"}}}, "InvalidUserWorkWeekStartDayModificationParameterError1"),
        (
            {"employmentDateRange": {"value": {"startDate": {"year": 2026, "month": 2, "day": 30}}}},
            "InvalidUserModificationsParameterError1",
        ),
    ],
)
def test_a_value_that_breaks_a_rule_fails_the_call_and_changes_nothing(
    replicon: Rig, bad: dict[str, Any], type_: str
) -> None:
    uri = replicon.create("jane")
    before = replicon.seen(uri)
    error = replicon.error(UPSERT, replicon.upsert({"displayName": {"value": "J"}, **bad}, {"uri": uri}))
    assert error["type"] == type_
    assert error["details"]["modificationParameter"] == next(iter(bad.values()))
    assert replicon.seen(uri) == before


def test_a_value_that_breaks_a_rule_can_be_refused_in_part(replicon: Rig) -> None:
    replicon.settings.refused_values = "partial"
    uri = replicon.create("jane")
    result = replicon.modify(uri, displayName={"value": "J"}, emailAddress={"value": "jürgen@acme.test"})
    assert "ASCII" in partial(result)[0]
    assert (replicon.seen(uri)["displayName"], replicon.seen(uri)["emailAddress"]) == ("J", None)


@pytest.mark.parametrize("unit", [None, "", " ", 7])
def test_a_unit_of_work_id_is_required(replicon: Rig, unit: Any) -> None:
    error = replicon.error(UPSERT, {**replicon.upsert(minimal("jane")), "unitOfWorkId": unit})
    assert error["type"] == "MissingRequiredParameterError1"
    assert error["details"]["displayText"] == "Unit Of Work Id must be a non-empty string value"
    assert replicon.state.by_login("jane") is None


def test_a_unit_of_work_id_that_came_before_gives_its_first_result_and_has_no_effect(replicon: Rig) -> None:
    first = replicon.result(UPSERT, replicon.upsert(minimal("jane"), unit="u"))
    again = replicon.result(UPSERT, replicon.upsert(minimal("janet"), unit="u"))
    assert again == first
    assert replicon.state.by_login("janet") is None
    assert (replicon.state.replays, replicon.state.writes_requested[UPSERT]) == (1, 2)


def test_an_error_is_not_kept_for_its_unit_of_work_id(replicon: Rig) -> None:
    replicon.error(UPSERT, replicon.upsert(minimal("boss"), unit="u"))
    assert replicon.result(UPSERT, replicon.upsert(minimal("jane"), unit="u"))["user"]["loginName"] == "jane"


def test_how_long_a_unit_of_work_id_is_kept_is_a_setting(replicon: Rig) -> None:
    replicon.settings.unit_of_work_seconds = -1
    replicon.result(UPSERT, replicon.upsert(minimal("jane"), unit="u"))
    assert replicon.error(UPSERT, replicon.upsert(minimal("jane"), unit="u"))["reason"].endswith("already exists.")


def test_full_success_may_be_told_by_null(replicon: Rig) -> None:
    replicon.settings.no_errors_as_null = True
    assert replicon.result(UPSERT, replicon.upsert(minimal("jane")))["errors"] is None


def test_the_log_tells_real_changes_with_before_and_after(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.modify(uri, firstName={"value": "Janet"})
    created, changed = replicon.state.change_log
    assert (created.kind, created.operation, created.caller, created.unit_of_work_id) == (
        "create",
        UPSERT,
        "svc",
        "unit 0",
    )
    assert (changed.kind, changed.uri, changed.changes) == ("update", uri, {"firstName": ("Jane", "Janet")})


def test_a_write_that_changes_nothing_is_counted_and_not_logged(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.modify(uri, firstName={"value": "Jane"}, **permission_sets("add", "User"))
    assert len(replicon.state.change_log) == 1
    assert replicon.state.writes_requested[UPSERT] == 2


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    first=st.text(st.characters(codec="utf-8", categories=["L", "M"]), min_size=1, max_size=40),
    enabled=st.booleans(),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Tokyo"]),
    group=st.sampled_from(["North", "South"]),
)
def test_repeating_a_modification_changes_nothing(
    replicon: Rig, first: str, enabled: bool, zone: str, group: str
) -> None:
    uri = next(iter(replicon.state.users))
    modifications = {
        "displayName": {"value": first},
        "securitySettings": {"value": {"loginEnabled": {"value": True}, "ssoName": {"value": str(enabled)}}},
        "timeZone": {"value": {"IANAName": zone}},
        **item("division", group),
    }
    replicon.modify(uri, **modifications)
    changes = len(replicon.state.change_log)
    replicon.modify(uri, **modifications)
    assert len(replicon.state.change_log) == changes

"""Reads of users: bulk reads with their empty slots, single reads, lookups of what users can be given."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.sandbox.replicon_wire import TENANT_URI
from tests.deployments.sandbox.replicon_rig import Rig
from tests.deployments.sandbox.test_replicon_upsert import day, item, permission_sets, supervisor

BULK = "ImportService1.BulkGetUsers3"
OMIT = "urn:replicon:data-load-option:omit-data-if-insufficient-access-permission"
FAIL = "urn:replicon:data-load-option:fail-if-insufficient-data-access-permission"
BOSS = f"{TENANT_URI}:user:2"


def bulk(replicon: Rig, *targets: dict[str, Any], option: str | None = None) -> list[Any]:
    found: list[Any] = replicon.result(BULK, {"users": list(targets), "dataLoadOptionUri": option})
    return found


def test_a_bulk_read_gives_everything_an_account_has(replicon: Rig) -> None:
    uri = replicon.create(
        "jane@acme.test",
        displayName={"value": "J. Doe"},
        emailAddress={"value": "jane@acme.test"},
        employeeId={"value": "E1"},
        employmentDateRange={"value": {"startDate": day(2026, 4, 1), "endDate": None}},
        timeZone={"value": {"IANAName": "Europe/London"}},
        customFields=[{"value": {"customField": {"name": "Shirt"}, "dropDownOption": {"name": "M"}}}],
        **item("department", "North"),
        **supervisor(BOSS),
        **permission_sets("add", "Supervisor"),
    )
    [user] = bulk(replicon, {"loginName": "JANE@acme.test"})
    details = user["userDetails"]
    assert {name: details[name] for name in ("uri", "displayText", "customDisplayName", "firstName", "lastName")} == {
        "uri": uri,
        "displayText": "J. Doe",
        "customDisplayName": "J. Doe",
        "firstName": "Jane",
        "lastName": "Doe",
    }
    assert (details["emailAddress"], details["employeeId"], details["isEnabled"]) == ("jane@acme.test", "E1", True)
    assert details["employmentDateRange"]["startDate"] == day(2026, 4, 1)
    assert details["supervisor"]["user"]["uri"] == BOSS
    shirt = next(value for value in details["customFieldValues"] if value["customField"]["name"] == "Shirt")
    assert shirt["dropDownOption"]["displayText"] == "M"
    assert user["securityConfiguration"]["loginName"] == "jane@acme.test"
    assert user["securityConfiguration"]["isLoginEnabled"] is True
    assert {each["name"] for each in user["permissionSets"]} == {"User", "Supervisor"}
    assert user["timeZone"]["IANAName"] == "Europe/London"
    assert user["departmentGroupSchedule"][0]["departmentGroup"]["name"] == "North"
    assert user["supervisorAssignmentSchedule"]["initialSupervisor"]["user"]["uri"] == BOSS


def test_who_is_not_found_leaves_a_null_slot(replicon: Rig) -> None:
    found = bulk(replicon, {"loginName": "nobody"}, {"loginName": "boss"}, {"employeeId": "E9"})
    assert [user and user["userDetails"]["uri"] for user in found] == [None, BOSS, None]


def test_a_bulk_read_of_nobody_is_empty(replicon: Rig) -> None:
    assert bulk(replicon) == []


@pytest.mark.parametrize(("setting", "status"), [("null", 200), ("error", 400)])
def test_whether_a_uri_of_nobody_fails_a_bulk_read_is_a_setting(replicon: Rig, setting: Any, status: int) -> None:
    replicon.settings.unknown_uri_in_bulk = setting
    response = replicon.post(BULK, {"users": [{"uri": f"{TENANT_URI}:user:999"}]})
    assert response.status_code == status
    assert response.json().get("d") == ([None] if status == 200 else None)


@pytest.mark.parametrize(("slots", "found"), [("null", [None, BOSS]), ("drop", [BOSS])])
def test_users_whom_nobody_may_read_leave_a_null_slot_or_none(replicon: Rig, slots: Any, found: list[str]) -> None:
    replicon.settings.unreadable_slots = slots
    uri = replicon.create("jane")
    replicon.state.unreadable.add(replicon.account(uri).number)
    read = bulk(replicon, {"uri": uri}, {"uri": BOSS}, option=OMIT)
    assert [user and user["userDetails"]["uri"] for user in read] == found


def test_a_bulk_read_can_insist_on_reading_everyone(replicon: Rig) -> None:
    replicon.state.unreadable.add(2)
    error = replicon.error(BULK, {"users": [{"uri": BOSS}], "dataLoadOptionUri": FAIL})
    assert error["type"] == "AuthorizationError1"


def test_a_bulk_read_may_have_a_largest_size(replicon: Rig) -> None:
    replicon.settings.largest_bulk = 1
    assert "No more than 1" in replicon.error(BULK, {"users": [{"uri": BOSS}] * 2})["details"]["displayText"]


def test_schedules_can_come_as_date_ranges(replicon: Rig) -> None:
    replicon.settings.schedule_entries = "date_range"
    uri = replicon.create("jane", **item("location", "North"))
    replicon.modify(uri, **item("location", "South", day(2999, 1, 1)))
    [user] = bulk(replicon, {"uri": uri})
    assert [(entry["item"]["name"], entry["dateRange"]["endDate"]) for entry in user["locationSchedule"]] == [
        ("North", day(2998, 12, 31)),
        ("South", None),
    ]
    assert user["divisionSchedule"] == []


def test_a_past_end_date_may_disable_the_login(replicon: Rig) -> None:
    ended = {"startDate": day(2019, 1, 1), "endDate": day(2020, 1, 1)}
    uri = replicon.create("jane", employmentDateRange={"value": ended})
    replicon.settings.past_end_date_disables = True
    [user] = bulk(replicon, {"uri": uri})
    assert (user["userDetails"]["isEnabled"], replicon.account(uri).enabled) == (False, True)


def test_the_four_names_of_the_login_status_agree(replicon: Rig) -> None:
    uri = replicon.create("jane", securitySettings={"value": {"loginEnabled": {"value": False}}})
    [user] = bulk(replicon, {"uri": uri})
    flat = replicon.result("ImportService2.GetUserDetails", {"user": {"uri": uri}})
    rows = replicon.result(
        "UserListService1.GetData",
        {
            "page": 1,
            "pagesize": 10,
            "columnUris": ["urn:replicon:user-list-column:user", "urn:replicon:user-list-column:enabled"],
        },
    )["rows"]
    listed = next(row["cells"][1]["boolValue"] for row in rows if row["cells"][0]["uri"] == uri)
    assert [
        user["userDetails"]["isEnabled"],
        user["securityConfiguration"]["isLoginEnabled"],
        flat["loginEnabled"],
        listed,
    ] == [False] * 4


def test_the_flat_details_have_dates_names_and_sets(replicon: Rig) -> None:
    uri = replicon.create("jane", employmentDateRange={"value": {"startDate": day(2026, 4, 1)}})
    flat = replicon.result("ImportService2.GetUserDetails", {"user": {"loginName": "jane"}, "dataLoadOptionUri": OMIT})
    assert (flat["uri"], flat["startDate"], flat["endDate"], flat["permissionSets"][0]["name"]) == (
        uri,
        day(2026, 4, 1),
        None,
        "User",
    )


@pytest.mark.parametrize("operation", ["ImportService2.GetUserDetails", "UserService1.GetUser2"])
def test_a_single_read_of_nobody_gives_null_or_an_error(replicon: Rig, operation: str) -> None:
    assert replicon.result(operation, {"user": {"loginName": "nobody"}}) is None
    replicon.settings.unknown_user_reads = "error"
    assert replicon.error(operation, {"user": {"loginName": "nobody"}})["type"] == "InvalidUserTargetParameterError1"


@pytest.mark.parametrize("without_case", [True, False])
def test_whether_login_names_are_found_without_case_is_a_setting(replicon: Rig, without_case: bool) -> None:
    replicon.settings.logins_found_without_case = without_case
    assert (replicon.result("UserService1.GetUser2", {"user": {"loginName": "BOSS"}}) is not None) is without_case


def test_references_come_in_bulk_with_null_slots(replicon: Rig) -> None:
    found = replicon.result("UserService1.BulkGetUsers2", {"users": [{"loginName": "nobody"}, {"uri": BOSS}]})
    assert found == [None, {"uri": BOSS, "loginName": "boss", "displayText": "Ss, Bo", "slug": "boss"}]


def test_details_tell_the_supervisor_twice(replicon: Rig) -> None:
    uri = replicon.create("jane", **supervisor(BOSS))
    details = replicon.result("UserService1.GetUserDetails", {"userUri": uri})
    [bulk_details] = replicon.result("UserService1.BulkGetUserDetails", {"userUri": [uri]})
    assert details["supervisor"]["uri"] == details["supervisor"]["user"]["uri"] == BOSS
    assert bulk_details == details


def test_all_and_enabled_users_are_listed(replicon: Rig) -> None:
    replicon.create("jane", securitySettings={"value": {"loginEnabled": {"value": False}}})
    assert [user["loginName"] for user in replicon.result("UserService1.GetAllUsers")] == ["svc", "boss", "jane"]
    assert [user["loginName"] for user in replicon.result("UserService1.GetEnabledUsers")] == ["svc", "boss"]


def test_direct_reports_and_supervisors_are_told_for_a_day(replicon: Rig) -> None:
    uri = replicon.create("jane", **supervisor(BOSS))
    option = "urn:replicon:user-status-option:include-all-users"
    reports = replicon.result(
        "UserService1.GetDirectReportsForUser",
        {"userUri": BOSS, "asOfDate": day(2026, 1, 1), "userStatusOptionUri": option},
    )
    above = replicon.result("UserService1.GetSupervisorAssignmentDetails", {"userUri": uri, "asOfDate": None})
    none = replicon.result("UserService1.GetSupervisorAssignmentDetails", {"userUri": BOSS, "asOfDate": None})
    assert ([user["uri"] for user in reports], above["supervisor"]["user"]["uri"], none) == ([uri], BOSS, None)


def test_permission_sets_and_who_has_them_can_be_read(replicon: Rig) -> None:
    sets = {each["name"]: each for each in replicon.result("PermissionSetService1.GetAllPermissionSets")}
    assigned = replicon.result("PermissionSetService1.GetAssignedPermissionSetsForUser2", {"userUri": BOSS})
    assert sets["System Administrator"]["slug"] == "system-administrator"
    assert [(each["policyUri"], each["permissionSet"]["name"]) for each in assigned] == [
        ("urn:replicon:policy:supervision", "Supervisor")
    ]


@pytest.mark.parametrize(
    "operation",
    [
        "DepartmentGroupService1.GetAllDepartmentGroups",
        "EmployeeTypeGroupService1.GetEnabledEmployeeTypeGroups",
        "DivisionService1.GetAllDivisions",
        "CostCenterService1.GetAllCostCenters",
        "ServiceCenterService1.GetEnabledServiceCenters",
    ],
)
def test_groups_of_every_kind_can_be_listed(replicon: Rig, operation: str) -> None:
    assert [group["name"] for group in replicon.result(operation)] == ["North", "South"]


def test_groups_tell_what_they_are_within(replicon: Rig) -> None:
    groups = {group["name"]: group for group in replicon.result("LocationService1.GetAllLocations")}
    assert groups["London"]["parent"]["uri"] == groups["Europe"]["uri"]
    assert groups["Europe"]["parent"] is None


def test_the_company_department_is_the_root_of_the_old_departments(replicon: Rig) -> None:
    assert replicon.result("DepartmentService1.GetCompanyDepartment")["uri"] == f"{TENANT_URI}:department:1"
    assert replicon.result("DepartmentService1.GetIsLegacyDepartmentEnabled") is False


def test_time_zones_have_lower_case_dashed_uris(replicon: Rig) -> None:
    zones = {zone["IANAName"]: zone["uri"] for zone in replicon.result("InternationalizationService1.GetAllTimeZones")}
    assert zones["America/New_York"] == "urn:replicon:time-zone:america-new-york"


def test_custom_fields_of_users_and_their_options_can_be_read(replicon: Rig) -> None:
    fields = replicon.result("CustomFieldService1.GetAllCustomFields", {"objectUri": "urn:replicon:object-type:user"})
    shirt = next(field for field in fields if field["name"] == "Shirt")
    options = replicon.result(
        "CustomFieldService1.GetEnabledCustomFieldDropDownOptions", {"customFieldUri": shirt["uri"]}
    )
    assert shirt["type"]["uri"] == "urn:replicon:custom-field-type:drop-down"
    assert [option["name"] for option in options] == ["S", "M"]

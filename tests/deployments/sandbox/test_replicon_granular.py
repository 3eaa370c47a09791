"""Operations that change one thing of one user, and deletion."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deployments.sandbox.replicon_wire import TENANT_URI
from tests.deployments.sandbox.replicon_rig import COMPANY, Rig
from tests.deployments.sandbox.test_replicon_upsert import day

BOSS = f"{TENANT_URI}:user:2"


def uri_of(replicon: Rig, operation: str, name: str, **body: Any) -> str:
    return next(each["uri"] for each in replicon.result(operation, body) if each["name"] == name)


@pytest.mark.parametrize(
    ("operation", "body", "name", "after"),
    [
        ("SecurityService1.DisableLogin", {}, "loginEnabled", False),
        ("SecurityService1.SetSSOAuthenticationForUser", {"loginName": "j.doe"}, "loginName", "j.doe"),
        ("SecurityService1.SetSSOAuthenticationForUser", {"loginName": "jane"}, "authentication", "sso"),
        ("SecurityService1.SetRepliconAuthenticationForUser", {"loginName": "j.doe"}, "loginName", "j.doe"),
        ("UserService1.UpdateFirstName", {"firstname": "Janet"}, "firstName", "Janet"),
        ("UserService1.UpdateLastName", {"lastname": "Roe"}, "lastName", "Roe"),
        ("UserService1.UpdateEmail", {"email": "j@acme.test"}, "emailAddress", "j@acme.test"),
        ("UserService1.UpdateEmployeeId", {"employeeId": "E2"}, "employeeId", "E2"),
        (
            "UserService1.UpdateEmploymentDateRange",
            {"dateRange": {"startDate": {"year": 2026, "month": 1, "day": 2}, "endDate": None}},
            "startDate",
            "2026-01-02",
        ),
        (
            "UserService1.UpdateSupervisorAssignmentScheduleOverDateRange",
            {"supervisorUri": BOSS, "dateRange": {"startDate": {"year": 2020, "month": 1, "day": 2}}},
            "supervisor",
            BOSS,
        ),
        (
            "UserService1.PutSupervisorAssignmentSchedule",
            {"initialSupervisorUri": BOSS, "scheduleEntries": []},
            "supervisor",
            BOSS,
        ),
        (
            "UserService1.PutSupervisorAssignmentSchedule2",
            {"scheduleEntries": [{"supervisor": {"loginName": "boss"}, "effectiveDate": None}]},
            "supervisor",
            BOSS,
        ),
        (
            "UserService1.UpdateWorkWeekStartDayForUser",
            {"dayOfWeekUri": "urn:replicon:day-of-week:sunday"},
            "workWeekStartDay",
            "sunday",
        ),
        (
            "InternationalizationService1.UpdateTimeZoneForUser",
            {"timeZoneUri": "urn:replicon:time-zone:europe-london"},
            "timeZone",
            "Europe/London",
        ),
        (
            "DepartmentService1.UpdateDepartmentForUser",
            {"departmentUri": f"{TENANT_URI}:department:1"},
            "department",
            "Company",
        ),
    ],
)
def test_one_thing_is_changed(replicon: Rig, operation: str, body: dict[str, Any], name: str, after: Any) -> None:
    uri = replicon.create("jane")
    assert replicon.result(operation, {"userUri": uri, **body}) is None
    assert replicon.seen(uri)[name] == after
    assert replicon.state.writes_requested[operation] == 1


def test_a_login_is_given_back(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.result("SecurityService1.DisableLogin", {"userUri": uri})
    replicon.result("SecurityService1.EnableLogin", {"userUri": uri})
    assert [change.changes for change in replicon.state.change_log[1:]] == [
        {"loginEnabled": (True, False)},
        {"loginEnabled": (False, True)},
    ]


@pytest.mark.parametrize(
    ("operation", "service", "listing", "member"),
    [
        ("PutDepartmentGroupScheduleForUser", "DepartmentGroupService1", "GetAllDepartmentGroups", "departmentGroup"),
        (
            "PutEmployeeTypeGroupScheduleForUser",
            "EmployeeTypeGroupService1",
            "GetAllEmployeeTypeGroups",
            "employeeTypeGroup",
        ),
        ("PutLocationScheduleForUser", "LocationService1", "GetAllLocations", "location"),
        ("PutCostCenterScheduleForUser", "CostCenterService1", "GetAllCostCenters", "costCenter"),
    ],
)
def test_a_group_schedule_is_replaced(replicon: Rig, operation: str, service: str, listing: str, member: str) -> None:
    uri = replicon.create("jane")
    south = uri_of(replicon, f"{service}.{listing}", "South")
    entries = [{member: {"uri": south}, "effectiveDate": None}]
    replicon.result(f"{service}.{operation}", {"userUri": uri, "scheduleEntries": entries})
    assert replicon.seen(uri)[member] == "South"


def test_an_empty_schedule_removes_the_supervisor(replicon: Rig) -> None:
    uri = replicon.create("jane")
    entry = {"supervisor": {"uri": BOSS}, "effectiveDate": day(2020, 1, 1)}
    replicon.result("UserService1.PutSupervisorAssignmentSchedule2", {"userUri": uri, "scheduleEntries": [entry]})
    assert replicon.seen(uri)["supervisor"] == BOSS
    replicon.result("UserService1.PutSupervisorAssignmentSchedule2", {"userUri": uri, "scheduleEntries": []})
    assert replicon.seen(uri)["supervisor"] is None


def test_a_supervisor_without_the_permission_set_is_an_error_here(replicon: Rig) -> None:
    uri, peer = replicon.create("jane"), replicon.create("peer")
    error = replicon.error(
        "UserService1.PutSupervisorAssignmentSchedule", {"userUri": uri, "initialSupervisorUri": peer}
    )
    assert "supervisor permission set" in error["details"]["displayText"]


@pytest.mark.parametrize(
    ("operation", "field", "value", "after"),
    [
        ("UpdateTextValue", "Badge", "B-7", "B-7"),
        ("UpdateNumericValue", "Desk", "7", 7.0),
        ("UpdateDateValue", "Since", {"year": 2026, "month": 4, "day": 1}, "2026-04-01"),
    ],
)
def test_custom_fields_are_changed(replicon: Rig, operation: str, field: str, value: Any, after: Any) -> None:
    uri = replicon.create("jane")
    field_uri = uri_of(
        replicon, "CustomFieldService1.GetAllCustomFields", field, objectUri="urn:replicon:object-type:user"
    )
    body = {"objectUri": uri, "customFieldUri": field_uri, "value": value}
    replicon.result(f"CustomFieldService1.{operation}", body)
    assert replicon.seen(uri)["fields"] == {field: after}


def test_a_drop_down_takes_its_options_only(replicon: Rig) -> None:
    uri = replicon.create("jane")
    shirt = uri_of(
        replicon, "CustomFieldService1.GetAllCustomFields", "Shirt", objectUri="urn:replicon:object-type:user"
    )
    medium = uri_of(replicon, "CustomFieldService1.GetAllCustomFieldDropDownOptions", "M", customFieldUri=shirt)
    body = {"objectUri": uri, "customFieldUri": shirt}
    replicon.result("CustomFieldService1.UpdateDropdownValue", {**body, "customFieldDropDownOptionUri": medium})
    assert replicon.seen(uri)["fields"] == {"Shirt": "M"}
    error = replicon.error("CustomFieldService1.UpdateDropdownValue", {**body, "customFieldDropDownOptionUri": "x"})
    assert error["type"] == "UriError1"


def test_permission_sets_are_assigned_taken_away_and_replaced(replicon: Rig) -> None:
    uri = replicon.create("jane")
    supervisor = uri_of(replicon, "PermissionSetService1.GetAllPermissionSets", "Supervisor")
    body = {"userUri": uri, "permissionSetUri": supervisor}
    replicon.result("PermissionSetService1.AssignPermissionSetToUser", body)
    assert replicon.seen(uri)["permissionSets"] == ["Supervisor", "User"]
    replicon.result("PermissionSetService1.RemovePermissionSetAssignmentFromUser", body)
    assert replicon.seen(uri)["permissionSets"] == ["User"]
    replicon.result(
        "PermissionSetService1.PutPermissionSetAssignmentsForUser", {"userUri": uri, "permissionSetUris": [supervisor]}
    )
    assert replicon.seen(uri)["permissionSets"] == ["Supervisor"]


def test_a_rename_to_a_login_name_that_is_taken_is_refused(replicon: Rig) -> None:
    uri = replicon.create("jane")
    error = replicon.error("SecurityService1.SetSSOAuthenticationForUser", {"userUri": uri, "loginName": "BOSS"})
    assert error["reason"] == "The specified user already exists."


def test_an_account_with_single_sign_on_cannot_use_a_password(replicon: Rig) -> None:
    replicon.state.passwords[2] = "secret"
    replicon.result("SecurityService1.SetSSOAuthenticationForUser", {"userUri": BOSS, "loginName": "boss"})
    auth = (f"{COMPANY}\\boss", "secret")
    assert replicon.error("UserAccessControlService1.GetMyIdentity", status=401, auth=auth)["code"] == "Sender"


def test_a_user_without_data_is_deleted(replicon: Rig) -> None:
    uri = replicon.create("jane")
    replicon.result("UserService1.Delete", {"userUri": uri})
    assert replicon.state.by_login("jane") is None
    assert replicon.state.change_log[-1].kind == "delete"


def test_a_user_with_data_is_not_deleted(replicon: Rig) -> None:
    uri = replicon.create("jane")
    jane = replicon.account(uri)
    replicon.server.run(lambda: replicon.state.put(jane, dataclasses.replace(jane, has_data=True)))
    error = replicon.error("UserService1.Delete", {"userUri": uri})
    assert "data" in error["reason"]
    assert replicon.state.by_login("jane") is not None


def test_about_the_share_of_new_users_that_is_set_get_data(replicon: Rig) -> None:
    replicon.settings.data_share = 0.3
    having = sum(replicon.state.gets_data(number) for number in range(10_000))
    assert 2_800 < having < 3_200


@pytest.mark.parametrize("body", [{}, {"userUri": f"{TENANT_URI}:user:999"}])
def test_a_user_who_is_not_named_or_not_there_is_an_error(replicon: Rig, body: dict[str, str]) -> None:
    error = replicon.error("SecurityService1.EnableLogin", body)
    assert error["type"] == ("UriError1" if body else "MissingRequiredParameterError1")

"""The attribute table is whole, names unknown attributes helpfully, and reads every nesting that answers may have."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES, attribute, binding
from tasks.model import BadInputError

TODAY = dt.date(2026, 6, 15)
GROUPS = {
    "Department": ("departmentGroupSchedule", "departmentGroup"),
    "EmployeeType": ("employeeTypeGroupSchedule", "employeeTypeGroup"),
    "Location": ("locationSchedule", "location"),
    "Division": ("divisionSchedule", "division"),
    "CostCenter": ("costCenterSchedule", "costCenter"),
    "ServiceCenter": ("serviceCenterSchedule", "serviceCenter"),
}


def read(name: str, item: dict[str, Any]) -> Any:
    return binding(name).wire.read(item, TODAY)


def day(year: int, month: int = 1, number: int = 1) -> dict[str, int]:
    return {"year": year, "month": month, "day": number}


def named(name: str) -> dict[str, str]:
    return {"uri": f"urn:replicon-tenant:slug:group:{name}", "name": name, "displayText": name}


def test_only_a_login_name_is_required_and_three_attributes_match() -> None:
    assert {name for name, each in TARGET_ATTRIBUTES.items() if each.required} == {"LoginName"}
    assert {name for name, each in TARGET_ATTRIBUTES.items() if each.matchable} == {
        "LoginName",
        "EmailAddress",
        "EmployeeId",
    }


@pytest.mark.parametrize("name", TARGET_ATTRIBUTES)
def test_every_attribute_is_described_and_reads_nothing_out_of_nothing(name: str) -> None:
    assert TARGET_ATTRIBUTES[name].description
    assert read(name, {}) in (None, [])


def test_an_unknown_attribute_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BadInputError, match="did you mean EmailAddress"):
        attribute("EmailAdress")


@pytest.mark.parametrize("name", ["CustomField:", "CustomField: ", "ExtensionField:", "customfield:Badge", "Other"])
def test_a_field_without_a_name_is_no_attribute(name: str) -> None:
    assert name not in TARGET_ATTRIBUTES


def test_custom_fields_are_attributes_without_being_listed() -> None:
    assert TARGET_ATTRIBUTES["CustomField:Badge"].name == "CustomField:Badge"
    assert "CustomField:Badge" not in list(TARGET_ATTRIBUTES)


@pytest.mark.parametrize("name", GROUPS)
def test_the_group_in_force_today_is_read_from_either_form_of_schedule(name: str) -> None:
    key, member = GROUPS[name]
    effective = [
        {member: named("Old"), "effectiveDate": None},
        {member: named("Now"), "effectiveDate": day(2026)},
        {member: named("Next"), "effectiveDate": day(2027)},
    ]
    ranged = [
        {"item": named("Next"), "dateRange": {"startDate": day(2027), "endDate": None}},
        {"item": named("Now"), "dateRange": {"startDate": day(2026), "endDate": day(2026, 12, 31)}},
        {"item": named("Old"), "dateRange": {"startDate": None, "endDate": day(2025, 12, 31)}},
    ]
    assert [read(name, {key: effective}), read(name, {"userDetails": {key: ranged}})] == ["Now", "Now"]


def test_a_schedule_with_nothing_in_force_gives_its_last_entry() -> None:
    later = [
        {"location": named("A"), "effectiveDate": day(2027)},
        {"location": named("B"), "effectiveDate": day(2028)},
    ]
    assert read("Location", {"locationSchedule": later}) == "B"


def test_an_account_taken_out_of_its_group_has_none() -> None:
    schedule = [
        {"departmentGroup": named("Old"), "effectiveDate": None},
        {"departmentGroup": None, "effectiveDate": day(2026)},
    ]
    item = {"departmentGroupSchedule": schedule, "userDetails": {"department": named("Company")}}
    assert read("Department", item) is None


def test_an_account_without_a_group_does_not_show_the_old_department() -> None:
    assert read("Department", {"departmentGroupSchedule": [], "userDetails": {"department": named("Company")}}) is None


def test_a_tenant_without_department_groups_gives_its_old_departments() -> None:
    assert read("Department", {"userDetails": {"department": named("Sales")}}) == "Sales"


@pytest.mark.parametrize(
    ("name", "item", "expected"),
    [
        ("Supervisor", {"userDetails": {"supervisor": {"user": {"uri": "urn:7"}}}}, "urn:7"),
        ("Supervisor", {"userDetails": {"supervisor": {"uri": "urn:7"}}}, "urn:7"),
        ("LoginEnabled", {"securityConfiguration": {"isLoginEnabled": "false"}}, "False"),
        ("LoginEnabled", {"userDetails": {"isEnabled": True}}, "True"),
        ("TimeZone", {"timeZone": {"uri": "urn:replicon:time-zone:america-new-york"}}, "America/New_York"),
        ("TimeZone", {"userDetails": {"timeZone": {"uri": "urn:replicon:time-zone:Etc/GMT"}}}, "Etc/GMT"),
        ("TimeZone", {"timeZone": {"uri": None, "IANAName": "Europe/London"}}, "Europe/London"),
        (
            "WorkWeekStartDay",
            {"userDetails": {"workWeekStartDay": {"uri": "urn:replicon:day-of-week:monday"}}},
            "Monday",
        ),
        ("PermissionSets", {"permissionSets": [named("B"), {"permissionSet": named("A")}, None]}, ["A", "B"]),
        (
            "Products",
            {"assignedProducts": [{"uri": "urn:replicon-saas:product:time-off-plus"}, {"product": {"uri": "x"}}]},
            ["time-off-plus", "x"],
        ),
        ("StartDate", {"userDetails": {"employmentDateRange": {"startDate": day(2026, 4, 9)}}}, "2026-04-09"),
        (
            "EndDate",
            {"userDetails": {"employmentDateRange": {"endDate": {"year": "2026", "month": "12", "day": "31"}}}},
            "2026-12-31",
        ),
        ("EmailAddress", {"userDetails": {"emailAddress": ""}}, None),
    ],
)
def test_an_attribute_is_read_from_each_form_it_may_have(name: str, item: dict[str, Any], expected: Any) -> None:
    assert read(name, item) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"text": "x"}, "x"),
        ({"text": "5", "number": 5.0}, "5"),
        ({"text": "2.50", "number": 2.5}, "2.5"),
        ({"text": "Jan 1", "date": day(2026)}, "2026-01-01"),
        ({"text": "Red", "dropDownOption": named("Red")}, "Red"),
        ({"text": None, "number": None}, None),
    ],
)
def test_a_custom_field_is_read_by_its_type_and_found_by_name_or_uri(held: dict[str, Any], expected: Any) -> None:
    item = {"userDetails": {"customFieldValues": [{"customField": named("Badge"), **held}]}}
    assert read("CustomField:Badge", item) == expected
    assert read("CustomField:urn:replicon-tenant:slug:group:Badge", item) == expected


def test_an_extension_field_is_read_by_the_uri_of_its_definition() -> None:
    values = [{"definition": {"uri": "urn:a"}, "textValue": "x"}, {"definition": {"uri": "urn:b"}, "tag": {"uri": "t"}}]
    item = {"userDetails": {"extensionFieldValues": values}}
    assert [read(f"ExtensionField:{uri}", item) for uri in ("urn:a", "urn:b", "urn:c")] == ["x", "t", None]

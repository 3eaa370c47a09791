"""The mapping that the product ships makes the accounts that its comments promise."""

from __future__ import annotations

import pytest

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.transform.mapping import AttributeMapping, Matching
from tasks.transform.schema import load_mapping
from tests.transform.cases import DEFAULT_MAPPING, accounts, values_of

ADA = {
    "userPrincipalName": "ada.lovelace@acme.test",
    "mail": "ada@acme.test",
    "givenName": "Ada",
    "surname": "Lovelace",
    "displayName": "Ada Lovelace",
    "employeeId": "E1001",
    "employeeHireDate": "2026-04-01T07:00:00Z",
    "employeeLeaveDateTime": "2027-12-31T23:00:00Z",
    "department": "Analysis",
    "employeeType": "Employee",
    "officeLocation": "London",
    "companyName": "Acme Ltd",
    "extensionAttribute1": "CC-100",
    "extensionAttribute2": "Europe/London",
    "manager": "id-9",
    "accountEnabled": "True",
    "appRoleAssignments": ["Replicon.User"],
}


@pytest.fixture(scope="module")
def mapping() -> AttributeMapping:
    return load_mapping(DEFAULT_MAPPING, TARGET_ATTRIBUTES)


def test_everything_in_it_is_honoured(mapping: AttributeMapping) -> None:
    assert mapping.notes == ()


def test_it_matches_by_login_name_then_by_address(mapping: AttributeMapping) -> None:
    assert mapping.matching == (Matching("LoginName", 1), Matching("EmailAddress", 2))


def test_a_person_becomes_this_account(mapping: AttributeMapping) -> None:
    made = accounts(mapping, ADA)
    account = {name: values_of(made.values, name)[0] for name in made.values.columns if name != "PermissionSets"}
    assert account == {
        "LoginName": "ada.lovelace@acme.test",
        "EmailAddress": "ada@acme.test",
        "LoginEnabled": "True",
        "SsoName": "ada.lovelace@acme.test",
        "FirstName": "Ada",
        "LastName": "Lovelace",
        "DisplayName": "Ada Lovelace",
        "EmployeeId": "E1001",
        "StartDate": "2026-04-01",
        "EndDate": "2027-12-31",
        "Department": "Analysis",
        "EmployeeType": "Employee",
        "Location": "London",
        "Division": "Acme Ltd",
        "CostCenter": "CC-100",
        "TimeZone": "Europe/London",
        "Supervisor": "id-9",
    }
    assert made.flows.all(axis=None)


@pytest.mark.parametrize(
    ("roles", "sets"),
    [
        (["Replicon.User"], ["User"]),
        (["Replicon.User", "Replicon.Supervisor"], ["User", "Supervisor"]),
        (["Replicon.ProjectManager", "Replicon.User"], ["Project Manager", "User"]),
        (None, None),
    ],
)
def test_app_roles_become_permission_sets(
    mapping: AttributeMapping, roles: list[str] | None, sets: list[str] | None
) -> None:
    made = accounts(mapping, {**ADA, "appRoleAssignments": roles}, ADA)
    assert values_of(made.values, "PermissionSets")[0] == sets


def test_the_address_falls_back_to_the_sign_in_name(mapping: AttributeMapping) -> None:
    assert values_of(accounts(mapping, {**ADA, "mail": None}).values, "EmailAddress") == ["ada.lovelace@acme.test"]


def test_a_blocked_person_loses_the_login(mapping: AttributeMapping) -> None:
    made = accounts(mapping, {**ADA, "accountEnabled": "False"})
    assert values_of(made.values, "LoginEnabled") == ["False"]
    assert values_of(made.flows, "LoginEnabled") == [True]

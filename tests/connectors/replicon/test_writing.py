"""Requests are exact and repeatable, leave out what the tenant cannot take; partial success is told part by part."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.connectors.replicon.errors import Failure, ObjectRefusedError, RepliconError
from tasks.connectors.replicon.users import RepliconUsers
from tasks.connectors.replicon.values import Value
from tasks.connectors.replicon.writing import Prepared
from tasks.model import STRING, STRINGS, Operation
from tests.connectors.replicon.scripted import (
    CORRELATION,
    ScriptedReplicon,
    failure,
    one_after_the_other,
    scripted,
)

UPSERT = "ImportService2.CreateUserOrApplyModifications"
DELETE = "UserService1.Delete"
TENANT = "urn:replicon-tenant:slug"
JANE = f"{TENANT}:user:41"
BOSS = f"{TENANT}:user:7"
TODAY = dt.date(2026, 6, 15)
TODAY_DATE = {"year": 2026, "month": 6, "day": 15}
PERSON: Mapping[str, Value] = {"LoginName": "jane@acme.test", "FirstName": "Jane", "LastName": "Doe"}
ANSWERED = {"user": {"uri": JANE, "loginName": "jane@acme.test"}, "errors": []}


def named(kind: str, name: str) -> dict[str, str]:
    return {"uri": f"{TENANT}:{kind}:{name.lower().replace(' ', '-')}", "name": name, "slug": name.lower()}


def field(name: str, kind: str) -> dict[str, Any]:
    return {**named("user-defined-field", name), "type": {"uri": f"urn:replicon:custom-field-type:{kind}"}}


LISTS: dict[str, Any] = {
    "DepartmentGroupService1.GetAllDepartmentGroups": [
        named("department-group", "Sales"),
        {"uri": f"{TENANT}:department-group:twin-1", "name": "Twin"},
        {"uri": f"{TENANT}:department-group:twin-2", "name": "Twin"},
    ],
    "LocationService1.GetAllLocations": [named("location", "Zürich")],
    "PermissionSetService1.GetAllPermissionSets": [
        named("permission-set", "User"),
        {**named("permission-set", "Team Manager"), "slug": "team-manager"},
    ],
    "InternationalizationService1.GetAllTimeZones": [
        {"uri": "urn:replicon:time-zone:america-new-york", "displayText": "(UTC-05:00) Eastern"},
        {"uri": "urn:replicon:time-zone:europe-zurich", "IANAName": "Europe/Zurich"},
    ],
    "CustomFieldService1.GetAllCustomFields": [
        field("Badge", "text"),
        field("Desk", "numeric"),
        field("Since", "date"),
        field("Shirt", "drop-down"),
    ],
}
EVERYTHING = frozenset({*TARGET_ATTRIBUTES, *(f"CustomField:{name}" for name in ("Badge", "Desk", "Since", "Shirt"))})


@pytest.fixture(scope="module")
def _tenant() -> Iterator[ScriptedReplicon]:
    with scripted() as service:
        yield service


@pytest.fixture
def replicon(_tenant: ScriptedReplicon) -> ScriptedReplicon:
    _tenant.scripts = {name: one_after_the_other(answer) for name, answer in {**LISTS, UPSERT: ANSWERED}.items()}
    _tenant.requests.clear()
    return _tenant


@pytest.fixture
def users(replicon: ScriptedReplicon) -> RepliconUsers:
    return RepliconUsers(replicon.client(attempts=1), EVERYTHING, today=TODAY)


def written(prepared: Prepared) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prepared.body)["modifications"]
    return found


def update(users: RepliconUsers, **values: Value) -> Prepared:
    return users.prepare(Operation.UPDATE, JANE, values, "unit")


def test_a_create_has_no_target_and_switches_the_login_on(users: RepliconUsers) -> None:
    prepared = users.prepare(Operation.CREATE, None, PERSON, "unit-1")
    assert (prepared.service, prepared.operation) == ("ImportService2", "CreateUserOrApplyModifications")
    assert json.loads(prepared.body) == {
        "target": None,
        "template": None,
        "modifications": {
            "loginName": {"value": "jane@acme.test"},
            "firstName": {"value": "Jane"},
            "lastName": {"value": "Doe"},
            "securitySettings": {"value": {"loginEnabled": {"value": True}}},
        },
        "userModificationOptionUri": "urn:replicon:user-modification-option:save",
        "unitOfWorkId": "unit-1",
    }


def test_a_disable_switches_the_login_off_whatever_else_is_written(users: RepliconUsers) -> None:
    prepared = users.prepare(Operation.DISABLE, JANE, {"LoginEnabled": "True"}, "unit")
    assert written(prepared) == {"securitySettings": {"value": {"loginEnabled": {"value": False}}}}
    assert json.loads(prepared.body)["target"] == {"uri": JANE}


def test_an_enable_clears_a_past_end_date_and_keeps_the_start_date(users: RepliconUsers) -> None:
    current = {"StartDate": "2020-03-01", "EndDate": "2026-01-31"}
    prepared = users.prepare(Operation.ENABLE, JANE, {}, "unit", current=current)
    dates = written(prepared)["employmentDateRange"]["value"]
    assert (dates["startDate"], dates["endDate"]) == ({"year": 2020, "month": 3, "day": 1}, None)
    assert written(prepared)["securitySettings"] == {"value": {"loginEnabled": {"value": True}}}


def test_an_enable_leaves_the_dates_of_an_account_without_end_date_alone(users: RepliconUsers) -> None:
    prepared = users.prepare(Operation.ENABLE, JANE, {}, "unit", current={"StartDate": "2020-03-01", "EndDate": None})
    assert list(written(prepared)) == ["securitySettings"]


@pytest.mark.parametrize("passed", [True, False])
def test_an_end_date_alone_keeps_the_start_date(replicon: ScriptedReplicon, users: RepliconUsers, passed: bool) -> None:
    details = {"uri": JANE, "employmentDateRange": {"startDate": {"year": 2020, "month": 3, "day": 1}}}
    replicon.scripts["ImportService1.BulkGetUsers3"] = lambda _: [{"userDetails": details}]
    current = {"StartDate": "2020-03-01"} if passed else None
    prepared = users.prepare(Operation.UPDATE, JANE, {"EndDate": "2026-12-31"}, "unit", current=current)
    assert written(prepared)["employmentDateRange"]["value"] == {
        "startDate": {"year": 2020, "month": 3, "day": 1},
        "endDate": {"year": 2026, "month": 12, "day": 31},
        "relativeDateRangeUri": None,
        "relativeDateRangeAsOfDate": None,
    }
    assert len(replicon.calls("ImportService1.BulkGetUsers3")) == (0 if passed else 1)


def test_a_date_of_an_account_that_is_gone_is_an_unknown_user(replicon: ScriptedReplicon, users: RepliconUsers) -> None:
    replicon.scripts["ImportService1.BulkGetUsers3"] = lambda _: [None]
    with pytest.raises(ObjectRefusedError) as caught:
        update(users, EndDate="2026-12-31")
    assert caught.value.kind is Failure.UNKNOWN_USER


@pytest.mark.parametrize("text", ["sales", "Sales", f"{TENANT}:department-group:sales"])
def test_a_group_is_written_by_uri_whether_named_or_not_and_from_today(users: RepliconUsers, text: str) -> None:
    item = {"uri": f"{TENANT}:department-group:sales", "name": None, "parent": None, "parameterCorrelationId": None}
    dates = {"startDate": TODAY_DATE, "endDate": None}
    assert written(update(users, Department=text))["departmentGroupSchedule"] == [{"dateRange": dates, "item": item}]


def test_groups_of_a_new_account_count_from_its_beginning(users: RepliconUsers) -> None:
    prepared = users.prepare(Operation.CREATE, None, {**PERSON, "Location": "Zürich", "Supervisor": BOSS}, "unit")
    ranges = [written(prepared)[key][0]["dateRange"] for key in ("locationSchedule", "supervisorSchedule")]
    assert ranges == [None, None]


def test_a_new_account_has_nothing_to_clear(users: RepliconUsers) -> None:
    nothing = dict.fromkeys(["Department", "Supervisor", "EmployeeId", "EndDate", "TimeZone", "CustomField:Badge"])
    empty = users.prepare(Operation.CREATE, None, {**PERSON, **nothing}, "unit")
    assert empty == users.prepare(Operation.CREATE, None, PERSON, "unit")


def test_permission_sets_replace_each_other_and_are_found_by_name_slug_or_uri(users: RepliconUsers) -> None:
    sets = ["team-manager", "USER", f"{TENANT}:permission-set:user"]
    [change] = written(update(users, PermissionSets=sets))["permissionSets"]
    assert change["modificationOptionUri"] == "urn:replicon:collection-modification-option:replace"
    assert [item["permissionSetPolicy"]["uri"] for item in change["items"]] == [
        f"{TENANT}:permission-set:team-manager",
        f"{TENANT}:permission-set:user",
    ]


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("Badge", "x", {"text": "x"}),
        ("Desk", "12.0", {"number": 12}),
        ("Desk", "2.50", {"number": 2.5}),
        ("Since", "2026-06-15T08:00:00Z", {"date": TODAY_DATE}),
        ("Shirt", "XL", {"dropDownOption": {"uri": None, "name": "XL"}}),
        ("Shirt", "urn:x:option", {"dropDownOption": {"uri": "urn:x:option", "name": None}}),
        ("Badge", None, {}),
    ],
)
def test_a_custom_field_is_written_in_the_member_of_its_type(
    users: RepliconUsers, name: str, text: str | None, held: dict[str, Any]
) -> None:
    prepared = users.prepare(Operation.UPDATE, JANE, {f"CustomField:{name}": text}, "unit")
    value = {"text": None, "date": None, "number": None, "dropDownOption": None, **held}
    field = {"uri": f"{TENANT}:user-defined-field:{name.lower()}", "name": None}
    assert written(prepared)["customFields"] == [{"value": {"customField": field, **value}}]


@pytest.mark.parametrize("text", ["America/New_York", "urn:replicon:time-zone:america-new-york"])
def test_a_time_zone_is_written_by_the_tenants_uri(users: RepliconUsers, text: str) -> None:
    zone = {"uri": "urn:replicon:time-zone:america-new-york", "IANAName": None}
    assert written(update(users, TimeZone=text))["timeZone"] == {"value": zone}


def test_null_clears_a_text(users: RepliconUsers) -> None:
    assert written(update(users, EmployeeId=None, DisplayName=None)) == {
        "displayName": {"value": None},
        "employeeId": {"value": None},
    }


def test_a_supervisor_is_taken_away_by_the_operation_that_can(replicon: ScriptedReplicon, users: RepliconUsers) -> None:
    prepared = update(users, Supervisor=None)
    assert (prepared.operation, prepared.unit_of_work_id) == ("PutSupervisorAssignmentSchedule2", None)
    assert json.loads(prepared.body) == {"userUri": JANE, "scheduleEntries": []}
    replicon.scripts["UserService1.PutSupervisorAssignmentSchedule2"] = lambda _: None
    assert users.send(prepared).target_uri == JANE


REFUSED: dict[str, tuple[Value, str]] = {
    "Department": ("Nowhere", "the tenant has no department 'Nowhere'; create it in Replicon"),
    "Location": (None, "no way to take an account out of its location"),
    "PermissionSets": (["User", "Wizard"], "no permission set 'Wizard'"),
    "TimeZone": ("Mars/Olympus", "no time zone 'Mars/Olympus'"),
    "WorkWeekStartDay": ("Funday", "a day such as Monday"),
    "StartDate": ("15.06.2026", "a date as yyyy-mm-dd, found '15.06.2026'"),
    "LoginEnabled": ("perhaps", "expected True or False, found 'perhaps'"),
    "EmailAddress": ("jané@acme.test", "plain ASCII"),
    "FirstName": (None, "cannot be empty"),
    "EmployeeId": (["1", "2"], "expected one value, found 2"),
    "CustomField:Desk": ("upstairs", "a number such as 12"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_the_tenant_cannot_take_is_left_out_and_the_rest_is_written(
    users: RepliconUsers, name: str
) -> None:
    value, why = REFUSED[name]
    prepared = users.prepare(Operation.UPDATE, JANE, {name: value, "LastName": "Doe"}, "unit")
    assert list(written(prepared)) == ["lastName"]
    assert list(prepared.refused) == [name]
    assert why in prepared.refused[name]
    assert not prepared.empty


def test_a_name_that_several_groups_have_is_refused_until_a_uri_is_given(users: RepliconUsers) -> None:
    assert "write the URI" in update(users, Department="Twin").refused["Department"]
    assert not update(users, Department=f"{TENANT}:department-group:twin-2").refused


def test_a_request_with_nothing_left_to_write_says_so(users: RepliconUsers) -> None:
    assert update(users, Department="Nowhere").empty


def test_an_unknown_custom_field_is_refused_by_name(replicon: ScriptedReplicon) -> None:
    users = RepliconUsers(replicon.client(), frozenset({"CustomField:Hat"}), today=TODAY)
    assert (
        "no custom field 'Hat'"
        in users.prepare(Operation.UPDATE, JANE, {"CustomField:Hat": "x", "LastName": "Doe"}, "unit").refused[
            "CustomField:Hat"
        ]
    )


@pytest.mark.parametrize("login", [None, ""])
def test_nobody_is_created_without_a_login_name(users: RepliconUsers, login: str | None) -> None:
    with pytest.raises(ObjectRefusedError) as caught:
        users.prepare(Operation.CREATE, None, {**PERSON, "LoginName": login}, "unit")
    assert (caught.value.kind, caught.value.fault.attribute) == (Failure.MISSING_VALUE, "LoginName")


@pytest.mark.parametrize(
    ("operation", "uri"), [(Operation.NONE, JANE), (Operation.CREATE, JANE), (Operation.UPDATE, None)]
)
def test_an_operation_without_its_account_is_a_defect(
    users: RepliconUsers, operation: Operation, uri: str | None
) -> None:
    with pytest.raises(ValueError):
        users.prepare(operation, uri, {}, "unit")


def test_lists_of_the_tenant_are_read_once(replicon: ScriptedReplicon, users: RepliconUsers) -> None:
    for _ in range(3):
        update(users, Department="Sales")
    assert len(replicon.calls("DepartmentGroupService1.GetAllDepartmentGroups")) == 1


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
days = st.dates(dt.date(1990, 1, 1), dt.date(2090, 12, 31)).map(dt.date.isoformat)
VALUES = st.fixed_dictionaries(
    {"LoginName": texts.filter(str.strip)},
    optional={
        "FirstName": texts,
        "EmailAddress": st.emails(),
        "EmployeeId": st.none() | texts,
        "StartDate": days,
        "EndDate": st.none() | days,
        "LoginEnabled": st.sampled_from(["True", "False"]),
        "Department": st.sampled_from(["Sales", "sales", "Nowhere"]),
        "PermissionSets": st.lists(st.sampled_from(["User", "team-manager", "Wizard"]), max_size=3),
        "TimeZone": st.sampled_from(["Europe/Zurich", "America/New_York"]),
        "Products": st.lists(st.sampled_from(["time-off-plus", "time-bill-plus"]), max_size=2),
        "CustomField:Badge": texts,
        "CustomField:Desk": st.integers(-(10**6), 10**6).map(str),
    },
)


def test_the_same_input_gives_the_same_bytes_in_whatever_order_it_comes(users: RepliconUsers) -> None:
    @given(VALUES, st.randoms(use_true_random=False))
    def law(values: dict[str, Value], random: Any) -> None:
        first = users.prepare(Operation.CREATE, None, values, "unit")
        shuffled = list(values.items())
        random.shuffle(shuffled)
        assert users.prepare(Operation.CREATE, None, dict(shuffled), "unit") == first

    law()


SCALARS = sorted(
    {"FirstName", "LastName", "DisplayName", "EmailAddress", "EmployeeId", "StartDate", "WorkWeekStartDay", "TimeZone"}
)


@pytest.mark.parametrize("name", SCALARS)
def test_canonical_values_are_left_as_they_are(users: RepliconUsers, name: str) -> None:
    text = {"StartDate": "2026-06-15", "WorkWeekStartDay": "Monday", "TimeZone": "Europe/Zurich"}.get(name, "x")
    column = pd.Series([text, None], dtype=STRING)
    assert users.canonical(name, column).equals(column)


def test_wished_lists_become_the_sorted_names_that_reading_gives(users: RepliconUsers) -> None:
    wished = [["team-manager", "user", "User"], None, [], ["Wizard"]]
    column = pd.Series(wished, dtype=STRINGS, index=[3, 5, 7, 9], name="PermissionSets")
    expected = pd.Series([["Team Manager", "User"], None, [], ["Wizard"]], dtype=STRINGS, index=column.index)
    assert users.canonical("PermissionSets", column).equals(expected)


def test_wished_names_become_the_tenants_own(users: RepliconUsers) -> None:
    wished = pd.Series(["sales", f"{TENANT}:department-group:sales", None, "Nowhere"], dtype=STRING)
    assert users.canonical("Department", wished).fillna("").tolist() == ["Sales", "Sales", "", "Nowhere"]


# What an answer says, and which of the written attributes it is about.
PARTIAL: dict[str, tuple[str, str]] = {
    "supervisor": (
        "supervisorSchedule: The user Boss does not have a supervisor permission set and cannot be a supervisor.",
        "Supervisor",
    ),
    "permission set": ("permissionSets: there is no permission set 'x'.", "PermissionSets"),
    "department by uri": (f"The object {TENANT}:department-group:sales is disabled.", "Department"),
    "custom field": ("The field Badge is read-only.", "CustomField:Badge"),
    "nothing known": ("Something was refused.", ""),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_a_part_refused_within_a_success_is_told_by_attribute(
    replicon: ScriptedReplicon, users: RepliconUsers, name: str
) -> None:
    text, about = PARTIAL[name]
    notification = {"displayText": text, "severityUri": "urn:replicon:severity:error"}
    replicon.scripts[UPSERT] = lambda _: {**ANSWERED, "errors": [{"notifications": [notification]}]}
    values: dict[str, Value] = {
        "Supervisor": BOSS,
        "PermissionSets": ["User"],
        "Department": "Sales",
        "CustomField:Badge": "x",
    }
    result = users.send(users.prepare(Operation.UPDATE, JANE, values, "unit"))
    assert result.refused == {about: text}
    assert (result.target_uri, result.target_name, result.correlation_id) == (JANE, "jane@acme.test", CORRELATION)


def test_what_was_left_out_and_what_was_refused_are_told_together(
    replicon: ScriptedReplicon, users: RepliconUsers
) -> None:
    replicon.scripts[UPSERT] = lambda _: {**ANSWERED, "errors": [{"displayText": "no such supervisor"}]}
    result = users.send(update(users, Supervisor=BOSS, Department="Nowhere"))
    assert set(result.refused) == {"Supervisor", "Department"}


@pytest.mark.parametrize("errors", [None, []])
def test_a_full_success_refuses_nothing(replicon: ScriptedReplicon, users: RepliconUsers, errors: Any) -> None:
    replicon.scripts[UPSERT] = lambda _: {**ANSWERED, "errors": errors}
    assert users.send(update(users, LastName="Doe")).refused == {}


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"user": None, "errors": None}, {"user": {"uri": None}}, {"user": {"uri": f"{TENANT}:user:99"}}],
)
def test_an_answer_without_the_right_user_leaves_the_outcome_unknown(
    replicon: ScriptedReplicon, users: RepliconUsers, answer: Any
) -> None:
    replicon.scripts[UPSERT] = lambda _: answer
    with pytest.raises(RepliconError) as caught:
        users.send(update(users, LastName="Doe"))
    assert (caught.value.kind, caught.value.outcome_unknown) == (Failure.PROTOCOL, True)


def test_an_answer_with_errors_and_no_user_is_a_refusal_to_look_up(
    replicon: ScriptedReplicon, users: RepliconUsers
) -> None:
    replicon.scripts[UPSERT] = lambda _: {"user": None, "errors": [{"notifications": [{"displayText": "bad name"}]}]}
    with pytest.raises(ObjectRefusedError, match="bad name") as caught:
        users.send(users.prepare(Operation.CREATE, None, PERSON, "unit"))
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("user", [None, ANSWERED["user"]])
def test_a_taken_login_name_within_http_200_is_a_duplicate(
    replicon: ScriptedReplicon, users: RepliconUsers, user: Any
) -> None:
    error = {"notifications": [{"displayText": "The specified user already exists."}]}
    replicon.scripts[UPSERT] = lambda _: {"user": user, "errors": [error]}
    with pytest.raises(ObjectRefusedError) as caught:
        users.send(users.prepare(Operation.CREATE, None, PERSON, "unit"))
    assert (caught.value.kind, caught.value.outcome_unknown) == (Failure.DUPLICATE_LOGIN, False)


@pytest.mark.parametrize(
    ("uri", "kind", "attribute"), [(JANE, Failure.UNKNOWN_USER, ""), (BOSS, Failure.UNKNOWN_URI, "Supervisor")]
)
@pytest.mark.parametrize("echoed", [True, False])
def test_an_unknown_uri_is_told_apart_from_an_unknown_account(
    replicon: ScriptedReplicon, users: RepliconUsers, uri: str, kind: Failure, attribute: str, echoed: bool
) -> None:
    reason = f"URI not found : Incorrect URI Type : {uri}"
    error = {"code": "Client", "type": "UriError1", "reason": reason, "details": {"uri": uri} if echoed else {}}
    replicon.scripts[UPSERT] = lambda _: failure(400, error)
    with pytest.raises(ObjectRefusedError) as caught:
        users.send(update(users, Supervisor=BOSS))
    assert (caught.value.kind, caught.value.fault.attribute) == (kind, attribute)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "Sender", "type": "UserDeleteError1", "reason": "has timesheets"}, Failure.REFUSED_DELETE),
        ({"code": "Client", "type": "UriError1", "details": {"uri": JANE}}, Failure.UNKNOWN_USER),
        ({"code": "Sender", "type": "AuthorizationError1"}, Failure.PERMISSION),
    ],
)
def test_a_delete_that_fails_says_whether_the_account_stays(
    replicon: ScriptedReplicon, users: RepliconUsers, error: dict[str, Any], kind: Failure
) -> None:
    replicon.scripts[DELETE] = lambda _: failure(400, error)
    prepared = users.prepare(Operation.DELETE, JANE, {}, "unit")
    with pytest.raises(RepliconError) as caught:
        users.send(prepared)
    assert (caught.value.kind, prepared.unit_of_work_id) == (kind, None)


def test_a_stored_request_can_be_sent_without_what_made_it(replicon: ScriptedReplicon, users: RepliconUsers) -> None:
    made = update(users, LastName="Doe")
    stored = Prepared(made.service, made.operation, made.body, made.unit_of_work_id)
    assert users.send(stored).target_uri == JANE
    assert replicon.requests[-1].body == made.body

"""Against the sandbox's Replicon: what is written is read back, and every way a write can go wrong is told truly."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.sandbox.replicon_wire import user_uri
from tasks.connectors.replicon.errors import Failure, NotPermittedError, ObjectRefusedError, RepliconError, StopJobError
from tasks.connectors.replicon.values import Value
from tasks.model import STRING, Operation
from tests.connectors.replicon.tenant import ADMIN, EVERYTHING, JANE, SUPERVISOR, Tenant, running, uris

UPSERT = "replicon:ImportService2.CreateUserOrApplyModifications"
Entries = Literal["effective_date", "date_range"]
Way = Literal["error", "partial"]
Slots = Literal["null", "drop"]
Unknown = Literal["null", "error"]
NEW: Mapping[str, Value] = {"LoginName": "new@acme.test", "FirstName": "New", "LastName": "Comer"}
WHOLE: Mapping[str, Value] = {
    "LoginName": "jané.doe@acme.test",
    "FirstName": "Jané",
    "LastName": "Döe",
    "DisplayName": "Jané Döe",
    "EmailAddress": "jane.doe@acme.test",
    "EmployeeId": "E100",
    "StartDate": "2020-02-29",
    "EndDate": "2031-12-31",
    "LoginEnabled": "True",
    "Department": "North department-group",
    "EmployeeType": "South employee-type-group",
    "Location": "North location",
    "Division": "South division",
    "CostCenter": "North cost-center",
    "ServiceCenter": "South service-center",
    "Supervisor": user_uri(SUPERVISOR),
    "TimeZone": "Europe/Zurich",
    "WorkWeekStartDay": "Wednesday",
    "PermissionSets": ["Supervisor", "Timesheet User"],
    "Products": ["time-bill-plus", "time-off-plus"],
    "CustomField:Badge": "B-7",
    "CustomField:Desk": "12.5",
    "CustomField:Since": "2020-03-01",
    "CustomField:Shirt": "M",
}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with running() as found:
        yield found


def read_back(tenant: Tenant, uri: str) -> dict[str, Value]:
    [row] = tenant.users().read(pd.Series([uri], dtype=STRING)).to_dict("records")
    values = {str(name): value for name, value in row.items()}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def create(tenant: Tenant, values: Mapping[str, Value], unit: str = "unit") -> str:
    users = tenant.users()
    return users.send(users.prepare(Operation.CREATE, None, values, unit)).target_uri


def test_every_attribute_of_a_new_account_is_read_back_as_it_was_written(tenant: Tenant) -> None:
    found = read_back(tenant, create(tenant, WHOLE))
    assert {name: found[name] for name in WHOLE} == dict(WHOLE)
    assert found["target_name"] == WHOLE["LoginName"]


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_every_attribute_of_an_account_is_read_back_as_it_was_changed(tenant: Tenant, name: str) -> None:
    users = tenant.users()
    result = users.send(users.prepare(Operation.UPDATE, user_uri(JANE), {name: WHOLE[name]}, "unit"))
    assert (read_back(tenant, user_uri(JANE))[name], result.refused) == (WHOLE[name], {})


@pytest.mark.parametrize("entries", ["effective_date", "date_range"])
def test_a_moved_account_keeps_the_history_of_its_groups_and_shows_the_new_one(
    tenant: Tenant, entries: Literal["effective_date", "date_range"]
) -> None:
    tenant.state.settings.schedule_entries = entries
    uri = create(tenant, WHOLE)
    users = tenant.users()
    users.send(users.prepare(Operation.UPDATE, uri, {"Department": "South department-group"}, "unit-2"))
    [account] = [each for each in tenant.state.accounts.values() if each.uri == uri]
    assert read_back(tenant, uri)["Department"] == "South department-group"
    assert [start is None for start, _ in account.groups[0]] == [True, False]


@pytest.mark.parametrize("name", ["DisplayName", "EmailAddress", "EmployeeId", "EndDate", "CustomField:Desk"])
def test_null_clears_an_attribute(tenant: Tenant, name: str) -> None:
    uri = create(tenant, WHOLE)
    users = tenant.users()
    users.send(users.prepare(Operation.UPDATE, uri, {name: None}, "unit-2"))
    assert read_back(tenant, uri) == {**read_back(tenant, uri), name: None, "StartDate": "2020-02-29"}


@pytest.mark.parametrize("name", ["PermissionSets", "Products"])
def test_an_empty_list_takes_everything_away(tenant: Tenant, name: str) -> None:
    uri = create(tenant, WHOLE)
    users = tenant.users()
    users.send(users.prepare(Operation.UPDATE, uri, {name: []}, "unit-2"))
    assert read_back(tenant, uri)[name] == []


def test_a_supervisor_can_be_taken_away(tenant: Tenant) -> None:
    uri = create(tenant, WHOLE)
    users = tenant.users()
    users.send(users.prepare(Operation.UPDATE, uri, {"Supervisor": None}, "unit-2"))
    assert read_back(tenant, uri)["Supervisor"] is None


def test_the_name_for_single_sign_on_is_written_though_never_read(tenant: Tenant) -> None:
    create(tenant, {**NEW, "SsoName": "sso-name"})
    account = tenant.state.by_login("new@acme.test")
    assert account is not None
    assert account.sso_name == "sso-name"


def test_disable_and_enable_turn_the_login_and_clear_the_end_date(tenant: Tenant) -> None:
    uri, users = create(tenant, WHOLE), tenant.users()
    users.send(users.prepare(Operation.DISABLE, uri, {}, "unit-2"))
    disabled = read_back(tenant, uri)
    users.send(users.prepare(Operation.ENABLE, uri, {}, "unit-3"))
    enabled = read_back(tenant, uri)
    assert (disabled["LoginEnabled"], disabled["EndDate"]) == ("False", "2031-12-31")
    assert (enabled["LoginEnabled"], enabled["EndDate"], enabled["StartDate"]) == ("True", None, "2020-02-29")


def test_enabling_an_account_that_never_had_dates_writes_none(tenant: Tenant) -> None:
    users = tenant.users()
    [current] = users.read(uris(JANE)).to_dict("records")
    asked = users.prepare(Operation.ENABLE, user_uri(JANE), {}, "unit")
    told = users.prepare(Operation.ENABLE, user_uri(JANE), {}, "unit", current=current)
    assert asked == told
    assert b"employmentDateRange" not in asked.body


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=30)
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2026, 1, 1)).map(dt.date.isoformat)
PEOPLE = st.fixed_dictionaries(
    {"FirstName": TEXTS, "LastName": TEXTS},
    optional={
        "DisplayName": TEXTS,
        "EmployeeId": TEXTS,
        "StartDate": DAYS,
        "LoginEnabled": st.sampled_from(["True", "False"]),
        "Department": st.sampled_from(["North department-group", "SOUTH department-group"]),
        "PermissionSets": st.lists(st.sampled_from(["supervisor", "Timesheet User"]), unique=True),
        "TimeZone": st.sampled_from(["Europe/Zurich", "urn:replicon:time-zone:asia-tokyo"]),
        "WorkWeekStartDay": st.sampled_from(["monday", "Sunday"]),
        "CustomField:Desk": st.decimals(-1000, 1000, places=2).map(str),
    },
)


def test_whatever_is_written_reads_back_as_its_canonical_form(tenant: Tenant) -> None:
    uri, users, units = user_uri(JANE), tenant.users(), itertools.count()

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(PEOPLE)
    def law(values: dict[str, Value]) -> None:
        result = users.send(users.prepare(Operation.UPDATE, uri, values, f"unit-{next(units)}"))
        found = users.read(pd.Series([uri], dtype=STRING))
        differing = [
            name
            for name, value in values.items()
            if found[name].tolist() != users.canonical(name, pd.Series([value], dtype=found[name].dtype)).tolist()
        ]
        assert (differing, result.refused) == ([], {})

    law()


def test_the_same_request_again_changes_nothing_and_answers_the_same(tenant: Tenant) -> None:
    users = tenant.users()
    prepared = users.prepare(Operation.CREATE, None, NEW, "unit")
    first, second = users.send(prepared), users.send(prepared)
    assert (first.target_uri, len(tenant.state.change_log)) == (second.target_uri, 1)


def test_a_lost_answer_leaves_the_outcome_unknown_and_the_identical_request_settles_it(tenant: Tenant) -> None:
    tenant.faults.add(UPSERT, "lost_response", count=1)
    users = tenant.users()
    prepared = users.prepare(Operation.CREATE, None, NEW, "unit")
    with pytest.raises(RepliconError) as caught:
        users.send(prepared)
    assert caught.value.outcome_unknown
    settled = users.send(prepared)
    assert [change.uri for change in tenant.state.change_log] == [settled.target_uri]


@pytest.mark.parametrize(
    ("fault", "kind", "unknown"),
    [
        ("reset", Failure.UNAVAILABLE, True),
        ("timeout500", Failure.TIME_OUT, True),
        ("internal500", Failure.INTERNAL, True),
        ("unavailable503", Failure.UNAVAILABLE, True),
        ("expired_token", Failure.SIGN_IN, False),
    ],
)
def test_a_fault_of_the_service_says_whether_the_write_may_have_happened(
    tenant: Tenant, fault: str, kind: Failure, unknown: bool
) -> None:
    tenant.faults.add(UPSERT, fault)
    users = tenant.users()
    with pytest.raises(RepliconError) as caught:
        users.send(users.prepare(Operation.CREATE, None, NEW, "unit"))
    assert (caught.value.kind, caught.value.outcome_unknown) == (kind, unknown)


def test_an_error_body_on_http_200_is_no_success(tenant: Tenant) -> None:
    tenant.faults.add(UPSERT, "error_on_200")
    users = tenant.users()
    with pytest.raises(RepliconError) as caught:
        users.send(users.prepare(Operation.CREATE, None, NEW, "unit"))
    assert caught.value.http_status == 200


@pytest.mark.parametrize("seconds", [None, 3.0])
def test_a_throttled_write_is_known_not_to_have_happened(tenant: Tenant, seconds: float | None) -> None:
    tenant.faults.add(UPSERT, "rate_limit", limit=0, window=60.0, retry_after=seconds)
    users = tenant.users()
    with pytest.raises(RepliconError) as caught:
        users.send(users.prepare(Operation.CREATE, None, NEW, "unit"))
    assert (caught.value.kind, caught.value.outcome_unknown) == (Failure.THROTTLED, False)
    assert (caught.value.retry_after is not None) is (seconds is not None)
    assert tenant.state.change_log == []


def test_a_read_outlives_the_faults_of_the_service(tenant: Tenant) -> None:
    for fault in ("timeout500", "reset"):
        tenant.faults.add("replicon:ImportService1.BulkGetUsers3", fault, count=1)
    assert len(tenant.users().read(uris(JANE, SUPERVISOR))) == 2


def test_a_supervisor_without_the_permission_is_a_warning_with_its_attribute(tenant: Tenant) -> None:
    users = tenant.users()
    values = {"Supervisor": user_uri(ADMIN), "LastName": "Written"}
    result = users.send(users.prepare(Operation.UPDATE, user_uri(JANE), values, "unit"))
    assert list(result.refused) == ["Supervisor"]
    assert tenant.state.accounts[JANE].last_name == "Written"


@pytest.mark.parametrize("way", ["error", "partial"])
@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.UPDATE])
def test_a_login_name_that_is_taken_is_a_duplicate(tenant: Tenant, way: Way, operation: Operation) -> None:
    tenant.state.settings.duplicate_login = way
    users = tenant.users()
    uri = None if operation is Operation.CREATE else user_uri(JANE)
    with pytest.raises(ObjectRefusedError) as caught:
        users.send(users.prepare(operation, uri, {**NEW, "LoginName": "BOSS@acme.test"}, "unit"))
    assert (caught.value.kind, caught.value.error_code) == (Failure.DUPLICATE_LOGIN, "EntryConflict")


def test_a_vanished_account_is_an_unknown_user(tenant: Tenant) -> None:
    users = tenant.users()
    with pytest.raises(ObjectRefusedError) as caught:
        users.send(users.prepare(Operation.UPDATE, user_uri(999), {"LastName": "Doe"}, "unit"))
    assert caught.value.kind is Failure.UNKNOWN_USER


def test_an_account_without_data_is_deleted_and_one_with_data_is_kept(tenant: Tenant) -> None:
    tenant.add(10, "busy@acme.test", has_data=True)
    users = tenant.users()
    users.send(users.prepare(Operation.DELETE, user_uri(JANE), {}, "unit"))
    with pytest.raises(ObjectRefusedError) as caught:
        users.send(users.prepare(Operation.DELETE, user_uri(10), {}, "unit"))
    assert caught.value.kind is Failure.REFUSED_DELETE
    assert (JANE in tenant.state.accounts, 10 in tenant.state.accounts) == (False, True)


@pytest.mark.parametrize("slots", ["null", "drop"])
@pytest.mark.parametrize("unknown", ["null", "error"])
def test_reads_match_by_content_however_missing_accounts_are_told(
    tenant: Tenant, slots: Literal["null", "drop"], unknown: Literal["null", "error"]
) -> None:
    tenant.state.settings.unreadable_slots = slots
    tenant.state.settings.unknown_uri_in_bulk = unknown
    tenant.state.unreadable.add(SUPERVISOR)
    users = tenant.users()
    frame = users.read(uris(SUPERVISOR, 999, JANE, ADMIN))
    assert dict(zip(frame["target_uri"], frame["target_name"], strict=True)) == {
        user_uri(JANE): "jane@acme.test",
        user_uri(ADMIN): "svc.provisioning",
    }
    assert users.withheld == (frozenset({user_uri(SUPERVISOR)}) if slots == "drop" else frozenset())


@pytest.mark.parametrize("without_case", [True, False])
@pytest.mark.parametrize(
    ("attribute", "values", "expected"),
    [
        ("LoginName", ["JANE@acme.test", "nobody@acme.test", "boss@acme.test"], {JANE, SUPERVISOR}),
        ("LoginName", ["jane@acme"], set()),
        ("EmailAddress", ["Jane@ACME.test", "nobody@acme.test"], {JANE}),
        ("EmployeeId", ["E3", "E4"], {JANE, 20}),
        ("EmployeeId", ["e3"], set()),
    ],
)
def test_accounts_are_found_by_what_equals_and_nothing_else(
    tenant: Tenant, without_case: bool, attribute: str, values: list[str], expected: set[int]
) -> None:
    tenant.state.settings.logins_found_without_case = without_case
    tenant.add(20, "rehired@acme.test", employee_id="E3")
    found = tenant.users().find(attribute, pd.Series(values, dtype=STRING))
    assert set(found["target_uri"]) == {user_uri(number) for number in expected}


def test_the_whole_tenant_is_read_page_by_page_whatever_the_servers_largest_page(tenant: Tenant) -> None:
    tenant.state.settings.largest_page = 2
    for number in range(10, 15):
        tenant.add(number, f"user{number}@acme.test")
    tenant.faults.add("replicon:UserListService1.GetData", "repeated_page", count=1)
    assert len(tenant.users().read_all()) == 8


def test_the_identity_is_the_account_signed_in_as(tenant: Tenant) -> None:
    me = tenant.users().identity()
    assert (me.uri, me.login_name) == (user_uri(ADMIN), "svc.provisioning")


def test_a_good_set_up_passes_every_probe(tenant: Tenant) -> None:
    probes = tenant.users().probe()
    assert [probe for probe in probes if not probe.good] == []
    assert {"host", "sign-in", "rights", "list departments", "list permission sets", "CustomField:Badge"} <= {
        probe.check for probe in probes
    }


@pytest.mark.parametrize(
    ("login", "company", "check", "says"),
    [
        ("svc.provisioning", "unknown", "host", "Unable to locate company 'unknown'"),
        ("nobody", "acme", "sign-in", "invalid-user-name-or-password"),
        ("boss@acme.test", "acme", "rights", "sufficient permission"),
    ],
)
def test_a_probe_names_what_is_wrong_and_what_to_do(
    tenant: Tenant, login: str, company: str, check: str, says: str
) -> None:
    tenant.state.passwords[SUPERVISOR] = tenant.state.passwords[ADMIN]
    probes = tenant.users(login=login, company=company).probe()
    failed = next(probe for probe in probes if not probe.good)
    assert failed.check == check
    assert says in failed.detail
    assert failed.remedy


def test_a_custom_field_that_the_tenant_lacks_fails_its_probe(tenant: Tenant) -> None:
    probes = tenant.users(EVERYTHING | {"CustomField:Hat"}).probe()
    assert [probe.check for probe in probes if not probe.good] == ["CustomField:Hat"]


def test_an_account_that_may_not_administer_cannot_read(tenant: Tenant) -> None:
    tenant.state.passwords[SUPERVISOR] = tenant.state.passwords[ADMIN]
    with pytest.raises(NotPermittedError, match="administers users"):
        tenant.users(login="boss@acme.test").read(uris(JANE))


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_bad_credentials_stop_the_job_whatever_their_status(tenant: Tenant, status: int) -> None:
    tenant.state.settings.bad_credentials_status = status
    with pytest.raises(StopJobError) as caught:
        tenant.users(login="nobody").identity()
    assert caught.value.kind is Failure.SIGN_IN


def test_a_disabled_service_account_is_told_as_such(tenant: Tenant) -> None:
    account = tenant.state.accounts[ADMIN]
    tenant.server.run(lambda: tenant.state.put(account, dataclasses.replace(account, enabled=False)))
    with pytest.raises(StopJobError, match="Enable the account in Replicon"):
        tenant.users().identity()

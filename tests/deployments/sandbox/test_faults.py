"""Faults on the wire: each kind, where and how often it strikes, and switching it from Python and over HTTP."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
import requests

from deployments.sandbox.faults import FaultKind, FaultRule, Faults
from deployments.sandbox.wire import Request
from tests.deployments.sandbox.replicon_rig import UPSERT, Rig, minimal
from tests.deployments.sandbox.test_replicon_list import body, logins

IDENTITY = "UserAccessControlService1.GetMyIdentity"


def request(path: str = "/", body: bytes = b"") -> Request:
    return Request("POST", path, {}, {}, body, "http://127.0.0.1")


def strikes(faults: Faults, count: int, endpoint: str = "replicon:A.B") -> list[bool]:
    return [bool(faults.strike(endpoint, request(), pages=False)) for _ in range(count)]


def test_a_rate_limit_with_retry_after_says_how_long_to_wait(replicon: Rig) -> None:
    replicon.faults.add("replicon:*", FaultKind.RATE_LIMIT, limit=2, retry_after=7)
    responses = [replicon.post(IDENTITY) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["Retry-After"] == "7"
    assert responses[2].json()["error"]["reason"] == "Too Many Requests"


def test_a_rate_limit_without_retry_after_says_nothing(replicon: Rig) -> None:
    replicon.faults.add("replicon:*", FaultKind.RATE_LIMIT, limit=0)
    response = replicon.post(IDENTITY)
    assert (response.status_code, "Retry-After" in response.headers) == (429, False)


def test_the_window_of_a_rate_limit_rolls() -> None:
    now = [0.0]
    faults = Faults(clock=lambda: now[0])
    faults.add("*", FaultKind.RATE_LIMIT, limit=2, window=10)
    seen = []
    for moment in (0, 4, 8, 10, 11, 14):
        now[0] = moment
        seen += strikes(faults, 1)
    assert seen == [False, False, True, False, True, False]


def test_a_rate_limit_counts_operations_together_or_each_on_its_own() -> None:
    together, apart = Faults(), Faults()
    together.add("*", FaultKind.RATE_LIMIT, limit=1)
    apart.add("*", FaultKind.RATE_LIMIT, limit=1, per_endpoint=True)
    order = ["replicon:A.B", "replicon:A.C", "replicon:A.B"]
    assert [strikes(together, 1, endpoint)[0] for endpoint in order] == [False, True, True]
    assert [strikes(apart, 1, endpoint)[0] for endpoint in order] == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (FaultKind.TIMEOUT, 500, "OperationExecutionTimeoutError1"),
        (FaultKind.INTERNAL, 500, "InternalServiceFault"),
        (FaultKind.ERROR_ON_200, 200, "InternalServiceFault"),
        (FaultKind.EXPIRED_TOKEN, 401, "AuthenticationError1"),
    ],
)
def test_a_fault_speaks_replicons_language(replicon: Rig, kind: FaultKind, status: int, error: str) -> None:
    replicon.faults.add("replicon:*", kind)
    response = replicon.post(IDENTITY)
    told = response.json()["error"]
    assert (response.status_code, told.get("type", told["code"])) == (status, error)
    assert told["correlationId"] == response.headers["x-execution-correlation-id"]


@pytest.mark.parametrize("status", [503, 504])
def test_an_unavailable_service_is_told_by_the_gateway(replicon: Rig, status: int) -> None:
    replicon.faults.add("replicon:*", FaultKind.UNAVAILABLE, status=status, retry_after=1)
    response = replicon.post(IDENTITY)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Retry-After"] == "1"


def test_latency_delays_and_then_answers(replicon: Rig) -> None:
    number = replicon.faults.add("replicon:*", FaultKind.LATENCY, seconds=0.01, jitter=0.01, count=2)
    assert [replicon.post(IDENTITY).status_code for _ in range(3)] == [200] * 3
    assert replicon.faults.struck(number) == 2


def test_a_write_that_is_not_applied_looks_as_if_it_was(replicon: Rig) -> None:
    replicon.faults.add("*.CreateUserOrApplyModifications", FaultKind.NOT_APPLIED, count=1)
    pretended = replicon.result(UPSERT, replicon.upsert(minimal("jane"), unit="u"))
    assert pretended["user"]["loginName"] == "jane"
    assert replicon.state.by_login("jane") is None
    assert replicon.state.change_log == []
    assert replicon.create("janet") != pretended["user"]["uri"]


def test_a_lost_response_is_carried_out_and_its_repetition_has_no_second_effect(replicon: Rig) -> None:
    replicon.faults.add("*.CreateUserOrApplyModifications", FaultKind.LOST_RESPONSE, count=1)
    asked = replicon.upsert(minimal("jane"))
    with pytest.raises(requests.ConnectionError):
        replicon.post(UPSERT, asked)
    assert replicon.state.by_login("jane") is not None
    assert replicon.result(UPSERT, asked)["user"]["loginName"] == "jane"
    assert len(replicon.state.change_log) == 1


def test_a_reset_connection_carries_nothing_out(replicon: Rig) -> None:
    replicon.faults.add("*.CreateUserOrApplyModifications", FaultKind.RESET, count=1)
    with pytest.raises(requests.ConnectionError):
        replicon.post(UPSERT, replicon.upsert(minimal("jane")))
    assert replicon.state.by_login("jane") is None


@pytest.mark.parametrize("committed", [True, False])
def test_a_time_out_may_come_after_the_change_was_made(replicon: Rig, committed: bool) -> None:
    replicon.faults.add(f"replicon:{UPSERT}", FaultKind.TIMEOUT, committed=committed)
    assert replicon.post(UPSERT, replicon.upsert(minimal("jane"))).status_code == 500
    assert (replicon.state.by_login("jane") is not None) is committed


def listed(replicon: Rig, pages: int = 4) -> list[str]:
    return [login for page in range(1, pages + 1) for login in logins(replicon, page=page, size=2)]


def fill(replicon: Rig) -> list[str]:
    for number in range(4):
        replicon.create(f"user{number}")
    return ["svc", "boss", "user0", "user1", "user2", "user3"]


def test_a_page_cut_in_its_body_breaks_off(replicon: Rig) -> None:
    replicon.faults.add("*.GetData", FaultKind.TRUNCATED_PAGE, count=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        replicon.post("UserListService1.GetData", body())


def test_a_page_cut_in_its_items_lacks_half_of_them(replicon: Rig) -> None:
    everyone = fill(replicon)
    replicon.faults.add("*.GetData", FaultKind.TRUNCATED_PAGE, cut="items", after=1, count=1)
    assert listed(replicon) == [*everyone[:3], *everyone[4:]]


def test_a_repeated_page_shows_the_one_before_again(replicon: Rig) -> None:
    everyone = fill(replicon)
    replicon.faults.add("*.GetData", FaultKind.REPEATED_PAGE, after=1, count=1)
    assert listed(replicon) == [*everyone[:2], *everyone[:2], *everyone[4:]]


def test_a_missing_page_shows_the_next_one_in_its_place(replicon: Rig) -> None:
    everyone = fill(replicon)
    replicon.faults.add("*.GetData", FaultKind.MISSING_PAGE, after=1, count=1)
    assert listed(replicon) == [*everyone[:2], *everyone[4:], *everyone[4:]]


def test_a_reordered_page_has_the_same_items_in_another_order(replicon: Rig) -> None:
    everyone = fill(replicon)
    replicon.faults.add("*.GetData", FaultKind.REORDERED_PAGE, seed=1)
    found = logins(replicon)
    assert found != everyone
    assert sorted(found) == sorted(everyone)


def test_faults_of_pages_let_other_answers_alone(replicon: Rig) -> None:
    number = replicon.faults.add("*", FaultKind.TRUNCATED_PAGE)
    assert replicon.post(IDENTITY).status_code == 200
    assert replicon.faults.struck(number) == 0


def test_a_rule_strikes_after_some_requests_and_no_more_often_than_told() -> None:
    faults = Faults()
    faults.add("*", FaultKind.RESET, after=2, count=2)
    assert strikes(faults, 6) == [False, False, True, True, False, False]


def test_chance_is_the_same_for_the_same_seed() -> None:
    outcomes = []
    for seed in (1, 1, 2):
        faults = Faults()
        faults.add("*", FaultKind.RESET, probability=0.5, seed=seed)
        outcomes.append(strikes(faults, 50))
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert {True, False} == set(outcomes[0])


@pytest.mark.parametrize(
    ("glob", "endpoint", "hit"),
    [
        ("replicon:*", "replicon:UserService1.Delete", True),
        ("*.delete", "replicon:UserService1.Delete", True),
        ("graph:*", "replicon:UserService1.Delete", False),
        ("graph:users", "graph:users/delta", False),
    ],
)
def test_endpoints_are_matched_by_glob_letter_case_aside(glob: str, endpoint: str, hit: bool) -> None:
    faults = Faults()
    faults.add(glob, FaultKind.RESET)
    assert strikes(faults, 1, endpoint) == [hit]


def test_a_rule_can_strike_requests_about_one_person_only() -> None:
    faults = Faults()
    faults.add("*", FaultKind.RESET, containing="Jane@acme.test")
    assert not faults.strike("replicon:A.B", request(body=b'{"loginName": "boss"}'), pages=False)
    assert faults.strike("replicon:A.B", request(body=b'{"loginName": "jane@ACME.test"}'), pages=False)


def test_delta_tokens_are_gone_and_first_calls_are_not() -> None:
    faults = Faults()
    faults.add("graph:*", FaultKind.DELTA_GONE)
    first = Request("GET", "/v1.0/users/delta", {"$select": "id"}, {}, b"", "http://127.0.0.1")
    later = Request("GET", "/v1.0/users/delta", {"$deltatoken": "x"}, {}, b"", "http://127.0.0.1")
    assert not faults.strike("graph:users/delta", first, pages=False)
    assert faults.strike("graph:users/delta", later, pages=False)


@pytest.mark.parametrize(
    "wrong", [{"kind": "flood"}, {"kind": "reset", "colour": "red"}, {"kind": "reset", "count": 0}]
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        FaultRule.model_validate(wrong)


def test_faults_are_taken_off_one_by_one_or_all_at_once() -> None:
    faults = Faults()
    first, second = faults.add("*", "reset"), faults.add("*", "internal500")
    assert faults.remove(first)
    assert not faults.remove(first)
    assert [rule["number"] for rule in faults.describe()] == [second]
    faults.clear()
    assert strikes(faults, 1) == [False]

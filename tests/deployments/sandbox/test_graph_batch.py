"""`$batch` and throttling of the sandbox's Graph: parts that stand for themselves, quotas that run out and refill."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from deployments.sandbox.graph_errors import GraphError
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.wire import Request, Response
from tests.deployments.sandbox.graph_calls import Caller


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return generate(60, 2)


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant)


def batch(caller: Caller, *parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    response = caller.response("$batch", "POST", orjson.dumps({"requests": parts}))
    assert response.status == 200, response.body
    return {answer["id"]: answer for answer in orjson.loads(response.body)["responses"]}


def get(name: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "method": "GET", "url": url, **more}


def test_every_part_has_a_status_of_its_own(caller: Caller) -> None:
    person = next(caller.tenant.users())
    answers = batch(
        caller,
        get("1", f"/users/{person['id']}?$select=id,displayName"),
        get("2", "/users/nobody"),
        get("3", "users/$count", headers={"ConsistencyLevel": "eventual"}),
    )
    assert {name: answer["status"] for name, answer in answers.items()} == {"1": 200, "2": 404, "3": 200}
    assert answers["1"]["body"]["displayName"] == person["displayName"]
    assert answers["2"]["body"]["error"]["code"] == "Request_ResourceNotFound"


def test_answers_do_not_come_in_the_order_of_the_requests(caller: Caller) -> None:
    body = orjson.dumps({"requests": [get(str(number), "/organization") for number in range(5)]})
    answers = orjson.loads(caller.response("$batch", "POST", body).body)["responses"]
    assert [answer["id"] for answer in answers] != [str(number) for number in range(5)]


def test_a_part_that_depends_on_a_failed_one_fails(caller: Caller) -> None:
    answers = batch(caller, get("1", "/users/nobody"), get("2", "/organization", dependsOn=["1"]))
    assert answers["2"]["status"] == 424


@pytest.mark.parametrize("count", [0, 21])
def test_a_batch_holds_one_to_twenty_parts(caller: Caller, count: int) -> None:
    body = orjson.dumps({"requests": [get(str(number), "/organization") for number in range(count)]})
    assert caller.response("$batch", "POST", body).status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"requests":[{"id":"1"}]}', b'{"requests":[{"id":1,"url":"/x","method":"GET"}]}']
)
def test_a_malformed_batch_is_refused(caller: Caller, body: bytes) -> None:
    assert caller.response("$batch", "POST", body).status == 400


def test_parts_can_be_failed_one_by_one(caller: Caller) -> None:
    def second_fails(endpoint: str, request: Request) -> Response | None:
        failing = endpoint == "graph:users/id" and request.path.endswith("second")
        return GraphError(503, "ServiceUnavailable", "Busy.").response("r", None, 0.0) if failing else None

    caller.service.part_gate = second_fails
    person = next(caller.tenant.users())["id"]
    answers = batch(caller, get("1", f"/users/{person}"), get("2", "/users/second"))
    assert {name: answer["status"] for name, answer in answers.items()} == {"1": 200, "2": 503}


def test_parts_are_throttled_one_by_one(caller: Caller) -> None:
    caller.settings.resource_units = 4
    answers = batch(caller, *(get(str(number), "/organization") for number in range(6)))
    statuses = [answers[str(number)]["status"] for number in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]
    assert int(answers["5"]["headers"]["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("url", "units"),
    [
        ("users", 2),
        ("users?$select=id", 1),
        ("users?$select=id&$expand=manager", 2),
        ("users?$top=5", 1),
        ("users?$select=id&$top=5", 1),
        ("organization", 1),
        ("groups/{group}/members", 3),
        ("groups/{group}/transitiveMembers", 5),
        ("groups/{group}/transitiveMembers?$select=id", 4),
        ("users/delta?$select=id", 1),
    ],
)
def test_a_request_costs_its_documented_units(caller: Caller, url: str, units: int) -> None:
    group = caller.tenant.group("Replicon Supervisors").id
    assert caller.response(url.format(group=group)).headers["x-ms-resource-unit"] == str(units)


def test_a_spent_quota_refuses_with_the_documented_headers_and_refills(caller: Caller) -> None:
    caller.settings.resource_units = 10
    answers = [caller.response("organization") for _ in range(11)]
    refused = answers[-1]
    assert [answer.status for answer in answers] == [200] * 10 + [429]
    assert orjson.loads(refused.body)["error"]["code"] == "TooManyRequests"
    assert "x-ms-throttle-limit-percentage" not in answers[7].headers
    assert float(answers[8].headers["x-ms-throttle-limit-percentage"]) == pytest.approx(0.9)
    assert refused.headers["x-ms-throttle-scope"].startswith("Tenant_Application/ReadWrite/app/")
    assert refused.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    caller.clock.now += int(refused.headers["Retry-After"])
    assert caller.response("organization").status == 200


def test_calling_on_without_waiting_makes_the_wait_longer(caller: Caller) -> None:
    caller.settings.resource_units = 10
    answers = [caller.response("organization") for _ in range(18)]
    assert int(answers[-1].headers["Retry-After"]) > int(answers[10].headers["Retry-After"])


def test_a_refusal_can_leave_out_when_to_come_back(caller: Caller) -> None:
    caller.settings.resource_units, caller.settings.retry_after = 1, False
    caller.response("organization")
    refused = caller.response("organization")
    assert refused.status == 429
    assert "Retry-After" not in refused.headers

"""Faults on the wire of the sandbox's Graph: spoilt pages, delta tokens that are gone, single parts of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox

USERS = "/v1.0/users?$select=id&$top=25"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, requests.Session]]:
    """A sandbox with 100 people, and a session that is signed in to its Graph."""
    with Sandbox(users=100, seed=2) as sandbox, requests.Session() as http:
        answer = http.post(
            f"{sandbox.login_url}/{sandbox.tenant.tenant_id}/oauth2/v2.0/token",
            data={
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "grant_type": "client_credentials",
                "scope": "https://graph.microsoft.com/.default",
            },
            verify=str(sandbox.ca_file),
            timeout=10,
        )
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield sandbox, http


@pytest.fixture
def graph(running: tuple[Sandbox, requests.Session]) -> Iterator[Graph]:
    """The running sandbox's Graph, without any fault."""
    sandbox, http = running
    yield Graph(sandbox, http)
    sandbox.faults.clear()


class Graph:
    """Asks Graph, page by page."""

    def __init__(self, sandbox: Sandbox, http: requests.Session) -> None:
        self.faults = sandbox.faults
        self.url = sandbox.graph_url
        self.http = http
        self.everyone = [user["id"] for user in sandbox.tenant.users()]

    def get(self, link: str) -> requests.Response:
        return self.http.get(link if link.startswith("http") else self.url + link, timeout=10)

    def ids(self, link: str | None = USERS) -> list[str]:
        """Give the ids on all pages, following the links for a hundred pages at most."""
        found: list[str] = []
        for _ in range(100):
            if link is None:
                return found
            page: dict[str, Any] = self.get(link).json()
            found += [item["id"] for item in page["value"]]
            link = page.get("@odata.nextLink")
        raise AssertionError("the pages never end")


def test_without_a_fault_everyone_is_there_once(graph: Graph) -> None:
    assert sorted(graph.ids()) == sorted(graph.everyone)


def test_a_repeated_page_shows_its_people_twice_and_goes_on(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.REPEATED_PAGE, after=1, count=1)
    found = graph.ids()
    assert (len(found), set(found)) == (125, set(graph.everyone))


def test_a_repeated_last_page_ends_after_all(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.REPEATED_PAGE, after=3, count=1)
    assert len(graph.ids()) == 125


def test_a_missing_page_loses_its_people_in_silence(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.MISSING_PAGE, after=1, count=1)
    assert len(graph.ids()) == 75


def test_a_missing_last_page_is_empty(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.MISSING_PAGE, after=3, count=1)
    assert len(graph.ids()) == 75


def test_a_page_cut_in_its_items_loses_half_of_them_in_silence(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.TRUNCATED_PAGE, cut="items", count=1)
    assert len(graph.ids()) == 87


def test_a_page_cut_in_its_body_breaks_off(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.TRUNCATED_PAGE, count=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        graph.get(USERS)


def test_reordered_pages_hold_everyone(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.REORDERED_PAGE, seed=4)
    found = graph.ids()
    assert found != graph.everyone
    assert sorted(found) == sorted(graph.everyone)


def test_a_delta_token_that_is_gone_says_where_to_start_again(graph: Graph) -> None:
    page: dict[str, Any] = {"@odata.nextLink": "/v1.0/users/delta?$select=displayName"}
    while "@odata.nextLink" in page:
        page = graph.get(page["@odata.nextLink"]).json()
    graph.faults.add("graph:users/delta", FaultKind.DELTA_GONE)
    response = graph.get(page["@odata.deltaLink"])
    assert (response.status_code, response.json()["error"]["code"]) == (410, "syncStateNotFound")
    assert response.headers["Location"].endswith("/users/delta?$deltaToken=")


def test_an_expired_token_is_refused(graph: Graph) -> None:
    graph.faults.add("graph:users", FaultKind.EXPIRED_TOKEN, count=1)
    response = graph.get(USERS)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_one_part_of_a_batch_fails_alone(graph: Graph) -> None:
    struck, spared = graph.everyone[:2]
    graph.faults.add("graph:*", FaultKind.RATE_LIMIT, limit=0, retry_after=2, containing=f"/users/{struck}?")
    parts = [{"id": each, "method": "GET", "url": f"/users/{each}"} for each in (struck, spared)]
    answer = graph.http.post(f"{graph.url}/v1.0/$batch", json={"requests": parts}, timeout=10).json()
    statuses = {part["id"]: part["status"] for part in answer["responses"]}
    assert statuses == {struck: 429, spared: 200}


def test_a_fault_of_the_sign_in_speaks_the_identity_platforms_language(graph: Graph) -> None:
    graph.faults.add("graph:token", FaultKind.INTERNAL)
    response = graph.http.post(f"{graph.url}/tenant/oauth2/v2.0/token", data={}, timeout=10)
    assert (response.status_code, response.json()["error"]) == (500, "server_error")

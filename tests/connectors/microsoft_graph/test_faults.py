"""A read under every fault of the wire: it is whole and says so, or it says what is missing, or it ends with words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.extract.assignments import extract_assignments, extract_people
from tasks.job import GraphSource, Scope
from tasks.model import STRING, UnreachableError
from tests.connectors.microsoft_graph.truth import is_whole, members, present, present_ids

LISTINGS = ["graph:users", "graph:servicePrincipals/appRoleAssignedTo", "graph:groups/members"]
POSITIONS = [(LISTINGS[0], 1), (LISTINGS[0], 3), (LISTINGS[1], 1), (LISTINGS[2], 2)]
"""Listings, and how many of their requests pass before the fault."""
PASSING: list[tuple[str, dict[str, Any]]] = [
    ("truncated_page", {"cut": "items"}),
    ("truncated_page", {"cut": "body"}),
    ("missing_page", {}),
    ("repeated_page", {}),
    ("reordered_page", {}),
    ("expired_token", {}),
    ("reset", {}),
    ("internal500", {}),
    ("unavailable503", {}),
    ("unavailable503", {"retry_after": 4, "status": 504}),
    ("error_on_200", {}),
]


@pytest.mark.parametrize(("endpoint", "after"), POSITIONS)
@pytest.mark.parametrize(("kind", "parameters"), PASSING, ids=str)
def test_a_fault_of_the_moment_leaves_a_whole_read(
    graph: MicrosoftGraph, sandbox: Sandbox, endpoint: str, after: int, kind: str, parameters: dict[str, Any]
) -> None:
    sandbox.faults.add(endpoint, kind, after=after, count=1, **parameters)
    read = graph.read_all(frozenset(), Scope())
    assert (read.manifest.missing, is_whole(read, sandbox)) == ((), True)


@pytest.mark.parametrize("endpoint", LISTINGS)
@pytest.mark.parametrize(("kind", "parameters"), [("truncated_page", {"cut": "items"}), ("missing_page", {})])
def test_a_listing_that_stays_short_is_said_to_be(
    graph: MicrosoftGraph, sandbox: Sandbox, endpoint: str, kind: str, parameters: dict[str, Any]
) -> None:
    sandbox.faults.add(endpoint, kind, **parameters)
    manifest = graph.read_all(frozenset(), Scope()).manifest
    assert not manifest.complete
    assert "were read where Graph counts" in manifest.missing[0]


def test_a_page_that_comes_for_ever_ends_and_is_said_to(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    sandbox.faults.add("graph:users", "repeated_page")
    manifest = graph.read_all(frozenset(), Scope()).manifest
    assert "kept coming again" in manifest.missing[0]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("reset", "connection was lost"),
        ("unavailable503", "503"),
        ("internal500", "500"),
        ("error_on_200", "under status 200"),
        ("rate_limit", "429"),
        ("expired_token", "token that was just issued"),
    ],
)
@pytest.mark.parametrize("endpoint", [LISTINGS[0], LISTINGS[2]])
def test_a_fault_that_stays_ends_the_read_with_words(
    graph: MicrosoftGraph, sandbox: Sandbox, endpoint: str, kind: str, words: str
) -> None:
    sandbox.faults.add(endpoint, kind, **({"limit": 0} if kind == "rate_limit" else {}))
    with pytest.raises(UnreachableError, match=words):
        graph.read_all(frozenset(), Scope())


def test_a_429_is_waited_out_as_long_as_graph_says(graph: MicrosoftGraph, sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.faults.add("graph:users", "rate_limit", limit=0, retry_after=17, count=1)
    assert is_whole(graph.read_all(frozenset(), Scope()), sandbox)
    assert [17 <= wait <= 19 for wait in waits] == [True]


def test_a_429_without_retry_after_is_waited_out_too(
    graph: MicrosoftGraph, sandbox: Sandbox, waits: list[float]
) -> None:
    sandbox.faults.add("graph:users", "rate_limit", limit=0, count=3)
    assert is_whole(graph.read_all(frozenset(), Scope()), sandbox)
    assert len(waits) == 3


def test_a_fresh_token_that_is_refused_too_ends_the_read(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    sandbox.faults.add("graph:users", "expired_token", after=1, count=2)
    with pytest.raises(UnreachableError, match="token that was just issued"):
        graph.read_all(frozenset(), Scope())


def test_a_token_is_renewed_before_it_runs_out(sandbox: Sandbox, source: Callable[..., GraphSource]) -> None:
    now = [0.0]
    graph = MicrosoftGraph(source(), clock=lambda: now[0])
    before = sandbox.server.requests["graph:token"]
    for moment in (0.0, 3000.0, 3400.0):
        now[0] = moment
        graph.find_people(["nobody"], frozenset())
    assert sandbox.server.requests["graph:token"] - before == 2


@pytest.mark.parametrize("kind", ["unavailable503", "reset", "expired_token", "error_on_200"])
def test_a_batch_that_fails_for_the_moment_is_asked_again(graph: MicrosoftGraph, sandbox: Sandbox, kind: str) -> None:
    wanted = sorted(present(sandbox))[:3]
    sandbox.faults.add("graph:batch", kind, count=1)
    assert sorted(graph.find_people(wanted, frozenset()).users["source_id"]) == wanted


def test_a_part_of_a_batch_that_fails_for_the_moment_is_asked_again(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    wanted = sorted(present(sandbox))[:3]
    sandbox.faults.add("graph:users/id", "internal500", count=2)
    assert sorted(graph.find_people(wanted, frozenset()).users["source_id"]) == wanted


@pytest.mark.parametrize(("kind", "parameters"), [("error_on_200", {}), ("unavailable503", {})])
@pytest.mark.parametrize("endpoint", ["graph:users/id", "graph:users/memberOf"])
def test_a_part_that_is_no_object_is_asked_again_and_never_read_as_nothing(
    graph: MicrosoftGraph, sandbox: Sandbox, endpoint: str, kind: str, parameters: dict[str, Any]
) -> None:
    someone = min(member for _, member in members(sandbox))
    sandbox.faults.add(endpoint, kind, count=2, **parameters)
    read = graph.read_people([someone], frozenset(), Scope())
    assert (present_ids(read), set(read.members["member_id"]), read.manifest.complete) == ({someone}, {someone}, True)


def test_a_part_that_stays_an_error_under_200_is_no_answer(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    someone = min(member for _, member in members(sandbox))
    sandbox.faults.add("graph:users/memberOf", "error_on_200")
    manifest = graph.read_people([someone], frozenset(), Scope()).manifest
    assert manifest.missing == (f"the groups of {someone} could not be read (no whole answer)",)


def test_a_part_of_a_batch_that_keeps_failing_is_named(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    wanted = sorted(present(sandbox))[:3]
    sandbox.faults.add("graph:users/id", "internal500", containing=wanted[1])
    found = graph.find_people(wanted, frozenset())
    assert (sorted(found.users["source_id"]), found.unanswered) == ([wanted[0], wanted[2]], (wanted[1],))


def test_a_second_look_at_groups_that_cannot_be_read_gives_no_answer(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    someone = min(member for _, member in members(sandbox))
    sandbox.faults.add("graph:users/memberOf", "internal500")
    found = extract_people(graph, [someone], frozenset(), Scope(), pd.Series([someone], dtype=STRING))
    assert (len(found.assignments), found.manifest.complete) == (0, False)


def test_nobody_is_called_gone_after_a_short_read(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    known = extract_assignments(graph, frozenset(), Scope()).assignments["source_id"]
    sandbox.faults.add("graph:users", "missing_page")
    found = extract_assignments(graph, frozenset(), Scope(), known)
    assert not found.manifest.complete
    assert "hard_deleted" not in set(found.assignments["presence"])


def test_a_group_that_is_gone_makes_the_read_incomplete_and_not_fail(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    group = next(
        each for each in sandbox.tenant.groups() if each.id in {a.principal_id for a in sandbox.tenant.assignments()}
    )
    number = sandbox.faults.add("graph:groups/members", "missing_page", containing=group.id)
    manifest = graph.read_all(frozenset(), Scope()).manifest
    assert sandbox.faults.struck(number) > 0
    assert group.properties["displayName"] in manifest.missing[0]

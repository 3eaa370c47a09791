"""What the guards hold and stage, and that nothing gets past them."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.job import Guards, Job, Threshold
from tasks.model import CycleKind, Decision, Operation, Plan, Presence
from tests.reconcile.world import Identity, World, accounts_of, job, manifest, person, rows_of


def staffed(count: int) -> World:
    """Give a world with `count` linked people, p0 to p<count - 1>."""
    world = World()
    world.run([person(f"p{number}") for number in range(count)])
    return world


def leaving(world: World, leavers: int, count: int, **changes: Any) -> Plan:
    """Plan a cycle in which the first `leavers` of `count` people are disabled."""
    return world.plan([person(f"p{number}", active=number >= leavers) for number in range(count)], **changes)


def guarded(**limits: Any) -> Job:
    """Give a job with a threshold on removals."""
    return job(guards=Guards(removals=Threshold(**limits)))


@pytest.mark.parametrize(
    ("limits", "leavers", "staged"),
    [
        ({"count": 2}, 2, False),
        ({"count": 2}, 3, True),
        ({"percent": 30}, 3, False),
        ({"percent": 30}, 4, True),
        ({"count": 5, "percent": 10}, 2, True),
        ({"count": 0}, 1, True),
        ({}, 10, False),
    ],
)
def test_removals_over_the_lower_limit_are_staged(limits: dict[str, Any], leavers: int, staged: bool) -> None:
    plan = leaving(staffed(10), leavers, 10, job=guarded(**limits))
    expected = Decision.STAGED if staged else Decision.GO
    assert set(plan.operations["decision"]) == {expected}
    assert plan.verdict.quarantine == ("TooManyDeletes" if staged else None)
    assert plan.verdict.go is not staged


def test_staging_says_how_many_and_by_which_rule_and_lets_the_rest_go() -> None:
    world = staffed(10)
    people = [person(f"p{number}", active=number >= 3) for number in range(10)]
    plan = world.plan([*people, person("new")], job=guarded(count=2))
    assert rows_of(plan)["new"]["decision"] == Decision.GO
    assert rows_of(plan)["p0"]["error_code"] == "TooManyDeletes"
    assert plan.verdict.reasons[0].startswith(
        "3 accounts would be disabled or deleted, and at most 2 may be without approval (`guards.removals.count` 2)."
    )


def test_deletes_count_as_removals() -> None:
    world = staffed(4)
    gone = [person(f"p{number}", presence=Presence.HARD_DELETED) for number in range(2)]
    plan = world.plan([*gone, person("p2", active=False), person("p3")], job=guarded(count=2))
    assert set(plan.operations["decision"]) == {Decision.STAGED}


def test_an_incomplete_read_removes_nobody_and_says_what_was_missing() -> None:
    plan = leaving(staffed(3), 2, 3, manifest=manifest(complete=False))
    row = rows_of(plan)["p0"]
    assert (row["operation"], row["decision"], row["error_code"]) == ("disable", "hold", "IncompleteRead")
    assert "page 3 of users did not arrive" in row["reason"]
    assert plan.verdict.reasons[0].startswith("2 held: ")


def test_a_read_that_shrank_beyond_belief_removes_nobody() -> None:
    world = staffed(3)
    before = manifest(assignments=1000).as_dict()
    plan = leaving(world, 1, 3, manifest=manifest(assignments=600), last_complete=before)
    assert rows_of(plan)["p0"]["decision"] == Decision.HOLD
    assert "600 assignments where the last complete read gave 1,000: 40 % fewer" in rows_of(plan)["p0"]["reason"]


@pytest.mark.parametrize("now", [700, 1000, 5000])
def test_a_plausible_read_is_believed(now: int) -> None:
    before = manifest(assignments=1000).as_dict()
    plan = leaving(staffed(3), 1, 3, manifest=manifest(assignments=now), last_complete=before)
    assert rows_of(plan)["p0"]["decision"] == Decision.GO


def test_a_read_of_one_person_on_demand_is_no_shrinking() -> None:
    before = manifest(assignments=1000).as_dict()
    world = staffed(3)
    plan = leaving(world, 1, 1, kind=CycleKind.ON_DEMAND, manifest=manifest(assignments=1), last_complete=before)
    assert rows_of(plan)["p0"]["decision"] == Decision.GO


@pytest.mark.parametrize(
    ("kind", "decision"), [(CycleKind.INITIAL, Decision.HOLD), (CycleKind.INCREMENTAL, Decision.GO)]
)
def test_only_a_whole_read_is_measured_by_how_many_people_it_gave(kind: CycleKind, decision: Decision) -> None:
    before, few = manifest(objects=1000).as_dict(), manifest(objects=3)
    plan = leaving(staffed(3), 1, 3, kind=kind, manifest=few, last_complete=before)
    assert (rows_of(plan)["p0"]["decision"], plan.manifest.complete) == (decision, decision is Decision.GO)


@pytest.mark.parametrize("changes", [{"active": False}, {"presence": Presence.HARD_DELETED}, {"LoginName": "renamed"}])
def test_protected_accounts_are_never_disabled_deleted_nor_renamed(changes: dict[str, object]) -> None:
    world = World()
    world.run([person("ann"), person("bob")])
    guards = Guards(removals=Threshold(), protected_logins=("ANN@acme.test",))
    plan = world.plan([person("ann", **changes), person("bob", **changes | {"LoginName": "b"})], job=job(guards=guards))
    assert rows_of(plan)["ann"]["decision"] == Decision.HOLD
    assert rows_of(plan)["ann"]["error_code"] == "ProtectedAccount"
    assert rows_of(plan)["bob"]["decision"] == Decision.GO


def test_a_protected_account_is_updated_otherwise() -> None:
    world = staffed(1)
    guards = Guards(removals=Threshold(), protected_logins=("p0@acme.test",))
    plan = world.plan([person("p0", FirstName="New")], job=job(guards=guards))
    assert rows_of(plan)["p0"]["decision"] == Decision.GO


@pytest.mark.parametrize("identity", [Identity(uri="urn:user:1"), Identity(login_name="P0@ACME.test")])
def test_the_account_we_sign_in_with_is_protected(identity: Identity) -> None:
    world = staffed(1)
    world.target.identity = lambda: identity  # type: ignore[method-assign]  # the in-memory port, not the wire
    assert rows_of(leaving(world, 1, 1))["p0"]["decision"] == Decision.HOLD


@settings(max_examples=10, deadline=None)
@given(
    active=st.lists(st.sampled_from(["stay", "leave", "gone"]), min_size=1, max_size=8),
    limit=st.integers(0, 8),
    complete=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_verdict_does_not_depend_on_the_order_of_rows(
    active: list[str], limit: int, complete: bool, seed: int
) -> None:
    world = staffed(len(active))
    people = [
        person(f"p{number}", active=state != "leave", presence=Presence.HARD_DELETED if state == "gone" else "present")
        for number, state in enumerate(active)
    ]
    people = [dataclasses.replace(one, presence=Presence(one.presence)) for one in people]
    shuffled = random.Random(seed).sample(people, len(people))
    same: dict[str, Any] = {"job": guarded(count=limit), "manifest": manifest(complete=complete)}
    one, other = world.plan(people, **same), world.plan(shuffled, **same)
    assert one.verdict == other.verdict
    unnamed = ["source_id", "operation", "decision", "error_code", "reason"]
    assert one.operations[unnamed].equals(other.operations[unnamed])


def test_no_removal_goes_when_the_links_are_all_there_is() -> None:
    world = staffed(5)
    plan = world.plan([], accounts=accounts_of([]), manifest=manifest(complete=False))
    assert plan.operations.empty
    assert set(leaving(world, 5, 5, manifest=manifest(complete=False)).operations["operation"]) == {Operation.DISABLE}

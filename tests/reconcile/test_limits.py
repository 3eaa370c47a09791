"""Limits on operations other than removals, protected groups and permission sets, and what a job stops altogether."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.job import Guards, Threshold
from tasks.model import Operation, Plan
from tests.reconcile.test_laws import few
from tests.reconcile.world import World, changes_of, job, person, rows_of


def guarded(**guards: object) -> object:
    """Give a job with these guards, and none for removals unless named."""
    return job(guards=Guards.model_validate({"removals": Threshold(), **guards}))


def company(count: int = 10) -> World:
    """Give a world with as many people who have an account and nothing to change."""
    world = World()
    world.run([person(f"p{number}") for number in range(count)])
    return world


def renamed(world: World, count: int, **guards: object) -> Plan:
    """Plan for the ten, `count` of whom have another first name."""
    people = [person(f"p{number}", FirstName="New" if number < count else None) for number in range(10)]
    return world.plan(people, job=guarded(**guards))


@pytest.mark.parametrize(("count", "staged"), [(3, False), (4, True)])
def test_operations_over_their_limit_wait_for_approval(count: int, staged: bool) -> None:
    plan = renamed(company(), count, operations={"update": {"count": 3}})
    assert set(plan.operations["decision"]) == {"staged" if staged else "go"}
    assert plan.verdict.quarantine is None


@pytest.mark.parametrize(("count", "staged"), [(5, False), (6, True)])
def test_an_attribute_that_changes_for_too_many_waits_for_approval(count: int, staged: bool) -> None:
    plan = renamed(company(), count, attribute_percent=50)
    assert set(plan.operations["decision"]) == {"staged" if staged else "go"}
    assert all("FirstName would change for 6 accounts" in reason for reason in plan.verdict.reasons)


def test_a_share_does_not_count_new_accounts() -> None:
    plan = World().plan([person(f"p{number}") for number in range(10)], job=guarded(attribute_percent=10))
    assert set(plan.operations["decision"]) == {"go"}


def test_the_rest_goes_on_unless_the_job_says_stop() -> None:
    world = company()
    people = [*(person(f"p{number}", FirstName="New") for number in range(10)), person("new")]
    limits = {"operations": {"update": {"count": 3}}}
    goes_on = rows_of(world.plan(people, job=guarded(**limits)))
    stops = world.plan(people, job=guarded(**limits, when_exceeded="stop"))
    assert (goes_on["new"]["decision"], rows_of(stops)["new"]["decision"]) == ("go", "staged")
    assert (rows_of(stops)["new"]["error_code"], stops.verdict.stopped) == ("PlanStopped", True)


@pytest.mark.parametrize(
    "guards",
    [{"protected_groups": ["board"]}, {"protected_permission_sets": ["system administrator"]}],
    ids=["group", "permission set"],
)
@pytest.mark.parametrize(
    "change",
    [{"in_scope": False}, {"LoginName": "other@acme.test"}, {"PermissionSets": ["User"]}],
    ids=["disable", "rename", "other rights"],
)
def test_accounts_of_a_protected_kind_are_left_alone(guards: dict[str, object], change: dict[str, object]) -> None:
    world = World()
    usual = {"Department": "Board", "PermissionSets": ["System Administrator"]}
    world.run([person("boss", **usual), person("ann")])
    plan = world.plan([person("boss", **{**usual, **change}), person("ann")], job=guarded(**guards))
    assert (rows_of(plan)["boss"]["decision"], rows_of(plan)["boss"]["error_code"]) == ("hold", "ProtectedAccount")


def test_other_changes_of_protected_accounts_go_on() -> None:
    world = World()
    world.run([person("boss", Department="Board")])
    changed = [person("boss", Department="Board", FirstName="New")]
    assert rows_of(world.plan(changed, job=guarded(protected_groups=["Board"])))["boss"]["decision"] == "go"


@pytest.mark.parametrize("known", [True, False])
def test_a_protected_permission_set_is_never_given(known: bool) -> None:
    world = World()
    world.run([person("ann")] if known else [])
    wanted = person("ann", PermissionSets=["User", "SYSTEM ADMINISTRATOR"])
    plan = world.plan([wanted], job=guarded(protected_permission_sets=["System Administrator"]))
    assert (rows_of(plan)["ann"]["decision"], rows_of(plan)["ann"]["error_code"]) == ("hold", "ProtectedPermissionSet")
    assert changes_of(plan, "ann")["PermissionSets"][1] == '["SYSTEM ADMINISTRATOR", "User"]'


@few
@given(st.integers(0, 10), st.integers(0, 10), st.booleans(), st.randoms())
def test_the_verdict_does_not_depend_on_the_order_of_people(
    changed: int, limit: int, stops: bool, random: object
) -> None:
    world = company()
    people = [person(f"p{number}", FirstName="New" if number < changed else None) for number in range(10)]
    shuffled = list(people)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    limits = guarded(operations={Operation.UPDATE: {"count": limit}}, when_exceeded="stop" if stops else "hold")
    assert world.plan(people, job=limits).verdict == world.plan(shuffled, job=limits).verdict

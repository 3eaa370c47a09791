"""Saved plans: carried out exactly, refused with the reason once they no longer fit, and only as approved."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from tasks.job import Guards, Threshold
from tasks.model import REDACTED, Approval, BadInputError, Decision, Operation, Plan, Situation
from tasks.reconcile.approval import decided, exactly, with_values
from tests.reconcile.test_laws import few, histories, people
from tests.reconcile.world import Person, World, changes_of, job, person, rows_of

ONE = job(guards=Guards(removals=Threshold(count=1)))


def decisions(plan: Plan) -> dict[str, str]:
    """Give everybody's operation and decision."""
    return {name: f"{row['operation']} {row['decision']}" for name, row in rows_of(plan).items()}


@pytest.fixture
def staged() -> Plan:
    """Give a plan with an update, and two removals over the limit of one."""
    world = World()
    world.run([person("ann"), person("bob"), person("cid")])
    return world.plan(
        [person("ann", FirstName="New"), person("bob", in_scope=False), person("cid", in_scope=False)], job=ONE
    )


def test_without_a_decision_what_is_staged_stays_so(staged: Plan) -> None:
    assert decided(staged, None) is staged


def test_an_approval_lets_everything_go(staged: Plan) -> None:
    approved = decided(staged, Approval.EVERYTHING, "ada", "the office closes")
    assert decisions(approved) == {"ann": "update go", "bob": "disable go", "cid": "disable go"}
    assert approved.verdict.reasons == ("Approved by ada (everything): the office closes",)


def test_an_approval_without_removals_holds_them_under_or_over_the_limit(staged: Plan) -> None:
    held = {"ann": "update go", "bob": "disable hold", "cid": "disable hold"}
    assert decisions(decided(staged, Approval.WITHOUT_REMOVALS, "ada", "not yet")) == held
    everything = decided(staged, Approval.EVERYTHING)
    assert decisions(decided(everything, Approval.WITHOUT_REMOVALS, "ada", "not yet")) == held


def test_a_rejected_plan_is_refused_with_who_and_why(staged: Plan) -> None:
    with pytest.raises(BadInputError, match=r"rejected by ada \(a mistake\)"):
        decided(staged, Approval.REJECTED, "ada", "a mistake")


@few
@given(histories(), people())
def test_an_unchanged_world_gives_exactly_the_saved_plan(world: World, everybody: list[Person]) -> None:
    saved = world.plan(everybody)
    carried = exactly(saved, saved, world.plan(everybody), ())
    assert carried.operations.equals(saved.operations)
    assert carried.changes.equals(saved.changes)
    assert carried.plan_id == saved.plan_id


def stale(world: World, saved: Plan, everybody: list[Person]) -> str:
    """Give why a plan is refused."""
    with pytest.raises(BadInputError, match="does not fit any more") as refused:
        exactly(saved, saved, world.plan(everybody), ())
    return str(refused.value)


def test_a_plan_is_refused_when_the_source_has_changed_for_somebody() -> None:
    world = World()
    saved = world.plan([person("ann", FirstName="A"), person("bob")])
    said = stale(world, saved, [person("ann", FirstName="B"), person("bob")])
    assert "ann@acme.test: create was planned, now create with other values" in said
    assert "bob" not in said


def test_a_plan_is_refused_when_the_account_has_changed() -> None:
    world = World()
    world.run([person("ann", FirstName="A")])
    wanted = [person("ann", FirstName="B")]
    saved = world.plan(wanted)
    world.target.accounts["urn:user:1"]["FirstName"] = "C"
    assert "ann@acme.test" in stale(world, saved, wanted)
    world.target.accounts["urn:user:1"]["FirstName"] = "B"
    assert "update was planned, now a link" in stale(world, saved, wanted)


def test_a_plan_is_refused_when_a_person_is_back() -> None:
    world = World()
    world.run([person("ann")])
    saved = world.plan([person("ann", in_scope=False)])
    assert "disable was planned, now nothing is left to do" in stale(world, saved, [person("ann")])


def test_a_plan_is_refused_when_somebody_else_has_the_account_by_now() -> None:
    world = World()
    uri = world.target.add(LoginName="ann@acme.test")
    saved = world.plan([person("ann", FirstName="A")])
    world.link("bob", uri)
    assert "update was planned, now a link (hold)" in stale(world, saved, [person("ann", FirstName="A")])


def test_a_plan_is_refused_when_a_guard_forbids_by_now_what_it_allowed() -> None:
    world = World()
    world.run([person("ann"), person("bob")])
    saved = world.plan([person("ann", in_scope=False), person("bob")], job=ONE)
    assert decisions(saved) == {"ann": "disable go"}
    fresh = world.plan([person("ann", in_scope=False), person("bob", in_scope=False)], job=ONE)
    with pytest.raises(BadInputError, match=r"disable was planned, now disable \(staged\)"):
        exactly(saved, saved, fresh, ())


def test_a_plan_under_another_mapping_is_refused() -> None:
    world = World()
    saved = world.plan([person("ann")])
    fresh = world.plan([person("ann")])
    fresh = dataclasses.replace(fresh, mapping_digest="another")
    with pytest.raises(BadInputError, match="the mapping is another one since"):
        exactly(saved, saved, fresh, ())


def test_what_has_come_up_since_waits_and_makes_no_plan_stale() -> None:
    world = World()
    saved = world.plan([person("ann")])
    carried = exactly(saved, saved, world.plan([person("ann"), person("bob")]), ())
    assert decisions(carried) == {"ann": "create go", "bob": "create hold"}
    assert rows_of(carried)["bob"]["error_code"] == "NotInPlan"


def test_what_an_interrupted_run_has_done_does_not_make_the_rest_stale() -> None:
    world = World()
    everybody = [person("ann"), person("bob")]
    saved = world.plan(everybody)
    first = saved.operations["change_id"].iloc[0]
    world.run([person("ann")])
    carried = exactly(saved, saved, world.plan(everybody), {first})
    assert decisions(carried) == {"ann": "create go", "bob": "create go"}


def test_what_was_held_may_have_changed_in_the_meantime() -> None:
    world = World()
    world.target.add(LoginName="ann@acme.test")
    world.target.add(LoginName="ANN@acme.test")
    saved = world.plan([person("ann"), person("bob")])
    assert rows_of(saved)["ann"]["situation"] == Situation.AMBIGUOUS
    del world.target.accounts["urn:user:2"]
    carried = exactly(saved, saved, world.plan([person("ann"), person("bob")]), ())
    assert (rows_of(carried)["ann"]["decision"], rows_of(carried)["bob"]["operation"]) == (
        Decision.HOLD,
        Operation.CREATE,
    )


def test_values_that_the_file_hides_are_written_as_they_are_now() -> None:
    world = World()
    fresh = world.plan([person("ann", EmployeeId="1")])
    hidden = fresh.changes["attribute"].eq("EmployeeId")
    shown = dataclasses.replace(
        fresh, changes=fresh.changes.assign(after=fresh.changes["after"].mask(hidden, REDACTED))
    )
    carried = with_values(exactly(shown, shown, shown, ()), fresh)
    assert changes_of(carried, "ann") == changes_of(fresh, "ann")

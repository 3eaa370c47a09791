"""The permission set for supervisors: given where the job names one, before the report, never to strangers."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.job import Guards, Job, RepliconTarget
from tasks.model import CycleKind, Plan
from tests.reconcile.world import MemoryTarget, Person, World, changes_of, job, manifest, person, rows_of

SIGN_IN = {"login_name": "svc", "password": {"env": "REPLICON_PASSWORD"}}


def granting(**changes: Any) -> Job:
    """Give a job that lets supervisors be given a permission set."""
    target = {"company_key": "acme", "sign_in": SIGN_IN, "supervisor_permission_set": "Supervisor"}
    return job(target=RepliconTarget.model_validate(target), **changes)


def test_without_the_setting_nothing_is_given() -> None:
    world = World()
    world.run([person("boss"), person("ann")])
    plan = world.plan([person("boss"), person("ann", Supervisor="boss")])
    assert set(plan.changes["attribute"]) == {"Supervisor"}


def test_a_linked_supervisor_is_made_fit_before_the_report_is_written() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"]), person("ann")])
    plan = world.plan([person("ann", Supervisor="boss")], job=granting())
    assert changes_of(plan, "boss") == {"PermissionSets": ('["User"]', '["Supervisor", "User"]')}
    assert rows_of(plan)["ann"]["waits_for"] == "boss"
    assert rows_of(plan)["boss"]["operation"] == "update"
    assert "permission raised" in rows_of(plan)["boss"]["risks"]
    assert "People report to this account" in rows_of(plan)["boss"]["reason"]


def test_it_joins_what_else_changes_for_the_supervisor() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"]), person("ann")])
    changed = [person("boss", FirstName="Bo", PermissionSets=["User", "Payroll"]), person("ann", Supervisor="boss")]
    plan = world.plan(changed, job=granting())
    assert changes_of(plan, "boss")["PermissionSets"] == ('["User"]', '["Payroll", "Supervisor", "User"]')
    assert changes_of(plan, "boss")["FirstName"] == (None, "Bo")


def test_who_holds_it_in_any_letter_case_is_left_alone() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["SUPERVISOR"]), person("ann")])
    plan = world.plan([person("ann", Supervisor="boss")], job=granting())
    assert set(rows_of(plan)) == {"ann"}


def test_a_new_supervisor_is_created_with_it() -> None:
    plan = World().plan([person("boss", PermissionSets=["User"]), person("ann", Supervisor="boss")], job=granting())
    assert changes_of(plan, "boss")["PermissionSets"] == (None, '["Supervisor", "User"]')


def test_it_is_not_taken_away_by_a_cycle_that_cannot_tell_who_reports() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"]), person("ann", Supervisor="boss")], job=granting())
    plan = world.run([person("boss", PermissionSets=["User"], FirstName="Bo")], job=granting())
    assert set(changes_of(plan, "boss")) == {"FirstName"}
    assert "keeps the permission set" in rows_of(plan)["boss"]["reason"]


@pytest.mark.parametrize(("whole", "kept"), [(True, False), (False, True)], ids=["a whole read", "a read in part"])
def test_it_goes_once_a_whole_read_finds_that_nobody_reports(whole: bool, kept: bool) -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"]), person("ann", Supervisor="boss")], job=granting())
    alone = [person("boss", PermissionSets=["User"]), person("ann", clears=frozenset({"Supervisor"}))]
    world.run(alone, kind=CycleKind.INITIAL, manifest=manifest(complete=whole), job=granting())
    [boss] = [one for one in world.target.accounts.values() if one["LoginName"] == "boss@acme.test"]
    assert ("Supervisor" in (boss["PermissionSets"] or [])) is kept


def test_an_account_that_is_leaving_is_given_nothing() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"]), person("ann")])
    plan = world.plan([person("boss", active=False), person("ann", Supervisor="boss")], job=granting())
    assert set(changes_of(plan, "boss")) == {"LoginEnabled"}


def test_a_job_that_does_not_update_gives_nothing() -> None:
    world = World()
    world.run([person("boss", PermissionSets=["User"])])
    plan = world.plan([person("ann", Supervisor="boss")], job=granting(actions=frozenset({"create"})))
    assert set(rows_of(plan)) == {"ann"}


def test_a_set_that_is_never_given_cannot_be_named() -> None:
    with pytest.raises(ValidationError, match="take it out of one of the two"):
        granting(guards=Guards(protected_permission_sets=("supervisor",)))


def charts() -> st.SearchStrategy[list[Person]]:
    """Give people of whom each may report to any other, with or without permission sets of their own."""
    names = [f"p{number}" for number in range(5)]
    one = st.tuples(st.sampled_from([None, *names]), st.sampled_from([None, ["User"], ["User", "Supervisor"]]))
    return st.lists(one, min_size=5, max_size=5).map(
        lambda drawn: [
            person(name, Supervisor=above, PermissionSets=sets)
            for name, (above, sets) in zip(names, drawn, strict=True)
            if name != above
        ]
    )


def holds(plan: Plan, strangers: set[str]) -> bool:
    """Tell whether the plan touches none of the strangers."""
    return not strangers & set(plan.operations["target_uri"].dropna())


@settings(max_examples=100 if os.environ.get("PROVISION_LONG") else 6, deadline=None)
@given(before=charts(), after=charts())
def test_plan_apply_plan_is_empty_and_strangers_are_never_given_anything(
    before: list[Person], after: list[Person]
) -> None:
    target = MemoryTarget([{"LoginName": "stranger@else.test", "PermissionSets": ["User"]}])
    strangers, world = set(target.accounts), World(target)
    world.run(before, job=granting(), kind=CycleKind.INITIAL)
    plan = world.run(after, job=granting())
    assert holds(plan, strangers)
    assert not world.plan(after, job=granting()).writes.any()
    whole = world.run(after, job=granting(), kind=CycleKind.INITIAL)
    assert holds(whole, strangers)
    assert not world.plan(after, job=granting(), kind=CycleKind.INITIAL).writes.any()

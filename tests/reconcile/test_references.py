"""Supervisors: written when they have an account, waited for when they get one, back-filled when they come later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import CycleKind, Operation, Presence
from tasks.reconcile.references import depths
from tests.reconcile.world import World, changes_of, person, rows_of


def test_a_supervisor_who_is_linked_is_written_at_once() -> None:
    world = World()
    world.run([person("boss")])
    plan = world.plan([person("boss"), person("ann", Supervisor="boss")])
    assert changes_of(plan, "ann")["Supervisor"] == (None, "urn:user:1")
    assert rows_of(plan)["ann"]["waits_for"] is None or str(rows_of(plan)["ann"]["waits_for"]) == "<NA>"


def test_new_supervisors_come_before_those_who_wait_for_them() -> None:
    plan = World().plan([person("a", Supervisor="b"), person("b", Supervisor="c"), person("c"), person("d")])
    assert plan.operations["source_id"].tolist() == ["c", "d", "b", "a"]
    assert rows_of(plan)["a"]["waits_for"] == "b"
    assert changes_of(plan, "a")["Supervisor"] == (None, "source:b")


def test_a_supervisor_without_an_account_is_noted_and_back_filled_later() -> None:
    world = World()
    ann, boss = person("ann", Supervisor="boss"), person("boss")
    plan = world.run([ann])
    assert "Supervisor" not in changes_of(plan, "ann")
    assert "The supervisor has no Replicon account" in rows_of(plan)["ann"]["reason"]
    assert world.plan([ann]).operations.empty
    later = world.run([ann, boss])
    assert changes_of(later, "ann") == {"Supervisor": (None, "source:boss")}
    assert world.plan([ann, boss]).operations.empty


def test_a_supervisor_created_again_is_written_to_everyone_who_reports_to_them() -> None:
    world = World()
    everybody = [person("ann", Supervisor="boss"), person("boss")]
    world.run(everybody)
    del world.target.accounts[world.links["boss"]["target_uri"]]
    changed = [everybody[0], person("boss", FirstName="New")]
    plan = world.run(changed)
    assert rows_of(plan)["boss"]["operation"] == Operation.CREATE
    assert changes_of(plan, "ann")["Supervisor"][1] == "source:boss"
    assert world.plan(changed, kind=CycleKind.INITIAL).operations.empty


def test_a_circle_begins_with_the_lowest_source_id_and_loses_no_reference() -> None:
    world = World()
    circle = [person("b", Supervisor="a"), person("a", Supervisor="c"), person("c", Supervisor="b")]
    plan = world.run(circle)
    assert plan.operations["source_id"].tolist() == ["a", "b", "c"]
    assert changes_of(plan, "a")["Supervisor"] == (None, "source:c")
    assert world.plan(circle).operations.empty


def test_nobody_is_their_own_supervisor() -> None:
    world = World()
    plan = world.run([person("a", Supervisor="a")])
    assert "Supervisor" not in changes_of(plan, "a")
    assert world.plan([person("a", Supervisor="a")]).operations.empty


def test_a_supervisor_deleted_for_good_is_not_written() -> None:
    world = World()
    world.run([person("boss")])
    everybody = [person("ann", Supervisor="boss"), person("boss", presence=Presence.HARD_DELETED)]
    plan = world.run(everybody)
    assert "Supervisor" not in changes_of(plan, "ann")
    assert world.plan(everybody[:1]).operations.empty


def test_a_supervisor_whose_creation_is_held_is_not_waited_for() -> None:
    plan = World().plan(
        [person("ann", Supervisor="boss"), person("boss", EmployeeId="E1"), person("twin", EmployeeId="E1")]
    )
    assert "Supervisor" not in changes_of(plan, "ann")


@settings(deadline=None)
@given(st.lists(st.integers(-1, 30), min_size=1, max_size=31))
def test_every_circle_is_opened_once_and_depths_count_the_steps(waits: list[int]) -> None:
    waits_for = np.array([step if step < len(waits) else -1 for step in waits], np.int64)
    depth, opens = depths(waits_for)
    for row in range(len(waits)):
        steps, at = 0, int(row)
        while waits_for[at] >= 0 and not opens[at]:
            steps, at = steps + 1, int(waits_for[at])
            assert steps <= len(waits_for)
        assert depth[row] == steps
    for row in np.flatnonzero(opens).tolist():
        circle, at = [row], int(waits_for[row])
        while at != row:
            circle.append(at)
            at = int(waits_for[at])
            assert len(circle) <= len(waits_for)
        assert row == min(circle)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_a_long_chain_is_as_deep_as_it_is_long(count: int) -> None:
    depth, opens = depths(np.arange(-1, count - 1))
    assert depth.tolist() == list(range(count))
    assert not opens.any()


@pytest.mark.parametrize(
    "becomes",
    [{"PermissionSets": ["Supervisor"]}, {"active": True}],
    ids=["gets a permission set", "gets the login back"],
)
def test_reports_wait_for_a_supervisor_who_becomes_fit_by_the_same_plan(becomes: dict[str, object]) -> None:
    world = World()
    boss = {"active": "active" not in becomes}
    world.run([person("boss"), person("ann"), person("bob", Supervisor="boss")])
    world.run([person("boss", **boss), person("ann"), person("bob", Supervisor="boss")])
    plan = world.plan([person("boss", **becomes), person("ann", Supervisor="boss"), person("new", Supervisor="boss")])
    assert [rows_of(plan)[name]["waits_for"] for name in ("ann", "new")] == ["boss", "boss"]


def test_nobody_waits_for_a_supervisor_who_changes_in_other_ways() -> None:
    world = World()
    world.run([person("boss"), person("ann")])
    plan = world.plan([person("boss", FirstName="New"), person("ann", Supervisor="boss")])
    assert plan.operations["waits_for"].isna().all()

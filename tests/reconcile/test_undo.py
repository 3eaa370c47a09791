"""Undo takes back exactly what a cycle did; what has changed since is left alone; undo of undo is the original."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given

from tasks.job import Guards, Threshold
from tasks.model import REDACTED, STRING, History, Operation, Plan, Presence
from tasks.reconcile.undo import Undoing, undo_plan
from tests.reconcile.test_laws import few, histories, people
from tests.reconcile.world import LINK_COLUMNS, NOW, Person, Value, World, changes_of, frame, job, person, rows_of

COLUMNS = ("source_id", "source_name", "target_uri", "target_name", "operation", "status", "changes", "refused")


def activities_of(world: World, plan: Plan) -> pd.DataFrame:
    """Give what the ledger records of a plan that was carried out without a failure."""
    rows = []
    for row in plan.operations[plan.operations["decision"].eq("go")].to_dict("records"):
        mine = plan.changes[plan.changes["change_id"].eq(row["change_id"])].to_dict("records")
        link = world.links.get(row["source_id"], {})
        changes = [
            {
                "attribute": one["attribute"],
                "before": _value(one["attribute"], one["before"]),
                "after": _written(world, one["attribute"], one["after"]),
            }
            for one in mine
        ]
        uri = link.get("target_uri", row["target_uri"])
        rows.append({**row, "target_uri": uri, "status": "success", "changes": json.dumps(changes), "refused": "[]"})
    return frame(rows, dict.fromkeys(COLUMNS, STRING))


def _written(world: World, attribute: str, text: Any) -> Value:
    """Give what was written: the account of a supervisor who was created by the same plan."""
    value = _value(attribute, text)
    if isinstance(value, str) and value.startswith("source:"):
        return str(world.links[value.removeprefix("source:")]["target_uri"])
    return value


def _value(attribute: str, text: Any) -> Value:
    if pd.isna(text):
        return None
    return json.loads(text) if attribute == "PermissionSets" else str(text)


def undone(world: World, plan: Plan, **more: Any) -> Plan:
    """Plan the undo of a plan that was carried out."""
    links = frame(list(world.links.values()), LINK_COLUMNS)
    usual: dict[str, Any] = {"job": job(), "history": History()}
    undoing = Undoing("cycle-1", activities_of(world, plan), links, **{**usual, **more})
    return undo_plan(undoing, world.target, cycle_id="cycle-2", now=NOW)


def changed(*before: Person, after: Sequence[Person]) -> tuple[World, dict[str, dict[str, Value]], Plan]:
    """Carry out two cycles; give the world, the accounts between the two, and the second plan."""
    world = World()
    world.run(list(before))
    between = copy.deepcopy(world.target.accounts)
    return world, between, world.run(list(after))


def test_what_was_changed_is_put_back() -> None:
    usual = {"FirstName": "A", "PermissionSets": ["User"], "Department": "Sales"}
    world, between, plan = changed(
        person("ann", **usual),
        after=[person("ann", FirstName="B", PermissionSets=["Owner", "User"], Department="Sales")],
    )
    back = undone(world, plan)
    assert changes_of(back, "ann") == {
        "FirstName": ("B", "A"),
        "PermissionSets": ('["Owner", "User"]', '["User"]'),
    }
    assert back.undoes == "cycle-1"
    world.apply(back)
    assert world.target.accounts == between


@pytest.mark.parametrize("away", [{"in_scope": False}, {"active": False}])
def test_who_was_disabled_is_enabled(away: dict[str, bool]) -> None:
    world, between, plan = changed(person("ann"), after=[person("ann", **away)])
    back = undone(world, plan)
    assert (rows_of(back)["ann"]["operation"], changes_of(back, "ann")) == (
        "enable",
        {"LoginEnabled": ("False", "True")},
    )
    world.apply(back)
    assert world.target.accounts == between


def test_who_was_enabled_is_disabled_with_the_values_of_then() -> None:
    world, _, _ = changed(person("ann", FirstName="A"), after=[person("ann", FirstName="A", active=False)])
    between = copy.deepcopy(world.target.accounts)
    plan = world.run([person("ann", FirstName="B")])
    back = undone(world, plan)
    assert rows_of(back)["ann"]["operation"] == Operation.DISABLE
    world.apply(back)
    assert world.target.accounts == between


@pytest.mark.parametrize(("deletes", "operation"), [(False, "disable"), (True, "delete")])
def test_what_was_created_is_disabled_or_deleted(deletes: bool, operation: str) -> None:
    world = World()
    plan = world.run([person("ann")])
    assert rows_of(undone(world, plan, deletes=deletes))["ann"]["operation"] == operation
    forbidden = job(actions=frozenset({"create", "update"}))
    assert rows_of(undone(world, plan, deletes=deletes, job=forbidden))["ann"]["operation"] == "disable"


def test_what_was_deleted_is_named_and_cannot_be_brought_back() -> None:
    world, _, plan = changed(person("ann"), after=[person("ann", presence=Presence.HARD_DELETED)])
    row = rows_of(undone(world, plan))["ann"]
    assert (row["decision"], row["error_code"]) == ("skip", "CannotBeUndone")


def test_values_that_have_changed_since_are_left_alone_and_named() -> None:
    world, _, plan = changed(
        person("ann", FirstName="A", Department="Sales"), after=[person("ann", FirstName="B", Department="Lab")]
    )
    world.target.accounts["urn:user:1"]["Department"] = "Law"
    back = undone(world, plan)
    assert changes_of(back, "ann") == {"FirstName": ("B", "A")}
    assert "Changed since and left alone: Department." in rows_of(back)["ann"]["reason"]
    world.target.accounts["urn:user:1"]["FirstName"] = "C"
    row = rows_of(undone(world, plan))["ann"]
    assert (row["decision"], row["error_code"]) == ("skip", "ChangedSince")


def test_values_that_the_activities_hide_are_left_alone_and_named() -> None:
    world, _, plan = changed(
        person("ann", FirstName="A", EmployeeId="1"), after=[person("ann", FirstName="B", EmployeeId="2")]
    )
    activities = activities_of(world, plan)
    changes = json.loads(activities["changes"].iloc[0])
    shown = [
        {**one, "before": REDACTED, "after": REDACTED} if one["attribute"] == "EmployeeId" else one for one in changes
    ]
    activities["changes"] = pd.array([json.dumps(shown)], dtype=STRING)
    links = frame(list(world.links.values()), LINK_COLUMNS)
    back = undo_plan(Undoing("c", activities, links, job(), History()), world.target, cycle_id="d", now=NOW)
    assert changes_of(back, "ann") == {"FirstName": ("B", "A")}
    assert "what stood there before is not known: EmployeeId." in rows_of(back)["ann"]["reason"]


def test_a_created_account_that_is_in_use_since_is_held() -> None:
    world = World()
    plan = world.run([person("ann", FirstName="A")])
    world.target.accounts["urn:user:1"]["FirstName"] = "B"
    row = rows_of(undone(world, plan))["ann"]
    assert (row["operation"], row["decision"], row["error_code"]) == ("disable", "hold", "ChangedSince")


@pytest.mark.parametrize("happened", ["gone", "linked to another account"])
def test_accounts_that_are_gone_or_not_linked_any_more_are_left_alone(happened: str) -> None:
    world, _, plan = changed(person("ann", FirstName="A"), after=[person("ann", FirstName="B")])
    activities = activities_of(world, plan)
    if happened == "gone":
        del world.target.accounts["urn:user:1"]
    else:
        world.link("ann", world.target.add(LoginName="other"))
    links = frame(list(world.links.values()), LINK_COLUMNS)
    back = undo_plan(Undoing("c", activities, links, job(), History()), world.target, cycle_id="d", now=NOW)
    assert rows_of(back)["ann"]["decision"] == "skip"


def test_the_guards_judge_an_undo_too() -> None:
    world = World()
    plan = world.run([person("ann"), person("bob")])
    back = undone(world, plan, job=job(guards=Guards(removals=Threshold(count=1))))
    assert (set(back.operations["decision"]), back.verdict.quarantine) == ({"staged"}, "TooManyDeletes")


@few
@given(histories(), people())
def test_undo_restores_what_was_managed_and_undo_of_undo_is_the_original(world: World, everybody: list[Person]) -> None:
    before = copy.deepcopy(world.target.accounts)
    plan = world.run(everybody)
    after = copy.deepcopy(world.target.accounts)
    back = undone(world, plan)
    world.apply(back)
    for uri, account in world.target.accounts.items():
        expected = before[uri] if uri in before else {**after[uri], "LoginEnabled": "False"}
        assert managed(account) == managed(expected)
    world.apply(undone(world, back))
    assert {uri: managed(account) for uri, account in world.target.accounts.items()} == {
        uri: managed(account) for uri, account in after.items()
    }


def managed(account: dict[str, Value]) -> dict[str, Value]:
    """Give what an undo can put back: what the target gives back, sets as sets, nothing as nothing."""
    shown = {name: value for name, value in account.items() if name != "SsoName"}
    return {name: (sorted(value) or None) if isinstance(value, list) else value for name, value in shown.items()}


def test_a_name_that_cannot_be_read_is_named_and_left_where_nobody_knows_what_stood_there() -> None:
    world = World()
    world.target.add(LoginName="ann@acme.test", FirstName="An")
    plan = world.run([person("ann", FirstName="Ann", SsoName="ann")])
    back = undone(world, plan)
    assert changes_of(back, "ann") == {"FirstName": ("Ann", "An")}
    assert "what stood there before is not known: SsoName." in rows_of(back)["ann"]["reason"]


def test_a_name_that_cannot_be_read_is_put_back_once_it_was_written_before() -> None:
    world = World()
    world.run([person("ann", SsoName="ann")])
    plan = world.run([person("ann", SsoName="anna")])
    assert changes_of(undone(world, plan), "ann") == {"SsoName": ("anna", "ann")}

"""Risk tags, the forecast and the digest of the state: what a person sees of a plan before it is carried out."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tasks.model import History, Operation
from tests.reconcile.world import World, person, rows_of

BEFORE = {"FirstName": "Ann", "PermissionSets": ["User", "Editor"], "Supervisor": "boss"}


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        ({"LoginName": "other@acme.test"}, "renamed"),
        ({"PermissionSets": ["USER", "Owner"]}, "permission raised"),
        ({"PermissionSets": ["User"]}, None),
        ({"Supervisor": "other"}, "supervisor changed"),
        ({"FirstName": "Anna"}, None),
        ({"in_scope": False}, "deactivated"),
        ({"LoginName": "other@acme.test", "PermissionSets": ["Owner"]}, "renamed, permission raised"),
    ],
)
def test_what_stands_out_is_tagged(change: dict[str, object], tags: str | None) -> None:
    world = World()
    others = [person("boss"), person("other")]
    world.run([*others, person("ann", **BEFORE)])
    found = rows_of(world.plan([*others, person("ann", **{**BEFORE, **change})]))["ann"]["risks"]
    assert (None if pd.isna(found) else found) == tags


def test_the_first_operation_of_its_kind_is_tagged() -> None:
    world = World()
    seen = History(operations=frozenset({Operation.UPDATE}))
    assert rows_of(world.plan([person("ann")], history=seen))["ann"]["risks"] == "first of its kind"
    assert pd.isna(rows_of(world.plan([person("ann")]))["ann"]["risks"])


def test_the_forecast_is_the_writes_at_the_measured_rate() -> None:
    people = [person(f"p{number}") for number in range(30)]
    assert World().plan(people, history=History(per_second=2.0)).forecast == dt.timedelta(seconds=15)
    assert World().plan(people).forecast is None


def test_the_state_is_that_of_the_plans_people_alone() -> None:
    world = World()
    world.run([person("ann"), person("bob")])
    changed = [person("ann", FirstName="New"), person("bob")]
    before = world.plan(changed).state_digest
    world.link("bob", world.links["bob"]["target_uri"])
    assert world.plan(changed[:1]).state_digest == before
    world.link("ann", world.links["ann"]["target_uri"])
    assert world.plan(changed[:1]).state_digest != before

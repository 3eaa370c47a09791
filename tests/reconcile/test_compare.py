"""What counts as a difference, attribute by attribute."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.model import CycleKind
from tests.reconcile.world import MemoryTarget, Value, World, accounts_of, changes_of, person


def compared(attribute: str, wanted: Value, present: Value, **fields: object) -> dict[str, tuple[object, object]]:
    """Give the changes for one person whose account holds `present`."""
    world = World(MemoryTarget([{"LoginName": "ann@acme.test", attribute: present}]))
    plan = world.plan([person("ann", **{attribute: wanted}, **fields)])
    return changes_of(plan, "ann")


@pytest.mark.parametrize(
    ("attribute", "wanted", "present"),
    [
        ("FirstName", "Ann", "Ann"),
        ("Department", "SALES", "Sales"),
        ("Department", "urn:department:sales", "Sales"),
        ("StartDate", "2026-03-09T00:00:00Z", "2026-03-09"),
        ("LoginEnabled", "true", "True"),
        ("PermissionSets", ["B", "a", "a"], ["A", "b"]),
        ("PermissionSets", [], None),
        ("FirstName", None, "Ann"),
        ("FirstName", "", None),
    ],
)
def test_equal_by_the_attributes_own_rules(attribute: str, wanted: Value, present: Value) -> None:
    assert compared(attribute, wanted, present) == {}


@pytest.mark.parametrize(
    ("attribute", "wanted", "present", "change"),
    [
        ("FirstName", "ann", "Ann", ("Ann", "ann")),
        ("FirstName", "Ann", None, (None, "Ann")),
        ("StartDate", "2026-03-10T08:00:00Z", "2026-03-09", ("2026-03-09", "2026-03-10")),
        ("PermissionSets", ["a"], ["b", "a"], ('["a", "b"]', '["a"]')),
        ("PermissionSets", ['say "hi"', "b\\c"], [], ("[]", '["b\\\\c", "say \\"hi\\""]')),
        ("Department", "Finance", "Sales", ("Sales", "Finance")),
    ],
)
def test_different_by_the_attributes_own_rules(
    attribute: str, wanted: Value, present: Value, change: tuple[object, object]
) -> None:
    assert compared(attribute, wanted, present) == {attribute: change}


def test_a_null_clears_only_where_the_mapping_lets_it_flow() -> None:
    assert compared("FirstName", None, "Ann", clears=frozenset({"FirstName"})) == {"FirstName": ("Ann", None)}


def test_values_that_are_only_added_leave_the_others() -> None:
    world = World(MemoryTarget([{"LoginName": "ann@acme.test", "PermissionSets": ["Mine", "shared"]}]))
    accounts = accounts_of([person("ann", PermissionSets=["Shared", "new"])])
    adding = type(accounts)(**{**vars(accounts), "add_only": frozenset({"PermissionSets"})})
    plan = world.plan([], accounts=adding)
    assert changes_of(plan, "ann") == {"PermissionSets": ('["Mine", "shared"]', '["Mine", "new", "shared"]')}
    world.apply(plan)
    assert world.plan([], accounts=adding, kind=CycleKind.INITIAL).operations.empty


def test_what_the_target_does_not_give_back_is_compared_with_what_was_written() -> None:
    world = World()
    world.run([person("ann", SsoName="ann"), person("bob", SsoName="bob")])
    plan = world.plan([person("ann", SsoName="other"), person("bob", SsoName="bob", FirstName="Bob")])
    assert changes_of(plan, "ann") == {"SsoName": ("ann", "other")}
    assert changes_of(plan, "bob") == {"FirstName": (None, "Bob")}


def test_defaults_count_on_creation_only() -> None:
    world = World()
    accounts = accounts_of([person("ann")], defaults={"Department": "General"})
    plan = world.run([], accounts=accounts)
    assert changes_of(plan, "ann")["Department"] == (None, "General")
    world.target.accounts["urn:user:1"]["Department"] = "Sales"
    assert world.plan([], accounts=accounts, kind=CycleKind.INITIAL).operations.empty


def test_changes_stand_in_the_order_of_the_plan() -> None:
    plan = World().plan([person("bob", FirstName="B"), person("ann", FirstName="A")])
    order = plan.operations["change_id"].tolist()
    assert plan.changes["change_id"].drop_duplicates().tolist() == order
    assert isinstance(plan.changes["attribute"].dtype, pd.ArrowDtype)

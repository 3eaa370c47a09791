"""How accounts are found: precedence, checks by content, and who is held when it cannot be told whose account it is."""

from __future__ import annotations

import pytest

from tasks.model import Decision, Operation, Situation
from tests.reconcile.world import MemoryTarget, Step, World, person, rows_of


def test_the_lowest_priority_is_asked_first_and_its_hit_ends_the_search() -> None:
    world = World(
        MemoryTarget([{"LoginName": "ann@acme.test"}, {"LoginName": "other", "EmployeeId": "E1"}]),
    )
    plan = world.plan([person("ann", EmployeeId="E1")])
    assert rows_of(plan)["ann"]["target_uri"] == "urn:user:1"
    assert world.target.found == ["ann@acme.test"]


def test_the_next_attribute_is_asked_only_for_those_without_a_hit() -> None:
    world = World(MemoryTarget([{"LoginName": "ann@acme.test"}, {"LoginName": "old", "EmployeeId": "E2"}]))
    plan = world.plan([person("ann", EmployeeId="E1"), person("bob", EmployeeId="E2")])
    assert rows_of(plan)["bob"]["target_uri"] == "urn:user:2"
    assert world.target.found == ["ann@acme.test", "bob@acme.test", "E2"]


def test_an_attribute_without_priority_is_never_matched_by() -> None:
    world = World(MemoryTarget([{"LoginName": "old", "EmployeeId": "E1"}]))
    plan = world.plan([person("ann", EmployeeId="E1")], matching=(Step("EmployeeId", 0), Step("LoginName", 1)))
    assert rows_of(plan)["ann"]["situation"] == Situation.ABSENT


def test_login_names_match_without_regard_to_case_and_employee_ids_do_not() -> None:
    world = World(MemoryTarget([{"LoginName": "Ann@ACME.test"}, {"LoginName": "old", "EmployeeId": "e2"}]))
    plan = world.plan([person("ann"), person("bob", EmployeeId="E2")])
    assert rows_of(plan)["ann"]["situation"] == Situation.FOUND
    assert rows_of(plan)["bob"]["situation"] == Situation.ABSENT


def test_several_accounts_hold_the_person_and_name_them() -> None:
    world = World(MemoryTarget([{"LoginName": name, "EmployeeId": "E1"} for name in ("d", "c", "b", "a", "e")]))
    row = rows_of(world.plan([person("ann", EmployeeId="E1")]))["ann"]
    assert (row["situation"], row["decision"]) == (Situation.AMBIGUOUS, Decision.HOLD)
    assert row["error_code"] == "DuplicateTargetEntries"
    assert row["reason"].startswith("Several Replicon accounts match by EmployeeId: a, b, c and 2 more. Nothing is ")


def test_an_account_of_somebody_else_is_held_and_both_are_named() -> None:
    world = World()
    world.run([person("old", EmployeeId="E1")])
    row = rows_of(world.plan([person("old", EmployeeId="E1"), person("new", EmployeeId="E1")]))["new"]
    assert (row["situation"], row["operation"], row["decision"]) == ("contested", "none", "hold")
    assert row["reason"].startswith(
        "new@acme.test matches the Replicon account old@acme.test by EmployeeId, "
        "but that account is linked to old@acme.test."
    )


@pytest.mark.parametrize("accounts", [0, 1])
def test_two_people_with_one_claim_are_both_held(accounts: int) -> None:
    world = World(MemoryTarget([{"LoginName": "x", "EmployeeId": "E1"}] * accounts))
    plan = world.plan([person("ann", EmployeeId="E1"), person("bob", EmployeeId="E1"), person("cat")])
    rows = rows_of(plan)
    for name in ("ann", "bob"):
        assert rows[name]["decision"] == Decision.HOLD
        assert rows[name]["error_code"] == "DuplicateSourceEntries"
        assert "ann@acme.test, bob@acme.test" in rows[name]["reason"]
    assert rows["cat"]["operation"] == Operation.CREATE


def test_a_vanished_account_does_not_let_its_person_take_what_a_new_person_matches() -> None:
    world = World()
    world.run([person("ann", EmployeeId="E1")])
    world.target.accounts.clear()
    world.target.add(LoginName="x", EmployeeId="E1")
    plan = world.plan([person("ann", EmployeeId="E1", FirstName="Ann"), person("bob", EmployeeId="E1")])
    assert {row["decision"] for row in rows_of(plan).values()} == {Decision.HOLD}


def test_a_target_that_does_not_give_the_attribute_is_a_defect_with_a_name() -> None:
    class Forgetful(MemoryTarget):
        def find(self, attribute: str, values: object) -> object:  # type: ignore[override]  # broken on purpose
            return super().find(attribute, values).drop(columns=attribute)  # type: ignore[arg-type]  # passed on

    with pytest.raises(TypeError, match=r"find\('LoginName'\): the target's answer has no column LoginName"):
        World(Forgetful()).plan([person("ann")])

"""Every situation, one by one: what is planned, and why, for the person in it."""

from __future__ import annotations

import pytest

from tasks.model import CycleKind, Decision, Operation, Presence, Situation
from tasks.reconcile.situations import RULES
from tests.reconcile.world import MemoryTarget, World, changes_of, job, manifest, person, rows_of


def test_the_table_has_a_line_for_every_situation() -> None:
    assert set(RULES) == set(Situation)
    assert {situation for situation, rule in RULES.items() if rule.decision is Decision.HOLD} == {
        Situation.AMBIGUOUS,
        Situation.CONTESTED,
    }


def test_absent_people_are_created_with_all_that_has_a_value() -> None:
    plan = World().plan([person("ann", FirstName="Ann", PermissionSets=["b", "a"])])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"], row["decision"]) == ("absent", "create", "go")
    assert row["reason"] == "Assigned and active, and no Replicon account matches (role User, directly)."
    assert changes_of(plan, "ann") == {
        "LoginName": (None, "ann@acme.test"),
        "FirstName": (None, "Ann"),
        "LoginEnabled": (None, "True"),
        "PermissionSets": (None, '["a", "b"]'),
    }


def test_found_people_are_linked_and_brought_up_to_date() -> None:
    world = World(MemoryTarget([{"LoginName": "ANN@acme.test", "FirstName": "Anne"}]))
    plan = world.plan([person("ann", FirstName="Ann")])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"], row["target_uri"]) == ("found", "update", "urn:user:1")
    assert changes_of(plan, "ann") == {"FirstName": ("Anne", "Ann")}
    assert row["reason"] == (
        "The Replicon account ANN@acme.test matches by LoginName. It is linked to this person; it differs in FirstName."
    )


def test_found_people_who_agree_are_linked_without_a_write() -> None:
    world = World(MemoryTarget([{"LoginName": "ann@acme.test"}]))
    plan = world.run([person("ann")])
    assert rows_of(plan)["ann"]["operation"] == Operation.NONE
    assert rows_of(plan)["ann"]["decision"] == Decision.GO
    assert world.links["ann"]["target_uri"] == "urn:user:1"
    assert world.plan([person("ann")]).operations.empty


def test_an_account_that_was_off_is_switched_on_with_whatever_else_differs() -> None:
    world = World()
    world.run([person("ann")])
    world.run([person("ann", active=False)])
    plan = world.run([person("ann", FirstName="Ann")])
    assert rows_of(plan)["ann"]["operation"] == Operation.ENABLE
    assert changes_of(plan, "ann") == {"LoginEnabled": ("False", "True"), "FirstName": (None, "Ann")}
    assert world.plan([person("ann", FirstName="Ann")]).operations.empty


@pytest.mark.parametrize(
    ("change", "situation"),
    [
        ({"active": False}, Situation.SOURCE_DISABLED),
        ({"presence": Presence.SOFT_DELETED}, Situation.SOURCE_DISABLED),
        ({"in_scope": False, "active": False}, Situation.OUT_OF_SCOPE),
        ({"LoginEnabled": "False"}, Situation.SOURCE_DISABLED),
    ],
)
def test_leavers_lose_their_login_and_nothing_else(change: dict[str, object], situation: Situation) -> None:
    world = World()
    world.run([person("ann", FirstName="Ann")])
    leaver = person("ann", FirstName="Other", **change)
    plan = world.run([leaver])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"], row["decision"]) == (situation, "disable", "go")
    assert changes_of(plan, "ann") == {"LoginEnabled": ("True", "False")}
    assert world.plan([leaver]).operations.empty
    assert world.plan([leaver], kind=CycleKind.INITIAL).operations.empty


def test_a_leaver_whose_login_was_taken_by_hand_is_only_remembered() -> None:
    world = World()
    world.run([person("ann")])
    world.target.accounts["urn:user:1"]["LoginEnabled"] = "False"
    plan = world.run([person("ann", active=False)])
    assert rows_of(plan)["ann"]["operation"] == Operation.NONE
    assert rows_of(plan)["ann"]["reason"].endswith("The account's login is disabled already.")
    assert world.plan([person("ann", active=False)]).operations.empty


def test_people_deleted_for_good_lose_their_account() -> None:
    world = World()
    world.run([person("ann")])
    plan = world.plan([person("ann", presence=Presence.HARD_DELETED)])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"], row["decision"]) == ("source_deleted", "delete", "go")


def test_a_delete_that_the_job_does_not_allow_is_skipped_with_the_reason() -> None:
    world = World()
    world.run([person("ann")])
    plan = world.plan([person("ann", presence=Presence.HARD_DELETED)], job=job(actions=frozenset({"create", "update"})))
    row = rows_of(plan)["ann"]
    assert (row["decision"], row["error_code"]) == ("skip", "EntrySynchronizationSkipped")
    assert "do not allow `delete`" in row["reason"]


def test_inactive_people_are_never_created_and_told_once() -> None:
    world = World()
    plan = world.run([person("ann", active=False)])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["decision"]) == ("unqualified", "skip")
    assert world.target.found == []
    assert world.plan([person("ann", active=False)]).operations.empty


def test_a_skip_with_another_reason_is_told_again() -> None:
    world = World()
    world.run([person("ann", active=False)])
    plan = world.plan([person("ann", active=False, in_scope=False)])
    assert "not in scope: not assigned to Replicon." in rows_of(plan)["ann"]["reason"]


def test_people_without_a_matching_value_are_skipped() -> None:
    plan = World().plan([person("ann", LoginName=None)])
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["error_code"]) == ("unqualified", "ImportSkipped")
    assert "(LoginName, EmployeeId)" in row["reason"]


def test_a_vanished_account_is_matched_again() -> None:
    world = World()
    world.run([person("ann", EmployeeId="E1")])
    del world.target.accounts["urn:user:1"]
    world.target.add(LoginName="old", EmployeeId="E1")
    plan = world.run([person("ann", EmployeeId="E1")], kind=CycleKind.INITIAL)
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"]) == ("missing", "update")
    assert row["reason"].startswith(
        "The linked account is gone from Replicon (ann@acme.test). The Replicon account old "
    )
    assert world.plan([person("ann", EmployeeId="E1")], kind=CycleKind.INITIAL).operations.empty


def test_a_vanished_account_that_nothing_matches_is_created_again() -> None:
    world = World()
    world.run([person("ann")])
    del world.target.accounts["urn:user:1"]
    plan = world.plan([person("ann")], kind=CycleKind.INITIAL)
    assert (rows_of(plan)["ann"]["situation"], rows_of(plan)["ann"]["operation"]) == ("missing", "create")


def test_a_leaver_whose_account_has_vanished_is_told_and_not_created() -> None:
    world = World()
    world.run([person("ann")])
    del world.target.accounts["urn:user:1"]
    row = rows_of(world.plan([person("ann", active=False)]))["ann"]
    assert (row["situation"], row["operation"], row["decision"]) == ("missing", "none", "skip")


def test_a_vanished_account_of_somebody_deleted_for_good_ends_the_link() -> None:
    world = World()
    world.run([person("ann")])
    world.target.accounts.clear()
    gone = [person("ann", presence=Presence.HARD_DELETED)]
    row = rows_of(world.run(gone))["ann"]
    assert (row["situation"], row["operation"], row["decision"]) == ("source_deleted", "delete", "go")
    assert world.links == {}


def test_an_account_withheld_from_us_is_not_taken_for_vanished() -> None:
    world = World()
    world.run([person("ann")])
    world.target.withheld = frozenset({"urn:user:1"})
    row = rows_of(world.plan([person("ann")], kind=CycleKind.INITIAL))["ann"]
    assert (row["operation"], row["decision"], row["error_code"]) == ("none", "hold", "InsufficientRights")


def test_what_was_changed_in_replicon_is_put_back_as_drift() -> None:
    world = World()
    world.run([person("ann", FirstName="Ann")])
    world.target.accounts["urn:user:1"]["FirstName"] = "Changed"
    assert world.plan([person("ann", FirstName="Ann")]).operations.empty
    plan = world.plan([person("ann", FirstName="Ann")], kind=CycleKind.INITIAL)
    assert rows_of(plan)["ann"]["situation"] == Situation.DRIFTED
    assert changes_of(plan, "ann") == {"FirstName": ("Changed", "Ann")}


def test_a_person_whose_mapping_failed_is_held_with_the_reason() -> None:
    world = World()
    world.run([person("ann")])
    plan = world.plan([person("ann", error="the date is not one")])
    row = rows_of(plan)["ann"]
    assert (row["decision"], row["error_code"]) == ("hold", "MappingFailed")
    assert row["reason"].endswith("Department: the date is not one")


def test_people_left_alone_are_not_touched_whatever_they_are() -> None:
    world = World()
    world.run([person("ann"), person("bob")])
    leaving = [person("ann", left_alone=True, FirstName="New"), person("bob", left_alone=True, active=False)]
    plan = world.plan(leaving, kind=CycleKind.INITIAL)
    assert {row["decision"] for row in rows_of(plan).values()} == {"skip"}
    assert plan.changes.empty


def test_actions_that_exclude_update_still_link_a_found_account() -> None:
    world = World(MemoryTarget([{"LoginName": "ann@acme.test"}]))
    creates_only = job(actions=frozenset({"create"}))
    row = rows_of(world.run([person("ann", FirstName="Ann")], job=creates_only))["ann"]
    assert (row["operation"], row["decision"]) == ("none", "go")
    assert "do not allow `update`" in row["reason"]
    again = rows_of(world.plan([person("ann", FirstName="Ann")], job=creates_only))["ann"]
    assert (again["operation"], again["decision"]) == ("update", "skip")


def test_actions_that_exclude_create_never_create() -> None:
    plan = World().plan([person("ann")], job=job(actions=frozenset({"update"})))
    assert rows_of(plan)["ann"]["decision"] == Decision.SKIP
    assert plan.changes.empty


def test_nobody_is_read_who_did_not_change() -> None:
    world = World()
    everybody = [person("ann", FirstName="A"), person("bob"), person("cat")]
    world.run(everybody)
    world.target.asked.clear()
    plan = world.plan([person("ann", FirstName="B"), *everybody[1:]])
    assert world.target.asked == ["urn:user:1"]
    assert list(rows_of(plan)) == ["ann"]


def test_the_plan_keeps_what_it_was_made_from() -> None:
    plan = World().plan([person("ann")])
    assert (plan.job, plan.cycle_id, plan.mapping_digest) == ("acme", "cycle-1", "mapping-1")
    assert plan.manifest == manifest()
    assert plan.operations["change_id"].is_unique

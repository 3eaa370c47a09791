"""Reading changes only: cycle by cycle it remembers, and gives, what whole reads would; everybody else is left out."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from deployments.sandbox.graph_settings import DeltaExpiry
from deployments.sandbox.sandbox import Sandbox
from tasks.job import Scope
from tasks.model import CycleKind, Presence
from tests.connectors.microsoft_graph.edits import edit, flip_role
from tests.extract.rig import Rig, leavers

INITIAL, INCREMENTAL = CycleKind.INITIAL, CycleKind.INCREMENTAL


@pytest.fixture
def rig(small: Sandbox, tmp_path: Path) -> Rig:
    rig = Rig(small, tmp_path)
    rig.cycle(INITIAL)
    return rig


@pytest.mark.parametrize(
    "scope", [Scope(), Scope(nested_groups=True), Scope(who="all"), Scope(exclude_default_access=False)], ids=str
)
def test_a_month_of_daily_changes_gives_what_one_whole_read_gives(small: Sandbox, tmp_path: Path, scope: Scope) -> None:
    chance = random.Random(str(scope))
    rig = Rig(small, tmp_path, scope)
    rig.cycle(INITIAL)
    for day in range(30):
        for _ in range(chance.randrange(9)):
            small.run(lambda: edit(small, chance))
        if day % 10 == 9:
            small.run(lambda: flip_role(small, chance))
        assert not rig.cycle().whole
    assert (rig.state(), rig.rows) == rig.whole()


def test_without_a_change_nobody_has_a_row_and_nothing_is_rewritten(rig: Rig) -> None:
    extraction = rig.cycle()
    assert extraction.update is not None
    assert (extraction.whole, len(extraction.assignments), extraction.update.touched) == (False, 0, ())


def test_only_whom_a_change_touches_has_a_row_and_with_the_whole_object(rig: Rig, small: Sandbox) -> None:
    someone = _entitled(rig)[0]
    small.run(lambda: small.tenant.update_user(someone, department="Moved"))
    frame = rig.cycle().assignments.set_index("source_id")
    assert frame.loc[someone, "department"] == "Moved"
    assert frame.loc[someone, "userPrincipalName"] == small.tenant.user(someone)["userPrincipalName"]
    assert set(frame.index) == {someone, *rig.ledger.source("acme").reports_of([someone])}


def test_who_is_assigned_anew_is_fetched_without_having_changed(rig: Rig, small: Sandbox) -> None:
    newcomer = small.run(lambda: small.tenant.add_user(givenName="New", department="Legal"))
    rig.cycle()
    rig.cycle()
    small.run(lambda: small.tenant.assign(newcomer, small.tenant.role("User").id))
    frame = rig.cycle().assignments
    assert frame[["source_id", "department", "entitled"]].to_numpy().tolist() == [[newcomer, "Legal", True]]


def test_who_leaves_one_group_and_stays_in_another_stays_entitled(rig: Rig, small: Sandbox) -> None:
    someone = _entitled(rig)[0]
    role = small.tenant.role("User").id

    def move() -> None:
        group = small.tenant.add_group("Second", [someone])
        small.tenant.assign(group, role)
        for other in small.tenant.groups():
            if other.id != group:
                small.tenant.remove_member(other.id, someone)
        small.tenant.unassign(someone)

    small.run(move)
    assert leavers(rig.cycle()) == set()


def test_everybody_of_an_unassigned_group_is_touched(rig: Rig, small: Sandbox) -> None:
    tenant = small.tenant
    assigned = {each.principal_id for each in tenant.assignments()}
    group = max(
        (each for each in tenant.groups() if each.id in assigned), key=lambda each: len(tenant.members(each.id))
    )
    people = set(small.run(lambda: tenant.members(group.id))).intersection(rig.rows)
    small.run(lambda: tenant.unassign(group.id))
    assert people
    assert people <= set(rig.cycle().assignments["source_id"])
    assert (rig.state(), rig.rows) == rig.whole()


def test_who_is_looked_at_again_has_a_row_without_having_changed(rig: Rig) -> None:
    someone = _entitled(rig)[0]
    assert someone in set(rig.cycle(again=[someone]).assignments["source_id"])


def test_a_linked_person_purged_from_the_directory_is_gone_for_good(rig: Rig, small: Sandbox) -> None:
    someone = _entitled(rig)[0]
    small.run(lambda: small.tenant.hard_delete(someone))
    frame = rig.cycle().assignments.set_index("source_id")
    assert frame.loc[someone, "presence"] == Presence.HARD_DELETED


def test_reports_lose_a_manager_who_leaves_and_get_back_one_who_returns(rig: Rig, small: Sandbox) -> None:
    boss, report = _entitled(rig)[:2]
    small.run(lambda: small.tenant.update_user(report, manager=boss))
    rig.cycle()
    for change in (small.tenant.soft_delete, small.tenant.restore):
        small.run(functools.partial(change, boss))
        assert report in set(rig.cycle().assignments["source_id"])
        assert (rig.state(), rig.rows) == rig.whole()


@pytest.mark.parametrize("expiry", list(DeltaExpiry))
def test_a_watermark_too_old_makes_it_a_whole_read(rig: Rig, small: Sandbox, expiry: DeltaExpiry) -> None:
    small.graph_settings.delta_expiry = expiry
    small.graph_settings.delta_token_life = -1
    extraction = rig.cycle()
    assert (extraction.whole, extraction.manifest.complete) == (True, True)
    assert (rig.state(), rig.rows) == rig.whole()


def test_another_default_domain_makes_it_a_whole_read(rig: Rig, small: Sandbox) -> None:
    small.tenant.domain = "renamed.example"
    assert rig.cycle().whole


def test_what_was_not_acted_on_is_read_again(rig: Rig, small: Sandbox) -> None:
    someone = _entitled(rig)[0]
    small.run(lambda: small.tenant.update_user(someone, department="Moved"))
    lost = rig.read(INCREMENTAL)
    assert someone in set(rig.read(INCREMENTAL).assignments["source_id"])
    assert set(lost.assignments["source_id"]) == set(rig.read(INCREMENTAL).assignments["source_id"])


def test_a_person_who_cannot_be_looked_up_leaves_the_read_incomplete_and_the_watermark_as_it_was(
    rig: Rig, small: Sandbox
) -> None:
    newcomer = small.run(lambda: small.tenant.add_user(givenName="New"))
    rig.cycle()
    rig.cycle()
    small.run(lambda: small.tenant.assign(newcomer, small.tenant.role("User").id))
    before = rig.ledger.job_state("acme").watermark
    number = small.faults.add("graph:users/id", "internal500", containing=newcomer)
    extraction = rig.cycle()
    assert (extraction.manifest.complete, rig.ledger.job_state("acme").watermark) == (False, before)
    small.faults.remove(number)
    assert newcomer in set(rig.cycle().assignments["source_id"])


def _entitled(rig: Rig) -> list[str]:
    frame = rig.read(INITIAL).assignments
    entitled = frame["entitled"] & frame["presence"].eq(Presence.PRESENT) & frame["accountEnabled"].eq("True")
    return frame.loc[entitled, "source_id"].sort_values().tolist()

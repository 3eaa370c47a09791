"""What a job may decide otherwise: situations held or skipped, drift adopted, days of grace before a disable."""

from __future__ import annotations

import datetime as dt

import pytest

from tasks.job import Drift, Guards, Job, Threshold
from tasks.model import LEAVING_COLUMNS, CycleKind, Presence, Situation, empty_frame
from tasks.reconcile.grace import still_leaving
from tests.reconcile.world import LINK_COLUMNS, NOW, Person, World, accounts_of, changes_of, frame, job, person, rows_of


def decided(**situations: str) -> Job:
    """Give a job with these actions."""
    return Job.model_validate({**job().model_dump(exclude={"file"}), "situations": situations})


def row(plan: object, source_id: str = "ann") -> tuple[str, str, str]:
    """Give somebody's situation, operation and decision."""
    found = rows_of(plan)[source_id]  # type: ignore[arg-type]  # a plan
    return found["situation"], found["operation"], found["decision"]


def test_a_situation_is_held_where_the_job_says_so() -> None:
    plan = World().plan([person("ann")], job=decided(absent="hold"))
    assert row(plan) == ("absent", "create", "hold")
    assert "`situations.absent`" in rows_of(plan)["ann"]["reason"]
    assert changes_of(plan, "ann")["LoginName"] == (None, "ann@acme.test")


def test_a_situation_is_skipped_where_the_job_says_so_and_told_once() -> None:
    world = World()
    world.run([person("ann")])
    gone = [person("ann", in_scope=False)]
    assert row(world.run(gone, job=decided(out_of_scope="skip"))) == ("out_of_scope", "disable", "skip")
    assert world.plan(gone, job=decided(out_of_scope="skip")).operations.empty
    assert row(world.plan(gone)) == ("out_of_scope", "disable", "go")


def test_nobody_waits_for_a_supervisor_whose_account_the_job_does_not_let_be_made() -> None:
    plan = World().plan([person("boss"), person("ann", Supervisor="boss")], job=decided(absent="hold"))
    assert "Supervisor" not in changes_of(plan, "ann")


def test_who_is_deleted_for_good_is_disabled_where_the_job_says_so() -> None:
    world = World()
    world.run([person("ann")])
    gone = [person("ann", presence=Presence.HARD_DELETED)]
    assert row(world.run(gone, job=decided(source_deleted="disable"))) == ("source_deleted", "disable", "go")
    assert world.target.accounts["urn:user:1"]["LoginEnabled"] == "False"


@pytest.mark.parametrize(
    ("situations", "said"),
    [({"absent": "disable"}, "expected hold or skip"), ({"orphan": "hold"}, "orphans are only listed")],
)
def test_actions_that_make_no_sense_are_refused(situations: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decided(**situations)


ADOPTS = job(drift=Drift.model_validate({"attributes": {"Department": "adopt"}}))


def drifted(**more: str) -> World:
    """Give a world in which somebody changed Ann's department and first name in Replicon."""
    world = World()
    world.run([person("ann", Department="Sales", FirstName="Ann")])
    world.target.accounts["urn:user:1"].update({"Department": "Lab", **more})
    return world


def test_drift_is_put_back_by_default() -> None:
    plan = drifted().plan([person("ann", Department="Sales", FirstName="Ann")], kind=CycleKind.INITIAL)
    assert (row(plan), changes_of(plan, "ann")) == (("drifted", "update", "go"), {"Department": ("Lab", "Sales")})


def test_drift_is_left_and_told_where_the_job_adopts_it() -> None:
    world = drifted()
    ann = [person("ann", Department="Sales", FirstName="Ann")]
    plan = world.run(ann, kind=CycleKind.INITIAL, job=ADOPTS)
    assert row(plan) == ("drifted", "none", "skip")
    assert "left so, as the job says (`drift`): Department." in rows_of(plan)["ann"]["reason"]
    assert world.plan(ann, kind=CycleKind.INITIAL, job=ADOPTS).operations.empty


def test_drift_is_judged_attribute_by_attribute() -> None:
    ann = [person("ann", Department="Sales", FirstName="Ann")]
    plan = drifted(FirstName="Else").plan(ann, kind=CycleKind.INITIAL, job=ADOPTS)
    assert changes_of(plan, "ann") == {"FirstName": ("Else", "Ann")}


def test_an_adopted_value_stays_when_something_else_changes_at_the_source() -> None:
    plan = drifted().plan([person("ann", Department="Sales", FirstName="Anna")], job=ADOPTS)
    assert changes_of(plan, "ann") == {"FirstName": ("Ann", "Anna")}


def test_an_adopted_value_ends_when_the_value_at_the_source_changes() -> None:
    plan = drifted().plan([person("ann", Department="Law", FirstName="Ann")], job=ADOPTS)
    assert changes_of(plan, "ann") == {"Department": ("Lab", "Law")}


PATIENT = job(guards=Guards(removals=Threshold(), grace_days=7))


def leaving(world: World, people: list[Person], days: float = 0, before: object = None) -> object:
    """Give who is leaving as the next cycle remembers it, `days` from now."""
    links = frame(list(world.links.values()), LINK_COLUMNS)
    known = empty_frame(LEAVING_COLUMNS) if before is None else before
    return still_leaving(accounts_of(people), links, known, NOW + dt.timedelta(days=days))  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"in_scope": False}, {"active": False}], ids=["unassigned", "blocked"])
def test_the_login_is_taken_when_the_days_of_grace_are_over(change: dict[str, bool]) -> None:
    world = World()
    world.run([person("ann")])
    gone = [person("ann", **change)]
    since = leaving(world, gone)
    early = world.run(gone, job=PATIENT, leaving=since, now=NOW + dt.timedelta(days=6))
    assert (row(early)[1:], rows_of(early)["ann"]["error_code"]) == (("disable", "skip"), "GracePeriod")
    assert "taken on 2026-12-01 12:00 UTC" in rows_of(early)["ann"]["reason"]
    again = leaving(world, gone, 8, since)
    late = world.run(gone, job=PATIENT, leaving=again, now=NOW + dt.timedelta(days=8))
    assert row(late)[1:] == ("disable", "go")


def test_who_comes_back_within_the_days_of_grace_starts_again() -> None:
    world = World()
    world.run([person("ann"), person("bob")])
    since = leaving(world, [person("ann", in_scope=False)])
    assert leaving(world, [person("ann")], 3, since).empty  # type: ignore[attr-defined]  # a frame
    unseen = leaving(world, [person("bob")], 3, since)
    assert unseen["source_id"].tolist() == ["ann"]  # type: ignore[index]  # a frame


def test_who_is_deleted_for_good_gets_no_days_of_grace() -> None:
    world = World()
    world.run([person("ann")])
    gone = [person("ann", presence=Presence.HARD_DELETED)]
    assert row(world.plan(gone, job=PATIENT, leaving=leaving(world, gone))) == (
        Situation.SOURCE_DELETED,
        "delete",
        "go",
    )

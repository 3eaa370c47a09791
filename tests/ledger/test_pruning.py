"""Retention: what is old goes, what is open stays, and the chain can still be checked."""

from __future__ import annotations

import datetime as dt

import pytest

from tasks.ledger import pruning
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Moves
from tasks.model import Approval, CycleKind, Status
from tests.ledger.changes import change, ending, request
from tests.ledger.conftest import Clock
from tests.ledger.edits import edit

JOB = "acme"


def day(ledger: Ledger, clock: Clock, *numbers: int, failing: int | None = None) -> str:
    """Run a cycle on the next day, with a request and an activity of each person; give its id."""
    clock.pass_by(days=1)
    cycle = ledger.begin_cycle(JOB, CycleKind.INCREMENTAL)
    for number in numbers:
        about = change(number, change_id=f"change-{number}-{clock.now:%d}")
        failed = {"status": Status.FAILURE, "escrow": True, "error_code": "EntryConflict"} if number == failing else {}
        ledger.record(JOB, cycle, Moves(intents=[request(about)]))
        ledger.record(JOB, cycle, Moves(endings=[ending(about, started_at=clock.now, **failed)]))
    ledger.end_cycle(cycle, "Completed", counts={"created": len(numbers)})
    return cycle


def people(ledger: Ledger) -> list[str]:
    return [name.removeprefix("person-") for name in ledger.activities(job=JOB)["source_id"]]


def days_ago(clock: Clock, days: float) -> dt.datetime:
    return clock.now - dt.timedelta(days=days)


def test_what_is_older_goes_and_the_rest_can_still_be_checked(ledger: Ledger, clock: Clock) -> None:
    first, second = day(ledger, clock, 1, 2), day(ledger, clock, 3, 4)
    third = day(ledger, clock, 5, 6)
    gone = ledger.prune(JOB, days_ago(clock, 0.5))
    # The latest creation stays by itself; here that is a younger one.
    assert (gone.activities, gone.journal, people(ledger)) == (4, 4, ["5", "6"])
    assert ledger.cycles(JOB)["cycle_id"].tolist() == [third]
    checked = ledger.verify(JOB)
    assert (checked.findings, checked.records, checked.pruned) == ((), 2, 4)
    assert {first, second}.isdisjoint(ledger.cycles(JOB)["cycle_id"])


def test_pruning_again_and_again_leaves_a_sound_chain(ledger: Ledger, clock: Clock) -> None:
    for number in range(1, 7):
        day(ledger, clock, number, number + 10, failing=3 if number == 3 else None)
        ledger.prune(JOB, days_ago(clock, 1.5))
        assert ledger.verify(JOB).findings == ()
    assert people(ledger) == ["3", "5", "15", "6", "16"]


def test_who_is_in_escrow_keeps_the_activity_that_explains_it(ledger: Ledger, clock: Clock) -> None:
    cycle = day(ledger, clock, 1, 2, 3, failing=2)
    day(ledger, clock, 4)
    gone = ledger.prune(JOB, days_ago(clock, 0.5))
    assert (people(ledger), gone.kept) == (["2", "4"], 1)
    assert ledger.escrow(JOB)["source_id"].tolist() == ["person-2"]
    cycles = ledger.cycles(JOB).set_index("cycle_id")
    assert cycles["pruned_at"].notna().to_dict()[cycle]
    assert ledger.verify(JOB).sound


def test_what_was_kept_goes_once_nothing_needs_it(ledger: Ledger, clock: Clock) -> None:
    day(ledger, clock, 1, 2, 3, failing=2)
    day(ledger, clock, 4)
    ledger.prune(JOB, days_ago(clock, 0.5))
    day(ledger, clock, 2)
    ledger.prune(JOB, days_ago(clock, 0.5))
    checked = ledger.verify(JOB)
    assert (checked.findings, people(ledger), checked.pruned) == ((), ["2"], 4)


def test_an_operation_once_carried_out_does_not_become_the_first_of_its_kind(ledger: Ledger, clock: Clock) -> None:
    day(ledger, clock, 1, 2)
    before = ledger.history(JOB).operations
    clock.pass_by(days=100)
    ledger.prune(JOB, days_ago(clock, 1))
    assert ledger.history(JOB).operations == before
    assert people(ledger) == ["2"]


def test_open_requests_and_fresh_plans_stay(ledger: Ledger, clock: Clock) -> None:
    ledger.keep_plan(JOB, "old", "digest")
    cycle = ledger.begin_cycle(JOB, CycleKind.INITIAL)
    ledger.record(JOB, cycle, Moves(intents=[request(change(1))]))
    ledger.end_cycle(cycle, "Completed")
    clock.pass_by(days=10)
    ledger.keep_plan(JOB, "new", "digest")
    ledger.decide("new", Approval.EVERYTHING, "me", "because")
    gone = ledger.prune(JOB, days_ago(clock, 5))
    assert (gone.plans, gone.journal, gone.cycles) == (1, 0, 0)
    assert ledger.saved_plan("old") is None
    assert ledger.saved_plan("new") is not None
    assert len(ledger.open_requests(JOB)) == 1


def test_tampering_before_and_after_a_removed_stretch_is_found(ledger: Ledger, ledger_url: str, clock: Clock) -> None:
    day(ledger, clock, 1, 2, 3, failing=2)
    day(ledger, clock, 4, 5)
    ledger.prune(JOB, days_ago(clock, 0.5))
    edit(ledger_url, "UPDATE activities SET reason = 'x' WHERE source_id IN ('person-2', 'person-4')")
    assert {finding.person for finding in ledger.verify(JOB).findings} == {"jürgen.2@acme.test", "jürgen.4@acme.test"}


def test_a_stretch_said_to_be_removed_by_hand_does_not_fit(ledger: Ledger, ledger_url: str, clock: Clock) -> None:
    day(ledger, clock, 1, 2, 3)
    edit(ledger_url, "DELETE FROM activities WHERE position = 2")
    edit(ledger_url, "INSERT INTO prunings VALUES ('acme', 2, 2, 'made up', '2026-03-01 08:00:00+00:00')")
    assert [finding.position for finding in ledger.verify(JOB).findings] == [3]


@pytest.mark.parametrize("part", [1, 2, 3])
def test_many_records_go_in_parts(ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    day(ledger, clock, *range(1, 10), failing=4)
    day(ledger, clock, 20)
    monkeypatch.setattr(pruning, "PART", part)
    assert ledger.prune(JOB, days_ago(clock, 0.5)).activities == 8
    assert (people(ledger), ledger.verify(JOB).findings) == (["4", "20"], ())

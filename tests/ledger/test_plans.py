"""Saved plans and decisions about them, who is leaving, links ended by hand, and what history tells a new plan."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Moves
from tasks.model import LEAVING_COLUMNS, Approval, CycleKind, History, Operation, Status, conform, empty_frame
from tests.ledger.changes import MORNING, change, ending, link, request
from tests.ledger.conftest import Clock


def test_a_decision_is_kept_with_who_and_why(ledger: Ledger, clock: Clock) -> None:
    ledger.keep_plan("acme", "plan-1", "digest-1")
    clock.pass_by(hours=1)
    ledger.decide("plan-1", Approval.WITHOUT_REMOVALS, "ada", "not yet")
    saved = ledger.saved_plan("plan-1")
    assert saved is not None
    assert (saved.digest, saved.choice, saved.decided_by, saved.why) == (
        "digest-1",
        Approval.WITHOUT_REMOVALS,
        "ada",
        "not yet",
    )
    assert saved.decided_at == MORNING + dt.timedelta(hours=1)


def test_a_plan_that_is_saved_again_keeps_its_decision(ledger: Ledger) -> None:
    ledger.keep_plan("acme", "plan-1", "digest-1")
    ledger.decide("plan-1", Approval.REJECTED, "ada", "no")
    ledger.keep_plan("acme", "plan-1", "digest-2")
    saved = ledger.saved_plan("plan-1")
    assert saved is not None
    assert (saved.digest, saved.choice) == ("digest-2", Approval.REJECTED)


def test_a_plan_of_another_ledger_is_not_known(ledger: Ledger) -> None:
    assert ledger.saved_plan("plan-1") is None


def leaving(*people: str) -> pd.DataFrame:
    frame = pd.DataFrame({"source_id": list(people), "since": [pd.Timestamp(MORNING)] * len(people)})
    return conform(frame, LEAVING_COLUMNS, "leaving") if people else empty_frame(LEAVING_COLUMNS)


def test_who_is_leaving_is_replaced_as_a_whole(ledger: Ledger) -> None:
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.note_leaving("acme", cycle_id, leaving("ann", "bob"))
    ledger.note_leaving("acme", cycle_id, leaving("bob", "cid"))
    found = ledger.leaving("acme")
    assert sorted(found["source_id"]) == ["bob", "cid"]
    assert set(found["since"]) == {pd.Timestamp(MORNING)}
    ledger.note_leaving("acme", cycle_id, leaving())
    assert ledger.leaving("acme").empty


def made(ledger: Ledger, cycle_id: str, *numbers: int, after: Clock | None = None) -> None:
    """Record that accounts were made, two seconds apart."""
    for number in numbers:
        about = change(number)
        started = MORNING if after is None else after()
        made = ending(about, link=link(number), started_at=started, duration_ms=2000, target_uri=f"urn:{number}")
        ledger.record("acme", cycle_id, Moves(intents=[request(about)], endings=[made]))
        if after is not None:
            after.pass_by(seconds=2)


def test_links_are_ended_by_hand(ledger: Ledger) -> None:
    cycle_id = ledger.begin_cycle("acme", CycleKind.ON_DEMAND)
    made(ledger, cycle_id, 1, 2)
    assert ledger.unlink("acme", cycle_id, ["person-1", "nobody"]) == 1
    assert ledger.links("acme")["source_id"].tolist() == ["person-2"]


def test_a_job_that_did_nothing_has_no_history(ledger: Ledger) -> None:
    assert ledger.history("acme") == History(frozenset(), None)


def test_history_tells_what_was_done_and_how_fast(ledger: Ledger, clock: Clock) -> None:
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
    made(ledger, cycle_id, 1, 2, 3, after=clock)
    failed = ending(change(4, operation=Operation.DELETE), status=Status.FAILURE, error_code="Timeout", attempts=0)
    ledger.record("acme", cycle_id, Moves(endings=[failed]))
    history = ledger.history("acme")
    assert history.operations == frozenset({Operation.CREATE})
    assert history.per_second == pytest.approx(0.5)

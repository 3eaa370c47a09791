"""Switching a job on and off, restarting it in parts, and the record of who did it."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.ledger.cycles import JobStatus
from tasks.ledger.ledger import Ledger
from tasks.model import RESTART, CycleKind, HeldError, ResetScope
from tests.ledger.conftest import Clock

LINKED = {"source_name": None, "target_name": "ada", "account_digest": "d", "written": "{}", "active": True}


@pytest.fixture
def lived(ledger: Ledger) -> Ledger:
    """Give a ledger whose job has a watermark, a link and a quarantine."""
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.put_bulk("acme", cycle_id, [], links_rows=[{**LINKED, "source_id": "a", "target_uri": "urn:a"}])
    ledger.end_cycle(cycle_id, "Completed", watermark={"users": "1"}, mapping_digest="m", settings="s")
    ledger.quarantine("acme", "TooManyDeletes", "600 removals")
    return ledger


def test_a_restart_resets_what_is_named_and_nothing_else(lived: Ledger) -> None:
    lived.restart("acme", {ResetScope.WATERMARK}, "ada")
    state = lived.job_state("acme")
    assert (state.watermark, state.quarantine_reason, len(lived.links("acme"))) == (None, "TooManyDeletes", 1)
    lived.restart("acme", {ResetScope.QUARANTINE}, "ada")
    assert lived.job_state("acme").quarantine_reason is None
    assert len(lived.links("acme")) == 1


def test_a_job_restarted_as_by_the_button_keeps_its_links_and_is_not_new(lived: Ledger) -> None:
    lived.restart("acme", RESTART, "ada")
    state = lived.job_state("acme")
    assert (state.watermark, state.quarantine_reason, state.mapping_digest) == (None, None, "m")
    assert len(lived.links("acme")) == 1


def test_links_are_forgotten_only_when_named(lived: Ledger) -> None:
    lived.restart("acme", {ResetScope.LINKS}, "ada")
    assert lived.links("acme").empty
    assert lived.job_state("acme").watermark is None


def test_the_leave_to_exceed_the_limit_ends_with_the_next_cycle_that_gets_through(lived: Ledger) -> None:
    lived.restart("acme", {ResetScope.FORCE_DELETES}, "ada", "the Oslo office closed")
    lived.end_cycle(lived.begin_cycle("acme", CycleKind.INCREMENTAL), "Failed")
    state = lived.job_state("acme")
    assert (state.force_removals, state.quarantine_reason) == (True, None)
    lived.end_cycle(lived.begin_cycle("acme", CycleKind.INCREMENTAL), "Completed", watermark={"users": "2"})
    assert not lived.job_state("acme").force_removals


def test_a_restart_waits_for_no_cycle_and_changes_nothing_under_one(lived: Ledger) -> None:
    cycle_id = lived.begin_cycle("acme", CycleKind.INCREMENTAL)
    with pytest.raises(HeldError, match=cycle_id):
        lived.restart("acme", set(ResetScope), "ada")
    assert lived.job_state("acme").watermark == {"users": "1"}
    assert len(lived.links("acme")) == 1


def test_another_jobs_memory_stays(lived: Ledger) -> None:
    lived.end_cycle(lived.begin_cycle("other", CycleKind.INITIAL), "Completed", watermark={"users": "9"})
    lived.restart("acme", set(ResetScope), "ada")
    assert lived.job_state("other").watermark == {"users": "9"}


def test_who_did_what_and_why_is_told_newest_first(ledger: Ledger, clock: Clock) -> None:
    ledger.switch("acme", JobStatus.OFF, "ada", "a move")
    clock.pass_by(hours=1)
    ledger.restart("acme", RESTART, "bob", "after the move")
    deeds = ledger.administration("acme")
    assert deeds[["action", "by_whom", "why"]].to_numpy().tolist() == [
        ["restart", "bob", "after the move"],
        ["off", "ada", "a move"],
    ]
    assert deeds.loc[0, "detail"] == "escrows, quarantine, watermark"
    assert deeds.loc[0, "at"] - deeds.loc[1, "at"] == pd.Timedelta(hours=1)
    assert ledger.administration("other").empty


def test_what_a_person_asks_for_in_so_many_words_begins_though_the_job_is_off(ledger: Ledger) -> None:
    ledger.switch("acme", JobStatus.OFF)
    assert ledger.begin_cycle("acme", CycleKind.ON_DEMAND, though_off=True)


def test_who_holds_the_job_is_told_while_the_lease_lasts(ledger: Ledger, clock: Clock) -> None:
    assert ledger.holder("acme") is None
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL, "blue-fox")
    holder = ledger.holder("acme")
    assert holder is not None
    assert (holder.cycle_id, holder.flow_run_id) == (cycle_id, "blue-fox")
    clock.pass_by(minutes=5)
    assert ledger.holder("acme") is None

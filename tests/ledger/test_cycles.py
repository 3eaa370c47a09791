"""Cycles of a job: what the next one starts from, and that one runs at a time."""

from __future__ import annotations

import datetime as dt
import itertools
import threading

import pytest

from tasks.ledger.cycles import JobState, JobStatus
from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import LEASE, LostLockError
from tasks.ledger.records import Moves
from tasks.model import CycleKind, HeldError, Manifest
from tests.ledger.conftest import Clock

MORNING = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)


def manifest(*, complete: bool) -> Manifest:
    missing = () if complete else ("page 3 of users did not arrive",)
    return Manifest(complete, missing, 4, 3, 20, 1, 20, MORNING, MORNING, "digest")


def test_a_job_that_never_ran_starts_from_nothing(ledger: Ledger) -> None:
    assert ledger.job_state("acme") == JobState()


def test_what_a_cycle_ends_with_is_what_the_next_starts_from(ledger: Ledger) -> None:
    read = manifest(complete=True)
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.end_cycle(cycle_id, "completed", watermark={"users": "délta"}, mapping_digest="m1", manifest=read)
    state = ledger.job_state("acme")
    assert (state.watermark, state.mapping_digest) == ({"users": "délta"}, "m1")
    assert state.last_complete == read.as_dict()


def test_a_cycle_without_a_watermark_leaves_the_last_one(ledger: Ledger) -> None:
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INITIAL), "completed", watermark={"users": "a"})
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INCREMENTAL), "failed")
    assert ledger.job_state("acme").watermark == {"users": "a"}


def test_an_incomplete_read_is_not_what_later_ones_are_measured_by(ledger: Ledger) -> None:
    whole = manifest(complete=True)
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INITIAL), "completed", manifest=whole)
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INCREMENTAL), "completed", manifest=manifest(complete=False))
    assert ledger.job_state("acme").last_complete == whole.as_dict()


def test_a_second_cycle_is_told_who_holds_the_job(ledger: Ledger, clock: Clock, ledger_url: str) -> None:
    cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL, flow_run_id="blue-fox")
    clock.pass_by(seconds=5)
    with Ledger.open(ledger_url, clock=clock) as other, pytest.raises(HeldError) as raised:
        other.begin_cycle("acme", CycleKind.INCREMENTAL)
    said = str(raised.value)
    assert cycle_id in said
    assert "blue-fox" in said
    assert "since 2026-03-01 08:00:00 UTC, last sign of life 5 s ago" in said
    assert "Wait for it to end or cancel it" in said


def test_jobs_do_not_wait_for_each_other(ledger: Ledger) -> None:
    ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.begin_cycle("other", CycleKind.INITIAL)
    assert set(ledger.cycles()["state"]) == {"running"}


def test_the_job_is_free_again_after_the_cycle(ledger: Ledger) -> None:
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INITIAL), "completed")
    assert ledger.begin_cycle("acme", CycleKind.INCREMENTAL)


def test_a_silent_holder_loses_the_job_and_its_cycle_is_marked(ledger: Ledger, clock: Clock, ledger_url: str) -> None:
    silent = ledger.begin_cycle("acme", CycleKind.INITIAL)
    with Ledger.open(ledger_url, clock=lambda: clock() + LEASE) as other:
        following = other.begin_cycle("acme", CycleKind.INITIAL)
    states = ledger.cycles("acme").set_index("cycle_id")["state"]
    assert states.to_dict() == {silent: "crashed", following: "running"}


def test_who_has_lost_the_job_records_nothing_more(ledger: Ledger, clock: Clock, ledger_url: str) -> None:
    silent = ledger.begin_cycle("acme", CycleKind.INITIAL)
    with Ledger.open(ledger_url, clock=lambda: clock() + LEASE) as other:
        other.begin_cycle("acme", CycleKind.INITIAL)
        with pytest.raises(LostLockError):
            ledger.record("acme", silent, Moves())
        with pytest.raises(LostLockError):
            ledger.end_cycle(silent, "completed", watermark={"users": "late"})
    assert ledger.job_state("acme").watermark is None


def test_a_living_holder_renews_its_lease(ledger_url: str) -> None:
    lease = dt.timedelta(seconds=0.15)
    asked, often = itertools.count(), threading.Event()

    def clock() -> dt.datetime:
        number = next(asked)
        if number == 6:
            often.set()
        return MORNING + number * lease / 3

    with Ledger.open(ledger_url, lease=lease, clock=clock) as ledger:
        cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
        assert often.wait(60)
        with Ledger.open(ledger_url, clock=lambda: MORNING + lease * 1.1) as other, pytest.raises(HeldError):
            other.begin_cycle("acme", CycleKind.INITIAL)
        ledger.end_cycle(cycle_id, "completed")


def test_a_job_that_is_switched_off_begins_no_cycle(ledger: Ledger) -> None:
    ledger.switch("acme", JobStatus.OFF)
    with pytest.raises(HeldError, match="switched off"):
        ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.switch("acme", JobStatus.ON)
    assert ledger.begin_cycle("acme", CycleKind.INITIAL)


def test_quarantine_keeps_when_it_began_until_it_is_left(ledger: Ledger, clock: Clock) -> None:
    ledger.quarantine("acme", "TooManyDeletes", "600 removals")
    clock.pass_by(hours=3)
    ledger.quarantine("acme", "EncounteredQuarantineException", "sign-in refused")
    state = ledger.job_state("acme")
    assert (state.quarantine_since, state.quarantine_reason) == (MORNING, "EncounteredQuarantineException")
    ledger.leave_quarantine("acme")
    assert ledger.job_state("acme") == JobState()


def test_cycles_are_given_newest_first_with_their_counts(ledger: Ledger, clock: Clock) -> None:
    first = ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.end_cycle(first, "completed", counts={"create": 200}, message="all done")
    clock.pass_by(minutes=20)
    second = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
    cycles = ledger.cycles("acme")
    assert cycles["cycle_id"].tolist() == [second, first]
    assert cycles["counts"].tolist() == ["{}", '{"create":200}']
    assert ledger.cycles("acme", limit=1)["cycle_id"].tolist() == [second]

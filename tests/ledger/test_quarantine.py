"""Quarantine in the ledger: how long scheduled cycles rest, what ends it, and the end after four weeks."""

from __future__ import annotations

import datetime as dt

import pytest

from tasks.ledger.cycles import JobState, JobStatus, SwitchedOffError
from tasks.ledger.ledger import Ledger
from tasks.ledger.quarantine import Transition
from tasks.model import CycleKind, QuarantineReason
from tests.ledger.changes import MORNING
from tests.ledger.conftest import Clock


def enter(ledger: Ledger, reason: QuarantineReason = QuarantineReason.BASE_THRESHOLD) -> Transition:
    return ledger.quarantine("acme", reason, "50,000 operations fail.")


def test_the_schedule_slows_down_step_by_step_to_once_a_day(ledger: Ledger, clock: Clock) -> None:
    hours = []
    for _ in range(7):
        enter(ledger)
        until = ledger.job_state("acme").quarantine_until
        assert until is not None
        hours.append((until - clock.now).total_seconds() / 3600)
        clock.now = until
    assert hours == [1, 2, 4, 8, 16, 24, 24]


def test_bad_cycles_by_hand_do_not_lengthen_the_pause(ledger: Ledger, clock: Clock) -> None:
    enter(ledger)
    clock.pass_by(minutes=30)
    enter(ledger)
    state = ledger.job_state("acme")
    assert (state.quarantine_cycles, state.quarantine_until) == (1, MORNING + dt.timedelta(hours=1))


def test_each_change_of_the_quarantine_is_told_as_what_it_is(ledger: Ledger) -> None:
    ledger.switch("acme", JobStatus.ON)
    told = [
        ledger.leave_quarantine("acme"),
        enter(ledger),
        enter(ledger),
        enter(ledger, QuarantineReason.EXCEPTION),
        ledger.leave_quarantine("acme"),
    ]
    assert told == [
        Transition.NONE,
        Transition.ENTERED,
        Transition.STAYED,
        Transition.CHANGED,
        Transition.LEFT,
    ]
    assert ledger.job_state("acme") == JobState()


def test_four_weeks_disable_the_job_until_a_person_switches_it_on(ledger: Ledger, clock: Clock) -> None:
    enter(ledger)
    clock.pass_by(days=28)
    assert enter(ledger) is Transition.STAYED
    clock.pass_by(days=1)
    assert (enter(ledger), enter(ledger)) == (Transition.DISABLED, Transition.STAYED)
    with pytest.raises(
        SwitchedOffError, match=r"four weeks in quarantine \(EncounteredBaseEscrowThreshold, since 2026"
    ):
        ledger.begin_cycle("acme", CycleKind.INITIAL)
    ledger.switch("acme", JobStatus.ON)
    assert ledger.job_state("acme") == JobState()
    ledger.begin_cycle("acme", CycleKind.INITIAL)

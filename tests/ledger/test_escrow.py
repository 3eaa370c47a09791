"""The escrow: who is tried again, when, and what lets them out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger.escrow import next_retry
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Ending, Moves
from tasks.model import CycleKind, Status
from tests.ledger.changes import MORNING, change, ending
from tests.ledger.conftest import Clock


def failure(number: int = 1, code: str = "UnprocessableEntity", **given: Any) -> Ending:
    return ending(change(number, **given), status=Status.FAILURE, error_code=code, escrow=True)


@pytest.fixture
def cycle_id(ledger: Ledger) -> str:
    return ledger.begin_cycle("acme", CycleKind.INITIAL)


def waits(ledger: Ledger) -> list[float]:
    return [moment.total_seconds() / 3600 for moment in ledger.escrow("acme")["next_retry_at"] - MORNING]


@pytest.mark.parametrize(
    ("code", "hours"),
    [("UnprocessableEntity", [6, 12, 24, 48, 72, 96]), ("Timeout", [0, 6, 12, 24, 48, 72])],
    ids=["refused", "passing"],
)
def test_a_failure_is_tried_again_by_the_calendar_and_a_passing_one_in_the_next_cycle_too(
    ledger: Ledger, cycle_id: str, clock: Clock, code: str, hours: list[int]
) -> None:
    seen = []
    for _ in range(6):
        ledger.record("acme", cycle_id, Moves(endings=[failure(code=code)]))
        seen += waits(ledger)
        clock.now = ledger.escrow("acme")["next_retry_at"].iloc[0].to_pydatetime()
        clock.pass_by(minutes=1)
    assert seen == hours


def test_after_28_days_it_is_given_up(ledger: Ledger, cycle_id: str, clock: Clock) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[failure()]))
    clock.pass_by(days=28)
    ledger.record("acme", cycle_id, Moves(endings=[failure()]))
    assert ledger.escrow("acme")["next_retry_at"].isna().all()


@pytest.mark.parametrize("changed", [{"account_digest": "other"}, {"mapping_digest": "other"}])
def test_a_changed_source_or_mapping_starts_afresh(
    ledger: Ledger, cycle_id: str, clock: Clock, changed: dict[str, str]
) -> None:
    for _ in range(3):
        ledger.record("acme", cycle_id, Moves(endings=[failure()]))
        clock.pass_by(days=1)
    ledger.record("acme", cycle_id, Moves(endings=[failure(1, **changed)]))
    row = ledger.escrow("acme").iloc[0]
    assert (row["attempts"], row["first_failed_at"]) == (1, MORNING + dt.timedelta(days=3))


def test_a_success_lets_out(ledger: Ledger, cycle_id: str) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[failure(1), failure(2)]))
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(1))]))
    assert ledger.escrow("acme")["source_id"].tolist() == ["person-2"]


def test_a_person_can_ask_for_a_retry(ledger: Ledger, cycle_id: str, clock: Clock) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[failure(1), failure(2)]))
    assert waits(ledger) == [6, 6]
    assert ledger.retry_now("acme", source="jürgen.2@acme.test") == 1
    assert waits(ledger) == [6, 0]
    assert ledger.retry_now("acme", error_code="Timeout") == 0
    clock.pass_by(hours=1)
    assert ledger.retry_now("acme") == 2
    assert waits(ledger) == [1, 1]


@given(st.integers(1, 50), st.timedeltas(dt.timedelta(0), dt.timedelta(days=40)))
def test_the_calendar_never_looks_back_and_never_beyond_28_days(attempts: int, after: dt.timedelta) -> None:
    following = next_retry(MORNING, MORNING + after, attempts)
    if after < dt.timedelta(days=28):
        assert following is not None
        assert MORNING + after < following <= MORNING + dt.timedelta(days=28)
    else:
        assert following is None

"""When a job fails as a whole: Microsoft's table of examples, and what never counts."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tasks.job import QuarantineLimits
from tasks.ledger.frames import ESCROW_COLUMNS
from tasks.model import ACTIVITY_COLUMNS, QuarantineReason, empty_frame
from tasks.report.quarantine import MEANINGS, described, failing_as_a_whole

REFERENCE = "UnableToResolveReferenceAttributeValue"
NOBODY = empty_frame(ESCROW_COLUMNS)


def cycle(*parts: tuple[int, str, str | None]) -> pd.DataFrame:
    """Give the activities of a cycle: how many, with which status, under which code."""
    rows = [(status, code) for count, status, code in parts for _ in range(count)]
    frame = empty_frame(ACTIVITY_COLUMNS).reindex(range(len(rows)))
    frame["status"], frame["error_code"] = [status for status, _ in rows], [code for _, code in rows]
    frame["operation"], frame["source_id"] = "update", [f"person-{number}" for number in range(len(rows))]
    return frame.astype(dict(ACTIVITY_COLUMNS))


def waiting(count: int, code: str, *, partial: bool = False) -> pd.DataFrame:
    """Give an escrow in which so many people wait."""
    frame = empty_frame(ESCROW_COLUMNS).reindex(range(count))
    frame["source_id"], frame["error_code"] = [f"waiting-{number}" for number in range(count)], code
    frame["partial"] = partial
    return frame.astype(dict(ESCROW_COLUMNS))


def judged(activities: pd.DataFrame, escrow: pd.DataFrame = NOBODY, **limits: float) -> str | None:
    found = failing_as_a_whole(activities, escrow, QuarantineLimits.model_validate(limits))
    return None if found is None else found.reason


FAILS = ("failure", "UnprocessableEntity")
DONE = ("success", None)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([(4_000, *FAILS)], None),
        ([(45_000, *FAILS), (80_000, *DONE)], QuarantineReason.BASE_THRESHOLD),
        ([(30_000, *FAILS), (5_000, *DONE)], QuarantineReason.PROPORTION_THRESHOLD),
        ([(20_000, *FAILS), (80_000, *DONE)], None),
        ([(40_000, *FAILS), (21_000, "failure", REFERENCE), (90_000, *DONE)], QuarantineReason.TOTAL_THRESHOLD),
        ([(21_000, "failure", REFERENCE)], None),
        ([(61_000, "failure", "TooManyRequests")], None),
        ([(61_000, "warning", "UnprocessableEntity")], None),
        ([(61_000, "skipped", "NotAttempted")], None),
    ],
)
def test_the_thresholds_are_microsofts(parts: list[tuple[int, str, str | None]], reason: str | None) -> None:
    assert judged(cycle(*parts)) == reason


def test_a_small_tenant_can_lower_them() -> None:
    assert judged(cycle((5, *FAILS), (5, *DONE)), at_least=5) == QuarantineReason.PROPORTION_THRESHOLD
    assert judged(cycle((4, *FAILS), (1, *DONE)), at_least=5) is None
    assert judged(cycle((2, *FAILS), (9, *DONE)), failures=1) == QuarantineReason.BASE_THRESHOLD
    assert judged(cycle((2, "failure", REFERENCE)), total=1) == QuarantineReason.TOTAL_THRESHOLD


def test_a_refusal_for_the_rate_limit_is_no_operation_at_all() -> None:
    parts = [(6, *FAILS), (4, *DONE), (90, "failure", "TooManyRequests")]
    assert judged(cycle(*parts), at_least=5) == QuarantineReason.PROPORTION_THRESHOLD


def test_whoever_waits_in_escrow_still_fails_and_who_is_partly_done_does_not() -> None:
    quiet = cycle((1, *DONE))
    assert judged(quiet, waiting(6, "UnprocessableEntity"), at_least=5) == QuarantineReason.PROPORTION_THRESHOLD
    assert judged(quiet, waiting(6, "UnprocessableEntity", partial=True), at_least=5) is None
    assert judged(quiet, waiting(6, "TooManyRequests"), at_least=5) is None


def test_the_message_has_the_numbers_and_what_fails_most() -> None:
    found = failing_as_a_whole(cycle((6, *FAILS), (4, *DONE)), NOBODY, QuarantineLimits(at_least=5))
    assert found is not None
    assert found.message == "6 of 10 operations fail (60 %), more than 40 %. Most often: UnprocessableEntity 6."


@pytest.mark.parametrize("reason", QuarantineReason)
def test_a_quarantine_is_told_with_what_it_means_and_what_follows(reason: QuarantineReason) -> None:
    since = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
    said = described(reason, "Six fail.", since, since + dt.timedelta(hours=2))
    meaning, action = MEANINGS[reason]
    assert said.startswith(f"{reason} since 01 Mar 2026, 08:00 UTC. {meaning} Six fail. {action}")
    assert "rest until 01 Mar 2026, 10:00 UTC" in said
    assert "until somebody switches it on" in described(reason, "Six fail.", since, None, disabled=True)

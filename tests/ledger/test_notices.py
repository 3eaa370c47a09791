"""Each cause is told once, and once more when it is over."""

from __future__ import annotations

from tasks.ledger.ledger import Ledger
from tasks.ledger.notices import Cause, Turn
from tests.ledger.conftest import Clock

FULL = Cause("quarantine", "TooManyDeletes", "Too many.")
SIGN_IN = Cause("quarantine", "EncounteredQuarantineException", "Refused.")


def tell(ledger: Ledger) -> list[tuple[str, bool]]:
    """Tell people everything that they do not know; give what that was, and whether it is over."""
    due = [notice for notice in ledger.notices("acme") if notice.over_at is not None or not notice.told]
    ledger.told("acme", due)
    return [(notice.cause.code, notice.over_at is not None) for notice in due]


def test_a_cause_that_stays_is_new_once(ledger: Ledger) -> None:
    assert ledger.note_causes("acme", [FULL]) == Turn((FULL,), ())
    assert ledger.note_causes("acme", [FULL]) == Turn((), ())
    assert tell(ledger) == [("TooManyDeletes", False)]
    assert tell(ledger) == []


def test_another_reason_is_new_and_ends_the_first(ledger: Ledger) -> None:
    ledger.note_causes("acme", [FULL])
    tell(ledger)
    assert ledger.note_causes("acme", [SIGN_IN]) == Turn((SIGN_IN,), (FULL,))
    assert tell(ledger) == [("EncounteredQuarantineException", False), ("TooManyDeletes", True)]
    assert [notice.cause for notice in ledger.notices("acme")] == [SIGN_IN]


def test_what_came_and_went_untold_is_told_as_over(ledger: Ledger, clock: Clock) -> None:
    ledger.note_causes("acme", [FULL])
    clock.pass_by(hours=1)
    assert ledger.note_causes("acme", []) == Turn((), (FULL,))
    assert tell(ledger) == [("TooManyDeletes", True)]
    assert ledger.notices("acme") == []


def test_what_comes_back_before_its_end_was_told_never_ended_for_people(ledger: Ledger) -> None:
    ledger.note_causes("acme", [FULL])
    tell(ledger)
    ledger.note_causes("acme", [])
    assert ledger.note_causes("acme", [FULL]).entered == (FULL,)
    assert tell(ledger) == []


def test_jobs_do_not_mix(ledger: Ledger) -> None:
    ledger.note_causes("acme", [FULL])
    assert ledger.note_causes("other", []) == Turn((), ())
    assert [notice.cause for notice in ledger.notices("acme")] == [FULL]

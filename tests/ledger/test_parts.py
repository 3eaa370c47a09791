"""A part of a cycle's work belongs to the process that took it last; another one records nothing of it any more."""

from __future__ import annotations

import pytest

from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import LostLockError
from tasks.ledger.records import Moves
from tasks.model import CycleKind
from tests.ledger.changes import change, request


def test_a_process_whose_part_was_given_to_another_records_nothing_more(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as flow, Ledger.open(ledger_url) as dead, Ledger.open(ledger_url) as alive:
        cycle_id = flow.begin_cycle("acme", CycleKind.INITIAL)
        dead.take_part("acme", cycle_id, 3)
        dead.record("acme", cycle_id, Moves(intents=[request(change(change_id="a"))]))
        alive.take_part("acme", cycle_id, 3)

        with pytest.raises(LostLockError, match="Part 3 of the job acme was given to process"):
            dead.record("acme", cycle_id, Moves(intents=[request(change(change_id="b"))]))
        with pytest.raises(LostLockError):
            dead.put_bulk("acme", cycle_id, [])
        alive.record("acme", cycle_id, Moves(intents=[request(change(change_id="c"))]))

        assert [open_one.change.change_id for open_one in flow.open_requests("acme")] == ["a", "c"]


def test_parts_are_taken_one_by_one(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as flow, Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        cycle_id = flow.begin_cycle("acme", CycleKind.INITIAL)
        one.take_part("acme", cycle_id, 0)
        other.take_part("acme", cycle_id, 1)
        for ledger, name in ((one, "a"), (other, "b"), (flow, "c")):
            ledger.record("acme", cycle_id, Moves(intents=[request(change(change_id=name))]))
        assert len(flow.open_requests("acme")) == 3


def test_no_part_is_taken_of_a_cycle_that_lost_its_job(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
        ledger.end_cycle(cycle_id, "Completed")
        with pytest.raises(LostLockError):
            ledger.take_part("acme", cycle_id, 0)

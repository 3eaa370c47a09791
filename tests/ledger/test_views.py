"""The views for queries: there on both databases, as documented, and true to what was recorded."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Moves
from tasks.model import CycleKind, Status
from tests.ledger.changes import change, ending, link
from tests.ledger.conftest import Clock
from tests.ledger.edits import engine_of, rows

README = Path(__file__).parents[2] / "deployments" / "activity-log.md"
NOT_OF_FAILURES = {"changes", "position", "seal"}


def documented() -> dict[str, list[str]]:
    """Give the columns of each view, as its table in the README has them."""
    text = README.read_text("utf-8").partition("## Views for queries")[2].partition("\n## ")[0]
    parts = re.split(r"^`(v_\w+)`:", text, flags=re.MULTILINE)
    found = {
        name: re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {**found, "v_failures": [name for name in found["v_activities"] if name not in NOT_OF_FAILURES]}


def test_the_views_have_the_columns_that_are_documented(ledger: Ledger, ledger_url: str) -> None:
    inspector = sa.inspect(engine_of(ledger_url))
    there = {name: [str(one["name"]) for one in inspector.get_columns(name)] for name in inspector.get_view_names()}
    assert {name: sorted(columns) for name, columns in there.items()} == {
        name: sorted(columns) for name, columns in documented().items()
    }
    assert ledger.verify("acme").sound


@pytest.fixture
def two_days(ledger: Ledger, ledger_url: str, clock: Clock) -> str:
    """Record one person created at first sight, and one who failed first and was created six hours later."""
    cycle = ledger.begin_cycle("acme", CycleKind.INITIAL)
    good = ending(change(1), link=link(1), started_at=clock.now + dt.timedelta(seconds=2), duration_ms=1500)
    bad = ending(change(2), status=Status.FAILURE, error_code="EntryConflict", escrow=True, started_at=clock.now)
    ledger.record("acme", cycle, Moves(endings=[good, bad]))
    clock.pass_by(seconds=10)
    ledger.end_cycle(cycle, "Completed with errors", counts={"created": 1, "failed": 1}, message="1 created, 1 failed")
    clock.pass_by(hours=6, seconds=-10)
    cycle = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
    again = ending(change(2, change_id="again"), started_at=clock.now, duration_ms=500)
    ledger.record("acme", cycle, Moves(endings=[again]))
    ledger.end_cycle(cycle, "Completed", counts={"created": 1})
    return ledger_url


def test_cycles_have_their_counts_and_duration(two_days: str) -> None:
    first, second = rows(two_days, "SELECT * FROM v_cycles ORDER BY started_at")
    assert (first["created"], first["failed"], first["updated"], first["state"]) == (1, 1, 0, "Completed with errors")
    assert float(first["seconds"]) == pytest.approx(10, abs=0.01)
    assert (second["created"], second["chain_position"]) == (1, 3)


def test_failures_are_those_that_failed(two_days: str) -> None:
    (row,) = rows(two_days, "SELECT * FROM v_failures")
    assert (row["source_id"], row["error_code"]) == ("person-2", "EntryConflict")
    assert len(rows(two_days, "SELECT * FROM v_activities")) == 3


def test_the_time_to_provision_starts_with_the_cycle_that_saw_the_person_first(two_days: str) -> None:
    found = {row["source_id"]: float(row["seconds"]) for row in rows(two_days, "SELECT * FROM v_time_to_provision")}
    assert found == {"person-1": pytest.approx(3.5, abs=0.01), "person-2": pytest.approx(6 * 3600 + 0.5, abs=0.01)}


def test_escrow_and_links_are_as_they_stand(ledger: Ledger, ledger_url: str) -> None:
    cycle = ledger.begin_cycle("acme", CycleKind.INITIAL)
    bad = ending(change(2), status=Status.FAILURE, error_code="EntryConflict", escrow=True)
    ledger.record("acme", cycle, Moves(endings=[ending(change(1), link=link(1)), bad]))
    ledger.end_cycle(cycle, "Completed")
    waiting: dict[str, Any] = rows(ledger_url, "SELECT * FROM v_escrow")[0]
    linked = rows(ledger_url, "SELECT * FROM v_links")[0]
    assert (waiting["source_id"], waiting["given_up"], linked["source_id"]) == ("person-2", 0, "person-1")

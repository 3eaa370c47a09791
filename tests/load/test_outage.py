"""Replicon is down for 24 hours, in simulated time: people are tried by the calendar, to the minute, then succeed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.ledger.conftest import Clock
from tests.load.rig import MORNING, create, running

MINUTES = dt.timedelta(minutes=1)
CYCLES = sorted({0, 20, 40, *(60 * hours + around for hours in (6, 12, 24) for around in (-120, -20, -1, 0, 1, 20))})
"""Minutes at which a cycle runs: of the schedule's, those that tell most, and a minute before and after each date."""


def test_an_outage_of_24_hours_is_tried_by_the_calendar_and_ends_with_one_account(
    ledger_url: str, tmp_path: Path
) -> None:
    clock = Clock()
    with running(ledger_url, tmp_path, clock) as rig:
        rig.apply(create("before"))
        rig.server.stop()
        tried = []
        for minute in CYCLES:
            clock.now = MORNING + minute * MINUTES
            if minute == 24 * 60:
                rig.server.start()
            rig.next_cycle()
            if rig.link("jane") is None:
                row = rig.apply(create("jane")).iloc[0]
                tried += [(minute, row["status"])] if row["status"] != "skipped" else []
        assert tried == [
            (0, "failure"),
            (20, "failure"),
            (6 * 60, "failure"),
            (12 * 60, "failure"),
            (24 * 60, "success"),
        ]
        assert rig.writes() == [("create", "before@acme.test"), ("create", "jane@acme.test")]
        assert rig.ledger.escrow("acme").empty
        assert rig.ledger.open_requests("acme") == []

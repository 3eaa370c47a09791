"""How runs are named and tagged, and of which type their states are."""

from __future__ import annotations

import datetime as dt

from tasks.report.run_history import NAME_LENGTH, STATE_TYPES, RunKind, StateType, run_name, run_tags
from tasks.report.verdict import StateName

BEGAN = dt.datetime(2026, 11, 24, 13, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def test_a_name_says_job_kind_time_and_what_was_done() -> None:
    name = run_name("acme", RunKind.INCREMENTAL, BEGAN, "12 created, 2 failed")
    assert name == "acme · incremental · 24 Nov 2026, 12:00 UTC · 12 created, 2 failed"


def test_a_long_name_is_cut_and_stays_on_one_line() -> None:
    name = run_name("acme", RunKind.UNDO, BEGAN, "failed:\n" + "so " * 200)
    assert (len(name), "\n" in name) == (NAME_LENGTH, False)
    assert name.endswith("…")


def test_tags_are_words_to_filter_by() -> None:
    tags = run_tags("acme", RunKind.ON_DEMAND, StateName.COMPLETED_WITH_ERRORS)
    assert tags == ("job:acme", "kind:on-demand", "outcome:completed-with-errors")
    assert run_tags("acme", RunKind.PLAN) == ("job:acme", "kind:plan")


def test_every_state_has_a_type_and_red_is_what_needs_a_person() -> None:
    assert set(STATE_TYPES) == set(StateName)
    red = {name for name, kind in STATE_TYPES.items() if kind is StateType.FAILED}
    assert red == {StateName.QUARANTINED, StateName.FAILED}

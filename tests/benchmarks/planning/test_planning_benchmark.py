"""The benchmark runs and finds who differs; its figures are looked at by hand, for a busy machine tells nothing."""

from __future__ import annotations

from tests.benchmarks.planning.__main__ import measure


def test_planning_and_the_bare_comparison_find_the_same_people() -> None:
    measured = measure(3_000, rounds=1)
    assert measured["people"] == 3_000

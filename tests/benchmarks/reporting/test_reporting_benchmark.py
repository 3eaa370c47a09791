"""What the benchmark reports on is as it says; its figures are looked at by hand, for a busy machine tells nothing."""

from __future__ import annotations

from tests.benchmarks.reporting.__main__ import many


def test_the_reported_cycle_has_so_many_operations() -> None:
    plan, activities = many(600)
    assert (len(plan.operations), len(activities), activities["change_id"].nunique()) == (600, 600, 600)

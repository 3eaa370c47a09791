"""The benchmark compares like with like: engine, by hand and row by row give the same values."""

from __future__ import annotations

import pytest

from tests.benchmarks.mapping.measure import CONTENDERS, disagreements, timed
from tests.benchmarks.mapping.people import people


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_three_ways_give_the_same_values(name: str) -> None:
    assert disagreements(CONTENDERS[name], people(3_000, seed=7), sample=500) == []


def test_a_measurement_covers_all_rows() -> None:
    times = timed(CONTENDERS["default"], people(200), sample=50, repeat=1)
    assert times.rows == 200
    assert min(times.engine, times.by_hand, times.row_by_row) > 0

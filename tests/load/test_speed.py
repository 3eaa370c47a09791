"""What progress says of rate and time remaining."""

from __future__ import annotations

from tasks.load.speed import Speed


def test_the_rate_and_the_time_that_is_left_are_told() -> None:
    assert Speed(100.0).told(1_000, 7_000, 110.0) == "100/s, 60 s left"


def test_slow_work_is_told_by_the_minute_and_long_work_in_hours() -> None:
    speed = Speed(0.0)
    assert speed.told(100, 1_100, 60.0) == "100/min, 10 min left"
    assert speed.told(100, 60_100, 60.0) == "100/min, 10.0 h left"


def test_nothing_is_told_before_anything_is_known() -> None:
    assert Speed(0.0).told(3, 10, 0.5) == ""
    assert Speed(0.0).told(0, 10, 30.0) == ""

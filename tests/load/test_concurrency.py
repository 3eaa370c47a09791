"""Lanes open while that costs no time, and close when answers get slow."""

from __future__ import annotations

import threading

import hypothesis.strategies as st
from hypothesis import given

from tasks.load.concurrency import Lanes


def used(lanes: Lanes, seconds: float, times: int) -> None:
    """Fill all open lanes and empty them again, so many times; every answer takes `seconds`."""
    for _ in range(times):
        taken = lanes.open
        for _ in range(taken):
            lanes.take()
        for _ in range(taken):
            lanes.leave(seconds)


def test_all_lanes_open_while_answers_stay_quick() -> None:
    lanes = Lanes(32)
    used(lanes, 0.05, 200)
    assert lanes.open == 32


def test_lanes_close_when_answers_get_slow_and_open_again_afterwards() -> None:
    lanes = Lanes(32)
    used(lanes, 0.05, 200)
    used(lanes, 0.5, 5)
    assert lanes.open < 16
    used(lanes, 0.05, 200)
    assert lanes.open == 32


def test_lanes_that_nobody_needs_do_not_open() -> None:
    lanes = Lanes(32)
    before = lanes.open
    for _ in range(200):
        lanes.take()
        lanes.leave(0.05)
    assert lanes.open == before


def test_failures_teach_nothing() -> None:
    lanes = Lanes(32)
    before = lanes.open
    for _ in range(before):
        lanes.take()
    for _ in range(before):
        lanes.leave(None)
    assert lanes.open == before


def test_who_finds_no_lane_waits_for_one() -> None:
    lanes = Lanes(1)
    lanes.take()
    got = threading.Event()

    def wait() -> None:
        lanes.take()
        got.set()

    other = threading.Thread(target=wait)
    other.start()
    assert not got.is_set()
    lanes.leave(0.05)
    other.join(30)
    assert got.is_set()


@given(st.integers(1, 64), st.lists(st.floats(0.001, 60.0), max_size=200))
def test_there_is_always_one_lane_and_never_more_than_the_most(most: int, latencies: list[float]) -> None:
    lanes = Lanes(most)
    for seconds in latencies:
        used(lanes, seconds, 1)
        assert 1 <= lanes.open <= most

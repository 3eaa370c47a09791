"""The pace of requests, and the order to stop."""

from __future__ import annotations

import threading

from tasks.load.patience import Pace, Patience, Stop


def test_a_cap_is_held_until_the_order_to_stop() -> None:
    stop = Stop()
    pace = Pace(3, stop, Patience())
    assert [pace.turn() for _ in range(3)] == [True] * 3
    waiting: list[bool] = []
    fourth = threading.Thread(target=lambda: waiting.append(pace.turn()))
    fourth.start()
    stop.order("enough")
    fourth.join(30)
    assert waiting == [False]


def test_without_a_cap_nobody_waits() -> None:
    pace = Pace(None, Stop(), Patience())
    assert all(pace.turn() for _ in range(10_000))


def test_a_refusal_holds_everybody_until_the_order_to_stop() -> None:
    stop = Stop()
    pace = Pace(None, stop, Patience())
    pace.refused(3600)
    waiting: list[bool] = []
    other = threading.Thread(target=lambda: waiting.append(pace.turn()))
    other.start()
    stop.order("enough")
    other.join(30)
    assert waiting == [False]


def test_a_refusal_that_names_no_time_passes_by_itself() -> None:
    pace = Pace(None, Stop(), Patience(throttled=(0.01,)))
    pace.refused(None)
    assert pace.turn()


def test_the_first_reason_to_stop_is_the_one_that_counts() -> None:
    stop = Stop()
    stop.order("the sign-in was refused")
    stop.order("the run failed")
    assert stop.reason == "the sign-in was refused"


def test_an_order_from_outside_is_an_order() -> None:
    asked = threading.Event()
    stop = Stop(asked)
    assert not stop.during(0.0)
    asked.set()
    assert stop.during(3600.0)

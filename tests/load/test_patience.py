"""The order to stop."""

from __future__ import annotations

import threading

from tasks.load.patience import Stop


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

"""How long load waits and how often it tries, the order to stop, and the pace of requests. Knows no request's content.

`send.py` and `execute.py` use these.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections import deque
from typing import Final

_WINDOW: Final = 60.5
"""Seconds within which the cap of a minute counts; a little more, for requests that overtake each other on the way."""
_SLICE: Final = 0.2
"""Seconds after which a waiting thread looks again whether it is to stop."""


@dataclasses.dataclass(frozen=True)
class Patience:
    """When to try again and when to give up. Times in seconds."""

    again: tuple[float, ...] = (2.0, 5.0, 10.0)
    """Waits before a request whose outcome is not known goes out again, unchanged ("Avoiding API timeouts": wait a few
    seconds and retry at least three times)."""
    throttled: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
    """Pauses of everybody after a 429 without Retry-After, longer each time until a request gets through."""
    throttled_for: float = 7200.0
    """How long one request waits for the rate limit in all; limits by the hour exist."""
    dead_after: int = 20
    """How many requests in a row may fail for want of an answer before the target counts as down."""


class Stop:
    """The order to start nothing more: given from outside through `asked`, or from within with a reason."""

    def __init__(self, asked: threading.Event | None = None) -> None:
        self._asked = asked or threading.Event()
        self._within = threading.Event()
        self._reason = "the run was stopped"

    @property
    def given(self) -> bool:
        """Whether nothing more is to be started."""
        return self._within.is_set() or self._asked.is_set()

    @property
    def reason(self) -> str:
        """Why, in words that follow "because"."""
        return self._reason

    def order(self, reason: str) -> None:
        """Give the order; the first reason counts."""
        if not self._within.is_set():
            self._reason = reason
            self._within.set()

    def during(self, seconds: float) -> bool:
        """Wait so long, or until the order comes; tell whether it came."""
        ends = time.monotonic() + seconds
        while not self.given and (left := ends - time.monotonic()) > 0:
            self._within.wait(min(_SLICE, left))
        return self.given


class Pace:
    """Gives turns to send: at most `per_minute` in any minute (no cap when null), none while the target says wait."""

    def __init__(self, per_minute: int | None, stop: Stop, patience: Patience) -> None:
        self._per_minute = per_minute
        self._stop = stop
        self._patience = patience
        self._lock = threading.Lock()
        self._turns: deque[float] = deque()
        self._closed_until = 0.0
        self._refusals = 0

    def turn(self) -> bool:
        """Wait for a turn; false when the order to stop came first."""
        while not self._stop.given:
            wait = self._take()
            if wait <= 0:
                return True
            self._stop.during(wait)
        return False

    def refused(self, retry_after: float | None) -> None:
        """Tell that a request was refused for the rate limit: nobody sends for a while."""
        with self._lock:
            now = time.monotonic()
            if retry_after is None:
                # Refusals of requests that were under way together are one message, not many.
                if now < self._closed_until:
                    return
                waits = self._patience.throttled
                retry_after = waits[min(self._refusals, len(waits) - 1)] * random.uniform(1.0, 1.1)
            self._refusals += 1
            self._closed_until = max(self._closed_until, now + retry_after)

    def accepted(self) -> None:
        """Tell that a request got through."""
        if self._refusals:
            with self._lock:
                self._refusals = 0

    def _take(self) -> float:
        """Take a turn if there is one, else give the seconds until it is worth asking again."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                return self._closed_until - now
            if self._per_minute is None:
                return 0.0
            while self._turns and self._turns[0] <= now - _WINDOW:
                self._turns.popleft()
            if len(self._turns) >= self._per_minute:
                return self._turns[0] + _WINDOW - now
            self._turns.append(now)
            return 0.0

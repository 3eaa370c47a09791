"""How long load waits and how often it tries, and the order to stop. Knows no request's content.

`send.py`, `pace.py` and `execute.py` use these.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Final

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

"""How many requests this process has sent to whom, and how many were answered "too many requests".

`http.py` counts; a flow takes the difference between two moments. Cycles that share a process are counted together.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from typing import Final, Self


@dataclasses.dataclass(frozen=True)
class Counts:
    """Requests by host, with its port where that is not the usual one: all that went out, and the answers 429."""

    sent: Counter[str]
    throttled: Counter[str]

    def since(self, before: Self) -> Counts:
        """Give what came since `before`, without the hosts that had nothing."""
        return Counts(self.sent - before.sent, self.throttled - before.throttled)


class Traffic:
    """Counts requests. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    def count_sent(self, host: str) -> None:
        """Count a request that goes out."""
        with self._lock:
            self._sent[host] += 1

    def count_throttled(self, host: str) -> None:
        """Count an answer 429."""
        with self._lock:
            self._throttled[host] += 1

    def so_far(self) -> Counts:
        """Give the counts of this moment."""
        with self._lock:
            return Counts(self._sent.copy(), self._throttled.copy())


TRAFFIC: Final = Traffic()
"""What this process has sent."""

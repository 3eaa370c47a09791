"""How many requests are under way at once: more while that costs no time, fewer when answers get slow.

`send.py` takes a lane for each request. After the gradient of latencies that congestion control goes by.
"""

from __future__ import annotations

import threading
from typing import Final

_FIRST: Final = 8
"""Lanes at the start."""
_TOLERANCE: Final = 2.0
"""How many times as long as usual an answer may take before lanes are closed."""
_RECENT: Final = 0.1
"""Weight of one answer in the recent latency."""
_USUAL: Final = 0.002
"""The same in the usual one, as far as it rises; it falls at once."""
_SMOOTH: Final = 0.2
"""Weight of one answer's verdict in the number of lanes."""


class Lanes:
    """Up to `most` lanes, of which as many are open as the latencies allow. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = float(min(_FIRST, most))
        self._taken = 0
        self._recent = self._usual = 0.0
        self._free = threading.Condition()

    @property
    def open(self) -> int:
        """How many requests may be under way now."""
        return int(self._open)

    def take(self) -> None:
        """Wait for a lane."""
        with self._free:
            while self._taken >= int(self._open):
                self._free.wait()
            self._taken += 1

    def leave(self, seconds: float | None) -> None:
        """Give a lane back; `seconds` is how long the answer took, null when there was none to learn from."""
        with self._free:
            busy = self._taken >= int(self._open)
            self._taken -= 1
            if seconds is not None:
                self._learn(seconds, busy)
            self._free.notify(1 + max(0, int(self._open) - self._taken - 1))

    def _learn(self, seconds: float, busy: bool) -> None:
        self._recent = seconds if not self._recent else self._recent + _RECENT * (seconds - self._recent)
        lower = not self._usual or self._recent < self._usual
        self._usual = self._recent if lower else self._usual + _USUAL * (self._recent - self._usual)
        gradient = max(0.5, min(1.0, _TOLERANCE * self._usual / self._recent))
        if gradient == 1.0 and not busy:
            # Lanes that nobody needs prove nothing.
            return
        wanted = self._open * gradient + self._open**0.5
        self._open = max(1.0, min(float(self._most), self._open + _SMOOTH * (wanted - self._open)))

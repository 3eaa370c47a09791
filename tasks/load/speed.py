"""How fast the work goes and how long it will take, in words for progress. `execute.py` uses it."""

from __future__ import annotations

from typing import Final

_EARLY: Final = 1.0
"""Seconds before which nothing can be said."""


class Speed:
    """Work that began at `began`; instants in seconds."""

    def __init__(self, began: float) -> None:
        self._began = began

    def told(self, done: int, total: int, now: float) -> str:
        """Give the rate and the time that is left, on the average of the whole work: limits let it go in bursts."""
        took = now - self._began
        if took < _EARLY or not done:
            return ""
        rate = done / took
        shown = f"{rate:.0f}/s" if rate >= 10 else f"{60 * rate:.0f}/min"
        return f"{shown}, {time_in_words((total - done) / rate)} left"


def time_in_words(seconds: float) -> str:
    """Write a time as people say it, no finer than matters."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

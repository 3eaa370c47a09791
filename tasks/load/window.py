"""How many calls were made in a rolling window: counts by moment, coarser the longer ago. `budget.py` uses it."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable
from typing import Final

_FINE: Final = 0.1
"""Seconds that calls are counted together for; rounded up, so that a call counts rather too long than too short."""
_COARSE: Final = 10.0
_COARSE_FROM: Final = 90.0
"""Calls longer ago than this, in seconds, are counted together for `_COARSE` seconds."""
_COARSE_AT: Final = 500
"""How many such moments there are before that is done; more than an hour has of coarse ones."""


class Window:
    """Calls by the moment at which they were answered, in order."""

    def __init__(self, kept: Iterable[tuple[float, int]] = ()) -> None:
        self._moments: list[float] = []
        self._counts: list[int] = []
        for moment, count in kept:
            self._moments.append(moment)
            self._counts.append(count)

    def kept(self) -> list[tuple[float, int]]:
        """Give moments and counts."""
        return list(zip(self._moments, self._counts, strict=True))

    def add(self, moment: float, count: int) -> None:
        """Take in calls."""
        at = math.ceil(round(moment / _FINE, 6)) * _FINE
        place = bisect.bisect_left(self._moments, at - _FINE / 2)
        if place < len(self._moments) and self._moments[place] < at + _FINE / 2:
            self._counts[place] += count
        else:
            self._moments.insert(place, at)
            self._counts.insert(place, count)

    def count(self, window: float, now: float) -> int:
        """Count the calls that take place in the window which ends now."""
        return self.since(now - window)

    def since(self, moment: float) -> int:
        """Count the calls answered after `moment`."""
        return sum(self._counts[bisect.bisect_right(self._moments, moment) :])

    def until_below(self, window: float, limit: int, now: float) -> float:
        """Give the seconds until fewer than `limit` calls are in the window; 0 when it is so, or will never be."""
        first = bisect.bisect_right(self._moments, now - window)
        left = sum(self._counts[first:])
        for moment, count in zip(self._moments[first:], self._counts[first:], strict=True):
            if left < limit:
                break
            left -= count
            if left < limit:
                return moment + window - now
        return 0.0

    def forget(self, moment: float) -> None:
        """Forget the calls up to `moment`, and count together what is long ago."""
        gone = bisect.bisect_right(self._moments, moment)
        del self._moments[:gone], self._counts[:gone]
        if not self._moments:
            return
        old = bisect.bisect_right(self._moments, self._moments[-1] - _COARSE_FROM)
        if old < _COARSE_AT:
            return
        merged = [
            (at, sum(count for _, count in part))
            for at, part in itertools.groupby(
                zip(self._moments[:old], self._counts[:old], strict=True),
                key=lambda entry: math.ceil(round(entry[0] / _COARSE, 6)) * _COARSE,
            )
        ]
        self._moments[:old] = [min(at, self._moments[old]) for at, _ in merged]
        self._counts[:old] = [count for _, count in merged]

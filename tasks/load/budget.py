"""What is known of the target's rate limits, and who may call how often because of it: arithmetic over given instants.

One budget is shared by everybody who calls a tenant; `pace.py` asks it and the ledger keeps it as text. No I/O here.
Limits are rolling windows, perhaps one an operation, of which the length is not told ("Rate limiting").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self

import orjson

from tasks.load.window import Window

MINUTE: Final = 60.0
"""The window of a job's own cap, in seconds."""
RUNGS: Final = (1.0, 10.0, MINUTE, 3600.0)
"""Lengths of windows that a limit may have, in seconds."""
FEW: Final = 5
"""A refusal after fewer calls than these, within a window, says nothing about that window."""
PROBE_EVERY: Final = MINUTE
"""Seconds after which a limit that would forbid calls for longer is put to the test."""
LONGEST_PAUSE: Final = 10 * PROBE_EVERY
"""The same once it has stood that test several times."""
STEP_SHARE: Final = 50
"""The largest step up is this part of a limit."""
FIRST_STEP: Final = 200
"""The first step up is this part of a limit, or one call."""
SMALL_STEP: Final = 8
"""The largest step up of small limits."""
LONGEST_RAISE: Final = 10
"""How many windows lie at most between two tries for more."""
HELD_FOR: Final = 90.0
"""Seconds after which the permits of a caller who never came back count no more."""
_MOMENT: Final = 0.05
"""Seconds to wait for calls that are under way."""
_SOON: Final = 0.25
"""Seconds until it is worth asking again while a limit is being exceeded on purpose."""


@dataclasses.dataclass
class Trial:
    """An open question after a refusal: which window, and how much in it, is the limit. One call at a time asks it."""

    window: float | None
    """The window that is blamed; null when too few calls had been made to blame any."""
    count: int
    """What was in it at the refusal."""
    before: int | None
    """Its limit until then."""
    next_at: float
    """When a call may go out to ask."""
    tries: int = 0
    asked_at: float | None = None


@dataclasses.dataclass
class Report:
    """What a caller has to tell of one operation since it last asked."""

    accepted: dict[float, int] = dataclasses.field(default_factory=dict)
    """How many calls were let through, by when they were answered."""
    refused_at: float | None = None
    retry_after: float | None = None
    under_way: int = 0
    """Calls that are not answered yet."""


@dataclasses.dataclass
class Meter:
    """One operation: the calls that were let through, the permits out, the limits found, and the search for them."""

    calls: Window = dataclasses.field(default_factory=Window)
    held: dict[str, tuple[int, float]] = dataclasses.field(default_factory=dict)
    limits: dict[float, int] = dataclasses.field(default_factory=dict)
    most: dict[float, int] = dataclasses.field(default_factory=dict)
    """The most calls that were let through within a window."""
    trial: Trial | None = None
    refused_at: float | None = None
    told_to_wait: float = 0.0
    """Seconds that the last refusals asked to wait; a shorter window than that cannot be the reason."""
    closed_until: float = 0.0
    raise_at: float = 0.0
    raise_wait: float = 0.0
    step: int = 0
    """By how many calls a limit was exceeded last, and it was none; 0 when it turned out to be one."""
    deaf_until: float = 0.0
    """Refusals until then belong to a limit that was exceeded on purpose."""
    raising: tuple[float, int, float] | None = None
    """The window whose limit is being exceeded on purpose, up to how many calls, and until when that may take."""

    def used(self, window: float, now: float) -> int:
        """Count what takes place in a window: calls answered within it, and all permits that are out."""
        return self.calls.count(window, now) + sum(count for count, _ in self.held.values())

    def tell(self, holder: str, report: Report, now: float, pauses: Sequence[float]) -> None:
        """Take in what a caller tells."""
        self.held.pop(holder, None)
        self.held = {name: held for name, held in self.held.items() if held[1] > now}
        if report.under_way:
            self.held[holder] = report.under_way, now + HELD_FOR
        for moment in sorted(report.accepted):
            self._accept(moment, report.accepted[moment], now)
        if report.refused_at is not None:
            self._refuse(report, now, pauses)
        self.calls.forget(now - RUNGS[-1])

    def grant(self, wanted: int, now: float, pauses: Sequence[float]) -> tuple[int, float]:
        """Give how many calls may go out, up to `wanted`; if none, the seconds until it is worth asking again."""
        if now < self.closed_until:
            return 0, self.closed_until - now
        if self.refused_at is not None:
            if self.held:
                return 0, _MOMENT
            self._judge(now, pauses)
        if self.trial is not None:
            return self._ask(self.trial, now)
        if self.raising is not None and now >= self.raising[2]:
            self.raising = None
        free, wait = wanted, 0.0
        for window, limit in self.limits.items():
            room = self._allowed(window, limit) - self.used(window, now)
            if room <= 0 and self.raising is None and now >= self.raise_at:
                step = max(2 * self.step, limit // FIRST_STEP, 1)
                self.step = min(step, max(SMALL_STEP, limit // STEP_SHARE))
                self.raising = window, limit + self.step, now + max(1.0, window / 10)
                room += self.step
            if room < free:
                free, wait = room, self.wait(window, self._allowed(window, limit), now)
        if free > 0:
            return free, 0.0
        search = self.raise_at - now if self.raising is None else _SOON
        return 0, max(min(wait, search), _MOMENT)

    def wait(self, window: float, limit: int, now: float) -> float:
        """Give the seconds until a window has room, as far as answered calls decide it."""
        under_way = self.used(window, now) - self.calls.count(window, now)
        return max(self.calls.until_below(window, limit - under_way, now), _MOMENT)

    def _accept(self, moment: float, count: int, now: float) -> None:
        self.calls.add(moment, count)
        # A little less than the window: calls are counted for longer than the target does.
        seen = {window: self.calls.count(window - min(_SOON, window / 4), now) for window in RUNGS}
        self.most = {window: max(self.most.get(window, 0), number) for window, number in seen.items()}
        trial = self.trial
        if trial is not None and trial.asked_at is not None and moment >= trial.asked_at:
            self._settle(trial, seen, now)
        for window, limit in self.limits.items():
            self.limits[window] = max(limit, seen[window])
        if self.raising is not None and seen[self.raising[0]] >= self.raising[1]:
            self.raising, self.raise_at, self.raise_wait = None, now, 0.0

    def _settle(self, trial: Trial, seen: Mapping[float, int], now: float) -> None:
        """End the search: what is blamed explains all that happened, unless its window let more through by now."""
        self.trial, self.step = None, 0
        if trial.window is None:
            return
        if seen[trial.window] > self.limits[trial.window]:
            self._restore(trial)
        self.raise_wait, self.raise_at = trial.window, now + trial.window

    def _refuse(self, report: Report, now: float, pauses: Sequence[float]) -> None:
        assert report.refused_at is not None
        self.told_to_wait = report.retry_after or 0.0
        self.closed_until = max(self.closed_until, now + self.told_to_wait)
        if self.raising is not None or report.refused_at <= self.deaf_until:
            self.closed_until = max(self.closed_until, now + _SOON)
        if self.raising is not None:
            window = self.raising[0]
            self.raise_wait = min(max(2 * self.raise_wait, window), LONGEST_RAISE * window)
            self.raising, self.raise_at, self.step = None, now + self.raise_wait, 0
            self.deaf_until = now + 1.0
        elif self.refused_at is None and report.refused_at > self.deaf_until:
            self.refused_at = report.refused_at
            tries = 0 if self.trial is None else self.trial.tries
            self.closed_until = max(self.closed_until, now + min(pauses[min(tries, len(pauses) - 1)], 1.0))

    def _judge(self, now: float, pauses: Sequence[float]) -> None:
        """Decide what a refusal means, once the calls that were under way with it have been answered."""
        assert self.refused_at is not None
        moment, self.refused_at = self.refused_at, None
        counts = {window: self.calls.since(moment - window) for window in RUNGS}
        trial = self.trial
        if trial is None:
            self._blame(self._suspect(counts), counts, now, pauses)
            return
        trial.asked_at, trial.tries = None, trial.tries + 1
        window = trial.window
        if window is None:
            longer = next((each for each in RUNGS if counts[each] >= FEW), None)
        else:
            drained = trial.before is None or counts[window] * 10 <= trial.count
            longer = next((each for each in RUNGS if each > window), None) if drained else None
        if longer is not None:
            self._restore(trial)
            self._blame(longer, counts, now, pauses)
            return
        if window is not None:
            self.limits[window] = max(1, min(self.limits[window], counts[window]))
        pause = pauses[min(trial.tries, len(pauses) - 1)]
        trial.next_at = now + (pause if window != RUNGS[-1] else min(PROBE_EVERY * 2**trial.tries, LONGEST_PAUSE))

    def _suspect(self, counts: Mapping[float, int]) -> float | None:
        """Give the window to blame first: one whose limit is known and that was in use, else the shortest possible."""
        known = [window for window, limit in self.limits.items() if counts[window] * 10 > limit]
        if known:
            return min(known)
        beyond = max(self.limits, default=0.0)
        possible = [window for window in RUNGS if window > beyond and window >= self.told_to_wait]
        some = [window for window in possible if counts[window] >= FEW]
        full = [window for window in some if counts[window] * 20 >= self.most.get(window, 0) * 19]
        return next(iter(full or some), None)

    def _blame(self, window: float | None, counts: Mapping[float, int], now: float, pauses: Sequence[float]) -> None:
        count = 0 if window is None else counts[window]
        before = None if window is None else self.limits.get(window)
        self.trial = Trial(window, count, before, now)
        if window is None:
            self.trial.next_at = now + pauses[0]
            return
        self.limits[window] = max(1, count if before is None else min(count, before))
        self.most[window] = count
        if before is None:
            self.trial.next_at = now + min(self.wait(window, self.limits[window], now), PROBE_EVERY)

    def _restore(self, trial: Trial) -> None:
        if trial.window is None:
            return
        if trial.before is None:
            del self.limits[trial.window]
        else:
            self.limits[trial.window] = trial.before

    def _ask(self, trial: Trial, now: float) -> tuple[int, float]:
        if self.held:
            return 0, _MOMENT
        if now < trial.next_at:
            return 0, trial.next_at - now
        trial.asked_at = now
        return 1, 0.0

    def _allowed(self, window: float, limit: int) -> int:
        """Give a limit, or a little more while it is being found out whether it still is one."""
        return limit if self.raising is None or self.raising[0] != window else self.raising[1]


class Budget:
    """All operations of one tenant. `pauses` are the seconds to wait after refusals that name no time."""

    def __init__(self, pauses: Sequence[float]) -> None:
        self._pauses = pauses
        self.meters: dict[str, Meter] = {}

    @classmethod
    def read(cls, text: str | None, pauses: Sequence[float]) -> Self:
        """Read what `text` gave; nothing is known where there is none."""
        budget = cls(pauses)
        for operation, kept in (orjson.loads(text) if text else {}).items():
            budget.meters[operation] = _meter(kept)
        return budget

    def text(self) -> str:
        """Give everything as JSON."""
        return orjson.dumps(
            {name: _kept(meter) for name, meter in self.meters.items()}, option=orjson.OPT_NON_STR_KEYS
        ).decode()

    def tell(self, holder: str, operation: str, report: Report, now: float) -> None:
        """Take in what a caller tells of one operation."""
        self._meter(operation).tell(holder, report, now, self._pauses)

    def grant(self, holder: str, operation: str, wanted: int, now: float, cap: int | None) -> tuple[int, float]:
        """Give how many calls may go out, up to `wanted`; if none, the seconds until it is worth asking again.

        At most `cap` calls are made in any minute, of all operations and by everybody.
        """
        meter = self._meter(operation)
        room, wait = (wanted, 0.0) if cap is None else self._room(cap, now)
        if room <= 0:
            return 0, wait
        granted, wait = meter.grant(min(wanted, room), now, self._pauses)
        if granted:
            out, _ = meter.held.get(holder, (0, 0.0))
            meter.held[holder] = out + granted, now + HELD_FOR
        return granted, wait

    def limits(self) -> Iterator[tuple[str, float, int]]:
        """Give the limits found: operation, window in seconds, calls."""
        for operation, meter in self.meters.items():
            for window, limit in meter.limits.items():
                yield operation, window, limit

    def _meter(self, operation: str) -> Meter:
        return self.meters.setdefault(operation, Meter())

    def _room(self, cap: int, now: float) -> tuple[int, float]:
        """Give what the cap leaves; if nothing, the seconds until the first call leaves the minute."""
        used = sum(meter.used(MINUTE, now) for meter in self.meters.values())
        waits = [meter.calls.until_below(MINUTE, meter.calls.count(MINUTE, now), now) for meter in self.meters.values()]
        return cap - used, max(min((wait for wait in waits if wait > 0), default=_MOMENT), _MOMENT)


def _kept(meter: Meter) -> dict[str, Any]:
    kept = {field.name: getattr(meter, field.name) for field in dataclasses.fields(meter)}
    return {**kept, "calls": meter.calls.kept()}


def _meter(kept: Mapping[str, Any]) -> Meter:
    raising = kept["raising"]
    return Meter(
        **{
            **kept,
            "calls": Window(kept["calls"]),
            "held": {name: (count, until) for name, (count, until) in kept["held"].items()},
            "limits": {float(window): limit for window, limit in kept["limits"].items()},
            "most": {float(window): count for window, count in kept["most"].items()},
            "trial": None if kept["trial"] is None else Trial(**kept["trial"]),
            "raising": None if raising is None else tuple(raising),
        }
    )

"""Callers of a target with rolling limits, in simulated time: each with a `Budget` that goes through its text."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

from tasks.load.budget import Budget, Report

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
EPOCH = 1_800_000_000.0


@dataclasses.dataclass
class Server:
    """A target: `limit(now)` calls in a rolling `window`, each operation on its own when `separate`."""

    limit: Callable[[float], int | None]
    window: float = 60.0
    separate: bool = False
    retry_after: float | None = None
    let_through: list[float] = dataclasses.field(default_factory=list)
    refused: list[float] = dataclasses.field(default_factory=list)
    _recent: dict[str, deque[float]] = dataclasses.field(default_factory=dict)

    def call(self, operation: str, now: float) -> bool:
        """Tell whether a call is let through."""
        recent = self._recent.setdefault(operation if self.separate else "", deque())
        while recent and recent[0] <= now - self.window:
            recent.popleft()
        limit = self.limit(now)
        if limit is not None and len(recent) >= limit:
            self.refused.append(now)
            return False
        recent.append(now)
        self.let_through.append(now)
        return True


@dataclasses.dataclass
class Caller:
    """One process with `lanes` calls under way at once, each `latency` seconds; it makes `calls` calls."""

    name: str
    calls: int
    lanes: int = 16
    latency: float = 0.05
    operations: tuple[str, ...] = ("write",)
    begins: float = 0.0
    cap: int | None = None
    done: int = 0
    under_way: int = 0
    permits: Counter[str] = dataclasses.field(default_factory=Counter)
    flying: Counter[str] = dataclasses.field(default_factory=Counter)
    reports: dict[str, Report] = dataclasses.field(default_factory=dict)
    ask_at: float = 0.0


class World:
    """Runs callers against a server until all calls are made; `text` is the budget they share."""

    def __init__(self, server: Server, *callers: Caller, text: str | None = None) -> None:
        self.server = server
        self.text = text
        self.now = EPOCH
        self.starts: list[float] = []
        self._callers = callers
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def run(self, longest: float = 1e6) -> float:
        """Give the seconds until the last call is answered. Fails when they are more than `longest`."""
        for caller in self._callers:
            self._at(EPOCH + caller.begins, partial(self._turn, caller))
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            assert self.now - EPOCH <= longest, [caller.done for caller in self._callers]
            event()
        return self.now - EPOCH

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _turn(self, caller: Caller) -> None:
        """Start what can be started; ask the budget when permits are needed."""
        while caller.under_way < caller.lanes and caller.done + caller.under_way < caller.calls:
            operation = caller.operations[(caller.done + caller.under_way) % len(caller.operations)]
            if caller.permits[operation] <= 0:
                if self.now < caller.ask_at or not self._ask(caller, operation):
                    return
                continue
            caller.permits[operation] -= 1
            caller.under_way += 1
            caller.flying[operation] += 1
            self.starts.append(self.now)
            sent = self.now + caller.latency / 2
            self._at(sent, partial(self._arrive, caller, operation))
        if caller.done == caller.calls:
            self._exchange(caller, "", 0)

    def _arrive(self, caller: Caller, operation: str) -> None:
        accepted = self.server.call(operation, self.now)
        self._at(self.now + caller.latency / 2, partial(self._answer, caller, operation, accepted))

    def _answer(self, caller: Caller, operation: str, accepted: bool) -> None:
        caller.under_way -= 1
        caller.flying[operation] -= 1
        report = caller.reports.setdefault(operation, Report())
        if accepted:
            caller.done += 1
            report.accepted[self.now] = report.accepted.get(self.now, 0) + 1
        else:
            report.refused_at = report.refused_at or self.now
            report.retry_after = self.server.retry_after
            caller.permits[operation] = 0
            caller.ask_at = 0.0
        self._turn(caller)

    def _ask(self, caller: Caller, operation: str) -> bool:
        granted, wait = self._exchange(caller, operation, max(caller.lanes, 8))
        caller.permits[operation] += granted
        if granted:
            return True
        caller.ask_at = self.now + wait
        self._at(caller.ask_at, partial(self._turn, caller))
        return False

    def _exchange(self, caller: Caller, operation: str, wanted: int) -> tuple[int, float]:
        budget = Budget.read(self.text, PAUSES)
        for name in {*caller.flying, *caller.reports, *({operation} if wanted else ())}:
            report = caller.reports.pop(name, None) or Report()
            if name != operation:
                caller.permits[name] = 0
            report.under_way = caller.flying[name] + caller.permits[name]
            budget.tell(caller.name, name, report, self.now)
        given = budget.grant(caller.name, operation, wanted, self.now, caller.cap) if wanted else (0, 0.0)
        self.text = budget.text()
        return given


def busiest(starts: list[float], window: float) -> int:
    """Give the most calls that began within any rolling window."""
    most, first = 0, 0
    for last, moment in enumerate(starts):
        while starts[first] <= moment - window:
            first += 1
        most = max(most, last - first + 1)
    return most

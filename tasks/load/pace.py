"""Permits to call the target: taken in batches from the budget that everybody shares, used up one by one.

The Replicon client asks before each request and tells after each answer; load's sender asks ahead, to be able to stop.
What the budget allows is decided in `budget.py`; the ledger keeps it between processes and cycles.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Job
from tasks.ledger.ledger import Ledger
from tasks.load.budget import Budget, Report
from tasks.load.patience import Patience, Stop

_BATCH: Final = 0.4
"""Seconds for which permits are taken at once."""
_SLICE: Final = 0.2
"""Seconds after which a waiting thread looks again whether it is to stop."""

Grants = dict[str, tuple[int, float]]


class Store(Protocol):
    """Where the budget is between two exchanges; only one takes place at a time."""

    def __call__(self, exchange: Callable[[str | None], tuple[str, Grants]]) -> Grants:
        """Let `exchange` turn the budget's text into the next one, and give what else it gives."""


class Alone:
    """Keeps a budget in memory: for one process that calls a target nobody else calls."""

    def __init__(self) -> None:
        self._text: str | None = None

    def __call__(self, exchange: Callable[[str | None], tuple[str, Grants]]) -> Grants:
        """Exchange; see `Store`."""
        self._text, given = exchange(self._text)
        return given


class Pace:
    """Gives turns to call, by operation. Safe to use from several threads.

    `cap` is the most calls in any minute, of all operations and by all who share the budget. `clock` gives seconds
    that mean the same in all processes.
    """

    def __init__(
        self,
        store: Store,
        cap: int | None = None,
        *,
        pauses: Sequence[float] = Patience().throttled,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cap = cap
        self._pauses = pauses
        self._clock = clock
        self._name = uuid.uuid4().hex[:12]
        self._changed = threading.Condition()
        self._permits: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._used: Counter[str] = Counter()
        self._reports: defaultdict[str, Report] = defaultdict(Report)
        self._ask_again: dict[str, float] = {}
        self._asked = 0.0
        self._exchanging = False
        self._stop = Stop()
        self._ahead = threading.local()

    def obey(self, stop: Stop) -> None:
        """Wait for no permit any more once `stop` is given."""
        self._stop = stop

    def turn(self, operation: str) -> bool:
        """Wait for a permit for this thread's next request; false when the order to stop came first."""
        if self._stop.given or not self._taken(operation):
            return False
        self._ahead.operation = operation
        return True

    def enter(self, operation: str) -> bool:
        """Use this thread's permit, or wait for one; false when it would have to wait and is to stop."""
        ahead, self._ahead.operation = getattr(self._ahead, "operation", None), None
        return ahead == operation or self._taken(operation)

    def leave(self, operation: str, *, refused: bool = False, retry_after: float | None = None) -> None:
        """Tell how a request ended: refused for the rate limit, or not."""
        with self._changed:
            now = self._clock()
            self._under_way[operation] -= 1
            report = self._reports[operation]
            if refused:
                report.refused_at = now if report.refused_at is None else report.refused_at
                if retry_after is not None:
                    report.retry_after = max(retry_after, report.retry_after or 0.0)
                # Whoever is next asks the budget first.
                self._permits[operation] = 0
                self._ask_again[operation] = 0.0
                self._changed.notify_all()
            else:
                moment = round(now, 1)
                report.accepted[moment] = report.accepted.get(moment, 0) + 1

    def flush(self) -> None:
        """Give back the permits that are left, and tell what has not been told."""
        self._exchange({})

    def _taken(self, operation: str) -> bool:
        with self._changed:
            self._waiting[operation] += 1
            try:
                while self._permits[operation] <= 0:
                    wait = self._ask_again.get(operation, 0.0) - self._clock()
                    if wait > 0 and self._stop.given:
                        return False
                    if wait > 0 or self._exchanging:
                        self._changed.wait(min(_SLICE, wait) if wait > 0 else _SLICE)
                    else:
                        self._refill()
                self._permits[operation] -= 1
                self._under_way[operation] += 1
                self._used[operation] += 1
                return True
            finally:
                self._waiting[operation] -= 1

    def _refill(self) -> None:
        """Exchange with the lock let go meanwhile, so that answers can be told and permits used."""
        seconds = max(self._clock() - self._asked, 0.01)
        wanted = {
            operation: max(waiting, round(self._used[operation] * min(2.0, _BATCH / seconds)))
            for operation, waiting in self._waiting.items()
            if waiting > 0
        }
        self._exchanging = True
        self._changed.release()
        try:
            self._exchange(wanted)
        finally:
            self._changed.acquire()
            self._exchanging = False
            self._changed.notify_all()

    def _exchange(self, wanted: dict[str, int]) -> None:
        with self._changed:
            now = self._asked = self._clock()
            reports, self._reports = self._reports, defaultdict(Report)
            self._used.clear()
            for operation in {*self._under_way, *reports, *wanted}:
                if operation not in wanted:
                    self._permits[operation] = 0
                # A permit that is not used yet counts like a call under way, as far as others are concerned.
                reports[operation].under_way = self._under_way[operation] + self._permits[operation]
        grants = self._store(lambda text: self._asked_of(Budget.read(text, self._pauses), reports, wanted, now))
        with self._changed:
            for operation, (granted, wait) in grants.items():
                if self._reports[operation].refused_at is None:
                    self._permits[operation] += granted
                    self._ask_again[operation] = now + wait

    def _asked_of(
        self, budget: Budget, reports: dict[str, Report], wanted: dict[str, int], now: float
    ) -> tuple[str, Grants]:
        for operation, report in reports.items():
            budget.tell(self._name, operation, report, now)
        grants = {
            operation: budget.grant(self._name, operation, count, now, self._cap) for operation, count in wanted.items()
        }
        return budget.text(), grants


def open_pace(ledger: Ledger, job: Job, patience: Patience | None = None) -> Pace:
    """Give the pace of the job's target, whose budget all jobs, processes and cycles on this ledger share."""
    target = f"{job.target.discovery_url}/{job.target.company_key.lower()}"
    store = partial(ledger.exchange_budget, target)
    return Pace(store, job.load.requests_per_minute, pauses=(patience or Patience()).throttled)


def pace_of(target: RepliconUsers, ledger: Ledger, job: Job, patience: Patience) -> Pace:
    """Give the pace that `target` goes by; a target that has none goes by that of the job from now on."""
    if isinstance(target.pace, Pace):
        return target.pace
    pace = open_pace(ledger, job, patience)
    target.paced_by(pace)
    return pace

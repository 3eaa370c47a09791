"""Faults that a test or a person switches on while the sandbox runs: which requests they strike, and how often.

The bodies of the faults are in `fault_bodies`, their effect on the connection in `server`.
"""

from __future__ import annotations

import fnmatch
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal

import pydantic

from deployments.sandbox.wire import Request


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """The request waits `seconds`, give or take `jitter`, before it is handled."""
    RATE_LIMIT = "rate_limit"
    """429 once the rolling `window` let `limit` requests through; with Retry-After if `retry_after` is set."""
    TIMEOUT = "timeout500"
    """500, the execution took too long; answered after `seconds`."""
    INTERNAL = "internal500"
    """500, an internal fault that says nothing."""
    UNAVAILABLE = "unavailable503"
    """503 or 504 (`status`) with a gateway's HTML page, and Retry-After if `retry_after` is set."""
    ERROR_ON_200 = "error_on_200"
    """200 whose body is an error."""
    NOT_APPLIED = "not_applied"
    """A write is answered as if it had worked, and nothing changes."""
    LOST_RESPONSE = "lost_response"
    """The request is carried out, and the connection ends without an answer."""
    RESET = "reset"
    """The connection is reset before the request is carried out."""
    EXPIRED_TOKEN = "expired_token"
    """The credentials are refused as expired."""
    TRUNCATED_PAGE = "truncated_page"
    """A page ends early: half its bytes arrive (`cut` body), or half its items (`cut` items)."""
    REPEATED_PAGE = "repeated_page"
    """A page comes twice."""
    REORDERED_PAGE = "reordered_page"
    """The items of a page are shuffled."""
    MISSING_PAGE = "missing_page"
    """A page is skipped: the following one comes in its place."""
    DELTA_GONE = "delta_gone"
    """410 for a delta token: everything has to be read again."""


PAGE_FAULTS: Final = frozenset(
    {FaultKind.TRUNCATED_PAGE, FaultKind.REPEATED_PAGE, FaultKind.REORDERED_PAGE, FaultKind.MISSING_PAGE}
)
"""Faults that strike pages of a listing only; other answers neither suffer nor count."""


class FaultRule(pydantic.BaseModel):
    """One fault that is switched on: what it strikes, how often, and its parameters.

    Durations are in seconds. A rule strikes when everything that is set agrees.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    endpoint: str = "*"
    """Glob over endpoint names, letter case aside: `replicon:*`, `graph:users`, `*.BulkGetUsers3`."""
    containing: str = ""
    """Text that the request's path, query or body must contain, letter case aside; a login name, for instance."""
    probability: float = pydantic.Field(default=1.0, gt=0, le=1)
    after: int = pydantic.Field(default=0, ge=0)
    """How many requests that the rule could strike it lets pass first."""
    count: int | None = pydantic.Field(default=None, ge=1)
    """How often it strikes before it rests; without end when null."""
    seed: int = 0
    """Makes `probability`, `jitter` and shuffling repeatable."""
    seconds: float = pydantic.Field(default=0.0, ge=0)
    jitter: float = pydantic.Field(default=0.0, ge=0)
    limit: int = pydantic.Field(default=1000, ge=0)
    window: float = pydantic.Field(default=60.0, gt=0)
    per_endpoint: bool = False
    """Whether a rate limit counts each operation on its own instead of all together."""
    retry_after: int | None = pydantic.Field(default=None, ge=0)
    committed: bool = False
    """Whether a 5xx or an error on 200 is answered after the request was carried out."""
    status: Literal[503, 504] = 503
    cut: Literal["body", "items"] = "body"


class _Armed:
    """A rule with its memory."""

    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule
        self.matched = 0
        self.struck = 0
        self.random = random.Random(rule.seed)
        self._pattern = re.compile(fnmatch.translate(rule.endpoint), re.IGNORECASE)
        self._needle = rule.containing.lower()
        self._windows: dict[str, deque[float]] = {}

    def strikes(self, endpoint: str, request: Request, now: float) -> bool:
        rule = self.rule
        if not self._pattern.match(endpoint) or not self._contains(request):
            return False
        if rule.kind is FaultKind.DELTA_GONE and not _continues_a_delta(request):
            return False
        if rule.count is not None and self.struck >= rule.count:
            return False
        self.matched += 1
        if self.matched <= rule.after or (rule.probability < 1 and self.random.random() >= rule.probability):
            return False
        if rule.kind is FaultKind.RATE_LIMIT and self._admits(endpoint if rule.per_endpoint else "", now):
            return False
        self.struck += 1
        return True

    def _contains(self, request: Request) -> bool:
        if not self._needle:
            return True
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        return self._needle in f"{request.path}?{query} {request.body.decode('utf-8', 'replace')}".lower()

    def _admits(self, key: str, now: float) -> bool:
        """Tell whether the rolling window has room, and take the place if so; refused requests take none."""
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - self.rule.window:
            window.popleft()
        if len(window) >= self.rule.limit:
            return False
        window.append(now)
        return True


class Faults:
    """The faults that are switched on. Safe to change from any thread while requests are served."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._armed: tuple[_Armed, ...] = ()
        self._last = 0

    def add(self, endpoint: str, kind: FaultKind | str, **parameters: Any) -> int:
        """Switch a fault on and give its number; `parameters` are the fields of `FaultRule`.

        Raises `pydantic.ValidationError` when a parameter does not exist or has a wrong value.
        """
        return self.add_rule(FaultRule.model_validate({"endpoint": endpoint, "kind": kind, **parameters}))

    def add_rule(self, rule: FaultRule) -> int:
        """Switch `rule` on and give its number."""
        with self._lock:
            self._last += 1
            self._armed = (*self._armed, _Armed(self._last, rule))
            return self._last

    def remove(self, number: int) -> bool:
        """Switch one fault off; tell whether it was on."""
        with self._lock:
            kept = tuple(armed for armed in self._armed if armed.number != number)
            found = len(kept) < len(self._armed)
            self._armed = kept
            return found

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._armed = ()

    def struck(self, number: int | None = None) -> int:
        """Count how often the fault `number`, or all that are on, have struck."""
        return sum(armed.struck for armed in self._armed if number in {None, armed.number})

    @property
    def watches_pages(self) -> bool:
        """Whether any fault of pages is on, so that answers have to be looked into."""
        return any(armed.rule.kind in PAGE_FAULTS for armed in self._armed)

    def describe(self) -> list[dict[str, Any]]:
        """Give the faults that are on as JSON-ready objects: number, rule, requests matched, requests struck."""
        return [
            {
                "number": armed.number,
                **armed.rule.model_dump(mode="json", exclude_defaults=True),
                "matched": armed.matched,
                "struck": armed.struck,
            }
            for armed in self._armed
        ]

    def strike(self, endpoint: str, request: Request, *, pages: bool) -> list[tuple[FaultRule, random.Random]]:
        """Give the rules that strike this request now, oldest first, each with its source of chance.

        With `pages` the faults of pages are asked, which is done once the answer is known to be a page; without,
        all others.
        """
        if not self._armed:
            return []
        now = self._clock()
        with self._lock:
            return [
                (armed.rule, armed.random)
                for armed in self._armed
                if (armed.rule.kind in PAGE_FAULTS) is pages and armed.strikes(endpoint, request, now)
            ]


def _continues_a_delta(request: Request) -> bool:
    return any(name.lower() in {"$deltatoken", "$skiptoken"} for name in request.query)

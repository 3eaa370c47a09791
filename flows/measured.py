"""What a cycle took: seconds by stage, and requests by host. Kept with the cycle, for metrics."""

from __future__ import annotations

import time
from typing import Any

from tasks.connectors.traffic import TRAFFIC


class Measured:
    """Measures a cycle from the moment that it is made."""

    def __init__(self) -> None:
        self._before = TRAFFIC.so_far()
        self._at = time.monotonic()
        self._seconds: dict[str, float] = {}

    def done(self, stage: str) -> None:
        """Say that a stage has ended: it took the time since the one before."""
        now = time.monotonic()
        self._seconds[stage] = round(now - self._at, 3)
        self._at = now

    def as_dict(self) -> dict[str, Any]:
        """Give what was measured so far as JSON-ready values."""
        counts = TRAFFIC.so_far().since(self._before)
        throttled = {host: counts.throttled[host] for host in counts.sent}
        return {"seconds": dict(self._seconds), "requests": dict(counts.sent), "throttled": throttled}

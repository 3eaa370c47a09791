"""Graph's throttling by resource units: what a request costs, and a token bucket per application.

Costs, sizes and headers as in "Microsoft Graph service-specific throttling limits". Called by `graph`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final

from deployments.sandbox.graph_errors import GraphError
from deployments.sandbox.graph_settings import GraphSettings

_BASE: Final = {
    "graph:users": 2,
    "graph:groups/members": 3,
    "graph:groups/transitiveMembers": 5,
    "graph:users/memberOf": 2,
}
_WINDOW: Final = 10.0
_TOLD_FROM: Final = 0.8
_MOST: Final = 1.8


def cost(endpoint: str, options: Mapping[str, str]) -> int:
    """Give the resource units of a GET of `endpoint` with these query options (names in lower case, without $)."""
    units = _BASE.get(endpoint, 1)
    units -= "select" in options
    units += "expand" in options
    top = options.get("top", "")
    units -= top.isdigit() and int(top) < 20
    return max(1, units)


class Throttle:
    """The quotas of all applications in one tenant."""

    def __init__(self, settings: GraphSettings, tenant_id: str) -> None:
        """Start with full buckets."""
        self._settings = settings
        self._tenant_id = tenant_id
        self._buckets: dict[str, tuple[float, float]] = {}

    def charge(self, client_id: str, units: int, users: int) -> dict[str, str]:
        """Take `units` from the application's quota in a tenant of `users` people; gives the response headers.

        Raises `GraphError` (429) when the quota is used up; a refused request counts as well.
        """
        quota = self._settings.resource_units or _quota(users)
        now = self._settings.clock()
        used, since = self._buckets.get(client_id, (0.0, now))
        used = max(0.0, used - (now - since) * quota / _WINDOW)
        refused = used + units > quota
        used = min(used + units, quota * _MOST)
        self._buckets[client_id] = (used, now)
        headers = {"x-ms-resource-unit": str(units)}
        if used / quota > _TOLD_FROM:
            headers["x-ms-throttle-limit-percentage"] = f"{used / quota:.2f}"
        if not refused:
            return headers
        headers["x-ms-throttle-scope"] = f"Tenant_Application/ReadWrite/{client_id}/{self._tenant_id}"
        headers["x-ms-throttle-information"] = "ResourceUnitLimitExceeded"
        if self._settings.retry_after:
            over = used + units - quota
            headers["Retry-After"] = str(max(1, math.ceil(over * _WINDOW / quota)))
        raise GraphError(429, "TooManyRequests", "Too many requests.", headers)


def _quota(users: int) -> int:
    if users < 50:
        return 3_500
    return 5_000 if users <= 500 else 8_000


def permits(held: Collection[str], enough: Collection[str]) -> bool:
    """Tell whether one of the permissions that are each enough is held, as itself or as its writing sibling."""
    return any(name in held or name.replace(".Read.", ".ReadWrite.") in held for name in enough)

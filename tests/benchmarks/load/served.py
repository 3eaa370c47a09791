"""A Replicon in a process of its own, for measuring: `python -m tests.benchmarks.load.served LATENCY [LIMIT]`.

It says where it is as a line of JSON, and for each line on its standard input what it has seen by then.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

from deployments.sandbox.faults import FaultKind
from tests.benchmarks.child import Child
from tests.load.rig import replicon


class Served(Child):
    """Starts such a process. Every request takes `latency` seconds; `limit`, if given, is how many pass in a minute."""

    def __init__(self, latency: float, limit: int | None) -> None:
        more = [] if limit is None else [str(limit)]
        super().__init__("tests.benchmarks.load.served", str(latency), *more)
        self.discovery_url: str = json.loads(self.ask())["discovery_url"]

    def seen(self) -> dict[str, Any]:
        """Give requests, refused ones, users and CPU seconds so far."""
        return dict(json.loads(self.ask("")))


def main() -> None:
    """Serve until the standard input ends."""
    with replicon() as (state, server):
        limited = None
        if len(sys.argv) > 2:
            limited = server.faults.add("replicon:*", FaultKind.RATE_LIMIT, limit=int(sys.argv[2]))
        server.faults.add("replicon:*", FaultKind.LATENCY, seconds=float(sys.argv[1]))
        gc.freeze()
        print(json.dumps({"discovery_url": server.url("discovery")}), flush=True)
        for _ in sys.stdin:
            seen = {
                "requests": sum(count for name, count in server.requests.items() if name.startswith("replicon:")),
                "refused": 0 if limited is None else server.faults.struck(limited),
                "users": len(state.accounts),
                "served_cpu_seconds": time.process_time(),
            }
            print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()

"""Graph's quota: a read that is told that it is nearly used slows down, and is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tests.extract.rig import Rig


class Waiting:
    """A clock that moves only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.mark.parametrize("in_batches", [True, False])
def test_a_quota_that_is_nearly_used_slows_the_read_down_before_it_is_refused(tmp_path: Path, in_batches: bool) -> None:
    waiting = Waiting()
    settings = GraphSettings(
        clients={CLIENT_ID: AppRegistration(CLIENT_SECRET)}, resource_units=60, clock=lambda: waiting.now
    )
    with Sandbox(users=20, seed=2, graph_settings=settings) as sandbox:
        rig = Rig(sandbox, tmp_path)
        graph = MicrosoftGraph(rig.source, wait=waiting.wait)
        someone = next(iter(sandbox.tenant.users()))["id"]
        for _ in range(80):
            if in_batches:
                graph.find_people([someone], frozenset())
            else:
                graph.read_people([], frozenset(), rig.scope)
    assert waiting.waits
    # After a refusal the wait would be the second or more that Retry-After says.
    assert max(waiting.waits) < 1

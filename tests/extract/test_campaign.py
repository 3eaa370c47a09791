"""The fault campaign: under every fault, in every position, a read is whole, or says that it is not, or ends in words.

Faults pass within a read. Each run's cycle has changes behind it, and is held against what the directory then holds.
The normal run takes some of the positions and some dozens of schedules; PROVISION_LONG=1 takes all and hundreds.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.model import CycleKind, Extraction, UnreachableError
from tests.connectors.microsoft_graph.edits import edit
from tests.extract.rig import Rig, small_pages

LONG: Final = bool(os.environ.get("PROVISION_LONG"))
SCHEDULES: Final = 600 if LONG else 30
POSITIONS: Final = range(4)

ALWAYS: Final = (
    *("graph:token", "graph:servicePrincipals/id", "graph:servicePrincipals/appRoleAssignedTo"),
    *("graph:users/delta", "graph:groups/delta", "graph:organization"),
)
LISTINGS: Final = ("graph:users", "graph:deletedItems", "graph:groups/members")
LOOKUPS: Final = ("graph:batch", "graph:users/id", "graph:users/memberOf", "graph:deletedItems/id")
ENDPOINTS: Final[Mapping[CycleKind, tuple[str, ...]]] = {
    CycleKind.INITIAL: (*ALWAYS, *LISTINGS),
    CycleKind.INCREMENTAL: (*ALWAYS, *LOOKUPS),
}
"""What a read of each kind asks for."""

FAULTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "latency": ("latency", {"seconds": 0.002}),
    "rate limit": ("rate_limit", {"limit": 0}),
    "rate limit with Retry-After": ("rate_limit", {"limit": 0, "retry_after": 9}),
    "timeout": ("timeout500", {}),
    "internal": ("internal500", {}),
    "unavailable": ("unavailable503", {}),
    "gateway timeout": ("unavailable503", {"status": 504, "retry_after": 3}),
    "error on 200": ("error_on_200", {}),
    "lost response": ("lost_response", {}),
    "reset": ("reset", {}),
    "expired token": ("expired_token", {}),
    "half a body": ("truncated_page", {"cut": "body"}),
    "half a page": ("truncated_page", {"cut": "items"}),
    "repeated page": ("repeated_page", {}),
    "reordered page": ("reordered_page", {}),
    "missing page": ("missing_page", {}),
    "delta gone": ("delta_gone", {}),
}
"""Every fault that a read can meet."""
TOKEN_FAULTS: Final = tuple(name for name, (kind, _) in FAULTS.items() if not kind.endswith(("_page", "_gone")))
"""Those that a request for a token can meet: it has no pages."""
QUIET: Final = frozenset({"half a page", "missing page"})
"""Faults that nothing in the answer shows. Against them stand Graph's counts, and for changes, which it does not
count, a second reading: they show there as long as they do not strike both readings alike."""


@dataclasses.dataclass(frozen=True)
class Strike:
    """One fault of a schedule."""

    endpoint: str
    fault: str
    after: int
    count: int

    def switch_on(self, sandbox: Sandbox) -> int:
        """Give the number of the fault."""
        kind, parameters = FAULTS[self.fault]
        return sandbox.faults.add(self.endpoint, kind, after=self.after, count=self.count, **parameters)


@dataclasses.dataclass(frozen=True)
class Run:
    """How a read under faults ended (whole, incomplete, ended), and how often each of them struck."""

    outcome: str
    struck: tuple[int, ...]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Sandbox(users=60, seed=9, graph_settings=small_pages()) as sandbox:
        rig = Rig(sandbox, tmp_path_factory.mktemp("campaign"))
        rig.cycle(CycleKind.INITIAL)
        yield rig


@pytest.mark.parametrize("kind", [CycleKind.INITIAL, CycleKind.INCREMENTAL])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_in_every_position(rig: Rig, kind: CycleKind, fault: str) -> None:
    chance = random.Random(f"{kind} {fault}")
    places = [(endpoint, after) for endpoint in ENDPOINTS[kind] for after in POSITIONS]
    for endpoint, after in places if LONG else chance.sample(places, 1):
        _run(rig, kind, [*_renewals(endpoint, after), Strike(endpoint, fault, after, 1)], chance)


@pytest.mark.parametrize("kind", [CycleKind.INITIAL, CycleKind.INCREMENTAL])
@pytest.mark.parametrize("fault", TOKEN_FAULTS if LONG else ["reset", "unavailable", "error on 200"])
def test_every_fault_while_the_token_is_renewed(rig: Rig, kind: CycleKind, fault: str) -> None:
    strike = Strike("graph:token", fault, 1, 1)
    run = _run(rig, kind, [*_renewals("graph:token", 1), strike], random.Random(f"renewal {kind} {fault}"))
    assert run.struck == (1, 1)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_random_schedules_of_faults(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)
    kind = CycleKind.INITIAL if seed % 4 == 0 else CycleKind.INCREMENTAL
    _run(rig, kind, _schedule(kind, chance), chance)


def test_a_campaign_without_faults_is_whole(rig: Rig) -> None:
    assert _run(rig, CycleKind.INCREMENTAL, [], random.Random(0)).outcome == "whole"


def _renewals(endpoint: str, after: int) -> list[Strike]:
    """Give what makes a read ask for so many more tokens, where the fault is to strike one of those."""
    # One request each: a token that is refused twice in a row ends the read.
    return [Strike(each, "expired token", 0, 1) for each in ALWAYS[1 : 1 + after]] if endpoint == ALWAYS[0] else []


def _schedule(kind: CycleKind, chance: random.Random) -> list[Strike]:
    """Draw up to five faults; of quiet ones an uncounted listing gets one at most, and once."""
    strikes = []
    quiet: set[str] = set()
    for _ in range(chance.randrange(1, 6)):
        endpoint, fault = chance.choice(ENDPOINTS[kind]), chance.choice(sorted(FAULTS))
        uncounted = fault in QUIET and endpoint.endswith("/delta")
        if uncounted and endpoint in quiet:
            continue
        if uncounted:
            quiet.add(endpoint)
        strikes.append(Strike(endpoint, fault, chance.randrange(4), 1 if uncounted else chance.randrange(1, 4)))
    return strikes


def _run(rig: Rig, kind: CycleKind, strikes: list[Strike], chance: random.Random) -> Run:
    """Change the directory, read it under the faults, judge the outcome, and give it."""
    sandbox = rig.sandbox
    for _ in range(chance.randrange(1, 5)):
        sandbox.run(lambda: edit(sandbox, chance))
    numbers = [strike.switch_on(sandbox) for strike in strikes]
    extraction: Extraction | None = None
    try:
        # A connector of its own, so that it signs in under the faults too.
        extraction = rig.read(kind, graph=MicrosoftGraph(rig.source, wait=lambda _: None))
    except UnreachableError:
        # With words, as the tests of single faults make sure; nothing is remembered, and nothing planned.
        extraction = None
    finally:
        struck = tuple(map(sandbox.faults.struck, numbers))
        sandbox.faults.clear()
    if extraction is None:
        return Run("ended", struck)
    rig.keep(extraction, kind)
    if not extraction.manifest.complete:
        assert extraction.manifest.missing, strikes
        return Run("incomplete", struck)
    # The frame's rows are among those compared, so nobody in it only seems to leave.
    assert (rig.state(), rig.rows) == rig.whole(), strikes
    return Run("whole", struck)

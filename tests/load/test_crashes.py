"""A process killed at any instant, any number of times: one account a person, one activity a change, nothing open.

The short form of the campaign (`tests/load/campaign`), on both databases. PROVISION_LONG=1 makes it longer; the command
`python -m tests.load.campaign` runs it as long as anyone likes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.campaign.__main__ import SECRETS
from tests.load.campaign.campaign import Campaign, Child, campaigning
from tests.load.campaign.child import DONE, HELD

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the child process forks")]

LONG = os.environ.get("PROVISION_LONG") == "1"
SEEDS = range(1, 7 if LONG else 2)
MONTHS, KILLS = (4, 10) if LONG else (2, 4)


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    child = Child(SECRETS)
    yield child
    child.close()


@pytest.fixture
def campaign(child: Child, request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path) -> Iterator[Campaign]:
    with campaigning(child, getattr(request, "param", 1), ledger_url, tmp_path) as started:
        yield started


@pytest.mark.parametrize("campaign", SEEDS, indirect=True)
def test_killed_at_any_instant_it_ends_as_if_nothing_had_happened(campaign: Campaign) -> None:
    for _ in range(MONTHS):
        campaign.month(KILLS)
    assert campaign.tally.killed > 0
    assert campaign.tally.writes > 0


def test_of_two_cycles_started_at_the_same_second_one_says_that_the_other_runs(campaign: Campaign) -> None:
    endings = campaign.two_at_once()
    assert (endings[1], HELD in endings) == (HELD, True)
    assert endings[0] == DONE
    campaign.check()
    campaign.converge()

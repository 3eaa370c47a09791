"""Prefect's pages as a person walks them: the verdict, who failed, and what to do are there to be read."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasks.report.cycle import Told
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle


@dataclasses.dataclass(frozen=True)
class Lived:
    """A cycle in which somebody failed, as the ledger has it."""

    run_id: str
    told: Told
    failed: str
    code: str


@pytest.fixture(scope="module")
def lived(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    sandbox = sandboxes(users=40, seed=11)
    job = sandbox.job_file(tmp_path_factory.mktemp("pages"), name="northwind")
    sandbox.faults({"match": "CreateUser", "fault": "refuse", "times": 2})
    told = run_cycle(job)
    with ledger_of(job) as ledger:
        failure = ledger.activities(job="northwind", status="failure").iloc[0]
        return Lived(
            ledger.cycles("northwind", 1)["flow_run_id"].iloc[0], told, failure["source_name"], failure["error_code"]
        )

"""Measure load: python -m tests.benchmarks.load [--people 10000] [--limit 1000]. Gives a line of JSON a round."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.ledger.ledger import Ledger
from tasks.load.apply import apply_plan
from tasks.model import CHANGE_COLUMNS, OPERATION_COLUMNS, CycleKind, Decision, Operation, Plan, Situation, conform
from tests.benchmarks.load.served import Served
from tests.load.rig import job_of, plan_of, target_of

LATENCY = 0.05
"""Seconds that the Replicon takes for every request."""
TEAM = 8
"""How many people each supervisor has."""


def creates(cycle_id: str, people: int) -> Plan:
    """Give a plan that creates so many accounts with what a mapping usually writes, below each other in teams."""
    number = pd.Series(np.arange(people), dtype="int64").astype("string")
    source = "person-" + number
    above = pd.Series((np.arange(people) - 1) // TEAM)
    supervisor = ("person-" + above.astype("string")).where(above.ge(0))
    leads = pd.Series(np.arange(people)).isin(above)
    login = source + "@acme.test"
    written = {
        "LoginName": login,
        "FirstName": pd.Series(["Jane"] * people),
        "LastName": "Doe " + number,
        "EmailAddress": login,
        "EmployeeId": "E" + number,
        "StartDate": pd.Series(["2026-04-01"] * people),
        "SsoName": login,
        "Location": pd.Series(["London"] * people),
        "PermissionSets": leads.map({True: '["User", "Supervisor"]', False: '["User"]'}),
        "Supervisor": "source:" + supervisor,
    }
    changes = pd.concat(
        [
            pd.DataFrame({"change_id": "change-" + number, "attribute": name, "before": None, "after": values})
            for name, values in written.items()
        ],
        ignore_index=True,
    )
    operations = pd.DataFrame(
        {
            "change_id": "change-" + number,
            "source_id": source,
            "source_name": login,
            "target_uri": None,
            "target_name": None,
            "situation": Situation.ABSENT,
            "operation": Operation.CREATE,
            "decision": Decision.GO,
            "error_code": None,
            "reason": None,
            "waits_for": supervisor,
            "risks": None,
            "account_digest": "digest",
        }
    )
    return dataclasses.replace(
        plan_of(cycle_id, unique="bench"),
        operations=conform(operations, OPERATION_COLUMNS, "benchmark"),
        changes=conform(changes[changes["after"].notna()].reset_index(drop=True), CHANGE_COLUMNS, "benchmark"),
    )


def measure(people: int, limit: int | None, ledger_url: str, folder: Path, workers: int | None) -> dict[str, Any]:
    """Create the accounts in a fresh Replicon; give the seconds, and what Replicon saw."""
    with Served(LATENCY, limit) as served, Ledger.open(ledger_url) as ledger:
        job = job_of(served.discovery_url, folder / "password", **({} if workers is None else {"workers": workers}))
        cycle_id = ledger.begin_cycle(job.name, CycleKind.INITIAL)
        plan = creates(cycle_id, people)
        began, worked = time.perf_counter(), time.process_time()
        outcomes = apply_plan(plan, target_of(job), ledger, job, second_look=None)
        took, worked = time.perf_counter() - began, time.process_time() - worked
        ledger.end_cycle(cycle_id, "completed")
    assert outcomes["status"].eq("success").sum() == people, outcomes["reason"].value_counts()
    return {"people": people, "limit": limit, "seconds": round(took, 1), "cpu_seconds": round(worked, 1), "served": served.seen}


def main() -> None:
    """Measure as often as asked, each round with a Replicon and people of its own, and print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--limit", type=int, help="requests that Replicon lets through in a rolling minute")
    parser.add_argument("--workers", type=int, help="`load.workers` of the job; its default when not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'ledger.db'}"
        print(json.dumps(measure(options.people, options.limit, url, folder, options.workers)), flush=True)


if __name__ == "__main__":
    main()

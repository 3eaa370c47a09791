"""Measure load: python -m tests.benchmarks.load [--people 10000] [--limit 1000]. It gives a line of JSON a round."""

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

from tasks.job import Job, Load
from tasks.ledger.ledger import Ledger
from tasks.load.apply import apply_plan
from tasks.model import CHANGE_COLUMNS, OPERATION_COLUMNS, CycleKind, Decision, Operation, Plan, Situation, conform
from tests.benchmarks.load.served import Served
from tests.load.rig import job_of, plan_of, target_of

LATENCY = 0.05
"""Seconds that the Replicon takes for every request."""
TEAM = 8
"""How many people each supervisor has."""


def creates(cycle_id: str, people: int, first: int) -> Plan:
    """Give a plan that creates so many accounts, numbered from `first`, in teams, with what mappings usually write."""
    number = pd.Series(np.arange(first, first + people), dtype="int64").astype("string")
    source = "person-" + number
    above = pd.Series((np.arange(people) - 1) // TEAM)
    supervisor = ("person-" + (above + first).astype("string")).where(above.ge(0))
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


def measure(served: Served, ledger: Ledger, job: Job, people: int, first: int) -> dict[str, Any]:
    """Create accounts, numbered from `first`; give the seconds, and what the Replicon saw of it."""
    cycle_id = ledger.begin_cycle(job.name, CycleKind.INITIAL)
    plan = creates(cycle_id, people, first)
    before = served.seen()
    began, worked = time.perf_counter(), time.process_time()
    outcomes = apply_plan(plan, target_of(job), ledger, job, second_look=None)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    ledger.end_cycle(cycle_id, "completed")
    assert outcomes["status"].eq("success").sum() == people, outcomes["reason"].value_counts()
    seen = {name: round(count - before[name], 1) for name, count in served.seen().items()}
    return {"seconds": round(took, 1), "cpu_seconds": round(worked, 1), **seen}


def main() -> None:
    """Create as many accounts twice, the second time with what was learned the first time, and print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--limit", type=int, help="requests that Replicon lets through in a rolling minute")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        Served(LATENCY, options.limit) as served,
        Ledger.open(f"sqlite:///{name}/ledger.db") as ledger,
    ):
        job = job_of(served.discovery_url, Path(name) / "password", workers=Load().workers)
        for number in range(options.rounds):
            result = measure(served, ledger, job, options.people, number * options.people)
            print(json.dumps({"round": number + 1, "limit": options.limit, **result}), flush=True)


if __name__ == "__main__":
    main()

"""Measure reporting beside loading: python -m tests.benchmarks.reporting [--operations 100000] [--loaded 2000].

Loading is measured on a cycle of `loaded` people against the sandbox and taken times the operations; reporting on a
cycle of all the operations, against a whole Prefect server. The result goes to the standard output.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from deployments.sandbox.sandbox import Sandbox
from flows.serving import prefect_server
from tasks.model import Plan
from tests.report.samples import CASES, outcomes_of, plan_of


def many(operations: int) -> tuple[Plan, pd.DataFrame]:
    """Give a plan of so many operations, a bit of everything, and its activities."""
    from tasks.report.activity import activities_of

    cases = tuple(
        dataclasses.replace(CASES[number % len(CASES)], name=f"{CASES[number % len(CASES)].name}{number}")
        for number in range(operations)
    )
    plan = plan_of(cases)
    return plan, activities_of(plan, outcomes_of(cases))


def loading_seconds(folder: Path, people: int) -> float:
    """Give how long loading takes for one operation: a first cycle of so many people, from its own activities."""
    from flows.provision import provision
    from flows.telling import told_by
    from tasks.job import load_job
    from tasks.ledger.ledger import Ledger
    from tasks.model import CycleChoice

    with Sandbox(users=people, seed=1) as sandbox:
        os.environ.update(sandbox.environment())
        job = sandbox.job_file(folder)
        told_by(provision(str(job), CycleChoice.AUTOMATIC, True, return_state=True))
        with Ledger.open(load_job(job).ledger.url) as ledger:
            written = ledger.activities(job="sandbox", operation="create")
    return (written["started_at"].max() - written["started_at"].min()).total_seconds() / len(written)


def reporting_seconds(plan: Plan, activities: pd.DataFrame) -> float:
    """Give how long the report of a cycle takes within a flow: verdict, events, artifacts, and the run's name."""
    from prefect import flow

    from flows.telling import name_run
    from tasks.report.task import report_task
    from tests.report.samples import told

    facts = told(activities.head(1)).facts
    taken: list[float] = []

    @flow(name="reporting")
    def reporting() -> None:
        began = time.perf_counter()
        verdict = report_task(activities, facts, plan)
        name_run(f"acme · {verdict.sentence}", ("job:acme",))
        taken.append(time.perf_counter() - began)

    reporting()
    return taken[0]


def measure(operations: int, loaded: int) -> dict[str, Any]:
    """Measure both in one run, and give reporting as a share of loading."""
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name:
        folder = Path(name)
        os.environ.update(PREFECT_HOME=name, PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
        with prefect_server(Console(quiet=True), folder):
            each = loading_seconds(folder, loaded)
            reporting = reporting_seconds(*many(operations))
    loading = each * operations
    return {
        "operations": operations,
        "loading_s": loading,
        "reporting_s": reporting,
        "percent": 100 * reporting / loading,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--loaded", type=int, default=2_000)
    arguments = parser.parse_args()
    for name, value in measure(arguments.operations, arguments.loaded).items():
        print(f"{name:>12} {value:,.2f}" if isinstance(value, float) else f"{name:>12} {value:,}")

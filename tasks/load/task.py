"""The load stage as a Prefect task: a thin face of `apply_plan`. Only flows import it."""

from __future__ import annotations

import threading

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Job
from tasks.ledger.ledger import Ledger
from tasks.load.apply import apply_plan
from tasks.load.prepare import SecondLook
from tasks.model import Plan, Progress, silent


# Without retries: load repeats by itself what may be repeated.
@task(name="load", cache_policy=NO_CACHE, retries=0)
def load_task(
    plan: Plan,
    target: RepliconUsers,
    ledger: Ledger,
    job: Job,
    *,
    second_look: SecondLook | None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> pd.DataFrame:
    """Carry out a plan and give its outcomes; see `apply_plan`."""
    outcomes = apply_plan(plan, target, ledger, job, second_look=second_look, progress=progress, stop=stop)
    counts = outcomes["status"].value_counts().to_dict()
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    get_run_logger().info("Plan %s carried out: %s", plan.plan_id, said or "nothing to do")
    return outcomes

"""The reconcile stage as a Prefect task: a thin face of `make_plan`. Only flows import it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.job import Job
from tasks.model import Accounts, CycleKind, History, Manifest, Plan, Progress, silent
from tasks.reconcile.plan import make_plan
from tasks.reconcile.target import Matching, TargetReader


@task(name="reconcile", cache_policy=NO_CACHE)
def reconcile_task(
    accounts: Accounts,
    matching: Sequence[Matching],
    links: pd.DataFrame,
    skips: pd.DataFrame,
    target: TargetReader,
    job: Job,
    *,
    cycle_id: str,
    kind: CycleKind,
    manifest: Manifest,
    now: dt.datetime,
    last_complete: Mapping[str, Any] | None = None,
    leaving: pd.DataFrame | None = None,
    history: History | None = None,
    progress: Progress = silent,
) -> Plan:
    """Give the plan of a cycle; see `make_plan`."""
    plan = make_plan(
        accounts,
        matching,
        links,
        skips,
        target,
        job,
        cycle_id=cycle_id,
        kind=kind,
        manifest=manifest,
        now=now,
        last_complete=last_complete,
        leaving=leaving,
        history=history,
        progress=progress,
    )
    logger = get_run_logger()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(plan.counts().items()))
    logger.info("Plan %s: %s", plan.plan_id, counts or "nothing to do")
    for reason in plan.verdict.reasons:
        logger.warning("Guards: %s", reason)
    return plan

"""Applying a plan: what is carried out and what only recorded, exactly once, and every outcome told.

The flow calls `apply_plan` (through `task.py`) while its cycle holds the job. Execution itself is in `execute.py`.
"""

from __future__ import annotations

import threading

import pandas as pd

from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Job
from tasks.ledger.ledger import Ledger
from tasks.load import outcome, policy
from tasks.load.execute import Execution, Setting
from tasks.load.pace import pace_of
from tasks.load.patience import Patience, Stop
from tasks.load.prepare import SecondLook
from tasks.load.schedule import Schedule
from tasks.load.settle import settle
from tasks.load.standing import Standing, record_rest, record_skipped, sort_out
from tasks.model import OUTCOME_COLUMNS, Plan, Progress, conform, silent


def apply_plan(
    plan: Plan,
    target: RepliconUsers,
    ledger: Ledger,
    job: Job,
    *,
    second_look: SecondLook | None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
    patience: Patience | None = None,
    part: bool = False,
) -> pd.DataFrame:
    """Carry out `plan` and give its outcomes (`OUTCOME_COLUMNS`), with those of earlier runs that were settled first.

    Every request is in the ledger before it leaves, with its unit-of-work id, and is repeated unchanged until its
    outcome is known; each change ends as one activity, together with its link. Applying a plan again does what is
    left of it. Removals need `second_look` to confirm them; without one they are held. When `stop` is set, what is
    under way is finished, nothing else is started, and the rest is told as not attempted. A refused sign-in ends the
    run in the same way and quarantines the job.

    A `part` of a plan leaves alone what is open of changes that are not in it: other processes are at those.

    `plan.cycle_id` must be the cycle that holds the job now, else `LostLockError` is raised before anything is sent;
    `UnreachableError` is raised when the ledger fails. Failures of single operations are outcomes.
    """
    halt = Stop(stop)
    patience = patience or Patience()
    mine = frozenset(plan.operations["change_id"]) if part else None
    settled = settle(target, ledger, job, plan.cycle_id, progress=progress, stop=halt, patience=patience, among=mine)
    standing = sort_out(plan, ledger, job.name)
    told = record_rest(standing, plan, ledger, job.name, target.schema)
    done = _execute(standing, plan, target, ledger, job, second_look, progress, halt, patience)
    frames = [settled[~settled["change_id"].isin(plan.operations["change_id"])], told, *done]
    return conform(pd.concat(frames, ignore_index=True), OUTCOME_COLUMNS, "outcomes")


def _execute(
    standing: Standing,
    plan: Plan,
    target: RepliconUsers,
    ledger: Ledger,
    job: Job,
    second_look: SecondLook | None,
    progress: Progress,
    stop: Stop,
    patience: Patience,
) -> list[pd.DataFrame]:
    """Carry out what is to be sent; give the outcomes of that, and of what its turn did not come for."""
    setting = Setting(
        target=target,
        ledger=ledger,
        job=job.name,
        cycle_id=plan.cycle_id,
        workers=job.load.workers,
        pace=pace_of(target, ledger, job, patience),
        second_look=second_look,
        patience=patience,
        progress=progress,
    )
    schedule = Schedule(standing.going, plan.changes, plan.mapping_digest, target.schema)
    execution = Execution(setting, schedule, standing.accounts, stop)
    try:
        execution.run()
    finally:
        # A cancellation passes through here as an exception; what its turn did not come for is told all the same.
        left = standing.going.iloc[schedule.rest()]
        reason, remedy = outcome.said_not_attempted(stop.reason)
        left = left.assign(error_code=policy.NOT_ATTEMPTED, reason=reason, remedy=remedy)
        skipped = record_skipped(left, plan, ledger, job.name, target.schema)
    return [outcome.frame_of(execution.endings), skipped]

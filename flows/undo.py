"""A plan that takes an earlier cycle back: shown, saved for approval, or carried out at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from pydantic import Field
from rich.console import Console

from flows.approval import approved_plan, keep_plan, say_what_next
from flows.by_hand import by_hand, carry_out, facts_of_plan
from flows.history import activities_of_cycle, cycle_of
from flows.parts import Parts, open_ledger, open_parts
from flows.progress import bars
from flows.stopping import stoppable
from flows.telling import final_state, telling, told_by
from tasks.job import load_job
from tasks.model import BOOL, STRING, BadInputError, ExitCode, Plan, Presence
from tasks.reconcile.undo import Undoing, undo_plan
from tasks.report.activity import without_values
from tasks.report.cycle import Told
from tasks.report.run_history import RunKind
from tasks.report.terminal import activity_report, plan_report
from tasks.report.verdict import StateName

NO_CYCLE = "plan only"
"""What stands for the cycle's id in a plan that belongs to none."""


@flow(name="undo")
def undo(
    job_file: str,
    cycle_id: Annotated[str, Field(pattern="^[0-9a-f]{0,32}$")] = "",
    delete_created: bool = False,
    plan_file: str = "",
) -> State[Told]:
    """Take back what an earlier cycle did, as far as nobody has changed it since.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        cycle_id: Id of the cycle, or its first characters; its summary and its report name it.
        delete_created: Delete the accounts that the cycle created instead of disabling them, where the job allows it.
        plan_file: Path of a saved undo plan. Exactly that plan is carried out; it is refused when it no longer fits.
    """
    if not cycle_id and not plan_file:
        raise BadInputError("Nothing was taken back: give the id of a cycle, or the path of a saved undo plan.")
    parts = open_parts(Path(job_file))
    with parts.ledger, telling(parts, RunKind.UNDO) as run:
        approved = approved_plan(parts, Path(plan_file)) if plan_file else None
        taken_back = cycle_id if approved is None else str(approved.saved.undoes)
        with by_hand(parts, str(flow_run.id or ""), though_off=True) as held:
            plan = planned(parts, taken_back, delete_created or (approved is not None and approved.deletes))
            plan = plan if approved is None else approved.carried_out(parts, plan)
            told = carry_out(parts, held, plan, meant)
            run.ended(told)
    return final_state(told)


def planned(parts: Parts, cycle_id: str, deletes: bool) -> Plan:
    """Plan the undo; nothing is written. Raises `BadInputError` when the job has no such cycle any more."""
    ledger, job = parts.ledger, parts.job
    found = cycle_of(ledger, job, cycle_id)
    cycle = str(found["cycle_id"])
    if pd.notna(found["pruned_at"]):
        raise BadInputError(
            f"Cycle {cycle} cannot be taken back: what it did was removed for its age on "
            f"{found['pruned_at']:%Y-%m-%d}. A longer `report.keep_days` keeps later cycles longer."
        )
    undoing = Undoing(
        cycle, ledger.activities(cycle_id=cycle), ledger.links(job.name), job, ledger.history(job.name), deletes
    )
    return undo_plan(undoing, parts.target, cycle_id=NO_CYCLE, now=ledger.now())


def show_undo(
    console: Console, job_file: Path, cycle_id: str, *, deletes: bool, apply: bool, save_to: Path | None = None
) -> int:
    """Print the plan that takes a cycle back, or carry it out and print the report; give the exit code."""
    if apply:
        job = load_job(job_file)
        with open_ledger(job) as ledger:
            # What the form in Prefect would refuse is told here in words.
            cycle_id = str(cycle_of(ledger, job, cycle_id)["cycle_id"])
        return run_undo(console, job_file, cycle_id, deletes=deletes)
    parts = open_parts(job_file)
    with parts.ledger:
        plan = planned(parts, cycle_id, deletes)
        if save_to is not None:
            keep_plan(parts, plan, save_to)
        report = plan_report(without_values(plan, parts.mapping.redacted), facts_of_plan(parts, plan))
    console.print(report)
    if save_to is not None:
        say_what_next(console, parts.job, save_to)
    if report.told.verdict.state is not StateName.COMPLETED:
        return ExitCode.HELD
    return ExitCode.PENDING if plan.writes.any() else ExitCode.DONE


def run_undo(
    console: Console, job_file: Path, cycle_id: str = "", *, deletes: bool = False, plan_file: Path | None = None
) -> int:
    """Carry out an undo behind progress bars, print its report and give the exit code."""
    with bars(console), stoppable(job_file):
        state = undo(str(job_file), cycle_id, deletes, str(plan_file or ""), return_state=True)
    told = told_by(state)
    job = open_parts(job_file).job
    console.print(activity_report(activities_of_cycle(job, told.facts.cycle_id), told))
    return told.verdict.exit_code


def meant(source_ids: Sequence[str]) -> pd.DataFrame:
    """Be the second look of an undo: whoever asked for it means the removals, whatever the source says."""
    count = len(source_ids)
    return pd.DataFrame(
        {
            "source_id": pd.array(list(source_ids), dtype=STRING),
            "presence": pd.array([Presence.HARD_DELETED.value] * count, dtype=STRING),
            "active": pd.array([False] * count, dtype=BOOL),
        }
    )

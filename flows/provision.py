"""One provisioning cycle: extract -> transform -> reconcile -> load -> report."""

from pathlib import Path
from typing import Final, cast

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.approval import ApprovedPlan, approved_plan
from flows.cluster import Stages, stages_of
from flows.cycle import (
    Cycle,
    PassedOverError,
    Read,
    allowed_once,
    as_read,
    holding,
    note_leaving,
    only_planned,
    second_look,
    to_remember,
    unseen,
    watermark_of,
)
from flows.files import keeping_files
from flows.history import facts_of
from flows.measured import Measured
from flows.parts import Parts, open_parts, taken_in
from flows.progress import current
from flows.progress_artifacts import progress_artifacts
from flows.quarantine import judge_quarantine
from flows.resume import Prepared, forget, is_retry, keep, taken_up
from flows.telling import final_state, telling
from tasks.extract.task import extract_assignments_task
from tasks.load.policy import NOT_ATTEMPTED
from tasks.model import CycleChoice, Plan, Progress
from tasks.reconcile.task import reconcile_task
from tasks.report.activity import without_values
from tasks.report.cycle import Told
from tasks.report.run_history import KIND_OF_CYCLE, RunKind
from tasks.report.task import report_task

SCHEDULED: Final = "auto-scheduled"
"""The tag that Prefect gives to runs which a schedule started."""


@flow(name="provision")
def provision(
    job_file: str,
    cycle: CycleChoice = CycleChoice.AUTOMATIC,
    apply_first_plan: bool = False,
    plan_file: str = "",
    scheduler: str = "",
) -> State[Told | None]:
    """Make Replicon agree with who is assigned in Microsoft Entra ID.

    A run that a schedule started has no result when it had no business: another cycle runs, or the job rests in
    quarantine or is switched off.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        cycle: Automatic reads changes only, or everything when it has to; initial reads everything.
        apply_first_plan: A job's very first cycle, and the first one after its mapping or its scope has changed, only
            plans, so that a person sees the plan before anything is written. Switch this on to carry it out at once.
        plan_file: Path of a saved plan. Exactly that plan is carried out, with what was decided about it; it is
            refused when it no longer fits.
        scheduler: Address of a Dask scheduler (tcp://HOST:PORT) whose workers share the work of this run, in place of
            the one in the job file.
    """
    parts = open_parts(Path(job_file))
    try:
        told = _carried_out(parts, cycle, apply_first_plan, plan_file, scheduler)
    except PassedOverError as passed:
        return Completed(message=str(passed))
    return cast("State[Told | None]", final_state(told))


def _carried_out(parts: Parts, cycle: CycleChoice, apply_first_plan: bool, plan_file: str, scheduler: str) -> Told:
    """Carry a cycle out, from reading to reporting; a retry goes on from the plan of its first attempt.

    Raises `PassedOverError` when a schedule asks in vain.
    """
    job, mapping = parts.job, parts.mapping
    # Whoever clicks Retry wants it to run, also while the job rests.
    scheduled = SCHEDULED in (flow_run.tags or []) and not is_retry()
    approved = approved_plan(parts, Path(plan_file)) if plan_file else None
    expected = RunKind.INITIAL if cycle is CycleChoice.INITIAL else RunKind.INCREMENTAL
    planned = RunKind.PLAN if approved is not None else None
    with (
        # The files come last, when the cycle has ended and nothing can fail it any more.
        keeping_files(job, get_run_logger()),
        parts.ledger,
        telling(parts, planned or expected) as run,
        holding(parts, cycle, str(flow_run.id or ""), scheduled=scheduled) as held,
        stages_of(parts, held.cycle_id, scheduler) as stages,
        progress_artifacts(job.name, current()) as progress,
    ):
        parts = allowed_once(parts)
        memory, measured = held.memory, Measured()
        run.is_of(planned or KIND_OF_CYCLE[memory.kind])
        prepared = taken_up(parts, held)
        if prepared is None:
            prepared = _prepared(parts, held, approved, stages, measured, progress, apply_first_plan=apply_first_plan)
            keep(parts, prepared)
        held, extraction, plan = prepared.cycle, prepared.extraction, prepared.plan
        outcomes = stages.load(plan, parts.target, parts.ledger, job, second_look=second_look(parts), progress=progress)
        measured.done("load")
        judge_quarantine(parts, plan, held.cycle_id, outcomes)
        stopped = bool(outcomes["error_code"].eq(NOT_ATTEMPTED).any())
        carried_out = prepared.first_look is None and not stopped
        moved = carried_out and plan.manifest.complete
        facts = facts_of(parts, held, plan, stopped=stopped, moved=moved)
        shown = without_values(plan, mapping.redacted)
        told = Told(facts, report_task(parts.ledger.activities(cycle_id=held.cycle_id), facts, shown))
        measured.done("report")
        read = Read(watermark_of(held, extraction), to_remember(held, extraction, plan, outcomes))
        _end(parts, held, plan, told, read if carried_out else None, measured)
        if not stopped:
            forget(job.name)
        run.ended(told, planned or KIND_OF_CYCLE[held.memory.kind])
    return told


def _prepared(
    parts: Parts,
    held: Cycle,
    approved: ApprovedPlan | None,
    stages: Stages,
    measured: Measured,
    progress: Progress,
    *,
    apply_first_plan: bool,
) -> Prepared:
    """Extract, transform and reconcile; give the plan as it is to be carried out."""
    job, mapping, memory = parts.job, parts.mapping, held.memory
    extraction = extract_assignments_task(
        job, mapping.source_attributes, known=memory.known, progress=progress, since=memory.since
    )
    measured.done("extract")
    held = as_read(parts, held, extraction)
    accounts = stages.transform(
        extraction.assignments,
        mapping,
        memory.now,
        extraction.default_domain,
        taken=taken_in(parts.target),
        linked=memory.known,
        progress=progress,
    )
    measured.done("transform")
    plan = reconcile_task(
        accounts,
        mapping.matching,
        memory.links,
        memory.skips,
        parts.target,
        parts.job,
        cycle_id=held.cycle_id,
        kind=held.memory.kind,
        manifest=extraction.manifest,
        now=memory.now,
        last_complete=memory.last_complete,
        leaving=note_leaving(parts, held, accounts),
        history=memory.history,
        progress=progress,
    )
    measured.done("reconcile")
    first_look = None if approved is not None or apply_first_plan else unseen(memory, plan)
    if approved is not None:
        plan = approved.carried_out(parts, plan)
    elif first_look is not None:
        plan = only_planned(plan, first_look)
    return Prepared(held, extraction, plan, first_look)


def _end(parts: Parts, held: Cycle, plan: Plan, told: Told, read: Read | None, measured: Measured) -> None:
    """Record how the cycle ended; the job's watermark moves only to where a whole read got that was acted on."""
    got = read if read is not None and plan.manifest.complete else None
    parts.ledger.end_cycle(
        held.cycle_id,
        told.verdict.state,
        watermark=got.watermark if got else None,
        mapping_digest=plan.mapping_digest if got else None,
        manifest=plan.manifest,
        counts=told.verdict.recorded,
        message=told.verdict.sentence,
        remember=got.news if got else None,
        measured=measured.as_dict(),
        settings=held.memory.settings if got else None,
    )

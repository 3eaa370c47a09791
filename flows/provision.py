"""One provisioning cycle: extract -> transform -> reconcile -> load -> report."""

from pathlib import Path

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.approval import approved_plan
from flows.cluster import stages_of
from flows.cycle import (
    Cycle,
    Read,
    allowed_once,
    as_read,
    holding,
    judge_quarantine,
    note_leaving,
    only_planned,
    second_look,
    to_remember,
    unseen,
    watermark_of,
)
from flows.history import facts_of
from flows.parts import Parts, open_parts, taken_in
from flows.progress import current
from flows.progress_artifacts import progress_artifacts
from tasks.extract.task import extract_assignments_task
from tasks.load.policy import NOT_ATTEMPTED
from tasks.model import CycleChoice, Plan
from tasks.reconcile.task import reconcile_task
from tasks.report.activity import without_values
from tasks.report.cycle import Told
from tasks.report.task import report_task


@flow(name="provision")
def provision(
    job_file: str,
    cycle: CycleChoice = CycleChoice.AUTOMATIC,
    apply_first_plan: bool = False,
    plan_file: str = "",
    scheduler: str = "",
) -> State[Told]:
    """Make Replicon agree with who is assigned in Microsoft Entra ID.

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
    job, mapping = parts.job, parts.mapping
    approved = approved_plan(parts, Path(plan_file)) if plan_file else None
    _rename(f"{job.name} · running")
    with (
        parts.ledger,
        holding(parts, cycle, str(flow_run.id or "")) as held,
        stages_of(parts, held.cycle_id, scheduler) as stages,
        progress_artifacts(job.name, current()) as progress,
    ):
        parts = allowed_once(parts)
        memory = held.memory
        extraction = extract_assignments_task(
            job, mapping.source_attributes, known=memory.known, progress=progress, since=memory.since
        )
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
        first_look = None if approved is not None or apply_first_plan else unseen(memory, plan)
        if approved is not None:
            plan = approved.carried_out(parts, plan)
        elif first_look is not None:
            plan = only_planned(plan, first_look)
        judge_quarantine(parts, plan)
        outcomes = stages.load(plan, parts.target, parts.ledger, job, second_look=second_look(parts), progress=progress)
        facts = facts_of(parts, held, plan)
        shown = without_values(plan, mapping.redacted)
        told = Told(facts, report_task(parts.ledger.activities(cycle_id=held.cycle_id), facts, shown))
        carried_out = first_look is None and not outcomes["error_code"].eq(NOT_ATTEMPTED).any()
        read = Read(watermark_of(held, extraction), to_remember(held, extraction, plan, outcomes))
        _end(parts, held, plan, told, read if carried_out else None)
    _rename(f"{facts.title} · {told.verdict.sentence}")
    return Completed(message=told.verdict.sentence, data=told)


def _end(parts: Parts, held: Cycle, plan: Plan, told: Told, read: Read | None) -> None:
    """Record how the cycle ended; the job's watermark moves only to where a whole read got that was acted on."""
    got = read if read is not None and plan.manifest.complete else None
    parts.ledger.end_cycle(
        held.cycle_id,
        told.verdict.state,
        watermark=got.watermark if got else None,
        mapping_digest=plan.mapping_digest if got else None,
        manifest=plan.manifest,
        counts={group.value: count for group, count in told.verdict.counts.items()},
        message=told.verdict.sentence,
        remember=got.news if got else None,
        settings=held.memory.settings if got else None,
    )


def _rename(name: str) -> None:
    """Name the run in the list of runs, which shows names and never messages."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=name)

"""The first three stages of a cycle without Prefect and without a write: what would be done, to whom and why."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from flows.cycle import remember
from flows.history import referred_names, source_name, target_name
from flows.parts import Parts, open_parts, taken_in
from flows.progress import bars, current
from tasks.extract.assignments import extract_assignments
from tasks.model import CycleChoice, CycleKind, Decision, ExitCode, Operation, Plan, Progress, silent
from tasks.reconcile.plan import make_plan
from tasks.report.activity import without_values
from tasks.report.cycle import CycleFacts
from tasks.report.terminal import plan_report
from tasks.report.verdict import StateName
from tasks.transform.accounts import to_accounts

NO_CYCLE = "plan only"
"""What stands for the cycle's id in a plan that belongs to none."""


def plan_cycle(parts: Parts, choice: CycleChoice = CycleChoice.AUTOMATIC, progress: Progress = silent) -> Plan:
    """Plan the job's next cycle from both ends as they are now; nothing is written anywhere.

    Raises what the ends raise, and `HeldError` when an incremental cycle has no watermark.
    """
    memory = remember(parts, choice)
    extraction = extract_assignments(
        parts.directory, parts.mapping.source_attributes, parts.job.scope, memory.known, progress, memory.since
    )
    accounts = to_accounts(
        extraction.assignments,
        parts.mapping,
        now=memory.now,
        default_domain=extraction.default_domain,
        taken=taken_in(parts.target),
        linked=memory.known,
        progress=progress,
    )
    return make_plan(
        accounts,
        parts.mapping.matching,
        memory.links,
        memory.skips,
        parts.target,
        parts.job,
        cycle_id=NO_CYCLE,
        kind=CycleKind.INITIAL if extraction.whole else memory.kind,
        manifest=extraction.manifest,
        now=memory.now,
        last_complete=memory.last_complete,
        progress=progress,
    )


def show_plan(console: Console, job_file: Path, choice: CycleChoice = CycleChoice.AUTOMATIC) -> int:
    """Print the plan of the job at `job_file` and give the exit code: 0 nothing to do, 1 pending, 4 something held."""
    parts = open_parts(job_file)
    with parts.ledger, bars(console):
        plan = plan_cycle(parts, choice, current())
        linked = len(parts.ledger.links(parts.job.name))
        names = referred_names(parts.ledger, parts.job.name, plan.changes["after"])
        ended_at = parts.ledger.now()
    facts = CycleFacts(
        job=parts.job.name,
        cycle_id=NO_CYCLE,
        kind=plan.kind,
        source=source_name(parts.job),
        target=target_name(parts.job),
        started_at=plan.created_at,
        ended_at=ended_at,
        linked=linked,
        manifest=plan.manifest,
        notes=plan.verdict.reasons,
        names=names,
    )
    report = plan_report(without_values(plan, parts.mapping.redacted), facts)
    console.print(report)
    if report.told.verdict.state is not StateName.COMPLETED:
        return ExitCode.HELD
    pending = plan.operations["decision"].eq(Decision.GO) & plan.operations["operation"].ne(Operation.NONE)
    return ExitCode.PENDING if pending.any() else ExitCode.DONE

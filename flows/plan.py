"""The first three stages of a cycle without Prefect and without a write: what would be done, to whom and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.console import Console

from flows.approval import keep_plan, say_what_next
from flows.by_hand import facts_of_plan
from flows.cycle import Memory, remember
from flows.parts import Parts, open_parts, taken_in
from flows.progress import bars, current
from tasks.extract.assignments import extract_assignments
from tasks.model import Accounts, CycleChoice, CycleKind, ExitCode, Manifest, Plan, Progress, silent
from tasks.reconcile.grace import still_leaving
from tasks.reconcile.plan import make_plan
from tasks.report.activity import without_values
from tasks.report.terminal import plan_report
from tasks.report.verdict import StateName
from tasks.transform.accounts import to_accounts

NO_CYCLE = "plan only"
"""What stands for the cycle's id in a plan that belongs to none."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """A plan, and what it was made from."""

    memory: Memory
    accounts: Accounts
    plan: Plan


def plan_cycle(parts: Parts, choice: CycleChoice = CycleChoice.AUTOMATIC, progress: Progress = silent) -> Plan:
    """Plan the job's next cycle from both ends as they are now; nothing is written anywhere.

    Raises what the ends raise, and `HeldError` when an incremental cycle has no watermark.
    """
    return planned_cycle(parts, choice, progress).plan


def planned_cycle(parts: Parts, choice: CycleChoice, progress: Progress = silent) -> Planned:
    """Plan as `plan_cycle` does, and give what the plan was made from too."""
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
    kind = CycleKind.INITIAL if extraction.whole else memory.kind
    return Planned(memory, accounts, made(parts, memory, accounts, kind, extraction.manifest, progress))


def made(
    parts: Parts, memory: Memory, accounts: Accounts, kind: CycleKind, manifest: Manifest, progress: Progress = silent
) -> Plan:
    """Make the plan of `accounts` from what `memory` says of earlier cycles; it belongs to no cycle."""
    return make_plan(
        accounts,
        parts.mapping.matching,
        memory.links,
        memory.skips,
        parts.target,
        parts.job,
        cycle_id=NO_CYCLE,
        kind=kind,
        manifest=manifest,
        now=memory.now,
        last_complete=memory.last_complete,
        leaving=still_leaving(accounts, memory.links, memory.leaving, memory.now),
        history=memory.history,
        progress=progress,
    )


def show_plan(
    console: Console, job_file: Path, choice: CycleChoice = CycleChoice.AUTOMATIC, save_to: Path | None = None
) -> int:
    """Print the plan of the job at `job_file` and give the exit code: 0 nothing to do, 1 pending, 4 something held.

    With `save_to` the plan is saved there, to be approved and carried out as it is.
    """
    parts = open_parts(job_file)
    with parts.ledger, bars(console):
        plan = plan_cycle(parts, choice, current())
        if save_to is not None:
            keep_plan(parts, plan, save_to)
        facts = facts_of_plan(parts, plan)
    report = plan_report(without_values(plan, parts.mapping.redacted), facts)
    console.print(report)
    if save_to is not None:
        say_what_next(console, parts.job, save_to)
    if report.told.verdict.state is not StateName.COMPLETED:
        return ExitCode.HELD
    return ExitCode.PENDING if plan.writes.any() else ExitCode.DONE

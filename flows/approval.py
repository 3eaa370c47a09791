"""Saved plans: kept in a file and known to the ledger, decided about by a person, and carried out as they are."""

from __future__ import annotations

import dataclasses
import getpass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from flows.parts import Parts, open_ledger
from tasks.job import Job, load_job
from tasks.ledger.ledger import Ledger
from tasks.ledger.plans import SavedPlan
from tasks.model import Approval, BadInputError, CycleChoice, CycleKind, Operation, Plan
from tasks.reconcile.approval import decided, exactly, with_values
from tasks.reconcile.plan_file import load_plan, plan_digest, save_plan
from tasks.report.activity import without_values


@dataclasses.dataclass(frozen=True)
class ApprovedPlan:
    """A saved plan as it stands in its file, and with what was decided about it."""

    saved: Plan
    approved: Plan

    def carried_out(self, parts: Parts, fresh: Plan) -> Plan:
        """Give what is carried out in the cycle of `fresh`; raises `BadInputError` when the plan no longer fits."""
        finished = parts.ledger.finished(self.saved.operations["change_id"].tolist())
        shown = without_values(fresh, parts.mapping.redacted)
        return with_values(exactly(self.saved, self.approved, shown, finished), fresh)

    @property
    def deletes(self) -> bool:
        """Tell whether the plan deletes accounts."""
        return bool(self.saved.operations["operation"].eq(Operation.DELETE).any())

    @property
    def choice(self) -> CycleChoice:
        """Say what the cycle has to read so that it finds what the plan was made from."""
        return CycleChoice.INITIAL if self.saved.kind is CycleKind.INITIAL else CycleChoice.AUTOMATIC


def keep_plan(parts: Parts, plan: Plan, path: Path) -> str:
    """Save a plan without the values that the mapping hides, and record its digest in the ledger; give the digest."""
    digest = save_plan(without_values(plan, parts.mapping.redacted), path)
    parts.ledger.keep_plan(parts.job.name, plan.plan_id, digest)
    return digest


def approved_plan(parts: Parts, path: Path) -> ApprovedPlan:
    """Read a saved plan with what was decided about it.

    Raises `BadInputError` when the file was changed, is another job's, was not saved with this ledger, or was rejected.
    """
    plan, record = _read(parts.ledger, parts.job, path)
    approved = decided(plan, record.choice, record.decided_by or "", record.why or "")
    return ApprovedPlan(plan, approved)


def say_what_next(console: Console, job: Job, path: Path) -> None:
    """Name the commands that decide about a saved plan and carry it out."""
    console.print(Text(f"Saved to {path}. To carry out exactly this plan:"))
    for command, what in (
        (f"provision apply {job.file} {path}", "what is neither held nor staged"),
        (f"provision approve {job.file} {path} --why REASON", "first, so that what is staged is carried out too"),
    ):
        console.print(Text.assemble("  ", (command, "bold cyan"), f"  {what}"), soft_wrap=True)


def approve_plan(console: Console, job_file: Path, path: Path, choice: Approval, why: str, by: str = "") -> None:
    """Record what somebody decided about the plan at `path`; raises `BadInputError` as `approved_plan` does."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        plan, _ = _read(ledger, job, path)
        who = by or getpass.getuser()
        ledger.decide(plan.plan_id, choice, who, why)
    counted = ", ".join(f"{count:,} {name}" for name, count in sorted(plan.counts().items()))
    console.print(Text(f"Plan {plan.plan_id} ({counted}): {choice.value.replace('_', ' ')}, decided by {who}: {why}"))
    if choice is not Approval.REJECTED:
        console.print(Text(f"To carry it out: provision apply {job_file} {path}"), soft_wrap=True)


def _read(ledger: Ledger, job: Job, path: Path) -> tuple[Plan, SavedPlan]:
    plan = load_plan(path, job.name)
    record = ledger.saved_plan(plan.plan_id)
    if record is None or record.digest != plan_digest(plan):
        known = "knows no such plan" if record is None else "knows it with other content"
        raise BadInputError(
            f"{path}: the ledger of the job {job.name} {known}, so it is not carried out; nothing was changed. Make "
            "the plan again with `provision plan --save`, and use the job file and folder that it was made with."
        )
    return plan, record

"""What a person starts between cycles: the job is held, something is done, and its history shows it like a cycle."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from flows.history import referred_names, report_command, source_name, target_name
from flows.parts import Parts
from flows.progress import current
from flows.stopping import end_broken_off
from tasks.ledger.locks import LostLockError
from tasks.load.apply import apply_plan
from tasks.load.prepare import SecondLook
from tasks.load.settle import settle
from tasks.model import CycleKind, Plan
from tasks.report.activity import without_values
from tasks.report.cycle import CycleFacts, Told, duration


@contextlib.contextmanager
def by_hand(parts: Parts, flow_run_id: str = "", *, though_off: bool = False) -> Iterator[str]:
    """Hold the job and give the id under which its history shows what is done; raises `HeldError` when it is held.

    What a person asks for in so many words goes on `though_off`: mending a job that is switched off is why it is off.
    Whoever enters ends it with `Ledger.end_cycle` as the last thing; what breaks off is recorded as failed.
    """
    ledger, job = parts.ledger, parts.job.name
    cycle_id = ledger.begin_cycle(job, CycleKind.ON_DEMAND, flow_run_id, though_off=though_off)
    try:
        settle(parts.target, ledger, parts.job, cycle_id)
        yield cycle_id
    except BaseException as error:
        with contextlib.suppress(LostLockError):
            end_broken_off(ledger, cycle_id, error)
        raise


def carry_out(parts: Parts, cycle_id: str, plan: Plan, second_look: SecondLook) -> Told:
    """Carry out a plan under a cycle's id, report it, and end it, all within a flow.

    The watermark and what a complete read gave stay as they are.
    """
    # Prefect takes seconds to import, and whoever only plans needs none of it.
    from tasks.report.task import report_task

    ledger, job = parts.ledger, parts.job
    plan = dataclasses.replace(plan, cycle_id=cycle_id)
    apply_plan(plan, parts.target, ledger, job, second_look=second_look, progress=current())
    facts = dataclasses.replace(facts_of_plan(parts, plan), see=report_command(job, cycle_id))
    verdict = report_task(ledger.activities(cycle_id=cycle_id), facts, without_values(plan, parts.mapping.redacted))
    ledger.end_cycle(cycle_id, verdict.state, counts=verdict.recorded, message=verdict.sentence)
    return Told(facts, verdict)


def facts_of_plan(parts: Parts, plan: Plan) -> CycleFacts:
    """Give what a plan's report begins with."""
    forecast = plan.forecast
    rate = [] if forecast is None else [f"It takes about {duration(forecast)} at the rate of the latest cycle"]
    return CycleFacts(
        job=parts.job.name,
        cycle_id=plan.cycle_id,
        kind=plan.kind,
        source=source_name(parts.job),
        target=target_name(parts.job),
        started_at=plan.created_at,
        ended_at=parts.ledger.now(),
        linked=parts.ledger.link_count(parts.job.name),
        manifest=plan.manifest,
        notes=(*plan.verdict.reasons, *rate),
        names=referred_names(parts.ledger, parts.job.name, plan.changes["after"]),
    )

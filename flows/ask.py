"""A plan that waits for a person in Prefect's pages: the run pauses with a form and goes on from there as decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, cast

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from flows.approval import keep_plan
from flows.parts import open_parts
from flows.plan import plan_cycle
from flows.progress import current
from flows.provision import provision
from flows.telling import name_run, told_by
from tasks.model import Approval, CycleChoice, CycleKind, Decision
from tasks.report.activity import without_values
from tasks.report.artifacts import plan_markdown
from tasks.report.cycle import Told
from tasks.report.run_history import RunKind, run_name, run_tags

PLANS: Final = Path(".provision/plans")
"""Where the plans go that wait in Prefect."""


class PlanDecision(RunInput):
    """The form: what becomes of the plan, who decides, and why."""

    choice: Approval = Field(
        default=Approval.WITHOUT_REMOVALS, description="Everything, all but disables and deletes, or nothing."
    )
    by: str = Field(min_length=1, description="Who decides.")
    why: str = Field(min_length=1, description="Why; recorded with the decision.")


@flow(name="plan-for-approval")
def plan_for_approval(
    job_file: str,
    cycle: CycleChoice = CycleChoice.AUTOMATIC,
    wait_hours: Annotated[float, Field(gt=0, le=720)] = 72,
) -> State[Told | None]:
    """Plan a cycle, wait until somebody has decided about the plan, and carry out exactly that plan.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        cycle: What the plan is made from.
        wait_hours: How long the run waits for a decision before it fails; 720 (30 days) at most.
    """
    parts = open_parts(Path(job_file))
    with parts.ledger:
        plan = plan_cycle(parts, cycle, current())
        waiting = plan.writes | plan.operations["decision"].eq(Decision.STAGED).fillna(value=False).astype(bool)
        if not waiting.any():
            return Completed(message="Nothing to do: everybody is as they should be", data=None)
        file = PLANS.resolve() / f"{parts.job.name}-{plan.plan_id}.parquet"
        keep_plan(parts, plan, file)
    create_markdown_artifact(
        plan_markdown(without_values(plan, parts.mapping.redacted), f"provision plan {job_file}"),
        key=f"provisioning-plan-{parts.job.name}",
        description=f"Plan {plan.plan_id}, waiting for a decision",
    )
    name_run(
        run_name(parts.job.name, RunKind.PLAN, plan.created_at, "waits for a decision"),
        run_tags(parts.job.name, RunKind.PLAN),
    )
    # Typed for what the decorator of a form gives at run time.
    decision: PlanDecision = pause_flow_run(wait_for_input=PlanDecision, timeout=round(wait_hours * 3600))
    with open_parts(Path(job_file)).ledger as ledger:
        ledger.decide(plan.plan_id, decision.choice, decision.by, decision.why)
    if decision.choice is Approval.REJECTED:
        rejected = f"Rejected by {decision.by}: {decision.why}"
        name_run(
            run_name(parts.job.name, RunKind.PLAN, plan.created_at, rejected), run_tags(parts.job.name, RunKind.PLAN)
        )
        return Completed(message=rejected, data=None)
    choice = CycleChoice.INITIAL if plan.kind is CycleKind.INITIAL else CycleChoice.AUTOMATIC
    # The flow gives its final state, which becomes that of this run.
    state = provision(job_file, choice, False, str(file), return_state=True)
    verdict = told_by(state).verdict
    name_run(
        run_name(parts.job.name, RunKind.PLAN, plan.created_at, verdict.sentence),
        run_tags(parts.job.name, RunKind.PLAN, verdict.state),
    )
    return cast("State[Told | None]", state)

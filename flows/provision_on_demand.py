"""A few people provisioned on demand: five steps explained for each, and written only if asked."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field
from rich.console import Console

from flows.by_hand import by_hand, carry_out
from flows.cycle import second_look
from flows.explain import explained
from flows.explain_shown import Explanation, why_markdown
from flows.history import activities_of_cycle
from flows.on_demand import MOST, named
from flows.parts import Parts, open_parts
from flows.telling import final_state, name_run, telling, told_by
from tasks.job import load_job
from tasks.model import Plan
from tasks.report.cycle import Told
from tasks.report.run_history import RunKind, run_name, run_tags
from tasks.report.terminal import activity_report


@flow(name="provision-on-demand")
def provision_on_demand(
    job_file: str,
    people: Annotated[list[str], Field(min_length=1, max_length=MOST)],
    write: bool = False,
) -> State[Told | str]:
    """Show for up to five people what is read, whether they are in scope, what they map to, whom they match, and what
    would be done; and do it, if asked.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
        people: Object ids, sign-in names, mail addresses or login names; one to five.
        write: Carry it out. Off, nothing is written to Replicon.
    """
    asked = named(people)
    parts = open_parts(Path(job_file))
    if not write:
        said = _shown(parts, asked)
        return Completed(message=f"Nothing was written. {said}", data=said)
    with (
        parts.ledger,
        telling(parts, RunKind.ON_DEMAND) as run,
        by_hand(parts, str(flow_run.id or "")) as held,
    ):
        found = [explained(parts, name) for name in asked]
        _keep(parts, found)
        told = carry_out(parts, held, together([one.plan for one in found]), second_look(parts))
        run.ended(told)
    return cast("State[Told | str]", final_state(told))


def write_on_demand(console: Console, job_file: Path, people: Sequence[str]) -> int:
    """Provision `people`, print the report of what was done and give the exit code."""
    state = provision_on_demand(str(job_file), named(people), True, return_state=True)
    told = told_by(state)
    console.print(activity_report(activities_of_cycle(load_job(job_file), told.facts.cycle_id), told))
    return told.verdict.exit_code


def together(plans: Sequence[Plan]) -> Plan:
    """Put the plans of single people into one, each person once; it goes on only if all of them do."""
    operations = pd.concat([plan.operations for plan in plans], ignore_index=True)
    operations = operations.drop_duplicates("source_id", ignore_index=True)
    changes = pd.concat([plan.changes for plan in plans], ignore_index=True)
    verdicts = [plan.verdict for plan in plans]
    verdict = dataclasses.replace(
        verdicts[0],
        go=all(one.go for one in verdicts),
        reasons=tuple(dict.fromkeys(reason for one in verdicts for reason in one.reasons)),
        quarantine=None,
        stopped=any(one.stopped for one in verdicts),
    )
    return dataclasses.replace(
        plans[0],
        operations=operations,
        changes=changes[changes["change_id"].isin(operations["change_id"])].reset_index(drop=True),
        verdict=verdict,
    )


def _shown(parts: Parts, people: Sequence[str]) -> str:
    """Explain `people` without a write, and name the run by what would be done."""
    with parts.ledger:
        found = [explained(parts, name) for name in people]
        now = parts.ledger.now()
    _keep(parts, found)
    said = "; ".join(f"{one.name}: {one.in_short}" for one in found)
    name_run(run_name(parts.job.name, RunKind.ON_DEMAND, now, said), run_tags(parts.job.name, RunKind.ON_DEMAND))
    return said


def _keep(parts: Parts, found: Sequence[Explanation]) -> None:
    """Leave the explanations as one artifact of the run."""
    names = ", ".join(one.name for one in found)
    create_markdown_artifact(
        "\n\n".join(why_markdown(one) for one in found),
        key=f"provisioning-on-demand-{parts.job.name}",
        description=f"On demand: {names}",
    )

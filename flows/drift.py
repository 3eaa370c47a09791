"""The full compare with Replicon: what was changed there outside provisioning, dead links, and accounts of nobody."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.by_hand import by_hand, carry_out, facts_of_plan
from flows.cycle import second_look
from flows.history import activities_of_cycle, referred_names
from flows.parts import Parts, open_parts
from flows.plan import plan_cycle
from flows.progress import bars, current
from flows.telling import final_state, telling, told_by
from tasks.model import TARGET_COLUMNS, CycleChoice, Decision, ExitCode, Plan, Progress, Situation, silent
from tasks.report.activity import without_values
from tasks.report.artifacts import drift_markdown
from tasks.report.cycle import Told
from tasks.report.run_history import RunKind
from tasks.report.terminal import activity_report, plan_report

_SHOWN: Final = 20


@dataclasses.dataclass(frozen=True)
class Compared:
    """What a full compare found: a plan of the drifted accounts and the dead links, and the accounts of nobody.

    `orphans` has `TARGET_COLUMNS`; nothing is ever done to them.
    """

    plan: Plan
    orphans: pd.DataFrame


@flow(name="drift")
def drift(job_file: str) -> State[Told]:
    """Compare every linked account with the mapping, and revert or adopt what was changed in Replicon, as the job says.

    Args:
        job_file: Path of the job file (YAML), as the worker sees it.
    """
    parts = open_parts(Path(job_file))
    with (
        parts.ledger,
        telling(parts, RunKind.DRIFT) as run,
        by_hand(parts, str(flow_run.id or "")) as held,
    ):
        found = compare(parts, current())
        told = carry_out(parts, held, found.plan, second_look(parts))
        names = referred_names(parts.ledger, parts.job.name, found.plan.changes["after"])
        run.ended(told)
    create_markdown_artifact(
        drift_markdown(without_values(found.plan, parts.mapping.redacted), found.orphans, told, names),
        key=f"provisioning-drift-{parts.job.name}",
        description=f"Drift: {told.verdict.sentence}",
    )
    return final_state(told)


def compare(parts: Parts, progress: Progress = silent) -> Compared:
    """Read both ends whole and compare them; nothing is written."""
    whole = plan_cycle(parts, CycleChoice.INITIAL, progress)
    accounts = parts.target.read_all(progress)
    known = pd.concat([parts.ledger.links(parts.job.name)["target_uri"], whole.operations["target_uri"]])
    nobodys = ~accounts["target_uri"].isin([*known.dropna(), parts.target.identity().uri])
    return Compared(_drifted(whole), accounts.loc[nobodys, list(TARGET_COLUMNS)].sort_values("target_name"))


def show_drift(console: Console, job_file: Path, *, apply: bool) -> int:
    """Print what was changed outside provisioning, and with `apply` act on it; give the exit code."""
    if apply:
        with bars(console):
            state = drift(str(job_file), return_state=True)
        told = told_by(state)
        console.print(activity_report(activities_of_cycle(open_parts(job_file).job, told.facts.cycle_id), told))
        return told.verdict.exit_code
    parts = open_parts(job_file)
    with parts.ledger, bars(console):
        found = compare(parts, current())
        report = plan_report(without_values(found.plan, parts.mapping.redacted), facts_of_plan(parts, found.plan))
    console.print(report)
    _show_orphans(console, found.orphans)
    held = found.plan.operations["decision"].isin([Decision.HOLD.value, Decision.STAGED.value])
    if held.any():
        return ExitCode.HELD
    return ExitCode.PENDING if found.plan.writes.any() else ExitCode.DONE


def _drifted(plan: Plan) -> Plan:
    """Cut a plan down to drift and dead links: everything else belongs to the job's cycles."""
    wanted = plan.operations["situation"].isin([Situation.DRIFTED.value, Situation.MISSING.value])
    operations = plan.operations[wanted].reset_index(drop=True)
    changes = plan.changes[plan.changes["change_id"].isin(operations["change_id"])].reset_index(drop=True)
    held = operations["decision"].isin([Decision.HOLD.value, Decision.STAGED.value]).any()
    verdict = plan.verdict if held else dataclasses.replace(plan.verdict, go=True, reasons=(), quarantine=None)
    return dataclasses.replace(plan, operations=operations, changes=changes, verdict=verdict)


def _show_orphans(console: Console, orphans: pd.DataFrame) -> None:
    if orphans.empty:
        return
    console.print(Text(f"  {len(orphans):,} accounts in Replicon are linked to nobody; they are never touched."))
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("Login", "Account"):
        table.add_column(title, overflow="fold")
    for row in orphans.head(_SHOWN).to_dict("records"):
        table.add_row(str(row["target_name"]), str(row["target_uri"]))
    console.print(table)
    if len(orphans) > _SHOWN:
        console.print(Text(f"  and {len(orphans) - _SHOWN:,} more"))

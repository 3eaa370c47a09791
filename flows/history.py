"""Cycles told again from the ledger, without Prefect: what `provision report` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.cycle import Cycle
from flows.parts import Parts, open_ledger
from tasks.job import FilesSource, Job, load_job
from tasks.ledger.ledger import Ledger
from tasks.model import BadInputError, CycleKind, Manifest, Plan
from tasks.report.cycle import CycleFacts, Told
from tasks.report.terminal import activity_report
from tasks.report.verdict import StateName, judge

_USER_URI: Final = r"(urn:replicon-tenant:[^\":]+:user:\d+)"


def source_name(job: Job) -> str:
    """Say which directory a job reads."""
    source = job.source
    if isinstance(source, FilesSource):
        return f"directory files beside {source.users}"
    return f"Microsoft Entra ID, tenant {source.tenant_id}"


def target_name(job: Job) -> str:
    """Say which Replicon a job writes to."""
    return f"Replicon, company {job.target.company_key}"


def report_command(job: Job, cycle_id: str) -> str:
    """Give the command that shows everything of a cycle."""
    return f"provision report {job.file} --cycle {cycle_id}"


def referred_names(ledger: Ledger, job: str, changes: pd.Series) -> dict[str, str]:
    """Give the login names of linked accounts, by URI, that the texts of `changes` refer to."""
    found = changes.str.extractall(_USER_URI)[0].drop_duplicates()
    holders = ledger.link_holders(job, found.tolist())
    if not holders:
        return {}
    links = ledger.links(job, sorted(set(holders.values())))
    return dict(zip(links["target_uri"], links["target_name"], strict=True))


def facts_of(parts: Parts, cycle: Cycle, plan: Plan, *, stopped: bool = False, moved: bool = False) -> CycleFacts:
    """Give the facts of a cycle that has just been carried out, or was `stopped`; `moved` is its watermark."""
    ledger, job = parts.ledger, parts.job
    return CycleFacts(
        job=job.name,
        cycle_id=cycle.cycle_id,
        kind=cycle.memory.kind,
        source=source_name(job),
        target=target_name(job),
        started_at=cycle.memory.now,
        ended_at=ledger.now(),
        linked=len(ledger.links(job.name)),
        manifest=plan.manifest,
        quarantine=ledger.job_state(job.name).quarantine_reason,
        notes=plan.verdict.reasons,
        names=referred_names(ledger, job.name, plan.changes["after"]),
        see=report_command(job, cycle.cycle_id),
        watermark=plan.manifest.started_at if moved else None,
        in_escrow=len(ledger.escrow(job.name)),
        stopped=stopped,
    )


def told_again(job: Job, cycle_id: str | None = None) -> tuple[pd.DataFrame, Told]:
    """Give the activities and the report's head of a cycle of `job`: the one named, else the latest.

    Raises `BadInputError` when the job has no such cycle.
    """
    with open_ledger(job) as ledger:
        cycle = cycle_of(ledger, job, cycle_id)
        activities = ledger.activities(cycle_id=cycle["cycle_id"])
        state = ledger.job_state(job.name)
        linked = len(ledger.links(job.name))
        names = referred_names(ledger, job.name, activities["changes"])
    manifest = Manifest.from_dict(json.loads(cycle["manifest"])) if isinstance(cycle["manifest"], str) else None
    failure = cycle["message"] if cycle["state"] in {StateName.FAILED, "crashed"} else None
    facts = CycleFacts(
        job=job.name,
        cycle_id=cycle["cycle_id"],
        kind=CycleKind(cycle["kind"]),
        source=source_name(job),
        target=target_name(job),
        started_at=cycle["started_at"],
        ended_at=cycle["started_at"] if pd.isna(cycle["ended_at"]) else cycle["ended_at"],
        linked=linked,
        manifest=manifest,
        quarantine=state.quarantine_reason,
        names=names,
        see=report_command(job, cycle["cycle_id"]),
        stopped=cycle["state"] == StateName.STOPPED,
    )
    complete = manifest is None or manifest.complete
    verdict = judge(
        activities, complete=complete, quarantine=state.quarantine_reason, failure=failure, stopped=facts.stopped
    )
    return activities, Told(facts, verdict)


def activities_of_cycle(job: Job, cycle_id: str) -> pd.DataFrame:
    """Give the activities of one cycle of `job` (`ACTIVITY_COLUMNS`)."""
    with open_ledger(job) as ledger:
        return ledger.activities(cycle_id=cycle_id)


def show_report(console: Console, job_file: Path, cycle_id: str = "", *, everybody: bool = False) -> None:
    """Print the activity report of a cycle: the one whose id begins so, else the latest."""
    activities, told = told_again(load_job(job_file), cycle_id or None)
    limit = {"people": len(activities)} if everybody else {}
    console.print(activity_report(activities, told, **limit))


def show_history(console: Console, job_file: Path, limit: int) -> None:
    """Print the latest cycles of a job, a line each."""
    job = load_job(job_file)
    with open_ledger(job) as ledger:
        cycles = ledger.cycles(job.name, limit)
    table = Table(box=box.SIMPLE_HEAD, expand=False)
    for title in ("Started (UTC)", "Cycle", "Kind", "State", "What it did"):
        table.add_column(title, overflow="fold")
    for cycle in cycles.to_dict("records"):
        told = (cycle["kind"], cycle["state"], Text(cycle["message"] or ""))
        table.add_row(f"{cycle['started_at']:%Y-%m-%d %H:%M:%S}", cycle["cycle_id"][:8], *told)
    console.print(table if len(cycles) else Text(f"The job {job.name} has not run yet."))


def cycle_of(ledger: Ledger, job: Job, cycle_id: str | None) -> pd.Series:
    """Give the cycle of `job` whose id begins so, else the latest; raises `BadInputError` when there is none."""
    cycles = ledger.cycles(job.name)
    found = cycles if cycle_id is None else cycles[cycles["cycle_id"].str.startswith(cycle_id)]
    if found.empty:
        what = "has not run yet" if cycle_id is None else f"has no cycle {cycle_id}"
        raise BadInputError(f"The job {job.name} {what}. `provision history {job.file}` lists the cycles there are.")
    return found.iloc[0]

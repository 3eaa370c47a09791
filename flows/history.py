"""Cycles told again from the ledger, without Prefect: what `provision report` shows."""

from __future__ import annotations

import json
from typing import Final

import pandas as pd
from rich.console import Console

from flows.cycle import Cycle
from flows.files import cycle_folder
from flows.parts import Parts, open_ledger
from flows.quarantine import quarantine_notes
from tasks.job import FilesSource, Job
from tasks.ledger.chain import ChainHead
from tasks.ledger.cycles import CRASHED
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


def chain_line(head: ChainHead) -> str:
    """Say where the chain of a job's activities stands; the seal is whole, since a check compares it."""
    return f"record {head.position:,}, head {head.seal}" if head.position else ""


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
    state = ledger.job_state(job.name)
    return CycleFacts(
        job=job.name,
        cycle_id=cycle.cycle_id,
        kind=cycle.memory.kind,
        source=source_name(job),
        target=target_name(job),
        started_at=cycle.memory.now,
        ended_at=ledger.now(),
        linked=ledger.link_count(job.name),
        manifest=plan.manifest,
        quarantine=state.quarantine_reason,
        notes=quarantine_notes(state, plan.verdict.reasons),
        names=referred_names(ledger, job.name, plan.changes["after"]),
        see=report_command(job, cycle.cycle_id),
        chain=chain_line(ledger.chain_head(job.name)),
        watermark=plan.manifest.started_at if moved else None,
        in_escrow=len(ledger.escrow(job.name)),
        stopped=stopped,
        files=_files(job, ledger, cycle.cycle_id),
    )


def _files(job: Job, ledger: Ledger, cycle_id: str) -> tuple[tuple[str, str], ...]:
    """Name the folder that the cycle's activities are written to once it has ended, where the job keeps files."""
    if job.report.folder is None:
        return ()
    return ((", ".join(sorted(job.report.formats)), str(cycle_folder(job, cycle_of(ledger, job, cycle_id)))),)


def told_again(job: Job, cycle_id: str | None = None) -> tuple[pd.DataFrame, Told]:
    """Give the activities and the report's head of a cycle of `job`: the one named, else the latest.

    Raises `BadInputError` when the job has no such cycle.
    """
    with open_ledger(job) as ledger:
        cycle = cycle_of(ledger, job, cycle_id)
        activities = ledger.activities(cycle_id=cycle["cycle_id"])
        state = ledger.job_state(job.name)
        linked = ledger.link_count(job.name)
        names = referred_names(ledger, job.name, activities["changes"])
    manifest = Manifest.from_dict(json.loads(cycle["manifest"])) if isinstance(cycle["manifest"], str) else None
    failure = cycle["message"] if cycle["state"] in {StateName.FAILED, CRASHED} else None
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
        notes=quarantine_notes(state),
        names=names,
        see=report_command(job, cycle["cycle_id"]),
        chain=chain_line(_head_of(cycle)),
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


def show_told(console: Console, job: Job, cycle_id: str = "", *, everybody: bool = False) -> None:
    """Print the activity report of a cycle of `job`: the one whose id begins so, else the latest."""
    activities, told = told_again(job, cycle_id or None)
    limit = {"people": len(activities)} if everybody else {}
    console.print(activity_report(activities, told, **limit))


def cycle_of(ledger: Ledger, job: Job, cycle_id: str | None) -> pd.Series:
    """Give the cycle of `job` whose id begins so, else the latest; raises `BadInputError` when there is none."""
    cycles = ledger.cycles(job.name)
    found = cycles if cycle_id is None else cycles[cycles["cycle_id"].str.startswith(cycle_id)]
    if found.empty:
        what = "has not run yet" if cycle_id is None else f"has no cycle {cycle_id}"
        pruned = ledger.pruned_at(job.name)
        gone = "" if pruned is None else f" Old cycles were removed for their age, last on {pruned:%Y-%m-%d}."
        raise BadInputError(
            f"The job {job.name} {what}.{gone} `provision history {job.file}` lists the cycles there are."
        )
    return found.iloc[0]


def _head_of(cycle: pd.Series) -> ChainHead:
    """Give where the chain stood at the end of a cycle; nowhere for one that has not ended."""
    if pd.isna(cycle["chain_position"]):
        return ChainHead()
    return ChainHead(int(cycle["chain_position"]), str(cycle["chain_head"]))

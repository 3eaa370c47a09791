"""The life of one cycle in the ledger: the job is held, the kind chosen, the end recorded whatever happens."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from flows.parts import Parts
from tasks.connectors.microsoft_graph.errors import SignInError
from tasks.connectors.replicon.errors import StopJobError
from tasks.extract.assignments import extract_people
from tasks.ledger.cycles import JobState
from tasks.ledger.locks import LostLockError
from tasks.load.settle import settle
from tasks.model import (
    STRING,
    Accounts,
    CycleChoice,
    CycleKind,
    Decision,
    HeldError,
    History,
    Operation,
    Plan,
    ProvisioningError,
)
from tasks.reconcile.grace import still_leaving
from tasks.report.verdict import StateName
from tasks.transform.accounts import to_accounts

FIRST_PLAN: Final = (
    "This is the job's first cycle, so it only planned. "
    "Look at the plan, then run the job again with the first plan applied."
)
"""Why a first cycle holds everything."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a cycle starts from: its kind, and what the ledger remembers of the cycles before.

    `first` is true when no cycle of the job has been carried out yet. `links`, `skips` and `leaving` are the ledger's
    frames, `history` is what earlier cycles did.
    """

    kind: CycleKind
    first: bool
    now: dt.datetime
    links: pd.DataFrame
    skips: pd.DataFrame
    last_complete: Mapping[str, Any] | None
    leaving: pd.DataFrame
    history: History

    @property
    def known(self) -> pd.Series:
        """Source ids of everyone linked."""
        return self.links["source_id"]


@dataclasses.dataclass(frozen=True)
class Cycle:
    """A cycle that holds its job: nobody else changes what it remembers until it ends."""

    cycle_id: str
    memory: Memory


def remember(parts: Parts, choice: CycleChoice) -> Memory:
    """Read what a cycle of the job starts from. Raises `HeldError` when an incremental cycle has no watermark."""
    ledger, job = parts.ledger, parts.job.name
    state = ledger.job_state(job)
    return Memory(
        kind=_kind(job, choice, state, parts.mapping.digest),
        first=state.watermark is None,
        now=ledger.now(),
        links=ledger.links(job),
        skips=ledger.skips(job),
        last_complete=state.last_complete,
        leaving=ledger.leaving(job),
        history=ledger.history(job),
    )


@contextlib.contextmanager
def holding(parts: Parts, choice: CycleChoice, flow_run_id: str = "") -> Iterator[Cycle]:
    """Hold the job for a cycle; a cycle that breaks off is recorded as failed.

    Whoever enters ends the cycle with `Ledger.end_cycle` as the last thing. Raises `HeldError` when another cycle
    holds the job.
    """
    ledger, job = parts.ledger, parts.job.name
    kind = _kind(job, choice, ledger.job_state(job), parts.mapping.digest)
    cycle_id = ledger.begin_cycle(job, kind, flow_run_id)
    try:
        # What an earlier run left open decides who is linked, so it comes before anything is read.
        settle(parts.target, ledger, parts.job, cycle_id)
        yield Cycle(cycle_id, dataclasses.replace(remember(parts, choice), kind=kind))
    except BaseException as error:
        said = str(error) if isinstance(error, ProvisioningError) else type(error).__name__
        if isinstance(error, SignInError | StopJobError):
            ledger.quarantine(job, "EncounteredQuarantineException", said)
        # Whoever holds the job by now has recorded this cycle as crashed.
        with contextlib.suppress(LostLockError):
            ledger.end_cycle(cycle_id, StateName.FAILED, message=said)
        raise


def note_leaving(parts: Parts, cycle: Cycle, accounts: Accounts) -> pd.DataFrame:
    """Give who is leaving since when (`LEAVING_COLUMNS`), and remember it where the job grants days of grace."""
    leaving = still_leaving(accounts, cycle.memory.links, cycle.memory.leaving, cycle.memory.now)
    if parts.job.guards.grace_days:
        parts.ledger.note_leaving(parts.job.name, cycle.cycle_id, leaving)
    return leaving


def only_planned(plan: Plan) -> Plan:
    """Hold everything that the plan would do, because nobody has seen a plan of this job yet."""
    operations = plan.operations.copy()
    waiting = operations["decision"].eq(Decision.GO) & operations["operation"].ne(Operation.NONE)
    operations["decision"] = operations["decision"].mask(waiting, Decision.HOLD.value)
    operations["reason"] = operations["reason"].mask(waiting, operations["reason"] + " " + FIRST_PLAN)
    reasons = (*plan.verdict.reasons, FIRST_PLAN)
    return dataclasses.replace(
        plan, operations=operations, verdict=dataclasses.replace(plan.verdict, go=False, reasons=reasons)
    )


def judge_quarantine(parts: Parts, plan: Plan) -> None:
    """Put the job into quarantine when the guards say so; let it out when this cycle got as far as a sound plan."""
    ledger, job = parts.ledger, parts.job.name
    if plan.verdict.quarantine is not None:
        ledger.quarantine(job, plan.verdict.quarantine, " ".join(plan.verdict.reasons))
    elif plan.manifest.complete and ledger.job_state(job).quarantine_reason is not None:
        ledger.leave_quarantine(job)


def second_look(parts: Parts) -> Callable[[Sequence[str]], pd.DataFrame]:
    """Give the look that load takes just before a removal: these people as the source has them at that moment.

    What it gives has `PEOPLE_COLUMNS`: `active` is true for somebody who should keep their login after all. People
    whom the source did not answer about have no row.
    """

    def look(source_ids: Sequence[str]) -> pd.DataFrame:
        extraction = extract_people(
            parts.directory,
            source_ids,
            parts.mapping.source_attributes,
            parts.job.scope,
            known=pd.Series(list(source_ids), dtype=STRING),
        )
        accounts = to_accounts(
            extraction.assignments,
            parts.mapping,
            now=parts.ledger.now(),
            default_domain=extraction.default_domain,
            linked=extraction.assignments["source_id"],
        )
        return accounts.people

    return look


def _kind(job: str, choice: CycleChoice, state: JobState, mapping_digest: str) -> CycleKind:
    if choice is CycleChoice.INCREMENTAL and state.watermark is None:
        raise HeldError(
            f"The job {job} has no watermark yet, so there is nothing to count changes from. "
            "Run an initial cycle first."
        )
    changed = state.mapping_digest is not None and state.mapping_digest != mapping_digest
    everything = choice is CycleChoice.INITIAL or (
        choice is CycleChoice.AUTOMATIC and (state.watermark is None or changed)
    )
    return CycleKind.INITIAL if everything else CycleKind.INCREMENTAL

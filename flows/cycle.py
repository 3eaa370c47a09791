"""The life of one cycle in the ledger: the job is held, the kind chosen, the end recorded whatever happens."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from flows.parts import Parts
from flows.quarantine import after_breaking_off, quarantine_notes
from flows.stopping import end_broken_off
from tasks.extract.assignments import extract_people
from tasks.extract.changes import Since
from tasks.job import FilesSource
from tasks.ledger.cycles import JobState, SwitchedOffError
from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import BusyError, LostLockError
from tasks.ledger.source import Remember
from tasks.load.policy import IN_ESCROW
from tasks.load.settle import settle
from tasks.model import (
    STRING,
    Accounts,
    CycleChoice,
    CycleKind,
    Decision,
    Extraction,
    HeldError,
    History,
    Operation,
    Plan,
    Status,
)
from tasks.reconcile.grace import still_leaving
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
    frames, `history` is what earlier cycles did. `since` is what changes are read from, null when everybody is to be
    read; `settings` names how the source is read.
    """

    kind: CycleKind
    first: bool
    now: dt.datetime
    links: pd.DataFrame
    skips: pd.DataFrame
    last_complete: Mapping[str, Any] | None
    leaving: pd.DataFrame
    history: History
    settings: str
    since: Since | None

    @property
    def known(self) -> pd.Series:
        """Source ids of everyone linked."""
        return self.links["source_id"]


@dataclasses.dataclass(frozen=True)
class Read:
    """How far a cycle read its source: what the next one starts from, once this one is done."""

    watermark: Mapping[str, Any]
    news: Remember | None


class PassedOverError(HeldError):
    """Raised when a scheduled cycle has no business now: nothing is wrong, and nothing was done."""


@dataclasses.dataclass(frozen=True)
class Cycle:
    """A cycle that holds its job: nobody else changes what it remembers until it ends."""

    cycle_id: str
    memory: Memory


def remember(parts: Parts, choice: CycleChoice) -> Memory:
    """Read what a cycle of the job starts from.

    Raises `HeldError` when changes alone are asked for and there is nothing to count them from.
    """
    ledger, job = parts.ledger, parts.job.name
    state, source, settings, now = ledger.job_state(job), ledger.source(job), settings_of(parts), ledger.now()
    facts = source.facts()
    upon = state.watermark if facts is not None and facts.settings == settings else None
    kind = _kind(job, choice, state, upon, parts.mapping.digest)
    leaving = ledger.leaving(job)
    # Whoever is in their days of grace is looked at in every cycle: the day comes without a change.
    again = sorted({*source.again(now), *leaving["source_id"]})
    return Memory(
        kind=kind,
        first=state.watermark is None,
        now=now,
        links=ledger.links(job),
        skips=ledger.skips(job),
        last_complete=state.last_complete,
        leaving=leaving,
        history=ledger.history(job),
        settings=settings,
        since=Since(upon, source, again) if kind is CycleKind.INCREMENTAL and upon else None,
    )


def settings_of(parts: Parts) -> str:
    """Name what decides, besides the mapping, who has which account: a digest of scope, actions and source.

    What was read under other settings cannot be built upon, so that a cycle reads everything once they change.
    """
    job = parts.job
    source = job.source
    where = (
        [str(source.users), str(source.assignments), str(source.members)]
        if isinstance(source, FilesSource)
        else [source.tenant_id, source.application_id]
    )
    said = {
        "scope": job.scope.model_dump(mode="json"),
        "actions": sorted(job.actions),
        "attributes": sorted(parts.mapping.source_attributes),
        "source": where,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def holding(parts: Parts, choice: CycleChoice, flow_run_id: str = "", *, scheduled: bool = False) -> Iterator[Cycle]:
    """Hold the job for a cycle; one that breaks off is recorded as failed, one that is stopped as stopped.

    Whoever enters ends the cycle with `Ledger.end_cycle` as the last thing. Raises `HeldError` when another cycle
    holds the job or it is switched off; of a `scheduled` cycle that is a `PassedOverError`, also raised while the job
    rests in quarantine.
    """
    ledger, job = parts.ledger, parts.job.name
    if scheduled:
        check_rest(ledger, job)
    try:
        cycle_id = ledger.begin_cycle(job, remember(parts, choice).kind, flow_run_id)
    except (BusyError, SwitchedOffError) as error:
        raise PassedOverError(str(error)) if scheduled else error from error
    try:
        # What an earlier run left open decides who is linked, so it comes before anything is read.
        settle(parts.target, ledger, parts.job, cycle_id, patience=parts.patience)
        memory = remember(parts, choice)
        ledger.change_kind(cycle_id, memory.kind)
        yield Cycle(cycle_id, memory)
    except BaseException as error:
        # Whoever holds the job by now has recorded this cycle as crashed.
        with contextlib.suppress(LostLockError):
            end_broken_off(ledger, cycle_id, error)
            after_breaking_off(parts, error)
        raise


def check_rest(ledger: Ledger, job: str) -> None:
    """Make sure that a scheduled cycle may run now; raises `PassedOverError` while the job rests in quarantine."""
    state = ledger.job_state(job)
    if state.quarantine_until is not None and ledger.now() < state.quarantine_until:
        raise PassedOverError(f"The job {job} rests. {' '.join(quarantine_notes(state))}")


def note_leaving(parts: Parts, cycle: Cycle, accounts: Accounts) -> pd.DataFrame:
    """Give who is leaving since when (`LEAVING_COLUMNS`), and remember it where the job grants days of grace."""
    leaving = still_leaving(accounts, cycle.memory.links, cycle.memory.leaving, cycle.memory.now)
    if parts.job.guards.grace_days:
        parts.ledger.note_leaving(parts.job.name, cycle.cycle_id, leaving)
    return leaving


def as_read(parts: Parts, cycle: Cycle, extraction: Extraction) -> Cycle:
    """Give the cycle as it turned out: one that had to read everybody after all is an initial one, and says so."""
    if not extraction.whole or cycle.memory.kind is not CycleKind.INCREMENTAL:
        return cycle
    parts.ledger.change_kind(cycle.cycle_id, CycleKind.INITIAL)
    return dataclasses.replace(cycle, memory=dataclasses.replace(cycle.memory, kind=CycleKind.INITIAL))


def to_remember(cycle: Cycle, extraction: Extraction, plan: Plan, outcomes: pd.DataFrame) -> Remember | None:
    """Give what the ledger has to remember of the source once the cycle is done.

    Whoever was held, staged or not come to is looked at again in the next cycle; who failed is in escrow, and who was
    skipped stays so until the source changes.
    """
    if extraction.update is None:
        return None
    operations = plan.operations[plan.operations["decision"].ne(Decision.SKIP)]
    rest = outcomes[outcomes["status"].eq(Status.SKIPPED) & outcomes["error_code"].fillna("").ne(IN_ESCROW)]
    unsettled = operations.loc[operations["change_id"].isin(rest["change_id"]), "source_id"]
    return Remember(extraction.update, cycle.memory.settings, unsettled.dropna().tolist())


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


def _kind(
    job: str, choice: CycleChoice, state: JobState, watermark: Mapping[str, Any] | None, mapping_digest: str
) -> CycleKind:
    """Choose the kind of a cycle; `watermark` is null when there is none that can be built upon."""
    why_not = None
    if not watermark:
        why_not = (
            "has no watermark yet"
            if state.watermark is None
            else "reads its source in another way than the last cycle did, or from a source that tells no changes"
        )
    elif state.mapping_digest not in (None, mapping_digest):
        why_not = "has another mapping than in the last cycle, which concerns everybody"
    if choice is CycleChoice.INCREMENTAL and why_not is not None:
        raise HeldError(
            f"The job {job} {why_not}, so there is nothing to count changes from. Run an initial cycle first."
        )
    return CycleKind.INITIAL if choice is CycleChoice.INITIAL or why_not is not None else CycleKind.INCREMENTAL

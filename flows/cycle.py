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
from tasks.job import FilesSource, Job, Threshold
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
CHANGED_PLAN: Final = (
    "{what} changed since the last cycle, which concerns everybody, so this one only planned. "
    "Look at the plan, then run the job again with it applied."
)
"""Why a cycle under a changed mapping or scope holds everything."""
_WHOLE_READ: Final = "whole_read_at"
"""What the time of the last read of everybody is called beside what the source gives as its watermark."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a cycle starts from: its kind, and what the ledger remembers of the cycles before.

    `unseen` is why a person has to see the plan before it is carried out, null when nobody has to: no cycle of the job
    has been carried out yet, or its mapping or its scope has changed. `links`, `skips` and `leaving` are the ledger's
    frames, `history` is what earlier cycles did. `since` is what changes are read from, null when everybody is to be
    read; `settings` names how the source is read.
    """

    kind: CycleKind
    unseen: str | None
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
    kind = _kind(parts, choice, state, upon, now)
    return Memory(
        kind=kind,
        unseen=_unseen(parts, state, settings),
        now=now,
        links=ledger.links(job),
        skips=ledger.skips(job),
        last_complete=state.last_complete,
        leaving=ledger.leaving(job),
        history=ledger.history(job),
        settings=settings,
        since=Since(upon, source, source.again(now)) if kind is CycleKind.INCREMENTAL and upon else None,
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


def watermark_of(cycle: Cycle, extraction: Extraction) -> Mapping[str, Any]:
    """Give where the next cycle goes on from, with the time of the last read of everybody; empty when nowhere.

    Change tracking tells nothing of a page that it passes over each time, so that a read of everybody must not be
    too long ago: see `GraphSource.full_read_hours`.
    """
    if not extraction.watermark:
        return extraction.watermark
    since = cycle.memory.since
    if extraction.whole or since is None:
        return {**extraction.watermark, _WHOLE_READ: extraction.manifest.started_at.isoformat()}
    return {**extraction.watermark, _WHOLE_READ: since.watermark.get(_WHOLE_READ)}


def unseen(memory: Memory, plan: Plan) -> str | None:
    """Say why a person has to see this plan before it is carried out; null when nobody has to.

    A changed mapping or scope that changes nothing for anybody needs no look.
    """
    return None if memory.unseen != FIRST_PLAN and not plan.writes.any() else memory.unseen


def only_planned(plan: Plan, why: str) -> Plan:
    """Hold everything that the plan would do, because nobody has seen such a plan of this job yet."""
    operations = plan.operations.copy()
    waiting = operations["decision"].eq(Decision.GO) & operations["operation"].ne(Operation.NONE)
    operations["decision"] = operations["decision"].mask(waiting, Decision.HOLD.value)
    operations["reason"] = operations["reason"].mask(waiting, operations["reason"] + " " + why)
    reasons = (*plan.verdict.reasons, why)
    return dataclasses.replace(
        plan, operations=operations, verdict=dataclasses.replace(plan.verdict, go=False, reasons=reasons)
    )


def allowed_once(parts: Parts) -> Parts:
    """Give the parts with the limits of removals lifted where an administrator let the next cycle exceed them."""
    if not parts.ledger.job_state(parts.job.name).force_removals:
        return parts
    guards = parts.job.guards.model_copy(update={"removals": Threshold()})
    return dataclasses.replace(parts, job=parts.job.model_copy(update={"guards": guards}))


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


def _unseen(parts: Parts, state: JobState, settings: str) -> str | None:
    """Say why a person has to see the plan first; null when nobody has to."""
    if state.mapping_digest is None:
        return FIRST_PLAN
    if not parts.job.guards.preview_changes:
        return None
    if state.mapping_digest != parts.mapping.digest:
        return CHANGED_PLAN.format(what="The mapping")
    if state.settings not in (None, settings):
        return CHANGED_PLAN.format(what="The scope, the allowed actions or the source")
    return None


def _kind(
    parts: Parts, choice: CycleChoice, state: JobState, watermark: Mapping[str, Any] | None, now: dt.datetime
) -> CycleKind:
    """Choose the kind of a cycle; `watermark` is null when there is none that can be built upon."""
    why_not = None
    if not watermark:
        why_not = (
            "has no watermark yet"
            if state.watermark is None
            else "reads its source in another way than the last cycle did, or from a source that tells no changes"
        )
    elif state.mapping_digest not in (None, parts.mapping.digest):
        why_not = "has another mapping than in the last cycle, which concerns everybody"
    if choice is CycleChoice.INCREMENTAL:
        if why_not is None:
            return CycleKind.INCREMENTAL
        raise HeldError(
            f"The job {parts.job.name} {why_not}, so there is nothing to count changes from. Run an initial cycle "
            "first."
        )
    if choice is CycleChoice.INITIAL or why_not is not None or _is_old(watermark or {}, parts.job, now):
        return CycleKind.INITIAL
    return CycleKind.INCREMENTAL


def _is_old(watermark: Mapping[str, Any], job: Job, now: dt.datetime) -> bool:
    """Tell whether everybody was read longer ago than the job allows."""
    if isinstance(job.source, FilesSource):
        return False
    read_at = watermark.get(_WHOLE_READ)
    allowed = dt.timedelta(hours=job.source.full_read_hours)
    return read_at is None or now - dt.datetime.fromisoformat(read_at) > allowed

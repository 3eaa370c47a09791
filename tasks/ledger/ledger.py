"""The ledger: what a job remembers between cycles, behind one object. Flows, reconcile and load use this and no table.

The statements are in the modules named after their nouns; each method here is one transaction.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self, TypeVar

import orjson
import pandas as pd
import sqlalchemy as sa

from tasks.ledger import (
    activities,
    administration,
    budgets,
    chain,
    cycles,
    escrow,
    journal,
    leaving,
    links,
    locks,
    notices,
    parts,
    plans,
    pruning,
    quarantine,
    source,
    verification,
)
from tasks.ledger.chain import ChainHead
from tasks.ledger.cycles import JobState, JobStatus
from tasks.ledger.database import Database
from tasks.ledger.frames import chunks
from tasks.ledger.locks import Holder
from tasks.ledger.notices import Cause, Notice, Turn
from tasks.ledger.parts import Part
from tasks.ledger.plans import SavedPlan
from tasks.ledger.pruning import Pruned
from tasks.ledger.quarantine import Transition
from tasks.ledger.records import Moves, Request
from tasks.ledger.source import Remember, SourceMemory
from tasks.ledger.verification import Verification
from tasks.model import Approval, CycleKind, Decision, History, Manifest, ResetScope

_Given = TypeVar("_Given")


def utc_now() -> dt.datetime:
    """Give the present instant."""
    return dt.datetime.now(dt.UTC)


class Ledger:
    """What jobs remember. Safe to use from several threads; several processes may use one ledger.

    `lease` is how long a job stays held without a sign of life from its cycle, `clock` gives the present instant.
    """

    def __init__(
        self, database: Database, *, lease: dt.timedelta = locks.LEASE, clock: Callable[[], dt.datetime] = utc_now
    ) -> None:
        self._database = database
        self._lease = lease
        self._clock = clock
        self._beating: dict[str, locks.Heartbeat] = {}
        self._guard = threading.Lock()
        self._withheld: frozenset[str] = frozenset()
        self._part: Part | None = None

    @classmethod
    def open(
        cls,
        url: str,
        password: str | None = None,
        *,
        lease: dt.timedelta = locks.LEASE,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> Self:
        """Open the ledger at `url`, making the file and the tables where needed.

        Raises `BadInputError` when the URL is none or the ledger is of a newer version, `UnreachableError` when the
        database does not answer.
        """
        return cls(Database(url, password), lease=lease, clock=clock)

    def close(self) -> None:
        """Stop renewing leases and close all connections. Jobs still held stay so until their lease ends."""
        with self._guard:
            beating, self._beating = self._beating, {}
        for heartbeat in beating.values():
            heartbeat.stop()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def withhold(self, attributes: frozenset[str]) -> None:
        """Keep the values of these target attributes out of the activities recorded from now on."""
        self._withheld = attributes

    def now(self) -> dt.datetime:
        """Give the present instant, as the ledger's clock has it."""
        return self._clock()

    def job_state(self, job: str) -> JobState:
        """Give what the next cycle of `job` starts from."""
        with self._database.reading() as connection:
            return cycles.state(connection, job)

    def switch(self, job: str, status: JobStatus, by: str = "", why: str = "") -> None:
        """Switch a job on or off, for who and why; one that is off begins no cycle, and one that runs goes on."""
        with self._database.writing() as connection:
            administration.switch(connection, job, status, by, why, self._clock())

    def restart(self, job: str, scopes: Collection[ResetScope], by: str, why: str = "") -> None:
        """Reset parts of what `job` remembers, for who and why. Raises `HeldError` when a cycle of it runs."""
        with self._database.writing() as connection:
            now, token = self._clock(), uuid.uuid4().hex
            cycles.ensure_job(connection, job, now)
            # Held for the time of the transaction: no cycle begins while its ground is moved.
            locks.take(connection, job, token, "", self._lease, now)
            administration.restart(connection, job, scopes, by, why, now)
            locks.give_back(connection, token)

    def administration(self, job: str, limit: int | None = None) -> pd.DataFrame:
        """Give what administrators did to `job` (`ADMINISTRATION_COLUMNS`), newest first."""
        with self._database.reading() as connection:
            return administration.read(connection, job, limit)

    def holder(self, job: str) -> Holder | None:
        """Give who holds `job` now; null when nobody does."""
        with self._database.reading() as connection:
            return locks.held_by(connection, job, self._clock())

    def quarantine(self, job: str, reason: str, message: str) -> Transition:
        """Put a job into quarantine, for Microsoft's `reason` and with a `message` for people, or keep it there.

        Since when stays. Scheduled cycles rest until `JobState.quarantine_until`; after four weeks the job is disabled.
        """
        with self._database.writing() as connection:
            now = self._clock()
            cycles.ensure_job(connection, job, now)
            return quarantine.enter(connection, job, reason, message, now)

    def leave_quarantine(self, job: str) -> Transition:
        """Take a job out of quarantine."""
        with self._database.writing() as connection:
            return quarantine.leave(connection, job)

    def begin_cycle(self, job: str, kind: CycleKind, flow_run_id: str = "", *, though_off: bool = False) -> str:
        """Hold the job and record that a cycle runs; give its id. The hold is renewed until `end_cycle`.

        Raises `BusyError` naming the holder when another cycle runs, and `SwitchedOffError` when the job is switched
        off, unless it may run `though_off`.
        """
        cycle_id = uuid.uuid4().hex
        with self._database.writing() as connection:
            now = self._clock()
            cycles.ensure_job(connection, job, now)
            if not though_off:
                cycles.check_switch(connection, job)
            locks.take(connection, job, cycle_id, flow_run_id, self._lease, now)
            cycles.begin(connection, cycle_id, job, kind, flow_run_id, locks.holder(), now)
        with self._guard:
            self._beating[cycle_id] = locks.Heartbeat(self._database, cycle_id, self._lease, self._clock)
        return cycle_id

    def end_cycle(
        self,
        cycle_id: str,
        state: str,
        *,
        watermark: Mapping[str, Any] | None = None,
        mapping_digest: str | None = None,
        manifest: Manifest | None = None,
        counts: Mapping[str, int] | None = None,
        message: str = "",
        remember: Remember | None = None,
        settings: str | None = None,
        measured: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how a cycle ended and let go of its job, all in one transaction.

        A `watermark`, `mapping_digest`, `settings` or `remember` that is null leaves what the job has; a watermark
        ends the leave to exceed the limit of removals. A complete `manifest` becomes the last complete one, that of an
        incremental cycle in its assignments and groups only. `measured` is JSON-ready: what the cycle took. Where the
        job's chain of activities stands is kept with the cycle. Raises `LostLockError` when another cycle holds the
        job by now: then nothing is recorded.
        """
        with self._guard:
            heartbeat = self._beating.pop(cycle_id, None)
        if heartbeat is not None:
            heartbeat.stop()
        kept = None if manifest is None else manifest.as_dict()
        with self._database.writing() as connection:
            job = cycles.job_of(connection, cycle_id)
            locks.check(connection, job, cycle_id)
            at = chain.head(connection, job)
            cycles.end(connection, cycle_id, state, counts or {}, kept, message, self._clock(), measured, at)
            changed: dict[str, Any] = {}
            if watermark is not None:
                changed.update(watermark=orjson.dumps(dict(watermark)).decode(), force_removals=False)
                changed["watermark_at"] = cycles.began_at(connection, cycle_id)
            if mapping_digest is not None:
                changed["mapping_digest"] = mapping_digest
            if settings is not None:
                changed["settings"] = settings
            if kept is not None and kept["complete"]:
                before = cycles.state(connection, job).last_complete or {}
                only_changes = cycles.kind_of(connection, cycle_id) is CycleKind.INCREMENTAL and before
                counted = {**before, **{name: kept[name] for name in ("assignments", "groups")}}
                changed["last_complete"] = orjson.dumps(counted if only_changes else kept).decode()
            if remember is not None:
                source.remember(connection, job, remember)
            if changed:
                cycles.change_job(connection, job, **changed)
            locks.give_back(connection, cycle_id)

    def change_kind(self, cycle_id: str, kind: CycleKind) -> None:
        """Record that a running cycle turned out to be of another kind than it began as."""
        with self._database.writing() as connection:
            locks.check(connection, cycles.job_of(connection, cycle_id), cycle_id)
            cycles.change_kind(connection, cycle_id, kind)

    def exchange_budget(self, target: str, exchange: Callable[[str | None], tuple[str, _Given]]) -> _Given:
        """Let `exchange` turn the state of a budget (null at first) into the next one; give what else it gives.

        One short transaction, in which nobody else sees the budget.
        """
        with self._database.writing() as connection:
            now = self._clock()
            state, given = exchange(budgets.take(connection, target, now))
            budgets.put(connection, target, state, now)
            return given

    def source(self, job: str) -> SourceMemory:
        """Give what `job` remembers of its source."""
        return SourceMemory(self._database, job)

    def cycles(self, job: str | None = None, limit: int | None = None) -> pd.DataFrame:
        """Give cycles (`CYCLE_COLUMNS`), newest first."""
        with self._database.reading() as connection:
            return cycles.read(connection, job, limit)

    def take_part(self, job: str, cycle_id: str, number: int) -> None:
        """Carry out one part of a cycle's work from now on: record nothing once another process has taken that part.

        `record` and `put_bulk` raise `LostLockError` then. Raises it at once when `cycle_id` does not hold the job.
        """
        with self._database.writing() as connection:
            locks.check(connection, job, cycle_id)
            self._part = parts.take(connection, job, number, self._clock())

    def links(self, job: str, source_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Give the links of `job` (`LINK_COLUMNS`): all, or those of `source_ids`."""
        with self._database.reading() as connection:
            return links.read(connection, job, source_ids)

    def link_count(self, job: str) -> int:
        """Count the links of `job`."""
        with self._database.reading() as connection:
            return links.count(connection, job)

    def link_holders(self, job: str, target_uris: Sequence[str]) -> dict[str, str]:
        """Give, by URI, the source ids that those of these accounts are linked to which are linked."""
        with self._database.reading() as connection:
            parts = [links.holders(connection, job, part) for part in chunks(target_uris)]
        return {uri: source_id for part in parts for uri, source_id in part.items()}

    def unlink(self, job: str, cycle_id: str, source_ids: Sequence[str]) -> int:
        """End the links of these people; give how many there were. Their accounts stay as they are.

        The next cycle matches them anew, whether or not they change.
        """
        with self._database.writing() as connection:
            locks.check(connection, job, cycle_id)
            source.look_again(connection, job, source_ids)
            return links.end(connection, job, source_ids)

    def leaving(self, job: str) -> pd.DataFrame:
        """Give who of `job` waits for the end of the days of grace (`LEAVING_COLUMNS`)."""
        with self._database.reading() as connection:
            return leaving.read(connection, job)

    def note_leaving(self, job: str, cycle_id: str, people: pd.DataFrame) -> None:
        """Remember who is leaving since when (`LEAVING_COLUMNS`), in place of what was remembered."""
        with self._database.writing() as connection:
            locks.check(connection, job, cycle_id)
            leaving.replace(connection, job, people)

    def history(self, job: str) -> History:
        """Give what earlier cycles of `job` did."""
        with self._database.reading() as connection:
            return activities.history(connection, job)

    def keep_plan(self, job: str, plan_id: str, digest: str) -> None:
        """Record that a plan of `job` was saved under `digest`."""
        with self._database.writing() as connection:
            now = self._clock()
            cycles.ensure_job(connection, job, now)
            plans.keep(connection, job, plan_id, digest, now)

    def decide(self, plan_id: str, choice: Approval, by: str, why: str) -> None:
        """Record what somebody decided about a saved plan; a later decision stands in place of an earlier one."""
        with self._database.writing() as connection:
            plans.decide(connection, plan_id, choice, by, why, self._clock())

    def saved_plan(self, plan_id: str) -> SavedPlan | None:
        """Give what is recorded of a saved plan; null when this ledger knows no such plan."""
        with self._database.reading() as connection:
            return plans.read(connection, plan_id)

    def note_causes(self, job: str, causes: Collection[Cause]) -> Turn:
        """Remember that exactly these causes stand now, for people to be told; give what is new and what is over."""
        with self._database.writing() as connection:
            cycles.ensure_job(connection, job, self._clock())
            return notices.note(connection, job, causes, self._clock())

    def notices(self, job: str) -> list[Notice]:
        """Give the causes that stand, and those that are over and nobody was told so yet."""
        with self._database.reading() as connection:
            return notices.read(connection, job)

    def told(self, job: str, known: Collection[Notice]) -> None:
        """Record that people have been told of these notices."""
        with self._database.writing() as connection:
            notices.told(connection, job, known)

    def skips(self, job: str) -> pd.DataFrame:
        """Give the skips of `job` that have been told (`SKIP_COLUMNS`)."""
        with self._database.reading() as connection:
            return links.read_skips(connection, job)

    def escrow(self, job: str) -> pd.DataFrame:
        """Give who is to be tried again and when (`ESCROW_COLUMNS`), longest there first."""
        with self._database.reading() as connection:
            return escrow.read(connection, job)

    def retry_now(self, job: str, *, error_code: str | None = None, source: str | None = None) -> int:
        """Let the next cycle try again whoever is in escrow (with this code; this person); give how many."""
        with self._database.writing() as connection:
            return escrow.retry_now(connection, job, self._clock(), error_code, source)

    def record(self, job: str, cycle_id: str, moves: Moves) -> None:
        """Record requests, answers and endings in one transaction. Raises `LostLockError` and then records nothing."""
        with self._database.writing() as connection:
            self._check(connection, job, cycle_id)
            journal.record(connection, job, cycle_id, moves, self._clock(), self._withheld)

    def open_requests(self, job: str) -> list[Request]:
        """Give the requests of `job` that are not done, oldest first: after a crash, what has to be settled."""
        with self._database.reading() as connection:
            return journal.open_requests(connection, job)

    def finished(self, change_ids: Sequence[str]) -> set[str]:
        """Give those of `change_ids` that have been carried out already."""
        with self._database.reading() as connection:
            return {found for part in chunks(change_ids) for found in journal.finished(connection, part)}

    def put_bulk(
        self,
        job: str,
        cycle_id: str,
        activities_rows: Sequence[Mapping[str, Any]],
        *,
        links_rows: Sequence[Mapping[str, Any]] = (),
        told: Collection[str] = (),
        look_again: Sequence[str] = (),
    ) -> None:
        """Record many rows that needed no request, in one transaction; callers pass some thousands at a time.

        Activities have every column of `ACTIVITY_COLUMNS` but job and cycle, links every one of `LINK_COLUMNS` but
        `linked_at`; what an existing link remembers as written stays. The activities whose change is in `told` are
        skips to be remembered as told. The links of the people in `look_again` forget their digest. Whoever gets a link
        or is skipped leaves the escrow.
        """
        with self._database.writing() as connection:
            self._check(connection, job, cycle_id)
            now = self._clock()
            links.put(connection, job, [{**row, "job": job, "linked_at": now} for row in links_rows])
            recorded = [{**row, "job": job, "cycle_id": cycle_id} for row in activities_rows]
            activities.put(connection, recorded, self._withheld)
            links.put_skips(connection, [_skip(job, row) for row in activities_rows if row["change_id"] in told])
            links.look_again(connection, job, look_again)
            passed = [row["source_id"] for row in activities_rows if row["decision"] == Decision.SKIP]
            escrow.forget(connection, job, [row["source_id"] for row in links_rows] + passed)

    def activities(
        self,
        *,
        job: str | None = None,
        cycle_id: str | None = None,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        source: str | None = None,
        status: str | None = None,
        operation: str | None = None,
        error_code: str | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Give activities (`ACTIVITY_COLUMNS`), oldest first; with `limit` only the latest.

        `since` and `until` are aware instants, the latter not included; `source` is a source id or a name as reports
        have it.
        """
        with self._database.reading() as connection:
            return activities.read(
                connection,
                job=job,
                cycle_id=cycle_id,
                since=since,
                until=until,
                source=source,
                status=status,
                operation=operation,
                error_code=error_code,
                limit=limit,
            )

    def activities_of(self, change_ids: Sequence[str]) -> pd.DataFrame:
        """Give the activities (`ACTIVITY_COLUMNS`) of these changes."""
        with self._database.reading() as connection:
            parts = [activities.recorded(connection, part) for part in chunks(change_ids)]
            return pd.concat(parts, ignore_index=True) if parts else activities.recorded(connection, [])

    def cycles_with_activities(self, cycle_ids: Sequence[str]) -> set[str]:
        """Give those of these cycles that have activities."""
        with self._database.reading() as connection:
            return {found for part in chunks(cycle_ids) for found in activities.cycles_among(connection, part)}

    def chain_head(self, job: str) -> ChainHead:
        """Give where the chain of the job's activities stands."""
        with self._database.reading() as connection:
            return chain.head(connection, job)

    def verify(self, job: str, head: str = "") -> Verification:
        """Check every activity of `job` against its seal; `head` is one that was kept somewhere else."""
        with self._database.reading(snapshot=True) as connection:
            return verification.verify(connection, job, head)

    def prune(self, job: str, before: dt.datetime) -> Pruned:
        """Remove what began before the instant `before`, as `pruning` says, some thousand records a transaction."""
        with self._database.reading() as connection:
            end = pruning.end_of(connection, job, before)
        gone, reached = 0, -1
        while reached < end:
            with self._database.writing() as connection:
                part, reached = pruning.prune_activities(connection, job, end, self._clock())
            gone += part
        with self._database.writing() as connection:
            rest = pruning.prune_rest(connection, job, before)
            return dataclasses.replace(rest, activities=gone, kept=pruning.kept_before(connection, job, end))

    def pruned_at(self, job: str) -> dt.datetime | None:
        """Give when activities of `job` were last removed because of their age; null when none ever were."""
        with self._database.reading() as connection:
            return pruning.pruned_at(connection, job)

    def _check(self, connection: sa.Connection, job: str, cycle_id: str) -> None:
        """Make sure that the cycle still holds the job, and this process its part of it, if it has only a part."""
        locks.check(connection, job, cycle_id)
        if self._part is not None:
            parts.check(connection, self._part)


def _skip(job: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job": job,
        "source_id": row["source_id"],
        "error_code": row["error_code"],
        "reason": row["reason"],
        "told_at": row["started_at"],
    }

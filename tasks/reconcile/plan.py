"""The plan of a cycle: everybody's situation, the operation that follows, what it changes, and the guards' verdict.

The flows call `make_plan`, which reads the target and writes nothing; load carries the plan out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Job, SituationAction
from tasks.model import (
    CHANGE_COLUMNS,
    LEAVING_COLUMNS,
    OPERATION_COLUMNS,
    Accounts,
    CycleKind,
    Decision,
    History,
    Manifest,
    Operation,
    Plan,
    Progress,
    Situation,
    conform,
    empty_frame,
    silent,
)
from tasks.reconcile import grace, guards, protection, supervision
from tasks.reconcile.columns import Places, array_of, mask_of, new_ids, nulls, places_of, series_of, table_of, take
from tasks.reconcile.digest import spell
from tasks.reconcile.findings import SKIPPED, Findings, findings
from tasks.reconcile.gathering import Gathered, gather
from tasks.reconcile.references import PENDING
from tasks.reconcile.risks import PERMISSION_SETS, risks
from tasks.reconcile.target import Matching, TargetReader

HELD_BY_JOB: Final = "HeldByJob"
"""Our code for what a person has to look at because the job says so for its situation."""
_SLICE: Final = 50_000


def make_plan(
    accounts: Accounts,
    matching: Sequence[Matching],
    links: pd.DataFrame,
    skips: pd.DataFrame,
    target: TargetReader,
    job: Job,
    *,
    cycle_id: str,
    kind: CycleKind,
    manifest: Manifest,
    now: dt.datetime,
    last_complete: Mapping[str, Any] | None = None,
    leaving: pd.DataFrame | None = None,
    history: History | None = None,
    progress: Progress = silent,
) -> Plan:
    """Plan everything that makes the target agree with `accounts`.

    `links` and `skips` are the ledger's frames: who is linked to which account, and which skips were told before and
    are not repeated. `last_complete` is the manifest of the last complete read; one that falls implausibly short of it
    does not count as complete in the plan. `leaving` is what `grace.still_leaving` gave, and
    counts where the job grants days of grace; `history` is what earlier cycles did. An incremental cycle does not read
    the accounts of people whose wanted account is the one last written.

    In the plan, GO with the operation NONE means: nothing is sent, and the link with its digest is remembered (a
    matched account without a difference, a person compared and found equal, a leaver whose login was taken already).
    Rows are in the order in which most references can be written at once, else by source id.
    """
    accounts = supervision.wished(accounts, job.target.supervisor_permission_set)
    gathered = gather(accounts, matching, links, target, job, kind, progress)
    history = history or History()
    found = _allowed(_overridden(findings(gathered, target.canonical, job), job), job)
    if job.guards.grace_days:
        found = _graced(found, gathered, leaving, job, now)
    operations, changes = _frames(_told_once(found, skips, gathered), gathered, history)
    granting = supervision.Granting(job, links, target, kind, manifest, history)
    operations, changes = supervision.granted(operations, changes, granting)
    evidence = guards.Evidence(
        kind,
        manifest,
        last_complete,
        links,
        target.identity(),
        protection.shielded(gathered.present.frame, job.guards),
    )
    operations, verdict = guards.judge(operations, changes, job.guards, evidence)
    return Plan(
        plan_id=str(uuid.uuid4()),
        job=job.name,
        cycle_id=cycle_id,
        kind=kind,
        created_at=now,
        mapping_digest=accounts.mapping_digest,
        manifest=guards.trusted(evidence, job.guards),
        operations=operations,
        changes=changes,
        verdict=verdict,
        state_digest=state_digest(links, operations["source_id"]),
        per_second=history.per_second,
    )


def state_digest(links: pd.DataFrame, source_ids: pd.Series) -> str:
    """Give the digest (hexadecimal) of what these people are linked to; of nothing else that the ledger remembers."""
    mine = links[mask_of(links["source_id"].isin(source_ids))].sort_values("source_id", kind="stable")
    texts = {name: array_of(mine[name]) for name in ("source_id", "target_uri", "account_digest")}
    texts["active"] = pc.cast(array_of(mine["active"]), pa.string())
    digest = hashlib.sha256()
    # A slice at a time: what is spelled out is several times as large as the columns.
    for start in range(0, len(mine), _SLICE):
        part = {name: values.slice(start, _SLICE) for name, values in texts.items()}
        lines = spell(part, dict.fromkeys(part, np.ones(len(part["source_id"]), bool)))
        digest.update("".join(lines.to_pylist()).encode())
    return digest.hexdigest()


def _overridden(found: Findings, job: Job) -> Findings:
    """Hold or skip what the job's own table of situations says."""
    rows, changes = found.rows.copy(), found.changes
    for situation, action in sorted(job.situations.items()):
        if action is SituationAction.DISABLE:
            continue
        usual = mask_of(rows["situation"].eq(situation.value) & rows["decision"].ne(Decision.SKIP.value))
        note = f" The job says {action.value} (`situations.{situation.value}`)."
        rows["reason"] = rows["reason"].mask(usual, rows["reason"] + note)
        if action is SituationAction.HOLD:
            rows.loc[usual, ["decision", "error_code"]] = Decision.HOLD.value, HELD_BY_JOB
        else:
            rows.loc[usual, ["decision", "error_code"]] = Decision.SKIP.value, SKIPPED
            changes = _without(changes, rows.loc[usual, "person"])
    return Findings(rows, changes)


def _graced(found: Findings, gathered: Gathered, leaving: pd.DataFrame | None, job: Job, now: dt.datetime) -> Findings:
    """Let disables wait whose days of grace are not over."""
    known = empty_frame(LEAVING_COLUMNS) if leaving is None else leaving
    rows = grace.wait(found.rows, gathered.standing.source_id, known, job.guards.grace_days, now)
    return Findings(
        rows, _without(found.changes, rows.loc[mask_of(rows["error_code"].eq(grace.GRACE_PERIOD)), "person"])
    )


def _without(changes: pd.DataFrame, people: pd.Series) -> pd.DataFrame:
    return changes[~mask_of(changes["person"].isin(people))] if len(people) else changes


def _allowed(found: Findings, job: Job) -> Findings:
    """Skip what the job's target object actions do not allow.

    A matched account that may not be updated is linked all the same, so that it is known whose it is. The added
    column `settles` is false where the wanted account does not come about.
    """
    rows = found.rows.assign(settles=True)
    for operation in Operation:
        if job.allows(operation):
            continue
        barred = mask_of(rows["operation"].eq(operation.value) & rows["decision"].eq(Decision.GO.value))
        word = "delete" if operation is Operation.DELETE else "create" if operation is Operation.CREATE else "update"
        note = f" The job's target object actions do not allow `{word}`, so nothing is written."
        reason = rows["reason"] + note
        linked = barred & mask_of(rows["situation"].eq(Situation.FOUND.value))
        rows.loc[barred, "reason"] = reason[barred]
        rows.loc[barred, "settles"] = False
        rows.loc[linked, "operation"] = Operation.NONE.value
        rows.loc[barred & ~linked, ["decision", "error_code"]] = Decision.SKIP.value, SKIPPED
        found = Findings(rows, _without(found.changes, rows.loc[barred, "person"]))
    return Findings(rows, found.changes)


def _told_once(found: Findings, skips: pd.DataFrame, gathered: Gathered) -> Findings:
    """Leave out skips that were told before in the same words."""
    rows = found.rows
    skipped = mask_of(rows["decision"].eq(Decision.SKIP.value))
    if not skipped.any() or skips.empty:
        return found
    source_id = series_of(take(gathered.standing.source_id, rows["person"].to_numpy(dtype=np.int64)))
    said = pd.MultiIndex.from_arrays([source_id, rows["error_code"].fillna(""), rows["reason"].fillna("")])
    told = pd.MultiIndex.from_arrays([skips["source_id"], skips["error_code"].fillna(""), skips["reason"].fillna("")])
    return Findings(rows[~(skipped & said.isin(told))], found.changes)


def _frames(found: Findings, gathered: Gathered, history: History) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the plan's two frames, in order."""
    order = _order(found.rows, gathered)
    rows = found.rows.iloc[order].reset_index(drop=True)
    person = rows["person"].to_numpy(dtype=np.int64)
    change_id = new_ids(len(rows))
    operations = {
        "change_id": change_id,
        "source_id": take(gathered.standing.source_id, person),
        "source_name": take(gathered.standing.source_name, person),
        **{name: array_of(rows[name]) for name in ("target_uri", "target_name", "situation", "operation", "decision")},
        "error_code": array_of(rows["error_code"]),
        "reason": array_of(rows["reason"]),
        "waits_for": nulls(len(rows)),
        "account_digest": _digest(rows, gathered),
    }
    place = np.full(gathered.wanted.count, -1, np.int64)
    place[person] = np.arange(len(rows))
    changes, row = _changes(found.changes, place, change_id)
    operations["waits_for"] = _waits_for(operations, changes, row, gathered.wanted.references)
    operations["risks"] = risks(operations, changes, row, history)
    return conform(table_of(operations), OPERATION_COLUMNS, "plan"), changes


def _order(rows: pd.DataFrame, gathered: Gathered) -> Places:
    """Give the order of rows: who waits for nobody first, then by source id."""
    person = rows["person"].to_numpy(dtype=np.int64)
    keys = pa.table({"depth": pa.array(gathered.depth[person]), "source_id": take(gathered.standing.source_id, person)})
    sorting = [("depth", "ascending"), ("source_id", "ascending")]
    return pc.sort_indices(keys, sort_keys=sorting).to_numpy().astype(np.int64)


def _digest(rows: pd.DataFrame, gathered: Gathered) -> pa.Array:
    """Give the digest to remember: that of the wanted account, none where the row does not bring it about."""
    person = rows["person"].to_numpy(dtype=np.int64)
    carried = mask_of(rows["decision"].ne(Decision.SKIP.value) & rows["settles"])
    return pc.if_else(pa.array(carried), take(gathered.digests, person), pa.scalar(None, pa.string()))


def _changes(found: pd.DataFrame, place: Places, change_id: pa.Array) -> tuple[pd.DataFrame, Places]:
    """Give the changes of the rows that are in the plan, in their order, and each one's row."""
    row = place[found["person"].to_numpy(dtype=np.int64)]
    order = np.argsort(row, kind="stable")
    order = order[row[order] >= 0]
    frame = found.iloc[order].reset_index(drop=True)
    columns = {"change_id": take(change_id, row[order])} | {
        name: array_of(frame[name]) for name in ("attribute", "before", "after")
    }
    return conform(table_of(columns), CHANGE_COLUMNS, "plan"), row[order]


def _waits_for(
    operations: Mapping[str, pa.Array], changes: pd.DataFrame, row: Places, references: Sequence[str]
) -> pa.Array:
    """Give for each row the source id of the person whose row has to come first.

    That is somebody whose account does not exist yet, or who becomes fit to be referred to by this very plan: Replicon
    takes nobody as a supervisor who holds no permission set for it or may not sign in.
    """
    after = array_of(changes["after"])
    pending = pc.fill_null(pc.starts_with(after, PENDING), False).to_numpy(zero_copy_only=False)
    fit = _becoming_fit(operations, changes, row)
    refers = mask_of(changes["attribute"].isin(references)) & ~pending
    place = np.full(len(after), -1, np.int64)
    found = places_of(after.filter(pa.array(refers)), take(operations["target_uri"], fit))
    place[refers] = np.append(fit, -1)[found]
    ready = refers & (place >= 0)
    waits = take(operations["source_id"], np.where(ready, place, -1))
    waits = pc.if_else(pa.array(pending), pc.utf8_slice_codeunits(after, len(PENDING)), waits)
    first = np.full(len(operations["source_id"]), -1, np.int64)
    first[row[pending | ready]] = np.flatnonzero(pending | ready)
    return take(waits, first)


def _becoming_fit(operations: Mapping[str, pa.Array], changes: pd.DataFrame, row: Places) -> Places:
    """Give the rows of existing accounts that get the login back or other permission sets."""
    operation = operations["operation"]
    granted = np.zeros(len(operation), bool)
    granted[row[mask_of(changes["attribute"].eq(PERMISSION_SETS))]] = True
    enabled = pc.equal(operation, Operation.ENABLE.value).to_numpy(zero_copy_only=False)
    updated = pc.equal(operation, Operation.UPDATE.value).to_numpy(zero_copy_only=False)
    return np.flatnonzero(enabled | (updated & granted))

"""The permission set without which Replicon takes nobody as a supervisor: given where the job names it.

`plan` calls it. Only linked accounts are given anything; who reports to whom is decided by the mapping.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Job, RepliconTarget
from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    STRING,
    STRINGS,
    Accounts,
    CycleKind,
    Decision,
    History,
    Manifest,
    Operation,
    Situation,
    conform,
)
from tasks.reconcile.columns import (
    Mask,
    array_of,
    holding,
    key_of,
    mask_of,
    new_ids,
    places_of,
    series_of,
    text_of,
    united,
)
from tasks.reconcile.references import PENDING
from tasks.reconcile.risks import PERMISSION_SETS, risks
from tasks.reconcile.target import TargetReader

SUPERVISOR: Final = "Supervisor"
"""The target attribute that names the account of a person's manager."""
WHY_GRANTED: Final = "People report to this account, so it is given the permission set that the job names for that."
WHY_KEPT: Final = (
    "It keeps the permission set for supervisors: whether nobody reports to it only a whole read can tell."
)
_GROWING: Final = [Operation.CREATE.value, Operation.UPDATE.value, Operation.ENABLE.value]


@dataclasses.dataclass(frozen=True)
class Granting:
    """What the permission set is given by: the job that names it, the links, the target, and what was read."""

    job: Job
    links: pd.DataFrame
    target: TargetReader
    kind: CycleKind
    manifest: Manifest
    history: History


def read_for(target: RepliconTarget) -> frozenset[str]:
    """Give the target attributes that have to be read so that it is known who lacks the permission set."""
    return frozenset([PERMISSION_SETS] if target.supervisor_permission_set else [])


def wished(accounts: Accounts, name: str | None) -> Accounts:
    """Let everybody hold the permission set `name` to whom somebody in `accounts` reports.

    It joins the permission sets that the mapping gives; where it gives none, `granted` sees to it.
    """
    if name is None or not {PERMISSION_SETS, SUPERVISOR} <= set(accounts.values.columns):
        return accounts
    people = accounts.people
    reporting = mask_of(people["active"]) & mask_of(accounts.values[SUPERVISOR].ne(people["source_id"]))
    above = mask_of(people["source_id"].isin(accounts.values.loc[reporting, SUPERVISOR].dropna()))
    sides = {"values": "flows", "on_create": "flows_on_create"}
    changed = {
        side: getattr(accounts, side).assign(
            **{
                PERMISSION_SETS: _joined(
                    array_of(getattr(accounts, side)[PERMISSION_SETS]),
                    name,
                    above & mask_of(getattr(accounts, flows)[PERMISSION_SETS]),
                )
            }
        )
        for side, flows in sides.items()
    }
    return dataclasses.replace(accounts, **changed)


def granted(operations: pd.DataFrame, changes: pd.DataFrame, granting: Granting) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the plan's frames with the permission set for everybody to whom this plan lets somebody report.

    Whoever holds it keeps it, unless everybody was read and nobody reports to them. A report waits for the row that
    makes the supervisor fit.
    """
    name = granting.job.target.supervisor_permission_set
    if name is None:
        return operations, changes
    before = changes
    if granting.kind is not CycleKind.INITIAL or not granting.manifest.complete:
        operations, changes = _kept(operations, changes, name, granting.target)
    if granting.job.allows(Operation.UPDATE):
        operations, changes = _given(operations, changes, name, granting)
    if changes is before:
        return operations, changes
    row = places_of(array_of(changes["change_id"]), array_of(operations["change_id"]))
    tagged = risks({"operation": array_of(operations["operation"])}, changes, row, granting.history)
    return operations.assign(risks=series_of(tagged)), changes


def _kept(
    operations: pd.DataFrame, changes: pd.DataFrame, name: str, target: TargetReader
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave the permission set where a change would take it away; what then changes nothing is left out."""
    mine = mask_of(changes["attribute"].eq(PERMISSION_SETS))
    had, has = (_holding(changes.loc[mine, side], name) for side in ("before", "after"))
    losing = np.flatnonzero(mine)[had & ~has]
    if not len(losing):
        return operations, changes
    changes, operations = changes.copy(), operations.copy()
    column = changes.columns.get_loc("after")
    changes.iloc[losing, column] = _with(changes["after"].iloc[losing], name).array
    some = changes.iloc[losing]
    attribute = dataclasses.replace(target.schema[PERMISSION_SETS], multivalued=False)
    left, right = (key_of(array_of(some[side]), attribute) for side in ("before", "after"))
    same = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
    named = mask_of(operations["change_id"].isin(some["change_id"]))
    operations.loc[named, "reason"] = operations.loc[named, "reason"] + " " + WHY_KEPT
    changes = changes.drop(index=changes.index[losing[same]]).reset_index(drop=True)
    idle = named & mask_of(operations["operation"].eq(Operation.UPDATE.value))
    idle &= ~mask_of(operations["change_id"].isin(changes["change_id"]))
    operations.loc[idle, "operation"] = Operation.NONE.value
    return operations, changes


def _given(
    operations: pd.DataFrame, changes: pd.DataFrame, name: str, granting: Granting
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the permission set to the linked accounts that become somebody's supervisor and lack it."""
    going = mask_of(operations["decision"].eq(Decision.GO.value))
    writing = operations.loc[going & mask_of(operations["operation"].isin(_GROWING)), "change_id"]
    refers = mask_of(changes["attribute"].eq(SUPERVISOR) & changes["change_id"].isin(writing))
    refers &= mask_of(changes["after"].notna()) & ~mask_of(changes["after"].str.startswith(PENDING))
    above = _lacking(operations, changes, changes.loc[refers, "after"].drop_duplicates(), name, granting)
    if above.empty:
        return operations, changes
    changes = _with_grants(operations, changes, above, name)
    row = above["change_id"].isin(operations["change_id"])
    new = conform(above[~row].assign(**_NEW), OPERATION_COLUMNS, "supervisors")[list(OPERATION_COLUMNS)]
    operations = operations.copy()
    named = mask_of(operations["change_id"].isin(above["change_id"]))
    operations.loc[named, "reason"] = operations.loc[named, "reason"] + " " + WHY_GRANTED
    idle = named & mask_of(operations["operation"].eq(Operation.NONE.value))
    operations.loc[idle, "operation"] = Operation.UPDATE.value
    first = changes[mask_of(changes["attribute"].eq(SUPERVISOR) & changes["change_id"].isin(writing))]
    waits = first.set_index("change_id")["after"].map(above.set_index("target_uri")["source_id"])
    operations["waits_for"] = operations["waits_for"].fillna(operations["change_id"].map(waits).astype(STRING))
    return pd.concat([new, operations], ignore_index=True), changes


_NEW: Final = {
    "situation": Situation.CONFIRMED.value,
    "operation": Operation.UPDATE.value,
    "decision": Decision.GO.value,
    "error_code": None,
    "reason": WHY_GRANTED,
    "waits_for": None,
    "risks": None,
}


def _lacking(
    operations: pd.DataFrame, changes: pd.DataFrame, uris: pd.Series, name: str, granting: Granting
) -> pd.DataFrame:
    """Give who of the accounts `uris` is linked, stays in use and will not hold the permission set.

    Columns are those of an operation's row, and `held`, what the account holds now as plans show it.
    """
    mine = operations[mask_of(operations["target_uri"].isin(uris))]
    stays = mask_of(mine["decision"].eq(Decision.GO.value) & mine["operation"].isin([*_GROWING, "none"]))
    links = granting.links
    linked = mask_of(links["target_uri"].isin(uris) & links["active"]) & ~mask_of(
        links["target_uri"].isin(mine["target_uri"])
    )
    names = ["source_id", "source_name", "target_uri", "target_name", "account_digest"]
    fresh = links.loc[linked, names].assign(change_id=series_of(new_ids(int(linked.sum()))).array)
    rows = pd.concat([mine.loc[stays, [*names, "change_id"]], fresh], ignore_index=True)
    if rows.empty:
        return rows
    there = granting.target.read(rows["target_uri"])
    sets = text_of(array_of(there[PERMISSION_SETS].astype(STRINGS)), granting.target.schema[PERMISSION_SETS])
    now = pd.Series(series_of(sets).array, index=there["target_uri"])
    rows = rows[mask_of(rows["target_uri"].isin(now.index))].reset_index(drop=True)
    rows["held"] = rows["target_uri"].map(now).astype(STRING)
    wished_sets = changes[mask_of(changes["attribute"].eq(PERMISSION_SETS))].set_index("change_id")["after"]
    then = rows["change_id"].map(wished_sets).astype(STRING).fillna(rows["held"])
    return rows[~_holding(then, name)].reset_index(drop=True)


def _with_grants(operations: pd.DataFrame, changes: pd.DataFrame, above: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give the changes with the permission set added for everybody in `above`, in the order of the operations."""
    mine = mask_of(changes["attribute"].eq(PERMISSION_SETS) & changes["change_id"].isin(above["change_id"]))
    changes = changes.copy()
    changes.loc[mine, "after"] = _with(changes.loc[mine, "after"], name).array
    rest = above[~mask_of(above["change_id"].isin(changes.loc[mine, "change_id"]))]
    added = pd.DataFrame(
        {
            "change_id": rest["change_id"],
            "attribute": PERMISSION_SETS,
            "before": rest["held"],
            "after": _with(rest["held"], name),
        }
    )
    whole = pd.concat([changes, conform(added, CHANGE_COLUMNS, "supervisors")], ignore_index=True)
    order = places_of(array_of(whole["change_id"]), array_of(operations["change_id"]))
    return whole.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _holding(sets: pd.Series, name: str) -> Mask:
    """Mark the JSON arrays that have `name`, letter case aside."""
    added = united(array_of(sets), pa.array(["[]"] * len(sets), pa.string()), fold=True)
    more = united(array_of(sets), _array_with(name, len(sets)), fold=True)
    marked: Mask = pc.equal(added, more).to_numpy(zero_copy_only=False)
    return marked


def _with(sets: pd.Series, name: str) -> pd.Series:
    """Add `name` to JSON arrays; a null counts as an empty one."""
    whole = series_of(united(array_of(sets), _array_with(name, len(sets)), fold=True))
    return pd.Series(whole.array, index=sets.index)


def _array_with(name: str, count: int) -> pa.Array:
    return pa.array([json.dumps([name], ensure_ascii=False)] * count, pa.string())


def _joined(lists: pa.Array, name: str, rows: Mask) -> pd.Series:
    """Add `name` to the lists of the marked rows that lack it."""
    added = np.flatnonzero(rows & ~holding(lists, [name]))
    parents = np.concatenate([pc.list_parent_indices(lists).to_numpy(), added])
    flat = pa.concat_arrays([pc.list_flatten(lists), pa.array([name] * len(added), pa.string())])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=len(lists)))])
    empty = lists.is_null().to_numpy(zero_copy_only=False).copy()
    empty[added] = False
    values = flat.take(pa.array(np.argsort(parents, kind="stable")))
    whole = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=pa.array(empty))
    return pd.Series(series_of(whole).array, dtype=STRINGS)

"""Cutting a plan for several processes: what depends on one another first and together, the rest by key range.

No I/O here; the flows hand the parts out. A part is itself a plan, carried out by `apply.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.load.work import LOGIN_NAME
from tasks.model import Decision, Plan, Situation

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclasses.dataclass(frozen=True)
class Cut:
    """A plan in parts: `first` has to be done before any of `rest`, which can be done at the same time.

    Every operation is in exactly one of them, with its changes, and all have the plan's id and cycle.
    """

    first: Plan
    rest: tuple[Plan, ...]


def cut_plan(plan: Plan, size: int) -> Cut:
    """Cut `plan` into parts of up to `size` operations each, by ranges of `source_id`.

    First come the rows that others wait for, with whomever those wait for in turn, so that later parts find every
    supervisor's account in the ledger. So do rows that meet in one account or one login name: only within a process
    is it known at once who has it. `first` may hold more than `size`.
    """
    operations = plan.operations.reset_index(drop=True)
    first = _awaited(operations, plan.writes.to_numpy(dtype=bool)) | _entangled(operations, plan.changes)
    first |= _below_lost(operations)
    places = np.flatnonzero(~first)
    order = pc.sort_indices(pa.array(operations["source_id"].array).take(pa.array(places))).to_numpy()
    number = np.empty(len(places), np.int64)
    number[order] = np.arange(len(places)) // size
    labels = np.full(len(operations), -1)
    labels[places] = number
    change_ids = pd.Index(operations["change_id"])
    written = labels[change_ids.get_indexer(pd.Index(plan.changes["change_id"]))]
    parts = [
        dataclasses.replace(
            plan,
            operations=operations[labels == label].reset_index(drop=True),
            changes=plan.changes[written == label].reset_index(drop=True),
        )
        for label in range(-1, int(labels.max(initial=-1)) + 1)
    ]
    return Cut(parts[0], tuple(parts[1:]))


def _awaited(operations: pd.DataFrame, writes: Mask) -> Mask:
    """Mark the rows that other rows wait for."""
    waited_for = operations.loc[writes, "waits_for"].dropna()
    return operations["source_id"].isin(waited_for).to_numpy(dtype=bool)


def _below_lost(operations: pd.DataFrame) -> Mask:
    """Mark the rows that wait for an account that is made again: until it is, the ledger still has the lost one."""
    lost = operations.loc[operations["situation"].eq(Situation.MISSING).fillna(value=False).astype(bool), "source_id"]
    return operations["waits_for"].isin(lost).to_numpy(dtype=bool)


def _entangled(operations: pd.DataFrame, changes: pd.DataFrame) -> Mask:
    """Mark the rows that are carried out and share an account, or a login name that one has and another one gets."""
    going = operations[operations["decision"].eq(Decision.GO).fillna(value=False).astype(bool)]
    logins = changes[changes["attribute"].eq(LOGIN_NAME) & changes["change_id"].isin(going["change_id"])]
    names = [
        pd.DataFrame({"change_id": going["change_id"], "name": going["target_name"].str.lower()}),
        *(
            pd.DataFrame({"change_id": logins["change_id"], "name": logins[side].str.lower()})
            for side in ("before", "after")
        ),
    ]
    held = pd.concat(names, ignore_index=True).dropna().drop_duplicates()
    shared = held.loc[held["name"].duplicated(keep=False), "change_id"]
    accounts = going.loc[going["target_uri"].duplicated(keep=False) & going["target_uri"].notna(), "change_id"]
    return operations["change_id"].isin(pd.concat([shared, accounts])).to_numpy(dtype=bool)

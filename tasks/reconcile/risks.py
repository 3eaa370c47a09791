"""Why a person should look twice at an operation: a few tags a row, worked out over whole columns. `plan` calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import REMOVALS, History, Operation, Risk
from tasks.reconcile.columns import Mask, Places, array_of, gained, joined, mask_of

LOGIN_NAME: Final = "LoginName"
"""The target attribute that an account signs in by."""
PERMISSION_SETS: Final = "PermissionSets"
"""The target attribute that says what an account may do."""
_EMAIL: Final = "EmailAddress"
_SUPERVISOR: Final = "Supervisor"


def risks(operations: Mapping[str, pa.Array], changes: pd.DataFrame, row: Places, history: History) -> pa.Array:
    """Give the risk tags of each operation, parted by commas; null where nothing stands out.

    `row` is the place in `operations` of each of `changes`. New accounts are risky only as the first of their kind.
    """
    operation = operations["operation"]
    existing = pc.not_equal(operation, Operation.CREATE.value).to_numpy(zero_copy_only=False)
    attribute, before = changes["attribute"], mask_of(changes["before"].notna())

    def changed(name: str, where: Mask | bool = True) -> Mask:
        marked = np.zeros(len(operation), bool)
        marked[row[mask_of(attribute.eq(name)) & where]] = True
        return marked & existing

    tags: dict[Risk, Mask] = {
        Risk.RENAMED: changed(LOGIN_NAME),
        Risk.DEACTIVATED: _is_one_of(operation, REMOVALS),
        Risk.EMAIL_CHANGED: changed(_EMAIL, before),
        Risk.PERMISSION_RAISED: changed(PERMISSION_SETS, raised(changes)),
        Risk.SUPERVISOR_CHANGED: changed(_SUPERVISOR, before),
        Risk.FIRST_OF_ITS_KIND: _first(operation, history),
    }
    named = joined(*(pc.if_else(pa.array(mask), f", {tag.value}", "") for tag, mask in tags.items()))
    return pc.if_else(pc.equal(named, ""), pa.scalar(None, pa.string()), pc.utf8_slice_codeunits(named, 2))


def raised(changes: pd.DataFrame) -> Mask:
    """Mark the changes that give an account permission sets which it did not hold."""
    marked = mask_of(changes["attribute"].eq(PERMISSION_SETS))
    some = changes[marked]
    marked[marked] = pc.not_equal(gained(array_of(some["before"]), array_of(some["after"])), "").to_numpy(
        zero_copy_only=False
    )
    return marked


def _first(operation: pa.Array, history: History) -> Mask:
    if history.operations is None:
        return np.zeros(len(operation), bool)
    return _is_one_of(operation, frozenset(Operation) - history.operations - {Operation.NONE})


def _is_one_of(operation: pa.Array, among: frozenset[Operation]) -> Mask:
    found = pc.is_in(operation, value_set=pa.array(sorted(among), pa.string()))
    marked: Mask = found.to_numpy(zero_copy_only=False)
    return marked

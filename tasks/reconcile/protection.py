"""Accounts and permission sets that a job protects: which accounts they are, and what may not be done to them.

`plan` finds the accounts, `guards` holds what would harm them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Guards
from tasks.model import REMOVALS, STRING, Decision
from tasks.reconcile.columns import Mask, array_of, gained, holding, mask_of
from tasks.reconcile.risks import LOGIN_NAME, PERMISSION_SETS
from tasks.reconcile.target import Identity

PROTECTED: Final = "ProtectedAccount"
"""Our code for an operation on an account that is never removed, renamed or given other rights."""
PROTECTED_RIGHT: Final = "ProtectedPermissionSet"
"""Our code for an operation that would give a permission set which provisioning never gives."""
GROUPS: Final = ("Department", "EmployeeType", "Location", "Division", "CostCenter", "ServiceCenter")
"""The attributes that name a group which an account is in."""
WHY_PROTECTED: Final = (
    "This account is protected (by `guards.protected_logins`, `protected_groups` or `protected_permission_sets`, or "
    "because provisioning signs in with it), so it is never disabled, deleted, renamed or given other permission sets. "
    "Take it out of the mapping's reach, or do it by hand."
)
WHY_NOT_GIVEN: Final = (
    "It would give a permission set that `guards.protected_permission_sets` names, and provisioning never gives those. "
    "Correct the app role or the mapping, or give it by hand."
)


def read_for(guards: Guards) -> frozenset[str]:
    """Give the target attributes that have to be read so that the protected accounts are known."""
    groups = GROUPS if guards.protected_groups else ()
    return frozenset([*groups, *([PERMISSION_SETS] if guards.protected_permission_sets else [])])


def shielded(accounts: pd.DataFrame, guards: Guards) -> pa.Array:
    """Give the URIs of those accounts that are in a protected group or hold a protected permission set."""
    marked = np.zeros(len(accounts), bool)
    for name in GROUPS:
        if guards.protected_groups and name in accounts.columns:
            marked |= mask_of(accounts[name].str.lower().isin(_folded(guards.protected_groups)))
    if guards.protected_permission_sets and PERMISSION_SETS in accounts.columns:
        marked |= holding(array_of(accounts[PERMISSION_SETS]), guards.protected_permission_sets)
    return array_of(accounts["target_uri"]).filter(pa.array(marked))


def harmed(operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards, identity: Identity, uris: pa.Array) -> Mask:
    """Mark what would take a protected account away, rename it or change its rights; `uris` come from `shielded`."""
    logins = _folded([*guards.protected_logins, identity.login_name])
    renames = changes.loc[changes["attribute"].eq(LOGIN_NAME)].set_index("change_id")["before"].dropna()
    current = operations["change_id"].map(renames).astype(STRING).fillna(operations["target_name"])
    own = mask_of(operations["target_uri"].eq(identity.uri)) | mask_of(current.str.lower().isin(logins))
    rights = changes.loc[changes["attribute"].eq(PERMISSION_SETS), "change_id"]
    listed = pc.is_in(array_of(operations["target_uri"]), value_set=uris).to_numpy(zero_copy_only=False)
    harm = (
        mask_of(operations["operation"].isin([one.value for one in REMOVALS]))
        | mask_of(operations["change_id"].isin(renames.index))
        | mask_of(operations["change_id"].isin(rights))
    )
    return (own | listed) & harm & mask_of(operations["decision"].eq(Decision.GO.value))


def overreaching(operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards) -> Mask:
    """Mark what would give somebody a protected permission set that they do not hold."""
    if not guards.protected_permission_sets:
        return np.zeros(len(operations), bool)
    some = changes[mask_of(changes["attribute"].eq(PERMISSION_SETS))]
    given = gained(array_of(some["before"]), array_of(some["after"]))
    names = _folded(guards.protected_permission_sets)
    coded = given.dictionary_encode()
    bad = pa.array([bool(names & set(text.split("\n"))) for text in coded.dictionary.to_pylist()], pa.bool_())
    guilty = (
        some["change_id"][bad.take(coded.indices).to_numpy(zero_copy_only=False)] if len(some) else some["change_id"]
    )
    return mask_of(operations["change_id"].isin(guilty)) & mask_of(operations["decision"].eq(Decision.GO.value))


def _folded(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names if name}

"""Where each person stands by what the source and our links say, before the target is asked. `plan` starts here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import Accounts, Presence, Situation
from tasks.reconcile.columns import Mask, Places, array_of, lower, mask_of, places_of, series_of

LOGIN_ENABLED = "LoginEnabled"
"""The target attribute that switches an account on and off."""


@dataclasses.dataclass(frozen=True)
class Links:
    """What is remembered of earlier cycles, one row a linked person (the ledger's links, as Arrow columns)."""

    source_id: pa.Array
    source_name: pa.Array
    target_uri: pa.Array
    target_name: pa.Array
    digest: pa.Array
    written: pa.Array
    active: Mask

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Links:
        """Take the ledger's frame of links."""
        return cls(
            source_id=array_of(frame["source_id"]),
            source_name=array_of(frame["source_name"]),
            target_uri=array_of(frame["target_uri"]),
            target_name=array_of(frame["target_name"]),
            digest=array_of(frame["account_digest"]),
            written=array_of(frame["written"]),
            active=mask_of(frame["active"]),
        )


@dataclasses.dataclass(frozen=True)
class Standing:
    """One row a person, in the order of `Accounts.people`.

    `link` is the person's row in the links, -1 without one. `active` says that the account should be usable: the
    person is active and the mapping does not say otherwise. `alone` and `failed` people are not touched in this cycle
    (`failed`: the mapping failed for an active person). `gone` is deleted for good.
    """

    source_id: pa.Array
    source_name: pa.Array
    scope_reason: pa.Array
    error: pa.Array
    error_attribute: pa.Array
    link: Places
    linked: Mask
    link_active: Mask
    active: Mask
    alone: Mask
    failed: Mask
    gone: Mask
    situation: pa.Array

    @classmethod
    def of(cls, accounts: Accounts, links: Links) -> Standing:
        """Judge everybody in `accounts`."""
        people = accounts.people
        source_id, presence = array_of(people["source_id"]), array_of(people["presence"])
        link = places_of(source_id, links.source_id)
        linked = link >= 0
        in_scope = mask_of(people["in_scope"])
        here = pc.equal(presence, Presence.PRESENT.value).to_numpy(zero_copy_only=False)
        gone = pc.equal(presence, Presence.HARD_DELETED.value).to_numpy(zero_copy_only=False)
        active = mask_of(people["active"]) & ~gone & ~_switched_off(accounts)
        alone = mask_of(people["left_alone"])
        return cls(
            source_id=source_id,
            source_name=pc.coalesce(array_of(people["source_name"]), source_id),
            scope_reason=array_of(people["scope_reason"]),
            error=array_of(people["error"]),
            error_attribute=array_of(people["error_attribute"]),
            link=link,
            linked=linked,
            link_active=np.where(linked, np.append(links.active, False)[link], False),
            active=active,
            alone=alone,
            failed=people["error"].notna().to_numpy(dtype=bool) & active & ~alone,
            gone=gone,
            situation=_leaving(gone, here, in_scope),
        )

    @property
    def usual(self) -> Mask:
        """Active people whose account is to be made or kept equal to the mapping."""
        return self.active & ~self.alone & ~self.failed

    @property
    def leaving(self) -> Mask:
        """Linked people who are to lose their login or their account."""
        return self.linked & ~self.active & ~self.alone


def _leaving(gone: Mask, here: Mask, in_scope: Mask) -> pa.Array:
    """Give the situation that each person is in if they are leaving."""
    names = [Situation.OUT_OF_SCOPE.value, Situation.SOURCE_DISABLED.value, Situation.SOURCE_DELETED.value]
    return pa.array(names, pa.string()).take(pa.array(np.where(gone, 2, (~here | in_scope).astype(np.int8))))


def _switched_off(accounts: Accounts) -> Mask:
    """Tell for whom the mapping itself takes the login away, whatever the source says of them."""
    if LOGIN_ENABLED not in accounts.values.columns:
        return np.zeros(len(accounts.people), bool)
    off = pc.equal(lower(array_of(accounts.values[LOGIN_ENABLED])), "false")
    return mask_of(series_of(off)) & mask_of(accounts.flows[LOGIN_ENABLED])

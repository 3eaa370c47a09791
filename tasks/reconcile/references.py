"""Supervisors: who can be written as one already, whose account has to come first, and circles in the org chart.

`plan` calls it. A reference to somebody who has no account and gets none does not flow; it is noted, and flows in the
cycle in which that person gets one.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.reconcile.columns import Mask, Places, joined, nulls, places_of, take

PENDING: Final = "source:"
"""Begins the value of a reference to an account that this plan creates; the person's source id follows."""


@dataclasses.dataclass(frozen=True)
class Anchors:
    """Everybody who has an account or gets one: `target_uri` is null while the plan has yet to create it.

    `source_id` is unique.
    """

    source_id: pa.Array
    target_uri: pa.Array


@dataclasses.dataclass(frozen=True)
class Resolved:
    """One reference attribute of everybody.

    `source_id` names the other person where the reference flows; `uri` is that person's account, or `source:<id>`
    while it does not exist; `pending` marks the latter. `dropped` marks references to people without an account,
    which do not flow.
    """

    source_id: pa.Array
    uri: pa.Array
    flows: Mask
    pending: Mask
    dropped: Mask


def resolve(wanted: pa.Array, flows: Mask, own: pa.Array, anchors: Anchors) -> Resolved:
    """Find the accounts of the people that `wanted` names by source id; `own` is each row's own source id.

    Nobody is their own supervisor: such a reference does not flow. A null that flows clears the target.
    """
    place = places_of(wanted, anchors.source_id)
    named = wanted.is_valid().to_numpy(zero_copy_only=False)
    itself = pc.fill_null(pc.equal(wanted, own), False).to_numpy(zero_copy_only=False)
    known = (place >= 0) & ~itself
    uri = take(anchors.target_uri, place)
    pending = known & uri.is_null().to_numpy(zero_copy_only=False)
    source_id = pc.if_else(pa.array(known), wanted, pa.scalar(None, pa.string()))
    uri = pc.if_else(pa.array(pending), joined(PENDING, source_id), uri)
    return Resolved(
        source_id=source_id,
        uri=pc.if_else(pa.array(known), uri, pa.scalar(None, pa.string())),
        flows=flows & (known | ~named),
        pending=pending & flows,
        dropped=flows & named & ~known,
    )


def nobody(count: int) -> Anchors:
    """Give anchors without anybody."""
    return Anchors(nulls(count), nulls(count))


def depths(waits_for: Places) -> tuple[Places, Mask]:
    """Give how many others each row waits for, and which rows go first where rows wait for each other in a circle.

    `waits_for` is the row that each row waits for, -1 for none. In each circle the row with the lowest number goes
    first, as if it waited for nobody, and the depths are those that follow. Works by doubling steps, so that a chain of
    any length takes a few passes over whole columns.
    """
    opens = _openers(waits_for)
    step = np.where(opens, -1, waits_for)
    depth = (step >= 0).astype(np.int64)
    while (step >= 0).any():
        moving = step >= 0
        depth = depth + np.where(moving, depth[step], 0)
        step = np.where(moving, step[step], -1)
    return depth, opens


def _openers(waits_for: Places) -> Mask:
    """Mark in each circle the row with the lowest number."""
    count = len(waits_for)
    opens = np.zeros(count, bool)
    step = waits_for.copy()
    for _ in range(count.bit_length()):
        step = np.where(step >= 0, step[step], -1)
    circle = np.unique(step[step >= 0])
    if not len(circle):
        return opens
    lowest, step = np.arange(count), waits_for.copy()
    for _ in range(len(circle).bit_length()):
        lowest[circle] = np.minimum(lowest[circle], lowest[step[circle]])
        step[circle] = step[step[circle]]
    opens[circle[lowest[circle] == circle]] = True
    return opens

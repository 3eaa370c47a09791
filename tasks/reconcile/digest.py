"""A short text for each account that a person should have, equal exactly while that account stays the same.

Remembered with the link, so that an unchanged person is known as such without a read. Equal on every machine and under
every version of every library: it is a standard hash of bytes that are spelled out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.reconcile.columns import Mask

_BYTES: Final = 16
_SLICE: Final = 50_000


def digests(keys: Mapping[str, pa.Array], flows: Mapping[str, Mask], wanted: Mask) -> pa.Array:
    """Give the digest of each row that is `wanted`, null for the others.

    `keys` are the attributes' comparable forms, `flows` where they are written: what does not flow does not count.
    """
    hashed: list[str] = []
    # A slice at a time: what is spelled out is several times as large as the columns.
    for start in range(0, len(wanted), _SLICE):
        mask = wanted[start : start + _SLICE]
        chosen = pa.array(mask)
        spelled = spell(
            {name: values.slice(start, _SLICE).filter(chosen) for name, values in keys.items()},
            {name: flow[start : start + _SLICE][mask] for name, flow in flows.items()},
        )
        # Nothing vectorised hashes bytes alike in every version; this is one call into C and a microsecond a person.
        hashed += [blake2b(text, digest_size=_BYTES).hexdigest() for text in spelled.cast(pa.binary()).to_pylist()]
    places = np.where(wanted, np.cumsum(wanted) - 1, 0)
    return pa.array(hashed, pa.string()).take(pa.array(places, mask=~wanted))


def spell(keys: Mapping[str, pa.Array], flows: Mapping[str, Mask]) -> pa.Array:
    """Write each row as one text that no other row can have: name, length and value of all that flows, by name."""
    parts = []
    for name in sorted(keys):
        length = pc.cast(pc.binary_length(keys[name]), pa.string())
        value = pc.binary_join_element_wise(f"{name}=", length, ":", keys[name], ";", "")
        parts.append(pc.if_else(pa.array(flows[name]), pc.fill_null(value, f"{name}~;"), ""))
    if not parts:
        count = len(next(iter(flows.values()), np.array([], bool)))
        return pa.array([""] * count, pa.string())
    return pc.binary_join_element_wise(*parts, "")

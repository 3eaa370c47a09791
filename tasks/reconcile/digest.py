"""A short text for each account that a person should have, equal exactly while that account stays the same.

Remembered with the link, so that an unchanged person is known as such without a read. Equal on every machine and under
every version of every library: it is MurmurHash3 of bytes that are spelled out here, added up over the attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import TargetAttribute
from tasks.reconcile.columns import HEX, Mask, key_of
from tasks.reconcile.fingerprint import Lanes, fingerprints, halves

_VERSION: Final = b"2:"
"""Begins each digest. Whoever changes how digests are made changes it: each account is then compared once more."""
_HEX: Final = np.hstack([np.tile(HEX, (256, 1)), np.repeat(HEX, 256, axis=0)]).view("<u4").ravel()
"""The four hexadecimal digits of two bytes, the first byte the lower one of the index."""
_SAMPLE: Final = 4_096
_FEW: Final = 1_024


def hashed(name: str, values: pa.Array, attribute: TargetAttribute | None) -> Lanes:
    """Give the hash of each value of the attribute `name`: that of its comparable form, or of `values` as they are.

    The same value has another hash in another attribute. Null has one too.
    """
    seed = halves(name)
    coded = values.dictionary_encode() if _repeats(values) else None
    distinct = values if coded is None else coded.dictionary
    lanes = fingerprints(distinct if attribute is None else key_of(distinct, attribute), seed)
    if coded is None:
        return lanes
    # Null stands behind the distinct values: key_of may make others null, so it is hashed like any.
    nothing = fingerprints(pa.nulls(1, pa.string()), seed)
    places = pc.fill_null(coded.indices, len(distinct)).to_numpy(zero_copy_only=False)
    return np.append(lanes[0], nothing[0])[places], np.append(lanes[1], nothing[1])[places]


def total(parts: Iterable[tuple[Lanes, Mask]], count: int) -> Lanes:
    """Add the hashes of each of `count` rows up, over the attributes that flow there: what does not does not count."""
    whole = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for lanes, flows in parts:
        for sums, lane in zip(whole, lanes, strict=True):
            np.add(sums, lane, out=sums, where=True if flows.all() else flows)
    return whole


def digests(sums: Lanes, wanted: Mask) -> pa.Array:
    """Give each row's digest from what `total` gave: a version and 32 hexadecimal digits; null where not `wanted`."""
    count, size = len(wanted), len(_VERSION) + 32
    texts = np.empty((count, size), np.uint8)
    texts[:, : len(_VERSION)] = np.frombuffer(_VERSION, np.uint8)
    for place, lane in enumerate(sums):
        # The highest byte comes first, as hexadecimal numbers are written.
        pairs = lane.astype(">u8").view("<u2").reshape(count, 4)
        start = len(_VERSION) + 16 * place
        texts[:, start : start + 16] = _HEX[pairs].view(np.uint8).reshape(count, 16)
    offsets = np.arange(0, size * count + 1, size, dtype=np.int32)
    whole = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(texts))
    return whole if wanted.all() else pc.if_else(pa.array(wanted), whole, pa.scalar(None, pa.string()))


def _repeats(values: pa.Array) -> bool:
    """Tell whether few different values seem to stand in the column, so that each is better hashed once."""
    if pa.types.is_list(values.type) or len(values) < _SAMPLE:
        return False
    return len(pc.unique(values.slice(0, _SAMPLE))) <= _FEW


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

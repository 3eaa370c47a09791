"""Whole columns as Arrow arrays: text forms in which two values are equal exactly when the target holds them equal.

`compare`, `matching`, `digest` and `plan` use these; nothing here knows people, links or plans.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import BOOL, STRING, TargetAttribute

_UNIT: Final = "\x1f"
HEX: Final = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint8).reshape(256, 2)
"""The two hexadecimal digits of each byte."""
_DATE: Final = r"^(?P<day>\d{4}-\d{2}-\d{2})(?:[T ].*)?$"
_DAY: Final = len("2026-03-09")

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""One flag a row."""
Places = np.ndarray[Any, np.dtype[np.int64]]
"""Row numbers; -1 where there is none."""


def array_of(series: pd.Series) -> pa.Array:
    """Give a column as one Arrow array, without copying where it is one already."""
    array = pa.array(series.array)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def series_of(array: pa.Array | pa.ChunkedArray) -> pd.Series:
    """Give an Arrow array as an Arrow-backed column."""
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array(array) if isinstance(array, pa.Array) else array))


def mask_of(series: pd.Series) -> Mask:
    """Give a flag column as numpy flags that may be changed; missing counts as false."""
    if series.dtype == BOOL:
        flags: Mask = pc.fill_null(array_of(series), False).to_numpy(zero_copy_only=False)
    else:
        flags = series.fillna(False).to_numpy(dtype=bool)
    # pandas lends its own array, read-only, where it is one of numpy's already.
    return flags if flags.flags.writeable else flags.copy()


def take(array: pa.Array, places: Places) -> pa.Array:
    """Give the values at `places`; null where a place is -1."""
    count = len(places)
    if count and places[0] >= 0 and places[-1] - places[0] == count - 1 and (places[1:] - places[:-1] == 1).all():
        return array.slice(places[0], count)
    return array.take(pa.array(places, mask=places < 0))


def places_of(values: pa.Array, among: pa.Array) -> Places:
    """Give for each of `values` its row in `among` (whose values are unique), -1 where it is not there or null."""
    if not len(values):
        return np.zeros(0, np.int64)
    found = pc.index_in(values, value_set=among, skip_nulls=True)
    places: Places = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def nulls(count: int) -> pa.Array:
    """Give a text column without values."""
    return pa.nulls(count, pa.string())


def key_of(values: pa.Array, attribute: TargetAttribute) -> pa.Array:
    """Give the comparable form of `values`: equal texts exactly where the target holds the values equal.

    Letter case counts by `case_exact`, dates compare as days, several values as a set; empty is null.
    """
    if attribute.multivalued:
        return _set_keys(values, fold=not attribute.case_exact)
    if attribute.type == "DateTime":
        values = day_of(values)
    elif attribute.type == "Boolean" or not attribute.case_exact:
        values = lower(values)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def lower(values: pa.Array) -> pa.Array:
    """Give texts in lower case, by the quick way where all of them are plain ASCII."""
    return pc.ascii_lower(values) if pc.all(pc.string_is_ascii(values)).as_py() is not False else pc.utf8_lower(values)


def text_of(values: pa.Array, attribute: TargetAttribute) -> pa.Array:
    """Give `values` as a plan shows and writes them: several values as a JSON array, dates as yyyy-mm-dd."""
    if attribute.multivalued:
        return _set_texts(values)
    return day_of(values) if attribute.type == "DateTime" else values


def day_of(values: pa.Array) -> pa.Array:
    """Cut instants such as 2026-03-09T00:00:00Z down to their day; what is no date stays as it is."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= _DAY:
        return values
    return pc.coalesce(pc.struct_field(pc.extract_regex(values, pattern=_DATE), "day"), values)


def differ(left: pa.Array, right: pa.Array) -> Mask:
    """Tell where two text columns differ; null equals null alone."""
    unequal = pc.not_equal(left, right)
    if unequal.null_count:
        unequal = pc.coalesce(unequal, pc.xor(left.is_valid(), right.is_valid()))
    flags: Mask = unequal.to_numpy(zero_copy_only=False)
    return flags


def united(first: pa.Array, second: pa.Array, *, fold: bool) -> pa.Array:
    """Give the union of two columns of JSON arrays; of values that `fold` holds equal the first column's stays."""

    def union(pair: str) -> str:
        known, added = (json.loads(part) if part else [] for part in pair.split(_UNIT))
        kept = {_folded(value, fold=fold): value for value in [*added, *known]}
        return json.dumps(sorted(kept.values()), ensure_ascii=False)

    return _by_distinct(pc.binary_join_element_wise(pc.fill_null(first, ""), pc.fill_null(second, ""), _UNIT), union)


def gained(before: pa.Array, after: pa.Array) -> pa.Array:
    """Give the values that `after` (JSON arrays) has and `before` has not, folded and a line each; empty for none."""

    def gain(pair: str) -> str:
        had, has = ({value.lower() for value in json.loads(part)} if part else set() for part in pair.split(_UNIT))
        return "\n".join(sorted(has - had))

    return _by_distinct(pc.binary_join_element_wise(pc.fill_null(before, ""), pc.fill_null(after, ""), _UNIT), gain)


def holding(lists: pa.Array, names: Iterable[str]) -> Mask:
    """Mark the lists that hold one of `names`, letter case aside."""
    folded = pa.array(sorted({name.lower() for name in names if name}), pa.string())
    held = pc.is_in(pc.utf8_lower(pc.list_flatten(lists)), value_set=folded)
    marked = np.zeros(len(lists), bool)
    marked[pc.list_parent_indices(lists).filter(held).to_numpy()] = True
    return marked


def joined(*parts: Any) -> pa.Array:
    """Join columns and texts end to end, row by row; a null part counts as empty."""
    options = {"null_handling": "replace", "null_replacement": ""}
    return pc.binary_join_element_wise(*parts, "", **options)


def new_ids(count: int) -> pa.Array:
    """Give `count` random UUIDs (version 4), a million in well under a second."""
    raw = np.frombuffer(bytearray(os.urandom(16 * count)), np.uint8).reshape(count, 16)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = HEX[raw].reshape(count, 32)
    texts = np.insert(digits, [8, 12, 16, 20], ord("-"), axis=1)
    offsets = np.arange(0, 36 * count + 1, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(texts)))


def listed(groups: Places, texts: pa.Array, count: int) -> pa.Array:
    """Join `texts` with commas by their group: `groups` is sorted, and the result has `count` rows."""
    ends = np.searchsorted(groups, np.arange(count + 1)).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), texts), ", ")


def table_of(columns: dict[str, pa.Array]) -> pd.DataFrame:
    """Make a frame of Arrow columns."""
    frame: pd.DataFrame = pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def texts(values: Sequence[str]) -> pd.Series:
    """Give a text column of `values`."""
    return pd.Series(list(values), dtype=STRING)


def _set_keys(lists: pa.Array, *, fold: bool) -> pa.Array:
    keys = _set_texts(lists, fold=fold)
    return pc.if_else(pc.equal(keys, "[]"), pa.scalar(None, pa.string()), keys)


def _set_texts(lists: pa.Array, *, fold: bool = False) -> pa.Array:
    """Give each list as the JSON array of its distinct values in order.

    Lists are joined before they are looked at, because people share few different ones: the work is a step for each
    different list, not for each person.
    """
    if lists.type == pa.null():
        return nulls(len(lists))

    def as_json(one: str) -> str:
        kept = {_folded(value, fold=fold): value for value in sorted(one.split(_UNIT), reverse=True) if value}
        return json.dumps(sorted(kept if fold else kept.values()), ensure_ascii=False)

    offsets = pa.array(lists.offsets.to_numpy())
    filled = pa.ListArray.from_arrays(offsets, pc.fill_null(lists.values, ""))
    whole = _by_distinct(pc.binary_join(filled, _UNIT), as_json)
    return pc.if_else(lists.is_null(), pa.scalar(None, pa.string()), whole) if lists.null_count else whole


def _folded(value: str, *, fold: bool) -> str:
    return value.lower() if fold else value


def _by_distinct(values: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Apply `change` once to each different value."""
    coded = values.dictionary_encode()
    changed = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)

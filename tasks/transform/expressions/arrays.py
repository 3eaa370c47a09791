"""Small tools over whole Arrow arrays that several functions share. Knows no function of the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import TEXT
from tasks.transform.expressions.elementwise import MAX_VALUE_CHARACTERS, Partial

WHITE: Final = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What .NET trims (Char.IsWhiteSpace)."""


def where_ascii(source: pa.Array, fast: Callable[[pa.Array], pa.Array]) -> pa.Array | Partial:
    """Give `fast` of the array, leaving values that are not ASCII to be computed one by one."""
    return where_plain(source, pc.string_is_ascii(source), fast)


def where_plain(source: pa.Array, plain: pa.Array, fast: Callable[[pa.Array], pa.Array]) -> pa.Array | Partial:
    """Give `fast` of the array, leaving the values where `plain` is false to be computed one by one."""
    settled = pc.fill_null(plain, True)
    return fast(source) if pc.all(settled).as_py() is not False else Partial(fast(source), pc.invert(settled))


def fits(*parts: pa.Array | str | None, further: int = 0) -> bool:
    """Tell whether values made of these and `further` characters stay within the limit, whatever the row."""
    return sum(map(longest, parts)) + further <= MAX_VALUE_CHARACTERS


def longest(part: pa.Array | str | None) -> int:
    """Give how long the longest value is at most, in characters."""
    if part is None or isinstance(part, str):
        return len(part or "")
    return pc.max(pc.binary_length(part)).as_py() or 0


def operand(value: pa.Array | str | None) -> pa.Array | pa.Scalar:
    """Give a column, or a constant as Arrow takes one beside columns."""
    return value if isinstance(value, pa.Array) else pa.scalar(value, TEXT)


def replaced_nulls(value: pa.Array | str | None, by: str) -> pa.Array | str:
    """Give a column or constant with another text in place of null."""
    return pc.fill_null(value, by) if isinstance(value, pa.Array) else by if value is None else value


def without_empty(lists: pa.Array, values: pa.Array | None = None) -> pa.Array:
    """Give lists without their null and empty texts; `values`, when given, stand in for the lists' values."""
    flat = lists.flatten() if values is None else values
    kept = pc.fill_null(pc.not_equal(flat, ""), False)
    if pc.all(kept).as_py() is not False:
        return lists if values is None else _lists_like(lists, values)
    parents = pc.list_parent_indices(lists).filter(kept).to_numpy()
    offsets = np.searchsorted(parents, np.arange(len(lists) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat.filter(kept), mask=lists.is_null())


def _lists_like(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Give lists of the same lengths with other values."""
    offsets = lists.offsets
    return pa.ListArray.from_arrays(pc.subtract(offsets, offsets[0]), values, mask=lists.is_null())

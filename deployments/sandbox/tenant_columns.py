"""Columns that hold one property of a million people in little memory: coded words, texts, values derived from texts.

No knowledge of what the properties mean. Made by `company`, read by `tenant`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Comparison(StrEnum):
    """How a filter compares a property with a literal."""

    EQUALS = "eq"
    """The same value; text regardless of letter case."""
    STARTS_WITH = "startswith"
    """Text that begins so, regardless of letter case."""
    ENDS_WITH = "endswith"
    """Text that ends so, regardless of letter case."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """One comparison of a filter; `member` names the part of an object-valued property that is compared."""

    comparison: Comparison
    value: str | bool | None
    member: str | None = None

    def holds(self, found: object) -> bool:
        """Tell whether a property's value meets the condition; a missing value meets `eq null` only."""
        if self.member is not None:
            found = found.get(self.member) if isinstance(found, Mapping) else None
        if not isinstance(found, str) or not isinstance(self.value, str):
            return self.comparison is Comparison.EQUALS and type(found) is type(self.value) and found == self.value
        held, wanted = found.lower(), self.value.lower()
        match self.comparison:
            case Comparison.EQUALS:
                return held == wanted
            case Comparison.STARTS_WITH:
                return held.startswith(wanted)
            case Comparison.ENDS_WITH:
                return held.endswith(wanted)


class Column(Protocol):
    """One property of everyone, by row."""

    def take(self, rows: Rows) -> list[Any]:
        """Give the values of `rows`, in their order, ready for JSON."""

    def where(self, condition: Condition) -> Mask:
        """Mark the rows that meet `condition`."""


class Coded:
    """Few different values, each row holding the code of one; values may be text, flags, objects or null."""

    def __init__(self, codes: npt.NDArray[Any], words: list[Any]) -> None:
        """Keep `codes` (indexes into `words`) in the smallest integers that hold them."""
        self._codes = codes.astype(np.min_scalar_type(max(len(words) - 1, 0)))
        self._words = np.empty(len(words), dtype=object)
        self._words[:] = words

    def take(self, rows: Rows) -> list[Any]:
        """Give the values of `rows`; equal rows share one object, which callers must not change."""
        return self._words[self._codes[rows]].tolist()

    def where(self, condition: Condition) -> Mask:
        """Mark the rows that meet `condition`."""
        return np.fromiter((condition.holds(word) for word in self._words), bool, len(self._words))[self._codes]


class Texts:
    """Mostly different texts or nulls, held as an Arrow string array."""

    def __init__(self, values: pa.Array) -> None:
        """Keep `values`, a string array."""
        self._values = values
        self._lower: pa.Array | None = None

    def take(self, rows: Rows) -> list[Any]:
        """Give the texts of `rows`, null as None."""
        return self._values.take(pa.array(rows)).to_numpy(zero_copy_only=False).tolist()

    def where(self, condition: Condition) -> Mask:
        """Mark the rows that meet `condition`."""
        if condition.member is not None or isinstance(condition.value, bool):
            return np.zeros(len(self._values), dtype=bool)
        if condition.value is None:
            return _mask(self._values.is_null())
        if self._lower is None:
            self._lower = pc.utf8_lower(self._values)
        wanted = condition.value.lower()
        match condition.comparison:
            case Comparison.EQUALS:
                return _mask(pc.equal(self._lower, wanted))
            case Comparison.STARTS_WITH:
                return _mask(pc.starts_with(self._lower, wanted))
            case Comparison.ENDS_WITH:
                return _mask(pc.ends_with(self._lower, wanted))


class Derived:
    """Values computed from another column when they are read, so that they take no memory."""

    def __init__(self, source: Column, compute: Callable[[Any], Any]) -> None:
        """Derive each value from that of `source` by `compute`, which is given None for null."""
        self._source = source
        self._compute = compute

    def take(self, rows: Rows) -> list[Any]:
        """Give the computed values of `rows`."""
        return [self._compute(value) for value in self._source.take(rows)]

    def where(self, condition: Condition) -> Mask:
        """Mark the rows that meet `condition`, by computing all of them."""
        length = len(self._source.where(condition))
        return np.fromiter((condition.holds(value) for value in self.take(np.arange(length))), bool, length)


def _mask(flags: pa.Array | pa.ChunkedArray) -> Mask:
    found: Mask = pc.fill_null(flags, False).to_numpy(zero_copy_only=False)
    return found

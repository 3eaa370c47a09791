"""The rows an operation sees, and what all rows of one evaluation share: clock, target, budget, memory, trace.

Used by `compiler`, the functions and `engine`. Filtering a frame costs nothing until a column of it is asked for.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tasks.transform.expressions.columns import LIST, TEXT, Column, Mask, Result, constant
from tasks.transform.expressions.tree import Node

MEMO_ENTRIES: Final = 50_000
"""Values that one function remembers from batch to batch; more would cost memory and seldom come again."""
PATTERN_SECONDS: Final = 0.25
"""Longest that one regular expression may take over one value."""
PATTERN_SECONDS_IN_ALL: Final = 120.0
"""Longest that the regular expressions of one evaluation may take over all rows."""
PATTERN_TIMEOUTS: Final = 4
"""Values over `PATTERN_SECONDS` after which a pattern is not tried any more in one evaluation."""


@dataclasses.dataclass(eq=False)
class Operation:
    """A part of a compiled expression; made by `compiler` and not changed after."""

    node: Node
    """The part of the text that it came from."""
    run: Callable[[Frame], Result]
    """Computes its value for every row of a frame."""
    kind: pa.DataType | None = None
    """The type of its values where the text alone tells it."""
    literal: str | None = None
    """The text that it stands for when it is written out."""
    random: bool = False
    """Whether two evaluations differ."""
    secret: bool = False
    """Whether its value must not be shown."""
    shared: bool = False
    """Whether it occurs several times, so that its result is worth keeping for the frame."""


@dataclasses.dataclass
class Budget:
    """What is left of the time that regular expressions may take in one evaluation."""

    seconds: float = PATTERN_SECONDS_IN_ALL
    timeouts: int = PATTERN_TIMEOUTS

    @property
    def exhausted(self) -> bool:
        """Whether no further pattern may be tried."""
        return self.seconds <= 0 or self.timeouts <= 0

    def timed(self, work: Callable[[], str | None]) -> str | None:
        """Do `work` and take the time it took off the budget; a `TimeoutError` of it counts and passes through."""
        start = time.perf_counter()
        try:
            return work()
        except TimeoutError:
            self.timeouts -= 1
            raise
        finally:
            self.seconds -= time.perf_counter() - start


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """One value met while evaluating a single row, for `explain`."""

    operation: Operation
    result: Result


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What all rows of one evaluation share.

    `now` is UTC; `taken` tells which values exist in the target; `random_bytes` gives so many random bytes;
    `trace`, when there, receives every value in the order of evaluation.
    """

    now: dt.datetime
    default_domain: str | None
    taken: Callable[[pa.Array], pa.Array] | None
    random_bytes: Callable[[int], bytes]
    budget: Budget = dataclasses.field(default_factory=Budget)
    dates: dict[str, int | None] = dataclasses.field(default_factory=dict)
    """Dates read so far, in seconds since 1970; null for what is no date."""
    memos: dict[int, dict[object, tuple[Any, str | None]]] = dataclasses.field(default_factory=dict)
    trace: list[Seen] | None = None

    @property
    def now_seconds(self) -> int:
        """The clock in whole seconds since 1970."""
        return int(self.now.timestamp() // 1)

    def memo(self, operation: Operation) -> dict[object, tuple[Any, str | None]]:
        """Give what an operation remembers of earlier batches: arguments to value or problem."""
        return self.memos.setdefault(id(operation), {})


class Frame:
    """Some rows of the source, by attribute name; an attribute that is not there is null in every row."""

    def __init__(self, columns: Mapping[str, pa.Array], count: int, context: Context) -> None:
        self.count = count
        self.context = context
        self._columns = columns
        self._parent: tuple[Frame, Mask] | None = None
        self._read: dict[str, Column] = {}
        self._results: dict[int, Result] = {}

    def column(self, name: str) -> Column:
        """Give a source attribute."""
        if name not in self._read:
            self._read[name] = self._fetch(name)
        return self._read[name]

    def _fetch(self, name: str) -> Column:
        if self._parent is not None:
            parent, mask = self._parent
            return parent.column(name).filter(mask)
        if name not in self._columns:
            return constant(None)
        return Column(normalised(self._columns[name]))

    def filter(self, mask: Mask) -> Frame:
        """Give the rows where `mask` is true, as a frame."""
        part = Frame(self._columns, int(np.count_nonzero(mask)), self.context)
        part._parent = (self, mask)
        return part

    def evaluate(self, operation: Operation) -> Result:
        """Compute an operation over these rows; what occurs several times is computed once."""
        if operation.shared:
            known = self._results.get(id(operation))
            if known is None:
                known = self._results[id(operation)] = operation.run(self)
            return known
        result = operation.run(self)
        if self.context.trace is not None and self.count:
            self.context.trace.append(Seen(operation, result))
        return result


def normalised(data: pa.Array) -> pa.Array:
    """Give a source column as one of the types that columns have: text, lists of text, booleans, whole numbers."""
    kind = data.type
    if kind in (TEXT, LIST) or pa.types.is_boolean(kind):
        return data
    if pa.types.is_dictionary(kind):
        if kind.value_type == TEXT and kind.index_type == pa.int32() and not data.dictionary.null_count:
            return data
        return normalised(data.dictionary_decode())
    if pa.types.is_integer(kind):
        return data.cast(pa.int64())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return data.cast(LIST)
    return data.cast(TEXT)

"""Columns of values while an expression is evaluated: plain, dictionary-encoded or constant, and how they combine.

Beside its values a result carries signals: rows that are to be ignored or that failed. Used by the functions and
the compiler; knows no syntax.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

TEXT: Final = pa.string()
LIST: Final = pa.list_(pa.string())
NUMBER: Final = pa.int64()
BOOLEAN: Final = pa.bool_()
DATE: Final = pa.timestamp("s")
"""Whole seconds, UTC; a date function's text form has no finer part either."""

Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]


class Flow(enum.IntEnum):
    """What a row does instead of having a value."""

    VALUE = 0
    """It has a value."""
    IGNORE_ATTRIBUTE = 1
    """The attribute drops out of the flow; the target keeps what it has."""
    IGNORE_OBJECT = 2
    """The whole person is left alone in this cycle."""
    ERROR = 3
    """The evaluation failed; the message says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """Values of `TEXT`, `LIST`, `NUMBER`, `BOOLEAN` or `DATE`; `data` may be dictionary-encoded.

    With `constant`, `data` has exactly one value, and it holds for every row.
    """

    data: pa.Array
    constant: bool = False

    @property
    def type(self) -> pa.DataType:
        """The type of the values, the dictionary encoding aside."""
        return self.data.type.value_type if self.encoded else self.data.type

    @property
    def encoded(self) -> bool:
        """Whether the values are dictionary-encoded."""
        return pa.types.is_dictionary(self.data.type)

    @property
    def listed(self) -> bool:
        """Whether the values are lists."""
        return pa.types.is_list(self.type)

    def plain(self, count: int) -> pa.Array:
        """Give the values one by one, `count` of them, without encoding."""
        data = decoded(self.data)
        if not self.constant:
            return data
        return data.take(pa.array(np.zeros(count, dtype=np.int32)))

    def filter(self, mask: Mask) -> Column:
        """Give the rows where `mask` is true."""
        return self if self.constant else Column(self.data.filter(pa.array(mask)))


@dataclasses.dataclass(frozen=True, eq=False)
class Signals:
    """Which rows have no value: `codes` (uint8, `Flow`) and `messages` (`TEXT`, null unless the code is ERROR)."""

    codes: npt.NDArray[np.uint8]
    messages: pa.Array

    def filter(self, mask: Mask) -> Signals | None:
        """Give the rows where `mask` is true, or null when none of them has a signal."""
        codes = self.codes[mask]
        return Signals(codes, self.messages.filter(pa.array(mask))) if codes.any() else None

    @property
    def raised(self) -> Mask:
        """The rows that have a signal."""
        return self.codes != Flow.VALUE


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What evaluating a part gives: a column, and signals when any row has one."""

    column: Column
    signals: Signals | None = None


def constant(value: object, kind: pa.DataType = TEXT) -> Column:
    """Give a column that has `value` in every row."""
    return Column(pa.array([value], type=kind), constant=True)


def decoded(data: pa.Array) -> pa.Array:
    """Give `data` without dictionary encoding."""
    return data.dictionary.take(data.indices) if pa.types.is_dictionary(data.type) else data


def encode(codes: npt.NDArray[np.int32] | pa.Array, pool: pa.Array) -> pa.Array:
    """Give `pool[codes]`: dictionary-encoded where that is possible, nulls only among the codes."""
    indices = codes if isinstance(codes, pa.Array) else pa.array(codes)
    if pa.types.is_list(pool.type):
        return pool.take(indices)
    if pool.null_count:
        indices = pc.if_else(pool.is_valid().take(indices), indices, None)
    return pa.DictionaryArray.from_arrays(indices, pool)


def failures(messages: pa.Array) -> Signals | None:
    """Give error signals for the rows that have a message, or null when none has."""
    if messages.null_count == len(messages):
        return None
    raised = messages.is_valid().to_numpy(zero_copy_only=False)
    return Signals(np.where(raised, np.uint8(Flow.ERROR), np.uint8(Flow.VALUE)), messages)


def raised_everywhere(flow: Flow, count: int, message: str | None = None) -> Signals:
    """Give signals that are the same in every row."""
    return Signals(np.full(count, flow, dtype=np.uint8), pa.repeat(pa.scalar(message, TEXT), count))


def flagged(mask: Mask, flow: Flow, message: str | None = None) -> Signals | None:
    """Give the same signal for every row of `mask`, or null when it has none."""
    if not mask.any():
        return None
    codes = np.where(mask, np.uint8(flow), np.uint8(Flow.VALUE))
    return Signals(codes, pc.if_else(pa.array(mask), pa.scalar(message, TEXT), pa.scalar(None, TEXT)))


def first(earlier: Signals | None, later: Signals | None) -> Signals | None:
    """Combine signals of two parts of which `earlier` is evaluated first: its signal stands."""
    if earlier is None or later is None:
        return earlier or later
    keep = earlier.raised
    codes = np.where(keep, earlier.codes, later.codes)
    return Signals(codes, pc.if_else(pa.array(keep), earlier.messages, later.messages))


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """A result for some of the rows: `rows` are their places, in the order of the result."""

    rows: Rows
    result: Result


def gather(count: int, pieces: Sequence[Piece]) -> Result:
    """Put results of disjoint rows together; rows that no piece has are null.

    Mixed types meet in text, or in lists when one piece has lists.
    """
    whole = [piece for piece in pieces if len(piece.rows)]
    if len(whole) == 1 and len(whole[0].rows) == count:
        return whole[0].result
    kind = _meeting_type([piece.result.column for piece in whole])
    pools: list[pa.Array] = []
    codes = np.full(count, -1, dtype=np.int32)
    offset = 0
    small = True
    for piece in whole:
        data = converted(piece.result.column, kind).data
        if piece.result.column.constant:
            codes[piece.rows] = offset
        elif pa.types.is_dictionary(data.type):
            codes[piece.rows] = pc.fill_null(pc.add(data.indices.cast(pa.int32()), offset), -1).to_numpy()
            data = data.dictionary
        else:
            codes[piece.rows] = np.arange(offset, offset + len(data), dtype=np.int32)
            small = False
        pools.append(decoded(data))
        offset += len(pools[-1])
    pool = pa.concat_arrays(pools) if pools else pa.nulls(0, kind)
    indices = pa.array(codes, mask=codes < 0)
    column = Column(encode(indices, pool) if small else pool.take(indices))
    return Result(column, _gather_signals(count, whole))


def _gather_signals(count: int, pieces: Sequence[Piece]) -> Signals | None:
    raised = [piece for piece in pieces if piece.result.signals is not None]
    if not raised:
        return None
    codes = np.zeros(count, dtype=np.uint8)
    places = np.full(count, -1, dtype=np.int64)
    messages: list[pa.Array] = []
    offset = 0
    for piece in raised:
        signals = piece.result.signals
        assert signals is not None
        codes[piece.rows] = signals.codes
        places[piece.rows] = np.arange(offset, offset + len(piece.rows))
        messages.append(signals.messages)
        offset += len(piece.rows)
    return Signals(codes, pa.concat_arrays(messages).take(pa.array(places, mask=places < 0)))


def _meeting_type(columns: Sequence[Column]) -> pa.DataType:
    kinds = {column.type for column in columns}
    if len(kinds) == 1:
        return kinds.pop()
    return LIST if LIST in kinds else TEXT


def converted(column: Column, kind: pa.DataType) -> Column:
    """Give a column as text or as lists of at most one value; a column of that type already is given as it is."""
    if column.type == kind:
        return column
    if kind == TEXT:
        return as_text(column)
    assert kind == LIST
    text = decoded(as_text(column).data)
    present = text.is_valid()
    offsets = np.concatenate([[0], np.cumsum(present.to_numpy(zero_copy_only=False))]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), text.drop_null(), mask=pc.invert(present))
    return Column(lists, column.constant)


def as_text(column: Column) -> Column:
    """Give a column of numbers, booleans or dates as text; text is given as it is."""
    if column.type == TEXT:
        return column
    if column.encoded:
        return Column(encode(column.data.indices, _texts(column.data.dictionary)), column.constant)
    if column.type == BOOLEAN:
        return Column(encode(column.data.cast(pa.int8()), pa.array(["False", "True"])), column.constant)
    return Column(_texts(column.data), column.constant)


def _texts(data: pa.Array) -> pa.Array:
    if data.type == NUMBER:
        return data.cast(TEXT)
    if data.type == BOOLEAN:
        return pc.if_else(data, "True", "False")
    assert data.type == DATE
    distinct = data.dictionary_encode()
    return pa.array(map(date_text, distinct.dictionary.cast(NUMBER).to_pylist()), TEXT).take(distinct.indices)


def date_text(seconds: int) -> str:
    """Give an instant (seconds since 1970, UTC) as `M/d/yyyy h:mm:ss tt`, the form of every date function."""
    day, second = divmod(seconds, 86_400)
    year, month, number = str(np.datetime64(day, "D")).split("-")
    hour, minute = divmod(second // 60, 60)
    return (
        f"{int(month)}/{int(number)}/{year} {(hour + 11) % 12 + 1}:{minute:02}:{second % 60:02} "
        f"{'AM' if hour < 12 else 'PM'}"
    )

"""Functions whose result for a row depends on that row's arguments alone: how they run over columns.

Such a function is written once for single values (`scalar`), and for speed also for whole columns (`columnar`).
Constants are computed once, dictionary-encoded columns once a distinct value; where only `scalar` is there, every
distinct combination of arguments is computed once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.coerce import coerced
from tasks.transform.expressions.columns import (
    LIST,
    TEXT,
    Column,
    Result,
    Signals,
    as_text,
    decoded,
    encode,
    failures,
    first,
)
from tasks.transform.expressions.errors import ExpressionError, RowError
from tasks.transform.expressions.frame import MEMO_ENTRIES, Context, Frame, Operation
from tasks.transform.expressions.signature import Bound, Function, Parameter
from tasks.transform.expressions.tree import Call

MAX_VALUE_CHARACTERS: Final = 10_000
"""Our own limit on a value that a function makes, so that functions within functions cannot grow it without bound."""

Outcome: TypeAlias = tuple[Any, str | None]
"""A value and, instead of it, what is wrong."""


@dataclasses.dataclass(frozen=True, eq=False)
class Partial:
    """What a columnar form gives when it has a way for some rows only: rows that are `open` have no value yet."""

    values: pa.Array
    open: pa.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Elementwise:
    """How such a function computes.

    `scalar` takes the arguments of one row (null where one is left out, a date as its seconds since 1970) and raises
    `RowError` when it cannot take them. `columnar` takes arrays of one length, or plain values where an argument is
    the same for every row; it gives an array, a `Partial`, or null when it has no way for these arguments. Unless
    `takes_null`, a null required argument makes the result null. With `context`, both get the context first.
    """

    returns: pa.DataType
    scalar: Callable[..., Any]
    columnar: Callable[..., pa.Array | Partial | None] | None = None
    takes_null: bool = False
    context: bool = False

    def run(self, operation: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
        """Evaluate the arguments and compute."""
        given: list[Column | None] = []
        signals: Signals | None = None
        unfit: Signals | None = None
        for argument in arguments:
            if argument.operation is None:
                given.append(None)
                continue
            result = frame.evaluate(argument.operation)
            signals = first(signals, result.signals)
            column, wrong = coerced(result.column, argument.parameter, frame, self._name(operation))
            unfit = first(unfit, wrong)
            given.append(column)
        required = [argument.parameter.required and not argument.parameter.nullable for argument in arguments]
        each = bool(arguments) and arguments[0].parameter.each
        column, wrong = self.compute(operation, given, required, frame, each=each)
        return Result(column, first(first(signals, unfit), wrong))

    def compute(
        self,
        operation: Operation,
        given: Sequence[Column | None],
        required: Sequence[bool],
        frame: Frame,
        *,
        each: bool = False,
    ) -> tuple[Column, Signals | None]:
        """Compute from arguments of the right types; with `each`, lists in the first one are taken value by value."""
        run = _Run(self, operation, frame.context, [need and not self.takes_null for need in required])
        if each and given[0] is not None and given[0].listed:
            return run.each(given, frame.count)
        return run.whole(given, frame.count)

    @staticmethod
    def _name(operation: Operation) -> str:
        return operation.node.name if isinstance(operation.node, Call) else "the operator"


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """One function call over one batch of rows."""

    function: Elementwise
    operation: Operation
    context: Context
    required: Sequence[bool]

    def whole(self, given: Sequence[Column | None], count: int) -> tuple[Column, Signals | None]:
        varying = [column for column in given if column is not None and not column.constant]
        if not varying:
            values, messages = self._compute([None if one is None else decoded(one.data) for one in given], 1)
            if messages is not None:
                messages = messages.take(pa.array(np.zeros(count, dtype=np.int32)))
            return Column(values, constant=True), None if messages is None else failures(messages)
        if len(varying) == 1 and varying[0].encoded:
            return self._by_dictionary(given, given.index(varying[0]))
        arrays = [None if one is None else decoded(one.data) if one.constant else one.plain(count) for one in given]
        values, messages = self._compute(arrays, count, [one is not None and one.constant for one in given])
        return Column(values), None if messages is None else failures(messages)

    def each(self, given: Sequence[Column | None], count: int) -> tuple[Column, Signals | None]:
        """Compute over the values of the lists in the first argument, and make lists of the results."""
        source = given[0]
        assert source is not None
        lists = source.plain(count)
        absent = pc.equal(pc.fill_null(pc.list_value_length(lists), 0), 0)
        if not self.required[0]:
            # An attribute that is not there is null to the function, as a single value that is not there.
            lists = pc.if_else(absent, pa.scalar([None], LIST), lists)
        parents = pc.list_parent_indices(lists)
        spread = [None if one is None else one if one.constant else Column(one.data.take(parents)) for one in given[1:]]
        column, signals = self.whole([Column(lists.flatten()), *spread], len(parents))
        values = as_text(column).plain(len(parents))
        kept = values.is_valid()
        places = parents.filter(kept).to_numpy()
        offsets = np.searchsorted(places, np.arange(count + 1)).astype(np.int32)
        gone = pc.and_(absent, pa.array(np.diff(offsets) == 0))
        result = pa.ListArray.from_arrays(pa.array(offsets), values.filter(kept), mask=gone)
        if signals is None:
            return Column(result), None
        raised = signals.raised
        rows, places = np.unique(parents.to_numpy()[raised], return_index=True)
        messages = np.full(count, None, dtype=object)
        messages[rows] = np.array(signals.messages.filter(pa.array(raised)).to_pylist(), dtype=object)[places]
        return Column(result), failures(pa.array(messages, TEXT))

    def _by_dictionary(self, given: Sequence[Column | None], place: int) -> tuple[Column, Signals | None]:
        encoded = given[place]
        assert encoded is not None
        pool, indices = encoded.data.dictionary, encoded.data.indices
        if indices.null_count and not self.required[place]:
            indices = pc.fill_null(indices, len(pool))
            pool = pa.concat_arrays([pool, pa.nulls(1, pool.type)])
        arrays = [None if one is None else decoded(one.data) if one.constant else pool for one in given]
        constants = [one is not None and one.constant for one in given]
        values, messages = self._compute(arrays, len(pool), constants)
        wrong = None if messages is None else failures(messages.take(indices))
        return Column(encode(indices, decoded(values))), wrong

    def _compute(
        self, arrays: Sequence[pa.Array | None], count: int, constants: Sequence[bool] | None = None
    ) -> tuple[pa.Array, pa.Array | None]:
        """Give values and, when any row failed, messages; constants have one value, other arrays `count`."""
        fixed = constants or [True] * len(arrays)
        arrays = [None if one is None else _numbers(one) for one in arrays]
        if not count or self._never(arrays, fixed):
            return pa.nulls(count, self.function.returns), None
        before: list[Any] = [self.context] if self.function.context else []
        if self.function.columnar is not None and not all(fixed):
            columns = [
                one[0].as_py() if one is not None and still else one for one, still in zip(arrays, fixed, strict=True)
            ]
            values = self.function.columnar(*before, *columns)
            if isinstance(values, Partial):
                return self._completed(values, arrays, fixed, before)
            if values is not None:
                return values.cast(self.function.returns), None
        return self._by_distinct(arrays, fixed, count, before)

    def _completed(
        self, partial: Partial, arrays: Sequence[pa.Array | None], fixed: Sequence[bool], before: list[Any]
    ) -> tuple[pa.Array, pa.Array | None]:
        """Compute the rows that the columnar form has left open."""
        parts = [
            one if one is None or still else one.filter(partial.open) for one, still in zip(arrays, fixed, strict=True)
        ]
        rest, messages = self._by_distinct(parts, fixed, pc.sum(partial.open).as_py(), before)
        values = pc.replace_with_mask(partial.values.cast(self.function.returns), partial.open, decoded(rest))
        if messages is not None:
            messages = pc.replace_with_mask(pa.nulls(len(values), TEXT), partial.open, messages)
        return values, messages

    def _never(self, arrays: Sequence[pa.Array | None], fixed: Sequence[bool]) -> bool:
        """Tell whether a required argument is null in every row."""
        return any(
            needed and one is not None and still and not one[0].is_valid
            for one, still, needed in zip(arrays, fixed, self.required, strict=True)
        )

    def _by_distinct(
        self, arrays: Sequence[pa.Array | None], fixed: Sequence[bool], count: int, before: list[Any]
    ) -> tuple[pa.Array, pa.Array | None]:
        moving = [place for place, still in enumerate(fixed) if not still and arrays[place] is not None]
        inverse, keys = _distinct([_present(arrays[place]) for place in moving], count)
        row: list[Any] = [None if one is None else one[0].as_py() if len(one) else None for one in arrays]
        memo = self.context.memo(self.operation)
        stable = tuple(value for place, value in enumerate(row) if place not in moving)
        outcomes: list[Outcome] = []
        for key in keys:
            remembered = (stable, key)
            known = _hashable(remembered)
            outcome = memo.get(remembered) if known else None
            if outcome is None:
                for place, value in zip(moving, key, strict=True):
                    row[place] = value
                outcome = self._scalar(before, row)
                if known and len(memo) < MEMO_ENTRIES:
                    memo[remembered] = outcome
            outcomes.append(outcome)
        pool = _array([value for value, _ in outcomes], self.function.returns)
        messages = [message for _, message in outcomes]
        told = pa.array(messages, TEXT).take(inverse) if any(messages) else None
        return encode(inverse, pool), told

    def _scalar(self, before: list[Any], row: list[Any]) -> Outcome:
        if any(needed and value is None for needed, value in zip(self.required, row, strict=True)):
            return None, None
        try:
            value = self.function.scalar(*before, *row)
        except RowError as error:
            return None, str(error)
        if isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS:
            return None, too_long()
        return value, None


def too_long() -> str:
    """Say that a value has grown over the limit."""
    return f"the value grows over {MAX_VALUE_CHARACTERS:,} characters; check the functions that repeat or join values"


def _present(array: pa.Array | None) -> pa.Array:
    assert array is not None
    return array


def _hashable(key: tuple[tuple[Any, ...], tuple[Any, ...]]) -> bool:
    return not any(isinstance(value, list) for part in key for value in part)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def _distinct(arrays: Sequence[pa.Array], count: int) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """Give for each row the place of its combination of values, and the combinations."""
    if not arrays:
        return pa.array(np.zeros(count, dtype=np.int32)), [()]
    if any(pa.types.is_list(array.type) for array in arrays):
        rows = list(zip(*(array.to_pylist() for array in arrays), strict=True))
        return pa.array(np.arange(count, dtype=np.int32)), rows
    encoded = [array.dictionary_encode(null_encoding="encode") for array in arrays]
    codes = encoded[0].indices.to_numpy().astype(np.int64)
    for one in encoded[1:]:
        # Re-coded after each column, the product stays below rows times values, far from overflow.
        mixed = pa.array(codes * max(len(one.dictionary), 1) + one.indices.to_numpy()).dictionary_encode()
        codes = mixed.indices.to_numpy().astype(np.int64)
    place = np.zeros(int(codes.max()) + 1 if count else 0, dtype=np.int64)
    place[codes[::-1]] = np.arange(count)[::-1]
    chosen = pa.array(place)
    columns = [array.take(chosen).to_pylist() for array in arrays]
    return pa.array(codes.astype(np.int32)), list(zip(*columns, strict=True))


def _numbers(array: pa.Array) -> pa.Array:
    """Give instants as the seconds that functions reckon with."""
    return array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array


def elementwise(
    name: str,
    parameters: tuple[Parameter, ...],
    returns: pa.DataType,
    scalar: Callable[..., Any],
    columnar: Callable[..., pa.Array | Partial | None] | None = None,
    *,
    takes_null: bool = False,
    context: bool = False,
    short_form: tuple[str, ...] = (),
    check: Callable[[Call], ExpressionError | None] | None = None,
) -> Function:
    """Make a function of the language from one for single values and, for speed, one for whole columns."""
    evaluate = Elementwise(returns, scalar, columnar, takes_null, context)
    return Function(name, parameters, returns, evaluate.run, short_form=short_form, check=check)

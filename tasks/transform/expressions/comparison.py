"""The comparison operators: `=`, `<>`, `<`, `<=`, `>`, `>=`.

Equality is of texts, letter by letter, and null equals "". Where one side is a number (written unquoted, or a
function's result) both are compared as numbers, and where one is a date as instants, as far as both read so. The
orderings also take two quoted or source values that both read as numbers as numbers, everything else letter by
letter; with null or "" on a side no ordering holds.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.arrays import operand, replaced_nulls
from tasks.transform.expressions.coerce import number_of, seconds_of, single
from tasks.transform.expressions.columns import BOOLEAN, DATE, NUMBER, TEXT, Column, Result, Signals, as_text, first
from tasks.transform.expressions.elementwise import Elementwise
from tasks.transform.expressions.frame import Frame, Operation

_PYTHON: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARROW: Final[dict[str, Callable[[Any, Any], pa.Array]]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_EQUALITIES: Final = ("=", "<>")


def compare(
    operation: Operation, sign: str, left: Operation, right: Operation, frame: Frame, *, numeric: bool
) -> Result:
    """Compare two operands; `numeric` when one of them is a number by how it is written."""
    sides: list[Column] = []
    signals: Signals | None = None
    unfit: Signals | None = None
    for side in (left, right):
        result = frame.evaluate(side)
        column, several = result.column, None
        if column.listed:
            column, several = single(column, frame.count, f"the operator {sign}")
        signals, unfit = first(signals, result.signals), first(unfit, several)
        sides.append(column)
    function = _function(sign, sides, numeric=numeric)
    column, wrong = function.compute(operation, sides, [False, False], frame)
    return Result(column, first(first(signals, unfit), wrong))


def _function(sign: str, sides: list[Column], *, numeric: bool) -> Elementwise:
    kinds = {column.type for column in sides}
    if kinds == {NUMBER} or kinds == {DATE}:
        return Elementwise(BOOLEAN, lambda left, right: _ordered(sign, left, right), _columns(sign), takes_null=True)
    if DATE in kinds:
        sides[:] = [column if column.type == DATE else as_text(column) for column in sides]
        return Elementwise(
            BOOLEAN,
            lambda context, left, right: _dates(sign, left, right, context.now.date()),
            takes_null=True,
            context=True,
        )
    if NUMBER in kinds and any(column.type == TEXT and column.constant for column in sides):
        _read_constant_number(sides)
        if {column.type for column in sides} == {NUMBER}:
            return _function(sign, sides, numeric=True)
    numeric = numeric or NUMBER in kinds
    sides[:] = [as_text(column) for column in sides]
    if sign in _EQUALITIES and not numeric:
        return Elementwise(
            BOOLEAN, lambda left, right: _texts(sign, left, right), _equal_columns(sign), takes_null=True
        )
    return Elementwise(BOOLEAN, lambda left, right: _numbers_or_texts(sign, left, right), takes_null=True)


def _read_constant_number(sides: list[Column]) -> None:
    """Read a constant that is a whole number as one, so that the comparison with a number column is columnar."""
    for place, column in enumerate(sides):
        if column.type == TEXT and column.constant:
            number = number_of(column.data[0].as_py())
            if number is not None and number.is_integer() and abs(number) < 2**53:
                sides[place] = Column(pa.array([int(number)], NUMBER), constant=True)


def _ordered(sign: str, left: int | None, right: int | None) -> bool:
    if left is None or right is None:
        return sign in _EQUALITIES and _PYTHON[sign](left, right)
    return _PYTHON[sign](left, right)


def _columns(sign: str) -> Callable[..., pa.Array | None]:
    def columnar(left: pa.Array | int | None, right: pa.Array | int | None) -> pa.Array | None:
        if left is None or right is None:
            return None
        equal = _ARROW[sign](left, right)
        if sign in _EQUALITIES:
            return equal if not equal.null_count else None
        return pc.fill_null(equal, False)

    return columnar


def _texts(sign: str, left: str | None, right: str | None) -> bool:
    return _PYTHON[sign](left or "", right or "")


def _equal_columns(sign: str) -> Callable[..., pa.Array | None]:
    def columnar(left: pa.Array | str | None, right: pa.Array | str | None) -> pa.Array:
        if isinstance(left, str) or left is None:
            left, right = right, left
        if isinstance(right, pa.Array):
            return _ARROW[sign](replaced_nulls(left, ""), replaced_nulls(right, ""))
        # Beside a constant only the null rows need care, and they all come out alike.
        return pc.fill_null(_ARROW[sign](operand(left), right or ""), _PYTHON[sign]("", right or ""))

    return columnar


def _numbers_or_texts(sign: str, left: str | None, right: str | None) -> bool:
    numbers = number_of(left), number_of(right)
    if numbers[0] is not None and numbers[1] is not None:
        return _PYTHON[sign](*numbers)
    if sign not in _EQUALITIES and not (left and right):
        return False
    return _texts(sign, left, right)


def _dates(sign: str, left: int | str | None, right: int | str | None, today: dt.date) -> bool:
    instants = _instant(left, today), _instant(right, today)
    if instants[0] is not None and instants[1] is not None:
        return _PYTHON[sign](*instants)
    if sign in _EQUALITIES:
        both_empty = not left and not right and left != 0 and right != 0
        return both_empty if sign == "=" else not both_empty
    return False


def _instant(value: int | str | None, today: dt.date) -> int | None:
    return seconds_of(value, today) if isinstance(value, str) else value

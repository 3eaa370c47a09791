"""Turns a value into what a parameter takes: text, whole number, date, truth, list. Used before a function runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import (
    BOOLEAN,
    DATE,
    LIST,
    NUMBER,
    TEXT,
    Column,
    Flow,
    Mask,
    Result,
    Signals,
    as_text,
    converted,
    decoded,
    encode,
    failures,
    first,
    flagged,
)
from tasks.transform.expressions.dates import DateTextError, parse_any
from tasks.transform.expressions.errors import quoted
from tasks.transform.expressions.frame import MEMO_ENTRIES, Frame
from tasks.transform.expressions.signature import Kind, Parameter

_TRUE = "true"


def coerced(column: Column, parameter: Parameter, frame: Frame, function: str) -> tuple[Column, Signals | None]:
    """Give a column as `parameter` takes it, and error signals for the rows that cannot be taken so."""
    where = f"argument {parameter.name} of {function}"
    match parameter.kind:
        case Kind.ANY:
            return column, None
        case Kind.LIST:
            return converted(column, LIST), None
        case _:
            pass
    if column.listed:
        if parameter.each:
            return column, None
        column, several = single(column, frame.count, where)
    else:
        several = None
    taken, wrong = _COERCIONS[parameter.kind](column, where, frame)
    return taken, first(several, wrong)


def single(column: Column, count: int, where: str) -> tuple[Column, Signals | None]:
    """Give the one value of each list: null for an empty one, an error for several."""
    lists = column.plain(count)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    places = pa.array(starts, mask=lengths != 1)
    message = f"{where} takes one value, and the multi-valued attribute has several; use Item or Join"
    return Column(lists.flatten().take(places)), flagged(lengths > 1, Flow.ERROR, message)


def _text(column: Column, _where: str, _frame: Frame) -> tuple[Column, Signals | None]:
    return as_text(column), None


def _moment(column: Column, _where: str, _frame: Frame) -> tuple[Column, Signals | None]:
    return (column if column.type == DATE else as_text(column)), None


def _boolean(column: Column, _where: str, _frame: Frame) -> tuple[Column, Signals | None]:
    return truths(column), None


def truths(column: Column) -> Column:
    """Give a column as booleans, null where the value is null: see `Kind.BOOLEAN`."""
    if column.type == BOOLEAN:
        return column
    if column.type == NUMBER:
        return _mapped(column, lambda data: pc.not_equal(data, 0))
    return _mapped(as_text(column), _truth_of_texts)


def _truth_of_texts(data: pa.Array) -> pa.Array:
    distinct = data.dictionary_encode()
    values = [truth_of(value) for value in distinct.dictionary.to_pylist()]
    return pa.array(values, BOOLEAN).take(distinct.indices)


def truth_of(text: str) -> bool:
    """Tell whether a text is true: `True` in any letter case, or a number other than 0."""
    word = text.strip()
    if word.casefold() == _TRUE:
        return True
    number = number_of(word)
    return number is not None and number != 0


def number_of(text: str | None) -> float | None:
    """Read a number as people write it (sign, digits, decimal point), or give null."""
    if text is None or not text.strip().lstrip("+-").replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def mask_of(result: Result, count: int) -> tuple[Mask, Signals | None]:
    """Give the rows of a condition that are true, and the signals that it comes with."""
    column, several = result.column, None
    if column.listed:
        column, several = single(column, count, "a condition")
    truth: Mask = pc.fill_null(truths(column).plain(count), False).to_numpy(zero_copy_only=False)
    return truth, first(result.signals, several)


def integer_of(text: str) -> int | None:
    """Read a whole number of 64 bits, or give null."""
    word = text.strip()
    if not word.isascii() or not word.removeprefix("-").removeprefix("+").isdecimal() or len(word) > 20:
        return None
    number = int(word)
    return number if -(2**63) <= number < 2**63 else None


def _integer(column: Column, where: str, frame: Frame) -> tuple[Column, Signals | None]:
    if column.type == NUMBER:
        return column, None
    return _read(as_text(column), integer_of, NUMBER, frame.count, f"{where} must be {Kind.INTEGER}")


def _date(column: Column, where: str, frame: Frame) -> tuple[Column, Signals | None]:
    if column.type == DATE:
        return column, None
    return _read(
        as_text(column), lambda text: _remembered(text, frame), DATE, frame.count, f"{where} must be {Kind.DATE}"
    )


def _remembered(text: str, frame: Frame) -> int | None:
    """Read a date, or recall it from an earlier batch."""
    known = frame.context.dates
    if text in known:
        return known[text]
    seconds = seconds_of(text, frame.context.now.date())
    if len(known) < MEMO_ENTRIES:
        known[text] = seconds
    return seconds


def seconds_of(text: str, today: dt.date | None) -> int | None:
    """Read a date of any common form as seconds since 1970, or give null; times without offset are UTC."""
    try:
        return parse_any(text, today).seconds
    except DateTextError:
        return None


def _read(
    column: Column, read: Callable[[str], int | None], kind: pa.DataType, count: int, expected: str
) -> tuple[Column, Signals | None]:
    """Read each distinct text once."""
    data = column.data if column.encoded else column.data.dictionary_encode()
    texts = data.dictionary.to_pylist()
    values = [read(text) for text in texts]
    pool = pa.array(values, pa.int64()).cast(kind)
    result = Column(encode(data.indices, pool), column.constant)
    if None not in values:
        return result, None
    messages = [
        f"{expected}, found {quoted(text)}" if value is None else None
        for text, value in zip(texts, values, strict=True)
    ]
    told = pa.array(messages, TEXT).take(data.indices)
    if column.constant:
        told = told.take(pa.array(np.zeros(count, dtype=np.int32)))
    return result, failures(told)


def _mapped(column: Column, work: Callable[[pa.Array], pa.Array]) -> Column:
    if column.encoded:
        return Column(encode(column.data.indices, work(column.data.dictionary)), column.constant)
    return Column(work(decoded(column.data)), column.constant)


_COERCIONS: dict[Kind, Callable[[Column, str, Frame], tuple[Column, Signals | None]]] = {
    Kind.TEXT: _text,
    Kind.WORD: _text,
    Kind.MOMENT: _moment,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.DATE: _date,
}

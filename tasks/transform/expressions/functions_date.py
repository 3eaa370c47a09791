"""Date functions: reading, writing, reckoning, Windows file times. All instants are whole seconds, UTC.

Registered in `functions`; text forms are in `dates` and `date_formats`.
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import DATE, NUMBER, TEXT, date_text
from tasks.transform.expressions.date_formats import STYLES, FormatError, read, tokens, write
from tasks.transform.expressions.dates import (
    DAY,
    EPOCH,
    FIRST_SECOND,
    LAST_SECOND,
    TICKS,
    DateTextError,
    Moment,
    Zone,
    parse_any,
)
from tasks.transform.expressions.elementwise import elementwise
from tasks.transform.expressions.errors import ExpressionError, RowError, quoted
from tasks.transform.expressions.frame import Context
from tasks.transform.expressions.signature import Function, Kind, Parameter
from tasks.transform.expressions.tree import Call, Text

INTERVALS: Final = ("yyyy", "m", "d", "ww", "h", "n", "s")
"""Year, month, day, week, hour, minute, second."""
_SECONDS: Final = {"ww": 7 * DAY, "d": DAY, "h": 3600, "n": 60, "s": 1}
_FILETIME_ZERO: Final = (dt.date(1601, 1, 1).toordinal() - EPOCH) * DAY
"""1601-01-01, where Windows file times count from, in seconds since 1970."""
_SUNDAY: Final = 3
"""Days to add to days since 1970 (a Thursday was the first) so that weeks start on a multiple of 7."""

Numbers = npt.NDArray[np.int64]


def _same(value: int) -> int:
    return value


def _within(seconds: int, function: str) -> int:
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise RowError(f"the result of {function} is outside the years 1 to 9999")
    return seconds


def _added(interval: str, value: int, date: int) -> int:
    if interval in _SECONDS:
        return _within(date + value * _SECONDS[interval], "DateAdd")
    if interval not in INTERVALS:
        raise RowError(f"argument interval of DateAdd must be one of {', '.join(INTERVALS)}; found {quoted(interval)}")
    day, clock = divmod(date, DAY)
    start = dt.date.fromordinal(day + EPOCH)
    months = start.year * 12 + start.month - 1 + value * (12 if interval == "yyyy" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise RowError("the result of DateAdd is outside the years 1 to 9999")
    last = calendar.monthrange(year, month + 1)[1]
    return (dt.date(year, month + 1, min(start.day, last)).toordinal() - EPOCH) * DAY + clock


def _add_columns(interval: pa.Array | str, value: pa.Array | int, date: pa.Array | int) -> pa.Array | None:
    """Add whole columns where the step has a fixed length and no result leaves the calendar."""
    if not isinstance(interval, str) or interval not in _SECONDS or not isinstance(value, int):
        return None
    if not isinstance(date, pa.Array) or abs(value) > LAST_SECOND:
        return None
    ends = pc.min_max(date).as_py()
    step = value * _SECONDS[interval]
    if ends["min"] is not None and (ends["min"] + step < FIRST_SECOND or ends["max"] + step > LAST_SECOND):
        return None
    return pc.add(date, step)


def _difference(interval: str, earlier: int, later: int) -> int:
    if interval not in INTERVALS:
        raise RowError(f"argument interval of DateDiff must be one of {', '.join(INTERVALS)}; found {quoted(interval)}")
    between = _between(interval, np.array([earlier], dtype=np.int64), np.array([later], dtype=np.int64))
    return int(between[0])


def _between(interval: str, earlier: Numbers, later: Numbers) -> Numbers:
    """Reckon as VB.NET's DateDiff does: years and months by the calendar, weeks by Sundays, the rest cut off."""
    if interval == "ww":
        return _cut(_cut(_sunday(later) - _sunday(earlier), DAY), 7)
    if interval in _SECONDS:
        return _cut(later - earlier, _SECONDS[interval])
    months = _months(later) - _months(earlier)
    return months if interval == "m" else _months(later) // 12 - _months(earlier) // 12


def _cut(numbers: Numbers, by: int) -> Numbers:
    """Divide, and cut the fraction off towards zero."""
    return np.sign(numbers) * (np.abs(numbers) // by)


def _sunday(seconds: Numbers) -> Numbers:
    """Give the same time of day on the last Sunday, or on that day."""
    return seconds - (seconds // DAY + _SUNDAY + 1) % 7 * DAY


def _months(seconds: Numbers) -> Numbers:
    return seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


def _difference_columns(interval: pa.Array | str, earlier: pa.Array | int, later: pa.Array | int) -> pa.Array | None:
    if not isinstance(interval, str) or interval not in INTERVALS:
        return None
    sides = [side if isinstance(side, pa.Array) else pa.array([side], NUMBER) for side in (earlier, later)]
    count = max(map(len, sides))
    missing = np.zeros(count, dtype=bool)
    numbers: list[Numbers] = []
    for side in sides:
        missing |= side.is_null().to_numpy(zero_copy_only=False)
        numbers.append(pc.fill_null(side, 0).to_numpy(zero_copy_only=False))
    return pa.array(np.broadcast_to(_between(interval, *numbers), count), mask=missing)


def _from_file_time(value: int) -> int:
    return _within(value // TICKS + _FILETIME_ZERO, "DateFromNum")


def _to_file_time(context: Context, value: int | str) -> int:
    """Give a Windows file time; a text may have fractions of a second."""
    ticks = value * TICKS if isinstance(value, int) else _parsed(value, context, "value of NumFromDate").ticks
    if ticks < _FILETIME_ZERO * TICKS:
        raise RowError("argument value of NumFromDate is before 1601, where Windows file times begin")
    return ticks - _FILETIME_ZERO * TICKS


def _parsed(text: str, context: Context, what: str) -> Moment:
    try:
        return parse_any(text, context.now.date())
    except DateTextError as error:
        raise RowError(f"argument {what} must be {Kind.DATE}, found {quoted(text)}: {error}") from None


def _formatted(context: Context, source: int | str, styles: str | None, taken: str, given: str) -> str:
    """Rewrite a date. A date function's result is an instant already and needs no reading."""
    try:
        if isinstance(source, int):
            moment = _instant(source, styles, taken, context)
        else:
            moment = read(source, taken, _styles(styles), context.now.date())
        return write(moment, given)
    except DateTextError as error:
        raise RowError(f"argument source of FormatDateTime, {quoted(source)}: {error}") from None
    except FormatError as error:
        raise RowError(f"FormatDateTime: {error}") from None


def _instant(seconds: int, styles: str | None, taken: str, context: Context) -> Moment:
    """Read a date function's result: by the format where that fits its text, else as the instant that it is."""
    try:
        return read(date_text(seconds), taken, _styles(styles), context.now.date())
    except DateTextError:
        return Moment(seconds * TICKS, Zone.UNSPECIFIED)


def _styles(names: str | None) -> frozenset[str]:
    """Read names of DateTimeStyles, several with commas or bars between them; `DateTimeStyles.` may precede each."""
    if names is None or not names.strip():
        return frozenset()
    styles = frozenset(
        name.strip().removeprefix("DateTimeStyles.") for name in names.replace("|", ",").split(",") if name.strip()
    )
    unknown = sorted(styles - set(STYLES))
    if unknown:
        raise FormatError(f"{quoted(unknown[0])} is no DateTimeStyles; there are {', '.join(STYLES)}")
    return styles


def _check_format(call: Call) -> ExpressionError | None:
    """Find a written-out format, or style, that is wrong."""
    arguments = call.arguments
    names: list[str] = ["source", "inputFormat", "outputFormat"]
    if len(arguments) > len(names):
        names.insert(1, "dateTimeStyles")
    for name, argument in zip(names[1:], arguments[1:], strict=False):
        if not isinstance(argument, Text):
            continue
        try:
            if name == "dateTimeStyles":
                _styles(argument.value)
            else:
                tokens(argument.value)
        except FormatError as error:
            return ExpressionError(
                f"{error}.",
                line=argument.position.line,
                column=argument.position.column,
                function="FormatDateTime",
                argument=name,
            )
    return None


def _now(context: Context) -> int:
    return context.now_seconds


FUNCTIONS: Final[tuple[Function, ...]] = (
    elementwise("Now", (), DATE, _now, context=True),
    elementwise("CDate", (Parameter("expression", Kind.DATE),), DATE, _same, _same),
    elementwise(
        "DateAdd",
        (
            Parameter("interval", words=INTERVALS),
            Parameter("value", Kind.INTEGER),
            Parameter("dateTime", Kind.DATE),
        ),
        DATE,
        _added,
        _add_columns,
    ),
    elementwise(
        "DateDiff",
        (
            Parameter("interval", words=INTERVALS),
            Parameter("date1", Kind.DATE),
            Parameter("date2", Kind.DATE),
        ),
        NUMBER,
        _difference,
        _difference_columns,
    ),
    elementwise("DateFromNum", (Parameter("value", Kind.INTEGER),), DATE, _from_file_time),
    elementwise("NumFromDate", (Parameter("value", Kind.MOMENT),), NUMBER, _to_file_time, context=True),
    elementwise(
        "FormatDateTime",
        (
            Parameter("source", Kind.MOMENT),
            Parameter("dateTimeStyles", required=False),
            Parameter("inputFormat"),
            Parameter("outputFormat"),
        ),
        TEXT,
        _formatted,
        context=True,
        short_form=("source", "inputFormat", "outputFormat"),
        check=_check_format,
    ),
)

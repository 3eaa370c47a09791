"""The language once more, plainly: one row at a time, over the tree, with nothing of the engine but its parser.

The tests hold the engine to it, and the benchmark measures the engine against it. It reads only the date forms that
they use. Written for being obviously right, not for speed.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import operator
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence

import regex

from tasks.transform.expressions.diacritics import PLAIN
from tasks.transform.expressions.tree import Attribute, Call, Comparison, Concatenation, Node, Number, Text, Word

WHITE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace() and not 0x1C <= code <= 0x1F)
ISO = ("%Y-%m-%d", "%Y-%m-%d%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %I:%M:%S %p")
NET = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "MMM": "%b", "Z": "Z", "M": "%m"}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FILE_TIME = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
CLUSTERS = {unicodedata.normalize("NFD", entry): plain for entry, plain in PLAIN.items()}

Value = str | int | bool | dt.datetime | list[str] | None


class IgnoredError(Exception):
    """The attribute (or the `object`) drops out of the flow."""

    def __init__(self, *, whole_object: bool = False) -> None:
        self.whole_object = whole_object


class FailedError(Exception):
    """The row has no value; an error is told for it."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row and what an evaluation knows beside it."""

    attributes: Mapping[str, str | list[str] | None]
    now: dt.datetime
    default_domain: str | None = None
    taken: Collection[str] = ()


def evaluate(node: Node, row: Row) -> str | list[str] | None:
    """Give the value of an expression as the engine gives it. Raises `IgnoredError` or `FailedError`."""
    value = _value(node, row)
    return value if isinstance(value, list) else text(value)


def text(value: Value) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "True" if value else "False"
        case dt.datetime():
            return value.strftime(f"{value.month}/{value.day}/%Y {(value.hour + 11) % 12 + 1}:%M:%S %p")
        case list():
            if len(value) > 1:
                raise FailedError("several values")
            return value[0] if value else None
        case _:
            return str(value)


def number(value: Value) -> int | None:
    written = text(value)
    if written is None:
        return None
    if not regex.fullmatch(r"\s*[+-]?[0-9]+\s*", written):
        raise FailedError("no whole number")
    return int(written)


def date(value: Value) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value
    written = text(value)
    if written is None:
        return None
    for form in ISO:
        try:
            read = dt.datetime.strptime(written.strip(), form)  # noqa: DTZ007  # the zone is put in below
        except ValueError:
            continue
        return (read if read.tzinfo else read.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    raise FailedError("no date")


def truth(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    written = text(value)
    return (written or "").strip().casefold() == "true" or numeric(written) not in (None, 0.0)


def numeric(value: Value) -> float | None:
    try:
        written = text(value) or ""
        return float(written) if written.isascii() and regex.fullmatch(r"\s*[+-]?[0-9.]+\s*", written) else None
    except ValueError:
        return None


def empty(value: Value) -> bool:
    return not any(value) if isinstance(value, list) else value is None or value == ""


def _value(node: Node, row: Row) -> Value:
    match node:
        case Text():
            return node.value
        case Number():
            return node.value
        case Attribute():
            return row.attributes.get(node.name)
        case Word():
            if node.name in ("IgnoreAttributeFlow", "IgnoreObjectFlow"):
                raise IgnoredError(whole_object=node.name == "IgnoreObjectFlow")
            return node.name
        case Comparison():
            return _compare(node, row)
        case Concatenation():
            values = [_value(part, row) for part in node.operands]
            parts = [text(value) for value in values]
            return None if all(part is None for part in parts) else "".join(part or "" for part in parts)
        case Call():
            if node.name in LAZY:
                return LAZY[node.name](node.arguments, row)
            given = [None if argument is None else _value(argument, row) for argument in node.arguments]
            return _call(node.name, given, row)


SIGNS: dict[str, Callable[..., bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(node: Comparison, row: Row) -> bool:
    sign = SIGNS[node.operator]
    values = [_value(side, row) for side in (node.left, node.right)]
    left, right = map(_single, values)
    equality = node.operator in ("=", "<>")
    if isinstance(left, dt.datetime) or isinstance(right, dt.datetime):
        try:
            instants = date(left), date(right)
        except FailedError:
            return node.operator == "<>"
        if None not in instants:
            return sign(*instants)
        return equality and sign(*[text(side) or "" for side in (left, right)])
    numbers = numeric(left), numeric(right)
    as_numbers = not equality or any(isinstance(side, Number) for side in (node.left, node.right))
    as_numbers = as_numbers or any(type(side) is int for side in (left, right))
    if as_numbers and None not in numbers:
        return sign(*numbers)
    texts = text(left) or "", text(right) or ""
    return sign(*texts) if equality or all(texts) else False


def _single(value: Value) -> Value:
    return text(value) if isinstance(value, list) else value


def _iif(arguments: Sequence[Node | None], row: Row) -> Value:
    condition, yes, no = arguments
    assert condition is not None and yes is not None and no is not None  # noqa: PT018  # one shape, one check
    return _value(yes if truth(_value(condition, row)) else no, row)


def _switch(arguments: Sequence[Node | None], row: Row) -> Value:
    source, default, *pairs = arguments
    assert source is not None
    wanted = (text(_value(source, row)) or "").strip(WHITE)
    for key, branch in zip(pairs[::2], pairs[1::2], strict=True):
        if ("" if key is None else text(_value(key, row)) or "").strip(WHITE) == wanted:
            return None if branch is None else _value(branch, row)
    return None if default is None else _value(default, row)


def _coalesce(arguments: Sequence[Node | None], row: Row) -> Value:
    blank = None
    for argument in arguments:
        value = None if argument is None else _value(argument, row)
        if not empty(value):
            return value
        blank = blank if value is None or value == [] else ""
    return blank


def _select(arguments: Sequence[Node | None], row: Row) -> Value:
    tried = False
    for argument in arguments:
        value = None if argument is None else text(_value(argument, row))
        if value:
            tried = True
            if value not in row.taken:
                return value
    if tried:
        raise FailedError("all taken")
    return None


LAZY: dict[str, Callable[[Sequence[Node | None], Row], Value]] = {
    "IIF": _iif,
    "Switch": _switch,
    "Coalesce": _coalesce,
    "SelectUniqueValue": _select,
}


def _call(name: str, given: list[Value], row: Row) -> Value:
    if name in ANY:
        return ANY[name](*given)
    if name in ("Now", "DefaultDomain"):
        return row.now.replace(microsecond=0) if name == "Now" else row.default_domain
    if name == "Join":
        separator, *sources = given
        between = text(separator) or ""
        parts = [between.join(filter(None, one)) if isinstance(one, list) else text(one) for one in sources]
        return between.join(filter(None, parts))
    if name in EACH and given[0] == []:
        return EACH[name](None, *given[1:])
    if name in EACH and isinstance(given[0], list):
        values = [text(EACH[name](value, *given[1:])) for value in given[0]]
        return [value for value in values if value is not None]
    return (EACH | ONE)[name](*given)


def _maybe(work: Callable[..., Value], *needed: Value) -> Value:
    """Work, unless something that is needed is null."""
    return None if any(one is None for one in needed) else work(*needed)


def _none(value: Value) -> str:
    return text(value) or ""


def _left(source: Value, count: Value) -> Value:
    written, most = text(source) or "", number(count)
    return "" if most is None else written if most < 0 else written[:most]


def _mid(source: Value, start: Value, length: Value = None) -> Value:
    written, first, size = text(source), number(start), number(length)
    if written is None or first is None:
        return None
    if first < 1 or (size is not None and size < 0):
        raise FailedError("out of bounds")
    return written[first - 1 :][: len(written) if size is None else size]


def _position(source: Value, find: Value, start: Value = None, compare: Value = None) -> Value:
    whole, part, begin = text(source) or "", text(find), number(start)
    begin = 1 if begin is None else begin
    if begin < 1:
        raise FailedError("out of bounds")
    if part is None or begin > len(whole):
        return 0
    if compare == "vbTextCompare":
        whole, part = _cased(whole, str.lower), _cased(part, str.lower)
    return whole.find(part, begin - 1) + 1


def _word(source: Value, count: Value, delimiters: Value) -> Value:
    written, place, marks = text(source) or "", number(count), text(delimiters) or ""
    for mark in marks[1:]:
        written = written.replace(mark, marks[0])
    words = [word for word in (written.split(marks[0]) if marks else [written]) if word]
    return words[place - 1] if place is not None and 1 <= place <= len(words) else ""


def _cased(written: str, change: Callable[[str], str]) -> str:
    return "".join(one if one in "İıß" or len(change(one)) != 1 else change(one) for one in written)


def _plain(written: str) -> str:
    clusters: list[str] = []
    for character in unicodedata.normalize("NFD", written):
        if clusters and "\u0300" <= character <= "\u036f":
            clusters[-1] += character
        else:
            clusters.append(character)
    changed = "".join(CLUSTERS.get(cluster, cluster) for cluster in clusters)
    return written if changed == "".join(clusters) and written.isascii() else unicodedata.normalize("NFC", changed)


def _split(source: Value, delimiter: Value = ",") -> Value:
    written = text(source)
    mark = text(delimiter)
    if written is None:
        return None
    return [part.strip(WHITE) for part in (written.split(mark) if mark else [written]) if part.strip(WHITE)]


def _replace(  # the function has as many
    source: Value,
    find: Value = None,
    pattern: Value = None,
    group: Value = None,
    new: Value = None,
    other: Value = None,
    template: Value = None,
) -> Value:
    written, old, put, name = text(source), text(find), text(new), text(group)
    elsewhere, frame, expression = text(other), text(template), text(pattern)
    if old is not None:
        if written is None:
            return None
        return written.replace(old, put or "") if frame is None else frame.replace(old, written)
    compiled = regex.compile(expression or "", regex.V1)
    if name is not None and new is None:
        found = compiled.search(elsewhere) if elsewhere is not None else None
        return written or (found[name] if found else None)
    if written is None:
        return None
    if name is None:
        return compiled.sub(regex.sub(r"\$\{(\w+)\}", r"\\g<\1>", (put or "").replace("\\", "\\\\")), written)

    def in_group(match: regex.Match[str]) -> str:
        start, end = match.span(name)
        before, after = match.string[match.start() : start], match.string[end : match.end()]
        return match[0] if start < 0 else before + (put or "") + after

    return compiled.sub(in_group, written)


SPANS = {"d": 86_400, "h": 3600, "n": 60, "s": 1, "ww": 7 * 86_400}


def _add(interval: Value, count: Value, start: Value) -> Value:
    unit, steps, begin = text(interval), number(count), date(start)
    if unit is None or steps is None or begin is None:
        return None
    try:
        if unit in SPANS:
            return begin + dt.timedelta(seconds=SPANS[unit] * steps)
        months = begin.year * 12 + begin.month - 1 + steps * (12 if unit == "yyyy" else 1)
        for day in range(begin.day, 27, -1):
            try:
                return begin.replace(year=months // 12, month=months % 12 + 1, day=day)
            except ValueError:
                if day == 28:
                    raise
        return begin.replace(year=months // 12, month=months % 12 + 1)
    except (OverflowError, ValueError):
        raise FailedError("outside the calendar") from None


def _difference(interval: Value, earlier: Value, later: Value) -> Value:
    unit, one, two = text(interval), date(earlier), date(later)
    if unit is None or one is None or two is None:
        return None
    if unit == "yyyy":
        return two.year - one.year
    if unit == "m":
        return (two.year - one.year) * 12 + two.month - one.month
    if unit == "ww":
        one, two = (instant - dt.timedelta(days=instant.isoweekday() % 7) for instant in (one, two))
        return int(int((two - one) / dt.timedelta(days=1)) / 7)
    return int((two - one) / dt.timedelta(seconds=SPANS[unit]))


def _format(source: Value, *forms: Value) -> Value:
    taken, given = (
        regex.sub("yyyy|MMM|MM|dd|HH|mm|ss|Z|M", lambda match: NET[match[0]], str(one)) for one in forms[-2:]
    )
    if source is None:
        return None
    try:
        return dt.datetime.strptime(text(source) or "", taken).strftime(given)  # noqa: DTZ007  # text to text
    except ValueError:
        raise FailedError("no date") from None


def _to_file_time(value: Value) -> Value:
    instant = date(value)
    if instant is None:
        return None
    if instant < FILE_TIME:
        raise FailedError("before 1601")
    return (instant - FILE_TIME) // dt.timedelta(microseconds=1) * 10


def _from_file_time(value: Value) -> Value:
    ticks = number(value)
    try:
        return None if ticks is None else FILE_TIME + dt.timedelta(seconds=ticks // 10_000_000)
    except OverflowError:
        raise FailedError("outside the calendar") from None


def _item(values: Value, index: Value) -> Value:
    items, place = _listed(values), number(index)
    if not items or place is None:
        return None
    if not 1 <= place <= len(items):
        raise FailedError("out of bounds")
    return items[place - 1]


def _listed(value: Value) -> list[str]:
    if value is None:
        return []
    written = value if isinstance(value, list) else [text(value) or ""]
    return list(written)


def _ignore(value: Value) -> Value:
    if empty(value):
        raise IgnoredError
    return value


def _fail(value: Value) -> Value:
    raise FailedError(text(value) or "")


def _title(source: Value) -> Value:
    lowered = _cased(text(source) or "", str.lower)
    pattern = r"\p{L}[\p{L}\p{M}\p{N}\p{Cs}\p{Co}\p{Cn}']*"
    return regex.sub(pattern, lambda found: _cased(found[0][0], str.title) + found[0][1:], lowered)


ANY: dict[str, Callable[..., Value]] = {
    "IsNull": lambda value: value is None or value == [],
    "IsNothing": lambda value: value is None or value == [],
    "IsNullOrEmpty": empty,
    "IsPresent": lambda value: not empty(value),
    "IsString": lambda value: value is not None and not (isinstance(value, list) and len(value) != 1),
    "IgnoreFlowIfNullOrEmpty": _ignore,
    "Redact": lambda value: value,
    "Count": lambda values: len(_listed(values)),
    "Item": _item,
    "RemoveDuplicates": lambda values: None if values is None else list(dict.fromkeys(_listed(values))),
    "SingleAppRoleAssignment": lambda values: next(iter(_listed(values)), None),
    "AppRoleAssignmentsComplex": lambda values: None if values is None else _listed(values),
}
EACH: dict[str, Callable[..., Value]] = {
    "Append": lambda source, suffix: _maybe(operator.add, text(source), _none(suffix)),
    "Left": _left,
    "Mid": _mid,
    "Word": _word,
    "StripSpaces": lambda source: _maybe(lambda one: one.replace(" ", ""), text(source)),
    "Trim": lambda source: _maybe(lambda one: one.strip(WHITE), text(source)),
    "ToLower": lambda source, _culture=None: _maybe(lambda one: _cased(one, str.lower), text(source)),
    "ToUpper": lambda source, _culture=None: _maybe(lambda one: _cased(one, str.upper), text(source)),
    "PCase": lambda source: _maybe(_title, text(source)),
    "NormalizeDiacritics": lambda source: _maybe(_plain, text(source)),
    "Replace": _replace,
    "ConvertToBase64": lambda source: _maybe(
        lambda one: base64.b64encode(one.encode("utf-16-le")).decode(), text(source)
    ),
    "ConvertToUTF8Hex": lambda source: _maybe(lambda one: one.encode().hex().upper(), text(source)),
}
ONE: dict[str, Callable[..., Value]] = {
    "Prepend": lambda prefix, source: _maybe(operator.add, _none(prefix), text(source)),
    "Len": lambda source: len(text(source) or ""),
    "InStr": _position,
    "CStr": text,
    "Split": _split,
    "CBool": truth,
    "Not": lambda source: (text(source) or "").strip(WHITE).casefold() != "true",
    "Error": _fail,
    "CDate": date,
    "DateAdd": _add,
    "DateDiff": _difference,
    "FormatDateTime": _format,
    "NumFromDate": _to_file_time,
    "DateFromNum": _from_file_time,
    "BitAnd": lambda one, two: _maybe(operator.and_, number(one), number(two)),
}

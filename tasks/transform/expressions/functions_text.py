"""Functions that make text of text: joining, cutting, searching, letter case, diacritics.

Null rules, where the documents say nothing: null in, null out; a null suffix, or operand of `&`, adds nothing.
Registered in `functions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.arrays import WHITE, fits, operand, replaced_nulls, where_ascii, without_empty
from tasks.transform.expressions.casing import is_culture, lower, proper, upper
from tasks.transform.expressions.coerce import single
from tasks.transform.expressions.columns import LIST, NUMBER, TEXT, Column, Result, Signals, as_text, decoded, first
from tasks.transform.expressions.diacritics import all_without_diacritics, without_diacritics
from tasks.transform.expressions.elementwise import Elementwise, Partial, elementwise
from tasks.transform.expressions.errors import ExpressionError, RowError, quoted
from tasks.transform.expressions.frame import Frame, Operation
from tasks.transform.expressions.signature import Bound, Function, Kind, Parameter
from tasks.transform.expressions.tree import Call, Text

_SOURCE: Final = Parameter("source", each=True)
COMPARE_WORDS: Final = ("vbBinaryCompare", "vbTextCompare")
"""How InStr compares: letter case counts, or does not."""


def _appended(source: str, suffix: str | None) -> str:
    return source + (suffix or "")


def _append_columns(source: pa.Array | str, suffix: pa.Array | str | None) -> pa.Array | None:
    if not fits(source, suffix):
        return None
    tail = replaced_nulls(suffix, "")
    return pc.binary_join_element_wise(operand(source), operand(tail), "")


def _prepended(prefix: str | None, source: str) -> str:
    return (prefix or "") + source


def _prepend_columns(prefix: pa.Array | str | None, source: pa.Array | str) -> pa.Array | None:
    if not fits(source, prefix):
        return None
    return pc.binary_join_element_wise(operand(replaced_nulls(prefix, "")), operand(source), "")


def _concatenated(*operands: str | None) -> str | None:
    return None if all(one is None for one in operands) else "".join(one or "" for one in operands)


def _concatenate_columns(*operands: pa.Array | str | None) -> pa.Array | None:
    if not fits(*operands):
        return None
    whole = pc.binary_join_element_wise(*(operand(replaced_nulls(one, "")) for one in operands), "")
    if any(isinstance(one, str) for one in operands):
        return whole
    return pc.if_else(pc.is_null(pc.coalesce(*map(operand, operands))), pa.scalar(None, TEXT), whole)


CONCATENATION: Final = Elementwise(TEXT, _concatenated, _concatenate_columns, takes_null=True)
"""The operator `&`; null counts as no text, and is the result only of nothing but nulls."""


def _joined(separator: str | None, *sources: str | None) -> str:
    return (separator or "").join(one for one in sources if one)


def _join_columns(separator: pa.Array | str | None, *sources: pa.Array | str | None) -> pa.Array | None:
    if len(sources) == 1 and isinstance(sources[0], pa.Array):
        return pc.fill_null(sources[0], "")
    between = [separator] * (len(sources) - 1)
    if isinstance(separator, pa.Array) or not fits(*sources, *between):
        return None
    present = [operand(_nothing_for_empty(one)) for one in sources]
    # Arrow's kernel loses the rows that have nothing to join; such a row gets one empty text.
    nothing = pc.is_null(pc.coalesce(*present))
    if pc.any(nothing).as_py():
        present[0] = pc.if_else(nothing, "", present[0])
    return pc.binary_join_element_wise(*present, separator or "", null_handling="skip")


def _nothing_for_empty(value: pa.Array | str | None) -> pa.Array | str | None:
    if not isinstance(value, pa.Array):
        return value or None
    empty = pc.equal(value, "")
    return pc.if_else(empty, pa.scalar(None, TEXT), value) if pc.any(empty).as_py() else value


_JOIN: Final = Elementwise(TEXT, _joined, _join_columns, takes_null=True)


def _join(operation: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    """Join: multi-valued sources are joined first, then all sources; empty ones are left out."""
    signals: Signals | None = None
    unfit: Signals | None = None
    given: list[Column] = []
    for argument in arguments:
        if argument.operation is None:
            continue
        result = frame.evaluate(argument.operation)
        signals = first(signals, result.signals)
        column = result.column
        if column.listed and not given:
            column, unfit = single(column, frame.count, "argument separator of Join")
        elif column.listed:
            column = _joined_lists(column, given[0], frame.count)
        given.append(as_text(column))
    column, wrong = _JOIN.compute(operation, given, [False] * len(given), frame)
    return Result(column, first(first(signals, unfit), wrong))


def _joined_lists(column: Column, separator: Column, count: int) -> Column:
    between = separator.plain(count) if not separator.constant else decoded(separator.data)[0].as_py() or ""
    if isinstance(between, str):
        lists = column.plain(1 if column.constant else count)
    else:
        lists = column.plain(count)
        between = pc.fill_null(between, "")
    return Column(pc.binary_join(without_empty(lists), between), column.constant and isinstance(between, str))


def _left(text: str | None, count: int | None) -> str | None:
    if text is None or count is None:
        return ""
    return text if count < 0 else text[:count]


def _left_columns(text: pa.Array | str | None, count: pa.Array | int | None) -> pa.Array | None:
    if not isinstance(text, pa.Array) or not isinstance(count, int):
        return None
    filled = pc.fill_null(text, "")
    return filled if count < 0 else pc.utf8_slice_codeunits(filled, 0, count)


def _mid(source: str, start: int, length: int | None) -> str:
    if start < 1:
        raise RowError(f"argument start of Mid counts from 1, found {start}")
    if length is not None and length < 0:
        raise RowError(f"argument length of Mid must not be negative, found {length}")
    return source[start - 1 :] if length is None else source[start - 1 : start - 1 + length]


def _mid_columns(source: pa.Array | str, start: pa.Array | int, length: pa.Array | int | None) -> pa.Array | None:
    if not isinstance(source, pa.Array) or not isinstance(start, int) or isinstance(length, pa.Array) or start < 1:
        return None
    if length is None:
        return pc.utf8_slice_codeunits(source, min(start - 1, 2**31))
    # Arrow's slice ends overflow beyond 32 bits; no value is that long.
    return (
        None if length < 0 else pc.utf8_slice_codeunits(source, min(start - 1, 2**31), min(start - 1 + length, 2**31))
    )


def _length(source: str | None) -> int:
    return len(source or "")


def _length_columns(source: pa.Array) -> pa.Array:
    return pc.fill_null(pc.utf8_length(source), 0).cast(NUMBER)


def _position(text: str | None, find: str | None, start: int | None, compare: str | None) -> int:
    begin = 1 if start is None else start
    if begin < 1:
        raise RowError(f"argument start of InStr counts from 1, found {begin}")
    if not text or find is None or begin > len(text):
        return 0
    if compare == "vbTextCompare":
        text, find = lower(text), lower(find)
    return text.find(find, begin - 1) + 1


def _position_columns(
    text: pa.Array | str | None, find: pa.Array | str | None, start: pa.Array | int | None, compare: str | None
) -> pa.Array | Partial | None:
    if not isinstance(text, pa.Array) or not isinstance(find, str) or not find or start not in (None, 1):
        return None
    if compare == "vbTextCompare":
        return None
    return where_ascii(text, lambda data: pc.fill_null(pc.add(pc.find_substring(data, find).cast(NUMBER), 1), 0))


def _word(text: str | None, number: int | None, delimiters: str | None) -> str:
    if not text or number is None or number < 1:
        return ""
    words = [text] if not delimiters else [word for word in re.split(f"[{re.escape(delimiters)}]", text) if word]
    return words[number - 1] if number <= len(words) else ""


def _word_columns(
    text: pa.Array | str | None, number: pa.Array | int | None, delimiters: pa.Array | str | None
) -> pa.Array | None:
    if not isinstance(text, pa.Array) or not isinstance(number, int) or not isinstance(delimiters, str):
        return None
    if not delimiters or not 1 <= number <= 100:
        return None
    separating = "".join(f"\\x{{{ord(character):x}}}" for character in delimiters)
    pattern = f"^[{separating}]*(?:[^{separating}]+[{separating}]+){{{number - 1}}}(?P<word>[^{separating}]+)"
    return pc.fill_null(pc.struct_field(pc.extract_regex(text, pattern), "word"), "")


def _lowered(source: str, culture: str | None) -> str:
    return lower(source, _culture(culture, "ToLower"))


def _raised(source: str, culture: str | None) -> str:
    return upper(source, _culture(culture, "ToUpper"))


def _culture(name: str | None, function: str) -> str | None:
    if name is not None and not is_culture(name):
        raise RowError(f"argument culture of {function} must be a culture such as tr-TR, found {quoted(name)}")
    return name


def _check_culture(call: Call) -> ExpressionError | None:
    culture = call.arguments[1] if len(call.arguments) > 1 else None
    if not isinstance(culture, Text) or is_culture(culture.value):
        return None
    return ExpressionError(
        f"it must be a culture such as tr-TR, found {quoted(culture.value)}.",
        line=culture.position.line,
        column=culture.position.column,
        function=call.name,
        argument="culture",
    )


def _lower_columns(source: pa.Array | str, culture: pa.Array | str | None) -> pa.Array | Partial | None:
    return where_ascii(source, pc.ascii_lower) if culture is None and isinstance(source, pa.Array) else None


def _upper_columns(source: pa.Array | str, culture: pa.Array | str | None) -> pa.Array | Partial | None:
    return where_ascii(source, pc.ascii_upper) if culture is None and isinstance(source, pa.Array) else None


def _split(source: str, delimiter: str | None) -> list[str]:
    mark = "," if delimiter is None else delimiter
    parts = source.split(mark) if mark else [source]
    return [part.strip(WHITE) for part in parts if part.strip(WHITE)]


def _split_columns(source: pa.Array | str, delimiter: pa.Array | str | None) -> pa.Array | None:
    if not isinstance(source, pa.Array) or isinstance(delimiter, pa.Array) or delimiter == "":
        return None
    lists = pc.split_pattern(source, "," if delimiter is None else delimiter)
    return without_empty(lists, pc.utf8_trim(lists.flatten(), WHITE))


def _plain_letters(source: pa.Array) -> pa.Array:
    ascii_only = pc.fill_null(pc.string_is_ascii(source), True)
    if pc.all(ascii_only).as_py() is not False:
        return source
    others = pc.invert(ascii_only)
    distinct = source.filter(others).dictionary_encode()
    replaced = pa.array(all_without_diacritics(distinct.dictionary.to_pylist()), TEXT)
    return pc.replace_with_mask(source, others, replaced.take(distinct.indices))


def _same(value: str) -> str:
    return value


def _redacted(_operation: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    assert arguments[0].operation is not None
    return frame.evaluate(arguments[0].operation)


FUNCTIONS: Final[tuple[Function, ...]] = (
    elementwise("Append", (_SOURCE, Parameter("suffix", nullable=True)), TEXT, _appended, _append_columns),
    elementwise(
        "Prepend", (Parameter("prefix", nullable=True), Parameter("source")), TEXT, _prepended, _prepend_columns
    ),
    Function("Join", (Parameter("separator"), Parameter("source", Kind.ANY, repeats=True)), TEXT, _join),
    elementwise(
        "Left",
        (Parameter("String", each=True), Parameter("NumChars", Kind.INTEGER)),
        TEXT,
        _left,
        _left_columns,
        takes_null=True,
    ),
    elementwise(
        "Mid",
        # A length left out, as an example of the cloud sync reference has it, means the rest.
        (_SOURCE, Parameter("start", Kind.INTEGER), Parameter("length", Kind.INTEGER, required=False)),
        TEXT,
        _mid,
        _mid_columns,
    ),
    elementwise("Len", (Parameter("source"),), NUMBER, _length, _length_columns, takes_null=True),
    elementwise(
        "InStr",
        (
            Parameter("value1"),
            Parameter("value2"),
            Parameter("start", Kind.INTEGER, required=False),
            Parameter("compareType", Kind.WORD, required=False, words=COMPARE_WORDS),
        ),
        NUMBER,
        _position,
        _position_columns,
        takes_null=True,
    ),
    elementwise(
        "Word",
        (Parameter("String", each=True), Parameter("WordNumber", Kind.INTEGER), Parameter("delimiters")),
        TEXT,
        _word,
        _word_columns,
        takes_null=True,
    ),
    elementwise(
        "StripSpaces",
        (_SOURCE,),
        TEXT,
        lambda source: source.replace(" ", ""),
        lambda source: pc.replace_substring(source, " ", ""),
    ),
    elementwise(
        "Trim",
        (Parameter("value", each=True),),
        TEXT,
        lambda value: value.strip(WHITE),
        lambda value: pc.utf8_trim(value, WHITE),
    ),
    elementwise(
        "ToLower",
        (_SOURCE, Parameter("culture", required=False)),
        TEXT,
        _lowered,
        _lower_columns,
        check=_check_culture,
    ),
    elementwise(
        "ToUpper",
        (_SOURCE, Parameter("culture", required=False)),
        TEXT,
        _raised,
        _upper_columns,
        check=_check_culture,
    ),
    elementwise("PCase", (_SOURCE, Parameter("wordSeparators", required=False)), TEXT, proper),
    elementwise(
        "NormalizeDiacritics",
        (_SOURCE,),
        TEXT,
        without_diacritics,
        _plain_letters,
    ),
    elementwise("CStr", (Parameter("value"),), TEXT, _same, lambda value: value),
    elementwise("CRef", (Parameter("value"),), TEXT, _same, lambda value: value),
    elementwise("Split", (Parameter("source"), Parameter("delimiter", required=False)), LIST, _split, _split_columns),
    Function("Redact", (Parameter("value", Kind.ANY),), None, _redacted, secret=True),
)

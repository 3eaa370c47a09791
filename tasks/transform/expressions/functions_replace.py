"""Replace, in its five forms, told apart by which arguments are given.

A blank argument is not given, an empty text is. Where the two references of Microsoft contradict each other (pattern,
group and replacement attribute) the one for app provisioning counts. Registered in `functions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import regex

from tasks.transform.expressions.arrays import fits, longest, operand, where_plain
from tasks.transform.expressions.columns import TEXT
from tasks.transform.expressions.elementwise import MAX_VALUE_CHARACTERS, Partial, elementwise, too_long
from tasks.transform.expressions.errors import ExpressionError, RowError, quoted
from tasks.transform.expressions.frame import PATTERN_SECONDS, Context
from tasks.transform.expressions.linear_patterns import linear
from tasks.transform.expressions.patterns import Pattern, PatternError, pattern, replacement
from tasks.transform.expressions.signature import Function, Parameter
from tasks.transform.expressions.tree import Call, Node, Text

_FORMS: Final = {
    frozenset({"Find", "Replacement"}),
    frozenset({"Find", "Template"}),
    frozenset({"RegularExpression", "Replacement"}),
    frozenset({"RegularExpression", "RegularExpressionGroupName", "Replacement"}),
    frozenset({"RegularExpression", "RegularExpressionGroupName", "ReplacementPropertyName"}),
}
_PARAMETERS: Final = (
    Parameter("source", each=True, nullable=True),
    Parameter("Find", required=False),
    Parameter("RegularExpression", required=False),
    Parameter("RegularExpressionGroupName", required=False),
    Parameter("Replacement", required=False),
    Parameter("ReplacementPropertyName", required=False),
    Parameter("Template", required=False),
)
_NAMES: Final = tuple(parameter.name for parameter in _PARAMETERS)

Given = frozenset[str]


def _given(call: Call) -> Given:
    return frozenset(
        name for name, argument in zip(_NAMES[1:], call.arguments[1:], strict=False) if argument is not None
    )


def _argument(call: Call, place: int) -> Node | None:
    return call.arguments[place] if place < len(call.arguments) else None


def _check(call: Call) -> ExpressionError | None:
    """Find a combination of arguments that has no meaning, and a written-out pattern that is wrong."""

    def wrong(problem: str, argument: str | None = None) -> ExpressionError:
        place = call.arguments[_NAMES.index(argument)] if argument else None
        position = (place or call).position
        return ExpressionError(
            problem, line=position.line, column=position.column, function="Replace", argument=argument
        )

    given = _given(call)
    if given not in _FORMS:
        return wrong(
            "beside source it takes Find and Replacement; Find and Template; RegularExpression and Replacement; "
            "RegularExpression, RegularExpressionGroupName and Replacement; or RegularExpression, "
            "RegularExpressionGroupName and ReplacementPropertyName; found "
            f"{', '.join(name for name in _NAMES if name in given) or 'none of them'}. A blank is an argument left out."
        )
    find, expression, group = (_argument(call, place) for place in (1, 2, 3))
    if isinstance(find, Text) and not find.value:
        return wrong("it must not be empty.", "Find")
    if not isinstance(expression, Text):
        return None
    try:
        compiled = pattern(expression.value)
    except PatternError as error:
        return wrong(f"{error}.", "RegularExpression")
    if isinstance(group, Text) and compiled.group(group.value) is None:
        return wrong(f"the pattern has no group {quoted(group.value)}.", "RegularExpressionGroupName")
    return None


def _replaced(
    context: Context,
    source: str | None,
    find: str | None,
    expression: str | None,
    group: str | None,
    new: str | None,
    other: str | None,
    template: str | None,
) -> str | None:
    """Replace in one value. What is left out and what is null cannot be told apart here, and mean the same."""
    if find is not None:
        return None if source is None else _literally(source, find, new, template)
    if expression is None:
        return source
    if group is not None and new is None:
        return source or _extracted(context, expression, group, other)
    if source is None:
        return None
    return _by_pattern(context, source, expression, group, new or "")


def _literally(source: str, find: str, new: str | None, template: str | None) -> str:
    if not find:
        raise RowError("argument Find of Replace must not be empty")
    whole, old, put = (source, find, new or "") if template is None else (template, find, source)
    if len(whole) + whole.count(old) * (len(put) - len(old)) > MAX_VALUE_CHARACTERS:
        raise RowError(too_long())
    return whole.replace(old, put)


def _extracted(context: Context, expression: str, group: str, other: str | None) -> str | None:
    if other is None:
        return None
    compiled, key = _compiled(expression, group)

    def search() -> str | None:
        found = compiled.compiled.search(other, timeout=PATTERN_SECONDS)
        return found[key] if found else None

    return _timed(context, expression, search)


def _by_pattern(context: Context, source: str, expression: str, group: str | None, new: str) -> str | None:
    compiled, key = _compiled(expression, group)
    put = replacement(new, compiled) if group is None else _in_group(key, new)
    size = len(source)

    def bounded(match: regex.Match[str]) -> str:
        nonlocal size
        text = put(match)
        size += len(text)
        if size > MAX_VALUE_CHARACTERS + len(source):
            raise RowError(too_long())
        return text

    return _timed(context, expression, lambda: compiled.compiled.sub(bounded, source, timeout=PATTERN_SECONDS))


def _in_group(key: str | int, new: str) -> Callable[[regex.Match[str]], str]:
    def put(match: regex.Match[str]) -> str:
        start, end = match.span(key)
        if start < 0:
            return match[0]
        begin = match.start()
        return match[0][: start - begin] + new + match[0][end - begin :]

    return put


def _compiled(expression: str, group: str | None) -> tuple[Pattern, str | int]:
    try:
        compiled = pattern(expression)
    except PatternError as error:
        raise RowError(str(error)) from None
    key = 0 if group is None else compiled.group(group)
    if key is None:
        raise RowError(f"the pattern {quoted(expression)} has no group {quoted(group)}")
    return compiled, key


def _timed(context: Context, expression: str, work: Callable[[], str | None]) -> str | None:
    if context.budget.exhausted:
        raise RowError(f"not tried: the pattern {quoted(expression)} has taken too long over other rows; simplify it")
    try:
        return context.budget.timed(work)
    except TimeoutError:
        raise RowError(
            f"the pattern {quoted(expression)} takes longer than {PATTERN_SECONDS} s over this value; simplify it"
        ) from None


def _columns(
    _context: Context,
    source: pa.Array | str | None,
    find: pa.Array | str | None,
    expression: pa.Array | str | None,
    group: pa.Array | str | None,
    new: pa.Array | str | None,
    _other: pa.Array | str | None,
    template: pa.Array | str | None,
) -> pa.Array | Partial | None:
    if not isinstance(source, pa.Array) or isinstance(find, pa.Array) or isinstance(template, pa.Array):
        return None
    if find:
        return _put_in(source, find, template) if template is not None else _literal_columns(source, find, new)
    if isinstance(expression, str) and group is None and isinstance(new, str | None):
        return _pattern_columns(source, expression, new or "")
    return None


def _literal_columns(source: pa.Array, find: str, new: pa.Array | str | None) -> pa.Array | None:
    if isinstance(new, pa.Array):
        return None
    put = new or ""
    growth = longest(source) // len(find) * max(len(put) - len(find), 0)
    return pc.replace_substring(source, find, put) if fits(source, further=growth) else None


def _put_in(source: pa.Array, find: str, template: str) -> pa.Array | None:
    pieces = template.split(find)
    if not fits(template, *[source] * (len(pieces) - 1)):
        return None
    parts: list[pa.Array | pa.Scalar] = [operand(pieces[0])]
    for piece in pieces[1:]:
        parts += [source, operand(piece)]
    if len(parts) == 1:
        return pc.if_else(pc.is_null(source), pa.scalar(None, TEXT), template)
    return pc.binary_join_element_wise(*parts, "")


def _pattern_columns(source: pa.Array, expression: str, new: str) -> pa.Array | Partial | None:
    form = linear(expression, new)
    if form is None or not fits(source, further=form.growth * longest(source)):
        return None
    plain = pc.string_is_ascii(source)
    for character in form.excluded:
        plain = pc.and_not(plain, pc.match_substring(source, character))
    return where_plain(source, plain, lambda data: pc.replace_substring_regex(data, form.pattern, form.replacement))


FUNCTIONS: Final[tuple[Function, ...]] = (
    elementwise("Replace", _PARAMETERS, TEXT, _replaced, _columns, context=True, check=_check),
)

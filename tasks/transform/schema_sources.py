"""Where a target attribute's value comes from: Microsoft's source tree, and the expression that says the same.

The schema's model reads and writes sources with it. Shape and parameter keys follow the Microsoft Graph resource
attributeMappingSource and its list of functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.expressions.functions import FUNCTIONS
from tasks.transform.expressions.grammar import parse
from tasks.transform.expressions.printer import unparse
from tasks.transform.expressions.tree import Attribute, Call, Comparison, Concatenation, Node, Number, Text, Word
from tasks.transform.schema_base import Part
from tasks.transform.schema_base import Text as TextField


class SourceType(StrEnum):
    """What a source is (Microsoft Graph, attributeMappingSource.type)."""

    ATTRIBUTE = "Attribute"
    """A source attribute, called `name`."""
    CONSTANT = "Constant"
    """The literal `name`."""
    FUNCTION = "Function"
    """The function `name` of its parameters."""


class Source(Part):
    """A value's origin; `expression` says the whole of it, the rest says the same as a tree."""

    type: SourceType = SourceType.FUNCTION
    name: TextField = ""
    expression: TextField = ""
    parameters: tuple[Parameter, ...] = ()


class Parameter(Part):
    """One argument of a function."""

    key: TextField
    value: Source


Source.model_rebuild()


def coerce_source(value: Any) -> Any:
    """Read a bare expression or number as a source, and a list of one name, which is how YAML reads `[givenName]`."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return from_expression(str(value))
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return from_expression(f"[{value[0]}]")
    return value


def complete_source(source: Source | None) -> Source | None:
    """Give the source with its expression, made from its tree where the file has only that."""
    if source is None or source.expression.strip():
        return source
    return source.model_copy(update={"expression": to_expression(source)})


def from_expression(text: str) -> Source:
    """Give the source tree of an expression; one that cannot be read has no tree and is told of when compiled."""
    try:
        tree = _source(parse(text))
    except ExpressionError:
        return Source(expression=text)
    return tree.model_copy(update={"expression": text})


def to_expression(source: Source) -> str:
    """Write a source tree as an expression, with blanks for the optional arguments that the tree leaves out."""
    if source.type is SourceType.ATTRIBUTE:
        return f"[{source.name}]"
    if source.type is SourceType.CONSTANT:
        return source.expression or _quoted(source.name)
    given = [(parameter.key, to_expression(parameter.value)) for parameter in source.parameters]
    if source.name in _OPERATORS:
        return f" {source.name} ".join(text for _, text in given)
    return f"{source.name}({', '.join(_arranged(source.name, given))})"


def agrees(source: Source) -> bool:
    """Tell whether the tree, where there is one, says the same as the expression, spacing and blanks aside."""
    if source.type is SourceType.FUNCTION and not source.parameters:
        return True
    try:
        said = parse(source.expression)
        return _shape(source) == _shape(_source(said)) or unparse(parse(to_expression(source))) == unparse(said)
    except ExpressionError:
        return False


def _shape(source: Source) -> tuple[object, ...]:
    """Give a tree without its texts, and without keys other than those of Replace, whose arguments they tell apart."""
    keyed = source.name in _IN_FULL
    inner = ((parameter.key if keyed else "", _shape(parameter.value)) for parameter in source.parameters)
    return source.type, source.name, tuple(inner)


_IN_FULL: Final = frozenset({"Replace"})
"""Functions that Microsoft always writes with all their blanks."""
_OPERATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">=", "&"})


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _source(node: Node) -> Source:
    match node:
        case Attribute():
            return Source(type=SourceType.ATTRIBUTE, name=node.name, expression=unparse(node))
        case Text() | Number():
            return Source(type=SourceType.CONSTANT, name=node.value, expression=unparse(node))
        case Word():
            return Source(type=SourceType.CONSTANT, name=node.name, expression=node.name)
        case Comparison():
            return _function(node, node.operator, zip(("left", "right"), (node.left, node.right), strict=True))
        case Concatenation():
            return _function(node, "&", (("source", operand) for operand in node.operands))
        case Call():
            named = zip(_keys(node), node.arguments, strict=True)
            return _function(node, node.name, ((key, value) for key, value in named if value is not None))


def _function(node: Node, name: str, arguments: Iterator[tuple[str, Node]]) -> Source:
    parameters = tuple(Parameter(key=key, value=_source(value)) for key, value in arguments)
    return Source(type=SourceType.FUNCTION, name=name, expression=unparse(node), parameters=parameters)


def _keys(call: Call) -> list[str]:
    """Name the arguments of a call: as the function's parameters, else `source` and then by number."""
    count = len(call.arguments)
    keys, repeats = _parameters(call.name, count)
    if not keys or (count > len(keys) and not repeats):
        return [f"value{place}" if place else "source" for place in range(count)]
    return (keys + keys[-1:] * count)[:count]


def _parameters(name: str, count: int) -> tuple[list[str], bool]:
    """Give the keys of a function that takes `count` arguments, and whether the last one repeats."""
    function = FUNCTIONS.get(name)
    if function is None or not function.parameters:
        return [], False
    if count == len(function.short_form):
        return list(function.short_form), False
    return [parameter.name for parameter in function.parameters], function.parameters[-1].repeats


def _arranged(name: str, given: list[tuple[str, str]]) -> list[str]:
    """Put the arguments in the function's order; those of other keys than the function's stay as they come."""
    keys, repeats = _parameters(name, len(given))
    if any(key not in keys for key, _ in given):
        return [text for _, text in given]
    single = dict(given)
    once = keys[:-1] if repeats else keys
    arranged = [single.get(key, "") for key in once] + [text for key, text in given if key not in once]
    while arranged and not arranged[-1] and name not in _IN_FULL:
        arranged.pop()
    return arranged

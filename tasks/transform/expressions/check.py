"""Holds a call against its function's signature, before anything is evaluated.

Finds unknown functions, missing and surplus arguments, and written-out arguments of a wrong kind; every finding is an
`ExpressionError` with line, column, function and argument. Called by `compiler`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa

from tasks.transform.expressions.coerce import integer_of, seconds_of
from tasks.transform.expressions.columns import BOOLEAN, DATE, LIST, NUMBER
from tasks.transform.expressions.errors import ExpressionError, nearest, quoted
from tasks.transform.expressions.frame import Operation
from tasks.transform.expressions.functions import FUNCTIONS
from tasks.transform.expressions.printer import unparse
from tasks.transform.expressions.signature import Bound, Function, Kind, Parameter
from tasks.transform.expressions.tree import Call, Node, Text, Word

_NEVER: dict[Kind, tuple[pa.DataType, ...]] = {
    Kind.INTEGER: (BOOLEAN, DATE, LIST),
    Kind.DATE: (BOOLEAN, NUMBER, LIST),
}
"""What a parameter of each kind can never take, whatever the rows hold."""
_NAMES = {BOOLEAN: "True or False", DATE: "a date", LIST: "a multi-valued attribute", NUMBER: "a number"}


def wrong(
    problem: str, node: Node, function: str | None = None, argument: str | None = None, suggestion: str | None = None
) -> ExpressionError:
    """Make the error for a part of the tree."""
    return ExpressionError(
        problem,
        line=node.position.line,
        column=node.position.column,
        function=function,
        argument=argument,
        suggestion=suggestion,
    )


def function_of(call: Call) -> Function:
    """Give the function of a call. Raises `ExpressionError` naming the nearest one when there is none."""
    function = FUNCTIONS.get(call.name)
    if function is None:
        near = nearest(call.name, FUNCTIONS.keys())
        case = " Letter case counts." if near and near.casefold() == call.name.casefold() else ""
        raise wrong(f"there is no function {call.name}.{case}", call, suggestion=near)
    return function


def bound(call: Call, function: Function, operations: Sequence[Operation | None]) -> tuple[Bound, ...]:
    """Give the parameters with what is given for each, in the order of the function's full form.

    Raises `ExpressionError` when an argument is missing, surplus, or of a wrong kind.
    """
    given = list(operations)
    parameters = _form(function, len(given))
    repeats = bool(parameters) and parameters[-1].repeats
    while not repeats and len(given) > len(parameters) and given[-1] is None:
        given.pop()
    if len(given) > len(parameters) and not repeats:
        raise wrong(
            f"it takes {_at_most(parameters)}, found {len(given)}: {usage(function)}.", call, function=call.name
        )
    pairs = [Bound(parameter, operation) for parameter, operation in zip(parameters, given, strict=False)]
    pairs += [Bound(parameters[-1], operation) for operation in given[len(parameters) :]]
    pairs += [Bound(parameter, None) for parameter in parameters[len(given) :] if not parameter.repeats]
    for parameter in parameters:
        own = [pair.operation for pair in pairs if pair.parameter is parameter]
        if parameter.required and not any(own):
            raise wrong(f"it is missing: {usage(function)}.", call, function=call.name, argument=parameter.name)
        for operation in own:
            if operation is not None:
                _check_kind(call, parameter, operation)
    problem = function.check(call) if function.check else None
    if problem is not None:
        raise problem
    return _full(function, pairs)


def _form(function: Function, count: int) -> tuple[Parameter, ...]:
    if function.short_form and count <= len(function.short_form):
        return tuple(parameter for parameter in function.parameters if parameter.name in function.short_form)
    return function.parameters


def _full(function: Function, pairs: list[Bound]) -> tuple[Bound, ...]:
    """Fill in the parameters that a short form leaves out."""
    named = {pair.parameter.name for pair in pairs}
    if not function.short_form or len(named) == len(function.parameters):
        return tuple(pairs)
    by_name = {pair.parameter.name: pair for pair in pairs}
    return tuple(by_name.get(parameter.name, Bound(parameter, None)) for parameter in function.parameters)


def _at_most(parameters: Sequence[Parameter]) -> str:
    required = sum(parameter.required for parameter in parameters)
    most = len(parameters)
    if not most:
        return "no arguments"
    counted = f"{most} argument{'s' if most > 1 else ''}"
    return counted if required == most else f"at most {counted}"


def usage(function: Function) -> str:
    """Give a function's form, such as `Split(source, [delimiter])`."""
    parts = []
    for parameter in function.parameters:
        part = f"{parameter.name}, …" if parameter.repeats else parameter.name
        parts.append(part if parameter.required else f"[{part}]")
    return f"{function.name}({', '.join(parts)})"


def _check_kind(call: Call, parameter: Parameter, operation: Operation) -> None:
    node = operation.node

    def refuse(problem: str, suggestion: str | None = None) -> ExpressionError:
        return wrong(problem, node, function=call.name, argument=parameter.name, suggestion=suggestion)

    if parameter.kind is Kind.WORD and isinstance(node, Word | Text):
        _check_word(parameter, node.name if isinstance(node, Word) else node.value, refuse)
        return
    if isinstance(node, Word) and operation.literal is not None:
        raise refuse(f'{node.name} is no value here; a text is written "{node.name}", an attribute [{node.name}].')
    if operation.kind in _NEVER.get(parameter.kind, ()):
        raise refuse(f"it must be {parameter.kind}; {quoted(unparse(node))} is {_NAMES[operation.kind]}.")
    value = operation.literal
    if value is None:
        return
    if parameter.words:
        _check_word(parameter, value, refuse)
    unread = (parameter.kind is Kind.INTEGER and integer_of(value) is None) or (
        parameter.kind is Kind.DATE and seconds_of(value, dt.date.min) is None
    )
    if unread:
        raise refuse(f"it must be {parameter.kind}, found {quoted(value)}.")


def _check_word(parameter: Parameter, value: str, refuse: Callable[[str, str | None], ExpressionError]) -> None:
    if value not in parameter.words:
        raise refuse(
            f"it must be one of {', '.join(parameter.words)}; found {quoted(value)}.",
            nearest(value, parameter.words),
        )

"""Turns an expression's tree into operations over columns. Called by `engine`.

Works from the leaves up, without recursion; parts that mean the same become one operation, evaluated once a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from tasks.transform.expressions.check import bound, function_of, wrong
from tasks.transform.expressions.coerce import single
from tasks.transform.expressions.columns import (
    BOOLEAN,
    NUMBER,
    TEXT,
    Column,
    Flow,
    Result,
    Signals,
    as_text,
    constant,
    first,
)
from tasks.transform.expressions.comparison import compare
from tasks.transform.expressions.errors import nearest
from tasks.transform.expressions.frame import Frame, Operation
from tasks.transform.expressions.functions_encoding import ENCODINGS
from tasks.transform.expressions.functions_logic import signal_result
from tasks.transform.expressions.functions_text import COMPARE_WORDS, CONCATENATION
from tasks.transform.expressions.tree import (
    Attribute,
    Call,
    Comparison,
    Concatenation,
    Node,
    Number,
    Text,
    Word,
    children,
    walk,
)

_SIGNALS: Final = {"IgnoreAttributeFlow": Flow.IGNORE_ATTRIBUTE, "IgnoreObjectFlow": Flow.IGNORE_OBJECT}
_WORDS: Final = (*_SIGNALS, *COMPARE_WORDS, *ENCODINGS)


def compiled(root: Node, known_attributes: Collection[str] | None, *, share: bool = True) -> Operation:
    """Give the operation of a whole expression.

    With `known_attributes`, every other attribute is refused. Without `share`, every part of the text has its own
    operation, so that each can be shown. Raises `ExpressionError`.
    """
    compiler = _Compiler(known_attributes, share=share)
    for node, depth in reversed(list(walk(root))):
        compiler.add(node, depth)
    compiler.hide(root)
    operation = compiler.operation(root)
    if isinstance(root, Word) and operation.literal is not None:
        raise wrong(f'{root.name} is no value; a text is written "{root.name}", an attribute [{root.name}].', root)
    return operation


class _Compiler:
    def __init__(self, known_attributes: Collection[str] | None, *, share: bool) -> None:
        self.known_attributes = known_attributes
        self.share = share
        self.by_node: dict[int, Operation] = {}
        self.by_meaning: dict[tuple[object, ...], Operation] = {}

    def operation(self, node: Node) -> Operation:
        return self.by_node[id(node)]

    def add(self, node: Node, depth: int) -> None:
        """Make the operation of a node whose children have theirs."""
        operation = self._made(node, depth)
        operation.random = operation.random or any(self.operation(child).random for child in children(node))
        if self.share and not operation.random and not isinstance(node, Text | Number | Word | Attribute):
            earlier = self.by_meaning.setdefault(self._meaning(node), operation)
            if earlier is not operation:
                earlier.shared = True
                operation = earlier
        self.by_node[id(node)] = operation

    def _meaning(self, node: Node) -> tuple[object, ...]:
        name = node.name if isinstance(node, Call) else node.operator if isinstance(node, Comparison) else "&"
        parts = node.arguments if isinstance(node, Call) else children(node)
        return (type(node), name, *(None if part is None else self._leaf(part) for part in parts))

    def _leaf(self, node: Node) -> object:
        return node if isinstance(node, Text | Number | Word | Attribute) else id(self.operation(node))

    def hide(self, root: Node) -> None:
        """Mark what must not be shown: everything within Redact, and everything that has a Redact within."""
        hidden: set[int] = set()
        nodes = [node for node, _ in walk(root)]
        for node in nodes:
            if id(node) in hidden or (isinstance(node, Call) and function_of(node).secret):
                hidden.add(id(node))
                hidden.update(id(child) for child in children(node))
        for node in reversed(nodes):
            if any(id(child) in hidden for child in children(node)):
                hidden.add(id(node))
        for node in nodes:
            if id(node) in hidden:
                self.operation(node).secret = True

    def _made(self, node: Node, depth: int) -> Operation:
        match node:
            case Text() | Number():
                kind = TEXT if isinstance(node, Text) else NUMBER
                return Operation(node, _fixed(node.value), kind, node.value)
            case Attribute():
                return self._attribute(node)
            case Word():
                return _word(node)
            case Call():
                return self._call(node, depth)
            case Comparison():
                left, right = map(self._value, children(node))
                numeric = isinstance(node.left, Number) or isinstance(node.right, Number)
                operation = Operation(node, _later, BOOLEAN)
                operation.run = lambda frame: compare(operation, node.operator, left, right, frame, numeric=numeric)
                return operation
            case Concatenation():
                operands = [self._value(child) for child in children(node)]
                operation = Operation(node, _later, TEXT)
                operation.run = lambda frame: _concatenated(operation, operands, frame)
                return operation

    def _value(self, node: Node) -> Operation:
        operation = self.operation(node)
        if isinstance(node, Word) and operation.literal is not None:
            raise wrong(f'{node.name} is no value; a text is written "{node.name}", an attribute [{node.name}].', node)
        return operation

    def _attribute(self, node: Attribute) -> Operation:
        known = self.known_attributes
        if known is not None and node.name not in known:
            near = nearest(node.name, known)
            raise wrong(f"there is no source attribute [{node.name}].", node, suggestion=near and f"[{near}]")
        return Operation(node, lambda frame: Result(frame.column(node.name)))

    def _call(self, node: Call, depth: int) -> Operation:
        function = function_of(node)
        if function.outermost and depth > 1:
            raise wrong("it must be the outermost function, not an argument.", node, function=node.name)
        given = [None if argument is None else self.operation(argument) for argument in node.arguments]
        arguments = bound(node, function, given)
        operation = Operation(node, _later, function.returns, random=function.random)
        # A plain function: calls through C, such as of a partial, would use up Python's stack twice as fast.
        operation.run = lambda frame: function.evaluate(operation, arguments, frame)
        return operation


def _later(_frame: Frame) -> Result:
    raise AssertionError("an operation runs before it is made")


def _fixed(value: str) -> Callable[[Frame], Result]:
    result = Result(constant(value))
    return lambda _frame: result


def _word(node: Word) -> Operation:
    if node.name in _SIGNALS:
        flow = _SIGNALS[node.name]
        return Operation(node, lambda frame: signal_result(flow, frame.count))
    if node.name not in _WORDS:
        raise wrong(
            f'{node.name} is no word of the language; a text is written "{node.name}", an attribute [{node.name}], '
            f"a function {node.name}(…).",
            node,
            suggestion=nearest(node.name, _WORDS),
        )
    return Operation(node, _fixed(node.name), TEXT, node.name)


def _concatenated(operation: Operation, operands: Sequence[Operation], frame: Frame) -> Result:
    signals: Signals | None = None
    unfit: Signals | None = None
    given: list[Column] = []
    for operand in operands:
        result = frame.evaluate(operand)
        column, several = result.column, None
        if column.listed:
            column, several = single(column, frame.count, "the operator &")
        signals, unfit = first(signals, result.signals), first(unfit, several)
        given.append(as_text(column))
    column, wrong_rows = CONCATENATION.compute(operation, given, [False] * len(given), frame)
    return Result(column, first(first(signals, unfit), wrong_rows))

"""The parts an expression consists of, as frozen values; two trees are equal when they mean the same text.

Made by `grammar`, read by `printer`, `check` and `compiler`. Holds no meaning of functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeAlias


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a part starts in the expression's text; both count from 1."""

    line: int
    column: int


@dataclasses.dataclass(frozen=True)
class Text:
    """A text in double quotes, escapes resolved."""

    value: str
    position: Position = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Number:
    """A number as written: decimal, with a sign, or hexadecimal as `&HF`."""

    written: str
    position: Position = dataclasses.field(compare=False)

    @property
    def value(self) -> str:
        """The number's text: as written, and a hexadecimal one in decimal."""
        return self.written if self.written[0] != "&" else str(int(f"0x{self.written[2:]}", 0))


@dataclasses.dataclass(frozen=True)
class Attribute:
    """A source attribute in square brackets."""

    name: str
    position: Position = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Word:
    """A bare word, such as `vbTextCompare` or `IgnoreObjectFlow`."""

    name: str
    position: Position = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Call:
    """A function and its arguments; null stands for an argument left blank."""

    name: str
    arguments: tuple[Node | None, ...]
    position: Position = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two operands and one of `=`, `<>`, `<`, `<=`, `>`, `>=` between them."""

    left: Node
    operator: str
    right: Node
    position: Position = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Concatenation:
    """Two operands or more with `&` between them."""

    operands: tuple[Node, ...]
    position: Position = dataclasses.field(compare=False)


Node: TypeAlias = Text | Number | Attribute | Word | Call | Comparison | Concatenation
"""Any part of an expression."""


def children(node: Node) -> tuple[Node, ...]:
    """Give the parts directly under `node`, blank arguments left out."""
    match node:
        case Call():
            return tuple(argument for argument in node.arguments if argument is not None)
        case Comparison():
            return node.left, node.right
        case Concatenation():
            return node.operands
        case _:
            return ()


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Give `node` and everything under it with its depth (1 for `node`), parents first, without recursion."""
    pending = [(node, 1)]
    while pending:
        current, depth = pending.pop()
        yield current, depth
        pending.extend((child, depth + 1) for child in reversed(children(current)))

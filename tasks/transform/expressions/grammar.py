"""Reads an expression's text into a tree. Knows the syntax only; which functions exist is for `check` to say.

Syntax as in "Reference for writing expressions for attribute mappings" (Microsoft), with what its examples need
beyond its text: blank arguments, bare words and numbers, comparison operators, `&`, escapes that mean nothing.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import lark

from tasks.transform.expressions.errors import ExpressionError, quoted
from tasks.transform.expressions.tree import (
    Attribute,
    Call,
    Comparison,
    Concatenation,
    Node,
    Number,
    Position,
    Text,
    Word,
)

MAX_CHARACTERS: Final = 10_000
"""The service takes no longer expression ("Known issues for provisioning", Microsoft)."""
MAX_DEPTH: Final = 150
"""Our own limit on functions within functions; evaluation recurses, and Python's stack is finite."""

_GRAMMAR: Final = r"""
start: _expression
_expression: comparison | concatenation | operand
comparison: _side COMPARE _side
_side: concatenation | operand
concatenation: operand ("&" operand)+
operand: call | TEXT -> text | NUMBER -> number | ATTRIBUTE -> attribute | NAME -> word
call: NAME "(" argument ("," argument)* ")"
argument: [_expression]

COMPARE: "<=" | ">=" | "<>" | "=" | "<" | ">"
TEXT: /"(?:[^"\\]|\\.)*"/s
NUMBER.2: /&[Hh][0-9A-Fa-f]{1,16}(?![0-9A-Za-z_])|[+-]?\d+(?:\.\d+)?/
ATTRIBUTE: /\[(?:[^\[\]]|\[[^\[\]]*\])+\]/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
%ignore /\s+/
"""

_EXPECTED: Final = {
    "COMPARE": "a comparison",
    "AMPERSAND": '"&"',
    "TEXT": "a text in quotation marks",
    "NUMBER": "a number",
    "ATTRIBUTE": "an attribute in square brackets",
    "NAME": "a function",
    "LPAR": '"("',
    "RPAR": '")"',
    "COMMA": '","',
    "$END": "the end",
}


def _at(token: lark.Token) -> Position:
    return Position(token.line or 1, token.column or 1)


class _TreeBuilder(lark.Transformer[lark.Token, Node]):
    """Turns what the parser recognises into tree nodes as it goes, so that deep nesting needs no deep stack."""

    def start(self, parts: list[Node]) -> Node:
        return parts[0]

    def operand(self, parts: list[Node]) -> Node:
        return parts[0]

    def text(self, parts: list[lark.Token]) -> Node:
        # Only \\ and \" are escapes; the examples hold others, such as "\+", that stand for themselves.
        return Text(re.sub(r'\\([\\"])', r"\1", str(parts[0])[1:-1]), _at(parts[0]))

    def number(self, parts: list[lark.Token]) -> Node:
        return Number(str(parts[0]), _at(parts[0]))

    def attribute(self, parts: list[lark.Token]) -> Node:
        return Attribute(str(parts[0])[1:-1].strip(), _at(parts[0]))

    def word(self, parts: list[lark.Token]) -> Node:
        return Word(str(parts[0]), _at(parts[0]))

    def argument(self, parts: list[Node | None]) -> Node | None:
        return parts[0] if parts else None

    def call(self, parts: list[lark.Token | Node | None]) -> Node:
        name, *arguments = parts
        assert isinstance(name, lark.Token)
        given = () if arguments == [None] else tuple(arguments)
        return Call(str(name), given, _at(name))  # type: ignore[arg-type]  # the rule allows nodes and blanks only

    def comparison(self, parts: list[Node | lark.Token]) -> Node:
        left, operator, right = parts
        assert isinstance(operator, lark.Token)
        return Comparison(left, str(operator), right, _at(operator))  # type: ignore[arg-type]  # nodes, by the rule

    def concatenation(self, parts: list[Node]) -> Node:
        return Concatenation(tuple(parts), parts[0].position)


@cache
def _parser() -> lark.Lark:
    return lark.Lark(_GRAMMAR, parser="lalr", transformer=_TreeBuilder(), maybe_placeholders=True)


def parse(text: str, where: str = "") -> Node:
    """Read an expression.

    Raises `ExpressionError` when it is empty, longer than `MAX_CHARACTERS`, nested deeper than `MAX_DEPTH`, or not
    written as the language wants it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            f"the expression has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}. Shorten it, or compute "
            "part of it in the source.",
            line=1,
            column=1,
            where=where,
        )
    if not text.strip():
        raise ExpressionError(
            'the expression is empty; write an attribute as [mail], a text as "x" or a function.',
            line=1,
            column=1,
            where=where,
        )
    _refuse_deep(text, where)
    try:
        return _parsed(text)
    except lark.exceptions.UnexpectedInput as error:
        raise _syntax_error(text, error, where) from None


def _parsed(text: str) -> Node:
    # With a transformer, Lark gives what the start rule makes, whatever its annotations say.
    node: Any = _parser().parse(text)
    assert isinstance(node, Node)
    return node


def _refuse_deep(text: str, where: str) -> None:
    """Refuse what is nested too deep before the parser builds it."""
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[()]', text, re.DOTALL):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, match.start()) + 1
            raise ExpressionError(
                f"functions are nested more than {MAX_DEPTH} deep; use Switch instead of IIF within IIF.",
                line=line,
                column=match.start() - text.rfind("\n", 0, match.start()),
                where=where,
            )


def _syntax_error(text: str, error: lark.exceptions.UnexpectedInput, where: str) -> ExpressionError:
    if isinstance(error, lark.exceptions.UnexpectedEOF) or (
        isinstance(error, lark.exceptions.UnexpectedToken) and error.token.type == "$END"
    ):
        last = text.rstrip()
        return ExpressionError(
            f"the expression ends too early; expected {_expected(error)}. Is a closing parenthesis missing?",
            line=last.count("\n") + 1,
            column=len(last) - last.rfind("\n"),
            where=where,
        )
    line, column = error.line, error.column
    if isinstance(error, lark.exceptions.UnexpectedCharacters):
        problem = _strange_character(error.char)
    else:
        problem = f"found {quoted(getattr(error, 'token', ''))}, expected {_expected(error)}."
    return ExpressionError(problem, line=line, column=column, where=where)


def _expected(error: lark.exceptions.UnexpectedInput) -> str:
    names = getattr(error, "accepts", None) or getattr(error, "expected", None) or ()
    words = [wording for name, wording in _EXPECTED.items() if name in names]
    return " or ".join(words) if words else "the end"


def _strange_character(character: str) -> str:
    if character == '"':
        return 'a text starts here and has no closing quotation mark; a quotation mark inside a text is written \\".'
    if character == "[":
        return "an attribute starts here and has no closing square bracket, or no name."
    if character in "“”„‟‘’‚'`":
        return f'found {character}; texts are written in straight double quotation marks ("…").'
    return f'found {quoted(character)}; texts are written in quotation marks ("…"), attributes in brackets ([…]).'

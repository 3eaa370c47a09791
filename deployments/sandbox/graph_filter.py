"""`$filter` of the sandbox's Graph: parsed into conditions that hold for one record or mark all people at once.

Comparisons with eq and ne, startswith, endswith, in, joined by and, or, not. Called by the reads of the Graph service.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

import lark
import numpy as np

from deployments.sandbox.graph_errors import bad_request
from deployments.sandbox.tenant_columns import Comparison, Condition, Mask
from deployments.sandbox.tenant_people import People

_PARSER: Final = lark.Lark(
    r"""
    ?start: either
    ?either: both ("or"i both)*
    ?both: side ("and"i side)*
    ?side: NOT side -> negation
         | "(" either ")"
         | path OPERATOR literal -> comparison
         | path "in"i "(" literal ("," literal)* ")" -> listed
         | FUNCTION "(" path "," literal ")" -> call
    path: NAME
    literal: TEXT | WORD
    NOT.2: /not\b/i
    OPERATOR: /(eq|ne)\b/i
    FUNCTION.2: /(startswith|endswith)\b/i
    WORD.2: /(true|false|null)\b/i
    NAME: /[A-Za-z_]\w*(\/[A-Za-z_]\w*)*/
    TEXT: /'([^']|'')*'/
    %ignore /\s+/
    """,
    parser="lalr",
)


class Filter(Protocol):
    """A parsed `$filter`."""

    @property
    def advanced(self) -> bool:
        """Whether it takes the advanced query capabilities (ConsistencyLevel: eventual and $count=true)."""

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Tell whether one object passes."""

    def mask(self, people: People) -> Mask:
        """Mark the people who pass, deleted people included."""

    def ids(self) -> list[str] | None:
        """Give the ids when the filter says nothing but `id eq ...`, joined by or; None otherwise."""


@dataclasses.dataclass(frozen=True)
class _Comparison:
    name: str
    condition: Condition
    advanced: bool = False

    def holds(self, record: Mapping[str, Any]) -> bool:
        return self.condition.holds(record.get(self.name))

    def mask(self, people: People) -> Mask:
        return people.where(self.name, self.condition)

    def ids(self) -> list[str] | None:
        is_id = self.name == "id" and self.condition.comparison is Comparison.EQUALS
        return [str(self.condition.value)] if is_id else None


@dataclasses.dataclass(frozen=True)
class _Joined:
    parts: tuple[Filter, ...]
    every: bool

    @property
    def advanced(self) -> bool:
        return any(part.advanced for part in self.parts)

    def holds(self, record: Mapping[str, Any]) -> bool:
        return (all if self.every else any)(part.holds(record) for part in self.parts)

    def mask(self, people: People) -> Mask:
        join = np.logical_and if self.every else np.logical_or
        return np.asarray(join.reduce([part.mask(people) for part in self.parts]))

    def ids(self) -> list[str] | None:
        found = [part.ids() for part in self.parts]
        if self.every or any(ids is None for ids in found):
            return None
        return [one for ids in found if ids is not None for one in ids]


@dataclasses.dataclass(frozen=True)
class _Negated:
    part: Filter
    advanced: bool = True

    def holds(self, record: Mapping[str, Any]) -> bool:
        return not self.part.holds(record)

    def mask(self, people: People) -> Mask:
        return ~self.part.mask(people)

    def ids(self) -> list[str] | None:
        return None


@lark.v_args(inline=True)
class _Builder(lark.Transformer[lark.Token, Filter]):
    def path(self, name: lark.Token) -> tuple[str, str | None]:
        outer, _, inner = str(name).partition("/")
        return outer, inner or None

    def literal(self, token: lark.Token) -> str | bool | None:
        if token.type == "WORD":
            return {"true": True, "false": False, "null": None}[token.lower()]
        return token[1:-1].replace("''", "'")

    def comparison(self, path: tuple[str, str | None], operator: lark.Token, value: str | bool | None) -> Filter:
        equal = _Comparison(path[0], Condition(Comparison.EQUALS, value, path[1]))
        return equal if operator.lower() == "eq" else _Negated(equal)

    def listed(self, path: tuple[str, str | None], *values: str | bool | None) -> Filter:
        parts = tuple(_Comparison(path[0], Condition(Comparison.EQUALS, value, path[1])) for value in values)
        return _Joined(parts, every=False)

    def call(self, function: lark.Token, path: tuple[str, str | None], value: str | bool | None) -> Filter:
        comparison = Comparison(function.lower())
        return _Comparison(path[0], Condition(comparison, value, path[1]), comparison is Comparison.ENDS_WITH)

    def negation(self, _: lark.Token, part: Filter) -> Filter:
        return _Negated(part)

    def either(self, *parts: Filter) -> Filter:
        return _Joined(parts, every=False)

    def both(self, *parts: Filter) -> Filter:
        return _Joined(parts, every=True)


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Filter:
    """Parse a `$filter`; raises `GraphError` (400) for what Graph, or this sandbox, does not understand."""
    try:
        parsed: Filter = _Builder().transform(_PARSER.parse(text))
    except lark.exceptions.LarkError as error:
        raise bad_request(f"Invalid filter clause: {text}") from error
    return parsed

"""Scoping filters as masks over columns: who passes, and which clause anyone else fails on.

The schema's checks compile filters, the transform applies them. Operators follow Microsoft's page "Scoping users or
groups to be provisioned with scoping filters"; what it leaves open is decided at `Operator`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import BadInputError
from tasks.transform.expressions.patterns import PatternError, pattern
from tasks.transform.schema_model import AttributeType, Clause, Comparison, FilterGroup
from tasks.transform.source_attributes import APP_ROLES, IS_SOFT_DELETED, KnownAttributes, SourceAttribute
from tasks.transform.suggestions import did_you_mean

MAX_VALUE_LENGTH: Final = 10_000
"""Characters a clause's value may have, as an expression may."""
VALUE_SECONDS: Final = 0.5
"""Time a pattern may take for one value before that person counts as failed."""
CLAUSE_SECONDS: Final = 3.0
"""Time a pattern may take for all values together, besides `SECONDS_PER_VALUE` for each of them."""
SECONDS_PER_VALUE: Final = 0.000_05
"""Time allowed for each value on top, far above what an ordinary pattern takes."""

NOT_FILTERABLE: Final = frozenset({"manager", APP_ROLES, "userType", "IsMemberOf", IS_SOFT_DELETED})
"""Attributes that Microsoft documents as unusable in filters, and the one that follows from the filters."""


class Operator(StrEnum):
    """What a clause asks of an attribute. Except for IS NULL, a null or empty value never satisfies a clause."""

    EQUALS = "EQUALS"
    """The value is one of the clause's values, letter case included."""
    NOT_EQUALS = "NOT EQUALS"
    """The value is none of the clause's values."""
    IS_TRUE = "IS TRUE"
    """The value is True, in any letter case."""
    IS_FALSE = "IS FALSE"
    """The value is False, in any letter case."""
    IS_NULL = "IS NULL"
    """There is no value, or an empty one."""
    IS_NOT_NULL = "IS NOT NULL"
    """There is a value that is not empty."""
    REGEX_MATCH = "REGEX MATCH"
    """The whole value matches the .NET pattern, letter case included: the documented examples hold only so."""
    NOT_REGEX_MATCH = "NOT REGEX MATCH"
    """The value as a whole does not match the pattern."""
    GREATER_THAN = "Greater_Than"
    """Value and clause's value are integers, and the value is the greater one."""
    GREATER_THAN_OR_EQUALS = "Greater_Than_OR_EQUALS"
    """Value and clause's value are integers, and the value is not the smaller one."""
    INCLUDES = "Includes"
    """The value contains the clause's value, letter case included."""
    ENDS_WITH = "ENDS_WITH"
    """The value ends with the clause's value, letter case included."""
    WITHIN = "&"
    """The value is contained in the clause's value, letter case included."""
    NOT_WITHIN = "!&"
    """The value is not contained in the clause's value."""


_UNARY: Final = frozenset({Operator.IS_TRUE, Operator.IS_FALSE, Operator.IS_NULL, Operator.IS_NOT_NULL})
_NEGATED: Final = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_REGEX_MATCH: Operator.REGEX_MATCH,
    Operator.NOT_WITHIN: Operator.WITHIN,
}
_NUMERIC: Final = frozenset({Operator.GREATER_THAN, Operator.GREATER_THAN_OR_EQUALS})
_SPELLINGS: Final = {re.sub(r"[\s_]", "", operator.value).casefold(): operator for operator in Operator} | {
    "isnotnull": Operator.IS_NOT_NULL,
    "notnull": Operator.IS_NOT_NULL,
    "notequal": Operator.NOT_EQUALS,
    "matchesregex": Operator.REGEX_MATCH,
}
_INTEGER: Final = r"^[+-]?[0-9]{1,18}$"

Report = Callable[[tuple[str | int, ...], str, str], None]
"""Told a problem: where it stands within the filter groups, what it is about, and what to do."""


def find_operator(name: str) -> Operator | None:
    """Give the operator spelled as in Microsoft Graph or in the portal, letter case and underscores aside."""
    return _SPELLINGS.get(re.sub(r"[\s_]", "", name).casefold())


@dataclass(frozen=True)
class CompiledClause:
    """One condition, ready to be asked of a column."""

    title: str
    attribute: str
    operator: Operator
    values: tuple[str, ...]
    comparison: Comparison

    def __str__(self) -> str:
        """Read as Microsoft's reports do: title, attribute, operator, value."""
        return f"{self.title} {self.condition}".strip()

    @property
    def condition(self) -> str:
        """The clause without its group's title."""
        return f"{self.attribute} {self.operator} {', '.join(self.values)}".strip()

    def judge(self, column: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Give two arrays as long as `column`: whether each row satisfies the clause, and whether it took too long."""
        if pa.types.is_list(column.type):
            return self._judge_lists(column)
        present = pc.and_(pc.is_valid(column), pc.not_equal(pc.fill_null(column, ""), ""))
        if self.operator is Operator.IS_NULL:
            return pc.invert(present), _falses(len(column))
        if self.operator is Operator.IS_NOT_NULL:
            return present, _falses(len(column))
        holds, late = self._test(column)
        if self.operator in _NEGATED:
            holds = pc.invert(holds)
        return pc.and_(pc.and_(present, holds), pc.invert(late)), late

    def _judge_lists(self, column: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Judge each value of each list; `All` needs every value to hold and at least one to be there."""
        rows = len(column)
        parents = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        values = pc.list_flatten(column)
        present = pc.and_(pc.is_valid(values), pc.not_equal(pc.fill_null(values, ""), ""))
        kept = np.asarray(present)
        total = np.bincount(parents[kept], minlength=rows)
        if self.operator in {Operator.IS_NULL, Operator.IS_NOT_NULL}:
            return pa.array((total > 0) == (self.operator is Operator.IS_NOT_NULL)), _falses(rows)
        holds, late = self.judge(values)
        hits = np.bincount(parents[np.asarray(holds)], minlength=rows)
        lates = np.bincount(parents[np.asarray(late)], minlength=rows) > 0
        enough = hits == total if self.comparison is Comparison.ALL else hits > 0
        return pa.array((total > 0) & enough & ~lates), pa.array(lates)

    def _test(self, column: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Ask the positive form of the operator, nulls answering no."""
        late = _falses(len(column))
        match _NEGATED.get(self.operator, self.operator):
            case Operator.EQUALS:
                holds = pc.is_in(column, value_set=pa.array(self.values, pa.string()))
            case Operator.IS_TRUE | Operator.IS_FALSE:
                wanted = "true" if self.operator is Operator.IS_TRUE else "false"
                holds = pc.equal(pc.utf8_lower(column), wanted)
            case Operator.GREATER_THAN | Operator.GREATER_THAN_OR_EQUALS:
                digits = pc.fill_null(pc.match_substring_regex(column, _INTEGER), False)
                compare = pc.greater if self.operator is Operator.GREATER_THAN else pc.greater_equal
                numbers = pc.cast(pc.if_else(digits, pc.utf8_ltrim(column, "+"), None), pa.int64())
                holds = compare(numbers, int(self.values[0]))
            case Operator.INCLUDES:
                holds = _any(pc.match_substring(column, value) for value in self.values)
            case Operator.ENDS_WITH:
                holds = _any(pc.ends_with(column, value) for value in self.values)
            case Operator.WITHIN:
                holds = _per_distinct(column, lambda value: any(value in haystack for haystack in self.values))
            case _:
                holds, late = self._matches(column)
        return pc.fill_null(holds, False), late

    def _matches(self, column: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Match patterns once per distinct value, within a time limit for each value and one for all."""
        patterns = [pattern(value).compiled for value in self.values]
        encoded = pc.dictionary_encode(column)
        left = CLAUSE_SECONDS + SECONDS_PER_VALUE * len(encoded.dictionary)
        verdicts: list[bool | None] = []
        for value in encoded.dictionary.to_pylist():
            began = time.monotonic()
            try:
                verdicts.append(any(one.fullmatch(value, timeout=VALUE_SECONDS) for one in patterns))
            except TimeoutError:
                verdicts.append(None)
            left -= time.monotonic() - began
            if left < 0:
                raise BadInputError(
                    f"The scoping filter clause `{self}` takes too long: its pattern tries too many ways to match, "
                    "for instance because of a repeat within a repeat such as (a+)+. Write the pattern without it."
                )
        verdict = pa.array(verdicts, pa.bool_()).take(encoded.indices)
        return verdict, pc.and_(pc.is_null(verdict), pc.is_valid(column))


@dataclass(frozen=True)
class Judgement:
    """What a filter says of each row; all three arrays are as long as the rows.

    `passes` (bool) has no nulls; `failing` (string) names the clause a row fails on, null where it passes; `error`
    (string) says why a row could not be judged, null where it could. A row with an error does not pass.
    """

    passes: pa.Array
    failing: pa.Array
    error: pa.Array


@dataclass(frozen=True)
class CompiledFilter:
    """Groups of clauses: all clauses of one group have to hold. Without groups everybody passes."""

    groups: tuple[tuple[CompiledClause, ...], ...] = ()

    @property
    def attributes(self) -> frozenset[str]:
        """The source attributes that the filter reads."""
        return frozenset(clause.attribute for group in self.groups for clause in group)

    def judge(self, columns: Mapping[str, pa.Array], count: int) -> Judgement:
        """Judge `count` rows whose values are in `columns`, text or lists of text; an absent column is all null.

        Raises `BadInputError` when a pattern takes too long altogether.
        """
        if not self.groups:
            return Judgement(pa.array(np.ones(count, bool)), pa.nulls(count, pa.string()), pa.nulls(count, pa.string()))
        passes, failing = _falses(count), []
        error = pa.nulls(count, pa.string())
        for group in self.groups:
            first = np.full(count, -1)
            for index, clause in enumerate(group):
                column = columns.get(clause.attribute)
                holds, late = clause.judge(pa.nulls(count, pa.string()) if column is None else column)
                first[(first < 0) & ~np.asarray(holds)] = index
                error = pc.if_else(late, pc.coalesce(error, pa.scalar(_too_slow(clause))), error)
            passes = pc.or_(passes, pa.array(first < 0))
            texts = pa.array([str(clause) for clause in group], pa.string())
            failing.append(texts.take(pa.array(first, mask=first < 0)))
        passes = pc.and_(passes, pc.is_null(error))
        # A row that does not pass fails in every group, so that no text is null where it counts.
        joined = pc.binary_join_element_wise(*failing, "; ", null_handling="replace")
        return Judgement(passes, pc.if_else(passes, pa.scalar(None, pa.string()), joined), error)


def explain_filter(scope: CompiledFilter, columns: Mapping[str, pa.Array]) -> list[list[tuple[CompiledClause, bool]]]:
    """Give every clause with whether the one person of `columns` satisfies it, group by group."""
    none = pa.nulls(1, pa.string())
    return [
        [(clause, bool(clause.judge(columns.get(clause.attribute, none))[0][0].as_py())) for clause in group]
        for group in scope.groups
    ]


def compile_filter(groups: Sequence[FilterGroup], known: KnownAttributes, report: Report) -> CompiledFilter:
    """Make a filter of the groups of a schema; every problem goes to `report`, and the clause it is in is left out."""
    compiled = []
    for number, group in enumerate(groups):
        if not group.clauses:
            report((number,), group.name or "scope", "a filter group without clauses says nothing. Remove it.")
        clauses = (
            _compile_clause(clause, group.name or "", known, _within(report, (number, "clauses", index)))
            for index, clause in enumerate(group.clauses)
        )
        compiled.append(tuple(clause for clause in clauses if clause is not None))
    return CompiledFilter(tuple(compiled))


def _within(report: Report, location: tuple[str | int, ...]) -> Callable[[str, str], None]:
    def told(about: str, message: str) -> None:
        report(location, about, message)

    return told


def _compile_clause(
    clause: Clause, title: str, known: KnownAttributes, tell: Callable[[str, str], None]
) -> CompiledClause | None:
    name = clause.source_operand_name
    operator = find_operator(clause.operator_name)
    values = clause.target_operand.values
    if operator in _UNARY:
        values = ()
    problems = [*_attribute_problems(name, known), *_operator_problems(clause.operator_name, operator, values)]
    for problem in problems:
        tell(f"filter on {name}", problem)
    if problems or operator is None:
        return None
    return CompiledClause(title, name, operator, values, clause.multivalued_comparison_type)


def _attribute_problems(name: str, known: KnownAttributes) -> Iterator[str]:
    if name in NOT_FILTERABLE:
        yield "this attribute cannot be used in a scoping filter. Filter on another attribute, or through assignment."
        return
    attribute: SourceAttribute | None = known.find(name)
    if attribute is None:
        yield f"there is no such source attribute.{did_you_mean(name, known)}"
    elif attribute.type in {AttributeType.DATE_TIME, AttributeType.REFERENCE}:
        kind = "a date" if attribute.type is AttributeType.DATE_TIME else "a reference to another object"
        yield f"the attribute holds {kind}, which cannot be used in a scoping filter. Filter on another attribute."


def _operator_problems(name: str, operator: Operator | None, values: tuple[str, ...]) -> Iterator[str]:
    if operator is None:
        yield f"there is no operator {name!r}.{did_you_mean(name, list(Operator))} Known: {', '.join(Operator)}."
    elif operator not in _UNARY and not any(values):
        yield f"{operator} needs a value to compare with. Give it under targetOperand.values."
    elif any(len(value) > MAX_VALUE_LENGTH for value in values):
        yield f"a value has more than {MAX_VALUE_LENGTH:,} characters. Shorten it."
    elif operator in _NUMERIC and not (len(values) == 1 and re.match(_INTEGER, values[0])):
        yield f"{operator} compares with one integer of up to 18 digits, found {', '.join(values)!r}. Give an integer."
    elif _NEGATED.get(operator, operator) is Operator.REGEX_MATCH:
        for value in values:
            try:
                pattern(value)
            except PatternError as error:
                yield f"{error}. Mend it."


def _too_slow(clause: CompiledClause) -> str:
    return f"the scoping filter clause `{clause}` took longer than {VALUE_SECONDS} s on this person's value"


def _falses(count: int) -> pa.Array:
    return pa.array(np.zeros(count, bool))


def _any(masks: Iterator[Any]) -> pa.Array:
    result = next(masks)
    for mask in masks:
        result = pc.or_(result, mask)
    return result


def _per_distinct(column: pa.Array, test: Callable[[str], bool]) -> pa.Array:
    encoded = pc.dictionary_encode(column)
    verdicts = pa.array([test(value) for value in encoded.dictionary.to_pylist()], pa.bool_())
    return verdicts.take(encoded.indices)

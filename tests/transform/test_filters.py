"""Scoping filters: each operator's meaning, how clauses and groups combine, and that columns equal rows."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import BadInputError
from tasks.transform.filters import CompiledClause, CompiledFilter, Operator, find_operator
from tasks.transform.schema_model import Comparison

VALUES = [
    "Sales",
    "sales",
    "Pre-Sales",
    "",
    None,
    "10",
    "9",
    "+9",
    "99999999999999999999",
    "True",
    "false",
    "Sa",
    "Üsküdar",
]


def clause(operator: Operator, *values: str, comparison: Comparison = Comparison.ALL) -> CompiledClause:
    """Give a clause on `department`."""
    return CompiledClause("Title", "department", operator, values, comparison)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        (Operator.EQUALS, ("Sales",), {"Sales"}),
        (Operator.EQUALS, ("Sales", "10"), {"Sales", "10"}),
        (Operator.NOT_EQUALS, ("Sales",), set(VALUES) - {"Sales", "", None}),
        (Operator.IS_TRUE, (), {"True"}),
        (Operator.IS_FALSE, (), {"false"}),
        (Operator.IS_NULL, (), {"", None}),
        (Operator.IS_NOT_NULL, (), set(VALUES) - {"", None}),
        (Operator.REGEX_MATCH, ("[A-Z]?[a-z]{1,5}",), {"Sales", "sales", "Sa", "True", "false"}),
        (Operator.REGEX_MATCH, ("([1-9][0-9])",), {"10"}),
        (Operator.NOT_REGEX_MATCH, (".*[a-z].*",), {"10", "9", "+9", "99999999999999999999"}),
        (Operator.GREATER_THAN, ("9",), {"10"}),
        (Operator.GREATER_THAN_OR_EQUALS, ("9",), {"10", "9", "+9"}),
        (Operator.INCLUDES, ("Sales",), {"Sales", "Pre-Sales"}),
        (Operator.ENDS_WITH, ("ales",), {"Sales", "sales", "Pre-Sales"}),
        (Operator.WITHIN, ("Sales and 10",), {"Sales", "10", "Sa"}),
        (Operator.NOT_WITHIN, ("Sales and 10",), set(VALUES) - {"Sales", "10", "Sa", "", None}),
    ],
)
def test_each_operator_means_what_is_documented(
    operator: Operator, values: tuple[str, ...], expected: set[str | None]
) -> None:
    holds, late = clause(operator, *values).judge(pa.array(VALUES))
    assert {value for value, held in zip(VALUES, holds.to_pylist(), strict=True) if held} == expected
    assert not any(late.to_pylist())


@pytest.mark.parametrize("operator", [one for one in Operator if one is not Operator.IS_NULL])
@pytest.mark.parametrize("empty", ["", None])
def test_a_clause_on_nothing_is_false(operator: Operator, empty: str | None) -> None:
    holds, _ = clause(operator, "1").judge(pa.array([empty], pa.string()))
    assert holds.to_pylist() == [False]


@pytest.mark.parametrize(
    ("spelling", "operator"),
    [
        ("EQUALS", Operator.EQUALS),
        ("NOT EQUALS", Operator.NOT_EQUALS),
        ("NOT_EQUALS", Operator.NOT_EQUALS),
        ("IS NOT NULL", Operator.IS_NOT_NULL),
        ("NOT REGEX MATCH", Operator.NOT_REGEX_MATCH),
        ("Greater_Than", Operator.GREATER_THAN),
        ("GREATER_THAN_OR_EQUALS", Operator.GREATER_THAN_OR_EQUALS),
        ("INCLUDES", Operator.INCLUDES),
        ("ENDS WITH", Operator.ENDS_WITH),
        ("&", Operator.WITHIN),
        ("!&", Operator.NOT_WITHIN),
        ("LIKE", None),
    ],
)
def test_operators_are_known_by_both_their_spellings(spelling: str, operator: Operator | None) -> None:
    assert find_operator(spelling) is operator


LISTS = [["Sales", "HR"], ["Sales"], ["HR", None], [""], [], None]


@pytest.mark.parametrize(
    ("operator", "comparison", "expected"),
    [
        (Operator.EQUALS, Comparison.ALL, [False, True, False, False, False, False]),
        (Operator.EQUALS, Comparison.ANY, [True, True, False, False, False, False]),
        (Operator.NOT_EQUALS, Comparison.ALL, [False, False, True, False, False, False]),
        (Operator.NOT_EQUALS, Comparison.ANY, [True, False, True, False, False, False]),
        (Operator.IS_NULL, Comparison.ALL, [False, False, False, True, True, True]),
        (Operator.IS_NOT_NULL, Comparison.ANY, [True, True, True, False, False, False]),
    ],
)
def test_several_values_are_compared_all_or_any(
    operator: Operator, comparison: Comparison, expected: list[bool]
) -> None:
    column = pa.array(LISTS, pa.list_(pa.string()))
    assert clause(operator, "Sales", comparison=comparison).judge(column)[0].to_pylist() == expected


def test_clauses_are_joined_by_and_groups_by_or_and_the_failing_clauses_are_named() -> None:
    staff = CompiledClause("Staff", "kind", Operator.EQUALS, ("Employee",), Comparison.ALL)
    sales = CompiledClause("Staff", "department", Operator.EQUALS, ("Sales",), Comparison.ALL)
    badge = CompiledClause("Badge", "badge", Operator.IS_NOT_NULL, (), Comparison.ALL)
    columns = {
        "kind": pa.array(["Employee", "Employee", "Guest", "Guest"]),
        "department": pa.array(["Sales", "HR", "Sales", "HR"]),
    }
    judged = CompiledFilter(((staff, sales), (badge,))).judge(
        {**columns, "badge": pa.array([None, None, "7", None])}, 4
    )
    assert judged.passes.to_pylist() == [True, False, True, False]
    assert judged.failing.to_pylist() == [
        None,
        "Staff department EQUALS Sales; Badge badge IS NOT NULL",
        None,
        "Staff kind EQUALS Employee; Badge badge IS NOT NULL",
    ]


def test_without_groups_everybody_passes_and_an_absent_column_is_null() -> None:
    assert CompiledFilter().judge({}, 2).passes.to_pylist() == [True, True]
    assert CompiledFilter(((clause(Operator.IS_NULL),),)).judge({}, 2).passes.to_pylist() == [True, True]


def test_a_pattern_that_takes_too_long_for_one_value_fails_that_row_alone() -> None:
    hostile = CompiledFilter(((clause(Operator.NOT_REGEX_MATCH, r"(a|aa)+$"),),))
    judged = hostile.judge({"department": pa.array(["a" * 60 + "!", "b"])}, 2)
    assert judged.passes.to_pylist() == [False, True]
    assert "took longer than" in judged.error.to_pylist()[0]
    assert judged.error.to_pylist()[1] is None


def test_a_pattern_that_takes_too_long_for_everyone_stops_the_filter() -> None:
    hostile = CompiledFilter(((clause(Operator.REGEX_MATCH, r"(a|aa)+$"),),))
    with pytest.raises(BadInputError, match="takes too long"):
        hostile.judge({"department": pa.array([f"{'a' * (60 + number)}!" for number in range(50)])}, 50)


TEXTS = st.none() | st.sampled_from(["", "a", "A", "ab", "b", "1", "2", "10", "-3", "007", "True", "FALSE", "é", "1.5"])
OPERANDS = {Operator.GREATER_THAN: ["1", "-3"], Operator.GREATER_THAN_OR_EQUALS: ["2", "7"]}


@st.composite
def clauses(draw: st.DrawFn) -> CompiledClause:
    operator = draw(st.sampled_from(list(Operator)))
    choices = OPERANDS.get(operator, ["a", "ab", "1", "A", "[ab]+", "é", "aab10"])
    values = tuple(draw(st.lists(st.sampled_from(choices), min_size=1, max_size=1 if operator in OPERANDS else 2)))
    attribute = draw(st.sampled_from(["one", "many"]))
    return CompiledClause("T", attribute, operator, values, draw(st.sampled_from(list(Comparison))))


@settings(deadline=None)
@given(
    st.lists(st.lists(clauses(), min_size=1, max_size=3), min_size=0, max_size=3),
    st.lists(st.tuples(TEXTS, st.none() | st.lists(TEXTS, max_size=3)), max_size=8),
)
def test_masks_equal_a_filter_of_one_row_at_a_time(
    groups: list[list[CompiledClause]], rows: list[tuple[str | None, list[str | None] | None]]
) -> None:
    columns = {
        "one": pa.array([one for one, _ in rows], pa.string()),
        "many": pa.array([many for _, many in rows], pa.list_(pa.string())),
    }
    judged = CompiledFilter(tuple(map(tuple, groups))).judge(columns, len(rows))
    expected = [
        not groups
        or any(all(row_holds(each, {"one": one, "many": many}[each.attribute]) for each in group) for group in groups)
        for one, many in rows
    ]
    assert judged.passes.to_pylist() == expected
    assert [text is None for text in judged.failing.to_pylist()] == expected


def row_holds(each: CompiledClause, value: object) -> bool:
    """Judge one value of one row, as the documentation words it."""
    values = [one for one in (value if isinstance(value, list) else [value]) if one]
    if each.operator is Operator.IS_NULL:
        return not values
    if not values:
        return False
    verdicts = [text_holds(each, str(text)) for text in values]
    return any(verdicts) if each.comparison is Comparison.ANY else all(verdicts)


def text_holds(each: CompiledClause, text: str) -> bool:
    """Judge one text that is not empty."""
    whole = re.fullmatch(r"[+-]?[0-9]{1,18}", text)
    match each.operator:
        case Operator.EQUALS | Operator.NOT_EQUALS:
            return (text in each.values) == (each.operator is Operator.EQUALS)
        case Operator.IS_TRUE | Operator.IS_FALSE:
            return text.lower() == ("true" if each.operator is Operator.IS_TRUE else "false")
        case Operator.REGEX_MATCH | Operator.NOT_REGEX_MATCH:
            found = any(re.fullmatch(value, text) for value in each.values)
            return found == (each.operator is Operator.REGEX_MATCH)
        case Operator.GREATER_THAN:
            return whole is not None and int(text) > int(each.values[0])
        case Operator.GREATER_THAN_OR_EQUALS:
            return whole is not None and int(text) >= int(each.values[0])
        case Operator.INCLUDES:
            return any(value in text for value in each.values)
        case Operator.ENDS_WITH:
            return any(text.endswith(value) for value in each.values)
        case Operator.WITHIN | Operator.NOT_WITHIN:
            return any(text in value for value in each.values) == (each.operator is Operator.WITHIN)
        case _:
            return True

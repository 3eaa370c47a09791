"""Expressions and values made to hurt: they end in a clear error, in bounded time and memory."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from tasks.transform.expressions.elementwise import MAX_VALUE_CHARACTERS
from tasks.transform.expressions.engine import Rows, compile_expression
from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.expressions.frame import PATTERN_TIMEOUTS
from tasks.transform.expressions.grammar import MAX_CHARACTERS, MAX_DEPTH

NOW = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)


def rows(*values: str | None) -> Rows:
    return Rows({"x": pa.array(values, pa.string())}, len(values), NOW)


def test_the_longest_expression_is_taken_and_one_character_more_is_not() -> None:
    longest = 'Len("' + "a" * (MAX_CHARACTERS - 7) + '")'
    assert compile_expression(longest).evaluate(rows("")).values.to_pylist() == [str(MAX_CHARACTERS - 7)]
    with pytest.raises(ExpressionError, match="the limit is 10,000"):
        compile_expression(longest + " ")


@pytest.mark.parametrize("opened", ["Not(", 'IIF([x] = "1", "y", ', "Coalesce([x], ", 'Switch([x], "d", "k", '])
def test_the_deepest_nesting_is_evaluated_and_one_level_more_is_refused(opened: str) -> None:
    def nested(depth: int) -> str:
        return opened * depth + "[x]" + ")" * depth

    expression = compile_expression(nested(MAX_DEPTH))
    assert len(expression.evaluate(rows("k", None)).values) == 2
    assert expression.explain(rows("k"))
    assert compile_expression(expression.unparse()).unparse() == expression.unparse()
    with pytest.raises(ExpressionError, match=f"nested more than {MAX_DEPTH} deep"):
        compile_expression(nested(MAX_DEPTH + 1))


def test_nesting_far_beyond_the_limit_is_refused_without_being_built() -> None:
    with pytest.raises(ExpressionError, match=f"nested more than {MAX_DEPTH} deep"):
        compile_expression("Not(" * 2_400)


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(.*)*(.*)*(.*)*!", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_pattern_that_runs_away_ends_in_an_error_of_the_row(pattern: str) -> None:
    evil = "a" * 60 + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    result = compile_expression(f'Replace([x], , "{pattern}", , "-")').evaluate(rows(evil, "b"))
    error = result.errors[0].as_py()
    assert error is None or "takes longer than" in error
    assert result.errors[1].as_py() is None


def test_a_pattern_that_keeps_running_away_is_given_up() -> None:
    values = ["a" * (60 + number) + "b" for number in range(PATTERN_TIMEOUTS + 5)]
    result = compile_expression('Replace([x], , "(a|aa)+$", , "-")').evaluate(rows(*values))
    given_up = [error for error in result.errors.to_pylist() if "not tried" in error]
    assert len(given_up) == 5


@pytest.mark.parametrize(
    "expression",
    [
        'Replace(Replace(Replace([x], "a", , , "{0}"), "a", , , "{0}"), "a", , , "{0}")',
        'Replace([x], , "a", , "{0}{0}{0}")',
        'Replace([x], "a", , , , , "{0}{0}{0}{0}")',
        "[x] & [x] & [x]",
        "ConvertToBase64(ConvertToBase64(ConvertToBase64(ConvertToBase64([x]))))",
        'Join("{0}", [x], [x], [x])',
        "Append([x], Append([x], [x]))",
    ],
)
def test_a_value_that_grows_without_bound_ends_in_an_error_of_the_row(expression: str) -> None:
    text = expression.replace("{0}", "a" * 200)
    result = compile_expression(text).evaluate(rows("a" * (MAX_VALUE_CHARACTERS // 2), "a"))
    assert "grows over" in result.errors[0].as_py()


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("Left([x], 9223372036854775807)", None),
        ("Left([x], 9223372036854775808)", "whole number"),
        ("Mid([x], 9223372036854775807, 9223372036854775807)", None),
        ('DateAdd("d", 9223372036854775807, Now())', "outside the years"),
        ('DateAdd("yyyy", -9223372036854775808, Now())', "outside the years"),
        ("DateFromNum(9223372036854775807)", "outside the years"),
        ("RandomString(9223372036854775807, 0, 0, 0, 0)", "from 0 to 256"),
        ("Item([x], 9223372036854775807)", "counts from 1"),
        ('Word([x], 9223372036854775807, " ")', None),
        ('InStr([x], "a", 9223372036854775807)', None),
        ("BitAnd(&HFFFFFFFFFFFFFFFF, 1)", "whole number"),
    ],
)
def test_huge_counts_cost_nothing(expression: str, words: str | None) -> None:
    try:
        error = compile_expression(expression).evaluate(rows("abc", "", None)).errors[0].as_py()
    except ExpressionError as refused:
        error = str(refused)
    assert error is None if words is None else words in error


def test_huge_repetitions_in_a_pattern_are_refused() -> None:
    with pytest.raises(ExpressionError, match="more than 1000 repetitions"):
        compile_expression('Replace([x], , "((a{1000}){1000}){1001}", , "")')


def test_strange_characters_pass_through_whole() -> None:
    strange = "\x00\ufffe\U0010ffff\u202e\u0301"
    result = compile_expression('ToLower(Trim(Append(NormalizeDiacritics([x]), "")))').evaluate(rows(strange))
    assert result.values.to_pylist() == [strange]

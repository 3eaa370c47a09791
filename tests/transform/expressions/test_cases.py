"""Every documented rule of every function, each with our own values: see `cases`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tasks.transform.expressions.engine import Evaluated, Rows, compile_expression
from tasks.transform.expressions.functions import FUNCTIONS
from tests.transform.expressions.cases import CASES, Expected, Fails, Signal, Value

NOW = dt.datetime(2031, 3, 14, 15, 9, 26, 500_000, tzinfo=dt.UTC)


def rows_of(inputs: Mapping[str, Value], *, encoded: bool = False, count: int = 1) -> Rows:
    columns = {}
    for name, value in inputs.items():
        kind = pa.list_(pa.string()) if isinstance(value, list) else pa.string()
        array = pa.array([value] * count, kind)
        columns[name] = array.dictionary_encode() if encoded and kind == pa.string() else array
    return Rows(columns, count, NOW, "corp.example", lambda values: pc.equal(values, "taken"))


def outcome(result: Evaluated, row: int = 0) -> Expected:
    if result.errors[row].is_valid:
        return Fails(result.errors[row].as_py())
    if result.ignore_object[row].as_py() or result.ignore_attribute[row].as_py():
        return Signal(whole_object=result.ignore_object[row].as_py())
    return result.values[row].as_py()


def assert_gives(expected: Expected, found: Expected) -> None:
    if isinstance(expected, Fails):
        assert isinstance(found, Fails)
        assert expected.words in found.words
    else:
        assert found == expected


@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "encoded"])
@pytest.mark.parametrize(("expression", "inputs", "expected"), CASES)
def test_gives_what_is_documented(
    expression: str, inputs: Mapping[str, Value], expected: Expected, encoded: bool
) -> None:
    result = compile_expression(expression).evaluate(rows_of(inputs, encoded=encoded, count=2))
    assert_gives(expected, outcome(result, row=1))


@pytest.mark.parametrize(("expression", "inputs", "expected"), CASES)
def test_its_last_explained_step_is_its_result(
    expression: str, inputs: Mapping[str, Value], expected: Expected
) -> None:
    compiled = compile_expression(expression)
    last = compiled.explain(rows_of(inputs))[-1]
    assert last.depth == 1
    if not compiled.redacted and not isinstance(expected, Fails | Signal):
        assert last.value == expected


def test_every_function_has_a_case() -> None:
    without = set(FUNCTIONS) - {name for text, _, _ in CASES for name in compile_expression(text).functions}
    assert without == {"Guid", "RandomString"}


def test_a_source_column_may_hold_booleans_numbers_and_large_text() -> None:
    columns = {
        "flag": pa.array([True, None]),
        "size": pa.array([7, None], pa.int32()),
        "note": pa.array(["x", None], pa.large_string()),
    }
    result = compile_expression('Join(",", [flag], [size], [note])').evaluate(Rows(columns, 2, NOW))
    assert result.values.to_pylist() == ["True,7,x", ""]


def test_the_default_domain_is_an_error_where_there_is_none() -> None:
    result = compile_expression("DefaultDomain()").evaluate(Rows({}, 1, NOW))
    assert "no default verified domain" in result.errors[0].as_py()

"""Values are turned into what a target attribute takes, and what cannot be is told for its own row."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import TargetAttribute
from tasks.transform.values import convert

TEXT = TargetAttribute("FirstName", "String", max_length=5)
FLAG = TargetAttribute("LoginEnabled", "Boolean")
DATE = TargetAttribute("StartDate", "DateTime")
SETS = TargetAttribute("PermissionSets", "String", multivalued=True, max_length=10)
LISTS = pa.list_(pa.string())


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-03-09", "2026-03-09"),
        ("2026-03-09T00:00:00Z", "2026-03-09"),
        ("2026-03-09T23:59:59.1234567Z", "2026-03-09"),
        ("2026-03-09 07:30", "2026-03-09"),
        ("2026-03-09T23:00:00-07:00", "2026-03-10"),
        ("2026-03-09T01:00:00+0200", "2026-03-08"),
        ("2026-03-09+02:00", "2026-03-08"),
        ("3/9/2026 12:00:00 AM", "2026-03-09"),
        ("3/9/2026 11:59:59 PM", "2026-03-09"),
        ("03/09/2026", "2026-03-09"),
        ("12/31/2026 23:00", "2026-12-31"),
        (" 2026-03-09 ", "2026-03-09"),
        ("", None),
        (None, None),
    ],
)
def test_a_date_target_takes_every_documented_form(text: str | None, date: str | None) -> None:
    values, error = convert(pa.array([text], pa.string()), DATE)
    assert values.to_pylist() == [date]
    assert error.to_pylist() == [None]


@pytest.mark.parametrize(
    "text", ["soon", "2026-02-30", "31/12/2026", "2026-3-9", "3/9/2026 13:00:00 PM", "2026-03-09T25:00:00Z", "20260309"]
)
def test_what_is_no_date_is_an_error_that_quotes_it(text: str) -> None:
    values, error = convert(pa.array([text], pa.string()), DATE)
    assert values.to_pylist() == [None]
    assert error.to_pylist()[0].startswith(f"StartDate takes a date, found '{text}'.")


@settings(deadline=None)
@given(st.dates(min_value=dt.date(1601, 1, 2), max_value=dt.date(9999, 12, 30)), st.times())
def test_every_form_of_an_instant_gives_the_same_day(day: dt.date, time: dt.time) -> None:
    moment = dt.datetime.combine(day, time, dt.UTC)
    hour = moment.hour % 12 or 12
    forms = [
        moment.date().isoformat(),
        moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"),
        f"{moment.month}/{moment.day}/{moment.year:04} {hour}:{moment:%M:%S} {'AM' if moment.hour < 12 else 'PM'}",
    ]
    values, _ = convert(pa.array(forms), DATE)
    assert set(values.to_pylist()) == {moment.date().isoformat()}


@pytest.mark.parametrize(("text", "flag"), [("True", "True"), ("false", "False"), ("TRUE", "True"), ("", None)])
def test_a_boolean_target_takes_any_letter_case(text: str, flag: str | None) -> None:
    assert convert(pa.array([text]), FLAG)[0].to_pylist() == [flag]


def test_what_is_no_boolean_is_an_error() -> None:
    values, error = convert(pa.array(["yes", "True"]), FLAG)
    assert values.to_pylist() == [None, "True"]
    assert error.to_pylist() == ["LoginEnabled takes True or False, found 'yes'. Give one of them, with IIF.", None]


def test_a_text_that_is_too_long_is_an_error_that_names_attribute_and_limit() -> None:
    _, error = convert(pa.array(["Ümlaut", "Üml"]), TEXT)
    assert "FirstName takes at most 5 characters, found 'Ümlaut'" in error.to_pylist()[0]
    assert error.to_pylist()[1] is None


def test_a_single_valued_target_takes_a_list_of_one_and_refuses_one_of_several() -> None:
    values, error = convert(pa.array([["a"], ["a", "b"], [], None, ["", "c"], [None]], LISTS), TEXT)
    assert values.to_pylist() == ["a", None, None, None, "c", None]
    assert error.to_pylist()[1].startswith("FirstName takes one value, and the expression gives 2 of them.")
    assert error.null_count == 5


def test_a_multi_valued_target_takes_a_text_as_a_list_of_one() -> None:
    assert convert(pa.array(["User", "", None]), SETS)[0].to_pylist() == [["User"], None, None]


def test_a_multi_valued_target_drops_empty_values() -> None:
    values, error = convert(pa.array([["User", "", None, "Admin"], [""], [], None], LISTS), SETS)
    assert values.to_pylist() == [["User", "Admin"], None, None, None]
    assert error.null_count == 4


def test_one_value_that_is_too_long_is_told_for_its_own_list() -> None:
    values, error = convert(pa.array([["User"], None, ["x", "y" * 11, "z" * 12], ["User"]], LISTS), SETS)
    assert len(values) == 4
    assert [text is None for text in error.to_pylist()] == [True, True, False, True]
    assert "yyyyyyyyyyy" in error.to_pylist()[2]


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(st.none() | st.sampled_from(["", "a", "b"]), max_size=3), max_size=6))
def test_lists_equal_what_each_row_gives_alone(rows: list[list[str | None] | None]) -> None:
    column = pa.array([["skipped"], *rows], LISTS)[1:]
    kept = [[value for value in row or [] if value] or None for row in rows]
    assert convert(column, SETS)[0].to_pylist() == kept
    single, error = convert(column, TEXT)
    assert single.to_pylist() == [row[0] if row and len(row) == 1 else None for row in kept]
    assert [text is not None for text in error.to_pylist()] == [len(row or []) > 1 for row in kept]

"""Chance: what Guid and RandomString give is within its rules, differs from row to row, and can be given."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import uuid

import pytest

from tasks.transform.expressions.engine import Rows, compile_expression

NOW = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
ROWS = Rows({}, 500, NOW)


def test_identifiers_are_random_ones_and_no_two_are_the_same() -> None:
    values = compile_expression("Guid()").evaluate(ROWS).values.to_pylist()
    assert len(set(values)) == len(values)
    assert {(uuid.UUID(value).version, str(uuid.UUID(value)) == value) for value in values} == {(4, True)}


def test_two_calls_that_look_the_same_give_two_values() -> None:
    values = compile_expression('Join(" ", Guid(), Guid())').evaluate(ROWS).values.to_pylist()
    assert all(one != two for one, two in map(str.split, values))


def test_chance_can_be_given() -> None:
    counter = itertools.count()
    rows = Rows({}, 2, NOW, random_bytes=lambda count: bytes(next(counter) % 256 for _ in range(count)))
    values = compile_expression("Guid()").evaluate(rows).values.to_pylist()
    assert values == ["00010203-0405-4607-8809-0a0b0c0d0e0f", "10111213-1415-4617-9819-1a1b1c1d1e1f"]


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ("8, 2, 0, 0, 6", r"[0-9a-z]{8}"),
        ("12, 2, 2, 2, 2", r"[\x21-\x7e]{12}"),
        ('10, 3, 0, 3, 0, "01OI"', r"[2-9A-HJ-NP-Z]{10}"),
        ("6, 0, 0, 0, 0", r"[\x21-\x7e]{6}"),
        ("256, 1, 1, 1, 1", r"[\x21-\x7e]{256}"),
        ("0, 0, 0, 0, 0", r""),
    ],
)
def test_random_texts_have_the_length_and_the_characters_asked_for(arguments: str, pattern: str) -> None:
    result = compile_expression(f"RandomString({arguments})").evaluate(ROWS)
    assert [value for value in result.values.to_pylist() if not re.fullmatch(pattern, value)] == []


def test_random_texts_hold_the_minimum_of_each_class() -> None:
    values = compile_expression("RandomString(9, 2, 3, 1, 3)").evaluate(ROWS).values.to_pylist()
    counts = {
        tuple(len(re.findall(one, value)) for one in ("[0-9]", "[^0-9A-Za-z]", "[A-Z]", "[a-z]")) for value in values
    }
    assert counts == {(2, 3, 1, 3)}


def test_random_texts_differ_and_are_shuffled() -> None:
    values = compile_expression("RandomString(10, 5, 0, 0, 5)").evaluate(ROWS).values.to_pylist()
    assert len(set(values)) == len(values)
    assert {value[0].isdigit() for value in values} == {True, False}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("257, 0, 0, 0, 0", "from 0 to 256"),
        ("4, 2, 2, 2, 0", "nor more in all than its Length of 4"),
        ("4, -1, 0, 0, 0", "must not be negative"),
        ('4, 1, 0, 0, 0, "0123456789"', "leaves no numbers"),
    ],
)
def test_settings_that_cannot_be_met_are_an_error_of_the_row(arguments: str, words: str) -> None:
    result = compile_expression(f"RandomString({arguments})").evaluate(Rows({}, 1, NOW))
    assert words in result.errors[0].as_py()

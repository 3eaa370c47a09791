"""Documents are read with the line of every value, and hostile ones are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transform.document import DocumentError, read_document

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(JSON_VALUES, st.sampled_from([None, 0, 2, "\t"]))
def test_json_comes_out_as_the_json_module_reads_it(value: object, indent: int | str | None) -> None:
    root, doubled = read_document(json.dumps(value, indent=indent), is_json=True)
    assert root.plain() == value
    assert doubled == ()


def test_every_json_value_knows_its_line() -> None:
    root, _ = read_document('{\n "a": [\n  {"b": 1},\n  {"c":\n 2}\n ]\n}', is_json=True)
    assert [root.line_of(["a"]), root.line_of(["a", 0, "b"]), root.line_of(["a", 1, "c"])] == [2, 3, 4]


def test_a_location_that_is_absent_has_the_line_of_what_should_hold_it() -> None:
    root, _ = read_document("a:\n  - b: 1\n", is_json=False)
    assert root.line_of(["a", 0, "absent"]) == 2


def test_yaml_dates_and_odd_numbers_stay_as_they_are_written() -> None:
    root, _ = read_document("a: 2026-03-09\nb: 007\nc: yes\nd:\ne: -7\nf: 1.50\ng: 1.5\nh: 1_000\n", is_json=False)
    assert root.plain() == {
        "a": "2026-03-09",
        "b": "007",
        "c": True,
        "d": None,
        "e": -7,
        "f": "1.50",
        "g": 1.5,
        "h": "1_000",
    }


@pytest.mark.parametrize(("text", "is_json"), [('{"a": 1,\n "a": 2}', True), ("a: 1\na: 2\n", False)])
def test_a_key_that_stands_twice_is_told_with_its_line(text: str, is_json: bool) -> None:
    root, doubled = read_document(text, is_json=is_json)
    assert doubled == (("a", 2),)
    assert str(root.plain()["a"]) == "1"


@pytest.mark.parametrize(
    ("text", "is_json"),
    [
        ("[" * 100_000, True),
        ("[" * 100_000 + "]" * 100_000, True),
        ("[" * 100_000 + "]" * 100_000, False),
        ("[" * 300 + "]" * 300, True),
        (
            "a: &a [x, x]\n"
            + "".join(
                f"{key}: &{key} [*{chr(ord(key) - 1)}, *{chr(ord(key) - 1)}]\n" for key in "bcdefghijklmnopqrstuvw"
            ),
            False,
        ),
        ("a: &a [*a]", False),
        ("a: [", False),
        ('{"a": }', True),
    ],
)
def test_what_is_no_document_or_too_large_a_one_is_refused(text: str, is_json: bool) -> None:
    with pytest.raises(DocumentError):
        read_document(text, is_json=is_json)

""".NET's regular expressions: what is translated, and that the quick way over columns means the same."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transform.expressions.linear_patterns import linear
from tasks.transform.expressions.patterns import PatternError, pattern, replacement


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        (r"(?'year'\d{4})", "in 2031", "2031"),
        (r"\bé\w+", "un été", "été"),
        (r"[^\W_]+$", "a_b", "b"),
        (r"\u0041\x42\e?", "AB", "AB"),
        (r"\p{Lu}+", "abCDe", "CD"),
        (r"\p{IsCyrillic}+", "abвгд", "вгд"),
        (r"[\w-[\d_]]+", "12_ab3", "ab"),
        (r"[]a]+", "x]a", "]a"),
        (r"[a&&b]+", "x&&", "&&"),
        (r"a{,2}", "a{,2}", "a{,2}"),
        (r"(?#note)a(?:b|c)+?", "abc", "ab"),
        (r"(?<=x)y(?!z)", "xyz xyw", "y"),
        (r"(?>a+)b", "aab", "aab"),
        (r"a.c\Z", "abc\n", "abc"),
        (r"a.c\z", "abc\n", None),
        (r"(?m)^b$", "a\nb\nc", "b"),
        (r"a(?i:B)", "ab", "ab"),
        (r"(a)\1", "xaa", "aa"),
        (r"\cJ", "x\n", "\n"),
        (r"[\]\\-]+", r"a\-]", r"\-]"),
    ],
)
def test_a_pattern_finds_what_it_finds_in_net(text: str, value: str, found: str | None) -> None:
    match = pattern(text).compiled.search(value)
    assert (match[0] if match else None) == found


@pytest.mark.parametrize(
    "text",
    [
        "(",
        "[a",
        "a**",
        "*a",
        "a{2}{3}",
        r"\y",
        r"\p{",
        "\\",
        "(?<a-b>x)",
        "(?(a)b|c)",
        "(?n)a",
        r"(?<n>a)(b)\1",
        "a{2000}",
    ],
)
def test_a_pattern_that_is_wrong_or_has_no_translation_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        pattern(text)


@pytest.mark.parametrize(
    ("put", "gives"),
    [
        ("$1", "b"),
        ("${1}0", "b0"),
        ("${n}", "a"),
        ("$2", "a"),
        ("$$1", "$1"),
        ("$&$&", "abab"),
        ("[$`|$']", "[x|y]"),
        ("$_", "xaby"),
        ("$+", "a"),
        ("$7 ${no} $", "$7 ${no} $"),
        (r"\1", r"\1"),
    ],
)
def test_a_replacement_text_refers_to_groups_as_in_net(put: str, gives: str) -> None:
    compiled = pattern("(?<n>a)(b)")
    match = compiled.compiled.search("xaby")
    assert match is not None
    assert replacement(put, compiled)(match) == gives


PIECES = st.sampled_from(
    [
        "a",
        "b+",
        "[ab]",
        "[^b]+",
        r"\d",
        r"\s",
        r"\S+?",
        ".",
        ".*",
        "x?",
        "a{2}",
        "(a|b)",
        "(?<n>.+)",
        "(?:ab|a)",
        "^",
        "$",
        "-",
    ]
)
PUTS = st.sampled_from(["", "z", "<$&>", "${n}", "$1", "$$", "$2-$1", r"\0"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=4).map("".join), PUTS, st.lists(st.text("ab1 -x\n\v\t", max_size=8)))
def test_the_quick_way_over_a_column_gives_what_single_values_give(text: str, put: str, values: list[str]) -> None:
    quick = linear(text, put)
    if quick is None or text.count("(?<n>") > 1:
        return
    plain = [value for value in values if not any(one in value for one in quick.excluded)]
    compiled = pattern(text)
    expected = [compiled.compiled.sub(replacement(put, compiled), value) for value in plain]
    found = pc.replace_substring_regex(pa.array(plain, pa.string()), quick.pattern, quick.replacement).to_pylist()
    assert found == expected
    assert all(len(one) <= len(value) * (1 + quick.growth) for one, value in zip(found, plain, strict=True))


@pytest.mark.parametrize("text", ["a*", "(a|b)*", "a?", "^", "(?=a)b", r"\bword", r"(a)\1", "a|", "[a-z-[b]]"])
def test_what_the_quick_way_would_read_differently_is_left_to_the_other(text: str) -> None:
    assert linear(text, "") is None


@pytest.mark.parametrize("text", [r"[()\s.-]+", r"^\+(?<land>\d+) (?<rest>.*)$", "x|ab", r"\\+"])
def test_common_patterns_go_the_quick_way(text: str) -> None:
    assert linear(text, "") is not None

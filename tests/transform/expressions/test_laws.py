"""Laws that hold for every expression: printing reads back, columns give what single rows give."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.transform.expressions.engine import BATCH_ROWS, Rows, compile_expression
from tasks.transform.expressions.grammar import parse
from tasks.transform.expressions.printer import unparse
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
from tests.transform.expressions.reference import FailedError, IgnoredError, Row, evaluate

AT = Position(1, 1)
# Of the attributes that the expressions read, z is one that no row has.
NOW = dt.datetime(2031, 3, 14, 15, 9, 26, tzinfo=dt.UTC)
TAKEN = ("a", "ab", "x", "Ä", "1")
LETTERS = "abxAX01 .,-@+'\"\\éÄßıİøœ̄́名😀\t\xa0"
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(LETTERS, max_size=8)
written_numbers = st.sampled_from(["0", "1", "2", "-3", "10", "007", "2.5", "+4"])
written_dates = st.sampled_from(
    ["2030-12-31", "2031-03-14T23:00:00Z", "2028-02-29-05:00", "3/9/2031 7:08:09 PM", "1999-01-01T00:00:00"]
)
columns: Mapping[str, st.SearchStrategy[Any]] = {
    "t": st.none() | texts,
    "u": st.none() | st.sampled_from(["", "a", "ab", "x", "A, b", " x ", "Ä"]),
    "n": st.none() | written_numbers | texts,
    "d": st.none() | written_dates | st.sampled_from(["", "no date"]),
    "b": st.none() | st.sampled_from(["True", "False", "true", "0", "1", "", "yes"]),
    "m": st.none() | st.lists(texts, max_size=3),
}


def attribute(name: str) -> Node:
    return Attribute(name, AT)


def quoted(text: str) -> Node:
    return Text(text, AT)


def call(name: str, *arguments: Node | None) -> Node:
    return Call(name, arguments, AT)


constants = texts.map(quoted)
numbers = st.integers(-2, 9).map(lambda count: Number(str(count), AT))
counts = numbers | st.just(attribute("n"))
scalars = st.sampled_from([attribute(name) for name in "tundbz"]) | constants
signals = st.sampled_from([Word("IgnoreAttributeFlow", AT), Word("IgnoreObjectFlow", AT)])
intervals = st.sampled_from(["yyyy", "m", "d", "ww", "h", "n", "s"]).map(quoted)
patterns = st.sampled_from(
    [r"[a-z\s-]+", r"\d*", r"(?<head>^.)(?<rest>.*)", r"[^a]", "x|ab", r"(.*?)(?<rest>.{0,3})$"]
).map(quoted)
references = st.sampled_from(["${rest}${head}", "<${rest}>", "${head}é"]).map(quoted)
short_texts = st.text(LETTERS, min_size=1, max_size=2).map(quoted)
signs = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
compare_words = st.sampled_from([None, Word("vbTextCompare", AT), Word("vbBinaryCompare", AT)])
tests = st.sampled_from(["IsNull", "IsNothing", "IsNullOrEmpty", "IsPresent", "IsString", "CBool", "Not"])
texts_of_text = st.sampled_from(
    [
        *("StripSpaces", "Trim", "ToLower", "ToUpper", "PCase", "NormalizeDiacritics", "ConvertToBase64"),
        *("ConvertToUTF8Hex", "Len", "CStr", "Redact"),
    ]
)
HEAD_AND_REST = quoted("(?<head>^.)(?<rest>[a-z]*)")
REST = quoted("rest")


class Grower:
    """Draws expressions up to a depth; each method is one shape of expression."""

    def __init__(self, draw: st.DrawFn, depth: int) -> None:
        self.draw = draw
        self.depth = depth

    def any(self) -> Node:
        """An expression for a value."""
        if self.depth == 0:
            return self.draw(scalars)
        shape = self.draw(st.sampled_from(SHAPES))
        return shape(Grower(self.draw, self.depth - 1))

    def operand(self) -> Node:
        """An expression for a side of an operator: operators do not nest without a function between them."""
        inner = self.any()
        return call("CStr", inner) if isinstance(inner, Comparison | Concatenation) else inner

    def listed(self) -> Node:
        """An expression, or the multi-valued attribute."""
        return attribute("m") if self.draw(st.integers(0, 3)) == 0 else self.any()

    def date(self) -> Node:
        plain = self.draw(st.sampled_from([call("Now"), call("CDate", attribute("d"))]))
        if self.draw(st.booleans()):
            return plain
        return call("DateAdd", self.draw(intervals), self.draw(numbers), plain)

    def condition(self) -> Node:
        if self.draw(st.booleans()):
            return call(self.draw(tests), self.listed())
        return Comparison(self.operand(), self.draw(signs), self.draw(numbers | st.none()) or self.operand(), AT)

    def several(self, least: int) -> list[Node]:
        return [self.listed() for _ in range(self.draw(st.integers(least, 3)))]

    def choice(self) -> Node:
        pairs = self.draw(st.integers(1, 3))
        keys = [self.draw(constants) if self.draw(st.booleans()) else self.any() for _ in range(pairs)]
        default = self.draw(st.none() | signals) if self.draw(st.booleans()) else self.any()
        return call("Switch", self.listed(), default, *[part for key in keys for part in (key, self.listed())])


SHAPES: list[Callable[[Grower], Node]] = [
    lambda grow: grow.draw(scalars),
    lambda grow: grow.date(),
    lambda grow: grow.condition(),
    lambda grow: grow.choice(),
    lambda grow: call("IIF", grow.condition(), grow.listed(), grow.draw(st.none() | signals) or grow.any()),
    lambda grow: call("Coalesce", *grow.several(1)),
    lambda grow: call("IgnoreFlowIfNullOrEmpty", grow.listed()),
    lambda grow: call("Error", grow.any()),
    lambda grow: call(grow.draw(texts_of_text), grow.listed()),
    lambda grow: call("Append", grow.listed(), grow.any()),
    lambda grow: call("Prepend", grow.any(), grow.any()),
    lambda grow: Concatenation((grow.operand(), grow.operand()), AT),
    lambda grow: call("Join", grow.any(), *grow.several(1)),
    lambda grow: call("Split", grow.any(), grow.draw(constants)),
    lambda grow: call("Left", grow.listed(), grow.draw(counts)),
    lambda grow: call("Mid", grow.listed(), grow.draw(counts), grow.draw(counts | st.none())),
    lambda grow: call("Word", grow.listed(), grow.draw(counts), grow.draw(constants)),
    lambda grow: call("InStr", grow.any(), grow.any(), grow.draw(counts | st.none()), grow.draw(compare_words)),
    lambda grow: call("Item", grow.listed(), grow.draw(counts)),
    lambda grow: call(
        grow.draw(st.sampled_from(["Count", "SingleAppRoleAssignment", "RemoveDuplicates"])), grow.listed()
    ),
    lambda grow: call("Replace", grow.listed(), grow.draw(short_texts), None, None, grow.any(), None, None),
    lambda grow: call("Replace", grow.listed(), grow.draw(short_texts), None, None, None, None, grow.draw(constants)),
    lambda grow: call("Replace", grow.listed(), None, grow.draw(patterns), None, grow.draw(constants), None, None),
    lambda grow: call("Replace", grow.listed(), None, HEAD_AND_REST, None, grow.draw(references), None, None),
    lambda grow: call("Replace", grow.any(), None, HEAD_AND_REST, REST, None, grow.any(), None),
    lambda grow: call("Replace", grow.any(), None, HEAD_AND_REST, REST, grow.any(), None, None),
    lambda grow: call("DateDiff", grow.draw(intervals), grow.date(), grow.date()),
    lambda grow: call("NumFromDate", grow.date()),
    lambda grow: call("BitAnd", grow.draw(counts), grow.draw(counts)),
]


@st.composite
def expressions(draw: st.DrawFn) -> Node:
    return Grower(draw, draw(st.integers(0, 3))).any()


rows = st.lists(st.fixed_dictionaries(dict(columns)), min_size=1, max_size=6)


def table(many: list[dict[str, Any]], *, encoded: bool) -> dict[str, pa.Array]:
    arrays = {}
    for name in columns:
        kind = pa.list_(pa.string()) if name == "m" else pa.string()
        array = pa.array([one[name] for one in many], kind)
        arrays[name] = array.dictionary_encode() if encoded and name != "m" else array
    return arrays


def by_reference(node: Node, one: dict[str, Any]) -> object:
    try:
        return evaluate(node, Row(one, NOW, "example.org", TAKEN))
    except IgnoredError as ignored:
        return "object ignored" if ignored.whole_object else "attribute ignored", None
    except FailedError:
        return "failed", None


def by_columns(node: Node, many: list[dict[str, Any]], *, encoded: bool) -> list[object]:
    taken = pa.array(TAKEN)
    given_rows = Rows(
        table(many, encoded=encoded), len(many), NOW, "example.org", lambda values: pc.is_in(values, value_set=taken)
    )
    result = compile_expression(unparse(node)).evaluate(given_rows)
    outcomes: list[object] = []
    for place, value in enumerate(result.values.to_pylist()):
        if result.errors[place].is_valid:
            outcomes.append(("failed", None))
        elif result.ignore_object[place].as_py():
            outcomes.append(("object ignored", None))
        elif result.ignore_attribute[place].as_py():
            outcomes.append(("attribute ignored", None))
        else:
            outcomes.append(value)
    return outcomes


def as_list(outcome: object) -> object:
    """Give a text as the list that it becomes where other rows have lists; one without values is as good as null."""
    return outcome or None if isinstance(outcome, list | tuple) or outcome is None else [outcome]


@EXAMPLES
@given(expressions(), rows, st.booleans())
def test_columns_give_what_single_rows_give(node: Node, many: list[dict[str, Any]], encoded: bool) -> None:
    expected = [by_reference(node, one) for one in many]
    found = by_columns(node, many, encoded=encoded)
    if any(isinstance(outcome, list) for outcome in [*expected, *found]):
        expected, found = list(map(as_list, expected)), list(map(as_list, found))
    assert found == expected


@EXAMPLES
@given(expressions())
def test_printed_text_reads_back_as_the_same_expression(node: Node) -> None:
    once = parse(unparse(node))
    assert once == node
    assert unparse(once) == unparse(node)


@EXAMPLES
@given(st.lists(expressions(), min_size=2, max_size=3), rows)
def test_unique_values_are_the_first_that_the_target_lacks(rules: list[Node], many: list[dict[str, Any]]) -> None:
    node = call("SelectUniqueValue", *rules)
    expected = [by_reference(node, one) for one in many]
    found = by_columns(node, many, encoded=False)
    assert list(map(as_list, found)) == list(map(as_list, expected))


def test_rows_beyond_one_batch_come_out_in_order() -> None:
    count = BATCH_ROWS + 3
    numbers_of_rows = pa.array([str(number) for number in range(count)])
    columns_of_rows = {"x": pa.chunked_array([numbers_of_rows.slice(0, 10), numbers_of_rows.slice(10)])}
    result = compile_expression('IIF([x] = "131072", Split("a,b", ","), [x])').evaluate(
        Rows(columns_of_rows, count, NOW)
    )
    assert result.values.slice(BATCH_ROWS - 1).to_pylist() == [["131071"], ["a", "b"], ["131073"], ["131074"]]


def test_no_rows_give_no_values() -> None:
    result = compile_expression('Join("-", [x], "y")').evaluate(Rows({"x": pa.array([], pa.string())}, 0, NOW))
    assert (len(result.values), len(result.errors), len(result.ignore_object)) == (0, 0, 0)

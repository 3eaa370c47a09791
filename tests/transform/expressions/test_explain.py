"""Explaining: every value on the way to a result, and nothing that Redact hides."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from tasks.transform.expressions.columns import Flow
from tasks.transform.expressions.engine import REDACTED, Rows, compile_expression

NOW = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)


def row(**values: str | list[str] | None) -> Rows:
    kinds = {name: pa.list_(pa.string()) if isinstance(value, list) else pa.string() for name, value in values.items()}
    return Rows({name: pa.array([value], kinds[name]) for name, value in values.items()}, 1, NOW)


def test_steps_come_arguments_first_with_their_depth() -> None:
    steps = compile_expression('Append(ToUpper([x]), "!")').explain(row(x="hi"))
    assert [(step.text, step.depth, step.value) for step in steps] == [
        ("[x]", 3, "hi"),
        ("ToUpper([x])", 2, "HI"),
        ('"!"', 2, "!"),
        ('Append(ToUpper([x]), "!")', 1, "HI!"),
    ]


def test_branches_not_taken_do_not_appear() -> None:
    steps = compile_expression('IIF([x] = "1", [yes], [no])').explain(row(x="1", yes="y", no="n"))
    assert "[no]" not in {step.text for step in steps}
    assert "[yes]" in {step.text for step in steps}


def test_a_part_that_occurs_twice_is_shown_twice() -> None:
    steps = compile_expression('Join("", ToLower([x]), ToLower([x]))').explain(row(x="A"))
    assert [step.value for step in steps if step.text == "ToLower([x])"] == ["a", "a"]


def test_an_error_is_told_at_the_step_that_failed() -> None:
    steps = compile_expression('IIF(CDate([x]) > Now(), "a", "b")').explain(row(x="soon"))
    failed = [step for step in steps if step.flow is Flow.ERROR]
    assert failed[0].text == "CDate([x])"
    assert "soon" in (failed[0].error or "")


def test_lists_and_signals_are_shown() -> None:
    steps = compile_expression("IgnoreFlowIfNullOrEmpty([m])").explain(row(m=[]))
    assert (steps[0].value, steps[-1].flow) == ([], Flow.IGNORE_ATTRIBUTE)


def test_what_redact_hides_appears_nowhere() -> None:
    expression = compile_expression('Join("", "user ", Redact(ToUpper([pin])), IIF([x] = "1", "a", "b"))')
    steps = expression.explain(row(pin="secret", x="1"))
    assert expression.redacted
    assert expression.evaluate(row(pin="secret", x="1")).values.to_pylist() == ["user SECRETa"]
    assert {step.value for step in steps if "pin" in step.text} == {REDACTED}
    assert [step.value for step in steps if step.text == 'IIF([x] = "1", "a", "b")'] == ["a"]


def test_errors_around_redact_name_no_value() -> None:
    result = compile_expression('DateAdd("d", 1, Redact([born]))').evaluate(row(born="4 Smarch"))
    assert "Smarch" not in result.errors[0].as_py()


def test_only_one_row_can_be_explained() -> None:
    with pytest.raises(ValueError, match="one row"):
        compile_expression("[x]").explain(Rows({}, 2, NOW))

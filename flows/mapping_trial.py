"""One expression tried for one person, and how its result came about. `flows.cli_mapping` calls it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.showing import FAINT, print_notes, value_text, visible
from flows.steps import steps_table
from tasks.model import ExitCode
from tasks.transform.expressions.engine import REDACTED, Expression, compile_expression
from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.mapping import SELECT_UNIQUE
from tasks.transform.source_attributes import KnownAttributes
from tasks.transform.suggestions import did_you_mean
from tasks.transform.trial import Outcome, Trial, Value, try_expression

_EXPLAINED: Final[Mapping[Outcome, str]] = {
    Outcome.IGNORE_ATTRIBUTE: "the account keeps what it has",
    Outcome.IGNORE_OBJECT: "the person is left alone in this cycle",
}
_BEFORE_MARK: Final = 40
"""Characters shown before the place at which an expression is wrong."""


@dataclasses.dataclass(frozen=True)
class Person:
    """Whom an expression is tried for: what is known of them, and what they are called if the directory has them.

    `default_domain` is that of their directory.
    """

    values: Mapping[str, Value]
    name: str | None = None
    default_domain: str | None = None


def read_expression(text: str, known: KnownAttributes | None = None) -> Expression:
    """Compile an expression; where it is wrong is marked on the standard error.

    With `known`, other attributes are refused. Raises `BadInputError` when it is wrong.
    """
    try:
        return compile_expression(text, known_attributes=known)
    except ExpressionError as error:
        _mark(Console(stderr=True, highlight=False), text, error)
        raise


def show_trial(console: Console, expression: Expression, person: Person, given: Mapping[str, Value]) -> int:
    """Evaluate `expression` for `person` with the `given` values in place of theirs; give the exit code.

    Prints the result and the value of each part. What Redact hides of a directory's person is not shown.
    """
    values = {**person.values, **given}
    tried = try_expression(expression.text, values, now=dt.datetime.now(dt.UTC), default_domain=person.default_domain)
    table = Table.grid(padding=(0, 2))
    table.add_column(style=FAINT, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Expression", Text(visible(expression.unparse())))
    if person.name is not None:
        table.add_row("Person", Text(visible(person.name)))
    table.add_row("Result", _result(tried, hidden=expression.redacted and person.name is not None))
    console.print(table)
    console.print(Text("\nHow it came about", "bold"))
    console.print(Padding(steps_table(console, tried.steps), (0, 0, 0, 2)))
    print_notes(console, list(_notes(expression, person, given)))
    return ExitCode.SOME_FAILED if tried.outcome is Outcome.ERROR else ExitCode.DONE


def _result(tried: Trial, *, hidden: bool) -> Text:
    if tried.outcome is Outcome.ERROR:
        return Text.assemble(("error", "bold red"), f"  {visible(tried.error or '')}")
    if tried.outcome is not Outcome.VALUE:
        return Text.assemble((tried.outcome.value, "bold yellow"), f"  {_EXPLAINED[tried.outcome]}")
    if hidden:
        return Text(REDACTED, "bold")
    meaning = _meaning(tried.value)
    value = value_text(tried.value)
    value.stylize("bold")
    return Text.assemble(value, f"  {meaning}") if meaning else value


def _meaning(value: Value) -> str:
    """Say what a value is that might be taken for something else."""
    if value is None:
        return "no value"
    if isinstance(value, list):
        return "no values" if not value else f"{len(value)} value{'s' if len(value) > 1 else ''}"
    return "" if value else "an empty text"


def _notes(expression: Expression, person: Person, given: Mapping[str, Value]) -> Iterator[str]:
    usual = KnownAttributes({})
    for name in sorted(expression.attributes - person.values.keys() - given.keys()):
        if name not in usual:
            hint = did_you_mean(name, list(usual))
            yield f"[{name}] is none of the usual attributes and was not set, so it is null here.{hint}"
    for name in sorted(given.keys() - expression.attributes):
        yield f"{name} was set, and the expression does not read it.{did_you_mean(name, expression.attributes)}"
    if SELECT_UNIQUE in expression.functions:
        yield f"{SELECT_UNIQUE}: Replicon is not asked here, so that no value counts as taken."
    if expression.redacted:
        yield f"Redact: the value flows to the account; logs and reports show {REDACTED}."


def _mark(console: Console, text: str, error: ExpressionError) -> None:
    """Print the line of an expression that is wrong, with a mark under the place."""
    lines = text.split("\n")
    if not 0 < error.line <= len(lines):
        return
    start = max(error.column - 1 - _BEFORE_MARK, 0)
    line = visible(lines[error.line - 1][start : start + console.width - 4])
    before = visible(lines[error.line - 1][start : error.column - 1])
    console.print(Text.assemble(f"  {line}\n  {' ' * len(before)}", ("^", "bold red")), no_wrap=True, crop=False)

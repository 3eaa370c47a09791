"""How an expression came to its value: its parts as a tree, each with what it gave. For a terminal and for Prefect."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.showing import FAINT, Signs, shortened, value_text, visible
from tasks.transform.expressions.columns import Flow
from tasks.transform.expressions.engine import REDACTED, Step
from tasks.transform.expressions.grammar import parse
from tasks.transform.expressions.tree import Number
from tasks.transform.expressions.tree import Text as Literal
from tasks.transform.trial import Outcome


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the expression with its value, and the parts that it was made from."""

    step: Step
    inner: tuple[Part, ...]


def tree_of(steps: Sequence[Step]) -> list[Part]:
    """Put steps, innermost first, under those that they are for."""
    waiting: list[Part] = []
    for step in steps:
        inner: list[Part] = []
        while waiting and waiting[-1].step.depth > step.depth:
            inner.append(waiting.pop())
        waiting.append(Part(step, tuple(reversed(inner))))
    return waiting


def steps_table(console: Console, steps: Sequence[Step]) -> Table:
    """Lay the parts out as a tree, outermost first, each with its value beside it."""
    signs = Signs.of(console)
    left = console.width // 2
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, max_width=left)
    table.add_column(overflow="fold")
    for part, guide in _walk(tree_of(steps), signs):
        # However deep it is, half of the column is left for the part itself.
        guide = guide if len(guide) <= left // 2 else guide[-(left // 2) :]
        text = shortened(part.step.text, left - len(guide), signs)
        table.add_row(Text.assemble((guide, FAINT), text), _outcome(part))
    return table


def _walk(parts: Sequence[Part], signs: Signs) -> Iterator[tuple[Part, str]]:
    """Give every part after what it is for, with its place in the tree drawn; literals explain themselves."""
    pending = [(part, "", "") for part in reversed(parts)]
    while pending:
        part, guide, stem = pending.pop()
        yield part, guide
        inner = [one for one in part.inner if not isinstance(parse(one.step.text), Literal | Number)]
        for place, one in enumerate(reversed(inner)):
            branch, below = (signs.last, " " * len(signs.stem)) if place == 0 else (signs.branch, signs.stem)
            pending.append((one, stem + branch, stem + below))


def _outcome(part: Part) -> Text:
    step = part.step
    match step.flow:
        case Flow.ERROR if any(one.step.flow is Flow.ERROR for one in part.inner):
            return Text("error, from below", "red")
        case Flow.ERROR:
            return Text.assemble(("error", "bold red"), f"  {visible(step.error or '')}")
        case Flow.IGNORE_ATTRIBUTE:
            return Text(Outcome.IGNORE_ATTRIBUTE.value, "bold yellow")
        case Flow.IGNORE_OBJECT:
            return Text(Outcome.IGNORE_OBJECT.value, "bold yellow")
        case _:
            return Text(REDACTED, FAINT) if step.value == REDACTED else value_text(step.value)

"""How an explanation is shown: five steps, each expression taken apart, on a terminal and as Prefect's artifact.

What is explained is worked out in `explain`.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.showing import FAINT, value_text, visible
from flows.steps import steps_table
from tasks.model import REDACTED, Accounts, Extraction, Operation, Plan
from tasks.report.activity import without_values
from tasks.transform.expressions.engine import Step
from tasks.transform.filters import CompiledFilter, explain_filter
from tasks.transform.mapping import AttributeMapping, MappedAttribute, MappingKind

_WIDTH: Final = 84
"""Characters in a line of the artifact: what Prefect's pages show without a scroll bar."""
_BYTES: Final = 40_000
"""Most bytes of the artifact; Prefect's pages never draw much larger ones."""
_NAME: Final = 18
"""Characters for an attribute's name; its value gets twice as many."""
_WAITS: Final = {"go": "", "hold": ", held for a person", "staged": ", waits for approval", "skip": ", skipped"}


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Everything about one person: `accounts` and `extraction` have one row, `columns` its source attributes.

    `steps` are the values of the parts of each attribute's expression, `plan` what would be done, with all its values,
    and `past` the latest activities, oldest first.
    """

    mapping: AttributeMapping
    links: pd.DataFrame
    extraction: Extraction
    accounts: Accounts
    columns: Mapping[str, pa.Array]
    steps: Mapping[str, Sequence[Step]]
    plan: Plan
    past: pd.DataFrame

    @property
    def shown(self) -> Plan:
        """The plan without what the mapping redacts."""
        return without_values(self.plan, self.mapping.redacted)

    @property
    def person(self) -> pd.Series:
        """The person's row."""
        return self.accounts.people.iloc[0]

    @property
    def name(self) -> str:
        """What the person is called."""
        return str(self.person["source_name"])

    @property
    def row(self) -> pd.Series | None:
        """The plan's row for the person; null when there is nothing to be done or said."""
        mine = self.plan.operations[self.plan.operations["source_id"].eq(self.person["source_id"])]
        return None if mine.empty else mine.iloc[0]

    @property
    def in_short(self) -> str:
        """Say in a few words what would happen now."""
        row = self.row
        return "nothing to do" if row is None else f"{row['operation']}{_WAITS[row['decision']]}"


def print_explanation(console: Console, found: Explanation) -> None:
    """Print the five steps, and the latest activities."""
    for title, content in (
        ("1. Import", _imported(found)),
        ("2. Scope", _scoped(found)),
        ("3. Mapping", Group(*_mapped(console, found))),
        ("4. Match", Text(_matched(found))),
        ("5. What would happen now", _acted(found)),
        ("Last activities", _told(found.past)),
    ):
        console.print(Text(f"\n{title}", "bold"))
        console.print(Padding(content, (0, 0, 0, 2)))


def why_markdown(found: Explanation) -> str:
    """Give the same as Markdown, in the letters of a terminal."""
    drawn = io.StringIO()
    print_explanation(Console(file=drawn, width=_WIDTH, color_system=None), found)
    lines = "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())
    text = lines.replace("```", "'''").encode()[:_BYTES].decode(errors="ignore")
    return f"## Why: {found.name}\n\n**{found.in_short}**\n\n```text\n{text}\n```"


def _imported(found: Explanation) -> Text:
    manifest, person = found.extraction.manifest, found.person
    whole = "read whole" if manifest.complete else f"not whole: {'; '.join(manifest.missing)}"
    there = str(person["presence"]).replace("_", " ")
    return Text(f"{person['source_name']} ({person['source_id']}) is {there} in Microsoft Entra ID; {whole}.")


def _scoped(found: Explanation) -> RenderableType:
    """Say who is entitled and in scope, and by which clause."""
    person, assigned = found.person, found.extraction.assignments.iloc[0]
    within = "in scope" if person["in_scope"] else "not in scope"
    lines = [
        f"{'Entitled' if assigned['entitled'] else 'Not entitled'}: {assigned['entitlement_reason']}.",
        f"The person is {within}: {person['scope_reason']}.",
        f"The account should be {'in use' if person['active'] else 'disabled'}.",
    ]
    if person["left_alone"]:
        lines.append("An input filter or the mapping leaves the person alone in this cycle.")
    if pd.notna(person["error"]):
        lines.append(f"The mapping failed at {person['error_attribute']}: {person['error']}")
    filters = (("Scoping filter", found.mapping.scope), ("Input filter", found.mapping.input_scope))
    tables = [_clauses(title, one, found.columns) for title, one in filters if one.groups]
    return Group(Text("\n".join(lines)), *tables)


def _clauses(title: str, scope: CompiledFilter, columns: Mapping[str, pa.Array]) -> Table:
    """Lay a filter's clauses out with what the person has; one group has to hold as a whole."""
    table = Table.grid(padding=(0, 2))
    groups = explain_filter(scope, columns)
    for place, group in enumerate(groups):
        passes = all(holds for _, holds in group)
        name = (group[0][0].title if group else "") or f"group {place + 1}"
        table.add_row(
            Text(f"{title}, {visible(name)}", FAINT),
            Text("passes", "green") if passes else Text("fails", "bold yellow"),
            Text("one group that passes is enough", FAINT) if len(groups) > 1 and place == 0 else Text(),
        )
        for clause, holds in group:
            column = columns.get(clause.attribute)
            has = value_text(None if column is None else column[0].as_py())
            said = Text("holds", "green") if holds else Text("does not hold", "bold yellow")
            table.add_row(Text(f"  {visible(clause.condition)}"), said, Text.assemble("has ", has))
    return table


def _mapped(console: Console, found: Explanation) -> Iterator[RenderableType]:
    """Give every attribute with its value and whether it is written, and below it how the value came about."""
    for attribute in found.mapping.attributes:
        if attribute.name not in found.accounts.values.columns:
            continue
        value, note = _value(found, attribute)
        direct = attribute.kind is MappingKind.DIRECT and attribute.expression is not None
        source = attribute.expression.unparse() if direct and attribute.expression else ""
        line = Table.grid(padding=(0, 2))
        line.add_column(width=_NAME, style="bold", overflow="fold")
        line.add_column(min_width=_NAME * 2, overflow="fold")
        line.add_column(style=FAINT, overflow="fold")
        line.add_row(Text(attribute.name), value, Text("  ".join(filter(None, [source, note]))))
        yield line
        if attribute.kind is MappingKind.EXPRESSION and attribute.name in found.steps:
            yield Padding(steps_table(console, found.steps[attribute.name]), (0, 0, 0, 4))


def _value(found: Explanation, attribute: MappedAttribute) -> tuple[Text, str]:
    """Give an attribute's value, and what is to be said of it unless it is written where it differs."""
    row, accounts = found.row, found.accounts
    creating = row is not None and row["operation"] == Operation.CREATE.value
    values, flows = (accounts.on_create, accounts.flows_on_create) if creating else (accounts.values, accounts.flows)
    value = values[attribute.name].iloc[0]
    absent = not isinstance(value, list) and pd.isna(value)
    hidden = attribute.name in found.mapping.redacted and not absent
    shown = value_text(REDACTED if hidden else None if absent else value)
    if bool(flows[attribute.name].iloc[0]):
        return shown, "clears what the account has" if absent else ""
    if attribute.on_creation_only and not creating:
        return shown, "on creation only"
    return shown, "not written: the account keeps what it has"


def _matched(found: Explanation) -> str:
    """Say which account belongs to the person."""
    if len(found.links):
        link = found.links.iloc[0]
        return f"Linked to the account {link['target_name']} ({link['target_uri']}) since {link['linked_at']:%Y-%m-%d}."
    row = found.row
    order = ", then ".join(one.attribute for one in found.mapping.matching)
    asked = f"Looked for by {order}. " if order else ""
    if row is None or pd.isna(row["target_uri"]):
        return f"{asked}Not linked, and no account is theirs for certain."
    return f"{asked}Not linked yet; the account {row['target_name']} ({row['target_uri']}) matches."


def _acted(found: Explanation) -> RenderableType:
    row = found.row
    if row is None:
        return Text("Nothing: the account is as it should be, or there is nothing to be done for this person.")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Situation", str(row["situation"]).replace("_", " "))
    table.add_row("Operation", f"{row['operation']}{_WAITS[row['decision']]}")
    table.add_row("Why", Text(str(row["reason"])))
    if pd.notna(row["risks"]):
        table.add_row("Look twice", str(row["risks"]))
    for reason in found.plan.verdict.reasons:
        table.add_row("Guards", Text(reason))
    for change in _changes(found.shown, row["change_id"]):
        table.add_row(Text(str(change["attribute"])), Text(f"{change['before']} -> {change['after']}"))
    others = found.plan.operations[found.plan.operations["change_id"].ne(row["change_id"])]
    for other in others.to_dict("records"):
        table.add_row("Also", Text(f"{other['source_name']}: {other['operation']}. {other['reason']}"))
    return table


def _changes(plan: Plan, change_id: str) -> list[dict[Any, Any]]:
    mine = plan.changes[plan.changes["change_id"].eq(change_id)]
    return mine.astype(object).where(mine.notna(), "nothing").to_dict("records")


def _told(past: pd.DataFrame) -> RenderableType:
    if past.empty:
        return Text("None so far.")
    table = Table.grid(padding=(0, 2))
    for row in past.iloc[::-1].to_dict("records"):
        reason = "" if pd.isna(row["reason"]) else str(row["reason"])
        table.add_row(f"{row['started_at']:%Y-%m-%d %H:%M}", str(row["operation"]), str(row["status"]), Text(reason))
    return table

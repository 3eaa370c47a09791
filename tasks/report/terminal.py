"""The activity report on a terminal: the cycle's facts, a table of counts, then who, what and why, bounded.

Pure rendering for `rich`: the command line prints what `activity_report` gives. Colours are named ones that hold on
dark and on light ground, and everything is said in words too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tasks.model import Plan
from tasks.report.activity import (
    Group,
    account_names,
    activities_of,
    changes_in,
    endings_of,
    groups_of,
    shown_value,
)
from tasks.report.cycle import CycleFacts, Told
from tasks.report.remedies import remedy_of
from tasks.report.verdict import StateName, in_words, judge, word_for

PEOPLE: Final = 10
"""How many people of a group are shown unless more are asked for."""
ATTRIBUTES: Final = 8
"""How many attributes of a person are shown."""

_STATE_STYLES: Final[Mapping[StateName, str]] = {
    StateName.COMPLETED: "bold green",
    StateName.COMPLETED_WITH_ERRORS: "bold red",
    StateName.HELD: "bold yellow",
    StateName.QUARANTINED: "bold red",
    StateName.INCOMPLETE_READ: "bold yellow",
    StateName.STOPPED: "bold yellow",
    StateName.FAILED: "bold red",
}


@dataclasses.dataclass(frozen=True)
class _Face:
    """How a group looks: its colour, its sign, and the sign where only ASCII can be shown."""

    style: str
    sign: str
    plain: str


_FACES: Final[Mapping[Group, _Face]] = {
    Group.FAILED: _Face("red", "✗", "x"),
    Group.STAGED: _Face("yellow", "‖", "="),
    Group.HELD: _Face("yellow", "‖", "="),
    Group.CREATED: _Face("green", "+", "+"),
    Group.UPDATED: _Face("cyan", "~", "~"),
    Group.ENABLED: _Face("green", "▲", "^"),
    Group.DISABLED: _Face("magenta", "▼", "v"),
    Group.DELETED: _Face("magenta", "–", "-"),
    Group.LINKED: _Face("cyan", "=", "="),
    Group.SKIPPED: _Face("bright_black", "·", "."),
}
_STATUSES: Final = ("success", "warning", "failure", "held", "staged", "skipped")
_OPERATIONS: Final = ("create", "update", "enable", "disable", "delete", "none")


def activity_report(
    activities: pd.DataFrame, told: Told, *, people: int = PEOPLE, attributes: int = ATTRIBUTES
) -> ActivityReport:
    """Give the report on a cycle's activities (`activity.COLUMNS`), at most `people` of each group, to be printed."""
    return ActivityReport(activities, told, people, attributes, account_names(activities, told.facts.names))


def plan_report(plan: Plan, facts: CycleFacts, *, people: int = PEOPLE, attributes: int = ATTRIBUTES) -> ActivityReport:
    """Give the same report on a plan that nobody has carried out yet."""
    activities = activities_of(plan)
    told = Told(facts, judge(activities, complete=plan.manifest.complete, quarantine=plan.verdict.quarantine))
    names = account_names(activities, facts.names)
    return ActivityReport(activities, told, people, attributes, names, planned=True)


@dataclasses.dataclass(frozen=True)
class ActivityReport:
    """A printable activity report; see `activity_report`."""

    activities: pd.DataFrame
    told: Told
    people: int
    attributes: int
    names: Mapping[str, str]
    planned: bool = False
    """Whether nobody has acted yet."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the report out for the console's width, in ASCII where it can show no more."""
        plain = options.ascii_only or options.legacy_windows
        arrow = "->" if plain else "→"
        yield Text()
        yield Rule(self._title(plain), style="bright_black", align="left", characters="-" if plain else "─")
        yield Text()
        yield Padding(self._headline(plain), (0, 0, 1, 2))
        yield Padding(self._facts(), (0, 0, 1, 2))
        if len(self.activities):
            yield Padding(self._counts(plain), (0, 0, 1, 2))
        groups = groups_of(self.activities)
        for group, face in _FACES.items():
            rows = self.activities[groups.eq(group.value)]
            if len(rows):
                yield from self._section(group, face, rows, arrow, plain)
        if self.told.facts.see:
            yield Padding(Text.assemble(("Everything: ", "bright_black"), (self.told.facts.see, "bold")), (0, 0, 1, 2))

    def _title(self, plain: bool) -> Text:
        title = self.told.facts.title.replace("·", "-") if plain else self.told.facts.title
        return Text.assemble(("Plan  " if self.planned else "Activity report  ", "bold"), title)

    def _headline(self, plain: bool) -> Text:
        verdict = self.told.verdict
        style = _STATE_STYLES[verdict.state]
        mark = "*" if plain else "●"
        sentence = in_words(verdict.counts, planned=True) if self.planned else verdict.sentence
        sentence = sentence[:1].upper() + sentence[1:]
        state = ("Nothing has been changed yet", "bold cyan") if self.planned else (verdict.state.value, style)
        text = Text.assemble((f"{mark} {state[0]}", state[1]), "\n", (sentence, "bold"))
        for note in (*self.told.facts.notes, *self._risks()):
            text.append(f"\n{note}", "yellow")
        return text

    def _risks(self) -> list[str]:
        """Count what stands out in a plan: "Look twice: 3 renamed, 1 deactivated"."""
        if "risks" not in self.activities.columns:
            return []
        tags = self.activities.loc[self.activities["decision"].isin(["go", "staged"]), "risks"].dropna()
        counts = tags.str.split(", ").explode().value_counts()
        said = ", ".join(f"{count:,} {tag}" for tag, count in counts.items())
        return [f"Look twice: {said}"] if said else []

    def _facts(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bright_black", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self.told.facts.lines():
            table.add_row(name, value)
        return table

    def _counts(self, plain: bool) -> Table:
        """Count operations by how they ended."""
        ended = endings_of(self.activities)
        crossed = pd.crosstab(self.activities["operation"].astype(object), ended.astype(object))
        statuses = [status for status in _STATUSES if status in crossed.columns]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", show_edge=False)
        table.add_column("Operation", min_width=10)
        for status in statuses:
            word = "planned" if self.planned and status == "success" else status
            table.add_column(word.capitalize(), justify="right", min_width=8)
        for operation in (one for one in _OPERATIONS if one in crossed.index):
            counts = [int(crossed.at[operation, status]) for status in statuses]
            cells = [
                Text(f"{count:,}" if count else ("." if plain else "·"), _count_style(status, count))
                for status, count in zip(statuses, counts, strict=True)
            ]
            table.add_row("No change" if operation == "none" else operation.capitalize(), *cells)
        return table

    def _section(
        self, group: Group, face: _Face, rows: pd.DataFrame, arrow: str, plain: bool
    ) -> Iterator[Rule | Padding]:
        word = word_for(group, planned=self.planned).capitalize()
        title = Text.assemble((word, f"bold {face.style}"), (f"  {len(rows):,}", "bright_black"))
        yield Rule(title, style="bright_black", align="left", characters="-" if plain else "─")
        said = None
        for row in _records(rows.head(self.people)):
            yield Padding(self._person(row, group, face, arrow, plain, same=row["reason"] == said), (0, 0, 0, 2))
            said = row["reason"]
        more = len(rows) - self.people
        if more > 0:
            see = f"; see {self.told.facts.see}" if self.told.facts.see else ""
            yield Padding(Text(f"and {more:,} more{see}", "bright_black"), (0, 0, 0, 4))
        yield Padding(Text(), 0)

    def _person(
        self, row: Mapping[str, Any], group: Group, face: _Face, arrow: str, plain: bool, *, same: bool
    ) -> Table:
        """Show one person: the name, why, what to do, and each attribute before and after.

        `same` says that the reason is that of the person above, and is not repeated.
        """
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1, no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        sign = Text(face.plain if plain else face.sign, f"bold {face.style}")
        table.add_row(sign, self._name(row, group))
        if row["reason"]:
            why = "For the same reason." if same else str(row["reason"])
            table.add_row("", Text(why, "bright_black" if group is not Group.FAILED else "red"))
        if not same and group in {Group.FAILED, Group.HELD, Group.STAGED} and (action := _action(row)):
            table.add_row("", Text.assemble(("What to do: ", "bold"), action))
        refused = json.loads(row["refused"] or "[]")
        if refused:
            table.add_row("", Text(f"Not taken by Replicon: {', '.join(refused)}", "yellow"))
        changes = changes_in(row["changes"])
        if changes:
            table.add_row("", self._changes(changes, arrow, plain))
        return table

    def _name(self, row: Mapping[str, Any], group: Group) -> Text:
        text = Text.assemble((str(row["source_name"] or row["target_name"] or row["source_id"]), "bold"))
        if row["target_name"] and str(row["target_name"]).lower() != str(row["source_name"]).lower():
            text.append(f"  as {row['target_name']}", "bright_black")
        if group in {Group.FAILED, Group.HELD, Group.STAGED} and row["operation"] != "none":
            text.append(f"  {row['operation']}", "bright_black")
        if row["error_code"]:
            text.append(f"  {row['error_code']}", "bright_black")
        if row.get("risks"):
            text.append(f"  look twice: {row['risks']}", "bold yellow")
        return text

    def _changes(self, changes: Sequence[Mapping[str, Any]], arrow: str, plain: bool) -> Table | Text:
        shown, more = changes[: self.attributes], len(changes) - self.attributes
        rest = f"and {more} more attribute{'s' if more > 1 else ''}" if more > 0 else ""
        if all(change["before"] is None for change in changes):
            return self._values(shown, rest, plain)
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(no_wrap=True, style="bright_black")
        table.add_column(overflow="fold")
        nothing = "-" if plain else "–"
        for change in shown:
            before, after = (shown_value(change[side], self.names) for side in ("before", "after"))
            table.add_row(
                str(change["attribute"]),
                Text(before or nothing, "bright_black"),
                arrow,
                Text(after, "bold") if after else Text(nothing, "bright_black"),
            )
        if rest:
            table.add_row(Text(rest, "bright_black"))
        return table

    def _values(self, changes: Sequence[Mapping[str, Any]], rest: str, plain: bool) -> Text:
        """Show the values of a new account in running text."""
        between = ", " if plain else " · "
        text = Text()
        for place, change in enumerate(changes):
            text.append(between if place else "", "bright_black")
            text.append(f"{change['attribute']} ", "bright_black")
            text.append(shown_value(change["after"], self.names))
        text.append(f"{between}{rest}" if rest else "", "bright_black")
        return text


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    plain = rows.astype(object).where(rows.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _count_style(status: str, count: int) -> str:
    if not count:
        return "bright_black"
    return {"success": "green", "failure": "bold red", "skipped": ""}.get(status, "yellow")


def _action(row: Mapping[str, Any]) -> str:
    """Give what to do, unless the reason says so already."""
    action = str(row["remedy"] or (remedy_of(str(row["error_code"])).action if row["error_code"] else ""))
    return "" if action and action in str(row["reason"]) else action

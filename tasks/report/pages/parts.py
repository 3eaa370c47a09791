"""What an HTML report is put together from: sections of charts and tables as plain data, which a template lays out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from markupsafe import Markup, escape

from tasks.report.activity import Group, changes_in, shown_value
from tasks.report.pages.charts import Chart
from tasks.report.remedies import remedy_of

TEXT: Final = 300
"""Most characters of one text in a cell; a longer one is cut and ends with an ellipsis."""
ATTRIBUTES: Final = 8
"""Most attributes shown of one change."""

# What no HTML file can hold, or what would be invisible in it.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Kind(StrEnum):
    """How a column's cells are written."""

    TEXT = "text"
    """Words from left to right, whatever script a name in them has."""
    NAME = "name"
    """A person or an account, in the direction of its own script."""
    NUMBER = "number"
    """Aligned to the right."""
    TIME = "time"
    """An instant in UTC."""
    RESULT = "result"
    """A `Result`: a sign and a word."""
    CHANGES = "changes"
    """A `Changes`."""
    CODE = "code"
    """An error code or a command."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of something, as a sign, a word and a tone: good, bad, waits, taken or quiet."""

    sign: str
    word: str
    tone: str


@dataclasses.dataclass(frozen=True)
class Changes:
    """Attributes that changed, each with the value before (empty when none) and after; `more` were left out."""

    shown: Sequence[tuple[str, str, str]]
    more: int = 0


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: `columns` by title, `rows` of as many cells, perhaps `totals`; `note` says what was left out."""

    caption: str
    columns: Mapping[str, Kind]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    totals: Sequence[Any] | None = None
    stacks: bool = False
    """Whether each row becomes a card on a phone, because the table is too wide for it."""
    findable: bool = False
    """Whether the page offers a field to find rows in it."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart with what it shows in words, and the same numbers as a table."""

    title: str
    summary: str
    chart: Chart
    numbers: Table
    half: bool = True


@dataclasses.dataclass(frozen=True)
class Event:
    """One thing that happened to a person."""

    when: str
    result: Result
    changes: Changes
    why: str
    action: str


@dataclasses.dataclass(frozen=True)
class Story:
    """What happened to one person, latest first; `note` says what was left out."""

    person: str
    account: str
    events: Sequence[Event]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page under its own heading."""

    key: str
    title: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    stories: Sequence[Story] = ()
    see: str = ""


@dataclasses.dataclass(frozen=True)
class Tile:
    """One number at the top of the page, with what it counts."""

    value: str
    label: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Page:
    """A whole report: the heading, the verdict, facts, tiles, what the reader has to know, and the sections."""

    title: str
    subtitle: str
    verdict: Result
    sentence: str
    facts: Sequence[tuple[str, str]]
    tiles: Sequence[Tile]
    notes: Sequence[str]
    sections: Sequence[Section]
    made_at: dt.datetime
    see: str


RESULTS: Final[Mapping[str, Result]] = {
    Group.FAILED: Result("✕", "Failed", "bad"),
    Group.STAGED: Result("‖", "Staged", "waits"),
    Group.HELD: Result("‖", "Held", "waits"),
    Group.CREATED: Result("+", "Created", "good"),
    Group.UPDATED: Result("~", "Updated", "good"),
    Group.ENABLED: Result("▲", "Enabled", "good"),
    Group.DISABLED: Result("▼", "Disabled", "taken"),
    Group.DELETED: Result("−", "Deleted", "taken"),
    Group.LINKED: Result("=", "Linked", "good"),
    Group.SKIPPED: Result("·", "Skipped", "quiet"),
    Group.UNCHANGED: Result("·", "Unchanged", "quiet"),
}
"""How each group is shown."""


def marked(words: str) -> Markup:
    """Write what stands between backticks as code; everything is escaped."""
    pieces = words.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 and len(pieces) % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def text(value: Any, most: int = TEXT) -> str:
    """Give a text on one line, fit for HTML, of at most `most` characters."""
    line = " ".join(_UNFIT.sub(_instead, str("" if value is None else value)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def instant(value: dt.datetime | None) -> str:
    """Give an instant as people read it, in UTC."""
    return "" if value is None else f"{value.astimezone(dt.UTC):%d %b %Y, %H:%M:%S}"


def changes_of(row: Mapping[str, Any], names: Mapping[str, str]) -> Changes:
    """Give what an activity changed."""
    every = changes_in(row["changes"])
    shown = [
        (
            text(change["attribute"], 80),
            text(shown_value(change["before"], names), 120),
            text(shown_value(change["after"], names), 120),
        )
        for change in every[:ATTRIBUTES]
    ]
    return Changes(shown, max(len(every) - ATTRIBUTES, 0))


def action_of(row: Mapping[str, Any]) -> str:
    """Give what to do about an activity that has an error code, unless its reason says so already."""
    if not row["error_code"] or row["group"] == Group.SKIPPED:
        return ""
    action = text(row["remedy"] or remedy_of(str(row["error_code"])).action)
    return "" if action in text(row["reason"]) else action


def person_of(row: Mapping[str, Any]) -> str:
    """Give how a report names the person of an activity or the account of nobody."""
    named = row["source_name"] if row["source_name"] != row["source_id"] else None
    return text(named or row["target_name"] or row["source_id"] or row["target_uri"], 120)


def _instead(found: re.Match[str]) -> str:
    return " " if found.group() in "\t\r\n" else "\ufffd"

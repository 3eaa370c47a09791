"""The tables of the HTML report, bounded: who, what, why and what to do. Plain data from the ledger's frames."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from tasks.ledger.frames import records
from tasks.report.activity import Group, groups_of
from tasks.report.cycle import KINDS, duration
from tasks.report.pages.measures import crossed
from tasks.report.pages.parts import (
    RESULTS,
    Event,
    Kind,
    Result,
    Story,
    Table,
    action_of,
    changes_of,
    instant,
    person_of,
    text,
)
from tasks.report.remedies import remedy_of
from tasks.report.verdict import StateName

ROWS: Final = 250
"""Most rows of the activity table."""
LISTED: Final = 100
"""Most rows of any other table."""
PEOPLE: Final = 200
"""Most people whose story a page can tell."""
EVENTS: Final = 20
"""Most events of one person's story."""
ALL_EVENTS: Final = 1_000
"""Most events of all stories of a page together."""

_ORDER: Final = {group.value: place for place, group in enumerate(Group)}
_READ: Final = (
    "change_id",
    "source_id",
    "source_name",
    "target_uri",
    "target_name",
    "operation",
    "group",
    "error_code",
    "reason",
    "remedy",
    "changes",
    "refused",
    "started_at",
)
STATES: Final[Mapping[str, Result]] = {
    StateName.COMPLETED: Result("✓", StateName.COMPLETED.value, "good"),
    StateName.COMPLETED_WITH_ERRORS: Result("✕", StateName.COMPLETED_WITH_ERRORS.value, "bad"),
    StateName.HELD: Result("‖", StateName.HELD.value, "waits"),
    StateName.QUARANTINED: Result("⊘", StateName.QUARANTINED.value, "bad"),
    StateName.INCOMPLETE_READ: Result("!", StateName.INCOMPLETE_READ.value, "waits"),
    StateName.FAILED: Result("✕", StateName.FAILED.value, "bad"),
}
"""How each state of a cycle is shown."""


def more(shown: int, there: int, see: str = "") -> str:
    """Say how many rows are not shown and where they are; nothing when all are."""
    if there <= shown:
        return ""
    where = f" Everything: `{see}`" if see else ""
    return f"{shown:,} of {there:,} are shown.{where}"


def totals_table(activities: pd.DataFrame) -> Table:
    """Count operations by how they ended, with sums."""
    counts = crossed(activities)
    columns = {
        "Operation": Kind.TEXT,
        **{name.capitalize(): Kind.NUMBER for name in counts.columns},
        "All": Kind.NUMBER,
    }
    rows = [
        ("No change" if name == "none" else name.capitalize(), *map(int, values), int(values.sum()))
        for name, values in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    sums = ("All", *map(int, counts.sum()), int(counts.to_numpy().sum()))
    return Table("Operations by how they ended", columns, rows, totals=sums)


def activity_table(activities: pd.DataFrame, names: Mapping[str, str], see: str) -> Table:
    """List what happened to whom, what went wrong first, then the latest first; without those left unchanged."""
    groups = groups_of(activities)
    told = activities.assign(group=groups)[groups.ne(Group.UNCHANGED.value)]
    ordered = told.assign(order=told["group"].map(_ORDER)).sort_values(
        ["order", "started_at"], ascending=[True, False], kind="stable"
    )
    rows = [
        (
            instant(row["started_at"]),
            person_of(row),
            RESULTS[row["group"]],
            changes_of(row, names),
            text(row["reason"]),
            _todo(row),
            text(row["error_code"], 80),
        )
        for row in records(ordered.head(ROWS), _READ)
    ]
    columns = {
        "When (UTC)": Kind.TIME,
        "Person": Kind.NAME,
        "Result": Kind.RESULT,
        "Changes": Kind.CHANGES,
        "Why": Kind.TEXT,
        "What to do": Kind.TEXT,
        "Code": Kind.CODE,
    }
    note = more(len(rows), len(told), see)
    return Table("What happened to whom, what went wrong first", columns, rows, note, stacks=True, findable=True)


def waiting_table(waits: pd.DataFrame, names: Mapping[str, str], see: str) -> Table:
    """List the operations that wait for a person, with their reasons, a reason that repeats only once."""
    shown = records(waits.head(LISTED), _READ)
    before = [None, *(row["reason"] for row in shown)]
    rows = [
        (
            person_of(row),
            RESULTS[row["group"]],
            "–" if row["operation"] == "none" else row["operation"].capitalize(),
            changes_of(row, names),
            *(("For the same reason.", "") if row["reason"] == last else (text(row["reason"]), _todo(row))),
        )
        for row, last in zip(shown, before, strict=False)
    ]
    columns = {
        "Person": Kind.NAME,
        "Result": Kind.RESULT,
        "Operation": Kind.TEXT,
        "Changes": Kind.CHANGES,
        "Why": Kind.TEXT,
        "What to do": Kind.TEXT,
    }
    return Table("Operations that wait", columns, rows, more(len(rows), len(waits), see), stacks=True)


def codes_table(caption: str, counts: pd.DataFrame) -> Table:
    """List error codes with how many people they met, what they mean and what to do."""
    rows = [
        (
            text(row["error_code"], 80),
            int(row["people"]),
            int(row["times"]),
            remedy_of(str(row["error_code"])).meaning,
            remedy_of(str(row["error_code"])).action,
            instant(row["latest"]),
        )
        for row in counts.head(LISTED).to_dict("records")
    ]
    columns = {
        "Code": Kind.CODE,
        "People": Kind.NUMBER,
        "Times": Kind.NUMBER,
        "Meaning": Kind.TEXT,
        "What to do": Kind.TEXT,
        "Latest (UTC)": Kind.TIME,
    }
    return Table(caption, columns, rows, more(len(rows), len(counts)), stacks=True)


def escrow_table(escrow: pd.DataFrame, see: str) -> Table:
    """List who is in escrow, longest there first."""
    rows = [
        (
            text(row["source_name"] or row["source_id"], 120),
            text(row["error_code"], 80),
            instant(row["first_failed_at"]),
            int(row["attempts"]),
            instant(row["next_retry_at"]) or "given up",
        )
        for row in records(escrow.head(LISTED), list(escrow.columns))
    ]
    columns = {
        "Person": Kind.NAME,
        "Code": Kind.CODE,
        "First failed (UTC)": Kind.TIME,
        "Attempts": Kind.NUMBER,
        "Next attempt (UTC)": Kind.TIME,
    }
    return Table("Who is tried again, and when", columns, rows, more(len(rows), len(escrow), see), stacks=True)


def cycles_table(cycles: pd.DataFrame, see: str) -> Table:
    """List the cycles, latest first."""
    rows = [
        (
            instant(row["started_at"]),
            KINDS.get(row["kind"], row["kind"]),
            STATES.get(row["state"], Result("…", str(row["state"]).capitalize(), "quiet")),
            duration(row["ended_at"] - row["started_at"]) if row["ended_at"] else "–",
            text(row["message"]),
            row["cycle_id"][:8],
        )
        for row in records(cycles.head(LISTED), list(cycles.columns))
    ]
    columns = {
        "Started (UTC)": Kind.TIME,
        "Kind": Kind.TEXT,
        "State": Kind.RESULT,
        "Took": Kind.NUMBER,
        "What it did": Kind.TEXT,
        "Cycle": Kind.CODE,
    }
    return Table("Cycles, latest first", columns, rows, more(len(rows), len(cycles), see), stacks=True)


def stories_of(activities: pd.DataFrame, names: Mapping[str, str], see: str) -> Sequence[Story]:
    """Tell what happened to each person, latest first: whoever something went wrong for, then who had most happen.

    At most `PEOPLE` people with `EVENTS` events each, and `ALL_EVENTS` in all; sorted by name.
    """
    groups = groups_of(activities)
    told = activities.assign(group=groups)[groups.ne(Group.UNCHANGED.value)].dropna(subset=["source_id"])
    place = told["group"].map(_ORDER).astype("int64")
    people = place.groupby(told["source_id"]).agg(["min", "size"])
    people = people.assign(wrong=people["min"].gt(_ORDER[Group.HELD.value])).sort_values(
        ["wrong", "size"], ascending=[True, False], kind="stable"
    )
    room = people["size"].clip(upper=EVENTS).cumsum().le(ALL_EVENTS)
    chosen = people[room].head(PEOPLE)
    rows = told[told["source_id"].isin(chosen.index)].sort_values("started_at", ascending=False, kind="stable")
    latest = rows[rows.groupby("source_id").cumcount() < EVENTS]
    by_person: dict[str, list[dict[str, Any]]] = {}
    for row in records(latest, _READ):
        by_person.setdefault(row["source_id"], []).append(row)
    stories = [
        Story(
            person_of(events[0]),
            next((text(row["target_name"], 120) for row in events if row["target_name"]), ""),
            [_event(row, names) for row in events],
            more(len(events), int(chosen.at[person, "size"]), see),
        )
        for person, events in by_person.items()
    ]
    return sorted(stories, key=lambda story: story.person.casefold())


def _event(row: Mapping[str, Any], names: Mapping[str, str]) -> Event:
    when: dt.datetime = row["started_at"]
    return Event(instant(when), RESULTS[row["group"]], changes_of(row, names), text(row["reason"]), _todo(row))


def _todo(row: Mapping[str, Any]) -> str:
    refused = json.loads(row["refused"] or "[]")
    action = action_of(row)
    return text(f"Not taken by Replicon: {', '.join(refused)}. {action}") if refused else action

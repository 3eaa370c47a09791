"""What the Prefect UI shows of a cycle: Markdown and table rows, pure and within what that UI can draw.

The report task creates the artifacts. Measured limits of the UI: tables of up to a thousand rows and six short columns,
Markdown well under 50 KB; a larger one is never drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from tasks.model import Decision, Plan, Situation
from tasks.report.activity import Group, account_names, activities_of, changes_in, counts_of, groups_of, shown_value
from tasks.report.cycle import KINDS, CycleFacts, Told
from tasks.report.remedies import remedy_of
from tasks.report.verdict import StateName, in_words

ROWS: Final = 1000
"""Most rows of a table."""
MARKDOWN_BYTES: Final = 45_000
"""Most bytes of a Markdown artifact."""
_CELL: Final = 160
_CODES: Final = 10
_LISTED: Final = 100
_NAMED: Final = 30
_WAITING: Final = (Group.FAILED.value, Group.STAGED.value, Group.HELD.value)
_SIGNS: Final[Mapping[StateName, str]] = {
    StateName.COMPLETED: "✅",
    StateName.COMPLETED_WITH_ERRORS: "❌",
    StateName.HELD: "⏸️",
    StateName.QUARANTINED: "⛔",
    StateName.INCOMPLETE_READ: "⚠️",
    StateName.STOPPED: "⏹️",
    StateName.FAILED: "❌",
}
_ORDER: Final = {group.value: place for place, group in enumerate(Group)}


def summary_markdown(activities: pd.DataFrame, told: Told) -> str:
    """Give the cycle's facts, its counts by group, and the most frequent errors with their remedies."""
    verdict, facts = told.verdict, told.facts
    started = f"{facts.started_at:%d %b %Y, %H:%M:%S} UTC"
    parts = [
        f"## {_SIGNS[verdict.state]} {verdict.state.value}",
        f"**{verdict.sentence[:1].upper()}{verdict.sentence[1:]}**",
        *(f"> {_flat(note)}" for note in facts.notes),
        _table(
            ("Synchronization details", ""), [("Cycle type", KINDS[facts.kind]), ("Started", started), *facts.lines()]
        ),
        "### What was done",
        _table(("Result", "People"), [(group.value.capitalize(), f"{n:,}") for group, n in verdict.counts.items()])
        if verdict.counts
        else "Nothing.",
        *_top_errors(activities),
        *_people(activities),
        *_files(facts),
    ]
    return _bounded(parts)


def _files(facts: CycleFacts) -> list[str]:
    """Say where everything is: the files of the full report, and the command that shows it."""
    listed = [f"- {_flat(name)}: {_where(place)}" for name, place in facts.files]
    shown = [f"- On a terminal: `{facts.see}`"] if facts.see else []
    return ["### Everything", "\n".join([*listed, *shown])] if listed or shown else []


def _where(place: str) -> str:
    return f"<{place}>" if place.startswith(("http://", "https://")) else f"`{place}`"


def activity_rows(
    activities: pd.DataFrame, known: Mapping[str, str] | None = None, *, limit: int = ROWS
) -> list[dict[str, str]]:
    """Give the activities as table rows, what went wrong first, at most `limit`; every cell is text.

    `known` are login names by URI of accounts that are not among the activities.
    """
    groups = groups_of(activities)
    shown = activities.assign(group=groups).loc[groups.ne(Group.UNCHANGED.value)]
    shown = shown.assign(order=shown["group"].map(_ORDER)).sort_values("order", kind="stable").head(limit)
    names = account_names(activities, known)
    return [
        {
            # Columns are as wide as their longest cell, and what is behind a wide one is out of sight.
            "Result": str(row["group"]),
            "Code": str(row["error_code"] or ""),
            "Person": _cell(_name(row)),
            "Changes": _cell(_changes(row["changes"], names)),
            "Why": _cell(row["reason"]),
            "What to do": _cell(_action(row)),
        }
        for row in _records(shown)
    ]


def plan_markdown(plan: Plan, see: str = "", known: Mapping[str, str] | None = None) -> str:
    """Give a plan for somebody who is to approve it: totals, the guards' verdict, and who is concerned, bounded."""
    activities = activities_of(plan)
    names = account_names(activities, known)
    parts = [
        f"## Plan for {plan.job}",
        f"**{in_words(counts_of(activities), planned=True).capitalize()}**",
        *(f"> {_flat(reason)}" for reason in plan.verdict.reasons),
        *_listing("Waiting for approval", activities[activities["decision"].eq(Decision.STAGED.value)], names),
        *_listing("Held", activities[activities["decision"].eq(Decision.HOLD.value)], names),
        *_listing("To be done", activities[activities["decision"].eq(Decision.GO.value)], names),
        *([f"Everything: `{see}`"] if see else []),
        f"Plan `{plan.plan_id}`, made {plan.created_at:%d %b %Y, %H:%M} UTC",
    ]
    return _bounded(parts)


def drift_markdown(plan: Plan, orphans: pd.DataFrame, told: Told, known: Mapping[str, str] | None = None) -> str:
    """Give what a full compare found: drift attribute by attribute, dead links, and accounts of nobody; bounded.

    `plan` has the drifted accounts and the dead links only, `orphans` is `TARGET_COLUMNS`; `told` is how it ended.
    """
    activities = activities_of(plan)
    names = account_names(activities, known)
    drifted = activities["situation"].eq(Situation.DRIFTED.value)
    counted = (
        f"{int(drifted.sum()):,} accounts were changed outside provisioning, {int((~drifted).sum()):,} linked accounts "
        f"are gone, {len(orphans):,} accounts are linked to nobody."
    )
    parts = [
        f"## Drift of {plan.job}",
        f"**{told.verdict.sentence[:1].upper()}{told.verdict.sentence[1:]}**",
        counted,
        *(f"> {_flat(reason)}" for reason in plan.verdict.reasons),
        *_drift_table(activities[drifted], names),
        *_listing("Gone from Replicon", activities[~drifted], names),
        *_orphans(orphans),
        *([f"Everything: `{told.facts.see}`"] if told.facts.see else []),
    ]
    return _bounded(parts)


def _drift_table(drifted: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """Give a row for each attribute that was changed outside, with what becomes of it."""
    rows = [
        (row["source_name"], one["attribute"], *_sides(one, names), "put back")
        for row in _records(drifted.head(_LISTED))
        for one in changes_in(row["changes"])
    ]
    rows += [
        (row["source_name"], "", "", "", _cell(row["reason"]))
        for row in _records(drifted.head(_LISTED))
        if not changes_in(row["changes"]) or "left so" in str(row["reason"])
    ]
    more = [f"and {len(drifted) - _LISTED:,} more accounts"] if len(drifted) > _LISTED else []
    head = ("Person", "Attribute", "In Replicon", "By the mapping", "Then")
    return ["### Changed outside provisioning", _table(head, rows), *more] if rows else []


def _sides(change: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str]:
    """Show what an attribute had before and has after."""
    return shown_value(change["before"], names), shown_value(change["after"], names)


def _orphans(orphans: pd.DataFrame) -> list[str]:
    """List the first accounts of nobody."""
    if orphans.empty:
        return []
    rows = [(row["target_name"], row["target_uri"]) for row in _records(orphans.head(_LISTED))]
    more = [f"and {len(orphans) - _LISTED:,} more"] if len(orphans) > _LISTED else []
    return ["### Linked to nobody, and never touched", _table(("Login", "Account"), rows), *more]


def _top_errors(activities: pd.DataFrame) -> list[str]:
    """Give the most frequent error codes with what they mean and what to do."""
    wrong = activities.loc[groups_of(activities).isin(_WAITING) | activities["status"].eq("warning").fillna(False)]
    counted = wrong["error_code"].dropna().value_counts().head(_CODES)
    if counted.empty:
        return []
    lines = [
        f"- **{_flat(str(code))}**, {count:,} people: {_flat(remedy_of(str(code)).meaning)} "
        f"*What to do:* {_flat(remedy_of(str(code)).action)}"
        for code, count in counted.items()
    ]
    return ["### What needs attention", "\n".join(lines)]


def _people(activities: pd.DataFrame) -> list[str]:
    """Name who failed, is staged or held, worst first, each with why and what to do; as a list, which wraps."""
    groups = groups_of(activities)
    wrong = activities.assign(group=groups).loc[groups.isin(_WAITING)]
    if wrong.empty:
        return []
    order = wrong["group"].map(_ORDER).sort_values(kind="stable").index
    lines = [
        f"- **{_flat(_name(row))}**, {row['group']}{_code(row)}: {_flat(_line(row['reason']))}"
        + (f" *What to do:* {_flat(_line(_action(row)))}" if _action(row) else "")
        for row in _records(wrong.loc[order[:_NAMED]])
    ]
    more = len(wrong) - len(lines)
    return ["### Whom it concerns", "\n".join(lines), *([f"and {more:,} more"] if more else [])]


def _name(row: Mapping[str, Any]) -> str:
    return str(row["source_name"] or row["target_name"] or row["source_id"])


def _code(row: Mapping[str, Any]) -> str:
    return f" ({row['error_code']})" if row["error_code"] else ""


def _line(value: Any) -> str:
    return " ".join(str(value or "").split())


def _listing(title: str, activities: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    if activities.empty:
        return []
    rows = [
        (
            row["source_name"] or row["source_id"],
            row["operation"],
            _changes(row["changes"], names),
            row["reason"],
        )
        for row in _records(activities.head(_LISTED))
    ]
    more = len(activities) - _LISTED
    listed = [f"### {title}: {len(activities):,}", _table(("Person", "Operation", "Changes", "Why"), rows)]
    return [*listed, f"and {more:,} more"] if more > 0 else listed


def _changes(text: str | None, names: Mapping[str, str]) -> str:
    """Say what changed, shortly: `Department: Sales → Lab`."""
    parts = []
    for change in changes_in(text):
        before, after = (shown_value(change[side], names) for side in ("before", "after"))
        parts.append(
            f"{change['attribute']}: {before} → {after or '–'}" if before else f"{change['attribute']}: {after}"
        )
    return "; ".join(parts)


def _action(row: Mapping[str, Any]) -> str:
    if not row["error_code"] or row["group"] == Group.SKIPPED:
        return ""
    refused = json.loads(row["refused"] or "[]")
    action = str(row["remedy"] or remedy_of(str(row["error_code"])).action)
    return f"Not taken: {', '.join(refused)}. {action}" if refused else action


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_flat(_cell(cell)) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _bounded(parts: Sequence[str]) -> str:
    """Join the parts, cutting table rows off the longest until the whole can be drawn."""
    kept = list(parts)
    while len("\n\n".join(kept).encode()) > MARKDOWN_BYTES:
        longest = max(range(len(kept)), key=lambda place: len(kept[place]))
        lines = kept[longest].splitlines()
        kept[longest] = "\n".join(lines[: max(1, len(lines) * 3 // 4)]) if len(lines) > 1 else lines[0][:1000]
    return "\n\n".join(kept)


def _cell(value: Any) -> str:
    """Give a short text on one line."""
    text = " ".join(str(value if value is not None else "").split())
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def _flat(text: str) -> str:
    """Escape what Markdown tables and raw HTML would take for their own."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]

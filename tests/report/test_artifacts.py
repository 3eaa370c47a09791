"""Artifacts within what the Prefect UI can draw."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tasks.report.activity import activities_of
from tasks.report.artifacts import MARKDOWN_BYTES, ROWS, activity_rows, plan_markdown, summary_markdown
from tests.report.samples import CASES, activities, outcomes_of, plan_of, told

MANY = tuple(
    dataclasses.replace(case, name=f"{case.name}{number}", reason="Long. " * 60)
    for number in range(120)
    for case in CASES
)


@pytest.fixture(scope="module")
def summary() -> str:
    frame = activities()
    return summary_markdown(frame, told(frame, notes=("a | b <i>",)))


def test_the_summary_begins_with_the_verdict(summary: str) -> None:
    assert summary.startswith("## ❌ Completed with errors\n\n**1 created, 2 updated, 1 enabled")


def test_the_summary_has_facts_counts_and_the_codes_with_remedies(summary: str) -> None:
    assert "| Duration | 1 min 24 s |" in summary
    assert "| Created | 1 |" in summary
    assert "- **EntryConflict**, 1 people: Another account has the login name. *What to do:* Rename one" in summary
    assert "- **taken@acme.test**, failed (EntryConflict): Replicon, ImportService2" in summary
    assert "EntrySynchronizationSkipped" not in summary


def test_text_cannot_break_out_of_the_markdown(summary: str) -> None:
    assert "> a \\| b &lt;i>" in summary


def test_rows_are_few_columns_of_text_with_the_worst_first() -> None:
    rows = activity_rows(activities())
    assert [row["Result"] for row in rows][:3] == ["failed", "staged", "held"]
    assert {len(row) for row in rows} == {6}
    assert {type(cell) for row in rows for cell in row.values()} == {str}
    assert json.loads(json.dumps(rows)) == rows


def test_rows_say_what_changed() -> None:
    rows = {row["Person"]: row for row in activity_rows(activities())}
    assert rows["jane.doe@acme.test"]["Changes"] == "Supervisor: boss@acme.test; FirstName: Jane → Janet"
    assert rows["leaver.one@acme.test"]["Changes"] == "LoginEnabled: True → False"
    assert rows["jane.doe@acme.test"]["What to do"].startswith("Not taken: Supervisor. ")
    assert "same@acme.test" not in rows


def test_many_activities_stay_within_the_limits() -> None:
    frame = activities_of(plan_of(MANY), outcomes_of(MANY))
    rows = activity_rows(frame)
    assert len(rows) == ROWS
    assert max(len(cell) for row in rows for cell in row.values()) <= 160
    for text in (summary_markdown(frame, told(frame)), plan_markdown(plan_of(MANY))):
        assert len(text.encode()) <= MARKDOWN_BYTES


def test_a_plan_shows_what_waits_first() -> None:
    text = plan_markdown(plan_of(), "provision plan show")
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles == ["## Plan for acme", "### Waiting for approval: 1", "### Held: 1", "### To be done: 9"]
    assert "2 to create" in text
    assert "> 612 accounts would be disabled" in text

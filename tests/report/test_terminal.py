"""The activity report as text: everything is said, nothing overflows, and it does without colour and Unicode."""

from __future__ import annotations

import dataclasses
import io

import pandas as pd
import pytest
from rich.console import Console

from tasks.report.activity import activities_of
from tasks.report.terminal import activity_report, plan_report
from tests.report.samples import CASES, CYCLE, activities, outcomes_of, plan_of, told

MANY = (*CASES, *(dataclasses.replace(CASES[1], name=f"new{number}") for number in range(30)))


def printed(report: object, width: int = 100, encoding: str = "utf-8") -> str:
    """Print a report as a pipe or a file would get it: without colour."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as file:
        Console(file=file, width=width, no_color=True, color_system=None, force_terminal=False).print(report)
        file.flush()
        return raw.getvalue().decode(encoding)


@pytest.fixture
def frame() -> pd.DataFrame:
    return activities()


@pytest.mark.parametrize("width", [60, 100, 120])
def test_no_line_is_wider_than_the_terminal(width: int, frame: pd.DataFrame) -> None:
    assert max(map(len, printed(activity_report(frame, told(frame)), width).splitlines())) <= width


def test_it_begins_with_the_cycle_and_its_verdict(frame: pd.DataFrame) -> None:
    lines = [line.strip() for line in printed(activity_report(frame, told(frame))).splitlines() if line.strip()]
    assert lines[0].startswith("Activity report  acme · incremental cycle · 24 Nov 2026, 12:00 UTC")
    assert lines[1] == "● Completed with errors"
    assert lines[2].startswith("1 created, 2 updated, 1 enabled, 2 disabled, 1 linked, 1 failed, 1 held")
    assert lines[3] == "From      Microsoft Entra ID, tenant acme.test"
    assert "Duration  1 min 24 s" in lines
    assert f"Cycle     {CYCLE}" in lines


def test_operations_are_counted_by_how_they_ended(frame: pd.DataFrame) -> None:
    lines = [line.split() for line in printed(activity_report(frame, told(frame))).splitlines()]
    assert ["Operation", "Success", "Warning", "Failure", "Held", "Staged", "Skipped"] in lines
    assert ["Create", "1", "·", "1", "·", "·", "·"] in lines
    assert ["Update", "1", "1", "·", "·", "·", "·"] in lines
    assert ["Disable", "2", "·", "·", "·", "1", "·"] in lines


def test_everybody_is_named_with_what_changed_and_why(frame: pd.DataFrame) -> None:
    text = " ".join(printed(activity_report(frame, told(frame))).split())
    for case in CASES:
        if case.name != "same":
            assert f"{case.name}@acme.test" in text
            assert case.reason in text
    assert "Department Sales → Research & Development" in text
    assert "PermissionSets User → Project Manager, User" in text
    assert "EndDate 2026-12-31 → –" in text
    assert "Not taken by Replicon: Supervisor" in text
    assert "What to do: Rename one of the two" in text


def test_who_is_unchanged_is_not_listed(frame: pd.DataFrame) -> None:
    assert "same@acme.test" not in printed(activity_report(frame, told(frame)))


def test_what_went_wrong_stands_first(frame: pd.DataFrame) -> None:
    text = printed(activity_report(frame, told(frame)))
    order = ["Failed  1", "Staged  1", "Held  1", "Created  1", "Updated  2", "Skipped  1"]
    places = [text.index(title) for title in order]
    assert places == sorted(places)


def test_a_long_list_is_cut_and_says_where_the_rest_is() -> None:
    frame = activities_of(plan_of(MANY), outcomes_of(MANY))
    text = printed(activity_report(frame, told(frame), people=5))
    assert "and 26 more; see provision report --job acme" in text
    assert "new20@acme.test" not in text


def test_a_reason_shared_with_the_one_above_is_not_repeated() -> None:
    frame = activities_of(plan_of(MANY), outcomes_of(MANY))
    text = " ".join(printed(activity_report(frame, told(frame), people=5)).split())
    assert text.count(CASES[1].reason) == 1
    assert text.count("For the same reason.") == 4


def test_many_attributes_are_cut(frame: pd.DataFrame) -> None:
    text = " ".join(printed(activity_report(frame, told(frame), attributes=3)).split())
    assert "LastName Müller · and 7 more attributes" in text
    assert "PermissionSets User → Project Manager, User and 1 more attribute" in text


def test_it_is_plain_ascii_where_the_terminal_can_show_no_more() -> None:
    case = dataclasses.replace(CASES[2], name="plain")
    frame = activities_of(plan_of((case,)), outcomes_of((case,)))
    text = printed(activity_report(frame, told(frame)), encoding="ascii")
    assert "Department      Sales       ->  Research & Development" in text
    assert "* Completed" in text


def test_nothing_happened_is_said_in_a_few_lines() -> None:
    frame = activities_of(plan_of(()), outcomes_of(()))
    text = printed(activity_report(frame, told(frame)))
    assert "Nothing to do: everybody is as they should be" in text
    assert "Operation" not in text


def test_notes_stand_with_the_verdict(frame: pd.DataFrame) -> None:
    assert "Mind this." in printed(activity_report(frame, told(frame, notes=("Mind this.",))))


def test_a_plan_speaks_of_what_is_to_come() -> None:
    plan = plan_of()
    text = printed(plan_report(plan, told(activities()).facts))
    assert "Plan  acme" in text
    assert "Nothing has been changed yet" in text
    assert "2 to create, 2 to update" in " ".join(text.split())
    assert "To create  2" in text
    assert "Created" not in text

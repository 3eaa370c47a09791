"""What the HTML report counts, held against counting by hand."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.report.activity import groups_of
from tasks.report.pages import measures
from tasks.report.pages.measures import Unit
from tests.report import samples
from tests.report.pages.world import NOW, Deed, activities, began, cycles, standing

deeds = st.lists(
    st.builds(
        Deed,
        cycle=st.integers(0, 40),
        person=st.sampled_from("abcd"),
        operation=st.sampled_from(measures.OPERATIONS),
        status=st.sampled_from(["success", "warning", "failure", "skipped"]),
        decision=st.sampled_from(["go", "hold", "staged", "skip"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=30)
@given(deeds)
def test_every_activity_is_in_one_cell_of_the_totals(some: list[Deed]) -> None:
    frame = activities(some)
    counts = measures.crossed(frame)
    assert int(counts.to_numpy().sum()) == len(frame)
    assert {name: int(row.sum()) for name, row in counts.iterrows()} == Counter(frame["operation"])


@settings(deadline=None, max_examples=30)
@given(deeds, st.sampled_from(list(Unit)))
def test_whatever_the_unit_of_time_every_activity_counts_once(some: list[Deed], unit: Unit) -> None:
    frame = activities(some)
    counts = measures.over_time(frame, cycles(41), unit)
    assert counts.groupby("group")["people"].sum().to_dict() == Counter(groups_of(frame))
    assert set(counts["moment"]) <= set(measures.moments_of(cycles(41), unit)["moment"])


@pytest.mark.parametrize(("days", "unit"), [(20, Unit.CYCLE), (40, Unit.DAY), (200, Unit.WEEK), (900, Unit.MONTH)])
def test_a_longer_time_is_told_by_longer_units_and_few_points(days: int, unit: Unit) -> None:
    there = cycles(days)
    assert measures.unit_for(there) is unit
    points = measures.moments_of(there, unit)
    assert len(points) <= measures.BARS
    assert points["label"].is_unique
    assert points["until"].is_monotonic_increasing


def test_the_success_rate_is_of_what_was_tried_and_changes_something() -> None:
    frame = activities(
        [
            Deed(0, "a"),
            Deed(0, "b", status="warning"),
            Deed(0, "c", status="failure"),
            Deed(1, "d"),
            Deed(0, "e", decision="hold", status="skipped"),
            Deed(0, "f", operation="none"),
        ]
    )
    assert measures.success_rate(frame) == 50.0
    assert measures.success_rates(frame, cycles(2), Unit.DAY)["percent"].round(1).tolist() == [33.3, 100.0]
    assert measures.success_rate(frame[frame["operation"].eq("none")]) is None


def test_people_managed_are_those_linked_by_then_and_not_yet_deleted() -> None:
    frame = activities(
        [Deed(1, "gone", "create", situation="absent"), Deed(3, "gone", "delete", situation="source_deleted")]
    )
    links = standing(linked=[began(0), began(2), began(2)]).links
    points = measures.moments_of(cycles(5), Unit.DAY)
    assert measures.managed(frame, links, points["until"]).tolist() == [1, 2, 4, 3, 3]


def test_stages_are_told_from_the_manifest_and_the_operations() -> None:
    taken = measures.stages(activities([Deed(0, "a"), Deed(0, "b")]), cycles(1))
    assert taken["seconds"].tolist() == [2.0, 8.0, 3.0, 87.0]
    idle = measures.stages(activities([]), cycles(1))
    assert idle["seconds"].tolist() == [2.0, 98.0, 0.0, 0.0]


def test_error_codes_count_people_and_times() -> None:
    frame = activities(
        [
            Deed(0, "a", status="failure", code="Timeout"),
            Deed(1, "a", status="failure", code="Timeout"),
            Deed(1, "b", status="failure", code="Timeout"),
            Deed(1, "c", decision="hold", status="skipped", code="InFlight"),
            Deed(1, "d", decision="skip", status="skipped", code="GracePeriod"),
        ]
    )
    found = measures.errors(frame)
    assert found[["error_code", "people", "times"]].to_numpy().tolist() == [["Timeout", 2, 3], ["InFlight", 1, 1]]
    assert measures.skips(frame)["error_code"].tolist() == ["GracePeriod"]


def test_escrow_is_counted_by_age() -> None:
    ages = (0.5, 3, 3, 10, 20, 30)
    there = standing(failed=[NOW - dt.timedelta(days=days) for days in ages]).escrow
    assert measures.escrow_ages(there, NOW)["people"].tolist() == [1, 2, 1, 1, 1]


def test_drift_counts_accounts_by_attribute() -> None:
    two = (("Department", "A", "B"), ("FirstName", '"attribute": "LastName"', "C"))
    frame = activities(
        [Deed(0, "a", situation="drifted", changes=two), Deed(1, "b", situation="drifted"), Deed(1, "c")]
    )
    assert measures.drifted(frame).to_numpy().tolist() == [["Department", 2], ["FirstName", 1]]


def test_only_the_latest_whole_cycle_says_who_still_waits() -> None:
    frame = activities([Deed(0, "a", decision="hold", status="skipped"), Deed(1, "b", decision="hold")])
    assert measures.of_latest_cycle(frame, cycles(2))["source_name"].tolist() == ["b"]
    assert measures.of_latest_cycle(frame, cycles(3)).empty
    assert len(measures.waiting(samples.activities())) == 2

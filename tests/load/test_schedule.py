"""The order of operations: who needs another's account waits for that one, and nobody waits for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.load.schedule import Schedule
from tasks.load.work import SUPERVISOR
from tasks.model import Operation
from tests.load.rig import Row, create, plan_of


def schedule_of(supervisors: list[int | None]) -> Schedule:
    """Give the schedule of people who are created below each other: `supervisors` by place."""
    rows = [
        create(f"p{place}", supervisor=None if supervisor is None else f"p{supervisor}")
        for place, supervisor in enumerate(supervisors)
    ]
    plan = plan_of("cycle", *rows)
    return Schedule(plan.operations, plan.changes, "mapping", TARGET_ATTRIBUTES)


@st.composite
def companies(draw: st.DrawFn) -> list[int | None]:
    """Give org charts, with circles and people who are their own supervisors among them."""
    count = draw(st.integers(1, 30))
    return draw(st.lists(st.none() | st.integers(0, count - 1), min_size=count, max_size=count))


@settings(deadline=None)
@given(companies(), st.integers(1, 5))
def test_everybody_gets_a_turn_after_their_supervisor_or_writes_the_reference_later(
    supervisors: list[int | None], together: int
) -> None:
    schedule = schedule_of(supervisors)
    there: set[str] = set()
    late: list[str] = []
    while items := schedule.take(together):
        for item in items:
            supervisor = item.waits_for()
            assert supervisor is None or supervisor in there
            if item.later:
                late.append(item.source_id)
        for item in items:
            there.add(item.source_id)
            schedule.settled(item.source_id)
    assert len(there) == len(supervisors)
    assert schedule.rest() == []
    assert len(late) == circles(supervisors)


def circles(supervisors: list[int | None]) -> int:
    """Count the circles, the slow way: follow everybody until somebody comes a second time."""
    found = set()
    for start in range(len(supervisors)):
        path: list[int] = []
        place: int | None = start
        while place is not None and place not in path:
            path.append(place)
            place = supervisors[place]
        if place is not None:
            found.add(frozenset(path[path.index(place) :]))
    return len(found)


def test_a_second_step_waits_for_the_account_that_it_refers_to() -> None:
    schedule = schedule_of([1, 0])
    [first] = schedule.take(5)
    schedule.settled(first.source_id)
    first.next_step(first.operation, first.later)
    schedule.put(first)
    [second] = schedule.take(5)
    assert second.source_id != first.source_id
    assert schedule.take(5) == []
    schedule.settled(second.source_id)
    assert schedule.take(5) == [first]


def test_what_has_not_been_taken_is_what_is_left() -> None:
    schedule = schedule_of([None, 0, 1, None])
    schedule.take(1)
    assert schedule.rest() == [1, 2, 3]
    assert schedule.unfinished() == []


def test_values_are_texts_lists_or_nothing() -> None:
    plan = plan_of("cycle", create("a", PermissionSets=["User"], EmployeeId=None))
    [item] = Schedule(plan.operations, plan.changes, "mapping", TARGET_ATTRIBUTES).take(1)
    assert (item.values["PermissionSets"], item.values["EmployeeId"]) == (["User"], None)
    assert SUPERVISOR not in item.values


def test_a_second_step_of_a_linked_circle_waits_for_the_row_that_makes_its_supervisor_fit() -> None:
    fit = {"PermissionSets": ["Supervisor"]}
    plan = plan_of(
        "cycle",
        Row("a", Operation.UPDATE, {**fit, SUPERVISOR: "urn:b"}, target_uri="urn:a", waits_for="b"),
        Row("b", Operation.UPDATE, {**fit, SUPERVISOR: "urn:a"}, target_uri="urn:b", waits_for="a"),
    )
    schedule = Schedule(plan.operations, plan.changes, "mapping", TARGET_ATTRIBUTES)
    [first] = schedule.take(5)
    assert (first.source_id, first.later) == ("a", {SUPERVISOR: "urn:b"})
    schedule.settled("a")
    first.next_step(first.operation, first.later)
    schedule.put(first)
    assert [item.source_id for item in schedule.take(5)] == ["b"]
    schedule.settled("b")
    assert schedule.take(5) == [first]

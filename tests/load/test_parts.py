"""A plan cut for several processes: nothing is lost or doubled, and whoever depends on another comes after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.records import Moves
from tasks.load.apply import apply_plan
from tasks.load.parts import Cut, cut_plan
from tasks.model import Decision, Operation, Plan, Situation, Status
from tests.ledger.changes import change, request
from tests.load.rig import BRISK, Rig, Row, create, gone, person, plan_of

NOBODY = "nobody-to-wait-for"


@st.composite
def companies(draw: st.DrawFn) -> list[Row]:
    """Give plans' rows, with org charts, circles, rows that are held, and people who take over another's login name."""
    count = draw(st.integers(1, 24))
    above = draw(st.lists(st.none() | st.integers(0, count), min_size=count, max_size=count))
    rows = [
        create(f"p{place:02}", supervisor=None if boss is None else NOBODY if boss == count else f"p{boss:02}")
        for place, boss in enumerate(above)
    ]
    for place in draw(st.sets(st.integers(0, count - 1), max_size=4)):
        rows[place] = dataclasses.replace(rows[place], decision=Decision.HOLD)
    for place, other in draw(st.dictionaries(st.integers(0, count - 1), st.integers(0, count - 1), max_size=3)).items():
        renamed = person(rows[other].source_id.upper())
        before = {"LoginName": f"old-{place}@acme.test"}
        rows[place] = Row(f"p{place:02}", Operation.UPDATE, renamed, before, target_uri=f"urn:{place}")
    return draw(st.permutations(rows))


def all_of(cut: Cut) -> list[Plan]:
    return [cut.first, *cut.rest]


def ids(plan: Plan) -> set[str]:
    return set(plan.operations["change_id"])


@settings(deadline=None, max_examples=40)
@given(companies(), st.integers(1, 10))
def test_every_operation_is_in_one_part_with_its_changes_and_in_the_plans_order(rows: list[Row], size: int) -> None:
    plan = plan_of("cycle", *rows)
    parts = all_of(cut_plan(plan, size))

    assert sorted(one for part in parts for one in part.operations["change_id"]) == sorted(ids(plan))
    assert sum(len(part.changes) for part in parts) == len(plan.changes)
    order = plan.operations["change_id"].tolist()
    for part in parts:
        assert set(part.changes["change_id"]) <= ids(part)
        assert [one for one in order if one in ids(part)] == part.operations["change_id"].tolist()
        assert (part.plan_id, part.cycle_id) == (plan.plan_id, plan.cycle_id)


@settings(deadline=None, max_examples=40)
@given(companies(), st.integers(1, 10))
def test_later_parts_are_ranges_of_keys_of_the_given_size(rows: list[Row], size: int) -> None:
    plan = plan_of("cycle", *rows)
    rest = cut_plan(plan, size).rest
    keys = [sorted(part.operations["source_id"]) for part in rest]
    together = [key for part in keys for key in part]
    assert together == sorted(together)
    assert all(len(part) == size for part in keys[:-1])
    assert all(0 < len(part) <= size for part in keys)


@settings(deadline=None, max_examples=40)
@given(companies(), st.integers(1, 10))
def test_whoever_is_waited_for_comes_first(rows: list[Row], size: int) -> None:
    plan = plan_of("cycle", *rows)
    cut = cut_plan(plan, size)
    later = {source_id for part in cut.rest for source_id in part.operations["source_id"]}
    waited_for = set(plan.operations.loc[plan.writes, "waits_for"].dropna())
    assert not later & waited_for


@settings(deadline=None, max_examples=40)
@given(companies(), st.integers(1, 10))
def test_a_login_name_is_one_parts_affair(rows: list[Row], size: int) -> None:
    plan = plan_of("cycle", *rows)
    parts = [logins(part) for part in all_of(cut_plan(plan, size))]
    assert all(not one & other for place, one in enumerate(parts) for other in parts[place + 1 :])


def logins(plan: Plan) -> set[str]:
    """Give the login names that the plan's writes take or give up, in lower case."""
    going = set(plan.operations.loc[plan.writes, "change_id"])
    rows = plan.changes[plan.changes["attribute"].eq("LoginName") & plan.changes["change_id"].isin(going)]
    names = [*rows["before"].dropna(), *rows["after"].dropna()]
    return {name.lower() for name in names}


def test_whoever_is_below_an_account_that_is_made_again_comes_with_it() -> None:
    again = dataclasses.replace(create("boss"), situation=Situation.MISSING)
    cut = cut_plan(plan_of("cycle", again, create("ann", supervisor="boss"), create("bob")), 1)
    assert set(cut.first.operations["source_id"]) == {"boss", "ann"}


def test_an_empty_plan_has_an_empty_first_part_and_no_other() -> None:
    cut = cut_plan(plan_of("cycle"), 10)
    assert (len(cut.first.operations), cut.rest) == (0, ())


def carry_out(rig: Rig, plans: Sequence[Plan]) -> list[str]:
    """Carry out parts; give how each change ended."""
    outcomes = [
        apply_plan(part, rig.target, rig.ledger, rig.job, second_look=gone, patience=BRISK, part=True) for part in plans
    ]
    return [status for outcome in outcomes for status in outcome["status"]]


def test_carried_out_in_parts_everybody_gets_the_supervisor_of_another_part(rig: Rig) -> None:
    rows = [create(f"p{place}", supervisor="boss1" if place % 2 else "boss2") for place in range(6)]
    bosses = [create(name, PermissionSets=["Supervisor"]) for name in ("boss1", "boss2")]
    cut = cut_plan(plan_of(rig.cycle_id, *rows, *bosses), 2)

    assert set(cut.first.operations["source_id"]) == {"boss1", "boss2"}
    assert set(carry_out(rig, all_of(cut))) == {Status.SUCCESS}
    assert [rig.account(f"p{place}")["supervisor"] for place in range(2)] == [rig.uri("boss2"), rig.uri("boss1")]


def test_a_part_leaves_alone_what_is_under_way_in_another(rig: Rig) -> None:
    elsewhere = request(change())
    rig.ledger.record("acme", rig.cycle_id, Moves(intents=[elsewhere], sent=[elsewhere.key]))

    assert carry_out(rig, [plan_of(rig.cycle_id, create("bob"))]) == [Status.SUCCESS]
    assert [open_one.key for open_one in rig.ledger.open_requests("acme")] == [elsewhere.key]
    assert rig.logins() == ["bob@acme.test"]


def test_a_part_that_is_carried_out_again_settles_its_own_and_repeats_nothing(rig: Rig) -> None:
    plan = plan_of(rig.cycle_id, create("ann"), create("bob"))
    carry_out(rig, [plan])
    sent = rig.writes()

    assert carry_out(rig, [plan]) == [Status.SUCCESS] * 2
    assert rig.writes() == sent

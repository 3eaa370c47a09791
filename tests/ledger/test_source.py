"""What the ledger remembers of a source: brought up to date at a cycle's end, with the watermark or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pytest

from tasks.ledger.ledger import Ledger
from tasks.ledger.locks import LostLockError
from tasks.ledger.source import Remember
from tasks.model import (
    GRANT_COLUMNS,
    LEAVING_COLUMNS,
    MEMBER_COLUMNS,
    ROLE_COLUMNS,
    STRING,
    STRINGS,
    CycleKind,
    Manifest,
    SourceUpdate,
)
from tests.ledger.conftest import Clock

ATTRIBUTES: Final = {"department": STRING, "manager": STRING, "proxyAddresses": STRINGS}
PEOPLE: Final = {"source_id": STRING, "presence": STRING, **ATTRIBUTES}


def frame(columns: Mapping[str, pd.ArrowDtype], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.array([row[at] for row in rows], dtype=columns[name]) for at, name in enumerate(columns)}
    )


def people(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return frame(PEOPLE, rows)


def members(*rows: tuple[str, str]) -> pd.DataFrame:
    return frame(MEMBER_COLUMNS, [(*row, True) for row in rows])


WHOLE = SourceUpdate(
    whole=True,
    people=people(
        ("ann", "present", "Sales", None, ["a@x", "b@x"]),
        ("bob", "present", None, "ann", None),
        ("cid", "soft_deleted", "Legal", None, None),
        ("dan", "hard_deleted", None, None, None),
    ),
    members=members(("staff", "ann"), ("staff", "bob"), ("boards", "ann")),
    grants=frame(GRANT_COLUMNS, [("1", "staff", "Group", "Staff", "r"), ("2", "cid", "User", "Cid", "r")]),
    roles=frame(ROLE_COLUMNS, [("r", "Replicon.User", "User", True), ("m", None, "msiam_access", False)]),
    default_domain="x.example",
)
NOTHING = SourceUpdate(
    whole=False,
    people=people(),
    members=members(),
    grants=frame(GRANT_COLUMNS, []),
    roles=WHOLE.roles,
    default_domain="x.example",
)


def remember(ledger: Ledger, update: SourceUpdate, *unsettled: str, job: str = "acme") -> None:
    ledger.end_cycle(
        ledger.begin_cycle(job, CycleKind.INITIAL), "completed", remember=Remember(update, "settings", unsettled)
    )


def held(ledger: Ledger) -> set[tuple[Any, ...]]:
    found = ledger.source("acme").people(None, {"department": STRING})
    return {tuple(None if pd.isna(value) else value for value in row) for row in found.to_numpy(dtype=object)}


def pairs(found: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(found["group_id"], found["member_id"], strict=True))


def test_nothing_is_remembered_before_the_first_cycle(ledger: Ledger) -> None:
    assert ledger.source("acme").facts() is None


def test_whole_objects_come_back_with_their_types(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    found = ledger.source("acme").people(["ann"], ATTRIBUTES)
    assert found.dtypes.to_dict() == PEOPLE
    assert [list(value) if name == "proxyAddresses" else value for name, value in found.iloc[0].items()] == [
        "ann",
        "present",
        "Sales",
        pd.NA,
        ["a@x", "b@x"],
    ]


def test_who_is_gone_for_good_is_not_remembered(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    assert held(ledger) == {("ann", "present", "Sales"), ("bob", "present", None), ("cid", "soft_deleted", "Legal")}


def test_look_ups_find_members_memberships_and_reports(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    source = ledger.source("acme")
    assert pairs(source.members_of(["staff", "none"])) == {("staff", "ann"), ("staff", "bob")}
    assert pairs(source.memberships_of(["ann"])) == {("staff", "ann"), ("boards", "ann")}
    assert source.reports_of(["ann", "bob"]) == ["bob"]
    assert (source.people([], ATTRIBUTES).shape[0], source.reports_of([])) == (0, [])


def test_roles_and_assignments_come_back(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    facts = ledger.source("acme").facts()
    assert facts is not None
    pd.testing.assert_frame_equal(facts.roles, WHOLE.roles)
    pd.testing.assert_frame_equal(ledger.source("acme").grants(), WHOLE.grants)


def test_changes_replace_add_and_take_away_what_they_name(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    changes = dataclasses.replace(
        NOTHING,
        people=people(("bob", "present", "Legal", None, None), ("eva", "present", None, None, None)),
        people_gone=("cid",),
        members=members(("boards", "eva")),
        members_gone=members(("staff", "ann")),
        grants=frame(GRANT_COLUMNS, [("3", "boards", "Group", "Boards", "r")]),
        grants_gone=("2",),
    )
    remember(ledger, changes)
    source = ledger.source("acme")
    assert held(ledger) == {("ann", "present", "Sales"), ("bob", "present", "Legal"), ("eva", "present", None)}
    assert pairs(source.members_of(["staff", "boards"])) == {("staff", "bob"), ("boards", "ann"), ("boards", "eva")}
    assert sorted(source.grants()["assignment_id"]) == ["1", "3"]


def test_reports_are_found_by_the_last_manager_known(ledger: Ledger) -> None:
    remember(ledger, WHOLE)
    remember(ledger, dataclasses.replace(NOTHING, people=people(("bob", "present", None, None, None))))
    assert ledger.source("acme").reports_of(["ann"]) == ["bob"]
    assert pd.isna(ledger.source("acme").people(["bob"], ATTRIBUTES)["manager"].iloc[0])


def test_a_whole_read_replaces_everything(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE, "ann")
    remember(ledger, dataclasses.replace(WHOLE, people=WHOLE.people.head(1), members=members()))
    source = ledger.source("acme")
    assert held(ledger) == {("ann", "present", "Sales")}
    assert (len(source.memberships_of(["ann"])), source.again(clock())) == (0, [])


def test_whom_to_look_at_again_stays_until_they_were_looked_at(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE, "ann", "bob", "bob")
    remember(ledger, dataclasses.replace(NOTHING, touched=("bob", "cid")), "cid")
    assert ledger.source("acme").again(clock()) == ["ann", "cid"]


def test_who_was_unlinked_by_hand_is_looked_at_again(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE)
    ledger.unlink("acme", ledger.begin_cycle("acme", CycleKind.ON_DEMAND), ["bob"])
    assert ledger.source("acme").again(clock()) == ["bob"]


def test_who_is_leaving_is_looked_at_again(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE)
    leaving = frame(LEAVING_COLUMNS, [("ann", clock())])
    ledger.note_leaving("acme", ledger.begin_cycle("acme", CycleKind.INCREMENTAL), leaving)
    assert ledger.source("acme").again(clock()) == ["ann"]


def test_jobs_do_not_see_each_other(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE, "ann", job="other")
    source = ledger.source("acme")
    assert (len(source.grants()), source.reports_of(["ann"]), source.again(clock())) == (0, [], [])


def test_a_cycle_that_lost_its_job_leaves_what_is_remembered(ledger: Ledger, clock: Clock) -> None:
    remember(ledger, WHOLE)
    lost = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
    clock.pass_by(hours=1)
    ledger.begin_cycle("acme", CycleKind.INITIAL)
    with pytest.raises(LostLockError):
        ledger.end_cycle(lost, "completed", watermark={"a": 1}, remember=Remember(NOTHING, "other", ()))
    facts = ledger.source("acme").facts()
    assert facts is not None
    assert (facts.settings, ledger.job_state("acme").watermark) == ("settings", None)


def test_an_incremental_cycle_leaves_the_count_of_people_that_the_last_whole_read_gave(
    ledger: Ledger, clock: Clock
) -> None:
    whole = Manifest(True, (), 1, 1, 1000, 3, 40, clock(), clock(), "")
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INITIAL), "completed", manifest=whole)
    few = dataclasses.replace(whole, objects=2, groups=4, assignments=41)
    ledger.end_cycle(ledger.begin_cycle("acme", CycleKind.INCREMENTAL), "completed", manifest=few)
    last = ledger.job_state("acme").last_complete
    assert last is not None
    assert (last["objects"], last["groups"], last["assignments"]) == (1000, 4, 41)


def test_a_cycle_that_had_to_read_everything_is_recorded_as_such(ledger: Ledger) -> None:
    cycle = ledger.begin_cycle("acme", CycleKind.INCREMENTAL)
    ledger.change_kind(cycle, CycleKind.INITIAL)
    assert ledger.cycles("acme")["kind"].tolist() == ["initial"]

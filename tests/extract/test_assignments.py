"""Whom the Assignments frame holds, and what is concluded about linked people whom a read does not have."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.extract.assignments import extract_assignments, extract_people
from tasks.job import Scope
from tasks.model import ASSIGNMENT_COLUMNS, STRING, Extraction, Presence
from tests.extract.frames import Frames, grants, members, people

STAFF = grants(("group:g", "Staff", "r-user"))


def known(*ids: str) -> pd.Series:
    return pd.Series(list(ids), dtype=STRING)


def state(extraction: Extraction) -> dict[str, tuple[str, bool]]:
    rows = extraction.assignments
    return {
        who: (presence, bool(entitled))
        for who, presence, entitled in zip(rows["source_id"], rows["presence"], rows["entitled"], strict=True)
    }


def test_rows_are_the_entitled_and_the_linked() -> None:
    directory = Frames(people("ann", "bob", "cid"), STAFF, members(("g", "ann", True)))
    found = extract_assignments(directory, frozenset(), Scope(), known("bob"))
    assert state(found) == {"ann": ("present", True), "bob": ("present", False)}


def test_the_frame_has_the_promised_columns_and_types() -> None:
    found = extract_assignments(Frames(people("ann"), STAFF, members(("g", "ann", True))), frozenset(), Scope())
    assert {name: found.assignments[name].dtype for name in ASSIGNMENT_COLUMNS} == dict(ASSIGNMENT_COLUMNS)


def test_an_empty_directory_gives_the_promised_columns_too() -> None:
    found = extract_assignments(Frames(people(), grants(), members()), frozenset(), Scope())
    assert {name: found.assignments[name].dtype for name in ASSIGNMENT_COLUMNS} == dict(ASSIGNMENT_COLUMNS)


def test_a_linked_person_in_the_recycle_bin_is_soft_deleted() -> None:
    directory = Frames(people("ann", deleted=["ann"]), STAFF, members())
    assert state(extract_assignments(directory, frozenset(), Scope(), known("ann")))["ann"] == ("soft_deleted", False)


def test_an_unlinked_person_in_the_recycle_bin_has_no_row() -> None:
    directory = Frames(people("ann", deleted=["ann"]), STAFF, members(("g", "ann", True)))
    assert state(extract_assignments(directory, frozenset(), Scope())) == {}


def test_a_linked_person_absent_from_a_complete_read_is_hard_deleted() -> None:
    directory = Frames(people("bob"), STAFF, members(("g", "bob", True)))
    found = extract_assignments(directory, frozenset(), Scope(), known("ann"))
    assert state(found)["ann"] == (Presence.HARD_DELETED, False)


def test_a_linked_person_absent_from_an_incomplete_read_has_no_row_and_is_noted() -> None:
    directory = Frames(people("bob"), STAFF, members(("g", "bob", True)), missing=("users: a page is missing",))
    found = extract_assignments(directory, frozenset(), Scope(), known("ann"))
    assert ("ann" in state(found), found.manifest.missing[-1]) == (
        False,
        "linked people whom this read did not find and who are left alone: 1 (ann)",
    )


def test_somebody_who_moved_while_pages_were_read_is_looked_up() -> None:
    directory = Frames(people("bob"), STAFF, members(("g", "ann", True)), late=people("ann"))
    found = extract_assignments(directory, frozenset(), Scope(), known("ann"))
    assert state(found) == {"ann": ("present", True)}


def test_an_assigned_id_that_nobody_has_gets_no_row() -> None:
    found = extract_assignments(Frames(people(), STAFF, members(("g", "ghost", True))), frozenset(), Scope())
    assert state(found) == {}


def test_a_named_person_has_a_row_though_not_assigned() -> None:
    found = extract_people(Frames(people("ann", "bob"), grants(), members()), ["ann"], frozenset(), Scope())
    assert state(found) == {"ann": ("present", False)}
    assert found.assignments["entitlement_reason"].tolist() == ["not effectively entitled: not assigned"]


@pytest.mark.parametrize("linked", [None, known("ann")])
def test_a_named_person_who_is_gone_has_a_row_only_when_linked(linked: pd.Series | None) -> None:
    found = extract_people(Frames(people(), grants(), members()), ["ann"], frozenset(), Scope(), linked)
    assert state(found) == ({} if linked is None else {"ann": ("hard_deleted", False)})


def test_a_named_person_who_only_seems_unassigned_has_no_row() -> None:
    directory = Frames(
        people("ann", "bob"), STAFF, members(("g", "bob", True)), missing=("members: a page is missing",)
    )
    assert state(extract_people(directory, ["ann", "bob"], frozenset(), Scope(), known("ann", "bob"))) == {
        "bob": ("present", True)
    }

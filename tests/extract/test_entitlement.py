"""Which assignments entitle whom: every rule of assignment, over frames."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.extract.assignments import extract_assignments
from tasks.extract.entitlement import entitlements
from tasks.job import Scope
from tasks.model import DEFAULT_ACCESS_ROLE_ID
from tests.extract.frames import ROLES, Frames, grants, members, people

ASSIGNED = Scope()


def entitled_by(
    assignments: pd.DataFrame, member_rows: pd.DataFrame | None = None, scope: Scope = ASSIGNED
) -> dict[str, tuple[bool, str, list[str] | None]]:
    directory = Frames(people(), assignments, members() if member_rows is None else member_rows)
    found = entitlements(directory.read_all(frozenset(), scope), scope)
    roles = [None if each is pd.NA or each is None else list(each) for each in found["appRoleAssignments"]]
    columns = (found["source_id"], found["entitled"], found["entitlement_reason"], roles)
    return {who: (bool(good), why, held) for who, good, why, held in zip(*columns, strict=True)}


def test_a_direct_assignment_entitles_and_gives_the_roles_value() -> None:
    found = entitled_by(grants(("user:ann", "Ann", "r-user")))
    assert found == {"ann": (True, "role User, assigned directly", ["Replicon.User"])}


def test_a_group_passes_its_role_to_direct_members() -> None:
    found = entitled_by(grants(("group:g", "All staff", "r-user")), members(("g", "ann", True)))
    assert found["ann"] == (True, "role User through group All staff", ["Replicon.User"])


def test_members_of_inner_groups_are_left_out_by_default() -> None:
    assert entitled_by(grants(("group:g", "All staff", "r-user")), members(("g", "ann", False))) == {}


def test_members_of_inner_groups_count_when_the_job_says_so() -> None:
    found = entitled_by(
        grants(("group:g", "All staff", "r-user")), members(("g", "ann", False)), Scope(nested_groups=True)
    )
    assert found["ann"] == (True, "role User through a group within group All staff", ["Replicon.User"])


def test_several_roles_merge_sorted() -> None:
    found = entitled_by(grants(("user:ann", "Ann", "r-user"), ("user:ann", "Ann", "r-lead")))
    assert found["ann"][2] == ["Replicon.Supervisor", "Replicon.User"]


def test_the_reason_names_one_way_and_how_many_others() -> None:
    found = entitled_by(
        grants(("group:g", "G", "r-user"), ("group:h", "H", "r-user"), ("user:ann", "Ann", "r-lead")),
        members(("g", "ann", True), ("h", "ann", True)),
    )
    assert found["ann"][1] == "role Supervisor, assigned directly (and 2 other ways)"


def test_who_leaves_one_group_stays_through_another() -> None:
    assignments = grants(("group:g", "G", "r-user"), ("group:h", "H", "r-user"))
    assert entitled_by(assignments, members(("h", "ann", True)))["ann"][0]


def test_default_access_does_not_count_by_default() -> None:
    found = entitled_by(grants(("user:ann", "Ann", DEFAULT_ACCESS_ROLE_ID)))
    assert found["ann"] == (
        False,
        "not effectively entitled: only role Default Access, which does not count in this job, assigned directly",
        None,
    )


def test_default_access_counts_when_the_job_says_so() -> None:
    scope = Scope(exclude_default_access=False)
    found = entitled_by(grants(("user:ann", "Ann", DEFAULT_ACCESS_ROLE_ID)), scope=scope)
    assert found["ann"] == (True, "role Default Access, assigned directly", None)


def test_a_counting_role_outweighs_default_access() -> None:
    found = entitled_by(grants(("user:ann", "Ann", DEFAULT_ACCESS_ROLE_ID), ("user:ann", "Ann", "r-user")))
    assert found["ann"] == (True, "role User, assigned directly", ["Replicon.User"])


def test_a_disabled_role_does_not_count() -> None:
    found = entitled_by(grants(("user:ann", "Ann", "r-old")))
    assert (found["ann"][0], "which is disabled" in found["ann"][1]) == (False, True)


def test_a_role_that_the_application_does_not_have_does_not_count() -> None:
    found = entitled_by(grants(("user:ann", "Ann", "r-none")))
    assert (found["ann"][0], "which the application does not have" in found["ann"][1]) == (False, True)


def test_a_role_without_a_value_entitles_and_gives_no_role() -> None:
    assert entitled_by(grants(("user:ann", "Ann", "r-msiam")))["ann"] == (
        True,
        "role msiam_access, assigned directly",
        None,
    )


def test_service_principals_are_no_people() -> None:
    assert entitled_by(grants(("app:robot", "Robot", "r-user"))) == {}


PEOPLE = ["ann", "bob", "cid"]
GROUPS = ["g", "h"]
ROLE_IDS = [role[0] for role in ROLES] + [DEFAULT_ACCESS_ROLE_ID, "r-none"]
principals = st.sampled_from([f"user:{each}" for each in PEOPLE] + [f"group:{each}" for each in GROUPS])


@settings(max_examples=40, deadline=None)
@given(
    given_roles=st.lists(st.tuples(principals, st.sampled_from(ROLE_IDS)), max_size=8),
    given_members=st.lists(st.tuples(st.sampled_from(GROUPS), st.sampled_from(PEOPLE), st.booleans()), max_size=8),
    nested=st.booleans(),
    default_counts=st.booleans(),
)
def test_the_rules_agree_with_a_plain_reading_of_them(
    given_roles: list[tuple[str, str]],
    given_members: list[tuple[str, str, bool]],
    nested: bool,
    default_counts: bool,
) -> None:
    expected: dict[str, set[str]] = {}
    enabled = {role[0]: role[1] for role in ROLES if role[3]}
    for principal, role in given_roles:
        kind, name = principal.split(":")
        holders = [name]
        if kind == "group":
            holders = [who for group, who, direct in given_members if group == name and (direct or nested)]
        for who in holders:
            if role in enabled or (role == DEFAULT_ACCESS_ROLE_ID and default_counts):
                expected.setdefault(who, set()).update(filter(None, [enabled.get(role)]))
    found = entitled_by(
        grants(*((principal, principal, role) for principal, role in given_roles)),
        members(*given_members),
        Scope(nested_groups=nested, exclude_default_access=not default_counts),
    )
    assert {who: held or [] for who, (good, _, held) in found.items() if good} == {
        who: sorted(held) for who, held in expected.items()
    }


def test_everybody_is_entitled_when_the_scope_is_all() -> None:
    directory = Frames(people("ann", "bob"), grants(("user:bob", "Bob", "r-user")), members())
    found = extract_assignments(directory, frozenset(), Scope(who="all")).assignments
    assert found.set_index("source_id")["entitled"].to_dict() == {"ann": True, "bob": True}

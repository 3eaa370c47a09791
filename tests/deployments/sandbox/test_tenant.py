"""The generated company: believable, the same for the same seed, and consistent through edits and months."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.sandbox.months import month_passes
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.tenant_access import DEFAULT_ACCESS, PrincipalType
from deployments.sandbox.tenant_ids import PeopleIds
from deployments.sandbox.tenant_people import Standing, UnknownObjectError


@pytest.fixture(scope="module")
def company() -> Tenant:
    """A company that no test edits."""
    return generate(3000, 11)


def managers_of(tenant: Tenant) -> dict[str, str | None]:
    return {person["id"]: person["manager"] for person in tenant.users()}


def depths(managers: dict[str, str | None]) -> dict[str, int]:
    """Everyone's distance from the top; a circle or a missing manager raises."""
    known: dict[str, int] = {}
    for person in managers:
        chain: list[str] = []
        at: str | None = person
        while at is not None and at not in known:
            assert at not in chain, "a circle of managers"
            chain.append(at)
            at = managers[at]
        depth = -1 if at is None else known[at]
        for link in reversed(chain):
            depth = known[link] = depth + 1
    return known


def everything(tenant: Tenant) -> object:
    members = {group.id: tenant.members(group.id) for group in tenant.groups()}
    return list(tenant.users()), members, tenant.assignments(), tenant.roles


def test_the_same_seed_makes_the_same_directory() -> None:
    assert everything(generate(150, 5)) == everything(generate(150, 5))


def test_another_seed_makes_another_directory() -> None:
    assert {person["id"] for person in generate(50, 5).users()}.isdisjoint(p["id"] for p in generate(50, 6).users())


@pytest.mark.parametrize("users", [1, 2, 7, 10, 200])
def test_as_many_people_are_present_as_asked_for(users: int) -> None:
    assert len(list(generate(users, 1).users())) == users


@pytest.mark.parametrize("users", [0, 10_000_001])
def test_a_size_out_of_range_is_refused(users: int) -> None:
    with pytest.raises(ValueError, match="holds 1 to"):
        generate(users, 1)


def test_ids_and_principal_names_are_unique(company: Tenant) -> None:
    people = list(company.users())
    assert len({person["id"] for person in people}) == len(people)
    assert len({person["userPrincipalName"].lower() for person in people}) == len(people)


def test_managers_form_a_tree_of_some_levels_below_one_head(company: Tenant) -> None:
    managers = managers_of(company)
    staff = {p["id"] for p in company.users() if p["userType"] == "Member"}
    deepest = max(depths(managers).values())
    reporting = Counter(manager for manager in managers.values() if manager)
    heads = [person for person in staff if managers[person] is None and reporting[person]]
    assert 5 <= deepest <= 8
    assert len(heads) == 1


def test_a_company_has_the_oddities_of_real_ones(company: Tenant) -> None:
    people = list(company.users())
    numbers = Counter(p["employeeId"] for p in people if p["employeeId"])
    shown = Counter(p["displayName"] for p in people)
    assert any("#EXT#@" in p["userPrincipalName"] and p["userType"] == "Guest" for p in people)
    assert any(not p["displayName"].isascii() for p in people)
    assert any(len(p["surname"]) > 50 for p in people)
    assert max(numbers.values()) > 1
    assert max(shown.values()) > 1
    assert any(p["accountEnabled"] is False for p in people)
    for missing in ("givenName", "mail", "department", "employeeId", "officeLocation", "mobilePhone"):
        assert any(p[missing] is None for p in people), missing
    assert any(not p["businessPhones"] for p in people)
    assert any(p["businessPhones"] for p in people)
    assert any(p["employeeLeaveDateTime"] for p in people)
    assert any(p["onPremisesExtensionAttributes"]["extensionAttribute1"] for p in people)
    assert any(p["mail"] and p["mail"].lower() != p["userPrincipalName"].lower() for p in people)


def test_both_kinds_of_deleted_people_exist(company: Tenant) -> None:
    counts = Counter(company.people.standing.tolist())
    assert counts[Standing.SOFT_DELETED] >= 1
    assert counts[Standing.HARD_DELETED] >= 1


def test_no_directory_limit_on_name_length_is_broken(company: Tenant) -> None:
    for person in company.users():
        assert len(person["givenName"] or "") <= 64
        assert len(person["surname"]) <= 64
        assert len(person["displayName"]) <= 256


def test_access_is_given_in_every_way(company: Tenant) -> None:
    held = company.assignments()
    kinds = {assignment.principal_type for assignment in held}
    roles_of = Counter(assignment.principal_id for assignment in held)
    assert kinds == set(PrincipalType)
    assert max(roles_of.values()) > 1
    assert any(assignment.role_id == DEFAULT_ACCESS for assignment in held)
    assert any(group.nested for group in company.groups())
    assert [role.value for role in company.roles if role.display_name == "msiam_access"] == [None]
    assert any(not role.enabled for role in company.roles)


@given(seed=st.integers(0, 2**70), row=st.integers(0, 2**31))
def test_an_object_id_leads_back_to_its_row(seed: int, row: int) -> None:
    ids = PeopleIds(seed)
    assert ids.row(ids.one(row).upper()) == row
    assert ids.of(np.array([row])).to_pylist() == [ids.one(row)]


@pytest.mark.parametrize("identifier", ["", "nobody", "00000000-0000-0000-0000-000000000000", "zzzzzzzz"])
def test_a_foreign_object_id_leads_nowhere(identifier: str) -> None:
    assert PeopleIds(3).row(identifier) is None


def test_an_added_person_has_what_was_given_and_what_follows_from_it() -> None:
    tenant = generate(20, 1)
    boss = next(tenant.users())["id"]
    added = tenant.user(tenant.add_user(givenName="Ada", surname="Lovelace", manager=boss, extensionAttribute2="UTC"))
    assert added["displayName"] == "Ada Lovelace"
    assert added["manager"] == boss
    assert added["mail"] == added["userPrincipalName"]
    assert added["onPremisesExtensionAttributes"]["extensionAttribute2"] == "UTC"


def test_a_written_extension_attribute_leaves_the_others_alone() -> None:
    tenant = generate(20, 1)
    person = next(p for p in tenant.users() if p["onPremisesExtensionAttributes"]["extensionAttribute2"])
    tenant.update_user(person["id"], extensionAttribute1="new")
    after = tenant.user(person["id"])["onPremisesExtensionAttributes"]
    assert after == {**person["onPremisesExtensionAttributes"], "extensionAttribute1": "new"}


def test_a_property_that_users_do_not_have_is_refused_with_its_name() -> None:
    tenant = generate(5, 1)
    with pytest.raises(ValueError, match="favouriteColour"):
        tenant.update_user(next(tenant.users())["id"], favouriteColour="teal")


def test_a_deleted_manager_vanishes_from_reports_and_comes_back() -> None:
    tenant = generate(60, 1)
    report = next(p for p in tenant.users() if p["manager"])
    tenant.soft_delete(report["manager"])
    while_deleted = tenant.user(report["id"])["manager"]
    tenant.restore(report["manager"])
    assert (while_deleted, tenant.user(report["id"])["manager"]) == (None, report["manager"])


def test_a_person_keeps_membership_and_role_through_the_recycle_bin_and_loses_them_when_purged() -> None:
    tenant = generate(60, 1)
    person = next(tenant.users())["id"]
    group = tenant.add_group("Crew", [person])
    tenant.assign(person, tenant.role("User").id)
    seen = []
    for step in (tenant.soft_delete, tenant.restore, tenant.hard_delete):
        step(person)
        seen.append((person in tenant.members(group), person in {a.principal_id for a in tenant.assignments()}))
    assert seen == [(False, False), (True, True), (False, False)]


def test_a_purged_person_cannot_be_edited() -> None:
    tenant = generate(10, 1)
    person = tenant.add_user(displayName="Gone")
    tenant.hard_delete(person)
    with pytest.raises(UnknownObjectError, match="who is present"):
        tenant.update_user(person, department="Nowhere")


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.02, 0.2, 0.6]))
def test_months_keep_the_tree_a_tree_and_names_unique(seed: int, share: float) -> None:
    tenant = generate(120, seed)
    for _ in range(3):
        month_passes(tenant, seed, share)
    people = list(tenant.users())
    depths(managers_of(tenant))
    assert len({person["userPrincipalName"].lower() for person in people}) == len(people)


def test_a_month_does_what_its_log_says() -> None:
    tenant = generate(300, 4)
    before = {person["id"]: person for person in tenant.users()}
    held = {assignment.principal_id for assignment in tenant.assignments()}
    log = month_passes(tenant, 9, 0.2)
    after = {person["id"]: person for person in tenant.users()}
    assert set(after) - set(before) == {*log.hired, *log.restored}
    assert set(before) - set(after) == set(log.soft_deleted)
    assert all(after[one]["surname"] != before[one]["surname"] for one in log.renamed)
    assert all(after[one]["jobTitle"] != before[one]["jobTitle"] for one in log.promoted)
    assert all(after[one]["accountEnabled"] is False for one in log.disabled)
    assert all(tenant.standing(one) is Standing.HARD_DELETED for one in log.hard_deleted)
    assigned_groups = [group for group in tenant.groups() if group.id in held]
    assert not any(one in tenant.members(group.id) for one in log.unassigned for group in assigned_groups)


def test_a_month_is_the_same_for_the_same_seed() -> None:
    first, second = generate(100, 2), generate(100, 2)
    assert dataclasses.astuple(month_passes(first, 1)) == dataclasses.astuple(month_passes(second, 1))
    assert everything(first) == everything(second)


def test_nobody_is_in_two_lists_of_a_month() -> None:
    log = month_passes(generate(400, 3), 3, 0.5)
    everyone = [one for ids in dataclasses.astuple(log) for one in ids]
    assert len(everyone) == len(set(everyone))

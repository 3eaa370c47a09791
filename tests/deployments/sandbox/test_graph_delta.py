"""Change tracking of the sandbox's Graph: whatever happens, following the delta links tells all of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.sandbox.graph_settings import DeltaExpiry
from deployments.sandbox.months import month_passes
from deployments.sandbox.tenant import Tenant, generate
from tests.deployments.sandbox.graph_calls import Caller

USERS = "users/delta?$select=id,displayName,department,accountEnabled,manager"
GROUPS = "groups/delta?$select=displayName,members"
WEEK = 7 * 24 * 3600


@pytest.fixture
def caller() -> Caller:
    return Caller(generate(60, 4))


class Copy:
    """What a careful client holds of people and groups after merging delta pages in the order of their coming."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}

    def merge_people(self, page: list[dict[str, Any]]) -> None:
        for item in page:
            if "@removed" in item:
                self.people.pop(item["id"], None)
                continue
            held = self.people.setdefault(item["id"], {"manager": None})
            for link in item.pop("manager@delta", []):
                gone = "@removed" in link
                if not gone or held["manager"] == link["id"]:
                    held["manager"] = None if gone else link["id"]
            held |= item

    def merge_groups(self, page: list[dict[str, Any]]) -> None:
        for item in page:
            if "@removed" in item:
                self.members.pop(item["id"], None)
                continue
            held = self.members.setdefault(item["id"], set())
            for link in item.get("members@delta", []):
                (held.discard if "@removed" in link else held.add)(link["id"])


def people_of(tenant: Tenant) -> dict[str, tuple[Any, ...]]:
    names = ("displayName", "department", "accountEnabled", "manager")
    return {person["id"]: tuple(person[name] for name in names) for person in tenant.users()}


def people_in(copy: Copy) -> dict[str, tuple[Any, ...]]:
    names = ("displayName", "department", "accountEnabled", "manager")
    return {key: tuple(person.get(name) for name in names) for key, person in copy.people.items()}


def members_of(tenant: Tenant) -> dict[str, set[str]]:
    return {group.id: set(tenant.members(group.id)) for group in tenant.groups()}


def edit(tenant: Tenant, draw: st.DataObject) -> None:
    """Do one random thing to the directory."""
    present = [person["id"] for person in tenant.users()]
    groups = [group.id for group in tenant.groups()]
    deleted = [tenant.people.id(row) for row in tenant.people.deleted_on if tenant.people.standing[row] == 1]
    person, other = draw.draw(st.sampled_from(present)), draw.draw(st.sampled_from(present))
    group, inner = draw.draw(st.sampled_from(groups)), draw.draw(st.sampled_from(groups))
    match draw.draw(st.integers(0, 11)):
        case 0:
            tenant.add_user(displayName="New", manager=other)
        case 1:
            tenant.update_user(person, department=draw.draw(st.sampled_from([None, "A", "B"])))
        case 2:
            tenant.update_user(person, manager=draw.draw(st.sampled_from([None, other])))
        case 3:
            tenant.soft_delete(person)
        case 4 | 5 if deleted:
            tenant.restore(draw.draw(st.sampled_from(deleted)))
        case 6 if deleted:
            tenant.hard_delete(draw.draw(st.sampled_from(deleted)))
        case 7:
            tenant.add_member(group, draw.draw(st.sampled_from([person, inner])))
        case 8:
            tenant.remove_member(group, draw.draw(st.sampled_from(tenant.members(group) or [person])))
        case 9:
            tenant.add_group("Crew", [person, other, inner])
        case 10 if len(groups) > 3:
            tenant.remove_group(group)
        case _:
            tenant.update_user(person, accountEnabled=False, jobTitle="Gone fishing")


@settings(max_examples=30, deadline=None)
@given(data=st.data(), page=st.integers(1, 40))
def test_merging_every_round_gives_the_directory_even_when_it_changes_between_pages(
    data: st.DataObject, page: int
) -> None:
    caller = Caller(generate(14, 4), delta_page=page, members_per_delta_page=page)
    copy = Copy()
    people, groups = USERS, GROUPS
    for busy in (True, True, False):
        for _ in range(data.draw(st.integers(0, 6)) if busy else 0):
            edit(caller.tenant, data)
        for url, merge in ((people, copy.merge_people), (groups, copy.merge_groups)):
            onward: str | None = url
            while onward is not None:
                body = caller.get(onward)
                merge(body["value"])
                onward = body.get("@odata.nextLink")
                if busy and onward is not None and data.draw(st.booleans()):
                    edit(caller.tenant, data)
            if url == people:
                people = body["@odata.deltaLink"]
            else:
                groups = body["@odata.deltaLink"]
    assert people_in(copy) == people_of(caller.tenant)
    assert copy.members == members_of(caller.tenant)


def test_months_of_changes_by_delta_equal_a_full_read() -> None:
    caller = Caller(generate(150, 6))
    copy = Copy()
    people, groups = USERS, GROUPS
    for month in range(4):
        items, _, link = caller.walk(people)
        copy.merge_people(items)
        people = str(link)
        items, _, link = caller.walk(groups)
        copy.merge_groups(items)
        groups = str(link)
        if month < 3:
            month_passes(caller.tenant, month, 0.3)
    assert people_in(copy) == people_of(caller.tenant)
    assert copy.members == members_of(caller.tenant)


def latest(caller: Caller, url: str) -> str:
    """Start from now, without the initial content."""
    objects, _, link = caller.walk(f"{url}&$deltaToken=latest")
    assert (objects, link is not None) == ([], True)
    return str(link)


def test_a_round_after_no_change_is_empty(caller: Caller) -> None:
    assert caller.all(latest(caller, USERS)) == []
    assert caller.all(latest(caller, GROUPS)) == []


def test_deleting_and_purging_are_told_apart(caller: Caller) -> None:
    person = next(caller.tenant.users())["id"]
    link = latest(caller, "users/delta?$select=id,displayName")
    caller.tenant.soft_delete(person)
    items, _, onward = caller.walk(link)
    caller.tenant.hard_delete(person)
    purged = caller.all(str(onward))
    assert items == [{"id": person, "@removed": {"reason": "changed"}}]
    assert purged == [{"id": person, "@removed": {"reason": "deleted"}}]


def test_a_restored_person_comes_back_whole(caller: Caller) -> None:
    person = next(caller.tenant.users())
    caller.tenant.soft_delete(person["id"])
    link = latest(caller, "users/delta?$select=id,displayName,accountEnabled")
    caller.tenant.restore(person["id"])
    assert caller.all(link) == [{"id": person["id"], "displayName": person["displayName"], "accountEnabled": True}]


def test_only_selected_properties_are_tracked(caller: Caller) -> None:
    person = next(caller.tenant.users())["id"]
    link = latest(caller, "users/delta?$select=department")
    caller.tenant.update_user(person, jobTitle="Astronaut")
    assert caller.all(link) == []


def test_a_change_brings_all_selected_properties_or_with_minimal_the_changed_one(caller: Caller) -> None:
    person = next(p for p in caller.tenant.users() if p["department"] and p["jobTitle"])
    link = latest(caller, "users/delta?$select=department,jobTitle,faxNumber")
    caller.tenant.update_user(person["id"], department=None)
    assert caller.all(link) == [{"id": person["id"], "department": None, "jobTitle": person["jobTitle"]}]
    assert caller.all(link, Prefer="return=minimal") == [{"id": person["id"], "department": None}]


def test_a_changed_manager_is_told_as_one_link_gone_and_one_come(caller: Caller) -> None:
    people = list(caller.tenant.users())
    person = next(p for p in people if p["manager"])
    other = next(p["id"] for p in people if p["id"] not in {person["id"], person["manager"]})
    link = latest(caller, "users/delta?$select=manager")
    caller.tenant.update_user(person["id"], manager=other)
    kind = {"@odata.type": "#microsoft.graph.user"}
    told = [{**kind, "id": person["manager"], "@removed": {"reason": "deleted"}}, {**kind, "id": other}]
    assert caller.all(link) == [{"id": person["id"], "manager@delta": told}]


@pytest.mark.parametrize("repeats", [False, True])
def test_an_unchanged_manager_is_told_only_where_set_so(caller: Caller, repeats: bool) -> None:
    caller.settings.delta_repeats_manager = repeats
    person = next(p for p in caller.tenant.users() if p["manager"])
    link = latest(caller, "users/delta?$select=department,manager")
    caller.tenant.update_user(person["id"], department="Elsewhere")
    assert ("manager@delta" in caller.all(link)[0]) is repeats


def test_the_first_round_may_tell_of_people_in_the_bin(caller: Caller) -> None:
    removed = [item for item in caller.all("users/delta?$select=id") if "@removed" in item]
    caller.settings.deleted_in_first_delta = False
    without = [item for item in caller.all("users/delta?$select=id") if "@removed" in item]
    assert (len(removed), without) == (1, [])


def test_a_large_group_goes_over_several_pages_and_carries_its_name_on_each(caller: Caller) -> None:
    caller.settings.members_per_delta_page = 10
    group = caller.tenant.group("All Employees")
    items, sizes, _ = caller.walk(f"{GROUPS}&$filter=id eq '{group.id}'")
    members = [link["id"] for item in items for link in item["members@delta"]]
    assert len(sizes) > 3
    assert sorted(members) == sorted(caller.tenant.members(group.id))
    assert {item["displayName"] for item in items} == {"All Employees"}


def test_members_in_and_out_are_told_and_only_they(caller: Caller) -> None:
    group = caller.tenant.group("All Employees").id
    members = caller.tenant.members(group)
    newcomer = caller.tenant.add_user(displayName="New")
    link = latest(caller, GROUPS)
    caller.tenant.remove_member(group, members[0])
    caller.tenant.add_member(group, newcomer)
    (item,) = caller.all(link)
    told = {one["id"]: one.get("@removed") for one in item["members@delta"]}
    assert told == {members[0]: {"reason": "deleted"}, newcomer: None}


@pytest.mark.parametrize("told", [True, False])
def test_a_deleted_person_leaves_groups_aloud_or_silently(caller: Caller, told: bool) -> None:
    caller.settings.deleted_members_in_groups_delta = told
    group = caller.tenant.group("All Employees").id
    link = latest(caller, f"{GROUPS}&$filter=id eq '{group}'")
    gone = caller.tenant.members(group)[0]
    caller.tenant.soft_delete(gone)
    links = [one["id"] for item in caller.all(link) for one in item.get("members@delta", [])]
    assert links == ([gone] if told else [])


def test_a_filter_holds_through_all_rounds(caller: Caller) -> None:
    one, two, three = [person["id"] for person in caller.tenant.users()][:3]
    items, _, link = caller.walk(f"users/delta?$select=department&$filter=id eq '{one}' or id eq '{two}'")
    for person in (two, three):
        caller.tenant.update_user(person, department="Moved")
    assert {item["id"] for item in items} == {one, two}
    assert [item["id"] for item in caller.all(str(link))] == [two]


@pytest.mark.parametrize(
    "query",
    [
        "$expand=manager",
        "$top=5",
        "$orderby=displayName",
        "$filter=displayName eq 'x'",
        "$filter=" + " or ".join(f"id eq '{number}'" for number in range(51)),
    ],
)
def test_what_delta_does_not_support_is_refused(caller: Caller, query: str) -> None:
    assert caller.error(f"users/delta?{query}") == (400, "Request_UnsupportedQuery")


def test_parameters_live_in_the_token_and_not_in_the_link(caller: Caller) -> None:
    link = latest(caller, "users/delta?$select=department")
    person = next(caller.tenant.users())["id"]
    caller.tenant.update_user(person, department="Moved", jobTitle="Mover")
    assert "select" not in link
    assert caller.all(f"{link}&$select=jobTitle") == [{"id": person, "department": "Moved"}]


@pytest.mark.parametrize("path", ["users", "groups"])
def test_a_token_of_more_than_a_week_is_gone_with_a_location_to_start_again(caller: Caller, path: str) -> None:
    link = latest(caller, f"{path}/delta?$select=displayName")
    caller.settings.token_lifetime = 3 * WEEK
    caller.token = orjson.loads(caller.sign_in().body)["access_token"]
    caller.clock.now += WEEK
    fresh = caller.response(link).status
    caller.clock.now += 1
    gone = caller.response(link)
    assert (fresh, gone.status) == (200, 410)
    assert gone.headers["Location"].endswith(f"/{path}/delta?$deltatoken=")
    assert caller.all(gone.headers["Location"])


def test_an_old_token_can_fail_as_a_bad_request_too(caller: Caller) -> None:
    caller.settings.delta_expiry = DeltaExpiry.SYNC_STATE_NOT_FOUND
    caller.settings.delta_token_life = -1
    assert caller.error(latest(caller, USERS)) == (400, "syncStateNotFound")


def test_a_token_of_another_life_of_the_directory_is_refused(caller: Caller) -> None:
    caller.tenant.add_user(displayName="One")
    link = latest(caller, USERS)
    assert Caller(generate(60, 4)).response(link).status == 410


@pytest.mark.parametrize("token", ["x", "e30", "W10", "!!!"])
def test_a_mangled_token_is_refused(caller: Caller, token: str) -> None:
    assert caller.error(f"users/delta?$deltatoken={token}") == (400, "Request_BadRequest")

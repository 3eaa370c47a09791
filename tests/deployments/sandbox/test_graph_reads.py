"""Lists and single objects of the sandbox's Graph: paging, $select, $filter, $expand, members, assignments, the bin."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.tenant_access import DEFAULT_ACCESS
from tests.deployments.sandbox.graph_calls import Caller

EVENTUAL: dict[str, Any] = {"ConsistencyLevel": "eventual"}


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    """A company that no test edits."""
    return generate(450, 3)


@pytest.fixture(scope="module")
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant)


@pytest.fixture
def own() -> Caller:
    """A company for tests that edit."""
    return Caller(generate(120, 8))


def test_a_page_without_select_holds_a_hundred_people_and_eleven_properties(caller: Caller) -> None:
    page = caller.get("users")
    assert len(page["value"]) == 100
    assert set(page["value"][0]) == {
        "businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
        "preferredLanguage", "surname", "userPrincipalName",
    }  # fmt: skip


@pytest.mark.parametrize("top", [7, 450, 999])
def test_following_the_next_links_gives_everyone_once(caller: Caller, top: int) -> None:
    people, sizes, _ = caller.walk(f"users?$select=id,mail,manager&$top={top}")
    assert [p["id"] for p in people] == [p["id"] for p in caller.tenant.users()]
    assert all(size == top for size in sizes[:-1])


def test_every_selected_property_equals_the_tenants(caller: Caller) -> None:
    names = sorted(caller.tenant.people.properties - {"manager"})
    people = caller.all(f"users?$select={','.join(names)}&$top=999")
    assert people == [{name: person[name] for name in names} for person in caller.tenant.users()]


def test_edited_and_added_people_stand_on_the_pages_among_the_others(own: Caller) -> None:
    edited = next(own.tenant.users())["id"]
    own.tenant.update_user(edited, department="Übersetzung", manager=None)
    added = own.tenant.add_user(displayName="Newcomer", department="Empfang")
    shown = {p["id"]: p["department"] for p in own.all("users?$select=id,department&$top=999")}
    assert shown == {p["id"]: p["department"] for p in own.tenant.users()}
    assert (shown[edited], shown[added]) == ("Übersetzung", "Empfang")


@pytest.mark.parametrize("top", ["0", "1000", "x"])
def test_an_impossible_page_size_is_refused(caller: Caller, top: str) -> None:
    assert caller.error(f"users?$top={top}") == (400, "Request_BadRequest")


def test_an_unknown_property_is_refused_by_name(caller: Caller) -> None:
    response = caller.response("users?$select=id,shoeSize")
    assert response.status == 400
    assert b"'shoeSize'" in response.body


def test_a_property_for_single_users_is_refused_on_the_collection(caller: Caller) -> None:
    assert caller.error("users?$select=aboutMe")[0] == 501


def test_a_foreign_skip_token_is_refused(caller: Caller) -> None:
    assert caller.error("users?$skiptoken=abc")[1] == "Directory_ExpiredPageToken"


def test_the_count_needs_the_consistency_level(caller: Caller) -> None:
    assert "@odata.count" not in caller.get("users?$count=true")
    assert caller.get("users?$count=true&$top=5", **EVENTUAL)["@odata.count"] == 450
    assert caller.response("users/$count", **EVENTUAL).body == b"450"
    assert caller.error("users/$count")[0] == 400


def test_filters_find_whom_they_describe(caller: Caller) -> None:
    people = list(caller.tenant.users())
    apostrophe = next(p for p in people if "'" in p["userPrincipalName"])
    quoted = apostrophe["userPrincipalName"].upper().replace("'", "''")
    first, second = people[3]["id"], people[5]["id"]
    initial = people[0]["displayName"][:2]
    cases = {
        f"id eq '{first}'": {first},
        f"id in ('{first}','{second}')": {first, second},
        f"id eq '{first}' or id eq '{second}'": {first, second},
        f"userPrincipalName eq '{quoted}'": {apostrophe["id"]},
        "accountEnabled eq false": {p["id"] for p in people if not p["accountEnabled"]},
        "mail eq null": {p["id"] for p in people if p["mail"] is None},
        f"startswith(displayName,'{initial}')": {
            p["id"] for p in people if p["displayName"].lower().startswith(initial.lower())
        },
        "userType eq 'Guest' and accountEnabled eq true": {p["id"] for p in people if p["userType"] == "Guest"},
        "onPremisesExtensionAttributes/extensionAttribute2 eq 'Europe/Paris'": {
            p["id"]
            for p in people
            if p["onPremisesExtensionAttributes"]["extensionAttribute2"] == "Europe/Paris"
        },
    }  # fmt: skip
    for text, expected in cases.items():
        found = caller.all(f"users?$select=id&$top=999&$filter={text.replace('#', '%23')}")
        assert {p["id"] for p in found} == expected, text
        assert expected, text


def test_filters_see_edited_people(own: Caller) -> None:
    person = next(own.tenant.users())["id"]
    own.tenant.update_user(person, department="Raumfahrt")
    assert [p["id"] for p in own.all("users?$filter=department eq 'raumfahrt'")] == [person]


def test_an_advanced_filter_needs_the_consistency_level(caller: Caller) -> None:
    url = "users?$filter=userType ne 'Guest'&$count=true&$top=999"
    assert caller.error(url) == (400, "Request_UnsupportedQuery")
    members = sum(p["userType"] != "Guest" for p in caller.tenant.users())
    assert len(caller.all(url, **EVENTUAL)) == members


@pytest.mark.parametrize("text", ["displayName eq", "displayName gt 'a'", "(id eq 'a'", "eq 'a'"])
def test_a_malformed_filter_is_refused(caller: Caller, text: str) -> None:
    assert caller.error(f"users?$filter={text}") == (400, "Request_BadRequest")


def test_search_and_ordering_are_refused_and_not_passed_over(caller: Caller) -> None:
    assert caller.error("users?$orderby=displayName")[1] == "Request_UnsupportedQuery"
    assert caller.error("users?$search=x")[1] == "Request_UnsupportedQuery"


def test_an_expanded_manager_is_an_object_and_absent_when_there_is_none(caller: Caller) -> None:
    url = "users?$select=id&$top=999&$expand=manager($levels=1;$select=id,displayName)"
    shown = {p["id"]: p.get("manager", {}).get("id") for p in caller.all(url)}
    assert shown == {p["id"]: p["manager"] for p in caller.tenant.users()}


def test_selecting_within_expand_needs_levels(caller: Caller) -> None:
    assert caller.error("users?$expand=manager($select=id)")[0] == 400


def test_the_chain_of_managers_of_one_person_leads_to_the_top(caller: Caller) -> None:
    person = max(caller.tenant.users(), key=lambda p: len(chain(caller.tenant, p["id"])))
    found = []
    record = caller.get(f"users/{person['id']}?$select=id&$expand=manager($levels=max;$select=id)")
    while "manager" in record:
        record = record["manager"]
        found.append(record["id"])
    assert found == chain(caller.tenant, person["id"])


def chain(tenant: Tenant, user_id: str) -> list[str]:
    manager = tenant.user(user_id)["manager"]
    return [] if manager is None else [manager, *chain(tenant, manager)]


def test_one_person_is_found_by_id_and_by_principal_name(caller: Caller) -> None:
    guest = next(p for p in caller.tenant.users() if p["userType"] == "Guest")
    by_name = caller.get(f"users/{guest['userPrincipalName'].replace('#', '%23')}?$select=id,mail")
    assert by_name["id"] == caller.get(f"users('{guest['id'].upper()}')?$select=id")["id"] == guest["id"]


@pytest.mark.parametrize("key", ["nobody@northwind.example", "11111111-1111-4111-8111-111111111111", "x"])
def test_a_person_who_is_not_there_is_not_found(caller: Caller, key: str) -> None:
    assert caller.error(f"users/{key}") == (404, "Request_ResourceNotFound")


def test_a_manager_is_served_by_itself_and_404_when_there_is_none(caller: Caller) -> None:
    people = list(caller.tenant.users())
    report = next(p for p in people if p["manager"])
    top = next(p for p in people if not p["manager"])
    assert caller.get(f"users/{report['id']}/manager")["id"] == report["manager"]
    assert caller.error(f"users/{top['id']}/manager")[0] == 404


def test_deleted_people_stand_in_the_bin_and_nowhere_else(own: Caller) -> None:
    person = own.tenant.add_user(displayName="Leaver")
    own.tenant.soft_delete(person)
    bin_ids = [p["id"] for p in own.all("directory/deletedItems/microsoft.graph.user?$top=999")]
    assert person in bin_ids
    assert own.get(f"directory/deletedItems/{person}")["deletedDateTime"]
    assert own.error(f"users/{person}")[0] == 404
    own.tenant.hard_delete(person)
    assert own.error(f"directory/deletedItems/{person}")[0] == 404


@pytest.mark.parametrize("top", [1, 3, 100, 999])
def test_members_come_page_by_page_groups_and_people_together(own: Caller, top: int) -> None:
    people = [p["id"] for p in own.tenant.users()][:7]
    inner = [own.tenant.add_group(f"Inner {number}") for number in range(3)]
    group = own.tenant.add_group("Outer", [*people, *inner])
    own.tenant.soft_delete(people[2])
    found = own.all(f"groups/{group}/members?$select=id,displayName&$top={top}")
    types = Counter(member["@odata.type"] for member in found)
    assert {m["id"] for m in found} == {*people, *inner} - {people[2]}
    assert types == {"#microsoft.graph.user": 6, "#microsoft.graph.group": 3}
    assert len(own.all(f"groups/{group}/members/microsoft.graph.user?$top={top}")) == 6
    assert len(own.all(f"groups/{group}/members/graph.group?$top={top}")) == 3
    assert own.response(f"groups/{group}/members/$count", **EVENTUAL).body == b"9"


def test_members_are_direct_and_transitive_members_survive_a_circle(own: Caller) -> None:
    one, two = own.tenant.add_user(displayName="One"), own.tenant.add_user(displayName="Two")
    outer, inner = own.tenant.add_group("Outer", [one]), own.tenant.add_group("Inner", [two])
    own.tenant.add_member(outer, inner)
    own.tenant.add_member(inner, outer)
    direct = {m["id"] for m in own.all(f"groups/{outer}/members")}
    nested = {m["id"] for m in own.all(f"groups/{outer}/transitiveMembers")}
    assert direct == {one, inner}
    assert nested == {one, two, inner}


def test_members_without_permission_to_read_users_show_their_ids_only(tenant: Tenant) -> None:
    caller = Caller(tenant, ("GroupMember.Read.All",))
    group = tenant.group("Replicon Supervisors").id
    members = caller.all(f"groups/{group}/members?$select=id,displayName&$top=999")
    assert {m["id"] for m in members} == set(tenant.members(group))
    assert {m["displayName"] for m in members} == {None}


def test_the_enterprise_application_declares_its_roles(caller: Caller) -> None:
    by_app = caller.get(f"servicePrincipals(appId='{caller.tenant.application_id}')?$select=id,appRoles")
    by_id = caller.get(f"servicePrincipals/{caller.tenant.service_principal_id}?$select=id,appRoles")
    listed = caller.all(f"servicePrincipals?$filter=appId eq '{caller.tenant.application_id}'&$select=id,appRoles")
    assert {k: v for k, v in by_app.items() if k != "@odata.context"} == listed[0]
    assert by_app["appRoles"] == by_id["appRoles"]
    assert {role["displayName"]: role["value"] for role in by_app["appRoles"]}["msiam_access"] is None


def test_an_unknown_application_is_not_found(caller: Caller) -> None:
    assert caller.error("servicePrincipals(appId='00000000-0000-0000-0000-00000000000a')")[0] == 404


@pytest.mark.parametrize("top", [2, 999])
def test_all_assignments_are_listed(caller: Caller, top: int) -> None:
    found = caller.all(f"servicePrincipals/{caller.tenant.service_principal_id}/appRoleAssignedTo?$top={top}")
    expected = {(a.id, a.principal_id, a.principal_type.value, a.role_id) for a in caller.tenant.assignments()}
    assert {(a["id"], a["principalId"], a["principalType"], a["appRoleId"]) for a in found} == expected
    assert {"User", "Group", "ServicePrincipal"} == {a["principalType"] for a in found}
    assert all(a["principalDisplayName"] for a in found)


def test_an_assignment_goes_and_comes_with_its_person(own: Caller) -> None:
    person = own.tenant.add_user(displayName="Tide")
    own.tenant.assign(person, own.tenant.role("User").id)
    own.tenant.assign(person, DEFAULT_ACCESS)
    url = f"servicePrincipals/{own.tenant.service_principal_id}/appRoleAssignedTo?$top=999"

    def held() -> int:
        return sum(a["principalId"] == person for a in own.all(url))

    before = held()
    own.tenant.soft_delete(person)
    deleted = held()
    own.tenant.restore(person)
    restored = held()
    own.tenant.unassign(person, DEFAULT_ACCESS)
    assert (before, deleted, restored, held()) == (2, 0, 2, 1)


def test_a_persons_assignments_are_their_own_and_their_groups(own: Caller) -> None:
    person = own.tenant.add_user(displayName="Both")
    group = own.tenant.add_group("Crew", [person])
    own.tenant.assign(person, own.tenant.role("User").id)
    own.tenant.assign(group, own.tenant.role("Supervisor").id)
    found = own.all(f"users/{person}/appRoleAssignments")
    assert {a["principalId"] for a in found} == {person, group}
    assert [g["id"] for g in own.all(f"users/{person}/memberOf")] == [group]


def test_groups_are_listed_and_filtered(caller: Caller) -> None:
    groups = caller.all("groups?$top=5")
    named = caller.all("groups?$filter=displayName eq 'Replicon Supervisors'&$select=id,securityEnabled")
    assert [g["id"] for g in groups] == [g.id for g in caller.tenant.groups()]
    assert named == [{"id": caller.tenant.group("Replicon Supervisors").id, "securityEnabled": True}]


def test_the_organization_names_its_default_domain(caller: Caller) -> None:
    domains = caller.get("organization")["value"][0]["verifiedDomains"]
    assert [d["name"] for d in domains if d["isDefault"]] == [caller.tenant.domain]


def test_the_beta_version_serves_the_same(caller: Caller) -> None:
    page = caller.get("http://127.0.0.1:1/beta/users?$top=2")
    assert page["@odata.nextLink"].startswith("http://127.0.0.1:1/beta/users?")


def test_an_unknown_path_and_a_write_are_refused(caller: Caller) -> None:
    assert caller.error("planets")[0] == 400
    assert caller.response("users", method="DELETE").status == 405


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("users", "graph:users"),
        ("users/delta", "graph:users/delta"),
        ("users/microsoft.graph.delta()", "graph:users/delta"),
        ("users/x/manager", "graph:users/manager"),
        ("users/x", "graph:users/id"),
        ("groups/x/members/microsoft.graph.user", "graph:groups/members"),
        ("groups/x/transitiveMembers", "graph:groups/transitiveMembers"),
        ("servicePrincipals(appId='x')", "graph:servicePrincipals/id"),
        ("servicePrincipals/x/appRoleAssignedTo", "graph:servicePrincipals/appRoleAssignedTo"),
        ("$batch", "graph:batch"),
        ("planets", "graph:unknown"),
        ("http://127.0.0.1:1/t/oauth2/v2.0/token", "graph:token"),
        ("http://127.0.0.1:1/t/v2.0/.well-known/openid-configuration", "graph:openid-configuration"),
    ],
)
def test_every_path_has_a_name_for_fault_rules(caller: Caller, url: str, endpoint: str) -> None:
    assert caller.service.endpoint(caller.request(url)) == endpoint

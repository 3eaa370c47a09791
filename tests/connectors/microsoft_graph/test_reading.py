"""Whole reads over the wire: everybody, their attributes, roles, assignments and members."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.connectors.microsoft_graph.listings import Tally
from tasks.job import GraphSource, Scope
from tests.connectors.microsoft_graph.truth import by_id, is_whole, member_pairs, members, present

ATTRIBUTES = frozenset(
    {"userPrincipalName", "accountEnabled", "manager", "department", "extensionAttribute1", "proxyAddresses"}
)


def test_a_read_has_everybody_and_is_complete(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    read = graph.read_all(ATTRIBUTES, Scope())
    assert (read.manifest.complete, read.manifest.missing) == (True, ())
    assert is_whole(read, sandbox)


def test_attributes_are_those_of_the_directory(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    read, truth = graph.read_all(ATTRIBUTES, Scope()), present(sandbox)
    people = read.users[read.users["presence"].eq("present")]
    managers = {user_id: user["manager"] for user_id, user in truth.items()}
    extensions = {key: user["onPremisesExtensionAttributes"]["extensionAttribute1"] for key, user in truth.items()}
    assert by_id(people, "department") == {user_id: user["department"] for user_id, user in truth.items()}
    assert by_id(people, "accountEnabled") == {key: str(user["accountEnabled"]) for key, user in truth.items()}
    assert by_id(people, "extensionAttribute1") == extensions
    assert {key: value for key, value in by_id(people, "manager").items() if value} == {
        key: value for key, value in managers.items() if value in truth
    }
    assert {key: list(value or []) for key, value in by_id(people, "proxyAddresses").items()} == {
        key: list(user["proxyAddresses"]) for key, user in truth.items()
    }


def test_the_recycle_bin_is_read_too(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    gone = sandbox.run(lambda: sandbox.tenant.add_user(givenName="Gone"))
    sandbox.run(lambda: sandbox.tenant.soft_delete(gone))
    assert by_id(graph.read_all(frozenset(), Scope()).users, "presence")[gone] == "soft_deleted"


def test_roles_have_values_and_say_whether_they_are_enabled(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    roles = graph.read_all(frozenset(), Scope()).roles
    found = {
        (role_id, None if value is None or value != value else value, bool(enabled))
        for role_id, value, enabled in zip(
            roles["role_id"],
            roles["value"].astype(object).where(roles["value"].notna(), None),
            roles["enabled"],
            strict=True,
        )
    }
    assert found == {(role.id, role.value, role.enabled) for role in sandbox.tenant.roles}


def test_direct_members_only_by_default_and_those_of_inner_groups_when_wanted(
    graph: MicrosoftGraph, sandbox: Sandbox
) -> None:
    direct = graph.read_all(frozenset(), Scope())
    nested = graph.read_all(frozenset(), Scope(nested_groups=True))
    assert member_pairs(direct) == members(sandbox)
    assert member_pairs(nested) == members(sandbox, nested=True)
    assert set(nested.members.loc[nested.members["direct"], "member_id"]) == set(direct.members["member_id"])


def test_a_circle_of_groups_ends(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    tenant = sandbox.tenant

    def make() -> str:
        inner = tenant.add_group("Circle inner", [tenant.add_user(givenName="In the circle")])
        outer = tenant.add_group("Circle outer", [inner])
        tenant.add_member(inner, outer)
        tenant.assign(outer, tenant.role("User").id)
        return outer

    outer = sandbox.run(make)
    read = graph.read_all(frozenset(), Scope(nested_groups=True))
    sandbox.run(lambda: tenant.remove_group(outer))
    assert len(read.members[read.members["group_id"].eq(outer)]) == 1


def test_the_default_domain_is_read(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    assert graph.read_all(frozenset(), Scope()).default_domain == sandbox.tenant.domain


def test_two_reads_of_the_same_directory_have_the_same_digest(
    graph: MicrosoftGraph, source: Callable[..., GraphSource]
) -> None:
    again = MicrosoftGraph(source())
    assert graph.read_all(frozenset(), Scope()).manifest.digest == again.read_all(frozenset(), Scope()).manifest.digest


def test_progress_tells_pages_and_people_a_second() -> None:
    now, told = [10.0], list[str]()
    tally = Tally(lambda *progress: told.append(progress[3]), clock=lambda: now[0])
    now[0] = 12.0
    tally.page(0)
    tally.page(900)
    assert told == ["1 pages", "2 pages, 450 people/s"]


def test_progress_tells_people_read_of_all(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    told: list[tuple[str, int, int | None]] = []
    graph.read_all(frozenset(), Scope(), lambda *progress: told.append(progress[:3]))
    people = len(present(sandbox))
    assert ("extract", people, people) in told


def test_named_people_are_found_by_id_sign_in_name_and_mail(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    truth = [user for user in present(sandbox).values() if user["mail"] and "#EXT#" not in user["userPrincipalName"]]
    first, second = truth[0], truth[1]
    other = sandbox.run(lambda: sandbox.tenant.add_user(givenName="Mail", mail="only.mail@elsewhere.example"))
    found = graph.find_people(
        [first["id"], second["userPrincipalName"], "only.mail@elsewhere.example", "no@body.example"], ATTRIBUTES
    )
    assert (set(found.users["source_id"]), found.missing) == ({first["id"], second["id"], other}, ())


def test_named_people_come_with_their_groups_and_assignments(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    pairs = sorted(members(sandbox))
    chosen = {member for _, member in pairs[:5]}
    read = graph.read_people(sorted(chosen), ATTRIBUTES, Scope())
    assert read.manifest.complete
    assert member_pairs(read) == {pair for pair in pairs if pair[1] in chosen}


def test_named_people_come_through_inner_groups_when_wanted(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    inner_only = sorted(members(sandbox, nested=True) - members(sandbox))[:3]
    read = graph.read_people([member for _, member in inner_only], frozenset(), Scope(nested_groups=True))
    assert inner_only
    assert set(inner_only) <= member_pairs(read)


def test_more_named_people_than_one_batch_holds(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    wanted = sorted(present(sandbox))[:65]
    assert sorted(graph.find_people(wanted, frozenset()).users["source_id"]) == wanted


@pytest.mark.parametrize("scope", [Scope(), Scope(who="all")], ids=str)
@pytest.mark.parametrize("size", [1, 40, 500])
def test_some_people_are_in_scope_and_no_more_than_asked_for(
    graph: MicrosoftGraph, sandbox: Sandbox, scope: Scope, size: int
) -> None:
    requests, found = sandbox.server.requests.total(), graph.some_people(size, scope)
    assert (len(found), len(set(found))) == (size, size)
    assert set(found) <= set(present(sandbox))
    if scope.who == "assigned":
        direct = {each.principal_id for each in sandbox.run(lambda: list(sandbox.tenant.assignments()))}
        assert set(found) <= direct | {member for _, member in members(sandbox)}
    assert sandbox.server.requests.total() - requests < 12


def test_a_named_person_in_the_recycle_bin_is_found_by_id(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    gone = sandbox.run(lambda: sandbox.tenant.add_user(givenName="Binned", department="Sales"))
    sandbox.run(lambda: sandbox.tenant.soft_delete(gone))
    users = graph.find_people([gone], ATTRIBUTES).users
    assert (by_id(users, "presence"), by_id(users, "department")) == ({gone: "soft_deleted"}, {gone: "Sales"})


def test_a_named_person_who_is_gone_is_not_found(graph: MicrosoftGraph, sandbox: Sandbox) -> None:
    gone = sandbox.run(lambda: sandbox.tenant.add_user(givenName="Purged"))
    sandbox.run(lambda: sandbox.tenant.hard_delete(gone))
    found = graph.find_people([gone], ATTRIBUTES)
    assert (len(found.users), found.missing) == (0, ())

"""Laws of planning over random directories, targets, links and histories."""

from __future__ import annotations

import copy
import dataclasses
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.model import REMOVALS, CycleKind, Presence, Situation
from tests.reconcile.world import MemoryTarget, Person, Value, World, manifest, person

IDS = ("a", "b", "c", "d", "e")
few = settings(
    max_examples=100 if os.environ.get("PROVISION_LONG") else 10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    """Directories in which people share employee ids, lead each other, leave, fail and are passed over."""
    return [
        person(
            source_id,
            FirstName=draw(st.sampled_from([None, "X", "x", "Y"])),
            EmployeeId=draw(st.sampled_from([None, "E1", "E2", "E3", f"own-{source_id}"])),
            Department=draw(st.sampled_from([None, "Sales", "sales", "Lab"])),
            SsoName=draw(st.sampled_from([None, "s1", "s2"])),
            PermissionSets=draw(st.sampled_from([None, [], ["a"], ["A", "b"]])),
            Supervisor=draw(st.sampled_from([None, *IDS[:-1]])),
            presence=draw(st.sampled_from([*[Presence.PRESENT] * 4, Presence.SOFT_DELETED, Presence.HARD_DELETED])),
            in_scope=draw(st.sampled_from([True, True, True, False])),
            active=draw(st.sampled_from([True, True, True, False])),
            left_alone=draw(st.sampled_from([False, False, False, True])),
            error=draw(st.sampled_from([None, None, None, "broken"])),
            clears=draw(st.sampled_from([frozenset[str](), frozenset({"FirstName", "Supervisor"})])),
        )
        for source_id in draw(st.lists(st.sampled_from(IDS), unique=True))
    ]


@st.composite
def targets(draw: st.DrawFn) -> MemoryTarget:
    """Accounts that nobody here made: some match people by login or employee id, some match nobody."""
    accounts = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "LoginName": st.sampled_from(["A@acme.test", "b@acme.test", "old", "Old2", "zed"]),
                    "EmployeeId": st.sampled_from([None, "E1", "E2", "e3"]),
                    "FirstName": st.sampled_from([None, "X", "Z"]),
                    "LoginEnabled": st.sampled_from(["True", "False"]),
                }
            ),
            max_size=4,
        )
    )
    return MemoryTarget(accounts)


@st.composite
def histories(draw: st.DrawFn) -> World:
    """A target with some links made by earlier cycles; some accounts have been changed or removed since."""
    world = World(draw(targets()))
    for _ in range(draw(st.integers(0, 2))):
        world.run(draw(people()))
    for uri in list(world.target.accounts):
        match draw(st.sampled_from(["keep", "keep", "keep", "change", "remove"])):
            case "change":
                world.target.accounts[uri]["FirstName"] = "Changed"
            case "remove":
                del world.target.accounts[uri]
    return world


@few
@given(histories(), people())
def test_plan_then_apply_then_plan_is_empty(world: World, everybody: list[Person]) -> None:
    world.run(everybody, kind=CycleKind.INITIAL)
    for kind in (CycleKind.INCREMENTAL, CycleKind.INITIAL):
        plan = world.plan(everybody, kind=kind)
        assert set(plan.operations["decision"]) <= {"hold"}, plan.operations.to_dict("records")
        assert plan.changes[~plan.changes["change_id"].isin(plan.operations["change_id"])].empty


@few
@given(histories(), people())
def test_nothing_unlinked_is_changed_unless_it_was_found(world: World, everybody: list[Person]) -> None:
    linked = {link["target_uri"] for link in world.links.values()}
    before: dict[str, dict[str, Value]] = copy.deepcopy(world.target.accounts)
    plan = world.run(everybody)
    taken = plan.operations[plan.operations["situation"].isin([Situation.FOUND, Situation.MISSING])]
    managed = linked | set(taken["target_uri"].dropna())
    for uri, account in before.items():
        if uri not in managed:
            assert world.target.accounts[uri] == account


@few
@given(histories(), people())
def test_no_account_has_two_people(world: World, everybody: list[Person]) -> None:
    world.run(everybody)
    uris = [link["target_uri"] for link in world.links.values()]
    assert len(uris) == len(set(uris))


@few
@given(histories(), people(), st.sampled_from(CycleKind))
def test_an_incomplete_read_takes_nothing_from_anybody(world: World, everybody: list[Person], kind: CycleKind) -> None:
    plan = world.plan(everybody, kind=kind, manifest=manifest(complete=False))
    going = plan.operations[plan.operations["decision"].eq("go")]
    assert not set(going["operation"]) & {operation.value for operation in REMOVALS}
    taken = plan.changes[plan.changes["attribute"].eq("LoginEnabled") & plan.changes["after"].eq("False")]
    assert not set(taken["change_id"]) & set(going["change_id"])


@few
@given(histories(), people(), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_people(world: World, everybody: list[Person], random: object) -> None:
    shuffled = list(everybody)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    one, other = world.plan(everybody), world.plan(shuffled)
    assert one.operations.drop(columns="change_id").equals(other.operations.drop(columns="change_id"))
    assert one.changes.drop(columns="change_id").equals(other.changes.drop(columns="change_id"))


@few
@given(histories(), people())
def test_every_row_says_why_and_every_write_says_what(world: World, everybody: list[Person]) -> None:
    plan = world.plan(everybody)
    assert plan.operations["reason"].str.len().ge(10).all()
    assert not plan.operations["reason"].str.contains("nan|<NA>|None").any()
    writing = plan.operations[plan.operations["operation"].isin(["create", "update", "enable", "disable"])]
    kept = writing[writing["decision"].isin(["go", "hold", "staged"])]
    assert set(kept["change_id"]) == set(plan.changes["change_id"])
    assert plan.operations["source_id"].is_unique


@few
@given(histories(), people(), st.integers(0, 1000))
def test_rows_carried_out_in_any_order_give_the_same_accounts(world: World, everybody: list[Person], seed: int) -> None:
    plan = world.plan(everybody)
    before = copy.deepcopy((world.target.accounts, world.links, world.skips))
    world.apply(plan)
    one = by_login(world)
    world.target.accounts, world.links, world.skips = before
    shuffled = plan.operations.sample(frac=1, random_state=seed, ignore_index=True)
    world.apply(dataclasses.replace(plan, operations=shuffled))
    assert by_login(world) == one


def by_login(world: World) -> dict[str, dict[str, Value]]:
    """Give the accounts by login, supervisors by login too: which account gets which URI depends on the order."""
    logins = {uri: str(account["LoginName"]) for uri, account in world.target.accounts.items()}
    return {
        logins[uri]: {**account, "Supervisor": logins.get(str(account["Supervisor"]))}
        for uri, account in world.target.accounts.items()
    }

"""Reading changes only: merged into what is remembered they give what a whole read gives, or say that they do not."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pandas as pd
import pytest

from deployments.sandbox.graph_settings import DeltaExpiry, GraphSettings
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from tasks.connectors.directory import DirectoryRead
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.job import GraphSource, Scope
from tasks.model import UnreachableError
from tests.connectors.microsoft_graph.conftest import SECRET_VARIABLE
from tests.connectors.microsoft_graph.edits import edit
from tests.connectors.microsoft_graph.truth import merge

ATTRIBUTES = frozenset({"userPrincipalName", "department", "manager", "accountEnabled", "extensionAttribute1"})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv(SECRET_VARIABLE, CLIENT_SECRET)
    settings = GraphSettings(clients={CLIENT_ID: CLIENT_SECRET}, delta_page=7, members_per_delta_page=5)
    with Sandbox(users=60, seed=5, graph_settings=settings) as sandbox:
        yield sandbox


@pytest.fixture
def reader(small: Sandbox) -> MicrosoftGraph:
    source = GraphSource.model_validate(
        {
            "type": "microsoft_graph",
            "tenant_id": small.tenant.tenant_id,
            "client_id": CLIENT_ID,
            "client_secret": {"env": SECRET_VARIABLE},
            "application_id": small.application_id,
            "ca_file": small.ca_file,
            "graph_url": small.graph_url,
            "login_url": small.login_url,
        }
    )
    return MicrosoftGraph(source, wait=lambda _: None)


def state(read: DirectoryRead) -> tuple[object, ...]:
    """Everything a read says, whatever the order; the manager of somebody deleted is not told in the recycle bin."""
    users = read.users.sort_values("source_id", ignore_index=True)
    users["manager"] = users["manager"].mask(users["presence"].ne("present"))
    people = [tuple(None if pd.isna(value) else value for value in row) for row in users.to_numpy(dtype=object)]
    members = {tuple(row) for row in read.members.to_numpy(dtype=object)}
    grants = set(zip(read.assignments["principal_id"], read.assignments["role_id"], strict=True))
    return people, members, grants


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_changes_merged_give_what_a_whole_read_gives(
    reader: MicrosoftGraph, small: Sandbox, seed: int, nested: bool
) -> None:
    chance, scope = random.Random(seed), Scope(nested_groups=nested)
    read = reader.read_all(ATTRIBUTES, scope)
    for _ in range(4):
        for _ in range(chance.randrange(16)):
            small.run(lambda: edit(small, chance))
        changes = reader.read_changes(read.watermark, ATTRIBUTES, scope)
        assert changes is not None
        read = merge(read, changes)
        assert read.manifest.complete
        assert state(merge(read, changes)) == state(read)
    assert state(read) == state(reader.read_all(ATTRIBUTES, scope))


def test_no_change_is_read_by_nobody(reader: MicrosoftGraph, small: Sandbox) -> None:
    read = reader.read_all(ATTRIBUTES, Scope())
    before = small.server.requests["graph:users"] + small.server.requests["graph:batch"]
    changes = reader.read_changes(read.watermark, ATTRIBUTES, Scope())
    assert changes is not None
    assert (len(changes.changed), len(changes.users)) == (0, 0)
    assert small.server.requests["graph:users"] + small.server.requests["graph:batch"] == before


def test_who_changed_is_read_once_more_in_the_next_round(reader: MicrosoftGraph, small: Sandbox) -> None:
    read = reader.read_all(ATTRIBUTES, Scope())
    someone = next(iter(small.tenant.users()))["id"]
    small.run(lambda: small.tenant.update_user(someone, department="Moved"))
    changed = []
    watermark = read.watermark
    for _ in range(3):
        changes = reader.read_changes(watermark, ATTRIBUTES, Scope())
        assert changes is not None
        changed.append(changes.changed.tolist())
        watermark = changes.watermark
    assert changed == [[someone], [someone], []]


@pytest.mark.parametrize("expiry", list(DeltaExpiry))
def test_a_watermark_too_old_asks_for_a_whole_read(reader: MicrosoftGraph, small: Sandbox, expiry: DeltaExpiry) -> None:
    watermark = reader.read_all(ATTRIBUTES, Scope()).watermark
    small.graph_settings.delta_expiry = expiry
    small.graph_settings.delta_token_life = -1
    assert reader.read_changes(watermark, ATTRIBUTES, Scope()) is None


@pytest.mark.parametrize(
    ("watermark", "attributes", "scope"),
    [
        ({}, ATTRIBUTES, Scope()),
        ({"attributes": 1}, ATTRIBUTES, Scope()),
        (None, ATTRIBUTES | {"city"}, Scope()),
        (None, ATTRIBUTES, Scope(nested_groups=True)),
    ],
)
def test_a_watermark_of_something_else_asks_for_a_whole_read(
    reader: MicrosoftGraph, watermark: dict[str, object] | None, attributes: frozenset[str], scope: Scope
) -> None:
    given = reader.read_all(ATTRIBUTES, Scope()).watermark if watermark is None else watermark
    assert reader.read_changes(given, attributes, scope) is None


@pytest.mark.parametrize("kind", ["repeated_page", "truncated_page", "expired_token"])
@pytest.mark.parametrize("endpoint", ["graph:users/delta", "graph:groups/delta"])
def test_a_fault_of_the_moment_leaves_whole_changes(
    reader: MicrosoftGraph, small: Sandbox, endpoint: str, kind: str
) -> None:
    read = reader.read_all(ATTRIBUTES, Scope())
    chance = random.Random(3)
    for _ in range(25):
        small.run(lambda: edit(small, chance))
    small.faults.add(endpoint, kind, count=1)
    changes = reader.read_changes(read.watermark, ATTRIBUTES, Scope())
    assert changes is not None
    assert state(merge(read, changes)) == state(reader.read_all(ATTRIBUTES, Scope()))


def test_a_lookup_that_keeps_failing_leaves_the_watermark_and_the_person_as_they_were(
    reader: MicrosoftGraph, small: Sandbox
) -> None:
    read = reader.read_all(ATTRIBUTES, Scope())
    first, second = [user["id"] for user in small.tenant.users()][:2]
    small.run(lambda: small.tenant.update_user(first, department="Moved"))
    small.run(lambda: small.tenant.update_user(second, department="Moved"))
    small.faults.add("graph:users/id", "internal500", containing=first)
    changes = reader.read_changes(read.watermark, ATTRIBUTES, Scope())
    assert changes is not None
    assert (changes.changed.tolist(), changes.manifest.complete) == ([second], False)
    assert changes.watermark == read.watermark


def test_a_round_that_keeps_failing_ends_with_words(reader: MicrosoftGraph, small: Sandbox) -> None:
    watermark = reader.read_all(ATTRIBUTES, Scope()).watermark
    small.faults.add("graph:users/delta", "unavailable503")
    with pytest.raises(UnreachableError, match="503"):
        reader.read_changes(watermark, ATTRIBUTES, Scope())

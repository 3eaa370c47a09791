"""Planning against accounts read over HTTP from the sandbox's Replicon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import load_job
from tasks.model import STRING, CycleKind, Operation, Plan
from tests.reconcile.world import ATTRIBUTES, World, changes_of, manifest, person, rows_of


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=12, seed=3, existing=1.0) as running:
        yield running


@pytest.fixture
def target(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RepliconUsers:
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    job = load_job(sandbox.job_file(tmp_path))
    return RepliconUsers(RepliconClient(job.target), frozenset(ATTRIBUTES))


@pytest.fixture
def somebody(target: RepliconUsers) -> dict[str, Any]:
    """Give the account of somebody with a first name and an employee id, as Replicon has it."""
    accounts = target.read_all()
    usual = accounts.dropna(subset=["FirstName", "EmployeeId"])
    usual = usual[~usual["EmployeeId"].duplicated(keep=False)]
    return {str(name): value for name, value in usual.iloc[0].items()}


def planned(target: RepliconUsers, *people: Any, **changes: Any) -> Plan:
    """Plan an initial cycle against the sandbox."""
    return World().plan(list(people), target=target, kind=CycleKind.INITIAL, **changes)


def test_an_account_is_found_by_its_login_in_other_letters_and_needs_no_write(
    target: RepliconUsers, somebody: dict[str, Any]
) -> None:
    held = list(somebody["PermissionSets"])
    plan = planned(
        target,
        person(
            "ann", LoginName=str(somebody["LoginName"]).upper(), FirstName=somebody["FirstName"], PermissionSets=held
        ),
    )
    row = rows_of(plan)["ann"]
    assert (row["situation"], row["operation"], row["target_uri"]) == ("found", "none", somebody["target_uri"])


def test_what_differs_is_told_with_what_replicon_has(target: RepliconUsers, somebody: dict[str, Any]) -> None:
    wanted = person("ann", LoginName=somebody["LoginName"], FirstName="Otherwise", PermissionSets=["Supervisor"])
    changes = changes_of(planned(target, wanted), "ann")
    assert changes["FirstName"] == (somebody["FirstName"], "Otherwise")
    assert changes["PermissionSets"] == (json.dumps(sorted(somebody["PermissionSets"])), '["Supervisor"]')


def test_an_account_is_found_by_employee_id_when_no_login_matches(
    target: RepliconUsers, somebody: dict[str, Any]
) -> None:
    plan = planned(target, person("ann", LoginName="nobody@x.test", EmployeeId=somebody["EmployeeId"]))
    assert rows_of(plan)["ann"]["target_uri"] == somebody["target_uri"]
    assert changes_of(plan, "ann")["LoginName"] == (somebody["LoginName"], "nobody@x.test")


def test_who_has_no_account_is_created(target: RepliconUsers) -> None:
    plan = planned(target, person("ann", LoginName="nobody@x.test"))
    assert rows_of(plan)["ann"]["operation"] == Operation.CREATE


def test_the_account_that_signs_in_is_never_disabled(target: RepliconUsers) -> None:
    world = World()
    me = target.identity()
    world.link("me", me.uri)
    plan = world.plan([person("me", active=False)], target=target, manifest=manifest())
    assert (rows_of(plan)["me"]["operation"], rows_of(plan)["me"]["error_code"]) == ("disable", "ProtectedAccount")


def test_a_link_to_an_account_that_never_was_is_matched_again(target: RepliconUsers, somebody: dict[str, Any]) -> None:
    world = World()
    gone = somebody["target_uri"].rpartition(":")[0] + ":99999"
    world.link("ann", gone)
    plan = world.plan([person("ann", LoginName=somebody["LoginName"])], target=target, kind=CycleKind.INITIAL)
    assert (rows_of(plan)["ann"]["situation"], rows_of(plan)["ann"]["target_uri"]) == (
        "missing",
        somebody["target_uri"],
    )


def test_reads_are_of_the_accounts_asked_for(target: RepliconUsers, somebody: dict[str, Any]) -> None:
    again = target.read(pd.Series([somebody["target_uri"]], dtype=STRING))
    assert again["LoginName"].tolist() == [somebody["LoginName"]]

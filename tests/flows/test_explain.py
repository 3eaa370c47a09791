"""Explaining one person: what is told is what a cycle then does, and nothing is written by telling it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import Sandbox
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]
ANN = "ann@northwind.example"


@pytest.fixture(scope="module")
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    sandbox = sandboxes(users=25, seed=11)

    def add() -> None:
        tenant = sandbox.tenant
        ann = tenant.add_user(givenName="Ann", surname="Doe", userPrincipalName=ANN)
        tenant.assign(ann, tenant.role("User").id)
        tenant.add_user(givenName="Bob", surname="Doe", userPrincipalName="bob@northwind.example")

    sandbox.run(add)
    return sandbox


def test_what_is_told_is_what_the_cycle_does(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    told = command("explain", job, ANN)
    assert (told.code, writes(sandbox).total()) == (1, 0), told.err
    assert "Not linked, and no account is theirs" in told.out
    assert "create" in told.out
    run_cycle(job)
    assert ANN in accounts(sandbox)
    after = command("explain", job, ANN)
    assert (after.code, "Linked to the account" in after.out) == (0, True)
    with ledger_of(job) as ledger:
        source_id = ledger.activities(source=ANN)["source_id"].iloc[0]
    assert command("explain", job, source_id).out.count("create") == after.out.count("create") > 0


def test_who_is_not_assigned_is_told_so(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    told = command("explain", sandbox.job_file(tmp_path), "bob@northwind.example")
    assert (told.code, "Not entitled" in told.out, "skipped" in told.out) == (0, True, True)


def test_an_unknown_name_is_refused(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    refused = command("explain", sandbox.job_file(tmp_path), "nobody@northwind.example")
    assert (refused.code, "Nobody goes by" in refused.err) == (2, True)

"""A few people on demand: explained one by one, written only if asked, and then like any other operation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.exceptions import ParameterTypeError

from deployments.sandbox.sandbox import Sandbox
from flows.provision_on_demand import provision_on_demand
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

Command = Callable[..., Ended]
ANN, BOB = "ann@northwind.example", "bob@northwind.example"


@pytest.fixture
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    """Give a company with Ann, who is assigned, and Bob, who is not."""
    sandbox = sandboxes(users=25, seed=11)

    def add() -> None:
        tenant = sandbox.tenant
        ann = tenant.add_user(givenName="Ann", surname="Doe", userPrincipalName=ANN)
        tenant.assign(ann, tenant.role("User").id)
        tenant.add_user(givenName="Bob", surname="Doe", userPrincipalName=BOB)

    sandbox.run(add)
    return sandbox


def artifact(job: str) -> str:
    """Give the text of the latest artifact on demand of `job`."""
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[f"provisioning-on-demand-{job}"]))
    with get_client(sync_client=True) as client:
        return str(client.read_artifacts(artifact_filter=wanted)[-1].data)


def test_nothing_is_written_unless_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    job, before = sandbox.job_file(tmp_path, name="looked"), writes(sandbox)
    state = provision_on_demand(str(job), [ANN, BOB], return_state=True)
    assert str(state.message).startswith("Nothing was written.")
    told = artifact("looked")
    assert ("[userPrincipalName]" in told, f"Why: {ANN}" in told, f"Why: {BOB}" in told) == (True, True, True)
    assert "5. What would happen now" in told
    assert writes(sandbox) == before


def test_who_is_asked_for_is_provisioned_and_nobody_else(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job, before = sandbox.job_file(tmp_path), set(accounts(sandbox))
    done = command("on-demand", job, ANN, BOB, "--write")
    assert (done.code, set(accounts(sandbox)) - before) == (0, {ANN}), done.out
    with ledger_of(job) as ledger:
        assert ledger.links("sandbox")["target_name"].tolist() == [ANN]
        [cycle] = ledger.cycles("sandbox").to_dict("records")
    assert cycle["kind"] == "on_demand"
    sent = writes(sandbox)
    again = command("on-demand", job, ANN, "--write")
    assert (again.code, writes(sandbox)) == (0, sent), again.out


def test_a_cycle_after_it_leaves_that_person_untouched(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    command("on-demand", job, ANN, "--write")
    run_cycle(job)
    with ledger_of(job) as ledger:
        assert ledger.activities(source=ANN)["operation"].tolist() == ["create"]


def test_somebody_unassigned_is_disabled_on_demand(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    command("on-demand", job, ANN, "--write")
    tenant = sandbox.tenant
    with ledger_of(job) as ledger:
        ann = ledger.links("sandbox")["source_id"].iloc[0]
    sandbox.run(lambda: tenant.update_user(ann, accountEnabled=False))
    command("on-demand", job, ANN, "--write")
    with ledger_of(job) as ledger:
        assert ledger.activities(source=ANN)["operation"].tolist() == ["create", "disable"]


def test_it_shows_without_writing_from_the_command_line_too(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    shown = command("on-demand", sandbox.job_file(tmp_path), ANN, BOB)
    assert (shown.code, shown.out.count("1. Import"), writes(sandbox).total()) == (1, 2, 0), shown.err


def test_more_than_a_handful_is_refused(sandbox: Sandbox, command: Command, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path)
    refused = command("on-demand", job, *[f"{number}@northwind.example" for number in range(6)])
    assert (refused.code, "Name one to 5 people (found 6)" in refused.err) == (2, True)
    with pytest.raises(ParameterTypeError):
        provision_on_demand(str(job), [])

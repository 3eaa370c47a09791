"""Credentials in Prefect blocks: tried on the block, read by every cycle anew, and shown nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from deployments.sandbox.sandbox import ADMIN_LOGIN, ADMIN_PASSWORD, CLIENT_ID, CLIENT_SECRET, COMPANY_KEY, Sandbox
from flows.blocks import EntraCredentials, RepliconCredentials
from tasks.connectors.microsoft_graph.errors import SignInError
from tasks.connectors.replicon.errors import RepliconError
from tasks.model import BadInputError
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import run_cycle

Command = Callable[..., Ended]


@pytest.fixture
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    return sandboxes(users=25, seed=6)


def entra(sandbox: Sandbox, secret: str = CLIENT_SECRET) -> EntraCredentials:
    return EntraCredentials(
        tenant_id=sandbox.tenant.tenant_id,
        client_id=CLIENT_ID,
        client_secret=SecretStr(secret),
        login_url=sandbox.login_url,
        ca_file=str(sandbox.ca_file),
    )


def replicon(sandbox: Sandbox, password: str = ADMIN_PASSWORD) -> RepliconCredentials:
    return RepliconCredentials(
        company_key=COMPANY_KEY,
        login_name=ADMIN_LOGIN,
        password=SecretStr(password),
        discovery_url=sandbox.discovery_url,
    )


def in_blocks(sandbox: Sandbox, folder: Path) -> Path:
    """Write a job whose secrets are in blocks."""
    password = {"env": None, "block": "replicon-credentials/acme", "field": "password"}
    return sandbox.job_file(
        folder,
        source={"client_secret": {"env": None, "block": "entra-id-credentials/acme", "field": "client_secret"}},
        target={"sign_in": {"login_name": ADMIN_LOGIN, "password": password}},
    )


def test_a_block_tells_as_whom_it_signs_in(sandbox: Sandbox) -> None:
    ours, theirs = entra(sandbox), replicon(sandbox)
    ours.save("tried", overwrite=True)
    theirs.save("tried", overwrite=True)
    assert "User.Read.All" in ours.test_connection()
    assert f"as {ADMIN_LOGIN}" in theirs.test_connection()


def test_a_block_with_a_wrong_secret_is_told_and_the_secret_is_not(sandbox: Sandbox) -> None:
    ours, theirs = entra(sandbox, "wrong-secret"), replicon(sandbox, "wrong-secret")
    ours.save("wrong", overwrite=True)
    theirs.save("wrong", overwrite=True)
    with pytest.raises(SignInError) as refused:
        ours.test_connection()
    with pytest.raises(RepliconError) as refused_too:
        theirs.test_connection()
    said = f"{refused.value!r} {refused_too.value!r} {ours!r} {theirs!r}"
    assert "wrong-secret" not in said


def test_an_unsaved_block_is_not_tried(sandbox: Sandbox) -> None:
    with pytest.raises(BadInputError, match="saved"):
        entra(sandbox).test_connection()


def test_a_block_takes_one_credential() -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        EntraCredentials(tenant_id="t", client_id="c")
    with pytest.raises(ValidationError, match="either login_name and password, or token"):
        RepliconCredentials(company_key="acme", login_name="x", password=SecretStr("y"), token=SecretStr("z"))


def test_a_secret_that_is_changed_in_its_block_needs_no_restart(sandbox: Sandbox, tmp_path: Path) -> None:
    job = in_blocks(sandbox, tmp_path)
    entra(sandbox).save("acme", overwrite=True)
    replicon(sandbox).save("acme", overwrite=True)
    run_cycle(job)
    state = sandbox.replicon
    [number] = [number for number, password in state.passwords.items() if password == ADMIN_PASSWORD]
    sandbox.run(lambda: state.passwords.update({number: "next-word"}))
    replicon(sandbox, "next-word").save("acme", overwrite=True)
    assert run_cycle(job).verdict.exit_code in {0, 3, 4}


def test_a_job_that_refers_to_no_block_of_that_name_is_told(sandbox: Sandbox, tmp_path: Path, command: Command) -> None:
    job = sandbox.job_file(tmp_path, source={"client_secret": {"env": None, "block": "secret/nobody-made-it"}})
    refused = command("plan", job)
    assert (refused.code, "secret/nobody-made-it, which is not there" in refused.err) == (2, True), refused.err


def test_a_job_that_refers_to_no_such_field_is_told(sandbox: Sandbox, tmp_path: Path, command: Command) -> None:
    replicon(sandbox).save("fields", overwrite=True)
    reference = {"env": None, "block": "replicon-credentials/fields", "field": "pasword"}
    job = sandbox.job_file(tmp_path, target={"sign_in": {"login_name": ADMIN_LOGIN, "password": reference}})
    refused = command("test-connection", job)
    assert (refused.code, "has no field 'pasword'" in refused.err) == (2, True), refused.err

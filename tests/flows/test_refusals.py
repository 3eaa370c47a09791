"""What cannot work is refused in one paragraph that says what to do, with its exit code, and changes nothing.

Every refusal goes through the command line over the real wire.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.sandbox.sandbox import (
    DEFAULT_MAPPING,
    LIMITED_CLIENT_ID,
    LIMITED_LOGIN,
    LIMITED_PASSWORD,
    Sandbox,
)
from tasks.model import ExitCode
from tests.flows.conftest import Ended, Sandboxes

Command = Callable[..., Ended]
Changed = Callable[[str, str], str]
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    return sandboxes(users=30)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """Give an address on this machine where nobody answers."""
    with socket.socket() as held:
        # Bound and not listening: every connection is refused, and nobody else gets the port meanwhile.
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def mapping(tmp_path: Path) -> Changed:
    """Write the default mapping with one text replaced, and give its path."""

    def write(text: str, by: str) -> str:
        whole = DEFAULT_MAPPING.read_text(encoding="utf-8")
        assert whole.count(text) == 1
        path = tmp_path / "mapping.yaml"
        path.write_text(whole.replace(text, by), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def refused(command: Command, sandbox: Sandbox, tmp_path: Path) -> Refused:
    """Run a command on the sandbox's job with some keys changed; give the message of its refusal.

    Checks that the exit code is the expected one, the message one paragraph, and that nothing was changed.
    """

    def run(exit_code: int, *arguments: str, **overrides: Any) -> str:
        job = sandbox.job_file(tmp_path, **overrides)
        before = sandbox.replicon.version
        ended = command(*(arguments or ("run", "--apply")), job)
        assert ended.code == exit_code, ended
        assert ended.err.startswith("error: ")
        assert "\n\n" not in ended.err.strip()
        assert "Traceback" not in ended.err
        assert (sandbox.replicon.writes_requested.total(), sandbox.replicon.version) == (0, before)
        assert _links(tmp_path / "ledger.db") == 0
        return ended.err

    return run


def _links(ledger: Path) -> int:
    """Count the links in a ledger; there are none in one that was never made."""
    if not ledger.exists():
        return 0
    engine = sa.create_engine(f"sqlite:///{ledger}")
    with engine.connect() as connection:
        count: int = connection.execute(sa.text("SELECT COUNT(*) FROM links")).scalar_one()
    engine.dispose()
    return count


def test_a_job_file_that_is_not_there(command: Command, tmp_path: Path) -> None:
    ended = command("run", tmp_path / "nothing.yaml")
    assert ended.code == ExitCode.BAD_INPUT
    assert "nothing.yaml cannot be read" in ended.err
    assert "provision job init" in ended.err


def test_an_unknown_key_in_the_job_file_is_named_with_its_line(refused: Refused) -> None:
    said = refused(ExitCode.BAD_INPUT, guard={"removals": 1})
    assert "sandbox.yaml:" in said
    assert "guard: there is no such key" in said


def test_a_secret_written_into_the_job_file_is_refused_and_not_shown(refused: Refused) -> None:
    said = refused(ExitCode.BAD_INPUT, target={"sign_in": {"password": "hunter2"}})
    assert "never written here" in said
    assert "hunter2" not in said


def test_a_secret_that_is_not_set_is_named(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICON_PASSWORD")
    assert "environment variable REPLICON_PASSWORD" in refused(ExitCode.BAD_INPUT)


def test_an_unknown_target_attribute_is_named_with_its_line_and_the_nearest_one(
    refused: Refused, mapping: Changed
) -> None:
    said = refused(
        ExitCode.BAD_INPUT, mapping=mapping("targetAttributeName: FirstName", "targetAttributeName: FistName")
    )
    assert "mapping.yaml:" in said
    assert "FistName" in said
    assert "FirstName" in said


def test_an_unknown_source_attribute_is_named_with_its_line(refused: Refused, mapping: Changed) -> None:
    said = refused(ExitCode.BAD_INPUT, mapping=mapping("'[givenName]'", "'[givnName]'"))
    assert "mapping.yaml:" in said
    assert "givnName" in said
    assert "givenName" in said


def test_a_bad_expression_is_shown_with_its_place(refused: Refused, mapping: Changed) -> None:
    said = refused(ExitCode.BAD_INPUT, mapping=mapping("'Not([IsSoftDeleted])'", "'Not([IsSoftDeleted]'"))
    assert "mapping.yaml:" in said
    assert "LoginEnabled" in said


def test_a_wrong_company_key_says_where_to_correct_it(refused: Refused) -> None:
    said = refused(ExitCode.UNREACHABLE, target={"company_key": "southwind"})
    assert "southwind" in said
    assert "Correct `company_key`" in said


def test_bad_credentials_of_replicon_say_what_to_check(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICON_PASSWORD", "wrong-password")
    said = refused(ExitCode.UNREACHABLE)
    assert "Check the login name and password" in said
    assert "wrong-password" not in said


def test_bad_credentials_of_graph_say_what_to_check(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPH_CLIENT_SECRET", "wrong-secret")
    said = refused(ExitCode.UNREACHABLE)
    assert "The client secret is wrong" in said
    assert "wrong-secret" not in said


def test_a_replicon_account_without_permission_says_what_it_needs(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICON_PASSWORD", LIMITED_PASSWORD)
    said = refused(ExitCode.UNREACHABLE, target={"sign_in": {"login_name": LIMITED_LOGIN}})
    assert "may not do this" in said


def test_a_missing_permission_of_graph_is_named(refused: Refused) -> None:
    said = refused(ExitCode.UNREACHABLE, source={"client_id": LIMITED_CLIENT_ID})
    assert "Application.Read.All" in said
    assert "consent" in said


def test_replicon_out_of_reach_says_what_to_check(refused: Refused, nowhere: str) -> None:
    assert "connection was refused" in refused(ExitCode.UNREACHABLE, target={"discovery_url": nowhere})


def test_a_sign_in_out_of_reach_says_what_to_check(refused: Refused, nowhere: str) -> None:
    login_url = nowhere.replace("http:", "https:")
    assert "connection was refused" in refused(ExitCode.UNREACHABLE, "plan", source={"login_url": login_url})


@pytest.mark.slow
@pytest.mark.skipif("PROVISION_LONG" not in os.environ, reason="the cycle tries for over a minute before it gives up")
@pytest.mark.parametrize("address", ["graph_url", "login_url"])
def test_a_cycle_whose_directory_is_out_of_reach_says_what_to_check(
    refused: Refused, nowhere: str, address: str
) -> None:
    url = nowhere.replace("http:", "https:") if address == "login_url" else nowhere
    assert "connection was refused" in refused(ExitCode.UNREACHABLE, source={address: url})


def test_a_mistake_in_a_job_is_found_without_running_it(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    good = command("job", "check", sandbox.job_file(tmp_path))
    bad = command("job", "check", sandbox.job_file(tmp_path, scope={"who": "nobody"}))
    assert (good.code, bad.code) == (ExitCode.DONE, ExitCode.BAD_INPUT)
    assert "scope.who" in bad.err


def test_the_connection_test_finds_everything_good(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    ended = command("test-connection", sandbox.job_file(tmp_path))
    assert (ended.code, "checks are good" in ended.out) == (ExitCode.DONE, True)


def test_the_connection_test_names_what_is_missing_at_either_end(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICON_PASSWORD", "wrong-password")
    ended = command("test-connection", sandbox.job_file(tmp_path, source={"client_id": LIMITED_CLIENT_ID}))
    assert ended.code == ExitCode.UNREACHABLE
    assert "Application.Read.All" in ended.out
    assert "sign-in was refused" in ended.out

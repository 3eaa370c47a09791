"""`provision deploy` where Prefect cannot be told: it says what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.model import ExitCode
from tests.connectors.scripted import Answer, scripted
from tests.flows.conftest import Ended

Command = Callable[..., Ended]


def deployed(command: Command, folder: Path, url: str) -> Ended:
    job = folder / "acme.yaml"
    command("job", "init", job)
    with temporary_settings({PREFECT_API_URL: url}):
        return command("deploy", job)


def test_a_server_with_a_password_asks_for_it(command: Command, tmp_path: Path) -> None:
    with scripted(Answer(status=401)) as server:
        ended = deployed(command, tmp_path, f"{server.url}/api")
    assert (ended.code, "PREFECT_API_AUTH_STRING" in ended.err) == (ExitCode.UNREACHABLE, True), ended


def test_no_server_at_all_says_how_to_start_one(command: Command, tmp_path: Path, unused: int) -> None:
    ended = deployed(command, tmp_path, f"http://127.0.0.1:{unused}/api")
    assert (ended.code, "prefect server start" in ended.err) == (ExitCode.UNREACHABLE, True), ended

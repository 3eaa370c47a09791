"""One Prefect server for all the flows' tests, the sandbox's secrets, sandboxes, and the command line as called."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from deployments.sandbox.sandbox import ADMIN_PASSWORD, CLIENT_SECRET, Sandbox
from flows.cli import main
from tests.databases import ledger_url, postgres_server

__all__ = ["ledger_url", "postgres_server"]

Sandboxes = Callable[..., Sandbox]


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """Run Prefect's test server for the session; runs send no heartbeat, which would cost each of them a second."""
    quick = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        environment.setenv("DO_NOT_TRACK", "1")
        with prefect_test_harness(server_startup_timeout=120), temporary_settings(quick):
            yield


@pytest.fixture(scope="session", autouse=True)
def secrets() -> Iterator[None]:
    """Put the secrets of every sandbox where its job file refers to."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REPLICON_PASSWORD", ADMIN_PASSWORD)
        environment.setenv("GRAPH_CLIENT_SECRET", CLIENT_SECRET)
        yield


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Start sandboxes; they stop after the module's tests."""
    with contextlib.ExitStack() as running:
        yield lambda users=40, seed=1, **more: running.enter_context(Sandbox(users=users, seed=seed, **more))


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a call of the command line ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Call `provision` with arguments, as the shell does but within this process."""

    def call(*arguments: Any) -> Ended:
        monkeypatch.setattr(sys, "argv", ["provision", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return call

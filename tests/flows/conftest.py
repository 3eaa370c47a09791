"""One Prefect server for all the flows' tests, the sandbox's secrets, sandboxes, and the command line as called."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from rich.console import Console

from deployments.sandbox.sandbox import ADMIN_PASSWORD, CLIENT_SECRET, Sandbox
from flows.cli import main
from flows.serving import prefect_server
from tests.browser import page
from tests.databases import ledger_url, postgres_server

__all__ = ["ledger_url", "page", "postgres_server"]

Sandboxes = Callable[..., Sandbox]


@pytest.fixture(scope="session")
def prefect_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a whole Prefect server for the session, with its pages and automations, and give the pages' address."""
    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        environment.setenv("DO_NOT_TRACK", "1")
        environment.setenv("PREFECT_HOME", str(folder))
        # What would fire within a cycle's interval is looked at sooner, and nothing is scheduled here.
        environment.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED", "false")
        with prefect_server(Console(quiet=True), folder) as url:
            environment.delenv("PREFECT_API_URL")
            yield url


@pytest.fixture(scope="session", autouse=True)
def quick_runs(prefect_pages: str) -> Iterator[None]:
    """Run flows against that server; they send no heartbeat, which would cost each of them a second."""
    settings = {
        PREFECT_API_URL: f"{prefect_pages}/api",
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    with temporary_settings(settings):
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


@pytest.fixture
def unused() -> int:
    """Give a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

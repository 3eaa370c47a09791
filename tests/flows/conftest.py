"""One Prefect server for all the flows' tests, sandboxes to provision, and the command line as a person calls it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from deployments.sandbox.sandbox import Sandbox
from tests.databases import ledger_url, postgres_server

__all__ = ["ledger_url", "postgres_server"]

Sandboxes = Callable[..., Sandbox]


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """Run Prefect's test server for the session; runs send no heartbeat, which would cost each of them a second."""
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture
def sandboxes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandboxes]:
    """Start sandboxes, their secrets in the environment; they stop with the test."""
    with contextlib.ExitStack() as running:

        def start(users: int = 60, seed: int = 1, **settings: Any) -> Sandbox:
            sandbox = running.enter_context(Sandbox(users=users, seed=seed, **settings))
            for name, value in sandbox.environment().items():
                monkeypatch.setenv(name, value)
            return sandbox

        yield start

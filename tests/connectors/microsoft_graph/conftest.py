"""A sandbox whose Graph has several pages of everything, and the connector pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.job import GraphSource

PEOPLE = 2050
SECRET_VARIABLE = "GRAPH_TEST_SECRET"


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with Sandbox(users=PEOPLE, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The running sandbox without faults and with its usual settings."""
    monkeypatch.setenv(SECRET_VARIABLE, CLIENT_SECRET)
    usual = GraphSettings(clients={CLIENT_ID: AppRegistration(secret=CLIENT_SECRET)})
    for name, value in vars(usual).items():
        setattr(running.graph_settings, name, value)
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def source(sandbox: Sandbox) -> Callable[..., GraphSource]:
    """Makes the source section of a job, with changes."""

    def make(**changes: Any) -> GraphSource:
        usual = {
            "type": "microsoft_graph",
            "tenant_id": sandbox.tenant.tenant_id,
            "client_id": CLIENT_ID,
            "client_secret": {"env": SECRET_VARIABLE},
            "application_id": sandbox.application_id,
            "ca_file": sandbox.ca_file,
            "graph_url": sandbox.graph_url,
            "login_url": sandbox.login_url,
        }
        given = {key: value for key, value in {**usual, **changes}.items() if value is not None}
        return GraphSource.model_validate(given)

    return make


@pytest.fixture
def waits() -> list[float]:
    """The pauses that the connector made, none of which was really waited for."""
    return []


@pytest.fixture
def graph(source: Callable[..., GraphSource], waits: list[float]) -> MicrosoftGraph:
    return MicrosoftGraph(source(), wait=waits.append)

"""A cycle that is stopped, by signal, from Prefect or by a time-out: it ends as stopped, and the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.sandbox import Sandbox
from flows.provision import provision
from tasks.model import ExitCode
from tests.flows.actual import differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle
from tests.flows.truth import Truth

UPSERT = "replicon:ImportService2.CreateUserOrApplyModifications"
SERVE = """
from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType
from flows.provision import provision
serve(RunnerDeployment.from_flow(provision, name="cancelled", entrypoint_type=EntrypointType.MODULE_PATH))
"""
PATIENCE = 120.0


class Company:
    """A company whose accounts are created one slow call at a time."""

    def __init__(self, sandbox: Sandbox, folder: Path, seconds: float = 0.4) -> None:
        self.sandbox = sandbox
        self.truth: Truth = truth_of(sandbox)
        self.job = sandbox.job_file(folder, load={"workers": 2})
        sandbox.faults.add(UPSERT, FaultKind.LATENCY, seconds=seconds)

    def await_writes(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until Replicon has been written to a few times."""
        until(
            lambda: len(self.sandbox.replicon.change_log) >= 3 or (process is not None and process.poll() is not None)
        )

    def check_and_go_on(self) -> None:
        """Check that the cycle ended as stopped and left nothing open, and that the next one does the rest."""
        made = len(self.sandbox.replicon.change_log)
        with ledger_of(self.job) as ledger:
            latest = ledger.cycles("sandbox").iloc[0]
            assert (latest["state"], latest["message"][:9]) == ("Stopped", "stopped: ")
            assert ledger.open_requests("sandbox") == []
            assert len(ledger.links("sandbox")) == made
        self.sandbox.faults.clear()
        run_cycle(self.job)
        self.truth.cycle(self.sandbox.tenant, keeps(self.sandbox))
        assert differences(self.truth, self.sandbox) == []
        assert made < len(self.sandbox.replicon.change_log)


def until(happens: Callable[[], bool]) -> None:
    """Wait until something happens in another process; fails when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path) -> Company:
    return Company(sandboxes(users=40), tmp_path)


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a Python process that uses the tests' Prefect server."""
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or "", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Whoever runs the tests in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise elsewhere")
@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_command_line_which_says_how_to_go_on(company: Company, order: signal.Signals) -> None:
    process = started("-m", "flows.cli", "run", str(company.job), "--apply")
    company.await_writes(process)
    process.send_signal(order)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.SOME_FAILED, said.decode()
    assert "The run was stopped" in " ".join(said.decode().split())
    company.check_and_go_on()


def test_a_flow_that_runs_out_of_time_is_stopped(sandboxes: Sandboxes, tmp_path: Path) -> None:
    company = Company(sandboxes(users=40), tmp_path, seconds=1.5)
    timed = provision.with_options(timeout_seconds=8)
    state = timed(str(company.job), apply_first_plan=True, return_state=True)
    assert state.name == "TimedOut"
    company.check_and_go_on()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise elsewhere")
def test_a_cancellation_in_prefect_stops_the_cycle(company: Company) -> None:
    server = started("-c", SERVE)
    try:
        with get_client(sync_client=True) as client:

            def deployed() -> list[DeploymentResponse]:
                # Other tests leave deployments of their own on this server.
                return client.read_deployments(
                    deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["cancelled"]))
                )

            until(lambda: bool(deployed()) or server.poll() is not None)
            run = client.create_flow_run_from_deployment(
                deployed()[0].id,
                parameters={"job_file": str(company.job), "apply_first_plan": True},
            )
            company.await_writes(server)
            client.set_flow_run_state(run.id, Cancelling())

            def seen() -> FlowRun:
                return client.read_flow_run(run.id)

            until(lambda: seen().state_type is StateType.CANCELLED)
    finally:
        server.terminate()
        said, _ = server.communicate(timeout=PATIENCE)
    assert company.sandbox.replicon.change_log, said.decode()
    company.check_and_go_on()

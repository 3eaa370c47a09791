"""A whole installation for tests, as a team runs it: PostgreSQL, Prefect's server, a worker, and a deployed job.

Everything but the sandbox runs in processes of its own and is reached over the wire. Nothing is judged here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Scheduled
from rich.console import Console

from deployments.sandbox.sandbox import Sandbox
from flows.serving import prefect_server
from tasks.ledger.ledger import Ledger
from tests.databases import empty_database, running_whole_postgres

PATIENCE: Final = 200.0
"""Seconds for which something in another process is waited for."""
INTERVAL: Final = 8
"""Seconds between scheduled cycles: shorter than a run takes, so that some are late."""
_QUICK: Final = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PYTHONUNBUFFERED": "1",
}


_Seen = TypeVar("_Seen")


def until(seen: Callable[[], _Seen]) -> _Seen:
    """Wait until `seen` gives something true, and give that; fails when it does not come to be."""
    deadline = time.monotonic() + PATIENCE
    while not (found := seen()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


class Installation:
    """One deployed job of a sandbox, its worker, and what Prefect and the ledger say of its runs."""

    def __init__(self, folder: Path, pages: str, sandbox: Sandbox, ledger_url: str) -> None:
        self.folder, self.pages, self.sandbox = folder, pages, sandbox
        self.job = sandbox.job_file(folder, ledger={"url": ledger_url}, load={"workers": 1})
        self.ledger_url = ledger_url
        self.worker = self._work()

    def ledger(self) -> Ledger:
        """Open the job's ledger."""
        return Ledger.open(self.ledger_url)

    def deploy(self) -> str:
        """Deploy by the documented command, at a short interval; the schedule rests. Give what it says."""
        described = (resources.files("deployments") / "prefect.yaml").read_text(encoding="utf-8")
        file = self.folder / "prefect.yaml"
        quick = re.sub(r"interval: 1200\n", f"interval: {INTERVAL}\n        active: false\n", described)
        file.write_text(quick, encoding="utf-8")
        return self.command("deploy", str(self.job), "--file", str(file))

    def command(self, *arguments: str) -> str:
        """Call `provision` in the installation's folder and give what it prints; fails when it does."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": "200"},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deployment_id(self, flow: str) -> UUID:
        """Give the id of the job's deployment of a flow."""
        with get_client(sync_client=True) as client:
            return client.read_deployment_by_name(f"{flow}/sandbox").id

    def schedule(self, *, active: bool) -> None:
        """Switch the schedule of the cycles on or off."""
        with get_client(sync_client=True) as client:
            found = client.read_deployment(self.deployment_id("provision"))
            client.update_deployment_schedule(found.id, found.schedules[0].id, active=active)

    def twin(self) -> UUID:
        """Make a second deployment of the job's cycles, and give its id."""
        with get_client(sync_client=True) as client:
            known = client.read_deployment(self.deployment_id("provision"))
            return client.create_deployment(
                flow_id=known.flow_id,
                name="twin",
                entrypoint=known.entrypoint,
                pull_steps=known.pull_steps,
                parameters=known.parameters,
                work_pool_name=known.work_pool_name,
                job_variables=known.job_variables,
            )

    def cancel(self, run_id: UUID) -> None:
        """Click Cancel."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run_id, Cancelling())

    def retry(self, run_id: UUID) -> None:
        """Have Prefect run it again, as the button and `prefect flow-run retry` do."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run_id, Scheduled(), force=True)

    def start(self, flow: str, **parameters: Any) -> UUID:
        """Start a run of a deployment, as the pages do; give its id."""
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(self.deployment_id(flow), parameters=parameters).id

    def run(self, run_id: UUID) -> FlowRun:
        """Give a run as it stands."""
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run_id)

    def runs(self, flow: str) -> list[FlowRun]:
        """Give the runs of the job's deployment of a flow."""
        chosen = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment_id(flow)]))
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(deployment_filter=chosen)

    def ended(self, run_id: UUID) -> FlowRun:
        """Wait until a run has ended, and give it."""

        def final() -> FlowRun | None:
            run = self.run(run_id)
            return run if run.state is not None and run.state.is_final() else None

        run = until(final)
        assert run is not None
        return run

    def await_writes(self, more: int = 2) -> None:
        """Wait until Replicon has been written to a few more times."""
        enough = len(self.sandbox.replicon.change_log) + more
        until(lambda: len(self.sandbox.replicon.change_log) >= enough)

    def kill_the_worker(self) -> None:
        """Kill the worker and what it runs, as a power cut does."""
        with self.ledger() as ledger:
            holder = ledger.holder("sandbox")
        assert holder is not None
        found = re.search(r"process (\d+)", holder.holder)
        assert found is not None
        for process in (self.worker.pid, int(found[1])):
            os.kill(process, signal.SIGKILL)
        self.worker.wait()

    def replace_the_worker(self) -> None:
        """Start another worker."""
        self.worker = self._work()

    def stop(self) -> None:
        """Stop the worker, and with it what it runs."""
        self.worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.worker.wait(30)
        self.worker.kill()

    def _work(self) -> subprocess.Popen[bytes]:
        command: Sequence[str] = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "provision"]
        # The worker makes its pool where `provision deploy` has not yet.
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--type", "process"], cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, env=os.environ
            )


def states(runs: Sequence[FlowRun], state: StateType) -> list[FlowRun]:
    """Give the runs in a state."""
    return [run for run in runs if run.state_type is state]


@contextlib.contextmanager
def installed(folder: Path, environment: Callable[[Mapping[str, str]], None]) -> Iterator[Installation]:
    """Install everything in `folder`, with a job that is deployed; `environment` sets variables for all processes."""
    with contextlib.ExitStack() as running:
        postgres = running.enter_context(running_whole_postgres())
        server_url, ledger_url = (running.enter_context(empty_database(postgres)) for _ in range(2))
        prefect_url = sa.make_url(server_url).set(drivername="postgresql+asyncpg")
        sandbox = running.enter_context(Sandbox(users=40, seed=4))
        environment(
            {
                **_QUICK,
                **sandbox.environment(),
                "PREFECT_HOME": str(folder / "prefect"),
                "PREFECT_API_DATABASE_CONNECTION_URL": prefect_url.render_as_string(hide_password=False),
                # The code under test, wherever the installation's folder is.
                "PYTHONPATH": str(Path(__file__).parents[2]),
            }
        )
        pages = running.enter_context(prefect_server(Console(quiet=True), folder))
        running.enter_context(temporary_settings({PREFECT_API_URL: f"{pages}/api"}))
        installation = Installation(folder, pages, sandbox, ledger_url)
        running.callback(installation.stop)
        installation.deploy()
        yield installation

"""A retried run: it goes on with the plan of its first attempt and reads nothing, or plans anew where that is due."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.flow_engine import run_flow
from prefect.states import Scheduled
from prefect.types.entrypoint import EntrypointType

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.sandbox import Sandbox
from flows.provision import provision
from flows.prune import prune
from flows.resume import RUNS
from tasks.model import CycleKind, ResetScope
from tests.flows.actual import differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle, writes

UPSERT = "replicon:ImportService2.CreateUserOrApplyModifications"


class Broken:
    """A deployed run whose first attempt was stopped in the middle of load, because Replicon refused the sign-in."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.truth = sandbox, truth_of(sandbox)
        self.job = sandbox.job_file(folder, load={"workers": 1})
        deployed = RunnerDeployment.from_flow(provision, name="retried", entrypoint_type=EntrypointType.MODULE_PATH)
        parameters = {"job_file": str(self.job), "apply_first_plan": True}
        # Typed for what Prefect's calls give where no event loop runs.
        deployment_id = cast(UUID, deployed.apply())
        with get_client(sync_client=True) as client:
            self.run_id: UUID = client.create_flow_run_from_deployment(deployment_id, parameters=parameters).id
        sandbox.faults.add(UPSERT, FaultKind.EXPIRED_TOKEN, after=8)
        assert self.attempt().is_failed()
        sandbox.faults.clear()
        self.made = len(sandbox.replicon.change_log)

    def attempt(self) -> State[Any]:
        """Run what Prefect has scheduled."""
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(self.run_id)
        return cast("State[Any]", run_flow(provision, flow_run=run, return_type="state"))

    def retry(self) -> State[Any]:
        """Click Retry, and run it."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.run_id, Scheduled(), force=True)
        return self.attempt()

    def asked_of_graph(self) -> int:
        """Count the requests to the directory so far."""
        return sum(count for name, count in self.sandbox.server.requests.items() if name.startswith("graph:"))

    def check(self) -> None:
        """Check that everything is as the directory says, and was made once."""
        self.truth.cycle(self.sandbox.tenant, keeps(self.sandbox))
        assert differences(self.truth, self.sandbox) == []
        with ledger_of(self.job) as ledger:
            links, verified = ledger.links("sandbox"), ledger.verify("sandbox")
        created = [change.uri for change in self.sandbox.replicon.change_log if change.kind == "create"]
        assert (len(set(created)), len(links), verified.sound) == (len(created), len(created), True)


@pytest.fixture
def broken(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broken:
    monkeypatch.chdir(tmp_path)
    return Broken(sandboxes(users=25), tmp_path)


def test_a_retry_goes_on_with_the_plan_of_the_first_attempt_and_reads_nothing_again(broken: Broken) -> None:
    assert 0 < broken.made < 15
    assert [path.stat().st_mode & 0o777 for path in RUNS.glob("*/*")] == [0o700]
    asked = broken.asked_of_graph()
    state = broken.retry()
    assert state.is_completed(), state.message
    assert broken.asked_of_graph() == asked
    assert len(broken.sandbox.replicon.change_log) > broken.made
    assert list(RUNS.rglob("*.parquet")) == []
    broken.check()
    sent = writes(broken.sandbox)
    assert (run_cycle(broken.job).facts.kind, writes(broken.sandbox)) == (CycleKind.INCREMENTAL, sent)


def test_a_retry_that_fails_again_is_taken_up_by_the_next_one(broken: Broken) -> None:
    asked = broken.asked_of_graph()
    broken.sandbox.faults.add(UPSERT, FaultKind.EXPIRED_TOKEN, after=5)
    assert broken.retry().is_failed()
    broken.sandbox.faults.clear()
    assert broken.retry().is_completed()
    assert broken.asked_of_graph() == asked
    broken.check()


def change_the_job(broken: Broken) -> None:
    broken.job.write_text(broken.job.read_text(encoding="utf-8") + "guards: {grace_days: 0}\n", encoding="utf-8")


def run_another_cycle(broken: Broken) -> None:
    broken.sandbox.faults.add(UPSERT, FaultKind.EXPIRED_TOKEN)
    run_cycle(broken.job)
    broken.sandbox.faults.clear()


def restart_the_job(broken: Broken) -> None:
    with ledger_of(broken.job) as ledger:
        ledger.restart("sandbox", {ResetScope.ESCROWS}, "ada")


def move_to_another_machine(_: Broken) -> None:
    shutil.rmtree(RUNS)


def damage_what_is_kept(_: Broken) -> None:
    [plan] = RUNS.rglob("plan.parquet")
    plan.write_bytes(plan.read_bytes()[:-100])


@pytest.mark.parametrize(
    "happens", [change_the_job, run_another_cycle, restart_the_job, move_to_another_machine, damage_what_is_kept]
)
def test_a_plan_that_may_be_stale_is_made_anew(broken: Broken, happens: Callable[[Broken], None]) -> None:
    happens(broken)
    asked = broken.asked_of_graph()
    assert broken.retry().is_completed()
    assert broken.asked_of_graph() > asked
    broken.check()


def test_pruning_removes_what_can_no_longer_be_taken_up(broken: Broken) -> None:
    prune(str(broken.job))
    assert list(RUNS.rglob("plan.parquet"))
    [head] = RUNS.rglob("cycle.json")
    os.utime(head, (0, 0))
    prune(str(broken.job))
    assert list(RUNS.rglob("*.parquet")) == []


def test_a_run_that_nobody_can_retry_keeps_nothing(
    sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = sandboxes(users=25)
    sandbox.faults.add(UPSERT, FaultKind.EXPIRED_TOKEN, after=3)
    run_cycle(sandbox.job_file(tmp_path))
    assert not RUNS.exists()

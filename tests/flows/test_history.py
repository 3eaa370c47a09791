"""What Prefect's run history holds after a cycle: it is the report that people look at first."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import Artifact, FlowRun

from deployments.sandbox.sandbox import DEFAULT_MAPPING
from tasks.model import REDACTED
from tasks.report.cycle import Told
from tests.flows.actual import accounts
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle

STAGES = {"extract-assignments", "transform-via-mapping", "reconcile", "load", "report"}


class History:
    """One cycle as Prefect's server tells it."""

    def __init__(self, client: SyncPrefectClient, run_id: UUID, told: Told) -> None:
        self.told = told
        self.run: FlowRun = client.read_flow_run(run_id)
        self._only = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
        self._client = client

    def stages(self) -> dict[str, str]:
        """Give the final state of each task by its name, once the server has recorded all of them.

        Prefect sends them as events, which its server takes in after the run has ended.
        """
        found: dict[str, str] = {}
        for _ in range(100):
            runs = self._client.read_task_runs(flow_run_filter=self._only)
            found = {run.name.rpartition("-")[0]: run.state_name or "" for run in runs}
            if len(found) == len(STAGES) and set(found.values()) == {"Completed"}:
                break
            threading.Event().wait(0.2)
        return found

    def artifacts(self) -> dict[str, Artifact]:
        """Give the run's artifacts by key."""
        only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.run.id]))
        return {str(found.key): found for found in self._client.read_artifacts(artifact_filter=only)}


@pytest.fixture(scope="module")
def history(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> History:
    return _history(sandboxes(users=30).job_file(tmp_path_factory.mktemp("history")))


def _history(job_file: Path) -> History:
    """Run one cycle and give what Prefect's server tells of it."""
    told = run_cycle(job_file)
    with ledger_of(job_file) as ledger:
        run_id = ledger.cycles("sandbox", 1)["flow_run_id"].iloc[0]
    return History(get_client(sync_client=True), UUID(run_id), told)


def test_the_run_is_named_after_the_job_and_what_it_did(history: History) -> None:
    assert history.run.name.startswith("sandbox")
    assert history.run.name.endswith(history.told.verdict.sentence)
    assert "created" in history.run.name


def test_the_final_state_says_how_it_went(history: History) -> None:
    state = history.run.state
    assert state is not None
    assert (state.is_final(), state.message) == (True, history.told.verdict.sentence)


def test_every_stage_is_one_task(history: History) -> None:
    assert history.stages() == dict.fromkeys(STAGES, "Completed")


def test_the_summary_the_activity_and_the_plan_are_artifacts(history: History) -> None:
    found = history.artifacts()
    kinds = {key: artifact.type for key, artifact in found.items()}
    assert kinds == {
        "provisioning-summary-sandbox": "markdown",
        "provisioning-activity-sandbox": "table",
        "provisioning-plan-sandbox": "markdown",
        "provisioning-progress-extract-sandbox": "progress",
        "provisioning-progress-load-sandbox": "progress",
    }
    assert history.told.verdict.sentence in str(found["provisioning-summary-sandbox"].data)


def test_how_far_the_read_and_the_writing_got_are_artifacts_too(history: History) -> None:
    found = history.artifacts()
    read, written = (found[f"provisioning-progress-{stage}-sandbox"] for stage in ("extract", "load"))
    assert (read.data, written.data) == (100.0, 100.0)
    assert re.fullmatch(r"(\d+) of \1 people read; \d+ pages, .+ people/s", str(read.description))
    assert re.fullmatch(r"(\d+) of \1 changes carried out; .+ a second", str(written.description))


def test_no_parameter_and_no_artifact_holds_a_secret(history: History) -> None:
    shown = str([history.run.parameters, *(artifact.data for artifact in history.artifacts().values())])
    assert "sandbox-replicon-password" not in shown
    assert "sandbox-graph-secret" not in shown


def test_a_redacted_value_reaches_replicon_and_no_log(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=30)
    mapping = tmp_path / "redacted.yaml"
    text = DEFAULT_MAPPING.read_text(encoding="utf-8")
    mapping.write_text(text.replace("'[employeeId]'", "'Redact([employeeId])'"), encoding="utf-8")
    history = _history(sandbox.job_file(tmp_path, mapping=str(mapping)))
    written = {str(account["employeeId"]) for account in accounts(sandbox).values() if account["employeeId"]}
    assert len(written) > 10
    with ledger_of(tmp_path / "sandbox.yaml") as ledger:
        told = " ".join(ledger.activities(cycle_id=history.told.facts.cycle_id)["changes"])
    told += " ".join(str(artifact.data) for artifact in history.artifacts().values())
    assert told.count(REDACTED) > len(written)
    assert not [one for one in written if one in told]

"""A plan that waits in Prefect: nothing is written until somebody decides, and then exactly what they decided."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType

from flows.ask import plan_for_approval
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, writes


class Waiting:
    """A run of the flow in another thread, answered once it waits."""

    def __init__(self, job: Path) -> None:
        self.states: list[Any] = []
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(str(job),))
        self._thread.start()

    def _run(self, job: str) -> None:
        self.states.append(plan_for_approval(job, wait_hours=0.1, return_state=True))

    def answer(self, **given: str) -> Any:
        """Answer the form; give the run's final state."""
        with get_client(sync_client=True) as client:
            paused = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
            while not (runs := client.read_flow_runs(flow_run_filter=paused)):
                assert self._thread.is_alive(), self.states
                self._paused.wait(0.2)
            client.resume_flow_run(runs[0].id, run_input=given)
        self._thread.join(120)
        return self.states[0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_approved_plan_goes_on_from_where_it_waited(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=25, seed=8)
    job, truth = sandbox.job_file(tmp_path), truth_of(sandbox)
    waiting = Waiting(job)
    before = writes(sandbox).total()
    state = waiting.answer(choice="everything", by="ada", why="looked at it")
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert (before, state.is_completed(), differences(truth, sandbox)) == (0, True, [])
    with ledger_of(job) as ledger:
        assert len(ledger.links("sandbox"))


def test_a_rejected_plan_writes_nothing_and_says_who_and_why(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=25, seed=9)
    has = accounts(sandbox)
    state = Waiting(sandbox.job_file(tmp_path)).answer(choice="rejected", by="ada", why="a mistake")
    assert (state.message, accounts(sandbox)) == ("Rejected by ada: a mistake", has)

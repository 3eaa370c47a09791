"""Cycles whose work the workers of a real Dask cluster share end as those of one process, a killed worker or not.

A scheduler and two workers are processes of their own; the ledger is PostgreSQL.
"""

from __future__ import annotations

import _thread
import contextlib
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from prefect.client.orchestration import get_client

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.sandbox import Sandbox
from flows.cluster_work import let_go_on, obeying, order_stop
from flows.provision import provision
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import State
from tasks.load.policy import NOT_ATTEMPTED
from tasks.model import BadInputError, CycleKind, ExitCode, UnreachableError
from tests.flows.actual import differences, keeps, truth_of
from tests.flows.cluster import DaskCluster
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle

pytestmark = pytest.mark.postgres
on_postgresql = pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
PER_PART = 20
WRITES = "replicon:ImportService2.CreateUserOrApplyModifications"


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


@pytest.fixture
def cluster(dask: DaskCluster) -> DaskCluster:
    dask.complete()
    return dask


def job_of(sandbox: Sandbox, folder: Path, ledger_url: str, scheduler: str | None) -> Path:
    """Write a job whose work is cut into parts."""
    section = {"scheduler": scheduler, "folder": str(folder / "parts"), "people_per_part": PER_PART}
    return sandbox.job_file(folder, ledger={"url": ledger_url}, load={"workers": 4}, cluster=section)


def holders(ledger_url: str) -> set[int]:
    """Give the processes that took the parts of the latest load."""
    url = sa.make_url(ledger_url).render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        return {int(row[0].split()[1]) for row in connection.execute("SELECT holder FROM parts")}


def completed_tasks() -> set[str]:
    """Give the names of Prefect's task runs that have completed."""
    with get_client(sync_client=True) as client:
        return {run.name for run in client.read_task_runs() if run.state is not None and run.state.is_completed()}


@on_postgresql
def test_cycles_on_a_cluster_make_replicon_what_it_must_be(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str, cluster: DaskCluster
) -> None:
    sandbox = sandboxes(users=110, seed=5, existing=0.2, orphans=3)
    truth, job = truth_of(sandbox), job_of(sandbox, tmp_path, ledger_url, cluster.address)

    assert run_cycle(job).facts.kind is CycleKind.INITIAL
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert differences(truth, sandbox) == []
    assert holders(ledger_url) == set(cluster.workers)
    assert "load-part-0" in completed_tasks()

    sandbox.month_passes(share=0.6)
    assert run_cycle(job).facts.kind is CycleKind.INCREMENTAL
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert (differences(truth, sandbox), list((tmp_path / "parts").iterdir())) == ([], [])


@contextlib.contextmanager
def in_mid_load(ledger: Ledger, strike: Callable[[], None], ready: Callable[[], bool]) -> Iterator[list[bool]]:
    """Strike once while requests are under way and the parts are as `ready` says; give a list that tells of it."""
    struck: list[bool] = []
    over = threading.Event()

    def wait_and_strike() -> None:
        while not over.wait(0.02):
            if ready() and any(one.state is State.SENT for one in ledger.open_requests("sandbox")):
                struck.append(True)
                strike()
                return

    thread = threading.Thread(target=wait_and_strike)
    thread.start()
    try:
        yield struck
    finally:
        over.set()
        thread.join()


@on_postgresql
def test_a_worker_killed_in_mid_load_loses_nothing_and_nothing_is_repeated(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str, cluster: DaskCluster
) -> None:
    sandbox = sandboxes(users=110, seed=6)
    truth, job = truth_of(sandbox), job_of(sandbox, tmp_path, ledger_url, cluster.address)
    sandbox.faults.add(WRITES, FaultKind.LATENCY, seconds=0.15)
    both, dies = set(cluster.workers), cluster.workers[0]

    with ledger_of(job) as ledger:
        with in_mid_load(ledger, lambda: cluster.kill(dies), lambda: holders(ledger_url) == both) as struck:
            told = run_cycle(job)
        activities = ledger.activities(cycle_id=told.facts.cycle_id)
        in_flight = ledger.open_requests("sandbox")

    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert (struck, in_flight, differences(truth, sandbox)) == ([True], [], [])
    assert dies not in holders(ledger_url)
    created = Counter(change.login.lower() for change in sandbox.replicon.change_log if change.kind == "create")
    assert set(created.values()) == {1}
    assert activities["source_id"].dropna().is_unique
    made = activities[activities["operation"].eq("create") & activities["status"].isin(["success", "warning"])]
    assert sorted(made["target_name"].str.lower()) == sorted(created)


@on_postgresql
def test_stopped_in_mid_load_workers_finish_what_is_under_way_and_the_next_cycle_goes_on(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str, cluster: DaskCluster
) -> None:
    sandbox = sandboxes(users=110, seed=6)
    # The job prepares for a cluster, and the run names it.
    truth, job = truth_of(sandbox), job_of(sandbox, tmp_path, ledger_url, None)
    sandbox.faults.add(WRITES, FaultKind.LATENCY, seconds=0.3)

    with ledger_of(job) as ledger:
        with (
            in_mid_load(ledger, _thread.interrupt_main, lambda: bool(holders(ledger_url))) as struck,
            pytest.raises(KeyboardInterrupt),
        ):
            provision(str(job), apply_first_plan=True, scheduler=cluster.address)
        in_flight, codes = ledger.open_requests("sandbox"), set(ledger.activities()["error_code"].dropna())
    assert (struck, in_flight, NOT_ATTEMPTED in codes) == ([True], [], True)

    sandbox.faults.clear()
    run_cycle(job)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert differences(truth, sandbox) == []


@on_postgresql
def test_without_a_scheduler_the_cycle_fails_and_says_what_to_start(
    sandboxes: Sandboxes, tmp_path: Path, ledger_url: str
) -> None:
    job = job_of(sandboxes(users=60, seed=7), tmp_path, ledger_url, "tcp://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="dask scheduler") as caught:
        run_cycle(job)
    assert caught.value.exit_code == ExitCode.UNREACHABLE


def test_a_run_that_names_a_scheduler_needs_a_folder_for_the_parts(sandboxes: Sandboxes, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"cluster: \{folder"):
        provision(str(sandboxes().job_file(tmp_path)), scheduler="tcp://127.0.0.1:9")


def test_an_order_to_stop_reaches_whoever_works_in_the_folder(tmp_path: Path) -> None:
    let_go_on(tmp_path)
    with obeying(tmp_path) as stop:
        assert not stop.is_set()
        order_stop(tmp_path)
        assert stop.wait(60)


def test_whoever_works_in_a_folder_that_is_gone_stops(tmp_path: Path) -> None:
    folder = tmp_path / "cycle"
    folder.mkdir()
    let_go_on(folder)
    with obeying(folder) as stop:
        shutil.rmtree(folder)
        assert stop.wait(60)

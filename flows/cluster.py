"""Where a cycle's work is done: in this process, or in parts by the workers of a Dask cluster that is there already.

`flows.provision` calls the stages that this module gives. What a worker does with a part is in `cluster_work.py`. Dask
is imported by jobs that name a scheduler, and by no others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pandas as pd
from prefect import Task

from flows.cluster_work import let_go_on, load_part_task, order_stop, transform_part_task
from flows.parts import Parts
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Cluster, Job
from tasks.ledger.ledger import Ledger
from tasks.load.parts import cut_plan
from tasks.load.policy import NOT_ATTEMPTED
from tasks.load.prepare import SecondLook
from tasks.load.task import load_task
from tasks.model import OUTCOME_COLUMNS, Accounts, BadInputError, Plan, Progress, UnreachableError, conform, silent
from tasks.reconcile.plan_file import save_plan
from tasks.transform.accounts import Taken
from tasks.transform.mapping import AttributeMapping
from tasks.transform.parts import cut_people, together
from tasks.transform.task import transform_via_mapping_task

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_PATIENCE: Final = "10s"
"""How long the scheduler may take to answer."""


@dataclasses.dataclass(frozen=True)
class Stages:
    """The stages whose work can be divided; called like `transform_via_mapping_task` and `load_task`."""

    transform: Callable[..., Accounts]
    load: Callable[..., pd.DataFrame]


@contextlib.contextmanager
def stages_of(parts: Parts, cycle_id: str, scheduler: str = "") -> Iterator[Stages]:
    """Give the stages of a cycle: on the cluster of the job, or of the run that names a `scheduler`; else here.

    Raises `BadInputError` when the job does not say how work is divided, or what that needs is not installed, and
    `UnreachableError`, at the first part, when no scheduler or no worker is there.
    """
    cluster = parts.job.cluster
    address = scheduler or (cluster.scheduler if cluster is not None else None)
    if address is None:
        yield Stages(transform_via_mapping_task, _load_here)
        return
    if cluster is None:
        raise BadInputError(
            f"The run names the scheduler {address}, and the job {parts.job.name} does not say where its workers find "
            "their parts. Add `cluster: {folder: ...}` to the job file, a folder that all of them see."
        )
    with _folder(cluster, parts.job, cycle_id) as folder, contextlib.ExitStack() as connected:
        given = _Workers(address, connected)
        stages = _Divided(parts.job, folder, cluster.people_per_part, given)
        yield Stages(stages.transform, stages.load)


@contextlib.contextmanager
def _folder(cluster: Cluster, job: Job, cycle_id: str) -> Iterator[Path]:
    """Give a folder for a cycle's parts, for nobody but this user; none of an earlier cycle is left beside it."""
    home = cluster.folder / f"parts-of-{job.name}"
    shutil.rmtree(home, ignore_errors=True)
    folder = home / cycle_id
    try:
        folder.mkdir(parents=True, mode=0o700)
        let_go_on(folder)
    except OSError as error:
        raise BadInputError(
            f"{job.file}: `cluster.folder` is {cluster.folder}, in which no folder can be made ({error.strerror}). "
            "Name one that this machine and all workers can write to."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Workers:
    """The workers of the cluster behind `address`; the first part connects, the end of the cycle disconnects."""

    def __init__(self, address: str, connected: contextlib.ExitStack) -> None:
        self._address = address
        self._connected = connected
        self._runner: DaskTaskRunner | None = None

    def do(
        self, task: Task[..., str], calls: Sequence[dict[str, Any]], told: Callable[[int], None], folder: Path
    ) -> list[Path]:
        """Have a task called for each of `calls`; give the paths that it gives, and tell how many calls are done.

        All are waited for even if one fails. An exception that strikes the waiting caller, such as a cancellation,
        orders those at work in `folder` to stop; they are waited for before it passes on.
        """
        if not calls:
            return []
        runner = self._runner = self._runner or self._connect()
        futures = [runner.submit(task, call) for call in calls]
        try:
            for done, future in enumerate(futures, 1):
                future.wait()
                told(done)
        except BaseException:
            order_stop(folder)
            for future in futures:
                future.wait()
            raise
        return [Path(future.result()) for future in futures]

    def _connect(self) -> DaskTaskRunner:
        try:
            from prefect_dask.task_runners import DaskTaskRunner
        except ModuleNotFoundError as error:
            raise BadInputError(
                f"The work is to be done on the cluster behind {self._address}, and {error.name} is not installed. "
                "Install replicon-provisioning[dask] here and on every worker."
            ) from error
        runner = self._connected.enter_context(
            DaskTaskRunner(address=self._address, client_kwargs={"timeout": _PATIENCE})
        )
        try:
            workers = runner.client.scheduler_info()["workers"]
        except (OSError, ValueError) as error:
            raise UnreachableError(
                f"No Dask scheduler answers at {self._address} ({type(error).__name__}). Start it with `dask "
                "scheduler`, or correct `cluster.scheduler`."
            ) from error
        if not workers:
            raise UnreachableError(
                f"The Dask scheduler at {self._address} has no workers. Start some with `dask worker {self._address}`."
            )
        return runner


@dataclasses.dataclass(frozen=True)
class _Divided:
    """The stages in parts of up to `size` people. What is one part anyway is done here."""

    job: Job
    folder: Path
    size: int
    workers: _Workers

    def transform(
        self,
        assignments: pd.DataFrame,
        mapping: AttributeMapping,
        now: dt.datetime,
        default_domain: str | None = None,
        taken: Taken | None = None,
        linked: pd.Series | None = None,
        progress: Progress = silent,
    ) -> Accounts:
        """Give the account that each person should have; workers ask the target themselves what is `taken`."""
        if len(assignments) <= self.size:
            return transform_via_mapping_task(assignments, mapping, now, default_domain, taken, linked, progress)
        cut = cut_people(assignments, linked, self.size, self.folder)
        calls = [
            {
                "job_file": str(self.job.file),
                "part": str(part),
                "mapping_digest": mapping.digest,
                "now": now,
                "default_domain": default_domain,
            }
            for part in cut
        ]
        made = self.workers.do(
            transform_part_task, calls, lambda done: progress("transform", done, len(cut), "parts"), self.folder
        )
        return together(made, mapping)

    def load(
        self,
        plan: Plan,
        target: RepliconUsers,
        ledger: Ledger,
        job: Job,
        *,
        second_look: SecondLook | None,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """Carry out a plan and give its outcomes: here what others depend on, then the rest by the workers."""
        if len(plan.operations) <= self.size:
            return _load_here(plan, target, ledger, job, second_look=second_look, progress=progress)
        cut = cut_plan(plan, self.size)
        total = len(plan.operations)

        def here(part: Plan, stop: threading.Event | None = None) -> pd.DataFrame:
            return _load_here(
                part,
                target,
                ledger,
                job,
                second_look=second_look,
                progress=lambda stage, done, _, note="": progress(stage, done, total, note),
                stop=stop,
            )

        first: pd.DataFrame | None = None
        try:
            first = here(cut.first)
        finally:
            # Cancelled, or stopped for a reason of its own: what its turn did not come for is told all the same.
            stopped = first is None or bool(first["error_code"].eq(NOT_ATTEMPTED).any())
            rest = [here(part, _stopped()) for part in cut.rest] if stopped else []
        if not stopped:
            rest = self._handed_out(cut.rest, len(cut.first.operations), total, progress)
        return conform(pd.concat([first, *rest], ignore_index=True), OUTCOME_COLUMNS, "outcomes")

    def _handed_out(self, rest: Sequence[Plan], before: int, total: int, progress: Progress) -> list[pd.DataFrame]:
        """Have the workers carry out plans; give the outcomes."""
        calls = []
        for number, part in enumerate(rest):
            file = self.folder / f"plan-{number:05}.parquet"
            save_plan(part, file)
            calls.append({"job_file": str(self.job.file), "part": str(file), "number": number})
        counts = [before + sum(len(part.operations) for part in rest[:done]) for done in range(len(rest) + 1)]
        made = self.workers.do(load_part_task, calls, lambda done: progress("load", counts[done], total), self.folder)
        return [pd.read_parquet(file, dtype_backend="pyarrow") for file in made]


def _stopped() -> threading.Event:
    """Give an order to stop that has been given: nothing is sent."""
    order = threading.Event()
    order.set()
    return order


def _load_here(*arguments: Any, **more: Any) -> pd.DataFrame:
    """Be `load_task`; by its annotations a frame passes for a coroutine, which tasks give in asynchronous flows."""
    return cast(pd.DataFrame, load_task(*arguments, **more))

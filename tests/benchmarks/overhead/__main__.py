"""Measure what Prefect costs a cycle, and how long commands take to start: python -m tests.benchmarks.overhead.

[--people 200 20000]. Each company has a first cycle that only plans, and two cycles without a change, against a whole
Prefect server. The stages' own work is what Prefect says that the tasks ran for. Prints a table to copy.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from rich.console import Console

from deployments.sandbox.sandbox import Sandbox
from flows.serving import prefect_server

COMMANDS = ("plan", "explain", "report", "status")


@dataclasses.dataclass(frozen=True)
class Cycle:
    """One measured cycle; times are in seconds."""

    people: int
    name: str
    whole: float
    stages: float

    @property
    def rest(self) -> float:
        """Give everything but the stages' own work."""
        return self.whole - self.stages


def cycles(people: int, folder: Path) -> Iterator[Cycle]:
    """Run and measure the cycles of a company of so many people; nothing is written to its Replicon."""
    from flows.provision import provision
    from tasks.job import load_job
    from tasks.ledger.ledger import Ledger

    with Sandbox(users=people, seed=1) as sandbox:
        os.environ.update(sandbox.environment())
        job = sandbox.job_file(folder)
        for name in ("first plan", "again"):
            began = time.perf_counter()
            provision(str(job), return_state=True)
            whole = time.perf_counter() - began
            with Ledger.open(load_job(job).ledger.url) as ledger:
                run_id = str(ledger.cycles("sandbox", 1)["flow_run_id"].iloc[0])
            yield Cycle(people, name, whole, stage_seconds(run_id))


def stage_seconds(run_id: str) -> float:
    """Give how long the tasks of a flow run ran, as Prefect's server has it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run_id)]))
    with get_client(sync_client=True) as client:
        # Tasks are told to the server as events, which it takes in with a delay.
        while len(runs := client.read_task_runs(flow_run_filter=chosen)) < 5 or not all(
            run.state is not None and run.state.is_final() for run in runs
        ):
            time.sleep(0.2)
    return sum(run.total_run_time.total_seconds() for run in runs)


def started(command: list[str]) -> float:
    """Give the best of three times, in seconds, that a process takes from its start to its end."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=False)
        taken.append(time.perf_counter() - began)
    return min(taken)


def starts(folder: Path) -> dict[str, float]:
    """Measure the commands on a company of twenty that has had its first cycle, beside Python with pandas."""
    from flows.provision import provision

    with Sandbox(users=20, seed=1) as sandbox:
        os.environ.update(sandbox.environment())
        job = sandbox.job_file(folder)
        provision(str(job), return_state=True)
        person = str(next(iter(sandbox.tenant.users()))["id"])
        bare = started(["-c", "import pandas"])
        more = {"explain": [person]}
        return {
            "python -c 'import pandas'": bare,
            **{
                f"provision {name}": started(["-m", "flows.cli", name, str(job), *more.get(name, [])])
                for name in COMMANDS
            },
        }


def measure(people: list[int]) -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name:
        folder = Path(name)
        os.environ.update(PREFECT_HOME=name, PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
        with prefect_server(Console(quiet=True), folder):
            # The first flow of a process opens connections and registers itself.
            for count in (20, *people):
                place = folder / str(count)
                place.mkdir()
                for cycle in cycles(count, place):
                    print(
                        f"| {cycle.people:,} | {cycle.name} | {cycle.whole:.1f} | {cycle.stages:.1f} "
                        f"| {cycle.rest:.1f} |",
                        flush=True,
                    )
            place = folder / "starts"
            place.mkdir()
            for command, seconds in starts(place).items():
                print(f"| `{command}` | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, nargs="+", default=[200, 20_000])
    measure(parser.parse_args().people)

"""One cycle as the command line runs it: the Prefect flow with progress bars, then the activity report."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from prefect import tags
from rich.console import Console
from rich.text import Text

from flows.history import activities_of_cycle
from flows.progress import bars
from flows.provision import SCHEDULED, provision
from flows.stopping import stoppable
from tasks.job import load_job
from tasks.model import CycleChoice, ExitCode
from tasks.report.cycle import Told
from tasks.report.terminal import activity_report


def run_cycle(
    console: Console,
    job_file: Path,
    choice: CycleChoice = CycleChoice.AUTOMATIC,
    *,
    apply_first_plan: bool = False,
    plan_file: Path | None = None,
    scheduled: bool = False,
) -> int:
    """Run one cycle of the job at `job_file`, print its report and give the exit code. Raises what the flow raises.

    A `scheduled` cycle that has no business now says why and ends with 0. Ctrl-C and SIGTERM raise `StoppedError` once
    what was under way is finished.
    """
    with bars(console), stoppable(job_file), tags(*([SCHEDULED] if scheduled else [])):
        state = provision(str(job_file), choice, apply_first_plan, str(plan_file or ""), return_state=True)
    told = cast(Told | None, state.result())
    if told is None:
        console.print(Text(state.message or ""), soft_wrap=True)
        return ExitCode.DONE
    console.print(activity_report(activities_of_cycle(load_job(job_file), told.facts.cycle_id), told))
    return told.verdict.exit_code


def provisioned(
    console: Console,
    job_file: Path,
    choice: CycleChoice = CycleChoice.AUTOMATIC,
    *,
    apply_first_plan: bool = False,
) -> Told:
    """Run one cycle of the job at `job_file` behind progress bars and give how it went."""
    with bars(console):
        state = provision(str(job_file), choice, apply_first_plan, return_state=True)
    # The flow gives its final state; its result is the data in that state.
    return cast(Told, state.result())

"""One cycle as the command line runs it: the Prefect flow with progress bars, then the activity report."""

from __future__ import annotations

from pathlib import Path

import httpx
from prefect.exceptions import PrefectException
from rich.console import Console

from flows.history import activities_of_cycle
from flows.progress import bars
from flows.provision import provision
from flows.telling import told_by
from tasks.job import load_job
from tasks.model import CycleChoice, UnreachableError
from tasks.report.cycle import Told
from tasks.report.terminal import activity_report


def run_cycle(
    console: Console,
    job_file: Path,
    choice: CycleChoice = CycleChoice.AUTOMATIC,
    *,
    apply_first_plan: bool = False,
    plan_file: Path | None = None,
) -> int:
    """Run one cycle of the job at `job_file`, print its report and give the exit code. Raises what the flow raises."""
    told = provisioned(console, job_file, choice, apply_first_plan=apply_first_plan, plan_file=plan_file)
    console.print(activity_report(activities_of_cycle(load_job(job_file), told.facts.cycle_id), told))
    return told.verdict.exit_code


def provisioned(
    console: Console,
    job_file: Path,
    choice: CycleChoice = CycleChoice.AUTOMATIC,
    *,
    apply_first_plan: bool = False,
    plan_file: Path | None = None,
) -> Told:
    """Run one cycle of the job at `job_file` behind progress bars and give how it went.

    Raises `UnreachableError` when Prefect's API does not answer; the ledger has what was done until its end.
    """
    try:
        with bars(console):
            state = provision(str(job_file), choice, apply_first_plan, str(plan_file or ""), return_state=True)
    except (PrefectException, httpx.HTTPError) as error:
        raise UnreachableError(
            f"Prefect's API does not answer ({error}), so its run history does not show how this run ended. The ledger "
            f"has it: provision report {job_file}. Check PREFECT_API_URL and that its server runs; the next run "
            "goes on from there."
        ) from error
    return told_by(state)

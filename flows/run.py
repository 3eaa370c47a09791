"""One cycle as the command line runs it: the Prefect flow with progress bars, then the activity report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from prefect import tags
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from rich.console import Console
from rich.text import Text

from flows.history import activities_of_cycle
from flows.progress import bars
from flows.provision import SCHEDULED, provision
from flows.stopping import stoppable
from flows.telling import told_by, told_if_any
from tasks.job import load_job
from tasks.model import CycleChoice, ExitCode, UnreachableError
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
    what was under way is finished; `UnreachableError` when Prefect's API does not answer.
    """
    with stoppable(job_file), tags(*([SCHEDULED] if scheduled else [])):
        state = _run(console, job_file, choice, apply_first_plan=apply_first_plan, plan_file=plan_file)
    told = told_if_any(state)
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
    return told_by(_run(console, job_file, choice, apply_first_plan=apply_first_plan))


def _run(
    console: Console,
    job_file: Path,
    choice: CycleChoice,
    *,
    apply_first_plan: bool,
    plan_file: Path | None = None,
) -> State[Any]:
    """Run the flow behind progress bars and give its final state."""
    try:
        with bars(console):
            return provision(str(job_file), choice, apply_first_plan, str(plan_file or ""), return_state=True)
    except (PrefectException, httpx.HTTPError) as error:
        raise UnreachableError(
            f"Prefect's API does not answer ({error}), so its run history does not show how this run ended. The ledger "
            f"has it: provision report {job_file}. Check PREFECT_API_URL and that its server runs; the next run "
            "goes on from there."
        ) from error

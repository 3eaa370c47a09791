"""The `provision alerts` command: a job's ready alerts as Prefect automations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

alerts_app = typer.Typer(name="alerts", help="Alerts of a job as Prefect automations.", no_args_is_help=True)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]


@alerts_app.command("apply")
def apply(
    job: JobFile,
    silence: Annotated[
        float, typer.Option(metavar="MINUTES", min=1, help="How long no cycle may end; three intervals.")
    ] = 60,
    block: Annotated[
        str, typer.Option(metavar="TYPE/NAME", help="The Prefect notification block that sends the alerts.")
    ] = "",
) -> None:
    """Create the job's alerts in Prefect, or bring them up to date: spikes, silence, credentials, quarantine, recovery.

    Without a block, an alert that fires only stands in Prefect's event feed.

    Example: provision alerts apply acme.yaml --block slack-webhook/on-call
    """
    from flows.alerts import apply_alerts
    from tasks.job import load_job

    apply_alerts(Console(), load_job(job), silence, block)


@alerts_app.callback()
def alerts() -> None:
    """Alerts of a job as Prefect automations."""

"""The `provision retry` command: who is in escrow, and trying them again at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def add_retry(app: typer.Typer) -> None:
    """Add the command to `provision`."""
    app.command()(retry)


def retry(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)],
    code: Annotated[str, typer.Option(help="Only failures with this error code.", show_default=False)] = "",
    user: Annotated[str, typer.Option(help="Only this person: source id or name.", show_default=False)] = "",
    show: Annotated[
        bool, typer.Option("--list", help="Only show who is in escrow, why, and when they are tried again.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Run a cycle at once, which tries them.")] = False,
) -> None:
    """Let the next cycle try again whoever failed, without waiting for the calendar.

    Example: provision retry acme.yaml --code UnprocessableEntity --now
    """
    from flows.retry import retry_failed, show_escrow
    from flows.run import run_cycle
    from tasks.model import CycleChoice

    if show:
        show_escrow(Console(), job, code, user)
        return
    retried = retry_failed(Console(), job, code, user)
    if now and retried:
        raise typer.Exit(run_cycle(Console(), job, CycleChoice.AUTOMATIC))

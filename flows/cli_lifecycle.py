"""The commands of a job's life: `provision status`, `on`, `off` and `restart`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tasks.model import ResetScope

lifecycle_app = typer.Typer()

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
By = Annotated[str, typer.Option(help="Who does it; the user signed in here if not given.")]
Why = Annotated[str, typer.Option(help="Why; recorded.")]


@lifecycle_app.command()
def status(
    job: JobFile, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False
) -> None:
    """Show what a job stands at: on or off, its cycles, users, escrow, quarantine, and what administrators did.

    Ends with 4 when the job is in quarantine.

    Example: provision status acme.yaml
    """
    from flows.status import show_status

    raise typer.Exit(show_status(Console(), job, as_json=as_json))


@lifecycle_app.command()
def on(job: JobFile, by: By = "", why: Why = "") -> None:
    """Switch a job on: it goes on from where it stopped.

    Example: provision on acme.yaml --why "The tenant's move is done."
    """
    from flows.lifecycle import switch
    from tasks.ledger.cycles import JobStatus

    switch(Console(), job, JobStatus.ON, by=by, why=why)


@lifecycle_app.command()
def off(job: JobFile, by: By = "", why: Why = "") -> None:
    """Switch a job off: the cycle that runs goes on to its end, and no other begins.

    Undoing a cycle, mending links and restarting work all the same.

    Example: provision off acme.yaml --why "Replicon moves to another host tonight."
    """
    from flows.lifecycle import switch
    from tasks.ledger.cycles import JobStatus

    switch(Console(), job, JobStatus.OFF, by=by, why=why)


@lifecycle_app.command()
def restart(
    job: JobFile,
    reset: Annotated[
        list[ResetScope] | None,
        typer.Option(help="What to reset; give it several times. Watermark, escrows and quarantine if not given."),
    ] = None,
    confirm: Annotated[str, typer.Option(metavar="NAME", help="The job's name, when links are to be forgotten.")] = "",
    by: By = "",
    why: Why = "",
) -> None:
    """Reset parts of what a job remembers. No cycle of the job may be running.

    Force-deletes makes the next cycle do the removals over the limit, once. Links forgets who is linked to which
    account.

    Example: provision restart acme.yaml --reset watermark --reset force-deletes --why "The Oslo office closed."
    """
    from flows.lifecycle import show_reset

    show_reset(Console(), job, reset or [], confirm=confirm, by=by, why=why)

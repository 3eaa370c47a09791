"""The `provision ledger` commands: what jobs remember, backed up and restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ledger_app = typer.Typer(name="ledger", help="Back up and restore what jobs remember.", no_args_is_help=True)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]


@ledger_app.command("backup")
def back_up(
    job: JobFile,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)],
) -> None:
    """Write the whole ledger to one file, as it is at one moment. Cycles may run meanwhile.

    The file can be restored into SQLite and into PostgreSQL, whichever it came from. It holds people's data and no
    secret.

    Example: provision ledger backup acme.yaml acme-2026-11-24.db
    """
    from flows.backup import back_up

    back_up(Console(), job, file)


@ledger_app.command("restore")
def restore(
    job: JobFile,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `provision ledger backup` wrote.", show_default=False)
    ],
    confirm: Annotated[
        str, typer.Option(metavar="NAME", help="The job's name, when the ledger knows of later cycles.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who does it; the user signed in here if not given.")] = "",
    why: Annotated[str, typer.Option(help="Why; recorded.")] = "",
) -> None:
    """Put the whole ledger back as a file has it, with all its jobs. No cycle may be running.

    The next cycle of each job reads everybody and looks at every account, so that what was done since is found again.

    Example: provision ledger restore acme.yaml acme-2026-11-24.db --why "The disk was lost."
    """
    from flows.backup import restore

    restore(Console(), job, file, confirm=confirm, by=by, why=why)

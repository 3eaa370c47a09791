"""The `provision on-demand` command: a few people provisioned at once, each step explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def on_demand(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)],
    people: Annotated[
        list[str],
        typer.Argument(
            metavar="PERSON...", help="Source ids, sign-in names, mails or login names.", show_default=False
        ),
    ],
    write: Annotated[bool, typer.Option("--write", help="Carry it out. Otherwise nothing is written.")] = False,
) -> None:
    """Show for up to five people what is read, mapped, matched and would be done, and do it if asked.

    Ends as `provision plan` does, or with --write as `provision run` does.

    Example: provision on-demand acme.yaml ada@acme.example bob@acme.example --write
    """
    if write:
        from flows.provision_on_demand import write_on_demand

        raise typer.Exit(write_on_demand(Console(), job, people))
    from flows.on_demand import show_on_demand

    raise typer.Exit(show_on_demand(Console(), job, people))

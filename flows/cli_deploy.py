"""The `provision deploy` command: a job's schedules and forms in Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

deploy_app = typer.Typer()


@deploy_app.command()
def deploy(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)],
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own copy of prefect.yaml instead of the packaged one.")
    ] = None,
) -> None:
    """Give Prefect the schedules and forms of a job. Workers run them in the folder where this is called.

    Example: provision deploy acme.yaml
    """
    from flows.deploy import deploy

    deploy(Console(), job, file)

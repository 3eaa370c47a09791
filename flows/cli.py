"""The `provision` command: a thin face over the flows. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from tasks.model import ProvisioningError

app = typer.Typer(
    name="provision",
    help="Provision Replicon accounts from Microsoft Entra ID assignments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Run the command line; a `ProvisioningError` ends it with one paragraph and its documented exit code."""
    try:
        app()
    except ProvisioningError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {error}", soft_wrap=True)
        sys.exit(error.exit_code)

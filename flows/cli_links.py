"""The `provision links` commands: who is linked to which account, mended by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

links_app = typer.Typer(name="links", help="Look at and mend who is linked to which account.", no_args_is_help=True)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
Person = Annotated[
    str,
    typer.Argument(metavar="PERSON", help="Source id, name, login name or account URI.", show_default=False),
]


@links_app.command("list")
def list_links(
    job: JobFile, limit: Annotated[int, typer.Option(min=1, help="How many links, by the person's name.")] = 50
) -> None:
    """List who is linked to which account.

    Example: provision links list acme.yaml
    """
    from flows.links import list_links

    list_links(Console(), job, limit)


@links_app.command("show")
def show_link(job: JobFile, person: Person) -> None:
    """Show everything that is remembered of one person's link.

    Example: provision links show acme.yaml ada@acme.example
    """
    from flows.links import show_link

    show_link(Console(), job, person)


@links_app.command("remove")
def remove_link(job: JobFile, person: Person) -> None:
    """End one person's link. The account stays as it is, and the next cycle matches the person anew.

    Example: provision links remove acme.yaml ada@acme.example
    """
    from flows.links import remove_link

    remove_link(Console(), job, person)


@links_app.command("import")
def import_links(
    job: JobFile,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV with source_id, and target_uri or login_name.", show_default=False),
    ],
) -> None:
    """Link people to accounts as a CSV file says. Every line is checked first; one wrong line and nothing is linked.

    Example: provision links import acme.yaml links.csv
    """
    from flows.links import import_links

    import_links(Console(), job, file)

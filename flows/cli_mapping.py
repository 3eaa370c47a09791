"""The `provision mapping` commands: thin faces. Heavy parts are imported by the command that needs them.

`flows.cli` adds them to `provision` and turns the errors they raise into a paragraph and an exit code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

mapping_app = typer.Typer(
    name="mapping",
    help="Check, try, show, import, export and compare attribute mappings.",
    no_args_is_help=True,
)

_WIDTH: Final = 100

MappingFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The mapping: YAML, or JSON as Microsoft exports it.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file that --out names.")]


@mapping_app.command("check")
def check(file: MappingFile) -> None:
    """Check a mapping: every problem at once with its line, and what it asks for that is not honoured here.

    Ends with 0 when it is good, 2 when it is not.

    Example: provision mapping check replicon.yaml
    """
    from flows.mapping_files import show_check

    raise typer.Exit(show_check(_console(), file))


# Help texts are rich markup: a bracket that is meant as one has a backslash before it.
@mapping_app.command("test")
def try_out(
    expression: Annotated[
        str, typer.Argument(metavar="EXPRESSION", help="The expression, in single quotes.", show_default=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="ATTRIBUTE=VALUE",
            help="A source attribute's value. Given several times for one attribute, it has several values; "
            "what is not set is null. With --user, it stands in place of the person's own.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="A person of the job's directory: id, sign-in name or mail.", show_default=False)
    ] = None,
    job: Annotated[Path | None, typer.Option(help="The job file that --user is read by.", show_default=False)] = None,
) -> None:
    r"""Try an expression for one person: its result, and how it came about, function by function.

    Ends with 0, 2 when the expression is wrong, 3 when it evaluates to an error.

    Example: provision mapping test 'Join(".", ToLower(\[givenName]), \[surname])' --set givenName=Ada --set surname=X

    Example: provision mapping test 'Coalesce(\[mail], \[userPrincipalName])' --user ada@example.com --job acme.yaml
    """
    from flows.mapping_trial import Person, read_expression, show_trial
    from tasks.model import BadInputError
    from tasks.transform.trial import read_settings

    given = read_settings(settings or [])
    if (user is None) != (job is None):
        raise BadInputError("--user and --job go together: the person is read from the job's directory. Give both.")
    if user is None or job is None:
        compiled, person = read_expression(expression), Person({})
    else:
        from flows.mapping_people import person_of

        compiled, person = person_of(job, user, expression)
    raise typer.Exit(show_trial(_console(), compiled, person, given))


@mapping_app.command("show")
def show(file: MappingFile) -> None:
    """Show a mapping as the table that the portal shows, who is in scope, and what is not honoured here.

    Example: provision mapping show replicon.yaml
    """
    from flows.mapping_files import show_table

    show_table(_console(), file)


@mapping_app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The schema as the portal or Graph exports it.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="Where to write it; the standard output unless given."),
    ] = None,
    force: Force = False,
) -> None:
    """Turn a provisioning schema exported from the portal or Graph (JSON) into short YAML that means the same.

    Example: provision mapping import schema.json --out replicon.yaml
    """
    from flows.mapping_files import import_schema

    import_schema(_console(), file, out, force=force)


@mapping_app.command("export")
def export(
    file: MappingFile,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Where to write it; the standard output unless given."),
    ] = None,
    force: Force = False,
) -> None:
    """Turn a mapping into the complete JSON schema that Microsoft Graph takes back.

    Example: provision mapping export replicon.yaml --out schema.json
    """
    from flows.mapping_files import export_schema

    export_schema(_console(), file, out, force=force)


@mapping_app.command("preview")
def preview(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The mapping to try.", show_default=False)],
    job: Annotated[Path, typer.Option(help="The job file whose people it is tried on.", show_default=False)],
    against: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="The mapping to compare it with; the job's own unless given."),
    ] = None,
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--user", metavar="NAME", help="Only this person: id, sign-in name or mail. May be given several times."
        ),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Read the whole directory, not only some people.")] = False,
    sample: Annotated[int, typer.Option(min=1, help="How many people are read unless --user or --all says.")] = 200,
    limit: Annotated[int, typer.Option(min=0, help="How many people are shown.")] = 20,
) -> None:
    """Show whose accounts another mapping would change, attribute by attribute, for some of the job's real people.

    Replicon is not asked, and nothing is written. Ends with 0 when nothing would change, 1 when something would.

    Example: provision mapping preview new.yaml --against replicon.yaml --job acme.yaml --all --limit 50
    """
    from flows.mapping_people import Chosen, show_preview

    chosen = Chosen(tuple(users or ()), None if everybody else sample)
    raise typer.Exit(show_preview(_console(), new, against, job, chosen, limit))


def _console() -> Console:
    """Give the standard output; a file or a pipe, for which rich assumes 80 columns, gets what the tables need."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH
    return console

"""The `provision report` commands: what cycles did, in several forms, and whether that record can be trusted."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from tasks.model import Operation, Status


class _ShowUnlessNamed(TyperGroup):
    """Takes `provision report JOB` for `provision report show JOB`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` first unless another command, or the help, is asked for."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["show", *args]
        return super().parse_args(ctx, args)


report_app = typer.Typer(
    name="report",
    cls=_ShowUnlessNamed,
    help="Show what cycles did, to whom and why; keep it in files; check that nobody has altered the record.",
    no_args_is_help=True,
)


class Form(StrEnum):
    """The forms in which `provision report` tells activities."""

    TABLE = "table"
    """On the screen."""
    CSV = "csv"
    """The three joined files of Microsoft's download, or the first of them on the screen."""
    JSON = "json"
    """An array in the shape of provisioningObjectSummary."""


JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
Moment = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="UTC.", show_default=False),
]


@report_app.command("show")
def show_report(
    job: JobFile,
    cycle: Annotated[str, typer.Option(help="Id of a cycle, or its first characters; the latest if not given.")] = "",
    since: Moment = None,
    until: Moment = None,
    user: Annotated[str, typer.Option(help="One person: the source id, or the name that reports use.")] = "",
    action: Annotated[Operation | None, typer.Option(help="One operation.", show_default=False)] = None,
    status: Annotated[Status | None, typer.Option(help="One status.", show_default=False)] = None,
    error_code: Annotated[str, typer.Option(help="One error code.")] = "",
    form: Annotated[Form, typer.Option("--format", help="How it is told.")] = Form.TABLE,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write files there instead of to the screen.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML file instead, to read and to send on.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Show everybody, however many.")] = False,
) -> None:
    """Show who was created, updated, disabled, skipped or failed, and why. The word `show` may be left out.

    Without a filter it is the latest cycle; with --since, --until or --user, all cycles of the job. With --html it is
    a page of one cycle, or with --since of all cycles since then.

    Example: provision report acme.yaml --user ada@acme.example --status failure
    """
    if page is not None:
        from flows.report_pages import show_page

        show_page(Console(), job, page, cycle, _utc(since))
        return
    from flows.report import Asked, show

    asked = Asked(
        cycle=cycle,
        since=_utc(since),
        until=_utc(until),
        user=user or None,
        operation=action,
        status=status,
        error_code=error_code or None,
    )
    show(Console(), job, asked, form.value, out, everybody=everybody)


@report_app.command("export")
def export_report(job: JobFile) -> None:
    """Write the files of all cycles that lack them into the folder that the job names under `report.folder`.

    Example: provision report export acme.yaml
    """
    from flows.files import show_export

    show_export(Console(), job)


@report_app.command("verify")
def verify_report(
    job: JobFile,
    head: Annotated[str, typer.Option(help="A head kept elsewhere, such as in a run's summary.")] = "",
) -> None:
    """Check that no activity was altered, removed, put in or moved since it was recorded.

    Ends with 0 when all is as it was recorded, 3 when something is not.

    Example: provision report verify acme.yaml --head 3f2a9c...
    """
    from flows.report import show_verification

    raise typer.Exit(show_verification(Console(), job, head))


def _utc(moment: Any) -> dt.datetime | None:
    return None if moment is None else moment.replace(tzinfo=dt.UTC)

"""The `provision` command: a thin face over the flows. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from flows.cli_alerts import alerts_app
from flows.cli_deploy import deploy_app
from flows.cli_ledger import ledger_app
from flows.cli_lifecycle import lifecycle_app
from flows.cli_links import links_app
from flows.cli_mapping import mapping_app
from flows.cli_on_demand import on_demand
from flows.cli_rehearse import rehearse
from flows.cli_report import report_app
from flows.cli_retry import add_retry
from flows.cli_upkeep import add_upkeep
from tasks.model import Approval, BadInputError, CycleChoice, ProvisioningError

app = typer.Typer(
    name="provision",
    help="Provision Replicon accounts from Microsoft Entra ID assignments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
job_app = typer.Typer(name="job", help="Write and check job files.", no_args_is_help=True)
app.add_typer(job_app)
app.add_typer(mapping_app)
app.add_typer(links_app)
add_retry(app)
app.add_typer(report_app)
add_upkeep(app)
app.add_typer(alerts_app)
app.add_typer(lifecycle_app)
app.add_typer(deploy_app)
app.add_typer(ledger_app)
app.command()(rehearse)
app.command()(on_demand)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]

# What a person at a terminal expects of Prefect: a server that has the time to start, no analytics, and the run's log
# in the run and not between the progress bars. Whatever is set already stands.
_PREFECT: Final = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}


def main() -> None:
    """Run the command line; a `ProvisioningError` ends it with one paragraph and its documented exit code."""
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except ProvisioningError as error:
        Console(stderr=True).print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
        sys.exit(error.exit_code)


@app.command()
def demo(
    users: Annotated[int, typer.Option(min=20, help="How many people the sandbox's directory has.")] = 200,
    seed: Annotated[int, typer.Option(help="Which company is made up; the same seed gives the same one.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where the demo's job, ledger and run history go.")] = Path(
        ".provision/demo"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep Prefect's UI and the sandbox up, to look around and to rerun.")
    ] = False,
) -> None:
    """Provision a made-up company into the embedded sandbox: three cycles, then the activity report.

    Example: provision demo --users 500 --serve
    """
    from flows.demo import run_demo

    raise typer.Exit(run_demo(Console(), users=users, seed=seed, folder=folder, serve=serve))


@app.command()
def run(
    job: JobFile,
    cycle: Annotated[CycleChoice, typer.Option(help="What the cycle reads.")] = CycleChoice.AUTOMATIC,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Carry out a plan that otherwise waits to be seen: a first one, or one of a changed mapping or scope.",
        ),
    ] = False,
    scheduled: Annotated[
        bool,
        typer.Option("--scheduled", help="Started by a schedule: ends well when another cycle runs or the job rests."),
    ] = False,
) -> None:
    """Run one provisioning cycle of a job and show its activity report.

    Example: provision run acme.yaml --apply
    """
    from flows.run import run_cycle

    raise typer.Exit(run_cycle(Console(), job, cycle, apply_first_plan=apply, scheduled=scheduled))


@app.command()
def plan(
    job: JobFile,
    cycle: Annotated[CycleChoice, typer.Option(help="What the plan is made from.")] = CycleChoice.AUTOMATIC,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the plan (Parquet), to approve and apply it as it is.")
    ] = None,
) -> None:
    """Show what the next cycle would do, to whom and why. Nothing is written to Replicon.

    Ends with 0 when there is nothing to do, 1 when changes are pending, 4 when some are held.

    Example: provision plan acme.yaml --save first.parquet
    """
    from flows.plan import show_plan

    raise typer.Exit(show_plan(Console(), job, cycle, save))


PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="A plan saved by `provision plan`.", show_default=False)]


@app.command()
def approve(
    job: JobFile,
    file: PlanFile,
    why: Annotated[str, typer.Option(help="Why; recorded with the decision.", show_default=False)],
    without_removals: Annotated[
        bool, typer.Option("--without-removals", help="Approve all but the disables and deletes.")
    ] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject the plan: it can no longer be applied.")] = False,
    by: Annotated[str, typer.Option(help="Who decides; the user signed in here if not given.")] = "",
) -> None:
    """Decide about a saved plan: approve it with what is staged, approve it without its removals, or reject it.

    Example: provision approve acme.yaml first.parquet --why "The Oslo office closes; see ticket 4711."
    """
    from flows.approval import approve_plan

    if without_removals and reject:
        raise BadInputError("A plan is either approved without its removals or rejected; give one of the two.")
    choice = Approval.WITHOUT_REMOVALS if without_removals else Approval.REJECTED if reject else Approval.EVERYTHING
    approve_plan(Console(), job, file, choice, why, by)


@app.command()
def apply(job: JobFile, file: PlanFile) -> None:
    """Carry out exactly a saved plan. It is refused when it was changed, is another job's, or no longer fits.

    Both ends are read again first. What is staged is carried out only once the plan is approved.

    Example: provision apply acme.yaml first.parquet
    """
    from flows.apply import apply_saved_plan

    raise typer.Exit(apply_saved_plan(Console(), job, file))


@app.command()
def explain(
    job: JobFile,
    person: Annotated[
        str,
        typer.Argument(metavar="PERSON", help="Source id, sign-in name, mail or login name.", show_default=False),
    ],
) -> None:
    """Tell step by step why a person is or is not provisioned, and what would happen now. Nothing is written.

    Example: provision explain acme.yaml ada@acme.example
    """
    from flows.explain import show_explanation

    raise typer.Exit(show_explanation(Console(), job, person))


@app.command()
def undo(
    job: JobFile,
    cycle: Annotated[str, typer.Argument(metavar="CYCLE", help="Id of a cycle, or its first characters.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry the undo out instead of showing it.")] = False,
    delete_created: Annotated[
        bool, typer.Option("--delete-created", help="Delete accounts that the cycle created, where the job allows it.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the plan (Parquet), to approve and apply it as it is.")
    ] = None,
) -> None:
    """Show how to take back what a cycle did: put values back, enable, and disable what it created. Or do it.

    Whatever has changed since is left alone and named. Mend the cause first: the next cycle would do it all again.

    Example: provision undo acme.yaml 3f2a9c --apply
    """
    from flows.undo import show_undo

    raise typer.Exit(show_undo(Console(), job, cycle, deletes=delete_created, apply=apply, save_to=save))


@app.command()
def drift(
    job: JobFile,
    apply: Annotated[bool, typer.Option("--apply", help="Revert or adopt it, as the job says.")] = False,
) -> None:
    """Compare every account with the mapping: what was changed in Replicon, dead links, and accounts of nobody.

    Ends with 0 when nothing has drifted, 1 when something would be put back, 4 when something is held.

    Example: provision drift acme.yaml
    """
    from flows.drift import show_drift

    raise typer.Exit(show_drift(Console(), job, apply=apply))


@app.command()
def history(
    job: JobFile, limit: Annotated[int, typer.Option(min=1, help="How many cycles, latest first.")] = 20
) -> None:
    """List the runs of a job with what each of them did: Prefect's, or the ledger's cycles where no server is named.

    Example: provision history acme.yaml --limit 50
    """
    from flows.run_history import show_history

    show_history(Console(), job, limit)


@app.command("test-connection")
def test_connection(job: JobFile) -> None:
    """Try both ends of a job: what is reached, as whom, with which permissions, and what is missing.

    Ends with 0 when all is good, 5 when something is missing.

    Example: provision test-connection acme.yaml
    """
    from flows.test_connection import show_findings

    raise typer.Exit(show_findings(Console(), job))


@job_app.command("check")
def check_job(job: JobFile) -> None:
    """Check a job file and the mapping it names; nothing is sent anywhere.

    Example: provision job check acme.yaml
    """
    from flows.parts import open_mapping
    from tasks.job import load_job

    loaded = load_job(job)
    mapping = open_mapping(loaded)
    console = Console()
    console.print(Text(f"{job}: good. {len(mapping.attributes)} attributes are mapped by {loaded.mapping}."))
    for note in mapping.notes:
        console.print(Text(f"note: {note}", style="yellow"))


@job_app.command("init")
def init_job(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The job file to write.", show_default=False)],
) -> None:
    """Write a job file to start from, and the default mapping beside it. Files that are there are left alone.

    Example: provision job init acme.yaml
    """
    from importlib import resources

    templates = resources.files("deployments")
    wanted = {
        file: templates / "jobs" / "example.yaml",
        file.parent / "replicon.yaml": templates / "mappings" / "replicon.yaml",
    }
    taken = [str(path) for path in wanted if path.exists()]
    if taken:
        raise BadInputError(f"{' and '.join(taken)} would be overwritten. Choose another name or move what is there.")
    file.parent.mkdir(parents=True, exist_ok=True)
    for path, template in wanted.items():
        path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        Console().print(Text(f"wrote {path}"))
    Console().print(Text(f"Fill in {file}, then: provision job check {file}"))


if __name__ == "__main__":
    main()

"""The demo: a made-up company is provisioned into the embedded sandbox over real HTTP, in three cycles."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from deployments.sandbox.months import MonthLog
from deployments.sandbox.sandbox import Sandbox
from tasks.model import BadInputError, ExitCode

_MARK: Final = ".demo"
_MONTHLY_SHARE: Final = 0.08


def run_demo(console: Console, *, users: int, seed: int, folder: Path, serve: bool) -> int:
    """Run the demo in `folder` and give the exit code: 0, or 3 when a cycle did not run to its end.

    That some of its people fail belongs to the demo: their data is such that Replicon refuses it.

    The folder of an earlier demo is made anew; raises `BadInputError` when it holds anything else.
    """
    _make_anew(folder)
    console.print(Rule("Replicon provisioning: demo"))
    console.print(
        Text(
            f"A sandbox on this machine plays Microsoft Entra ID with {users:,} people and Replicon, where some of "
            "them are already. Everything below happens over HTTP, as it would with the real ones."
        )
    )
    # Its own Prefect, whatever this machine is set up for: the demo leaves no trace elsewhere.
    os.environ.pop("PREFECT_API_URL", None)
    os.environ["PREFECT_HOME"] = str((folder / "prefect").resolve())
    with Sandbox(users=users, seed=seed, existing=0.1, orphans=3) as sandbox:
        os.environ.update(sandbox.environment())
        job_file = sandbox.job_file(folder)
        if not serve:
            exit_code = _three_cycles(console, sandbox, job_file)
            _name_next_steps(console, job_file)
            return exit_code
        from flows.serving import prefect_server, serve_until_interrupted

        with prefect_server(console, folder) as ui_url:
            _three_cycles(console, sandbox, job_file)
            serve_until_interrupted(console, ui_url, job_file, sandbox.graph_url)
    return ExitCode.DONE


def _three_cycles(console: Console, sandbox: Sandbox, job_file: Path) -> int:
    # Prefect reads its settings when it is imported, so it is imported once they stand.
    with console.status("Starting Prefect; the first start of its server takes up to half a minute ..."):
        from flows.history import show_told
        from flows.run import provisioned
        from tasks.job import load_job
        from tasks.report.verdict import StateName

    console.print(Rule("1. Initial cycle: everybody who is assigned", align="left"))
    first = provisioned(console, job_file, apply_first_plan=True)
    console.print(Text(f"  {first.verdict.state}: {first.verdict.sentence}", style="bold"))

    log = sandbox.month_passes(share=_MONTHLY_SHARE)
    console.print(Rule("2. A month passes in the directory; incremental cycle", align="left"))
    console.print(Text(f"  In the directory: {_in_words(log)}"))
    second = provisioned(console, job_file)
    console.print(Text(f"  {second.verdict.state}: {second.verdict.sentence}", style="bold"))

    console.print(Rule("3. Nothing has changed; incremental cycle", align="left"))
    before = sandbox.replicon.writes_requested.total()
    third = provisioned(console, job_file)
    written = sandbox.replicon.writes_requested.total() - before
    console.print(Text(f"  {third.verdict.state}: {third.verdict.sentence}; {written} writes were sent", style="bold"))

    console.print(Rule("The activity report of the first cycle", align="left"))
    show_told(console, load_job(job_file), first.facts.cycle_id)
    console.print(Rule("The activity report of the second cycle", align="left"))
    show_told(console, load_job(job_file), second.facts.cycle_id)
    broken = {StateName.FAILED, StateName.INCOMPLETE_READ}
    return ExitCode.SOME_FAILED if broken & {told.verdict.state for told in (first, second, third)} else ExitCode.DONE


def _in_words(log: MonthLog) -> str:
    """Say what a month brought: "9 hired, 4 moved"."""
    brought = ((name.replace("_", "-"), len(ids)) for name, ids in dataclasses.asdict(log).items())
    return ", ".join(f"{count} {name}" for name, count in brought if count)


def _name_next_steps(console: Console, job_file: Path) -> None:
    console.print(Rule("What to try next", align="left"))
    for command, what in (
        (f"provision history {job_file}", "the cycles that have run"),
        (f"provision report {job_file} --all", "everybody in the latest cycle"),
        ("provision demo --serve", "the same with Prefect's pages, to look around and to rerun"),
        ("provision mapping show deployments/mappings/replicon.yaml", "what becomes of whom, as a table"),
        ("provision job init acme.yaml", "a job file for your own tenant"),
    ):
        console.print(Text.assemble("  ", (command, "bold cyan"), f"  {what}"), soft_wrap=True)


def _make_anew(folder: Path) -> None:
    """Give an empty folder, marked as the demo's."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise BadInputError(f"{folder} holds something else than an earlier demo; give another --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()

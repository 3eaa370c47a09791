"""The connection test: what is reached at both ends, as whom, with which permissions, and what is missing."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.parts import open_mapping, open_target
from tasks.connectors.directories import open_directory
from tasks.job import load_job
from tasks.model import ExitCode, Probe


def try_ends(job_file: Path) -> list[Probe]:
    """Try both ends of the job at `job_file` and give every finding; nothing is written anywhere.

    Raises `BadInputError` when the job file, the mapping or a secret is wrong.
    """
    job = load_job(job_file)
    target = open_target(job, open_mapping(job))
    return [*open_directory(job.source).probe(job.scope), *target.probe()]


def show_findings(console: Console, job_file: Path) -> int:
    """Print the findings for the job at `job_file` and give the exit code: 0 all good, 5 something is missing."""
    with console.status("Trying both ends ..."):
        findings = try_ends(job_file)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "End", "Check", "Finding"):
        table.add_column(title, overflow="fold", no_wrap=title == "End")
    for probe in findings:
        mark = Text("ok", style="green") if probe.good else Text("NO", style="bold red")
        found = Text(probe.detail)
        if probe.remedy:
            found.append(f"\n{probe.remedy}", style="green" if probe.good else "yellow")
        table.add_row(mark, Text(probe.end), Text(probe.check), found)
    console.print(table)
    missing = sum(not probe.good for probe in findings)
    if missing:
        console.print(Text(f"{missing} of {len(findings)} checks failed; mend them from the top.", style="bold red"))
        return ExitCode.UNREACHABLE
    console.print(Text(f"All {len(findings)} checks are good.", style="bold green"))
    return ExitCode.DONE

"""The `provision rehearse` command: a plan carried out against a sandbox that is made after the real Replicon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tasks.model import CycleChoice


def rehearse(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A saved plan; the job's next plan if not given.", show_default=False),
    ] = None,
    cycle: Annotated[
        CycleChoice, typer.Option(help="What the plan is made from, unless it is a saved one.")
    ] = CycleChoice.AUTOMATIC,
    faults: Annotated[
        bool, typer.Option("--faults", help="Let go wrong what goes wrong in an ordinary week: limits, lost answers.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[@ENDPOINT][,NAME=VALUE...]", help="Let this go wrong: rate_limit,limit=50,retry_after=1"
        ),
    ] = None,
) -> None:
    """Carry a plan out against a sandbox with the real catalog and accounts, and tell whether it ends as planned.

    The real Replicon is read and gets no write; the job's ledger is left as it is. Ends with 0 when everything ended as
    planned, 3 when something did not, 4 when something is held.

    Example: provision rehearse acme.yaml first.parquet --faults
    """
    from flows.rehearse import USUAL_FAULTS, read_fault, show_rehearsal

    rules = [*(USUAL_FAULTS if faults else ()), *map(read_fault, fault or ())]
    raise typer.Exit(show_rehearsal(Console(), job, file, cycle, rules))

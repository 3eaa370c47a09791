"""A saved plan carried out from the command line, exactly as it was seen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from flows.approval import approved_plan
from flows.parts import open_parts
from flows.run import run_cycle
from flows.undo import run_undo


def apply_saved_plan(console: Console, job_file: Path, path: Path) -> int:
    """Carry out the plan at `path`, print the report and give the exit code.

    Raises `BadInputError` when the plan was tampered with, is another job's, was rejected, or no longer fits.
    """
    parts = open_parts(job_file)
    with parts.ledger:
        plan = approved_plan(parts, path)
    if plan.saved.undoes is not None:
        return run_undo(console, job_file, plan_file=path)
    return run_cycle(console, job_file, plan.choice, plan_file=path)

"""Provisioning on demand as the command line runs it: explained without Prefect, written by the flow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from rich.console import Console

from flows.explain import explained
from flows.explain_shown import print_explanation
from flows.history import activities_of_cycle
from flows.parts import open_parts
from tasks.model import BadInputError, ExitCode
from tasks.report.cycle import Told
from tasks.report.terminal import activity_report

MOST: Final = 5
"""How many people at once: more is a cycle's work."""


def named(people: Sequence[str]) -> list[str]:
    """Give the names without blanks and doubles. Raises `BadInputError` unless there are one to five."""
    asked = list(dict.fromkeys(name.strip() for name in people if name.strip()))
    if not 1 <= len(asked) <= MOST:
        raise BadInputError(
            f"Name one to {MOST} people (found {len(asked)}): object ids, sign-in names, mail addresses or login "
            "names. For more, run a cycle."
        )
    return asked


def show_on_demand(console: Console, job_file: Path, people: Sequence[str], *, write: bool) -> int:
    """Print the five steps for each of `people`, or with `write` the report of what was done; give the exit code."""
    asked = named(people)
    if write:
        return _written(console, job_file, asked)
    parts = open_parts(job_file)
    with parts.ledger:
        found = [explained(parts, name) for name in asked]
    for one in found:
        print_explanation(console, one)
    return ExitCode.PENDING if any(one.plan.writes.any() for one in found) else ExitCode.DONE


def _written(console: Console, job_file: Path, people: Sequence[str]) -> int:
    # Prefect takes seconds to import, and explaining needs none of it.
    from flows.provision_on_demand import provision_on_demand

    state = provision_on_demand(str(job_file), list(people), True, return_state=True)
    # The flow gives its final state; its result is the data in that state.
    told = cast(Told, state.result())
    parts = open_parts(job_file)
    with parts.ledger:
        console.print(activity_report(activities_of_cycle(parts.job, told.facts.cycle_id), told))
    return told.verdict.exit_code

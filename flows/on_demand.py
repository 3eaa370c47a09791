"""A few people on demand, explained without Prefect and without a write; `provision_on_demand` is the flow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from flows.explain import explained
from flows.explain_shown import print_explanation
from flows.parts import open_parts
from tasks.model import BadInputError, ExitCode

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


def show_on_demand(console: Console, job_file: Path, people: Sequence[str]) -> int:
    """Print the five steps for each of `people`; nothing is written. Give the exit code as a plan's."""
    asked = named(people)
    parts = open_parts(job_file)
    with parts.ledger:
        found = [explained(parts, name) for name in asked]
    for one in found:
        print_explanation(console, one)
    return ExitCode.PENDING if any(one.plan.writes.any() for one in found) else ExitCode.DONE

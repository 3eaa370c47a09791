"""How a run stands in Prefect's list of runs: its name, its tags, and of which type its final state is. Pure.

The list shows names, state names and tags, never a state's message, so these have to tell a cycle by themselves.
`flows/telling.py` sets them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tasks.model import CycleKind
from tasks.report.verdict import StateName

NAME_LENGTH: Final = 200
"""Most characters of a run's name; a longer one pushes everything else out of the list."""


class RunKind(StrEnum):
    """What a run was, as its name and its tag `kind:` say."""

    INITIAL = "initial"
    """A cycle that read everybody."""
    INCREMENTAL = "incremental"
    """A cycle that read what changed."""
    ON_DEMAND = "on demand"
    """Named people only, started by a person."""
    PLAN = "plan"
    """A cycle that carries out a plan which a person saw before, or a plan that waits for one."""
    UNDO = "undo"
    """An earlier cycle taken back."""
    DRIFT = "drift"
    """Everything compared with Replicon."""


KIND_OF_CYCLE: Final[Mapping[CycleKind, RunKind]] = {
    CycleKind.INITIAL: RunKind.INITIAL,
    CycleKind.INCREMENTAL: RunKind.INCREMENTAL,
    CycleKind.ON_DEMAND: RunKind.ON_DEMAND,
}
"""What a cycle is called that is nothing else."""


class StateType(StrEnum):
    """Prefect's own types of a final state; they decide about its colour, about retries and about `--watch`."""

    COMPLETED = "COMPLETED"
    """Green: it ran to its end, and the next cycle sees to what is left by itself."""
    FAILED = "FAILED"
    """Red: until a person does something, provisioning does not do its work."""
    CANCELLED = "CANCELLED"
    """Grey: it was ended before it was done."""


STATE_TYPES: Final[Mapping[StateName, StateType]] = {
    StateName.COMPLETED: StateType.COMPLETED,
    StateName.COMPLETED_WITH_ERRORS: StateType.COMPLETED,
    StateName.HELD: StateType.COMPLETED,
    StateName.INCOMPLETE_READ: StateType.COMPLETED,
    StateName.QUARANTINED: StateType.FAILED,
    StateName.STOPPED: StateType.CANCELLED,
    StateName.FAILED: StateType.FAILED,
}
"""Of which type each final state is. No flow here has Prefect repeat it: what failed is tried again by the ledger."""

_SPELLING: Final = re.compile(r"[^a-z0-9]+")


def run_name(job: str, kind: RunKind, started_at: dt.datetime, did: str) -> str:
    """Name a run: "acme · incremental · 24 Nov 2026, 12:00 UTC · 12 created, 3 updated"; `did` is its last part."""
    name = f"{job} · {kind} · {started_at.astimezone(dt.UTC):%d %b %Y, %H:%M} UTC · {' '.join(did.split())}"
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def run_tags(job: str, kind: RunKind, outcome: StateName | None = None) -> tuple[str, ...]:
    """Give the tags to filter runs by: `job:acme`, `kind:on-demand`, and once it has ended `outcome:failed`."""
    ended = () if outcome is None else (f"outcome:{slug(outcome)}",)
    return (f"job:{job}", f"kind:{slug(kind)}", *ended)


def slug(text: str) -> str:
    """Spell a name for tags and events: "Completed with errors" is `completed-with-errors`."""
    return _SPELLING.sub("-", text.lower()).strip("-")

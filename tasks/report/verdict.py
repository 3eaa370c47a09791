"""How a cycle went, in words, as a state and as an exit code. Pure; the report task and the command line use it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import pandas as pd

from tasks.model import ExitCode
from tasks.report.activity import Group, counts_of


class StateName(StrEnum):
    """The name of a run's final state, telling at a glance what a list of runs has to tell."""

    COMPLETED = "Completed"
    """Everything was done."""
    COMPLETED_WITH_ERRORS = "Completed with errors"
    """Some objects failed; the others are done."""
    HELD = "Held for approval"
    """Something waits for a person."""
    QUARANTINED = "Quarantined"
    """The job is slowed down or stopped as a whole."""
    INCOMPLETE_READ = "Incomplete read"
    """The source was not read whole, so nobody was removed."""
    STOPPED = "Stopped"
    """Told to stop, or nothing could succeed any more: what was begun is done, the rest is not."""
    FAILED = "Failed"
    """The cycle could not be carried out."""


EXIT_CODES: Final[Mapping[StateName, int]] = {
    StateName.COMPLETED: ExitCode.DONE,
    StateName.COMPLETED_WITH_ERRORS: ExitCode.SOME_FAILED,
    StateName.HELD: ExitCode.HELD,
    StateName.QUARANTINED: ExitCode.HELD,
    StateName.INCOMPLETE_READ: ExitCode.SOME_FAILED,
    StateName.STOPPED: ExitCode.SOME_FAILED,
    StateName.FAILED: ExitCode.SOME_FAILED,
}
"""What the command line ends with."""

NOTHING: Final = "nothing to do: everybody is as they should be"
"""The sentence of a cycle that changed, held and skipped nothing."""
_SPOKEN: Final = (
    Group.CREATED,
    Group.UPDATED,
    Group.ENABLED,
    Group.DISABLED,
    Group.DELETED,
    Group.LINKED,
    Group.FAILED,
    Group.HELD,
    Group.STAGED,
    Group.SKIPPED,
)

_PLANNED: Final[Mapping[Group, str]] = {
    Group.CREATED: "to create",
    Group.UPDATED: "to update",
    Group.ENABLED: "to enable",
    Group.DISABLED: "to disable",
    Group.DELETED: "to delete",
    Group.LINKED: "to link",
}


@dataclasses.dataclass(frozen=True)
class CycleVerdict:
    """How a cycle went: `sentence` is such as "12 created, 3 updated, 1 disabled, 2 failed, 4 held"."""

    state: StateName
    sentence: str
    counts: Mapping[Group, int]
    exit_code: int

    @property
    def recorded(self) -> dict[str, int]:
        """Give the counts by name, as the ledger keeps them."""
        return {group.value: count for group, count in self.counts.items()}


def judge(
    activities: pd.DataFrame,
    *,
    complete: bool = True,
    quarantine: str | None = None,
    failure: str | None = None,
    stopped: bool = False,
) -> CycleVerdict:
    """Judge a cycle by its activities (`activity.COLUMNS`).

    `complete` tells whether the source was read whole, `quarantine` is why the job is in quarantine, `failure` why
    the cycle broke off, `stopped` whether some of the plan was not come to. The worst of these names the state; the
    sentence counts everything.
    """
    counts = counts_of(activities)
    state = _state(counts, complete=complete, quarantine=quarantine, failure=failure, stopped=stopped)
    sentence = in_words(counts) if counts or not stopped else "nothing was done"
    if state is StateName.STOPPED:
        sentence = f"stopped: {sentence}"
    for note in (failure, f"quarantined: {quarantine}" if quarantine else None):
        sentence = f"{sentence}; {note}" if note else sentence
    if not complete:
        sentence += "; the source was not read whole"
    if stopped and state is not StateName.STOPPED:
        sentence += "; stopped before the end"
    return CycleVerdict(state, sentence, counts, EXIT_CODES[state])


def in_words(counts: Mapping[Group, int], *, planned: bool = False) -> str:
    """Say what was done: "12 created, 3 updated"; what changed first, what went wrong behind.

    Of what is only `planned` it says "12 to create, 3 to update".
    """
    parts = [f"{counts[group]:,} {word_for(group, planned=planned)}" for group in _SPOKEN if counts.get(group)]
    return ", ".join(parts) or NOTHING


def word_for(group: Group, *, planned: bool) -> str:
    """Give the word for a group: "created", or "to create" while it is only planned."""
    return _PLANNED.get(group, group.value) if planned else group.value


def _state(
    counts: Mapping[Group, int], *, complete: bool, quarantine: str | None, failure: str | None, stopped: bool
) -> StateName:
    if failure:
        return StateName.FAILED
    if quarantine:
        return StateName.QUARANTINED
    if stopped:
        return StateName.STOPPED
    if not complete:
        return StateName.INCOMPLETE_READ
    if counts.get(Group.FAILED):
        return StateName.COMPLETED_WITH_ERRORS
    if counts.get(Group.HELD) or counts.get(Group.STAGED):
        return StateName.HELD
    return StateName.COMPLETED

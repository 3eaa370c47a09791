"""Why people are told something about a job, besides how its cycles went: what stands and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tasks.ledger.cycles import JobState
from tasks.ledger.notices import Cause
from tasks.report.remedies import remedy_of
from tasks.report.verdict import StateName


class CauseKind(StrEnum):
    """What sort of thing people are told."""

    QUARANTINE = "quarantine"
    """The job is in quarantine; the code is Microsoft's reason."""
    CREDENTIALS = "credentials"
    """An end refuses the sign-in."""
    BROKEN = "broken"
    """The latest cycle broke off."""
    INCOMPLETE = "incomplete"
    """The latest cycle could not read the source whole."""
    FAILURE = "failure"
    """People fail with an error code."""


ALWAYS: Final = frozenset({CauseKind.QUARANTINE, CauseKind.CREDENTIALS})
"""What is mailed whether or not the job asks for mail about failures."""

ACTIONS: Final[Mapping[CauseKind, str]] = {
    CauseKind.QUARANTINE: "Mend what the reason names. The next sound cycle ends the quarantine by itself.",
    CauseKind.CREDENTIALS: "Renew the secret or give back the permission, then: provision test-connection JOB.",
    CauseKind.BROKEN: "Mend what it names. Nothing is lost: the next cycle goes on from where this one stood.",
    CauseKind.INCOMPLETE: "Nothing has to be done if it is over by the next cycle. Nobody is removed until then.",
}
"""What to do about each sort; of a failure, what its code's remedy says."""

THRESHOLD: Final = "TooManyDeletes"
"""The reason of a quarantine for more removals than the job allows."""
_THRESHOLD_ACTION: Final = (
    "Look whether so many people are meant to leave. If so: provision plan JOB --save FILE, provision approve JOB FILE "
    "--why REASON, provision apply JOB FILE. If not, mend the assignments; the next cycle then removes nobody."
)


def causes_of(
    state: JobState, failing: Mapping[str, int], latest: StateName | None, said: str, *, refused: bool
) -> tuple[Cause, ...]:
    """Give what stands after a cycle.

    `failing` counts the people in escrow by error code; `latest` is how the latest cycle ended and `said` its message;
    `refused` tells that it broke off because an end refused the sign-in.
    """
    found = []
    if state.quarantine_reason is not None:
        found.append(Cause(CauseKind.QUARANTINE, state.quarantine_reason, state.quarantine_message or ""))
    if refused:
        found.append(Cause(CauseKind.CREDENTIALS, "sign-in", said))
    elif latest is StateName.FAILED:
        found.append(Cause(CauseKind.BROKEN, "cycle", said))
    elif latest is StateName.INCOMPLETE_READ:
        found.append(Cause(CauseKind.INCOMPLETE, "read", said))
    for code, people in failing.items():
        who = "1 person fails" if people == 1 else f"{people:,} people fail"
        found.append(Cause(CauseKind.FAILURE, code, f"{who} with {code}: {remedy_of(code).meaning}"))
    return tuple(found)


def action_for(cause: Cause, job_file: str) -> str:
    """Say what to do about a cause, with the job's file in the commands."""
    if cause.kind == CauseKind.FAILURE:
        return remedy_of(cause.code).action
    text = _THRESHOLD_ACTION if cause.code == THRESHOLD else ACTIONS[CauseKind(cause.kind)]
    return text.replace("JOB", job_file)

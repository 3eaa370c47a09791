"""Quarantine: a job that fails as a whole is slowed down, and switched off when four weeks do not mend it.

Statements on a connection of `database.py`; `ledger.py` calls them. Whether a job fails as a whole is not judged here.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from tasks.ledger import cycles
from tasks.ledger.cycles import JobStatus

FIRST_PAUSE: Final = dt.timedelta(hours=1)
"""How long after the first bad cycle scheduled ones rest; twice as long after each further one."""
LONGEST_PAUSE: Final = dt.timedelta(days=1)
"""The slowest schedule: once a day ("Application provisioning in quarantine status")."""
DISABLED_AFTER: Final = dt.timedelta(weeks=4)
"""How long a job may be in quarantine before it is switched off (the same page)."""


class Transition(StrEnum):
    """What a cycle's verdict changed about a job's quarantine."""

    NONE = "none"
    """The job was in no quarantine and is in none."""
    ENTERED = "entered"
    """The job went into quarantine."""
    CHANGED = "changed"
    """The job was in quarantine, and is so now for another reason."""
    STAYED = "stayed"
    """The job stays in quarantine for the reason that it had."""
    LEFT = "left"
    """A good cycle took the job out of quarantine."""
    DISABLED = "disabled"
    """Four weeks in quarantine were over, so that the job was switched off."""


def pause(bad_cycles: int) -> dt.timedelta:
    """Give how long scheduled cycles rest after so many bad ones (at least one)."""
    # Past the fifth doubling the pause is at its longest.
    return min(FIRST_PAUSE * 2 ** min(bad_cycles - 1, 5), LONGEST_PAUSE)


def enter(connection: sa.Connection, job: str, reason: str, message: str, now: dt.datetime) -> Transition:
    """Put `job` into quarantine, or keep it there. Since when stays; bad cycles during a pause do not lengthen it."""
    before = cycles.state(connection, job)
    since, bad, resumes = before.quarantine_since or now, before.quarantine_cycles, before.quarantine_until
    if resumes is None or now >= resumes:
        bad += 1
        resumes = now + pause(bad)
    cycles.change_job(
        connection,
        job,
        quarantine_reason=reason,
        quarantine_message=message,
        quarantine_since=since,
        quarantine_cycles=bad,
        quarantine_until=resumes,
    )
    if now - since > DISABLED_AFTER and before.status is JobStatus.ON:
        cycles.change_job(connection, job, status=JobStatus.DISABLED)
        return Transition.DISABLED
    if before.quarantine_reason is None:
        return Transition.ENTERED
    return Transition.STAYED if before.quarantine_reason == reason else Transition.CHANGED


def leave(connection: sa.Connection, job: str) -> Transition:
    """Take `job` out of quarantine."""
    if cycles.state(connection, job).quarantine_reason is None:
        return Transition.NONE
    cycles.change_job(
        connection,
        job,
        quarantine_reason=None,
        quarantine_message=None,
        quarantine_since=None,
        quarantine_cycles=0,
        quarantine_until=None,
    )
    return Transition.LEFT

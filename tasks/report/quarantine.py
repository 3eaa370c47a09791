"""Whether a job fails as a whole, and what a quarantine means to people. Pure; flows keep the verdict in the ledger.

Thresholds and reasons are those of Microsoft's pages "Application provisioning in quarantine status" and
"synchronizationQuarantine resource type".
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Final

import pandas as pd

from tasks.job import QuarantineLimits
from tasks.model import Operation, QuarantineReason, Status
from tasks.report.remedies import Remedy, remedy_of

THROTTLED: Final = "TooManyRequests"
"""A refusal for the rate limit: it says nothing of the job, so it never counts."""
REFERENCE: Final = "UnableToResolveReferenceAttributeValue"
"""A failure of a reference: it counts among all failures only."""
_CODES: Final = 3

MEANINGS: Final[Mapping[QuarantineReason, tuple[str, str]]] = {
    QuarantineReason.TOO_MANY_DELETES: (
        remedy_of("TooManyDeletes").meaning,
        remedy_of("TooManyDeletes").action,
    ),
    QuarantineReason.EXCEPTION: (
        "One end refuses the credentials, so that nothing can succeed.",
        "Mend what the message names, then run a cycle by hand.",
    ),
    QuarantineReason.BASE_THRESHOLD: (
        "More operations fail than the job allows, references aside.",
        "Mend what most of them name, then run `provision retry`.",
    ),
    QuarantineReason.TOTAL_THRESHOLD: (
        "More operations fail than the job allows, references included.",
        "Mend what most of them name, then run `provision retry`.",
    ),
    QuarantineReason.PROPORTION_THRESHOLD: (
        "A larger share of the operations fails than the job allows.",
        "Mend what most of them name, then run `provision retry`.",
    ),
}
"""What each reason means, and what to do."""


@dataclasses.dataclass(frozen=True)
class Failing:
    """Why a job fails as a whole: Microsoft's reason, and a sentence with the numbers."""

    reason: QuarantineReason
    message: str


def failing_as_a_whole(activities: pd.DataFrame, escrow: pd.DataFrame, limits: QuarantineLimits) -> Failing | None:
    """Judge a cycle's `activities` (`activity.COLUMNS`) by the job's limits; null when it is good enough.

    Whoever waits in `escrow` (the ledger's frame) since an earlier cycle still fails: they are not tried again at once,
    so that a cycle without them would pass for a good one.
    """
    tried = activities["status"].isin([Status.SUCCESS, Status.WARNING, Status.FAILURE])
    tried &= activities["operation"].ne(Operation.NONE)
    done = activities[tried.fillna(value=False)]
    waiting = escrow[~escrow["partial"] & ~escrow["source_id"].isin(done["source_id"])]
    failed = pd.concat([done.loc[done["status"].eq(Status.FAILURE), "error_code"], waiting["error_code"]]).fillna("")
    failed = failed[failed.ne(THROTTLED)]
    throttled = int((done["status"].eq(Status.FAILURE) & done["error_code"].eq(THROTTLED).fillna(value=False)).sum())
    total, own = len(failed), int(failed.ne(REFERENCE).sum())
    events = len(done) + int(waiting["error_code"].ne(THROTTLED).sum()) - throttled - (total - own)
    share = 100 * own / events if events else 0.0
    often = ", ".join(f"{code} {count:,}" for code, count in failed.value_counts().head(_CODES).items())
    if own > limits.failures:
        reason, said = QuarantineReason.BASE_THRESHOLD, f"{own:,} operations fail, more than {limits.failures:,}"
    elif total > limits.total:
        reason = QuarantineReason.TOTAL_THRESHOLD
        said = f"{total:,} operations fail with references, more than {limits.total:,}"
    elif own >= limits.at_least and share > limits.percent:
        reason = QuarantineReason.PROPORTION_THRESHOLD
        said = f"{own:,} of {events:,} operations fail ({share:.0f} %), more than {limits.percent:g} %"
    else:
        return None
    return Failing(reason, f"{said}. Most often: {often}.")


def described(
    reason: str, message: str, since: dt.datetime, until: dt.datetime | None, *, disabled: bool = False
) -> str:
    """Say what a quarantine is about, since when, what it means, what to do, and when the schedule goes on."""
    meaning, action = _meaning(reason)
    if disabled:
        follows = "After four weeks the job was switched off: nothing runs until somebody switches it on."
    else:
        follows = (
            f"Scheduled cycles rest until {until:%d %b %Y, %H:%M} UTC; one started by hand runs at once. "
            "A good cycle ends the quarantine."
        )
    return f"{reason} since {since:%d %b %Y, %H:%M} UTC. {meaning} {message} {action} {follows}"


def _meaning(reason: str) -> tuple[str, str]:
    known = MEANINGS.get(QuarantineReason(reason)) if reason in set(QuarantineReason) else None
    unknown: Remedy = remedy_of(reason)
    return known or (unknown.meaning, unknown.action)

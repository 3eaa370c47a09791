"""A job's quarantine across cycles: what a cycle's end makes of it, and how the report tells it."""

from __future__ import annotations

from typing import Final

import pandas as pd

from flows.parts import Parts
from tasks.connectors.microsoft_graph.errors import SignInError
from tasks.connectors.replicon.errors import StopJobError
from tasks.ledger.cycles import JobState, JobStatus
from tasks.ledger.quarantine import Transition
from tasks.load.policy import NOT_ATTEMPTED, STOPPING_CODES
from tasks.model import Plan, QuarantineReason, Status
from tasks.report.quarantine import described, failing_as_a_whole

_UNFINISHED: Final = frozenset({NOT_ATTEMPTED})


def judge_quarantine(parts: Parts, plan: Plan, cycle_id: str, outcomes: pd.DataFrame) -> Transition:
    """Put the job into quarantine, keep it there or let it out, by how the cycle went; tell which.

    It goes in when the guards say so or too much fails, and comes out after a cycle that read everything, did
    everything and is within the limits.
    """
    ledger, job = parts.ledger, parts.job
    if plan.verdict.quarantine is not None:
        return ledger.quarantine(job.name, plan.verdict.quarantine, " ".join(plan.verdict.reasons))
    activities = ledger.activities(cycle_id=cycle_id)
    failing = failing_as_a_whole(activities, ledger.escrow(job.name), job.quarantine)
    if failing is not None:
        return ledger.quarantine(job.name, failing.reason, failing.message)
    refused = outcomes["status"].eq(Status.FAILURE) & outcomes["error_code"].isin(STOPPING_CODES)
    if plan.manifest.complete and not refused.any() and not outcomes["error_code"].isin(_UNFINISHED).any():
        return ledger.leave_quarantine(job.name)
    return stay(parts)


def after_breaking_off(parts: Parts, error: BaseException) -> Transition:
    """Put the job into quarantine when an end refuses the credentials; what else broke a cycle off lets no job out."""
    if isinstance(error, SignInError | StopJobError):
        return parts.ledger.quarantine(parts.job.name, QuarantineReason.EXCEPTION, str(error))
    return stay(parts)


def stay(parts: Parts) -> Transition:
    """Keep a job in quarantine that is in it."""
    state = parts.ledger.job_state(parts.job.name)
    if state.quarantine_reason is None:
        return Transition.NONE
    return parts.ledger.quarantine(parts.job.name, state.quarantine_reason, state.quarantine_message or "")


def quarantine_notes(state: JobState, reasons: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give the notes of a report: the guards' `reasons`, and what the job's quarantine is about if it is in one."""
    if state.quarantine_reason is None or state.quarantine_since is None:
        return reasons
    message = state.quarantine_message or ""
    said = described(
        state.quarantine_reason,
        message,
        state.quarantine_since,
        state.quarantine_until,
        disabled=state.status is JobStatus.DISABLED,
    )
    # What the guards said is the quarantine's message already, where it is for their sake.
    return (said,) if " ".join(reasons) == message else (*reasons, said)

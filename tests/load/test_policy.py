"""Every failure of Replicon by every operation: what follows, under which code, and with which remedy."""

from __future__ import annotations

import pytest

from tasks.connectors.replicon.errors import TRAITS, Failure, Fault, error_of
from tasks.ledger.escrow import PASSING
from tasks.load import policy
from tasks.load.policy import STOPPING_CODES, Next, after
from tasks.model import Operation
from tasks.report.remedies import REMEDIES

WRITES = (Operation.CREATE, Operation.UPDATE, Operation.ENABLE, Operation.DISABLE, Operation.DELETE)
SAME = {
    Failure.COMPANY_KEY: (Next.STOP, "InvalidDomain"),
    Failure.FOREIGN_HOST: (Next.STOP, "NotPermitted"),
    Failure.SIGN_IN: (Next.STOP, "Unauthorized"),
    Failure.PERMISSION: (Next.FAIL, "InsufficientRights"),
    Failure.THROTTLED: (Next.WAIT, "TooManyRequests"),
    Failure.TIME_OUT: (Next.AGAIN, "Timeout"),
    Failure.UNAVAILABLE: (Next.AGAIN, "WebExceptionProtocolError"),
    Failure.INTERNAL: (Next.AGAIN, "InternalServerError"),
    Failure.PROTOCOL: (Next.AGAIN, "WebExceptionProtocolError"),
    Failure.DUPLICATE_LOGIN: (Next.FAIL, "EntryConflict"),
    Failure.UNKNOWN_USER: (Next.GONE, "InvalidAnchor"),
    Failure.UNKNOWN_URI: (Next.FAIL, "UnableToResolveReferenceAttributeValue"),
    Failure.MISSING_VALUE: (Next.FAIL, "MissingValues"),
    Failure.INVALID: (Next.FAIL, "UnprocessableEntity"),
    Failure.REFUSED_DELETE: (Next.DISABLE, "MethodNotAllowed"),
}
"""What follows whatever the operation, as the README has it."""
ELSE = {(Failure.DUPLICATE_LOGIN, Operation.CREATE): Next.LOOK_UP}
"""Where the operation makes a difference."""


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("kind", Failure)
def test_each_failure_has_its_next_step_code_and_remedy(kind: Failure, operation: Operation) -> None:
    error = error_of(Fault(kind, "ImportService2.CreateUserOrApplyModifications", "said", correlation_id="c-1"))
    step, code = SAME[kind]
    assert after(error, operation) is ELSE.get((kind, operation), step)
    assert error.error_code == code
    assert error.remedy.endswith(".")
    assert "correlation id c-1" in str(error)


def test_an_invalid_create_that_may_have_happened_is_looked_up() -> None:
    error = error_of(Fault(Failure.INVALID, "operation", "said", outcome_unknown=True))
    assert (after(error, Operation.CREATE), after(error, Operation.UPDATE)) == (Next.LOOK_UP, Next.FAIL)


def test_every_code_that_load_gives_is_explained_in_the_report() -> None:
    own = {policy.NOT_APPLIED, policy.NOT_ATTEMPTED, policy.DISAGREEMENT, policy.IN_FLIGHT, policy.IN_ESCROW}
    own |= {policy.OUTDATED, policy.REFERENCE, policy.REFUSED, policy.CONFLICT, policy.DEFECT}
    codes = {traits.error_code for traits in TRAITS.values()} | own
    assert {code for code in codes if code not in REMEDIES} == set()


def test_what_stops_a_job_is_never_retried_on_its_own_and_what_may_pass_is() -> None:
    assert {"InvalidDomain", "NotPermitted", "Unauthorized"} == STOPPING_CODES
    assert not STOPPING_CODES & PASSING
    again = {TRAITS[kind].error_code for kind, (step, _) in SAME.items() if step in {Next.WAIT, Next.AGAIN, Next.GONE}}
    assert again <= PASSING

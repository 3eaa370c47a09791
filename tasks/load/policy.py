"""What follows a failure: one table of failure kinds and operations, and the codes of what load itself finds.

`send.py` and `execute.py` act by it. What a failure means to people is in `tasks.connectors.replicon.errors`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from tasks.connectors.replicon.errors import TRAITS, Failure, RepliconError
from tasks.model import Operation


class Next(StrEnum):
    """The step after a failure."""

    WAIT = "wait"
    """Nothing was done: send again when the rate limit allows."""
    AGAIN = "again"
    """Send the identical request again after a pause; at last into escrow, its outcome open if it may have happened."""
    LOOK_UP = "look_up"
    """Look whether the account that was to be created is there: then link it, else fail."""
    GONE = "gone"
    """The account is gone: a removal has nothing left to do, anything else is matched again in the next cycle."""
    DISABLE = "disable"
    """The account cannot be deleted: disable it."""
    FAIL = "fail"
    """This one operation fails and goes into escrow."""
    STOP = "stop"
    """No request can succeed: start no other."""


_TABLE: Final[dict[Failure, Next]] = {
    Failure.COMPANY_KEY: Next.STOP,
    Failure.FOREIGN_HOST: Next.STOP,
    Failure.SIGN_IN: Next.STOP,
    Failure.PERMISSION: Next.FAIL,
    Failure.THROTTLED: Next.WAIT,
    Failure.TIME_OUT: Next.AGAIN,
    Failure.UNAVAILABLE: Next.AGAIN,
    Failure.INTERNAL: Next.AGAIN,
    Failure.PROTOCOL: Next.AGAIN,
    Failure.DUPLICATE_LOGIN: Next.FAIL,
    Failure.UNKNOWN_USER: Next.GONE,
    Failure.UNKNOWN_URI: Next.FAIL,
    Failure.MISSING_VALUE: Next.FAIL,
    Failure.INVALID: Next.FAIL,
    Failure.REFUSED_DELETE: Next.DISABLE,
}


def after(error: RepliconError, operation: Operation) -> Next:
    """Give what follows when `operation` ended in `error`."""
    if operation is Operation.CREATE and (
        error.kind is Failure.DUPLICATE_LOGIN or (error.kind is Failure.INVALID and error.outcome_unknown)
    ):
        return Next.LOOK_UP
    return _TABLE[error.kind]


STOPPING_CODES: Final = frozenset(TRAITS[kind].error_code for kind, step in _TABLE.items() if step is Next.STOP)
"""Codes of failures after which no request can succeed."""

NOT_APPLIED: Final = "NotApplied"
"""The target answered with success, and reading back shows that it did not do it."""
NOT_ATTEMPTED: Final = "NotAttempted"
"""The run ended before it was this operation's turn; the next cycle plans it again."""
DISAGREEMENT: Final = "SecondLookDisagrees"
"""The source, read again just before a removal, does not say that the person left."""
IN_FLIGHT: Final = "InFlight"
"""An earlier request for this person still has no answer, so that nothing else is sent for them."""
IN_ESCROW: Final = "InEscrow"
"""It failed before, nothing has changed since, and it is not time to try again."""
OUTDATED: Final = "PlanOutdated"
"""What the plan starts from is no longer so."""
REFERENCE: Final = "UnableToResolveReferenceAttributeValue"
"""Microsoft's code for a reference to an account that is not there."""
REFUSED: Final = "UnprocessableEntity"
"""Microsoft's code for a value that the target does not take."""
CONFLICT: Final = "EntryConflict"
"""Microsoft's code for an account that somebody else has."""
DEFECT: Final = "InternalError"
"""Microsoft's code for a failure of the provisioning program itself."""

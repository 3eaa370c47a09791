"""What each error code means and what to do about it: one table, Microsoft's codes and ours.

`summaries`, `terminal` and `artifacts` read it. Codes are those of Microsoft's page "Analyze the Microsoft Entra
provisioning logs"; the last few are this program's own, where Microsoft has no code for what happened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """Whose failure it is (Microsoft Graph, provisioningErrorInfo.errorCategory)."""

    FAILURE = "failure"
    """A service failed: it is likely to pass when tried again."""
    NON_SERVICE_FAILURE = "nonServiceFailure"
    """Data or rights stand in the way: somebody has to mend something."""
    SUCCESS = "success"
    """Nothing failed: something was passed over or waits on purpose."""


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What an error code means, what to do, and whose failure it is."""

    meaning: str
    action: str
    category: Category


def _data(meaning: str, action: str) -> Remedy:
    return Remedy(meaning, action, Category.NON_SERVICE_FAILURE)


def _service(meaning: str, action: str) -> Remedy:
    return Remedy(meaning, action, Category.FAILURE)


def _waits(meaning: str, action: str) -> Remedy:
    return Remedy(meaning, action, Category.SUCCESS)


_RETRIED: Final = "Nothing to mend: it is tried again. If it recurs, ask Replicon's support with the correlation id."
_RIGHTS: Final = (
    "Give the account that provisioning signs in with a permission set that administers users, "
    "and access to all groups."
)

REMEDIES: Final[Mapping[str, Remedy]] = {
    "EntryConflict": _data(
        "Another account has the login name.",
        "Rename one of the two, or let provisioning see the other account so that it can be matched.",
    ),
    "Conflict": _data("The change conflicts with another one.", "Look at the account in Replicon and mend it there."),
    "TooManyRequests": _service(
        "Replicon's rate limit was reached.",
        "Nothing to mend: it is tried again. Lower `load.requests_per_minute` if it recurs.",
    ),
    "InternalServerError": _service("Replicon failed without saying why.", _RETRIED),
    "InternalError": _service("Provisioning failed by a defect of its own.", "Report it with this cycle's id."),
    "Timeout": _service("Replicon did not answer in time.", _RETRIED),
    "WebExceptionProtocolError": _service(
        "Replicon could not be reached, or something else answered.",
        "Check the network, proxies and Replicon's status.",
    ),
    "NotImplemented": _service("Replicon does not know the operation.", "Report it with this cycle's id."),
    "InsufficientRights": _data("Provisioning may not do this in Replicon.", _RIGHTS),
    "MethodNotAllowed": _data(
        "Replicon keeps accounts that have data.", "Nothing to mend: the account is disabled instead of deleted."
    ),
    "NotPermitted": _data("Provisioning may not do this in Replicon.", _RIGHTS),
    "Unauthorized": _data(
        "Replicon refused the sign-in.",
        "Renew the password or token that the job file refers to, then run the job again.",
    ),
    "LicenseLimitExceeded": _data(
        "No licence is left in Replicon.", "Free licences or buy some, then run the job again."
    ),
    "UnprocessableEntity": _data(
        "Replicon did not accept a value.", "Correct the value at its source or in the mapping."
    ),
    "MandatoryFieldsMissing": _data(
        "A value that Replicon needs is missing.", "Fill it in at its source, or give it a default in the mapping."
    ),
    "MissingValues": _data(
        "A value that Replicon needs is missing.", "Fill it in at its source, or give it a default in the mapping."
    ),
    "SchemaAttributeNotFound": _data(
        "The mapping names an attribute that Replicon does not have.", "Correct the mapping, or make the custom field."
    ),
    "SchemaPropertyCanOnlyAcceptValue": _data(
        "The attribute takes certain values only.", "Map the value to one of those that Replicon offers."
    ),
    "InvalidDomain": _data("The company key is not known.", "Correct `target.company_key` in the job file."),
    "UnableToResolveReferenceAttributeValue": _data(
        "Something the account refers to is not there.",
        "Create it in Replicon or correct the mapping; a supervisor follows once they have an account.",
    ),
    "DuplicateTargetEntries": _data(
        "Several Replicon accounts match this person.",
        "Correct the matching value in all but one of the accounts, or link the right one by hand.",
    ),
    "DuplicateSourceEntries": _data(
        "Several people match one Replicon account.",
        "Correct the matching value of all but one of them in Microsoft Entra ID, or remove the old link.",
    ),
    "InvalidAnchor": _data(
        "The linked account is gone from Replicon.", "Nothing to mend: the person is matched again in the next cycle."
    ),
    "ImportSkipped": _waits(
        "The person has no value to be matched by.", "Fill the matching attribute in at its source if they need access."
    ),
    "EntrySynchronizationSkipped": _waits(
        "The person is not to be provisioned.", "Nothing to mend; assign the person to Replicon if they need access."
    ),
    "RedundantExport": _waits("Source and target agree.", "Nothing to mend."),
    "TooManyDeletes": _waits(
        "More people would be removed than the threshold allows.",
        "Check who left. Approve the removals if they are meant; else correct the assignments or the scoping filter.",
    ),
    "IncompleteRead": _waits(
        "The source was not read whole, so nobody is removed.",
        "Nothing to mend if the next cycle reads everything; else see what was missing.",
    ),
    "ProtectedAccount": _waits(
        "A protected account would be removed, renamed or given other permission sets.",
        "Take it out of the mapping's reach, take it off the protected lists under `guards`, or do it by hand.",
    ),
    "ProtectedPermissionSet": _waits(
        "A permission set would be given that provisioning never gives.",
        "Correct the app role or the mapping, or give the permission set by hand.",
    ),
    "TooManyChanges": _waits(
        "More accounts would change than the job's guards allow.",
        "Look at the plan. Approve it if it is meant; else mend what changed at the source or in the mapping.",
    ),
    "PlanStopped": _waits(
        "Another part of the plan is over a limit, and the job stops the whole plan then.",
        "Look at the plan. Approve it if it is meant; else mend what changed at the source or in the mapping.",
    ),
    "HeldByJob": _waits(
        "The job file says that a person looks at this situation first.",
        "Do it by hand, or take the situation out of `situations` in the job file.",
    ),
    "GracePeriod": _waits(
        "The person is leaving, and the days of grace are not over.",
        "Nothing to mend: the login is taken on the day that the reason names.",
    ),
    "DriftAdopted": _waits(
        "The account was changed outside provisioning, and the job leaves such changes.",
        "Nothing to mend; set `drift` in the job file to `revert` to have it put back.",
    ),
    "RemovalNotApproved": _waits(
        "The plan was approved without its removals.", "Nothing to mend: the next cycle plans the removal again."
    ),
    "NotInPlan": _waits(
        "It came up after the plan was saved that was carried out.", "Nothing to mend: the next cycle takes it up."
    ),
    "NotApplied": _service(
        "Replicon answered with success and did not do it.", "It is tried again; look at the account if it recurs."
    ),
    "NotAttempted": _waits("The run ended before its turn.", "Nothing to mend: the next cycle plans it again."),
    "SecondLookDisagrees": _waits(
        "Read again just before the removal, the person had not left.",
        "Nothing to mend if the person is back; else the next cycle looks again.",
    ),
    "InFlight": _waits("An earlier request has no answer yet.", "Nothing to mend: it is settled before anything else."),
    "InEscrow": _waits(
        "It failed before and is not due yet.", "Mend the cause that the first failure names; then it is tried at once."
    ),
    "PlanOutdated": _waits("What the plan starts from has changed since.", "Make the plan again."),
    "MappingFailed": _data(
        "The mapping could not be worked out for this person.",
        "Correct the value at its source, or make the expression allow for it.",
    ),
}
"""Every code that an activity can carry."""

_UNKNOWN: Final = _data("An error without an entry in this table.", "Read the reason; it is tried again.")


def remedy_of(error_code: str) -> Remedy:
    """Give what is known of an error code. Microsoft puts a product's name before some codes; that is seen through."""
    if error_code in REMEDIES:
        return REMEDIES[error_code]
    endings = [code for code in REMEDIES if error_code.endswith(code)]
    return REMEDIES[max(endings, key=len)] if endings else _UNKNOWN

"""What can go wrong with Replicon, by what to do next: one exception family a next step, one table of all failures.

The client and `users.py` raise these; load decides by `kind`, `family` and `outcome_unknown`. Error types, reasons and
failure URIs are those of Replicon's help pages "Understanding error responses" and "Common API error scenarios" and of
its published mobile client; codes are Microsoft's ("Analyze the Microsoft Entra provisioning logs").
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from tasks.model import ProvisioningError, UnreachableError


class Failure(StrEnum):
    """What went wrong."""

    COMPANY_KEY = "company_key"
    """Nobody has this company key, or the tenant is switched off."""
    FOREIGN_HOST = "foreign_host"
    """Discovery named a host that credentials must not go to."""
    SIGN_IN = "sign_in"
    """The credentials were refused."""
    PERMISSION = "permission"
    """The signed-in account may not do this."""
    THROTTLED = "throttled"
    """Too many requests; nothing was done."""
    TIME_OUT = "time_out"
    """Replicon gave up after 30 seconds, or a gateway before it did."""
    UNAVAILABLE = "unavailable"
    """No connection, no answer, or a server that says it is not available."""
    INTERNAL = "internal"
    """Replicon failed in a way it does not describe."""
    PROTOCOL = "protocol"
    """What answered does not speak Replicon's wire, or its answer contradicts itself."""
    DUPLICATE_LOGIN = "duplicate_login"
    """Another account has the login name."""
    UNKNOWN_USER = "unknown_user"
    """The account to be changed is not there."""
    UNKNOWN_URI = "unknown_uri"
    """Something that the account was to refer to is not there."""
    MISSING_VALUE = "missing_value"
    """A value that Replicon needs was not given."""
    INVALID = "invalid"
    """A value that Replicon does not take."""
    REFUSED_DELETE = "refused_delete"
    """The account has data, so Replicon keeps it."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One failure as it happened. Holds no request and no credential, and can be pickled."""

    kind: Failure
    operation: str
    """Service and operation, such as ImportService2.CreateUserOrApplyModifications."""
    said: str
    """What Replicon or the network said, in one line."""
    remedy: str = ""
    """What to do, where more is known than the kind says."""
    http_status: int | None = None
    type: str = ""
    reason: str = ""
    failure_uris: tuple[str, ...] = ()
    uri: str = ""
    """The URI that the error is about, when it names one."""
    attribute: str = ""
    """The attribute that the error is about, when it can be told."""
    correlation_id: str = ""
    retry_after: float | None = None
    """Seconds that Replicon asked to wait."""
    outcome_unknown: bool = False
    """Whether the write may have happened all the same: look before writing again, or repeat it identically."""


class RepliconError(ProvisioningError):
    """Base of everything Replicon refuses or fails at. Its text is one paragraph that ends with what to do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault

    @property
    def kind(self) -> Failure:
        """What went wrong."""
        return self.fault.kind

    @property
    def http_status(self) -> int | None:
        """The status of the answer; null when none came."""
        return self.fault.http_status

    @property
    def type(self) -> str:
        """Replicon's error type, such as UriError1; empty when it gave none."""
        return self.fault.type

    @property
    def reason(self) -> str:
        """Replicon's reason, or what else is known of it."""
        return self.fault.reason or self.fault.said

    @property
    def correlation_id(self) -> str:
        """What Replicon's support finds the request by; empty when no answer came."""
        return self.fault.correlation_id

    @property
    def retry_after(self) -> float | None:
        """Seconds that Replicon asked to wait; null when it did not say."""
        return self.fault.retry_after

    @property
    def outcome_unknown(self) -> bool:
        """Whether the write may have happened all the same."""
        return self.fault.outcome_unknown

    @property
    def error_code(self) -> str:
        """Microsoft's code for it, as people know it from the provisioning log."""
        return TRAITS[self.kind].error_code

    @property
    def remedy(self) -> str:
        """What a person can do about it."""
        return self.fault.remedy or TRAITS[self.kind].remedy

    def __str__(self) -> str:
        facts = [
            f"HTTP {self.http_status}" if self.http_status else "",
            self.type,
            *self.fault.failure_uris,
            f"correlation id {self.correlation_id}" if self.correlation_id else "",
        ]
        shown = ", ".join(fact for fact in facts if fact)
        return (
            f"Replicon, {self.fault.operation}: {TRAITS[self.kind].what}: {self.fault.said.rstrip('.')}"
            + (f" ({shown})" if shown else "")
            + f". {self.remedy}"
        )


class StopJobError(RepliconError, UnreachableError):
    """Raised when no request can succeed until a person mends the set-up: stop the job at once."""


class TryLaterError(RepliconError, UnreachableError):
    """Raised when the same request may succeed later: pace, retry, then escrow."""


class NotPermittedError(RepliconError, UnreachableError):
    """Raised when the signed-in account may not do this: one account is refused, or a whole list cannot be read."""


class ObjectRefusedError(RepliconError):
    """Raised when Replicon refuses this one account's request: look up, link, recreate, fall back or escrow."""


@dataclasses.dataclass(frozen=True)
class Traits:
    """What all failures of one kind have in common."""

    family: type[RepliconError]
    error_code: str
    """Microsoft's code."""
    what: str
    """What happened, for the error's text."""
    remedy: str
    may_have_happened: bool = False
    """Whether a write that ends so may have been carried out."""


TRAITS: Final[Mapping[Failure, Traits]] = {
    Failure.COMPANY_KEY: Traits(
        StopJobError,
        "InvalidDomain",
        "the company key is not known",
        "Correct `company_key` in the job file; it is what people type first when they sign in to Replicon.",
    ),
    Failure.FOREIGN_HOST: Traits(
        StopJobError,
        "NotPermitted",
        "discovery named a host outside replicon.com, so no credentials were sent",
        "Check `discovery_url` in the job file and who answers there.",
    ),
    Failure.SIGN_IN: Traits(
        StopJobError,
        "Unauthorized",
        "the sign-in was refused",
        "Check the login name and password, or the token, that the job file refers to; the account must use "
        "Replicon's own authentication, not single sign-on.",
    ),
    Failure.PERMISSION: Traits(
        NotPermittedError,
        "InsufficientRights",
        "the signed-in account may not do this",
        "Give the account a permission set that administers users, access to all groups, and the licences needed.",
    ),
    Failure.THROTTLED: Traits(
        TryLaterError,
        "TooManyRequests",
        "the rate limit is reached",
        "Nothing to mend: it goes on once the limit allows. Lower `load.requests_per_minute` if it recurs.",
    ),
    Failure.TIME_OUT: Traits(
        TryLaterError,
        "Timeout",
        "it took too long",
        "It is tried again. If it recurs, ask Replicon's support with the correlation id.",
        may_have_happened=True,
    ),
    Failure.UNAVAILABLE: Traits(
        TryLaterError,
        "WebExceptionProtocolError",
        "it cannot be reached",
        "Check the network from here to Replicon and Replicon's status page; it is tried again.",
        may_have_happened=True,
    ),
    Failure.INTERNAL: Traits(
        TryLaterError,
        "InternalServerError",
        "it failed without saying why",
        "It is tried again. If it recurs, ask Replicon's support with the correlation id.",
        may_have_happened=True,
    ),
    Failure.PROTOCOL: Traits(
        TryLaterError,
        "WebExceptionProtocolError",
        "the answer is not one that Replicon gives",
        "Check that `discovery_url` in the job file is Replicon's and that no proxy answers in its place.",
        may_have_happened=True,
    ),
    Failure.DUPLICATE_LOGIN: Traits(
        ObjectRefusedError,
        "EntryConflict",
        "another account has this login name",
        "Rename one of the two, or let the signed-in account see the other one so that it can be matched.",
    ),
    Failure.UNKNOWN_USER: Traits(
        ObjectRefusedError,
        "InvalidAnchor",
        "the account is gone",
        "Nothing to mend: the person is matched again in the next cycle.",
    ),
    Failure.UNKNOWN_URI: Traits(
        ObjectRefusedError,
        "UnableToResolveReferenceAttributeValue",
        "something the account refers to is not there",
        "Create it in Replicon, or correct the mapping.",
    ),
    Failure.MISSING_VALUE: Traits(
        ObjectRefusedError,
        "MissingValues",
        "a needed value is missing",
        "Fill the value in at its source, or give it a default in the mapping.",
    ),
    Failure.INVALID: Traits(
        ObjectRefusedError,
        "UnprocessableEntity",
        "a value was not accepted",
        "Correct the value at its source or in the mapping.",
    ),
    Failure.REFUSED_DELETE: Traits(
        ObjectRefusedError,
        "MethodNotAllowed",
        "the account cannot be deleted",
        "Nothing to mend: Replicon keeps accounts that have data, so it is disabled instead.",
    ),
}
"""What to know of each kind of failure."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """How an answer is recognised: everything that is given must hold; the first rule that holds wins."""

    kind: Failure
    type: str = "*"
    """Pattern of the error's type."""
    code: str = "*"
    """Pattern of the error's code."""
    text: str = ""
    """Part of the reason or of a displayText, in lower case."""
    failure_uri: str = ""
    """Pattern of one of its failure URIs."""
    statuses: tuple[int, ...] = ()
    remedy: str = ""

    def holds(self, fault: Fault, code: str) -> bool:
        """Tell whether the answer is what this rule recognises."""
        return (
            fnmatch.fnmatchcase(fault.type, self.type)
            and fnmatch.fnmatchcase(code, self.code)
            and self.text in f"{fault.reason} {fault.said}".lower()
            and (not self.failure_uri or bool(fnmatch.filter(fault.failure_uris, self.failure_uri)))
            and (not self.statuses or fault.http_status in self.statuses)
        )


_SIGN_IN_REMEDIES: Final[Mapping[str, str]] = {
    "password-expired": "Sign in to Replicon as this account once to set a new password, and store it where the job "
    "file refers to.",
    "user-disabled": "Enable the account in Replicon, or name another one in the job file.",
    "tenant-disabled": "Replicon has switched this tenant off; ask Replicon's Customer Success.",
    "invalid-authentication-protocol": "Set the account to Replicon's own authentication, or sign in with a token.",
}

RULES: Final[tuple[Rule, ...]] = (
    Rule(Failure.COMPANY_KEY, type="CompanyKeyError*"),
    *(
        Rule(Failure.SIGN_IN, failure_uri=f"urn:*:authentication-error:{end}", remedy=remedy)
        for end, remedy in _SIGN_IN_REMEDIES.items()
    ),
    Rule(Failure.SIGN_IN, type="AuthenticationError*"),
    Rule(Failure.SIGN_IN, statuses=(401,)),
    Rule(Failure.THROTTLED, statuses=(429,)),
    Rule(Failure.PERMISSION, type="AuthorizationError*"),
    Rule(Failure.TIME_OUT, type="OperationExecutionTimeoutError*"),
    Rule(Failure.TIME_OUT, statuses=(408, 504)),
    Rule(Failure.UNAVAILABLE, statuses=(502, 503)),
    Rule(Failure.INTERNAL, code="InternalServiceFault"),
    Rule(Failure.DUPLICATE_LOGIN, text="user already exists"),
    Rule(
        Failure.UNKNOWN_URI,
        text="invalid tenant selected",
        remedy="A URI of another tenant is used; correct the mapping, or `company_key` in the job file.",
    ),
    Rule(Failure.UNKNOWN_URI, type="UriError*"),
    Rule(Failure.MISSING_VALUE, type="MissingRequiredParameterError*"),
    Rule(Failure.INVALID, text="invalid target fields specified"),
    Rule(Failure.INVALID, type="Invalid*ParameterError*"),
    Rule(Failure.INVALID, failure_uri="urn:replicon:validation-failure:*"),
    Rule(Failure.PERMISSION, statuses=(403,)),
    Rule(Failure.PROTOCOL, statuses=(301, 302, 303, 307, 308, 404, 405)),
    Rule(Failure.INVALID, type="?*"),
    Rule(Failure.INVALID, code="Sender"),
    Rule(Failure.INVALID, code="Client"),
    Rule(Failure.INTERNAL, statuses=(500,)),
)
"""Replicon's answers, by what they mean; an answer that no rule recognises is a `PROTOCOL` failure."""


def error_of(fault: Fault) -> RepliconError:
    """Give the exception of the family that the fault's kind belongs to."""
    return TRAITS[fault.kind].family(fault)


def fault_of(
    operation: str,
    *,
    status: int,
    error: Mapping[str, Any],
    correlation_id: str = "",
    retry_after: float | None = None,
    writing: bool = False,
) -> Fault:
    """Read an answer that is a failure. `error` is the `error` object of its body, empty when it has none."""
    raw = error.get("details")
    details: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    said = [text for text, _ in notifications(details) if text]
    reason = str(error.get("reason") or "")
    fault = Fault(
        kind=Failure.PROTOCOL,
        operation=operation,
        said="; ".join(dict.fromkeys(said)) or reason or f"HTTP {status} without an error that can be read",
        http_status=status,
        type=str(error.get("type") or ""),
        reason=reason,
        failure_uris=tuple(dict.fromkeys(uri for _, uri in notifications(details) if uri)),
        uri=str(details.get("uri") or ""),
        correlation_id=correlation_id or str(error.get("correlationId") or ""),
        retry_after=retry_after,
    )
    code = str(error.get("code") or "")
    rule = next((rule for rule in RULES if rule.holds(fault, code)), Rule(Failure.PROTOCOL))
    return dataclasses.replace(
        fault,
        kind=rule.kind,
        remedy=rule.remedy,
        outcome_unknown=writing and TRAITS[rule.kind].may_have_happened,
    )


def notifications(details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Go over the texts and failure URIs of an error's details: its own, then its notifications'."""
    found = details.get("notifications")
    listed = found if isinstance(found, list) else []
    for entry in (details, *(entry for entry in listed if isinstance(entry, Mapping))):
        yield str(entry.get("displayText") or ""), str(entry.get("failureUri") or "")

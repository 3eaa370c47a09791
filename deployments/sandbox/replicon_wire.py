"""Replicon's values and errors as they stand on the wire: dates, flags, URIs, the error envelope.

The state behind them is in `replicon_state`, the operations in `replicon_operations` and its neighbours.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

TENANT_SLUG: Final = "a1b2c3d4e5f64718a9b0c1d2e3f40516"
"""The sandbox tenant's slug, part of the URI of all its objects."""
TENANT_URI: Final = f"urn:replicon-tenant:{TENANT_SLUG}"
UNDESCRIBED: Final = "The creator of this fault did not specify a Reason."
"""What Replicon puts in `reason` when it has nothing to say."""

Json = Mapping[str, Any]


class RepliconFault(Exception):  # noqa: N818 - it is the service's name for it
    """Raised by an operation to answer with an error instead of a result (Replicon help, "Understanding error
    responses")."""

    def __init__(
        self,
        type_: str,
        text: str,
        *,
        status: int = 400,
        code: str = "Sender",
        reason: str = UNDESCRIBED,
        failure_uri: str | None = None,
        echo: Json | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.type = type_
        self._error = {
            "code": code,
            "reason": reason,
            "details": {
                "displayText": text,
                "failureUri": failure_uri,
                "notifications": [notification(text, failure_uri)],
                **(echo or {}),
            },
            "type": type_,
        }

    def body(self, correlation: str) -> dict[str, Any]:
        """Give the error envelope."""
        return {"error": {**self._error, "correlationId": correlation}}


def notification(text: str, failure_uri: str | None = None) -> dict[str, Any]:
    """Give one line of what was refused and why."""
    return {"displayText": text, "failureUri": failure_uri, "severityUri": "urn:replicon:severity:error"}


def unknown_uri(uri: Any) -> RepliconFault:
    """Make the error for a URI of the wrong type or of nothing that exists."""
    text = "Incorrect URI Type"
    if isinstance(uri, str) and uri.startswith("urn:replicon-tenant:") and not uri.startswith(TENANT_URI):
        reason = text = "Invalid Tenant Selected"
    else:
        reason = f"URI not found : {text} : {uri}"
    return RepliconFault("UriError1", text, code="Client", reason=reason, echo={"uri": uri})


def not_authorized(status: int) -> RepliconFault:
    """Make the error for a caller without the permission that it takes."""
    why = "You do not have sufficient permission to perform this operation."
    return RepliconFault("AuthorizationError1", why, status=status)


def missing(what: str) -> RepliconFault:
    """Make the error for a parameter that is needed and empty or absent."""
    return RepliconFault("MissingRequiredParameterError1", f"{what} must be a non-empty string value")


def invalid(section: str, value: Any, *, status: int = 400) -> RepliconFault:
    """Make the error for a bad value in a section of modifications (`User`, `TimeZone`, ...)."""
    return RepliconFault(
        f"InvalidUser{section}ParameterError1",
        "Invalid parameters",
        status=status,
        echo={"modificationParameter": value},
    )


def mapping(value: Any) -> Json:
    """Read an object; absent and null are an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Read an array; absent and null are an empty one, and a single value counts as an array of it."""
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def text(value: Any) -> str | None:
    """Read a text; numbers are taken as they are spelled, and the empty text is none."""
    if value is None or isinstance(value, Mapping | list):
        return None
    return str(value).strip() or None


def flag(value: Any) -> bool:
    """Read a flag, which may be spelled as text. Raises `ValueError` for anything else."""
    if isinstance(value, bool):
        return value
    spelled = str(value).strip().lower()
    if spelled not in {"true", "false"}:
        raise ValueError(f"expected true or false, found {value!r}")
    return spelled == "true"


def date(value: Any) -> dt.date | None:
    """Read `{year, month, day}`, whose parts may be text. Raises `ValueError` for what is not a date."""
    if value is None:
        return None
    parts = mapping(value)
    if any(parts.get(name) is None for name in ("year", "month", "day")):
        raise ValueError(f"expected year, month and day, found {value!r}")
    return dt.date(int(parts["year"]), int(parts["month"]), int(parts["day"]))


def write_date(value: dt.date | None) -> dict[str, int] | None:
    """Give a date as `{year, month, day}`."""
    return None if value is None else {"year": value.year, "month": value.month, "day": value.day}


def write_range(start: dt.date | None, end: dt.date | None) -> dict[str, Any]:
    """Give a date range."""
    return {
        "startDate": write_date(start),
        "endDate": write_date(end),
        "relativeDateRangeUri": None,
        "relativeDateRangeAsOfDate": None,
    }


@dataclasses.dataclass(frozen=True)
class DateRange:
    """A span of days; null ends are open."""

    start: dt.date | None
    end: dt.date | None

    @classmethod
    def read(cls, value: Any) -> DateRange:
        """Read a date range; null is all time. Raises `ValueError` for what is not one, or ends before it starts."""
        parts = mapping(value)
        span = cls(date(parts.get("startDate")), date(parts.get("endDate")))
        if span.start and span.end and span.end < span.start:
            raise ValueError(f"the range ends on {span.end}, before its start on {span.start}")
        return span


def user_uri(number: int) -> str:
    """Give the URI of the user with this number."""
    return f"{TENANT_URI}:user:{number}"


def user_number(uri: Any) -> int:
    """Read a user's number from their URI. Raises `RepliconFault` (UriError1) for any other URI."""
    prefix = f"{TENANT_URI}:user:"
    if not isinstance(uri, str) or not uri.startswith(prefix) or not uri[len(prefix) :].isdecimal():
        raise unknown_uri(uri)
    return int(uri[len(prefix) :])

"""What nobody has documented about Replicon, as settings: a client has to hold out under each of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import pydantic


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclasses.dataclass
class RepliconSettings:
    """How the sandbox's Replicon behaves where its documentation is silent. All can be changed while it runs."""

    bad_credentials_status: int = 401
    """HTTP status of a failed sign-in."""
    authorization_status: int = 400
    """HTTP status of `AuthorizationError1`, when the caller lacks a permission."""
    token_member: str | None = "token"
    """Member of the CreateAccessToken2 result that holds the token; null when the result is the token itself."""
    application_header_required: bool = False
    """Whether calls without X-Replicon-Application are refused."""
    two_identifiers_status: Literal[400, 500] = 400
    """HTTP status when a target has two identifiers; both are documented."""
    two_identifiers_type: str = "InvalidUserTargetParameterError1"
    """Error type when a target has two identifiers."""
    duplicate_login: Literal["error", "partial"] = "error"
    """Whether a login name that is taken is an HTTP error, or a 200 with a partial error and no user."""
    duplicate_login_status: Literal[400, 500] = 400
    """HTTP status when a login name is taken."""
    duplicate_login_type: str = "UserAlreadyExistsError1"
    """Error type when a login name is taken."""
    delete_refused_type: str = "UserDeleteError1"
    """Error type when a user with data is to be deleted."""
    logins_found_without_case: bool = True
    """Whether reads and targets find a login name spelled in another letter case."""
    unknown_login_creates: bool = False
    """Whether an upsert whose target is an unknown login name creates the user instead of failing."""
    unknown_uri_in_bulk: Literal["null", "error"] = "null"
    """Whether a bulk read leaves a null slot for a user URI of nobody, or fails as a whole."""
    unknown_user_reads: Literal["null", "error"] = "null"
    """What the reads of a single user give when there is none."""
    null_clears: bool = True
    """Whether `{"value": null}` clears an attribute instead of leaving it alone."""
    name_limit: int | None = 50
    """Longest first or last name in characters; longer ones are refused."""
    email_must_be_ascii: bool = True
    """Whether e-mail addresses with other than ASCII characters are refused."""
    refused_values: Literal["error", "partial"] = "error"
    """Whether a value that breaks a field rule fails the whole call, or is left out with a partial error."""
    no_errors_as_null: bool = False
    """Whether an upsert that was applied in full answers `errors: null` instead of `errors: []`."""
    past_end_date_disables: bool = False
    """Whether a login counts as disabled once its end date has passed."""
    data_share: float = 0.3
    """Share of users that have data, so that Replicon refuses to delete them (0 to 1)."""
    unit_of_work_seconds: float | None = None
    """How long the result of a unit-of-work id is kept; for good when null."""
    unit_of_work_scope: Literal["tenant", "operation"] = "tenant"
    """Whether a unit-of-work id counts throughout, or for each operation on its own."""
    unreadable_slots: Literal["null", "drop"] = "null"
    """Whether users whom the caller may not read leave a null slot in bulk reads, or no slot, so that others shift."""
    largest_page: int | None = None
    """Largest page of a list; larger ones are cut to it."""
    largest_bulk: int | None = None
    """Most users that a bulk read takes; more are refused."""
    schedule_entries: Literal["effective_date", "date_range"] = "effective_date"
    """Form of the schedules' elements in BulkGetUsers3."""
    legacy_departments: bool = False
    """Whether the tenant still uses the old departments and employee types beside the groups."""
    token_idle_days: int = 30
    """After how many days without use an access token stops working."""
    now: Callable[[], dt.datetime] = _now
    """The instant (UTC) that schedules, end dates, tokens and unit-of-work ids are judged by."""

    def change(self, **values: Any) -> None:
        """Change settings by name. Raises `ValueError` when there is no such setting or the value does not fit it."""
        hints = get_type_hints(type(self))
        for name, value in values.items():
            if name not in hints or name == "now":
                raise ValueError(f"There is no setting {name!r}; there are: {', '.join(sorted(hints))}.")
            setattr(self, name, pydantic.TypeAdapter(hints[name]).validate_python(value, strict=True))

    def today(self) -> dt.date:
        """Give the date that schedules and end dates are judged by."""
        return self.now().date()

"""One call of a Replicon operation: who calls, with what effect, and the questions that many operations ask."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import orjson

from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.replicon_wire import Json, RepliconFault, missing, text, unknown_uri, user_number

USER_EXISTS: Final = "The specified user already exists."
"""What Replicon says when a login name is taken; callers compare the reason with it."""


@dataclasses.dataclass(frozen=True)
class Call:
    """What an operation gets to work with."""

    state: RepliconState
    caller: Account
    operation: str
    """The operation's full name, such as `UserService1.GetUser2`."""
    body: Json
    effective: bool = True
    """Whether changes are made; if not, the answer only looks like it."""

    def commit(self, before: Account | None, after: Account | None, unit_of_work_id: str | None = None) -> None:
        """Make a change, unless the call is one without effect."""
        if self.effective:
            self.state.commit(
                before,
                after,
                operation=self.operation,
                caller=self.caller.login,
                unit_of_work_id=unit_of_work_id,
            )

    def change(self, account: Account, **changes: Any) -> None:
        """Change attributes of a user."""
        self.commit(account, dataclasses.replace(account, **changes))

    def readable(self, account: Account | None) -> bool:
        """Tell whether there is such a user and the caller may read them."""
        return account is not None and account.number not in self.state.unreadable

    def user(self, member: str = "userUri") -> Account:
        """Give the user whose URI is in `member` of the body. Raises `RepliconFault` when absent or nobody's."""
        uri = self.body.get(member)
        if uri is None:
            raise missing(member)
        return self.user_at(uri)

    def user_at(self, uri: Any) -> Account:
        """Give the user with this URI. Raises `RepliconFault` (UriError1) when it is nobody's."""
        account = self.state.by_uri(uri)
        if account is None:
            raise unknown_uri(uri)
        return account

    def find(self, target: Json) -> Account | None:
        """Find the user that a target names; null when nobody has the login name or employee id.

        Raises `RepliconFault` for a target without exactly one identifier, and for a URI of nobody.
        """
        uri, login, employee_id = (text(target.get(name)) for name in ("uri", "loginName", "employeeId"))
        given = [each for each in (uri, login, employee_id) if each is not None]
        settings = self.state.settings
        if not given:
            raise RepliconFault(
                "InvalidUserTargetParameterError1",
                "Invalid UserTargetParameter. One of uri or loginName should be specified in the target.",
                echo={"target": dict(target)},
            )
        if len(given) > 1:
            raise RepliconFault(
                settings.two_identifiers_type,
                "invalid target fields specified",
                status=settings.two_identifiers_status,
                echo={"target": dict(target)},
            )
        if uri is not None:
            account = self.state.accounts.get(user_number(uri))
            if account is None:
                raise unknown_uri(uri)
            return account
        if login is not None:
            return self.state.by_login(login)
        found = self.state.by_employee_id(employee_id or "")
        return found[0] if found else None

    def login_taken(self) -> RepliconFault:
        """Make the error for a login name that another user has."""
        settings = self.state.settings
        return RepliconFault(
            settings.duplicate_login_type, USER_EXISTS, status=settings.duplicate_login_status, reason=USER_EXISTS
        )

    def once(self, work: Callable[[str], Any]) -> Any:
        """Give the result of `work` for the body's unit-of-work id, or the one that this id gave before.

        Only results are kept, errors are not. Raises `RepliconFault` when the id is absent or empty.
        """
        unit = self.body.get("unitOfWorkId")
        if not isinstance(unit, str) or not unit.strip():
            raise missing("Unit Of Work Id")
        state = self.state
        settings = state.settings
        key = f"{self.operation} {unit}" if settings.unit_of_work_scope == "operation" else unit
        now = settings.now()
        kept = state.units_of_work.get(key)
        if kept is not None:
            age = (now - kept[0]).total_seconds()
            if settings.unit_of_work_seconds is None or age <= settings.unit_of_work_seconds:
                state.replays += 1
                return orjson.Fragment(kept[1])
        result = orjson.dumps(work(unit))
        state.units_of_work[key] = (now, result)
        return orjson.Fragment(result)


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of the service: what it does, whether it writes, and whether it needs an administrator."""

    run: Callable[[Call], Any]
    writes: bool = False
    administrative: bool = True

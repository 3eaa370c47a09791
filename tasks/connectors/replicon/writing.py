"""Writes to one account: the exact request for an operation, and what Replicon's answer to it means.

`users.py` calls it and sends. Wire: ImportService2.CreateUserOrApplyModifications, which may apply a part and refuse
the rest within HTTP 200; UserService1.Delete; UserService1.PutSupervisorAssignmentSchedule2.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from tasks.connectors.replicon import values as forms
from tasks.connectors.replicon.attributes import Binding, in_table_order
from tasks.connectors.replicon.catalogue import Catalogue
from tasks.connectors.replicon.client import Answer
from tasks.connectors.replicon.errors import Failure, Fault, RepliconError, error_of, notifications
from tasks.connectors.replicon.values import RefusedValueError, Value
from tasks.connectors.replicon.wires import Draft
from tasks.model import Operation

_UPSERT: Final = ("ImportService2", "CreateUserOrApplyModifications")
_DELETE: Final = ("UserService1", "Delete")
_SUPERVISOR: Final = ("UserService1", "PutSupervisorAssignmentSchedule2")
_DATES: Final = {"startDate": "StartDate", "endDate": "EndDate"}


@dataclasses.dataclass(frozen=True)
class Prepared:
    """One request, ready to be stored and sent: everything that sending needs is in `body`."""

    service: str
    operation: str
    body: bytes
    """Exact JSON: sent again unchanged, with the same unit-of-work id, Replicon answers with the first result."""
    unit_of_work_id: str | None
    """Null where the operation has none; those can be repeated because a second time changes nothing."""
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Attributes left out because the tenant cannot take their value, and why."""
    empty: bool = False
    """Whether nothing is left to write, so that sending would be in vain."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What Replicon says it did. `target_name` is null where the answer does not give it."""

    target_uri: str
    target_name: str | None
    refused: Mapping[str, str]
    """Attributes not taken, and why; the empty name stands for what could not be told."""
    correlation_id: str


@dataclasses.dataclass(frozen=True)
class AccountWriter:
    """Makes requests. A changed group or supervisor counts from `today`; `current` reads an account's values."""

    catalogue: Catalogue
    today: dt.date
    current: Callable[[str], Mapping[str, Value]]

    def prepare(
        self,
        operation: Operation,
        target_uri: str | None,
        values: Mapping[str, Value],
        unit_of_work_id: str,
        current: Mapping[str, Value] | None,
    ) -> Prepared:
        """Make the request; see `RepliconUsers.prepare`."""
        if operation is Operation.NONE or (target_uri is None) != (operation is Operation.CREATE):
            raise ValueError(f"{operation} of {target_uri!r} cannot be written")
        if operation is Operation.DELETE:
            return Prepared(*_DELETE, orjson.dumps({"userUri": target_uri}), None)
        if operation is Operation.UPDATE and set(values) == {"Supervisor"} and not values["Supervisor"]:
            # `[]` in the upsert leaves the supervisor alone; only this operation takes one away.
            return Prepared(*_SUPERVISOR, orjson.dumps({"userUri": target_uri, "scheduleEntries": []}), None)
        know = None if target_uri is None else functools.cache(lambda: self._known(target_uri, current))
        draft = Draft(self.catalogue, self.today, know)
        refused = _fill(draft, _complete(operation, values, know))
        if operation is Operation.CREATE and "loginName" not in draft.modifications:
            raise error_of(
                Fault(
                    Failure.MISSING_VALUE,
                    ".".join(_UPSERT),
                    refused.get("LoginName", "an account needs a LoginName, and the mapping gives none"),
                    attribute="LoginName",
                )
            )
        body = {
            "target": None if target_uri is None else {"uri": target_uri},
            "template": None,
            "modifications": draft.modifications,
            "userModificationOptionUri": "urn:replicon:user-modification-option:save",
            "unitOfWorkId": unit_of_work_id,
        }
        return Prepared(*_UPSERT, orjson.dumps(body), unit_of_work_id, refused, empty=not draft.modifications)

    def _known(self, target_uri: str, current: Mapping[str, Value] | None) -> Mapping[str, Value]:
        return self.current(target_uri) if current is None else current


def _complete(
    operation: Operation, values: Mapping[str, Value], know: Callable[[], Mapping[str, Value]] | None
) -> Mapping[str, Value]:
    """Add what the operation itself means to the values."""
    match operation:
        case Operation.CREATE:
            return {"LoginEnabled": "True", **values}
        case Operation.DISABLE:
            return {**values, "LoginEnabled": "False"}
        case Operation.ENABLE:
            # Whoever returns would otherwise keep the end date of the earlier employment.
            ended = "EndDate" not in values and know is not None and isinstance(know().get("EndDate"), str)
            return {**values, "LoginEnabled": "True", **({"EndDate": None} if ended else {})}
        case _:
            return values


def _fill(draft: Draft, values: Mapping[str, Value]) -> dict[str, str]:
    """Write the values into the draft in the table's order; give what could not be, and why."""
    refused: dict[str, str] = {}
    creating = draft.current is None
    for entry in in_table_order(name for name, value in values.items() if not (creating and value in (None, ""))):
        try:
            entry.wire.write(draft, values[entry.name])
        except RefusedValueError as error:
            refused[entry.name] = f"{entry.name}: {error}."
    if draft.dates:
        draft.modifications["employmentDateRange"] = {"value": _range(draft)}
    return refused


def _range(draft: Draft) -> dict[str, Any]:
    """Give the employment range, which replaces the account's: an end that is not written stays what it is."""
    ends = dict(draft.dates)
    if draft.current is not None and len(ends) < len(_DATES):
        for end, name in _DATES.items():
            kept = draft.current().get(name)
            ends.setdefault(end, forms.date_to_wire(kept) if isinstance(kept, str) else None)
    return {
        "startDate": ends.get("startDate"),
        "endDate": ends.get("endDate"),
        "relativeDateRangeUri": None,
        "relativeDateRangeAsOfDate": None,
    }


def target_of(prepared: Prepared) -> str | None:
    """Give the URI of the account that a request is about; null when it creates one."""
    body = orjson.loads(prepared.body)
    target = body.get("target")
    return body.get("userUri") or (target.get("uri") if isinstance(target, Mapping) else None)


def understood(prepared: Prepared, answer: Answer, bindings: Sequence[Binding]) -> Written:
    """Give what an answer with HTTP 200 means for the request. Raises `RepliconError` when it means a failure."""
    asked = target_of(prepared)
    result = answer.result if isinstance(answer.result, Mapping) else {}
    errors = [entry for entry in result.get("errors") or () if isinstance(entry, Mapping)]
    refusals = [_refusal(entry) for entry in errors]
    said = "; ".join(text for text, _ in refusals)
    if prepared.operation != _UPSERT[1]:
        if errors:
            raise refined(prepared, error_of(_fault(prepared, answer, Failure.INVALID, said)), bindings)
        return Written(asked or "", None, dict(prepared.refused), answer.correlation_id)
    user = result.get("user")
    uri = user.get("uri") if isinstance(user, Mapping) else None
    if "already exists" in said.lower() and (asked is None or not uri):
        raise error_of(_fault(prepared, answer, Failure.DUPLICATE_LOGIN, said, attribute="LoginName"))
    if not isinstance(user, Mapping) or not uri:
        kind, said = (Failure.INVALID, said) if errors else (Failure.PROTOCOL, "expected `user` in the answer")
        raise error_of(_fault(prepared, answer, kind, said, outcome_unknown=True))
    if asked not in (None, uri):
        said = f"asked for {asked}, and the answer is about {uri}"
        raise error_of(_fault(prepared, answer, Failure.PROTOCOL, said, outcome_unknown=True))
    refused = dict(prepared.refused)
    for text, everything in refusals:
        name = _about(prepared, text, everything, bindings)
        refused[name] = f"{refused[name]}; {text}" if name in refused else text
    login = user.get("loginName")
    return Written(str(uri), None if login is None else str(login), refused, answer.correlation_id)


def refined(prepared: Prepared, error: RepliconError, bindings: Sequence[Binding]) -> RepliconError:
    """Give the failure with what the request tells of it: whose URI is unknown, that a delete is refused."""
    fault, asked = error.fault, target_of(prepared)
    if fault.kind is Failure.UNKNOWN_URI and asked and asked in (fault.uri, fault.reason.rpartition(" ")[2]):
        return error_of(dataclasses.replace(fault, kind=Failure.UNKNOWN_USER))
    if fault.kind is Failure.INVALID and prepared.operation == _DELETE[1]:
        return error_of(dataclasses.replace(fault, kind=Failure.REFUSED_DELETE))
    if fault.kind in (Failure.UNKNOWN_URI, Failure.INVALID):
        about = _about(prepared, fault.said, f"{fault.uri} {fault.reason} {fault.said}", bindings)
        return error_of(dataclasses.replace(fault, attribute=about))
    return error


def _fault(prepared: Prepared, answer: Answer, kind: Failure, said: str, **more: Any) -> Fault:
    where = f"{prepared.service}.{prepared.operation}"
    return Fault(kind, where, said, http_status=200, correlation_id=answer.correlation_id, **more)


def _refusal(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Give the text of one partial error, and everything in it as JSON."""
    inner = entry.get("error")
    texts = [text for text, _ in notifications(inner if isinstance(inner, Mapping) else entry) if text]
    text = "; ".join(dict.fromkeys(texts)) or "Replicon refused a part and gave no reason"
    return text, orjson.dumps(entry).decode()


def _about(prepared: Prepared, text: str, everything: str, bindings: Sequence[Binding]) -> str:
    """Tell which written attribute an error is about: by a URI it names, else by the first word it uses for one."""
    modifications = orjson.loads(prepared.body).get("modifications") or {}
    written = [entry for entry in bindings if entry.wire.key in modifications]
    named = [
        entry
        for entry in written
        if any(re.search(rf"{re.escape(uri)}(?![\w-])", everything) for uri in _uris(modifications[entry.wire.key]))
    ]
    if len(named) == 1:
        return named[0].name
    lower = text.lower()
    spoken = [
        (lower.find(word), -len(word), entry.name)
        for entry in named or written
        for word in entry.words
        if word in lower
    ]
    return min(spoken)[2] if spoken else ""


def _uris(part: Any) -> Iterator[str]:
    """Go over the tenant's own URIs within a part of a request; fixed ones name no object."""
    if isinstance(part, Mapping):
        for value in part.values():
            yield from _uris(value)
    elif isinstance(part, list):
        for value in part:
            yield from _uris(value)
    elif isinstance(part, str) and part.startswith("urn:replicon-tenant:"):
        yield part

"""What Graph's refusals mean and what to do about each. The request layer raises these; nobody else makes them."""

from __future__ import annotations

from typing import Final

import requests

from tasks.connectors.http import shown
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.model import BadInputError, UnreachableError


class SignInError(UnreachableError):
    """Raised when Entra gives no token, or Graph refuses a fresh one."""


class GraphError(UnreachableError):
    """Raised when Graph answers with an error that no retry cured. `status` is HTTP's, `code` Graph's own."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class PermissionMissingError(GraphError):
    """Raised when the app registration may not do a read; the text names the permission to grant."""


class NotFoundError(GraphError):
    """Raised when the object asked for is not in the directory (any more)."""


class BrokenAnswerError(GraphError):
    """Raised when answers stay unreadable: cut off, not JSON, or an error under status 200."""


class WatermarkExpiredError(GraphError):
    """Raised when Graph no longer remembers where a round of change tracking stood: everything has to be read."""


class RefusedQueryError(BadInputError):
    """Raised when Graph does not understand the query: the mapping names an attribute that it does not have."""


_EXPIRED: Final = frozenset({"syncstatenotfound", "resyncrequired"})
"""Codes of a delta token that is too old (Microsoft Graph, "Error responses and resource types")."""


def error_of(response: requests.Response, code: str, message: str, reading: Reading) -> Exception:
    """Give the exception for an answer with an error status."""
    status = response.status_code
    where = shown(response.url or "")
    request_id = response.headers.get("request-id")
    trace = f" (request-id {request_id})" if request_id else ""
    said = f"Graph answered {status} {code}: {message}{trace}" if message else f"Graph answered {status} {code}{trace}"
    if status == 410 or code.lower() in _EXPIRED:
        return WatermarkExpiredError(f"Changes since then are not known any more: {said}.", status=status, code=code)
    if status == 403:
        more = ""
        if "employeeLeaveDateTime" in str(response.request.url):
            more = " The attribute employeeLeaveDateTime needs User-LifeCycleInfo.Read.All besides."
        return PermissionMissingError(
            f"{reading.label[0].upper()}{reading.label[1:]} may not be read at {where}: {said}. Grant the app "
            f"registration the application permission {reading.least} and give admin consent.{more}",
            status=status,
            code=code,
        )
    if status == 404:
        return NotFoundError(f"{where} does not exist: {said}.", status=status, code=code)
    if status == 400:
        return RefusedQueryError(
            f"Graph does not understand the read of {reading.label} at {where}: {said}. If it names a property, the "
            "mapping or a filter reads a source attribute that Graph does not have: correct its spelling there."
        )
    return GraphError(
        f"{reading.label[0].upper()}{reading.label[1:]} cannot be read at {where}: {said}. Nothing was changed; try "
        "again later, and look at the service health of Microsoft 365 if it stays so.",
        status=status,
        code=code,
    )

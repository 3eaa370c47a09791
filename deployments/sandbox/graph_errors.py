"""The errors that the sandbox's Graph answers with: status, code and message, in Graph's documented envelope.

Raised by the parts of the Graph service, turned into responses by `graph`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping

import orjson

from deployments.sandbox.wire import Response


@dataclasses.dataclass
class GraphError(Exception):
    """One refusal; `headers` go out with it."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def response(self, request_id: str, client_request_id: str | None, now: float) -> Response:
        """Give the refusal as Graph words it (Microsoft Graph error responses and resource types)."""
        moment = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        inner = {"date": moment, "request-id": request_id, "client-request-id": client_request_id or request_id}
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return Response(self.status, orjson.dumps(body), {"Content-Type": "application/json", **self.headers})


def bad_request(message: str) -> GraphError:
    """Refuse a request that is malformed."""
    return GraphError(400, "Request_BadRequest", message)


def unsupported_query(message: str) -> GraphError:
    """Refuse a query that Graph would understand but not serve."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def not_found(identifier: str) -> GraphError:
    """Refuse because nothing has this key."""
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{identifier}' does not exist or one of its queried reference-property objects are not present.",
    )


def denied() -> GraphError:
    """Refuse because the token holds none of the permissions that would do."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def not_signed_in(message: str) -> GraphError:
    """Refuse because the access token is missing, malformed or expired."""
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def new_request_id() -> str:
    """Give an id for one request, as Graph puts on every response."""
    return str(uuid.uuid4())

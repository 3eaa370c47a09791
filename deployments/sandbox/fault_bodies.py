"""What a fault looks like on the wire: the error bodies of each end. When a fault strikes is decided in `faults`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from deployments.sandbox.faults import FaultKind, FaultRule
from deployments.sandbox.wire import Request, Response

ANSWERED_FAULTS: Final = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.TIMEOUT,
        FaultKind.INTERNAL,
        FaultKind.UNAVAILABLE,
        FaultKind.ERROR_ON_200,
        FaultKind.EXPIRED_TOKEN,
        FaultKind.DELTA_GONE,
    }
)
"""Faults that replace the answer of the service."""

_GATEWAY_PAGE: Final = (
    "<html><head><title>{0}</title></head><body><h1>{0}</h1>The service is unavailable.</body></html>"
)
_GATEWAY_TITLES: Final = {503: "503 Service Unavailable", 504: "504 Gateway Timeout"}


def fault_answer(rule: FaultRule, endpoint: str, request: Request) -> Response:
    """Give the answer of one of the `ANSWERED_FAULTS` in the language of the end that `endpoint` belongs to."""
    dialect = _DIALECTS.get(endpoint) or _DIALECTS.get(endpoint.partition(":")[0], _graph)
    if rule.kind is FaultKind.UNAVAILABLE:
        response = Response(
            rule.status,
            _GATEWAY_PAGE.format(_GATEWAY_TITLES[rule.status]).encode(),
            {"content-type": "text/html; charset=utf-8", **dialect(rule, request).headers},
        )
    else:
        response = dialect(rule, request)
    response.headers.setdefault("content-type", "application/json; charset=utf-8")
    if rule.retry_after is not None:
        response.headers["retry-after"] = str(rule.retry_after)
    return response


def _replicon(rule: FaultRule, _request: Request) -> Response:
    """Replicon help, "Understanding error responses", "Rate limiting" and "Avoiding API timeouts"."""
    correlation = uuid.uuid4().hex
    undescribed = "The creator of this fault did not specify a Reason."
    internal = {
        "code": "InternalServiceFault",
        "reason": "The server was unable to process the request due to an internal error.",
    }
    expired = "urn:replicon-saas-security:authentication-error:password-expired"
    answers: dict[FaultKind, tuple[int, dict[str, Any]]] = {
        FaultKind.RATE_LIMIT: (429, {"code": "Client", "reason": "Too Many Requests"}),
        FaultKind.TIMEOUT: (
            500,
            {"code": "Sender", "reason": undescribed, "details": {}, "type": "OperationExecutionTimeoutError1"},
        ),
        FaultKind.EXPIRED_TOKEN: (
            401,
            {
                "code": "Sender",
                "reason": "Authentication error",
                "details": {"displayText": "Authentication error", "failureUri": expired, "notifications": None},
                "type": "AuthenticationError1",
            },
        ),
        FaultKind.ERROR_ON_200: (200, internal),
    }
    status, error = answers.get(rule.kind, (500, internal))
    body = orjson.dumps({"error": {**error, "correlationId": correlation}})
    return Response(status, body, {"x-execution-correlation-id": correlation})


def _graph(rule: FaultRule, request: Request) -> Response:
    """Microsoft Graph, "Microsoft Graph error responses and resource types" and "Use delta query"."""
    number = str(uuid.uuid4())
    status, code, message = {
        FaultKind.RATE_LIMIT: (429, "TooManyRequests", "Too many requests. Please try again later."),
        FaultKind.TIMEOUT: (504, "UnknownError", "The request timed out."),
        FaultKind.EXPIRED_TOKEN: (
            401,
            "InvalidAuthenticationToken",
            "Lifetime validation failed, the token is expired.",
        ),
        FaultKind.DELTA_GONE: (
            410,
            "syncStateNotFound",
            "The delta token is no longer valid; start a full synchronization.",
        ),
        FaultKind.ERROR_ON_200: (200, "UnknownError", "An error occurred while the response was written."),
    }.get(rule.kind, (500, "InternalServerError", "An unexpected error occurred."))
    inner = {"request-id": number, "client-request-id": request.headers.get("client-request-id", number)}
    headers = {"request-id": number}
    if rule.kind is FaultKind.DELTA_GONE:
        headers["location"] = f"{request.url}{request.path}?$deltaToken="
    if rule.kind is FaultKind.EXPIRED_TOKEN:
        headers["www-authenticate"] = 'Bearer error="invalid_token", error_description="The token has expired"'
    return Response(status, orjson.dumps({"error": {"code": code, "message": message, "innerError": inner}}), headers)


def _login(rule: FaultRule, request: Request) -> Response:
    """Microsoft identity platform, "Authentication and authorization error codes"."""
    number = str(uuid.uuid4())
    status, name, text = {
        FaultKind.RATE_LIMIT: (429, "temporarily_unavailable", "AADSTS90055: too many requests."),
        FaultKind.EXPIRED_TOKEN: (401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired."),
        FaultKind.ERROR_ON_200: (200, "server_error", "AADSTS90033: A transient error has occurred."),
    }.get(rule.kind, (500, "server_error", "AADSTS90033: A transient error has occurred."))
    body: Mapping[str, Any] = {
        "error": name,
        "error_description": text,
        "error_codes": [int(text[6:].partition(":")[0])],
        "trace_id": number,
        "correlation_id": request.headers.get("client-request-id", number),
    }
    return Response(status, orjson.dumps(body), {"x-ms-request-id": number})


_DIALECTS: Final[Mapping[str, Callable[[FaultRule, Request], Response]]] = {
    "replicon": _replicon,
    "discovery": _replicon,
    "graph:token": _login,
    "graph:openid-configuration": _login,
}
"""Languages by endpoint, or by the part of its name before the colon; all others speak Graph's."""

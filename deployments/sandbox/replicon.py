"""The sandbox's Replicon as a service: finds the operation, signs the caller in, answers in the envelope.

What the operations do is in `replicon_reads`, `replicon_list`, `replicon_modify` and `replicon_granular`; discovery
of the tenant's address is a service of its own, as it is at Replicon.
"""

from __future__ import annotations

import binascii
import re
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from deployments.sandbox import replicon_granular, replicon_modify, replicon_reads
from deployments.sandbox.replicon_call import Call, Operation
from deployments.sandbox.replicon_catalog import ADMINISTRATION_POLICY
from deployments.sandbox.replicon_list import list_operations
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.replicon_views import login_enabled
from deployments.sandbox.replicon_wire import TENANT_SLUG, TENANT_URI, RepliconFault, mapping, not_authorized, text
from deployments.sandbox.wire import Request, Response

_PATH: Final = re.compile(r"/(?P<company>[^/]+)/services/(?P<service>[^/]+)\.svc/(?P<operation>[^/]+)", re.IGNORECASE)
_DISCOVERY: Final = re.compile(r"/DiscoveryService1\.svc/(?P<operation>[^/]+)", re.IGNORECASE)
_FAILURE: Final = "urn:replicon-saas-security:authentication-error:"


class RepliconService:
    """The tenant's own endpoint: `/{companyKey}/services/{Service}.svc/{Operation}`."""

    def __init__(self, state: RepliconState, company_key: str) -> None:
        self.state = state
        self.company_key = company_key
        operations = {
            **replicon_reads.OPERATIONS,
            **list_operations(),
            **replicon_modify.OPERATIONS,
            **replicon_granular.OPERATIONS,
        }
        self.operations = frozenset(operations)
        """Full names of all operations there are."""
        self._operations: Mapping[str, tuple[str, Operation]] = {
            name.lower(): (name, operation) for name, operation in operations.items()
        }

    def endpoint(self, request: Request) -> str:
        """Name the operation as `replicon:Service.Operation`, in Replicon's own spelling if it exists."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            return "replicon:unknown"
        spelled = f"{match['service']}.{match['operation']}"
        known = self._operations.get(spelled.lower())
        return f"replicon:{known[0] if known else spelled}"

    def handle(self, request: Request) -> Response:
        """Answer a request and make its changes."""
        return self._respond(request, effective=True)

    def pretend(self, request: Request) -> Response:
        """Answer a request without making its changes."""
        return self._respond(request, effective=False)

    def _respond(self, request: Request, *, effective: bool) -> Response:
        match = _PATH.fullmatch(request.path)
        if match is None or match["company"].lower() != self.company_key.lower():
            return _not_found()
        known = self._operations.get(f"{match['service']}.{match['operation']}".lower())
        if known is None:
            return _not_found()
        if request.method != "POST":
            return Response(405, b"Method not allowed.", {**_correlation(), "content-type": "text/plain"})
        return _enveloped(lambda: self._run(*known, request, effective))

    def _run(self, name: str, operation: Operation, request: Request, effective: bool) -> Any:
        state = self.state
        state.calls[name] += 1
        if operation.writes:
            state.writes_requested[name] += 1
        if state.settings.application_header_required and not request.headers.get("x-replicon-application"):
            raise RepliconFault(
                "MissingRequiredParameterError1", "X-Replicon-Application must be a non-empty string value"
            )
        caller = self._caller(request.headers.get("authorization", ""))
        if operation.administrative and not state.catalog.holds(caller.permission_sets, ADMINISTRATION_POLICY):
            raise not_authorized(state.settings.authorization_status)
        return operation.run(Call(state, caller, name, _body(request), effective))

    def _caller(self, authorization: str) -> Account:
        """Give the account that calls. Raises `RepliconFault` (AuthenticationError1) when it cannot sign in."""
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "basic":
            account = self._by_password(credentials.strip())
        elif scheme.lower() == "bearer":
            account = self._by_token(credentials.strip())
        elif not scheme:
            raise self._refused("no-authentication-credentials-provided")
        else:
            raise self._refused("invalid-authentication-protocol")
        if account is None:
            raise self._refused("invalid-user-name-or-password")
        if not login_enabled(self.state, account):
            raise self._refused("user-disabled")
        return account

    def _by_password(self, credentials: str) -> Account | None:
        try:
            user, _, password = b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        company, _, login = user.partition("\\")
        account = self.state.by_login(login)
        if account is None or company.lower() != self.company_key.lower() or account.authentication != "replicon":
            return None
        return account if self.state.passwords.get(account.number) == password else None

    def _by_token(self, value: str) -> Account | None:
        token, now = self.state.tokens.get(value), self.state.settings.now()
        if token is None or (token.expires is not None and now >= token.expires):
            return None
        if (now - token.last_used).days >= self.state.settings.token_idle_days:
            return None
        token.last_used = now
        return self.state.accounts.get(token.number)

    def _refused(self, why: str) -> RepliconFault:
        return RepliconFault(
            "AuthenticationError1",
            "Authentication error",
            status=self.state.settings.bad_credentials_status,
            reason="Authentication error",
            failure_uri=f"{_FAILURE}{why}",
        )


class DiscoveryService:
    """The global endpoint, which tells where a tenant is: `/DiscoveryService1.svc/{Operation}`, no sign-in needed."""

    def __init__(self, replicon: RepliconService, root_url: Callable[[], str]) -> None:
        self._replicon = replicon
        self._root_url = root_url

    def endpoint(self, request: Request) -> str:
        """Name the operation as `discovery:Operation`."""
        match = _DISCOVERY.fullmatch(request.path)
        return f"discovery:{match['operation'] if match else 'unknown'}"

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        match = _DISCOVERY.fullmatch(request.path)
        if match is None or match["operation"].lower() != "gettenantendpointdetails":
            return _not_found()
        return _enveloped(lambda: self._details(request))

    def _details(self, request: Request) -> dict[str, Any]:
        asked = text(mapping(_body(request).get("tenant")).get("companyKey")) or ""
        key = self._replicon.company_key
        if asked.lower() != key.lower():
            raise RepliconFault(
                "CompanyKeyError1",
                f"Unable to locate company '{asked}'",
                failure_uri="urn:replicon-global:company-key-error:unknown-company",
                echo={"companyKey": asked},
            )
        root = f"{self._root_url()}/{key}/"
        return {
            "applicationRootUrl": root,
            "applicationRootUrls": [{"uri": "urn:replicon-global:application-root:polaris", "rootUrl": root}],
            "isLocal": False,
            "tenant": {"uri": TENANT_URI, "slug": TENANT_SLUG, "companyKey": key, "isEnabled": True},
        }


def _body(request: Request) -> dict[str, Any]:
    """Read the request's object; no body is an empty one."""
    if not request.body.strip():
        return {}
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise RepliconFault("InvalidRequestError1", f"The request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RepliconFault("InvalidRequestError1", "The request is not a JSON object.")
    return body


def _enveloped(work: Callable[[], Any]) -> Response:
    headers = _correlation()
    try:
        status, body = 200, orjson.dumps({"d": work()})
    except RepliconFault as fault:
        status, body = fault.status, orjson.dumps(fault.body(headers["x-execution-correlation-id"]))
    return Response(status, body, {**headers, "content-type": "application/json; charset=utf-8"})


def _correlation() -> dict[str, str]:
    return {"x-execution-correlation-id": uuid.uuid4().hex}


def _not_found() -> Response:
    page = b"<html><head><title>Service</title></head><body><p>Endpoint not found.</p></body></html>"
    return Response(404, page, {**_correlation(), "content-type": "text/html; charset=utf-8"})

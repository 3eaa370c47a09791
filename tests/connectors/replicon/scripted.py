"""A Replicon on loopback whose answers a test writes itself, for what the sandbox never says. Holds no tests."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from deployments.sandbox.faults import Faults
from deployments.sandbox.server import Server
from deployments.sandbox.wire import Request, Response
from tasks.connectors.http import RetryPolicy
from tasks.connectors.replicon.client import RepliconClient
from tasks.job import PasswordSignIn, RepliconTarget, SecretReference, TokenSignIn

PASSWORD_VARIABLE = "SCRIPTED_REPLICON_PASSWORD"
PASSWORD = "Tr0ub4dor&3-not-to-be-shown"
DISCOVERY = "DiscoveryService1.GetTenantEndpointDetails"
CORRELATION = "39d4aa00000000000000000000000000"

Script = Callable[[Any], Response | Any]
"""Gives an operation's result for a request body, or a whole response."""


@dataclasses.dataclass
class ScriptedReplicon:
    """Answers each operation by its script and remembers every request."""

    scripts: dict[str, Script]
    root: str = ""
    requests: list[Request] = dataclasses.field(default_factory=list)
    url: str = ""
    clients: list[RepliconClient] = dataclasses.field(default_factory=list)

    def endpoint(self, request: Request) -> str:
        service, _, operation = request.path.rpartition("/")
        return f"{service.rpartition('/')[2].removesuffix('.svc')}.{operation}"

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        operation = self.endpoint(request)
        if operation == DISCOVERY and operation not in self.scripts:
            tenant = {"slug": "acme", "companyKey": "acme", "isEnabled": True}
            return enveloped({"applicationRootUrl": self.root or f"{request.url}/acme/", "tenant": tenant})
        if operation not in self.scripts:
            return Response(404, b"<html>no such page</html>")
        answer = self.scripts[operation](orjson.loads(request.body))
        return answer if isinstance(answer, Response) else enveloped(answer)

    def calls(self, operation: str) -> list[Any]:
        """Give the bodies that an operation was called with."""
        return [orjson.loads(request.body) for request in self.requests if self.endpoint(request) == operation]

    def target(self, *, token: bool = False) -> RepliconTarget:
        secret = SecretReference(env=PASSWORD_VARIABLE)
        return RepliconTarget(
            company_key="acme",
            sign_in=TokenSignIn(token=secret) if token else PasswordSignIn(login_name="svc", password=secret),
            discovery_url=self.url,
        )

    def client(self, *, token: bool = False, waits: list[float] | None = None, attempts: int = 3) -> RepliconClient:
        """Give a client of it that notes its waits instead of waiting."""
        noted: list[float] = [] if waits is None else waits
        client = RepliconClient(self.target(token=token), retries=RetryPolicy(attempts=attempts), wait=noted.append)
        self.clients.append(client)
        return client


def enveloped(result: Any) -> Response:
    """Give a success as Replicon sends it."""
    return Response(200, orjson.dumps({"d": result}), {"x-execution-correlation-id": CORRELATION})


def failure(status: int, error: Mapping[str, Any], **headers: str) -> Response:
    """Give a failure as Replicon sends it."""
    return Response(status, orjson.dumps({"error": error}), {"x-execution-correlation-id": CORRELATION, **headers})


def one_after_the_other(*answers: Any) -> Script:
    """Give each answer once, and the last one for ever."""
    left = list(answers)
    return lambda _body: left.pop(0) if len(left) > 1 else left[0]


@contextlib.contextmanager
def scripted(scripts: Mapping[str, Script] | None = None, *, root: str = "") -> Iterator[ScriptedReplicon]:
    """Serve a scripted Replicon for the length of a test."""
    service = ScriptedReplicon(dict(scripts or {}), root)
    server = Server(Faults())
    server.add("replicon", service)
    server.start()
    service.url = server.url("replicon")
    try:
        yield service
    finally:
        # The server waits a moment for connections that are kept open.
        for client in service.clients:
            client.close()
        server.stop()

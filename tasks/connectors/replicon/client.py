"""One Replicon tenant over HTTP: finding its host, signing in, calling operations, telling answers from failures.

Knows the envelope and nothing of accounts. `users.py` and `catalogue.py` call it. Wire: Replicon's help pages
"API authentication", "API concepts" and "Understanding error responses".
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib.metadata
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from tasks.connectors.http import NO_RETRIES, HttpSession, RetryPolicy, TransportError, retry_after
from tasks.connectors.replicon.errors import Failure, Fault, RepliconError, TryLaterError, error_of, fault_of
from tasks.job import LOOPBACK, PasswordSignIn, RepliconTarget
from tasks.model import BadInputError

READ_SECONDS: Final = 60.0
"""How long an answer may take; Replicon itself gives up after 30 seconds ("Avoiding API timeouts")."""
READ_RETRIES: Final = RetryPolicy(attempts=5, longest_retry_after=120.0)
"""How often a call that only reads is repeated, and after how long."""
THROTTLED_SECONDS: Final = 7200.0
"""How long a call that only reads waits for the rate limit in all; limits by the hour exist."""

_DISCOVERY: Final = "DiscoveryService1.GetTenantEndpointDetails"
_REPLICON_HOST: Final = re.compile(r"([a-z0-9-]+\.)+replicon\.com")


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of one call, and what Replicon's support finds the call by."""

    result: Any
    correlation_id: str


class Pacing(Protocol):
    """Decides when a request may go out. Safe to use from several threads; an operation is `Service.Operation`."""

    def enter(self, operation: str) -> bool:
        """Wait until a request may go out; false when the run is to stop and would have to wait."""

    def leave(self, operation: str, *, refused: bool = False, retry_after: float | None = None) -> None:
        """Take in how that request ended: refused for the rate limit, or in any other way."""


@dataclasses.dataclass(frozen=True)
class _Reply:
    """What came back over HTTP."""

    status: int
    body: bytes
    correlation_id: str
    retry_after: float | None


class RepliconClient:
    """Calls operations of the tenant that `target` names, signed in as it says. Safe to use from several threads.

    The host is discovered at the first call and kept. `connections` is how many calls may be under way at once;
    `wait` sleeps between repeated reads; `pace`, if given, decides when requests to the tenant go out, and may be set
    later. Every failure is a `RepliconError`; `BadInputError` is raised at once when
    a secret that the job file refers to is not there.
    """

    def __init__(
        self,
        target: RepliconTarget,
        *,
        connections: int = 16,
        read_seconds: float = READ_SECONDS,
        retries: RetryPolicy = READ_RETRIES,
        wait: Callable[[float], None] = time.sleep,
        pace: Pacing | None = None,
    ) -> None:
        self.pace = pace
        self._target = target
        self._retries = retries
        self._wait = wait
        self._authorization = _authorization(target)
        self._http = HttpSession([target.discovery_url], pool_size=connections, read_seconds=read_seconds)
        self._lock = threading.Lock()
        self._root: str | None = None

    @property
    def company_key(self) -> str:
        """The tenant's company key, as the job file has it."""
        return self._target.company_key

    @property
    def root(self) -> str:
        """The tenant's root address, ending with a slash; found by discovery, which needs no credentials."""
        with self._lock:
            if self._root is None:
                self._root = self._discovered()
            return self._root

    def call(self, service: str, operation: str, body: Mapping[str, Any]) -> Any:
        """Give the result of an operation that only reads, repeating it where that may help."""
        return self._repeated(
            f"{service}.{operation}", self._address(service, operation), orjson.dumps(body), signed=True
        ).result

    def send(self, service: str, operation: str, body: bytes) -> Answer:
        """Send one operation that writes, exactly once: whether and when again is the caller's decision."""
        return self._once(f"{service}.{operation}", self._address(service, operation), body, signed=True, writing=True)

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _address(self, service: str, operation: str) -> str:
        return f"{self.root}services/{service}.svc/{operation}"

    def _discovered(self) -> str:
        url = f"{self._target.discovery_url}/DiscoveryService1.svc/GetTenantEndpointDetails"
        body = orjson.dumps({"tenant": {"companyKey": self.company_key}})
        found = self._repeated(_DISCOVERY, url, body, signed=False).result
        details = found if isinstance(found, Mapping) else {}
        root = details.get("applicationRootUrl")
        if not isinstance(root, str):
            raise error_of(Fault(Failure.PROTOCOL, _DISCOVERY, "expected applicationRootUrl, which the answer lacks"))
        tenant = details.get("tenant")
        if isinstance(tenant, Mapping) and tenant.get("isEnabled") is False:
            raise error_of(
                Fault(
                    Failure.COMPANY_KEY,
                    _DISCOVERY,
                    f"the tenant {self.company_key!r} is switched off",
                    remedy="Ask Replicon's Customer Success to switch it on, or correct `company_key` in the job file.",
                )
            )
        checked = checked_root(root, self._target.discovery_url, self.company_key)
        self._http.allow(checked)
        return checked

    def _repeated(self, operation: str, url: str, body: bytes, *, signed: bool) -> Answer:
        attempt, gives_up = 0, time.monotonic() + THROTTLED_SECONDS
        while True:
            attempt += 1
            try:
                return self._once(operation, url, body, signed=signed, writing=False)
            except TryLaterError as error:
                if self.pace is not None and error.kind is Failure.THROTTLED:
                    if error.http_status is None or time.monotonic() > gives_up:
                        raise
                    # The pace waits, and no refusal for the rate limit counts as an attempt.
                    attempt -= 1
                    continue
                pause = self._retries.wait_before(attempt, error.retry_after)
                if pause is None:
                    raise
            self._wait(pause)

    def _once(self, operation: str, url: str, body: bytes, *, signed: bool, writing: bool) -> Answer:
        reply = self._paced(operation, url, body, signed=signed, writing=writing)
        if isinstance(reply, Fault):
            raise error_of(reply)
        content, readable = _parsed(reply.body)
        error = content.get("error") if isinstance(content, Mapping) else None
        if reply.status == 200 and readable and not error:
            enveloped = isinstance(content, Mapping) and "d" in content
            return Answer(content["d"] if enveloped else content, reply.correlation_id)
        raise error_of(
            fault_of(
                operation,
                status=reply.status,
                error=error if isinstance(error, Mapping) else {},
                correlation_id=reply.correlation_id,
                retry_after=reply.retry_after,
                writing=writing,
            )
        )

    def _paced(self, operation: str, url: str, body: bytes, *, signed: bool, writing: bool) -> _Reply | Fault:
        """Send one request when the tenant's budget of calls allows it; discovery is not the tenant's."""
        pace = self.pace
        if pace is None or not signed:
            return self._exchanged(operation, url, body, signed=signed, writing=writing)
        if not pace.enter(operation):
            return Fault(Failure.THROTTLED, operation, "the run is to stop, and the budget of calls is used up")
        refused, wait = False, None
        try:
            reply = self._exchanged(operation, url, body, signed=signed, writing=writing)
            if isinstance(reply, _Reply) and reply.status == 429:
                refused, wait = True, reply.retry_after
        finally:
            pace.leave(operation, refused=refused, retry_after=wait)
        return reply

    def _exchanged(self, operation: str, url: str, body: bytes, *, signed: bool, writing: bool) -> _Reply | Fault:
        """Send one request. Raises nothing itself: no error's frames or causes are to hold the headers."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Replicon-Application": self._me}
        if signed:
            headers["Authorization"] = self._authorization
        try:
            response = self._http.request("POST", url, headers=headers, data=body, writes=writing, retry=NO_RETRIES)
        except TransportError as error:
            return Fault(Failure.UNAVAILABLE, operation, str(error), outcome_unknown=writing and error.sent)
        return _Reply(
            response.status_code,
            response.content,
            response.headers.get("x-execution-correlation-id", ""),
            retry_after(response.headers.get("Retry-After")),
        )

    @property
    def _me(self) -> str:
        return f"{self.company_key}_RepliconProvisioning_{_version()}"


def checked_root(root: str, discovery_url: str, company_key: str) -> str:
    """Give the tenant's root address for credentials to be sent to, ending with a slash.

    Only https on a host below replicon.com will do, or a loopback host that a loopback discovery named: otherwise
    `StopJobError`. A root without a path gets the company key as its path.
    """
    try:
        parts = urlsplit(root)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _foreign(root) from None
    ours = parts.scheme == "https" and _REPLICON_HOST.fullmatch(host) is not None
    sandbox = parts.scheme in {"http", "https"} and {host, urlsplit(discovery_url).hostname} <= LOOPBACK
    if not (ours or sandbox) or parts.username is not None or parts.query or parts.fragment:
        raise _foreign(root)
    shown_host = f"[{host}]" if ":" in host else host
    path = parts.path if parts.path.strip("/") else f"/{company_key}/"
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{path.rstrip('/')}/"


def _foreign(root: str) -> RepliconError:
    said = f"expected an https address on a host below replicon.com, found {root[:200]!r}"
    return error_of(Fault(Failure.FOREIGN_HOST, _DISCOVERY, said))


def _authorization(target: RepliconTarget) -> str:
    sign_in = target.sign_in
    if not isinstance(sign_in, PasswordSignIn):
        token = sign_in.token.resolve("Replicon token")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise BadInputError(
                "The Replicon token holds a space, a line break or another character that no token has. "
                "Store it again, as Replicon gave it."
            )
        return f"Bearer {token}"
    secret = sign_in.password.resolve("Replicon password")
    pair = f"{target.company_key}\\{sign_in.login_name}:{secret}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


def _parsed(body: bytes) -> tuple[Any, bool]:
    """Read a JSON body; false when it is none."""
    try:
        return orjson.loads(body), True
    except orjson.JSONDecodeError:
        return None, False


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("replicon-provisioning")
    except importlib.metadata.PackageNotFoundError:
        return "0"

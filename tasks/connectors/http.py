"""The one way out: pooled HTTP with timeouts, retries that obey Retry-After, and credentials for named hosts only.

Knows no wire format and no sign-in. The Graph and Replicon clients build on it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from tasks.connectors.traffic import TRAFFIC
from tasks.job import LOOPBACK
from tasks.model import BadInputError, ProvisioningError, UnreachableError

CONNECT_SECONDS: Final = 10.0
"""How long a connection may take to come about."""
READ_SECONDS: Final = 120.0
"""How long the other end may be silent within one answer."""

_READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class TransportError(UnreachableError):
    """Raised when no answer came: name lookup, connection, TLS, a timeout, or a connection lost on the way.

    `sent` is true when the request may have reached the other end, so that a write's outcome is unknown.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ForbiddenHostError(UnreachableError):
    """Raised before sending when a URL leaves the hosts that may see this session's credentials."""


class ReadOnlyError(ProvisioningError):
    """Raised before sending when a read-only session is asked to write: a defect of the caller, not of the input."""


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """When a request is sent again, and how long to wait before. Waits are in seconds.

    Without Retry-After the wait doubles from `first_wait` to `longest_wait`, jittered. A Retry-After is never cut
    short, since early retries count against the caller too ("Microsoft Graph throttling guidance"); one beyond
    `longest_retry_after` is not waited for: the answer is handed back instead.
    """

    attempts: int = 6
    statuses: frozenset[int] = frozenset({429, 503, 504})
    after_lost_answer: bool = True
    """Whether to send again when the request may have arrived. Never for a write that the other end would repeat."""
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 300.0

    def wait_before(self, attempt: int, retry_after: float | None) -> float | None:
        """Give how long to wait after the `attempt`-th failure (from 1), or null to give up."""
        if attempt >= self.attempts:
            return None
        if retry_after is None:
            ceiling = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
            return ceiling * random.uniform(0.5, 1.0)
        if retry_after > self.longest_retry_after:
            return None
        # Spread the callers that were told the same time, always to later.
        return retry_after + random.uniform(0.0, min(2.0, 0.1 * retry_after + 0.05))


READ_RETRIES: Final = RetryPolicy()
"""For requests that change nothing."""
NO_RETRIES: Final = RetryPolicy(attempts=1)
"""For requests whose caller decides itself."""


class HttpSession:
    """A pool of connections to a few hosts. Safe to use from several threads; never follows redirects.

    `hosts` are the URLs whose scheme, host and port may be called; `ca_file` is trusted besides the usual
    authorities; `read_only` makes every writing request a `ReadOnlyError`; `wait` sleeps between attempts.
    Raises `BadInputError` when `ca_file` cannot be used.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        ca_file: Path | None = None,
        pool_size: int = 16,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        read_only: bool = False,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._origins = {origin(host) for host in hosts}
        self._timeout = (connect_seconds, read_seconds)
        self._read_only = read_only
        self._wait = wait
        self._lock = threading.Lock()
        self._sent = 0
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "replicon-provisioning"
        # Cookies would carry one thread's server-side session into another's request.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(_trust(ca_file), pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    @property
    def sent(self) -> int:
        """How many requests have gone out so far, repeats included."""
        return self._sent

    def allow(self, url: str) -> None:
        """Let credentials go to the host of `url` too, once the caller has checked that it is the intended one."""
        self._origins.add(origin(url))

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: bytes | str | Mapping[str, Any] | None = None,
        json: Any = None,
        writes: bool | None = None,
        retry: RetryPolicy = READ_RETRIES,
        read_seconds: float | None = None,
    ) -> requests.Response:
        """Send one request and give the answer, whatever its status, read whole.

        `writes` says whether the request changes something; null goes by the method. Raises `TransportError` when
        no attempt was answered, `ForbiddenHostError` and `ReadOnlyError` before anything is sent.
        """
        where, host = f"{method} {shown(url)}", urlsplit(url).netloc.rpartition("@")[2]
        if origin(url) not in self._origins:
            raise ForbiddenHostError(
                f"{where} was not sent: this sign-in is for {', '.join(sorted(self._origins))} only, and the address "
                "came from an answer. Check the host names in the job file; if they are right, do not trust that end."
            )
        if self._read_only and (method.upper() not in _READING_METHODS if writes is None else writes):
            raise ReadOnlyError(f"{where} was not sent: this run only reads. This is a defect; please report it.")
        timeout = self._timeout if read_seconds is None else (self._timeout[0], read_seconds)
        # requests would send a loopback address to the environment's proxy.
        proxies = {"http": "", "https": ""} if urlsplit(url).hostname in LOOPBACK else None
        attempt = 0
        while True:
            attempt += 1
            with self._lock:
                self._sent += 1
            TRAFFIC.count_sent(host)
            try:
                response = self._session.request(
                    method,
                    url,
                    headers=headers,
                    params=params,
                    data=data,
                    json=json,
                    timeout=timeout,
                    allow_redirects=False,
                    auth=_as_given,
                    verify=True,
                    proxies=proxies,
                )
            except requests.RequestException as error:
                sent = _may_have_arrived(error)
                pause = retry.wait_before(attempt, None) if retry.after_lost_answer or not sent else None
                if pause is None:
                    # The chained exception would hold the request with its headers.
                    raise _transport_error(where, error, attempt, timeout, sent=sent) from None
            except OSError as error:
                raise BadInputError(f"{where} was not sent: {error}. Correct REQUESTS_CA_BUNDLE.") from None
            else:
                if response.status_code == requests.codes.too_many_requests:
                    TRAFFIC.count_throttled(host)
                if response.status_code not in retry.statuses:
                    return response
                pause = retry.wait_before(attempt, retry_after(response.headers.get("Retry-After")))
                if pause is None:
                    return response
            self._wait(pause)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


def origin(url: str) -> str:
    """Give scheme, host and port of `url`, the port always written. Raises `BadInputError` when it is not HTTP(S)."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    if port is None or not parts.hostname:
        raise BadInputError(f"Expected an address such as https://host, found {shown(url)!r}. Correct it.")
    return f"{parts.scheme}://{parts.hostname}:{port}"


def shown(url: str) -> str:
    """Give `url` as messages may show it: without user, query and fragment."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, in seconds or as an HTTP date; null when absent or unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


class _Adapter(HTTPAdapter):
    """Connections that trust one prepared TLS context; a caller beyond the pool's size waits for a free one."""

    def __init__(self, trust: ssl.SSLContext, pool_size: int) -> None:
        self._trust = trust
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._trust, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._trust, **kwargs)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    # requests adds its own bundle, or REQUESTS_CA_BUNDLE, when it connects.
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(
                f"`ca_file` {ca_file} cannot be used ({error.strerror or error}). Name a file of CA certificates (PEM)."
            ) from error
    return context


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from replacing the Authorization header by an entry of the user's .netrc."""
    return request


def _may_have_arrived(error: requests.RequestException) -> bool:
    if isinstance(
        error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError
    ):
        return False
    return not isinstance(_root(error), urllib3.exceptions.NewConnectionError)


def _root(error: requests.RequestException) -> object:
    """Find urllib3's own reason within what requests wrapped around it."""
    inner: object = error.args[0] if error.args else None
    return getattr(inner, "reason", inner)


def _transport_error(
    where: str, error: requests.RequestException, attempts: int, timeout: tuple[float, float], *, sent: bool
) -> TransportError:
    tries = "once" if attempts == 1 else f"{attempts} times"
    return TransportError(f"{where} was tried {tries} and not answered: {_reason(error, timeout)}", sent=sent)


def _reason(error: requests.RequestException, timeout: tuple[float, float]) -> str:
    root = _root(error)
    if isinstance(root, urllib3.exceptions.NameResolutionError):
        return "the host name is not known. Check its spelling in the job file, and the name service here."
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {timeout[0]:g} s. Check the address, the network and any firewall."
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"connected, but silent for {timeout[1]:g} s. Try again later."
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"TLS failed ({root}). If a company proxy or a private authority signs the certificate, name its "
            "CA certificates under `ca_file` or in REQUESTS_CA_BUNDLE."
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy named in the environment does not answer. Check HTTPS_PROXY and NO_PROXY."
    if isinstance(root, urllib3.exceptions.NewConnectionError):
        return "the connection was refused. Check the address and port, and that the other end is running."
    return "the connection was lost before the answer was whole. Try again; if it stays so, look at the network."

"""Signing in as an app registration, by secret or certificate, and keeping the token fresh. MSAL does the protocol.

The request layer asks for the Authorization header here; reading is not done here.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msal
import orjson
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tasks.connectors.http import HttpSession, RetryPolicy
from tasks.connectors.microsoft_graph.errors import SignInError
from tasks.job import LOOPBACK, Certificate, GraphSource
from tasks.model import BadInputError, ProvisioningError

_GRAPH: Final = "https://graph.microsoft.com"
_RENEW_EARLY_SECONDS: Final = 300.0
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_CERTIFICATES: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_RETRIES: Final = RetryPolicy(attempts=5, statuses=frozenset({429, 500, 502, 503, 504}), first_wait=0.2)

_REMEDIES: Final[Mapping[int, str]] = {
    7000215: "The client secret is wrong. Copy the secret's value (not its id) again from the app registration.",
    7000222: "The client secret has expired. Make a new one in the app registration and store it.",
    700016: "The tenant has no app registration with this `client_id`. Correct `client_id` or `tenant_id`.",
    700027: "The certificate is not registered for the app, or has expired. Upload it to the app registration.",
    90002: "There is no such tenant. Correct `tenant_id`.",
    900021: "There is no such tenant. Correct `tenant_id`.",
    900023: "`tenant_id` is neither a tenant's id nor one of its domains. Correct it.",
}
"""What to do, by Entra's error number (Microsoft Entra, "Authentication and authorization error codes")."""


class Tokens:
    """The app's access token: got when first needed, renewed before it expires, safe to share between threads."""

    def __init__(self, source: GraphSource, http: HttpSession, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._http = http
        self._clock = clock
        # A sandbox on this machine stands in for the public cloud; national clouds name themselves.
        host = urlsplit(source.graph_url).hostname
        self._scope = f"{_GRAPH if host in LOOPBACK else source.graph_url}/.default"
        self._lock = threading.Lock()
        self._app: msal.ConfidentialClientApplication | None = None
        self._token = ""
        self._renew_at = 0.0

    def current(self) -> str:
        """Give a token with time left. Raises `SignInError`, or `BadInputError` when the credential is unusable."""
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._renew()
            return self._token

    def renewed(self, refused: str) -> str:
        """Give a token other than the one Graph `refused`; another thread may have got it already."""
        with self._lock:
            if self._token == refused:
                self._renew()
            return self._token

    def roles(self) -> frozenset[str] | None:
        """Give the application permissions that the token names; null when it is not readable to us."""
        parts = self.current().split(".")
        if len(parts) != 3:
            return None
        try:
            claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except (binascii.Error, ValueError):
            return None
        roles = claims.get("roles") if isinstance(claims, dict) else None
        return frozenset(map(str, roles)) if isinstance(roles, list) else None

    def _renew(self) -> None:
        started = self._clock()
        app = self._application()
        app.remove_tokens_for_client()
        try:
            result = app.acquire_token_for_client([self._scope])
        except (ValueError, KeyError, requests.HTTPError, msal.exceptions.MsalServiceError) as error:
            raise self._unreadable(error) from None
        if "access_token" not in result:
            raise self._refused(result)
        lifetime = float(result.get("expires_in") or 0)
        self._token = str(result["access_token"])
        self._renew_at = started + max(lifetime - _RENEW_EARLY_SECONDS, lifetime * 0.8)

    def _application(self) -> msal.ConfidentialClientApplication:
        if self._app is None:
            source = self._source
            try:
                self._app = msal.ConfidentialClientApplication(
                    source.client_id,
                    client_credential=_credential(source),
                    authority=f"{source.login_url}/{source.tenant_id}",
                    # The job file names the host; asking Microsoft whether it is known would leave it.
                    instance_discovery=False,
                    http_client=_MsalTransport(self._http),
                )
            except ProvisioningError:
                raise
            except ValueError as error:
                raise self._no_tenant(error) from None
            except (KeyError, requests.HTTPError, msal.exceptions.MsalServiceError, RuntimeError) as error:
                raise self._unreadable(error) from None
        return self._app

    def _no_tenant(self, error: ValueError) -> ProvisioningError:
        source = self._source
        if not source.login_url.startswith("https:"):
            return BadInputError(f"`login_url` {source.login_url} has to begin with https: a secret is sent there.")
        return SignInError(
            f"{source.login_url} knows no tenant {source.tenant_id!r}, or is not Entra's sign-in "
            f"({type(error).__name__}). Correct `tenant_id`, or `login_url` if it is set."
        )

    def _unreadable(self, error: Exception) -> SignInError:
        return SignInError(
            f"The sign-in at {self._source.login_url} gave no readable answer ({type(error).__name__}). Try again "
            "later; if it stays so, check `login_url`."
        )

    def _refused(self, result: Mapping[str, Any]) -> SignInError:
        source = self._source
        numbers = [int(number) for number in result.get("error_codes") or [] if str(number).isdigit()]
        said = str(result.get("error_description") or "").splitlines()
        if not numbers and said:
            numbers = [int(number) for number in re.findall(r"AADSTS(\d+)", said[0])]
        remedy = next((_REMEDIES[number] for number in numbers if number in _REMEDIES), "")
        trace = f" (correlation id {result['correlation_id']})" if result.get("correlation_id") else ""
        return SignInError(
            f"Entra refuses to sign in client {source.client_id} of tenant {source.tenant_id}: "
            f"{result.get('error', 'no error code')}: {said[0] if said else 'no description'}{trace}. "
            f"{remedy or 'Check the app registration and its credential.'}"
        )


class _MsalTransport:
    """MSAL's idea of an HTTP client, kept by our session: its hosts, timeouts, retries and trust."""

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._send("POST", url, options)

    def close(self) -> None:
        """Leave the session open: it is shared."""

    def _send(self, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
        return self._http.request(
            method,
            url,
            headers=options.get("headers"),
            params=options.get("params"),
            data=options.get("data"),
            writes=False,
            retry=_RETRIES,
        )


def _credential(source: GraphSource) -> str | dict[str, str]:
    if source.client_secret is not None:
        return source.client_secret.resolve("client secret of the Microsoft Graph sign-in")
    if source.certificate is None:
        raise BadInputError("source: give exactly one of `client_secret` and `certificate`.")
    return _certificate(source.certificate)


def _certificate(certificate: Certificate) -> dict[str, str]:
    pem = certificate.pem.resolve("certificate of the Microsoft Graph sign-in")
    passphrase = certificate.passphrase.resolve("passphrase of the certificate") if certificate.passphrase else None
    key, certificates = _KEY.search(pem), _CERTIFICATES.findall(pem)
    if key is None or not certificates:
        raise BadInputError(
            "`certificate.pem` has to hold the private key and the certificate, both in PEM; "
            f"{'the certificate' if key else 'the private key'} is absent. Put both into it."
        )
    try:
        load_pem_private_key(key[0].encode(), passphrase.encode() if passphrase else None)
        x509.load_pem_x509_certificate(certificates[0].encode())
    except (ValueError, TypeError) as error:
        raise BadInputError(
            f"`certificate.pem` cannot be used: {error}. Check that it is whole and that `passphrase` is right "
            "(and absent for a key without one)."
        ) from None
    credential = {"private_key": key[0], "public_certificate": "\n".join(certificates)}
    return credential | {"passphrase": passphrase} if passphrase else credential

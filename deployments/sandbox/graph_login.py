"""The sign-in side of the sandbox: OpenID metadata, the token endpoint, and the check of the tokens it gave out.

Client credentials only, by secret or by a signed assertion. Called by `graph`; knows nothing of the directory.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from deployments.sandbox.graph_errors import not_signed_in
from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.wire import Request, Response

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AUDIENCE: Final = "https://graph.microsoft.com"
_JSON: Final = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache"}
_REMEMBERED: Final = 4096


@dataclasses.dataclass(frozen=True)
class SignedIn:
    """Who a request comes from, and what it may do."""

    client_id: str
    permissions: frozenset[str]
    expires: float


@dataclasses.dataclass
class _RefusedError(Exception):
    """A refusal of the token endpoint, in Entra's numbering of errors."""

    status: int
    error: str
    number: int
    description: str


class Login:
    """Signs applications in to one tenant, known by its id and its domains."""

    def __init__(self, settings: GraphSettings, tenant_id: str, domains: tuple[str, ...]) -> None:
        """Start with a fresh signing key, so that tokens of another sandbox are not valid here."""
        self._settings = settings
        self._tenant_id = tenant_id
        self._names = {tenant_id, *domains}
        self._key = secrets.token_bytes(32)
        self._seen: dict[str, SignedIn] = {}

    def metadata(self, request: Request, tenant: str) -> Response:
        """Answer GET /{tenant}/v2.0/.well-known/openid-configuration."""
        try:
            self._check_tenant(tenant)
        except _RefusedError as refused:
            return self._refusal(refused)
        authority = f"{request.url}/{self._tenant_id}"
        body = {
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{authority}/discovery/v2.0/keys",
            "issuer": f"{authority}/v2.0",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
        }
        return Response(200, orjson.dumps(body), dict(_JSON))

    def token(self, request: Request, tenant: str) -> Response:
        """Answer POST /{tenant}/oauth2/v2.0/token."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        try:
            self._check_tenant(tenant)
            if form.get("grant_type") != "client_credentials":
                found = form.get("grant_type", "")
                raise _RefusedError(400, "unsupported_grant_type", 70003, f"The app requested grant '{found}'.")
            if form.get("scope", "").rsplit("/", 1)[-1] != ".default":
                raise _RefusedError(
                    400,
                    "invalid_scope",
                    1002012,
                    f"The provided value for scope {form.get('scope', '')} is not valid. Client credential flows "
                    "must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
                )
            client_id, registration = self._authenticate(form, request)
        except _RefusedError as refused:
            return self._refusal(refused)
        body = {
            "token_type": "Bearer",
            "expires_in": int(self._settings.token_lifetime),
            "ext_expires_in": int(self._settings.token_lifetime),
            "access_token": self._issue(client_id, registration),
        }
        return Response(200, orjson.dumps(body), dict(_JSON))

    def check(self, request: Request) -> SignedIn:
        """Give who sent this request; raises `GraphError` (401) unless its token is ours and fresh."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise not_signed_in("Access token is empty.")
        signed_in = self._seen.get(token) or self._read(token)
        if signed_in.expires <= self._settings.clock():
            raise not_signed_in("Lifetime validation failed, the token is expired.")
        return signed_in

    def _read(self, token: str) -> SignedIn:
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError as error:
            raise not_signed_in("Access token validation failure. Invalid signature.") from error
        except jwt.InvalidTokenError as error:
            raise not_signed_in("CompactToken parsing failed with error code: 80049217") from error
        signed_in = SignedIn(claims["appid"], frozenset(claims["roles"]), float(claims["exp"]))
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[token] = signed_in
        return signed_in

    def _issue(self, client_id: str, registration: AppRegistration) -> str:
        now = self._settings.clock()
        claims = {
            "aud": _AUDIENCE,
            "iss": f"https://sts.windows.net/{self._tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + self._settings.token_lifetime,
            "appid": client_id,
            "idtyp": "app",
            "roles": list(registration.permissions or ()),
            "tid": self._tenant_id,
            "uti": secrets.token_urlsafe(12),
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _check_tenant(self, tenant: str) -> None:
        if tenant.lower() not in self._names:
            raise _RefusedError(
                400,
                "invalid_request",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
                "into the correct cloud.",
            )

    def _authenticate(self, form: Mapping[str, str], request: Request) -> tuple[str, AppRegistration]:
        client_id = form.get("client_id", "")
        registration = self._settings.registration(client_id)
        if registration is None:
            raise _RefusedError(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{self._tenant_id}'.",
            )
        if form.get("client_assertion_type") == _ASSERTION:
            self._check_assertion(client_id, registration, form.get("client_assertion", ""), request)
        elif "client_secret" not in form:
            raise _RefusedError(
                401,
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
            )
        elif registration.secret is None or not secrets.compare_digest(
            form["client_secret"].encode(), registration.secret.encode()
        ):
            raise _RefusedError(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client_id}'.",
            )
        return client_id, registration

    def _check_assertion(self, client_id: str, registration: AppRegistration, assertion: str, request: Request) -> None:
        """Verify the signature, the audience, the parties and the life of a client assertion."""
        key = _public_key(registration)
        if key is None:
            raise _unknown_key(client_id)
        try:
            claims = jwt.decode(
                assertion,
                key,
                algorithms=["RS256", "PS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError as error:
            raise _unknown_key(client_id) from error
        except jwt.InvalidTokenError as error:
            raise _RefusedError(401, "invalid_client", 50027, "JWT token is invalid or malformed.") from error
        audience = f"{request.url}/{self._tenant_id}/oauth2/v2.0/token"
        if claims.get("aud") not in {f"{request.url}/{name}/oauth2/v2.0/token" for name in self._names}:
            raise _RefusedError(
                401, "invalid_client", 700023, f"Client assertion audience claim does not match. Expected '{audience}'."
            )
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise _RefusedError(401, "invalid_client", 700021, "Client assertion application identifier doesn't match.")
        if float(claims.get("exp", 0)) <= self._settings.clock():
            raise _RefusedError(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")

    def _refusal(self, refused: _RefusedError) -> Response:
        now = dt.datetime.fromtimestamp(self._settings.clock(), dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        told = f"AADSTS{refused.number}: {refused.description}"
        body: dict[str, Any] = {
            "error": refused.error,
            "error_description": f"{told} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
            "error_codes": [refused.number],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
        }
        return Response(refused.status, orjson.dumps(body), dict(_JSON))


def _public_key(registration: AppRegistration) -> RSAPublicKey | None:
    if registration.certificate_pem is None:
        return None
    key = x509.load_pem_x509_certificate(registration.certificate_pem.encode()).public_key()
    return key if isinstance(key, RSAPublicKey) else None


def _unknown_key(client_id: str) -> _RefusedError:
    return _RefusedError(
        401,
        "invalid_client",
        700027,
        f"The certificate used to sign the client assertion is not registered on application '{client_id}'.",
    )

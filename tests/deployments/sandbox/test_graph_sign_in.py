"""Signing in to the sandbox's Graph: secrets, certificates, refusals, and what a token allows for how long."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jwt
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deployments.sandbox.graph_settings import AppRegistration
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.wire import Request
from tests.deployments.sandbox.graph_calls import HOST, Caller

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return generate(30, 1)


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    return Caller(tenant)


def key_and_certificate() -> tuple[str, str]:
    """A fresh private key, and a certificate that vouches for it, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provisioning")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=3650))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


KEY, CERTIFICATE = key_and_certificate()
STRANGER = key_and_certificate()[0]


def assertion(caller: Caller, key: str = KEY, algorithm: str = "PS256", **claims: Any) -> str:
    audience = f"{HOST}/{caller.tenant.tenant_id}/oauth2/v2.0/token"
    standard = {"aud": audience, "iss": "robot", "sub": "robot", "exp": caller.clock.now + 300, "jti": "1"}
    return jwt.encode({**standard, **claims}, key, algorithm=algorithm)


def refusal(caller: Caller, **form: str) -> tuple[int, str, int]:
    response = caller.sign_in(**form)
    body = orjson.loads(response.body)
    return response.status, body["error"], body["error_codes"][0]


def test_a_secret_gives_a_bearer_token_that_reads(caller: Caller) -> None:
    body = orjson.loads(caller.sign_in().body)
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    assert caller.get("users?$top=1")["value"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        ({"tenant_id": "elsewhere.example"}, (400, "invalid_request", 90002)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"scope": "https://graph.microsoft.com/User.Read"}, (400, "invalid_scope", 1002012)),
    ],
)
def test_a_wrong_sign_in_is_refused_by_its_number(
    caller: Caller, form: dict[str, str], expected: tuple[int, str, int]
) -> None:
    assert refusal(caller, **form) == expected


def test_the_tenant_may_be_named_by_its_domain(caller: Caller) -> None:
    assert caller.sign_in(tenant_id=caller.tenant.domain).status == 200


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_an_assertion_signed_with_the_registered_key_signs_in(caller: Caller, algorithm: str) -> None:
    caller.settings.clients = {"robot": CERTIFICATE}
    form = {"client_id": "robot", "client_assertion_type": ASSERTION_TYPE}
    assert caller.sign_in(**form, client_assertion=assertion(caller, algorithm=algorithm)).status == 200


@pytest.mark.parametrize(
    ("key", "claims", "number"),
    [
        (STRANGER, {}, 700027),
        (KEY, {"aud": "https://elsewhere/token"}, 700023),
        (KEY, {"iss": "other"}, 700021),
        (KEY, {"exp": 1_000}, 700024),
    ],
)
def test_an_assertion_that_proves_nothing_is_refused(
    caller: Caller, key: str, claims: dict[str, Any], number: int
) -> None:
    caller.settings.clients = {"robot": CERTIFICATE}
    form = {"client_id": "robot", "client_assertion_type": ASSERTION_TYPE}
    assert refusal(caller, **form, client_assertion=assertion(caller, key, **claims)) == (401, "invalid_client", number)


def test_a_secret_does_not_do_where_only_a_certificate_is_registered(caller: Caller) -> None:
    caller.settings.clients = {"robot": AppRegistration(certificate_pem=CERTIFICATE)}
    assert refusal(caller, client_id="robot")[2] == 7000215


def test_the_metadata_names_this_host(caller: Caller) -> None:
    path = f"/{caller.tenant.domain}/v2.0/.well-known/openid-configuration"
    body = orjson.loads(caller.service.handle(Request("GET", path, {}, {}, b"", HOST)).body)
    assert body["token_endpoint"] == f"{HOST}/{caller.tenant.tenant_id}/oauth2/v2.0/token"


def test_a_token_ends_with_its_life(caller: Caller) -> None:
    caller.clock.now += 3598
    before = caller.response("users").status
    caller.clock.now += 1
    assert (before, caller.error("users")) == (200, (401, "InvalidAuthenticationToken"))


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer nonsense"])
def test_a_call_without_a_token_of_ours_is_refused(caller: Caller, authorization: str) -> None:
    response = caller.response("users", authorization=authorization)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_sandbox_is_refused(caller: Caller, tenant: Tenant) -> None:
    caller.token = Caller(tenant).token
    assert caller.error("users") == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("User.Read.All", {"users", "users/delta", "directory/deletedItems/microsoft.graph.user", "organization"}),
        ("GroupMember.Read.All", {"groups", "groups/delta"}),
        ("Group.ReadWrite.All", {"groups", "groups/delta"}),
        ("Application.Read.All", {"servicePrincipals"}),
        (
            "Directory.Read.All",
            {
                "users", "users/delta", "directory/deletedItems/microsoft.graph.user", "organization",
                "groups", "groups/delta", "servicePrincipals",
            },
        ),
    ],
)  # fmt: skip
def test_a_token_reads_what_its_permissions_allow_and_nothing_else(
    tenant: Tenant, permission: str, allowed: set[str]
) -> None:
    caller = Caller(tenant, (permission,))
    paths = [
        "users", "users/delta", "directory/deletedItems/microsoft.graph.user", "organization",
        "groups", "groups/delta", "servicePrincipals",
    ]  # fmt: skip
    answers = {path: caller.response(path).status for path in paths}
    assert answers == {path: 200 if path in allowed else 403 for path in paths}


def test_a_refusal_comes_in_the_documented_envelope(tenant: Tenant) -> None:
    caller = Caller(tenant, ("Application.Read.All",))
    response = caller.response("users", client_request_id="abc")
    error = orjson.loads(response.body)["error"]
    assert error["code"] == "Authorization_RequestDenied"
    assert error["innerError"]["client-request-id"] == "abc"
    assert error["innerError"]["request-id"]
    assert response.headers["client-request-id"] == "abc"

"""Signing in and being refused: each wrong setting ends with words that say which, and shows no secret."""

from __future__ import annotations

import dataclasses
import datetime as dt
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from deployments.sandbox.graph_settings import AppRegistration
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.job import GraphSource, Scope
from tasks.model import BadInputError, ProvisioningError, UnreachableError
from tests.connectors.microsoft_graph.conftest import SECRET_VARIABLE

Source = Callable[..., GraphSource]


def refusal(source: GraphSource, kind: type[ProvisioningError]) -> str:
    """Read with `source` and give the words of the error."""
    with pytest.raises(kind) as raised:
        MicrosoftGraph(source, wait=lambda _: None).read_all(frozenset({"userPrincipalName"}), Scope())
    return str(raised.value)


def permit(sandbox: Sandbox, *permissions: str) -> None:
    sandbox.graph_settings.clients = {CLIENT_ID: AppRegistration(secret=CLIENT_SECRET, permissions=permissions)}


def test_a_wrong_secret_says_so_and_shows_none(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "wr0ng-s3cret")
    words = refusal(source(), UnreachableError)
    assert "The client secret is wrong" in words
    assert "wr0ng-s3cret" not in words


def test_an_absent_secret_names_the_variable(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    assert SECRET_VARIABLE in refusal(source(), BadInputError)


def test_a_wrong_tenant_names_it(source: Source) -> None:
    assert "knows no tenant 'no-such-tenant'" in refusal(source(tenant_id="no-such-tenant"), UnreachableError)


def test_a_wrong_client_names_the_setting(source: Source) -> None:
    assert "`client_id`" in refusal(source(client_id="00000000-0000-0000-0000-000000000001"), UnreachableError)


def test_a_wrong_application_names_the_setting(source: Source) -> None:
    assert "`application_id`" in refusal(source(application_id="no-such-app"), BadInputError)


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        (("User.Read.All", "GroupMember.Read.All"), "Application.Read.All"),
        (("Application.Read.All", "GroupMember.Read.All"), "User.Read.All"),
        (("Application.Read.All", "User.Read.All"), "GroupMember.Read.All"),
    ],
)
def test_a_missing_permission_names_the_one_to_grant(
    sandbox: Sandbox, source: Source, held: tuple[str, ...], needed: str
) -> None:
    permit(sandbox, *held)
    assert f"application permission {needed}" in refusal(source(), UnreachableError)


def test_an_attribute_that_graph_does_not_have_names_it(source: Source) -> None:
    with pytest.raises(BadInputError, match="'shoeSize'"):
        MicrosoftGraph(source()).read_all(frozenset({"shoeSize"}), Scope())


def test_an_authority_that_is_not_trusted_points_to_ca_file(source: Source) -> None:
    assert "`ca_file`" in refusal(source(ca_file=None), UnreachableError)


def test_a_sign_in_over_plain_http_is_refused(sandbox: Sandbox, source: Source) -> None:
    assert "`login_url`" in refusal(source(login_url=sandbox.graph_url), BadInputError)


def test_an_end_that_does_not_listen_says_so(source: Source) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{free.getsockname()[1]}"
    assert "refused" in refusal(source(login_url=url), UnreachableError)


@pytest.mark.parametrize("kind", ["unavailable503", "reset", "internal500"])
def test_a_sign_in_that_fails_for_the_moment_is_tried_again(source: Source, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.add("graph:token", kind, count=1)
    graph = MicrosoftGraph(source(), wait=lambda _: None)
    assert graph.find_people(["nobody"], frozenset()).missing == ()


@pytest.mark.parametrize("endpoint", ["graph:token", "graph:openid-configuration"])
@pytest.mark.parametrize("kind", ["unavailable503", "reset", "error_on_200"])
def test_a_sign_in_that_keeps_failing_ends_with_words(
    source: Source, sandbox: Sandbox, endpoint: str, kind: str
) -> None:
    sandbox.faults.add(endpoint, kind)
    assert refusal(source(), UnreachableError)


@dataclasses.dataclass(frozen=True)
class Pair:
    key: bytes
    certificate: bytes


def make_pair(passphrase: str | None = None) -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provisioning")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return Pair(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked), certificate.public_bytes(pem))


def with_certificate(source: Source, tmp_path: Path, content: bytes, passphrase: str | None = None) -> GraphSource:
    pem, words = tmp_path / "graph.pem", tmp_path / "passphrase"
    pem.write_bytes(content)
    words.write_text(passphrase or "none")
    certificate: dict[str, object] = {"pem": {"file": str(pem)}}
    if passphrase:
        certificate["passphrase"] = {"file": str(words)}
    return source(client_secret=None, certificate=certificate)


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_registered_certificate_signs_in(
    source: Source, sandbox: Sandbox, tmp_path: Path, passphrase: str | None
) -> None:
    pair = make_pair(passphrase)
    sandbox.graph_settings.clients = {CLIENT_ID: AppRegistration(certificate_pem=pair.certificate.decode())}
    graph = MicrosoftGraph(with_certificate(source, tmp_path, pair.certificate + pair.key, passphrase))
    assert graph.read_all(frozenset(), Scope()).manifest.complete


def test_a_certificate_that_is_not_registered_says_so(source: Source, tmp_path: Path) -> None:
    pair = make_pair()
    words = refusal(with_certificate(source, tmp_path, pair.key + pair.certificate), UnreachableError)
    assert "certificate is not registered" in words


@pytest.mark.parametrize("part", ["key", "certificate"])
def test_a_pem_that_lacks_a_half_says_which(source: Source, tmp_path: Path, part: str) -> None:
    content: bytes = getattr(make_pair(), part)
    absent = "the certificate is absent" if part == "key" else "the private key is absent"
    assert absent in refusal(with_certificate(source, tmp_path, content), BadInputError)


def test_a_wrong_passphrase_says_so(source: Source, tmp_path: Path) -> None:
    pair = make_pair("right")
    words = refusal(with_certificate(source, tmp_path, pair.key + pair.certificate, "wrong"), BadInputError)
    assert "`passphrase`" in words


def test_the_connection_test_finds_everything_good(source: Source) -> None:
    probes = MicrosoftGraph(source()).probe(Scope())
    assert [each.check for each in probes if not each.good] == []
    assert {"sign-in", "application", "users", "deleted users", "assignments and groups"} <= {
        each.check for each in probes
    }


def test_the_connection_test_names_the_missing_permission_and_tries_the_rest(source: Source, sandbox: Sandbox) -> None:
    permit(sandbox, "Application.Read.All", "GroupMember.Read.All")
    bad = {each.check: each.remedy for each in MicrosoftGraph(source()).probe(Scope()) if not each.good}
    assert set(bad) == {"permission User.Read.All", "users", "deleted users"}
    assert "Grant the app registration User.Read.All" in bad["permission User.Read.All"]


def test_the_connection_test_ends_at_a_sign_in_that_fails(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "wrong")
    assert [(each.check, each.good) for each in MicrosoftGraph(source()).probe(Scope())] == [("sign-in", False)]

"""A real mail server for tests, on a loopback port of its own: it takes mails over STARTTLS, or refuses them."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER: Final = "provisioning"
PASSWORD: Final = "a-mail-password"


class Mailbox:
    """What has arrived. While `refuses` is set, every mail is refused with that answer."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.signed_in: list[str] = []
        self.over_tls: list[bool] = []
        self.refuses = ""
        self.port = 0
        self.ca_file = Path()

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one mail, as aiosmtpd has it."""
        if self.refuses:
            return self.refuses
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.over_tls.append(session.ssl is not None)
        return "250 OK"

    def sign_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Let the one account in."""
        name, password = data.login.decode(), data.password.decode()
        self.signed_in.append(name)
        return AuthResult(success=(name, password) == (USER, PASSWORD))

    def settings(self, **more: Any) -> dict[str, Any]:
        """Give a job's `notify` section for this mailbox; the password is in MAIL_PASSWORD."""
        smtp = {
            "host": "localhost",
            "port": self.port,
            "security": "starttls",
            "ca_file": str(self.ca_file),
            "user": USER,
            "password": {"env": "MAIL_PASSWORD"},
        }
        return {"to": ["owners@acme.example"], "sender": "provisioning@acme.example", "smtp": smtp, **more}

    def subjects(self) -> list[str]:
        """Give the subjects of what has arrived, without what is the same in all."""
        return [str(mail["Subject"]).strip().removeprefix("[Replicon provisioning] ") for mail in self.mails]


@contextlib.contextmanager
def mail_server(folder: Path) -> Iterator[Mailbox]:
    """Run a mail server that wants STARTTLS and a sign-in."""
    mailbox = Mailbox()
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=_free_port(),
        ready_timeout=60,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=mailbox.sign_in,
    )
    controller.start()
    mailbox.port = controller.port
    mailbox.ca_file = certificate
    try:
        yield mailbox
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that signs itself; give it and its key as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "mail.pem", folder / "mail.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret

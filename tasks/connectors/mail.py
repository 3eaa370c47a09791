"""Mail on the wire: one message over SMTP. What is in it, the report stage says."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final

from tasks.job import Smtp
from tasks.model import UnreachableError

PATIENCE_SECONDS: Final = 20
"""How long a mail server may take for each answer: a cycle waits for it at its very end."""


class MailError(UnreachableError):
    """Raised when a mail was not taken; the text names the server and what it said."""


def send(message: EmailMessage, server: Smtp) -> None:
    """Send a message. Raises `MailError` when the server cannot be reached or does not take it for everybody.

    Raises `BadInputError` when the password is not where the job file says.
    """
    password = server.password.resolve("mail server's password") if server.password else None
    try:
        with _connected(server) as connection:
            if server.user is not None and password is not None:
                connection.login(server.user, password)
            connection.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(
            f"The mail server {server.host}:{server.port} did not take the message: {_said(error)}. Check "
            "`notify.smtp` in the job file; the next cycle sends it again."
        ) from error


def _connected(server: Smtp) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=PATIENCE_SECONDS, context=context)
    connection = smtplib.SMTP(server.host, server.port, timeout=PATIENCE_SECONDS)
    if server.security == "starttls":
        try:
            connection.starttls(context=context)
        except BaseException:
            connection.close()
            raise
    return connection


def _said(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}".strip().rstrip(".")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(
            f"{address}: {code} {said.decode(errors='replace')}" for address, (code, said) in error.recipients.items()
        )
    return str(error).rstrip(".") or type(error).__name__

"""Credentials kept in Prefect: the two block types, and how secrets of a job file are read from blocks.

`prefect block register --module flows.blocks` makes the types known to a server. Only what a job refers to is loaded.
"""

from pathlib import Path
from typing import ClassVar, Final, Self, cast

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from tasks.connectors.http import HttpSession
from tasks.connectors.microsoft_graph.sign_in import Tokens
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import GraphSource, RepliconTarget
from tasks.model import BadInputError

_PAGES: Final = "Make it in Prefect's pages under Blocks, or correct its name in the job file."


class EntraCredentials(Block):
    """How to sign in to Microsoft Entra ID as an app registration: a client secret, or a certificate (PEM)."""

    _block_type_name: ClassVar[str] = "Entra ID Credentials"
    _block_type_slug: ClassVar[str] = "entra-id-credentials"
    _description: ClassVar[str] = "An app registration that may read the directory and its assignments."

    tenant_id: str = Field(min_length=1, description="Directory (tenant) id.")
    client_id: str = Field(min_length=1, description="Application (client) id.")
    client_secret: SecretStr = Field(default=SecretStr(""), description="The secret's value, not its id.")
    certificate: SecretStr = Field(default=SecretStr(""), description="Private key and certificate, both in PEM.")
    passphrase: SecretStr = Field(default=SecretStr(""), description="Of the certificate's private key, if it has one.")
    login_url: str = "https://login.microsoftonline.com"
    ca_file: str = Field(default="", description="CA certificates (PEM file) to trust besides the usual ones.")

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if bool(self.client_secret.get_secret_value()) == bool(self.certificate.get_secret_value()):
            raise ValueError("give exactly one of client_secret and certificate")
        return self

    def test_connection(self) -> str:
        """Sign in with what was saved and give which permissions the app has.

        Raises `SignInError` when Entra refuses, `BadInputError` when the block is not saved or cannot be used.
        """
        name = _saved(self)
        secret = {"client_secret": {"block": name, "field": "client_secret"}}
        pem = {"block": name, "field": "certificate"}
        phrase = {"passphrase": {"block": name, "field": "passphrase"}} if self.passphrase.get_secret_value() else {}
        source = GraphSource.model_validate(
            {
                "type": "microsoft_graph",
                "tenant_id": self.tenant_id,
                "client_id": self.client_id,
                # Signing in asks nothing about an application.
                "application_id": "none",
                "login_url": self.login_url,
                **(secret if self.client_secret.get_secret_value() else {"certificate": {"pem": pem, **phrase}}),
            }
        )
        tokens = Tokens(source, HttpSession([source.login_url], ca_file=Path(self.ca_file) if self.ca_file else None))
        roles = ", ".join(sorted(tokens.roles() or ())) or "no application permission that the token names"
        return f"Signed in as {self.client_id} of {self.tenant_id}: {roles}."


class RepliconCredentials(Block):
    """How to sign in to Replicon: login name and password of an account of Replicon's own, or an access token."""

    _block_type_name: ClassVar[str] = "Replicon Credentials"
    _block_type_slug: ClassVar[str] = "replicon-credentials"
    _description: ClassVar[str] = "An account that administers users through Replicon's web services."

    company_key: str = Field(min_length=1, description="The tenant's company key.")
    login_name: str = Field(default="", description="Of an account that uses Replicon's own authentication.")
    password: SecretStr = SecretStr("")
    token: SecretStr = Field(default=SecretStr(""), description="An access token, instead of login name and password.")
    discovery_url: str = "https://global.replicon.com"

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        by_password = bool(self.login_name and self.password.get_secret_value())
        if by_password == bool(self.token.get_secret_value()):
            raise ValueError("give either login_name and password, or token")
        return self

    def test_connection(self) -> str:
        """Sign in with what was saved and give as whom.

        Raises `RepliconError` when Replicon refuses, `BadInputError` when the block is not saved.
        """
        name = _saved(self)
        sign_in = (
            {"token": {"block": name, "field": "token"}}
            if self.token.get_secret_value()
            else {"login_name": self.login_name, "password": {"block": name, "field": "password"}}
        )
        target = RepliconTarget.model_validate(
            {"company_key": self.company_key, "discovery_url": self.discovery_url, "sign_in": sign_in}
        )
        account = RepliconUsers(RepliconClient(target), frozenset({"LoginName"})).identity()
        return f"Signed in to {self.company_key} as {account.login_name} ({account.uri})."


def read_block(name: str, field: str) -> str:
    """Give the text of a field of the block `name` (`type-slug/name`), secret or not.

    Raises `BadInputError` when there is no such block, or it has no such field.
    """
    try:
        block = cast(Block, Block.load(name))
    except ValueError as error:
        raise BadInputError(f"The job refers to the Prefect block {name}, which is not there. {_PAGES}") from error
    value = getattr(block, field, None)
    if value is None:
        fields = ", ".join(sorted(type(block).model_fields))
        raise BadInputError(f"The Prefect block {name} has no field {field!r}; it has {fields}. Correct the job file.")
    reveal = getattr(value, "get_secret_value", None)
    return str(value if reveal is None else reveal())


def _saved(block: Block) -> str:
    """Name a block as a job file would. Raises `BadInputError` when it has not been saved."""
    name = block._block_document_name  # noqa: SLF001 - the only place where Prefect says it
    if not name:
        raise BadInputError("Only a block that was saved can be tested: its secrets are read back from Prefect.")
    return f"{block.get_block_type_slug()}/{name}"

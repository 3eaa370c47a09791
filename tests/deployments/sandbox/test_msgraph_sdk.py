"""Clients that nobody here wrote read the sandbox's Graph: Microsoft's msgraph-sdk, and MSAL signing in over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msal
import pytest
import requests
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.sandbox import Sandbox
from tests.deployments.sandbox.test_graph_sign_in import CERTIFICATE, KEY, STRANGER

SCOPES = ["https://graph.microsoft.com/.default"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    clients = {
        "by-secret": AppRegistration(secret="word"),
        "by-certificate": AppRegistration(certificate_pem=CERTIFICATE),
    }
    with Sandbox(users=130, seed=3, graph_settings=GraphSettings(clients=clients)) as running:
        yield running


def sign_in(sandbox: Sandbox, client_id: str, credential: Any) -> dict[str, Any]:
    """Acquire a token as every application of Microsoft's platform does."""
    session = requests.Session()
    # A certificate bundle named in the environment would be taken instead of the one given here.
    session.trust_env = False
    session.verify = str(sandbox.ca_file)
    application = msal.ConfidentialClientApplication(
        client_id,
        client_credential=credential,
        authority=f"{sandbox.login_url}/{sandbox.tenant.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    return dict(application.acquire_token_for_client(SCOPES))


class _Token(AccessTokenProvider):
    """A token that was acquired before."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:  # noqa: ARG002
        return self._token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


def ask(sandbox: Sandbox, question: Any) -> Any:
    """Put a question to a fresh client, in an event loop of its own."""

    async def asked() -> Any:
        token = sign_in(sandbox, "by-secret", "word")["access_token"]
        adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(_Token(token)))
        adapter.base_url = f"{sandbox.graph_url}/v1.0"
        return await question(GraphServiceClient(request_adapter=adapter))

    return asyncio.run(asked())


def test_msal_signs_in_with_a_secret(sandbox: Sandbox) -> None:
    assert "access_token" in sign_in(sandbox, "by-secret", "word")


@pytest.mark.parametrize("extra", [{}, {"thumbprint": "0" * 40}], ids=["PS256", "RS256"])
def test_msal_signs_in_with_a_certificate(sandbox: Sandbox, extra: dict[str, str]) -> None:
    credential = {"private_key": KEY, "public_certificate": CERTIFICATE, **extra}
    assert "access_token" in sign_in(sandbox, "by-certificate", credential)


def test_msal_is_told_why_a_sign_in_fails(sandbox: Sandbox) -> None:
    secret = sign_in(sandbox, "by-secret", "wrong")
    certificate = sign_in(sandbox, "by-certificate", {"private_key": STRANGER, "public_certificate": CERTIFICATE})
    assert (secret["error"], secret["error_codes"]) == ("invalid_client", [7000215])
    assert (certificate["error"], certificate["error_codes"]) == ("invalid_client", [700027])


def test_the_sdk_reads_all_users_page_by_page_with_their_managers(sandbox: Sandbox) -> None:
    async def read(client: GraphServiceClient) -> dict[str, tuple[Any, ...]]:
        parameters = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            select=["id", "displayName", "accountEnabled", "businessPhones", "onPremisesExtensionAttributes"],
            expand=["manager($levels=1;$select=id)"],
            top=50,
        )
        page = await client.users.get(request_configuration=RequestConfiguration(query_parameters=parameters))
        found = {}
        while page is not None:
            for user in page.value or []:
                extensions = user.on_premises_extension_attributes
                found[user.id or ""] = (
                    user.display_name,
                    user.account_enabled,
                    user.business_phones,
                    extensions.extension_attribute1 if extensions else None,
                    user.manager.id if user.manager else None,
                )
            link = page.odata_next_link
            page = await client.users.with_url(link).get() if link else None
        return found

    expected = {
        person["id"]: (
            person["displayName"],
            person["accountEnabled"],
            person["businessPhones"],
            person["onPremisesExtensionAttributes"]["extensionAttribute1"],
            person["manager"],
        )
        for person in sandbox.tenant.users()
    }
    assert ask(sandbox, read) == expected


def test_the_sdk_reads_one_user_and_the_manager(sandbox: Sandbox) -> None:
    person = next(person for person in sandbox.tenant.users() if person["manager"])

    async def read(client: GraphServiceClient) -> tuple[Any, ...]:
        user = await client.users.by_user_id(person["userPrincipalName"]).get()
        manager = await client.users.by_user_id(person["id"]).manager.get()
        return (user.id if user else None), (manager.id if manager else None)

    assert ask(sandbox, read) == (person["id"], person["manager"])


def test_the_sdk_reads_roles_and_assignments_of_the_application(sandbox: Sandbox) -> None:
    async def read(client: GraphServiceClient) -> tuple[set[Any], set[Any]]:
        principal = await client.service_principals_with_app_id(sandbox.tenant.application_id).get()
        assert principal is not None
        builder = client.service_principals.by_service_principal_id(principal.id or "").app_role_assigned_to
        page = await builder.get()
        held = set()
        while page is not None:
            held |= {(one.principal_id, str(one.principal_type), one.app_role_id) for one in page.value or []}
            page = await builder.with_url(page.odata_next_link).get() if page.odata_next_link else None
        return {(role.id, role.value) for role in principal.app_roles or []}, {
            (str(principal_id), kind, str(role_id)) for principal_id, kind, role_id in held
        }

    roles, held = ask(sandbox, read)
    assert {(str(identifier), value) for identifier, value in roles} == {(r.id, r.value) for r in sandbox.tenant.roles}
    assert held == {(a.principal_id, a.principal_type.value, a.role_id) for a in sandbox.tenant.assignments()}


def test_the_sdk_reads_groups_and_members_of_both_kinds(sandbox: Sandbox) -> None:
    group = sandbox.tenant.group("Replicon Extended Workforce")

    async def read(client: GraphServiceClient) -> tuple[set[Any], set[Any], set[Any]]:
        groups = await client.groups.get()
        members = client.groups.by_group_id(group.id).members
        mixed, people = await members.get(), await members.graph_user.get()
        assert groups is not None
        assert mixed is not None
        assert people is not None
        return (
            {one.id for one in groups.value or []},
            {(type(one).__name__, one.id) for one in mixed.value or []},
            {one.id for one in people.value or []},
        )

    groups, mixed, people = ask(sandbox, read)
    nested = set(group.nested)
    direct = set(sandbox.tenant.members(group.id))
    assert groups == {one.id for one in sandbox.tenant.groups()}
    assert mixed == {("Group" if one in nested else "User", one) for one in direct}
    assert people == direct - nested


def test_the_sdk_follows_a_delta_link_to_the_change(sandbox: Sandbox) -> None:
    changed, deleted = [person["id"] for person in sandbox.tenant.users()][40:42]

    async def read(client: GraphServiceClient) -> tuple[int, dict[str, Any]]:
        parameters = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(select=["id", "jobTitle"])
        page = await client.users.delta.get(request_configuration=RequestConfiguration(query_parameters=parameters))
        first = 0
        link = None
        while page is not None:
            first += sum("@removed" not in (user.additional_data or {}) for user in page.value or [])
            link = page.odata_delta_link
            onward = page.odata_next_link
            page = await client.users.delta.with_url(onward).get() if onward else None
        sandbox.run(lambda: sandbox.tenant.update_user(changed, jobTitle="Navigator"))
        sandbox.run(lambda: sandbox.tenant.soft_delete(deleted))
        page = await client.users.delta.with_url(link or "").get()
        assert page is not None
        return first, {
            user.id or "": (user.job_title, (user.additional_data or {}).get("@removed")) for user in page.value or []
        }

    first, changes = ask(sandbox, read)
    sandbox.run(lambda: sandbox.tenant.restore(deleted))
    assert first == 130
    assert set(changes) == {changed, deleted}
    assert changes[changed] == ("Navigator", None)
    assert changes[deleted][1] is not None


def test_the_sdk_understands_our_errors(sandbox: Sandbox) -> None:
    async def read(client: GraphServiceClient) -> Any:
        return await client.users.by_user_id("nobody@northwind.example").get()

    with pytest.raises(ODataError) as caught:
        ask(sandbox, read)
    assert caught.value.response_status_code == 404
    assert caught.value.error is not None
    assert caught.value.error.code == "Request_ResourceNotFound"

"""The sandbox's Replicon on loopback with a handful of people, for tests that read back what they wrote. No tests."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pandas as pd

from deployments.sandbox.faults import Faults
from deployments.sandbox.replicon import DiscoveryService, RepliconService
from deployments.sandbox.replicon_catalog import GroupKind
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.replicon_wire import user_uri
from deployments.sandbox.server import Server
from tasks.connectors.http import RetryPolicy
from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import PasswordSignIn, RepliconTarget, SecretReference
from tasks.model import STRING
from tests.connectors.replicon.scripted import PASSWORD, PASSWORD_VARIABLE

COMPANY = "acme"
ADMIN, SUPERVISOR, JANE = 1, 2, 3
FIELDS = {"Badge": "text", "Desk": "numeric", "Since": "date", "Shirt": "drop-down"}
EVERYTHING = frozenset({*TARGET_ATTRIBUTES, *(f"CustomField:{name}" for name in FIELDS)})


@dataclasses.dataclass
class Tenant:
    """A running Replicon: its state for tests to read, its faults for tests to switch."""

    state: RepliconState
    server: Server
    clients: list[RepliconClient] = dataclasses.field(default_factory=list)

    @property
    def faults(self) -> Faults:
        """The faults that can be switched on."""
        return self.server.faults

    def target(self, *, login: str = "svc.provisioning", company: str = COMPANY) -> RepliconTarget:
        """Give the target section of a job file for it."""
        return RepliconTarget(
            company_key=company,
            sign_in=PasswordSignIn(login_name=login, password=SecretReference(env=PASSWORD_VARIABLE)),
            discovery_url=self.server.url("discovery"),
        )

    def users(
        self, attributes: frozenset[str] = EVERYTHING, *, login: str = "svc.provisioning", company: str = COMPANY
    ) -> RepliconUsers:
        """Give the accounts of it, through a client that does not wait between attempts."""
        target = self.target(login=login, company=company)
        client = RepliconClient(target, retries=RetryPolicy(attempts=3), wait=lambda _: None)
        self.clients.append(client)
        return RepliconUsers(client, attributes)

    def add(self, number: int, login: str, **more: Any) -> Account:
        """Put an account in, without a trace in the log."""
        account = Account(number, login, login.title(), "Example", **more)
        self.server.run(lambda: self.state.put(None, account))
        return account


def uris(*numbers: int) -> pd.Series:
    """Give the URIs of accounts."""
    return pd.Series([user_uri(number) for number in numbers], dtype=STRING)


@contextlib.contextmanager
def running() -> Iterator[Tenant]:
    """Run a tenant with an administrator, a supervisor and Jane for the length of a test."""
    state = RepliconState(RepliconSettings(data_share=0.0))
    service = RepliconService(state, COMPANY)
    server = Server(Faults())
    server.add("replicon", service)
    server.add("discovery", DiscoveryService(service, lambda: server.url("replicon")))
    _furnish(state)
    server.start()
    tenant = Tenant(state, server)
    try:
        yield tenant
    finally:
        for client in tenant.clients:
            client.close()
        server.stop()


def _furnish(state: RepliconState) -> None:
    catalog = state.catalog
    for kind in GroupKind:
        for name in ("North", "South"):
            catalog.add_group(kind, f"{name} {kind.uri_type}")
    administrator = catalog.add_permission_set("System Administrator", "administration")
    supervisor = catalog.add_permission_set("Supervisor", "supervision")
    catalog.add_permission_set("Timesheet User", "user")
    for name, kind_of_field in FIELDS.items():
        catalog.add_field(name, kind_of_field, ("S", "M") if kind_of_field == "drop-down" else ())
    svc = Account(ADMIN, "svc.provisioning", "Service", "Account", permission_sets=(administrator.number,))
    boss = Account(SUPERVISOR, "boss@acme.test", "Bo", "Ss", permission_sets=(supervisor.number,))
    jane = Account(JANE, "jane@acme.test", "Jane", "Doe", email="jane@acme.test", employee_id="E3")
    for account in (svc, boss, jane):
        state.put(None, account)
    state.passwords[ADMIN] = PASSWORD

"""A small Replicon on loopback and a bare HTTP client for it, for tests that look at the wire itself. No tests."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import requests

from deployments.sandbox.faults import Faults
from deployments.sandbox.replicon import DiscoveryService, RepliconService
from deployments.sandbox.replicon_catalog import Defaults, GroupKind
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.server import Server

COMPANY = "acme"
UPSERT = "ImportService2.CreateUserOrApplyModifications"


@dataclasses.dataclass
class Rig:
    """A running Replicon with an administrator `svc`, a supervisor `boss` and nobody else."""

    state: RepliconState
    server: Server
    http: requests.Session
    units: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @property
    def settings(self) -> RepliconSettings:
        """How Replicon behaves where nothing is documented."""
        return self.state.settings

    @property
    def faults(self) -> Faults:
        """The faults that can be switched on."""
        return self.server.faults

    def url(self, operation: str) -> str:
        """Give the address of an operation, named `Service.Operation`."""
        service, _, name = operation.partition(".")
        return f"{self.server.url('replicon')}/{COMPANY}/services/{service}.svc/{name}"

    def post(self, operation: str, body: Any = None, **options: Any) -> requests.Response:
        """Call an operation as the administrator, unless `auth` or `headers` say otherwise."""
        if "auth" not in options and "Authorization" not in options.get("headers", {}):
            options["auth"] = (f"{COMPANY}\\svc", "secret")
        return self.http.post(self.url(operation), json=body or {}, timeout=10, **options)

    def result(self, operation: str, body: Any = None, **options: Any) -> Any:
        """Call an operation that must succeed and give its result."""
        response = self.post(operation, body, **options)
        assert response.status_code == 200, response.text
        return response.json()["d"]

    def error(self, operation: str, body: Any = None, status: int = 400, **options: Any) -> Any:
        """Call an operation that must fail with `status` and give the error."""
        response = self.post(operation, body, **options)
        assert response.status_code == status, response.text
        return response.json()["error"]

    def upsert(self, modifications: dict[str, Any], target: Any = None, unit: str | None = None) -> dict[str, Any]:
        """Give the body of an upsert."""
        return {
            "target": target,
            "modifications": modifications,
            "userModificationOptionUri": "urn:replicon:user-modification-option:save",
            "unitOfWorkId": unit or f"unit {next(self.units)}",
        }

    def create(self, login: str, **modifications: Any) -> str:
        """Create a user with nothing but what is needed and what is given; give the URI."""
        created = self.result(UPSERT, self.upsert({**minimal(login), **modifications}))
        assert created["errors"] == []
        uri: str = created["user"]["uri"]
        return uri

    def modify(self, uri: str, **modifications: Any) -> Any:
        """Modify a user; give the result."""
        return self.result(UPSERT, self.upsert(modifications, {"uri": uri}))

    def account(self, uri: str) -> Account:
        """Give a user as the state has them."""
        return self.state.users[uri]

    def seen(self, uri: str) -> dict[str, Any]:
        """Give a user as plain values."""
        return self.state.describe(self.account(uri))


def minimal(login: str) -> dict[str, Any]:
    """Give the least that a user can be created from."""
    return {
        "firstName": {"value": "Jane"},
        "lastName": {"value": "Doe"},
        "loginName": {"value": login},
        "securitySettings": {"value": {"loginEnabled": {"value": True}}},
    }


def partial(result: Any) -> list[str]:
    """Give what an upsert refused, as people read it."""
    return [line["displayText"] for error in result["errors"] for line in error["notifications"]]


@contextlib.contextmanager
def running() -> Iterator[Rig]:
    """Run a Replicon for the length of a test."""
    state = RepliconState(RepliconSettings(data_share=0.0))
    service = RepliconService(state, COMPANY)
    server = Server(Faults())
    server.add("replicon", service)
    server.add("discovery", DiscoveryService(service, lambda: server.url("replicon")))
    _furnish(state)
    server.start()
    try:
        with requests.Session() as http:
            yield Rig(state, server, http)
    finally:
        server.stop()


def _furnish(state: RepliconState) -> None:
    catalog = state.catalog
    europe = catalog.add_group(GroupKind.LOCATION, "Europe")
    catalog.add_group(GroupKind.LOCATION, "London", europe)
    for kind in GroupKind:
        catalog.add_group(kind, "North")
        catalog.add_group(kind, "South")
    user = catalog.add_permission_set("User", "user")
    catalog.add_permission_set("Power User", "user")
    supervisor = catalog.add_permission_set("Supervisor", "supervision")
    administrator = catalog.add_permission_set("System Administrator", "administration")
    catalog.defaults = Defaults(permission_sets=(user.number,))
    catalog.add_field("Badge", "text")
    catalog.add_field("Since", "date")
    catalog.add_field("Desk", "numeric")
    catalog.add_field("Shirt", "drop-down", ("S", "M"))
    state.put(None, Account(1, "svc", "Service", "Account", permission_sets=(administrator.number,)))
    state.put(None, Account(2, "boss", "Bo", "Ss", permission_sets=(supervisor.number,)))
    state.passwords[1] = "secret"

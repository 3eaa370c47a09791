"""Calls the sandbox's Graph service directly, as its server would. For the tests of the service itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import orjson

from deployments.sandbox.graph import GraphService
from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.wire import Request, Response

HOST = "http://127.0.0.1:1"
EVERYTHING = ("Application.Read.All", "User.Read.All", "GroupMember.Read.All", "Directory.Read.All")


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Caller:
    """One signed-in application, and the service that it calls."""

    def __init__(self, tenant: Tenant, permissions: tuple[str, ...] = EVERYTHING, **settings: Any) -> None:
        self.tenant = tenant
        self.clock = Clock()
        clients = {"app": AppRegistration(secret="word", permissions=permissions)}
        self.settings = GraphSettings(clients=clients, clock=self.clock, **settings)
        self.service = GraphService(tenant, self.settings)
        self.token = orjson.loads(self.sign_in().body)["access_token"]

    def sign_in(self, tenant_id: str | None = None, **form: str) -> Response:
        fields = {
            "grant_type": "client_credentials",
            "client_id": "app",
            "scope": "https://graph.microsoft.com/.default",
            **({} if "client_assertion" in form else {"client_secret": "word"}),
            **form,
        }
        path = f"/{tenant_id or self.tenant.tenant_id}/oauth2/v2.0/token"
        return self.service.handle(Request("POST", path, {}, {}, urlencode(fields).encode(), HOST))

    def request(self, url: str, method: str = "GET", body: bytes = b"", **headers: Any) -> Request:
        parts = urlsplit(url if url.startswith("http") else f"{HOST}/v1.0/{url}")
        given = {"authorization": f"Bearer {self.token}"}
        given |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        return Request(method, unquote(parts.path), dict(parse_qsl(parts.query, True)), given, body, HOST)

    def response(self, url: str, method: str = "GET", body: bytes = b"", **headers: Any) -> Response:
        return self.service.handle(self.request(url, method, body, **headers))

    def get(self, url: str, **headers: Any) -> dict[str, Any]:
        response = self.response(url, **headers)
        assert response.status == 200, response.body
        return dict(orjson.loads(response.body))

    def error(self, url: str, **headers: Any) -> tuple[int, str]:
        response = self.response(url, **headers)
        return response.status, orjson.loads(response.body)["error"]["code"]

    def walk(self, url: str, **headers: Any) -> tuple[list[dict[str, Any]], list[int], str | None]:
        """Follow the next links: all objects, the sizes of the pages, and the delta link at the end."""
        objects: list[dict[str, Any]] = []
        sizes: list[int] = []
        onward: str | None = url
        page: dict[str, Any] = {}
        while onward is not None:
            page = self.get(onward, **headers)
            objects += page["value"]
            sizes.append(len(page["value"]))
            onward = page.get("@odata.nextLink")
        return objects, sizes, page.get("@odata.deltaLink")

    def all(self, url: str, **headers: Any) -> list[dict[str, Any]]:
        return self.walk(url, **headers)[0]

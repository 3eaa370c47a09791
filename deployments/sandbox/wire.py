"""The requests and responses that the sandbox's services exchange with its server. No service logic here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Request:
    """One HTTP request, read whole: header names in lower case, path and query decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    url: str
    """Scheme and authority that the caller used, such as http://127.0.0.1:8401, to build links with."""


@dataclasses.dataclass
class Response:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class Service(Protocol):
    """Something the server can listen for. Calls come one at a time on the server's event loop, so no locks."""

    def endpoint(self, request: Request) -> str:
        """Name what the request is for, as fault rules know it: `graph:users`, `replicon:UserService1.GetUser2`."""

    def handle(self, request: Request) -> Response:
        """Answer the request as the real service would, faults aside; changes are committed when it returns."""

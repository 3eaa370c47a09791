"""The sandbox's Microsoft Graph with its sign-in: routes, permissions, throttling, `$batch`, error envelopes.

What is read is in `graph_users`, `graph_groups` and `graph_delta`, signing in in `graph_login`. Served by `server`.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import orjson

from deployments.sandbox.graph_delta import DeltaReads
from deployments.sandbox.graph_errors import GraphError, bad_request, denied, new_request_id
from deployments.sandbox.graph_groups import READS_USERS, GroupReads
from deployments.sandbox.graph_login import Login, SignedIn
from deployments.sandbox.graph_query import Call, query_options
from deployments.sandbox.graph_settings import GraphSettings
from deployments.sandbox.graph_throttle import Throttle, cost, permits
from deployments.sandbox.graph_users import UserReads
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_people import Standing
from deployments.sandbox.wire import Request, Response

__all__ = ["GraphService", "GraphSettings"]

_MOST_IN_BATCH: Final = 20
_KEYED: Final = re.compile(r"(\w+)\((?:'([^']*)'|(\w+='[^']*'))\)")
_READS_GROUPS: Final = ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")
_READS_APPLICATIONS: Final = ("Application.Read.All", "Directory.Read.All")
_READS_ASSIGNMENTS: Final = ("Directory.Read.All", "AppRoleAssignment.ReadWrite.All")
_READS_ORGANIZATION: Final = ("Organization.Read.All", "User.Read.All", "Directory.Read.All")
_JSON: Final = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

Read = Callable[[Call], dict[str, Any] | str]
PartGate = Callable[[str, Request], Response | None]


@dataclasses.dataclass(frozen=True)
class _Route:
    """One readable path: its pattern (`*` stands for a key), its name for fault rules, and who may read it."""

    pattern: tuple[str, ...]
    endpoint: str
    enough: tuple[str, ...]
    read: Read


class GraphService:
    """A `wire.Service` that serves one tenant's directory and signs applications in to it.

    `part_gate`, when set, is asked before each part of a `$batch` with the part's endpoint name and request; a
    response from it is the part's answer, so that parts can fail one by one.
    """

    def __init__(self, tenant: Tenant, settings: GraphSettings) -> None:
        """Serve `tenant`; `settings` may be changed while serving."""
        self.tenant = tenant
        self.settings = settings
        self.part_gate: PartGate | None = None
        self._login = Login(settings, tenant.tenant_id, (tenant.domain, tenant.initial_domain))
        self._throttle = Throttle(settings, tenant.tenant_id)
        self._users: tuple[int, int] = (-1, 0)
        self._routes = _routes(tenant)

    def endpoint(self, request: Request) -> str:
        """Name what the request is for: `graph:token`, `graph:users`, `graph:users/delta`, `graph:batch`, ..."""
        version, segments = _split(request.path)
        if version is None:
            return "graph:token" if request.path.endswith("/token") else "graph:openid-configuration"
        if segments == ["$batch"]:
            return "graph:batch"
        found = self._find(segments)
        return found[0].endpoint if found is not None else "graph:unknown"

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        version, segments = _split(request.path)
        if version is None:
            return self._sign_in(request)
        request_id = new_request_id()
        try:
            caller = self._login.check(request)
            if segments == ["$batch"]:
                response = self._batch(request, version, caller)
            else:
                response = self._read(request, version, segments, caller)
        except GraphError as error:
            client_request_id = request.headers.get("client-request-id")
            response = error.response(request_id, client_request_id, self.settings.clock())
        response.headers["request-id"] = request_id
        response.headers["client-request-id"] = request.headers.get("client-request-id", request_id)
        return response

    def _sign_in(self, request: Request) -> Response:
        tenant, _, rest = request.path.strip("/").partition("/")
        if request.method == "POST" and rest == "oauth2/v2.0/token":
            return self._login.token(request, tenant)
        if request.method == "GET" and rest == "v2.0/.well-known/openid-configuration":
            return self._login.metadata(request, tenant)
        return Response(404, b"", {"Content-Type": "text/html"})

    def _read(self, request: Request, version: str, segments: list[str], caller: SignedIn) -> Response:
        """Answer one GET; raises `GraphError` for every refusal."""
        found = self._find(segments)
        if found is None:
            raise bad_request(f"Resource not found for the segment '{segments[-1] if segments else ''}'.")
        route, keys = found
        if request.method != "GET":
            raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        options = query_options(request.query)
        headers = self._throttle.charge(caller.client_id, cost(route.endpoint, options), self._present())
        if not permits(caller.permissions, route.enough):
            raise denied()
        try:
            body = route.read(Call(request, version, keys, options, caller, self.settings))
        except GraphError as error:
            error.headers = {**headers, **error.headers}
            raise
        if isinstance(body, str):
            return Response(200, body.encode(), {"Content-Type": "text/plain", **headers})
        return Response(200, orjson.dumps(body), {"Content-Type": _JSON, "OData-Version": "4.0", **headers})

    def _find(self, segments: list[str]) -> tuple[_Route, tuple[str, ...]] | None:
        for route in self._routes.get(len(segments), ()):
            pairs = list(zip(route.pattern, segments, strict=True))
            if all(wanted in {"*", found} for wanted, found in pairs):
                return route, tuple(found for wanted, found in pairs if wanted == "*")
        return None

    def _present(self) -> int:
        """Count the people present, once a version of the directory."""
        if self._users[0] != self.tenant.version:
            present = np.count_nonzero(self.tenant.people.standing == Standing.PRESENT)
            self._users = (self.tenant.version, int(present))
        return self._users[1]

    def _batch(self, request: Request, version: str, caller: SignedIn) -> Response:
        """Answer POST /$batch: every part by itself, in an order of its own (Combine multiple requests)."""
        if request.method != "POST":
            raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        parts = _parts(request.body)
        answers: dict[str, dict[str, Any]] = {}
        for part in parts:
            failed = [name for name in part.get("dependsOn", ()) if answers.get(name, {"status": 424})["status"] >= 400]
            if failed:
                error = GraphError(424, "FailedDependency", f"The request depends on '{failed[0]}', which failed.")
                answer = error.response(new_request_id(), None, self.settings.clock())
            else:
                answer = self._part(request, version, caller, part)
            answers[part["id"]] = {
                "id": part["id"],
                "status": answer.status,
                "headers": answer.headers,
                "body": _part_body(answer),
            }
        # The real service answers in no particular order; the reverse is one that nobody can rely on by accident.
        body = orjson.dumps({"responses": list(reversed(answers.values()))})
        return Response(200, body, {"Content-Type": "application/json"})

    def _part(self, request: Request, version: str, caller: SignedIn, part: Mapping[str, Any]) -> Response:
        target = urlsplit(part["url"])
        headers = {str(name).lower(): str(value) for name, value in (part.get("headers") or {}).items()}
        inner = Request(
            method=str(part["method"]).upper(),
            path=f"/{version}/{unquote(target.path).lstrip('/')}",
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={**headers, "authorization": request.headers["authorization"]},
            body=b"",
            url=request.url,
        )
        gated = self.part_gate(self.endpoint(inner), inner) if self.part_gate is not None else None
        if gated is not None:
            return gated
        try:
            return self._read(inner, version, _split(inner.path)[1], caller)
        except GraphError as error:
            return error.response(new_request_id(), None, self.settings.clock())


def _part_body(answer: Response) -> Any:
    """Give the body of one part: JSON as it is, anything else as base64 text (Combine multiple requests)."""
    if not answer.body:
        return None
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "application/json")
    return orjson.Fragment(answer.body) if "json" in kind else base64.b64encode(answer.body).decode()


def _parts(body: bytes) -> list[dict[str, Any]]:
    """Give the parts of a batch; raises `GraphError` (400) when it is malformed or too large."""
    try:
        parts = orjson.loads(body)["requests"]
        names = [part["id"] for part in parts]
        complete = all(isinstance(part["url"], str) and isinstance(part["method"], str) for part in parts)
    except (ValueError, KeyError, TypeError) as error:
        raise GraphError(400, "BadRequest", "Invalid batch payload format.") from error
    if not complete or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise GraphError(400, "BadRequest", "Each request of a batch needs an id of its own, a method and a url.")
    if not 1 <= len(parts) <= _MOST_IN_BATCH:
        raise GraphError(400, "BadRequest", f"Number of requests in a batch is limited to {_MOST_IN_BATCH}.")
    return list(parts)


def _split(path: str) -> tuple[str | None, list[str]]:
    """Give the API version and the segments of a path, with keys in parentheses and long function names evened out."""
    version, *rest = path.strip("/").split("/")
    if version not in {"v1.0", "beta"}:
        return None, []
    segments: list[str] = []
    for part in rest:
        keyed = _KEYED.fullmatch(part)
        if keyed is not None:
            segments += [keyed[1], keyed[2] or keyed[3].replace("'", "")]
        elif part.removesuffix("()") in {"delta", "microsoft.graph.delta"}:
            segments.append("delta")
        else:
            # `graph` is the alias of the namespace by which Microsoft's own libraries cast members.
            segments.append(f"microsoft.{part}" if part.startswith("graph.") else part)
    return version, segments


def _routes(tenant: Tenant) -> dict[int, list[_Route]]:
    """Give the routes by their number of segments, in the order in which they are tried."""
    users = UserReads(tenant)
    groups = GroupReads(tenant, users)
    delta = DeltaReads(tenant, users)
    table: list[tuple[str, str, tuple[str, ...], Read]] = [
        ("users", "users", READS_USERS, users.listing),
        ("users/$count", "users/$count", READS_USERS, users.number),
        ("users/delta", "users/delta", READS_USERS, delta.users),
        ("users/*", "users/id", READS_USERS, users.one),
        ("users/*/manager", "users/manager", READS_USERS, users.manager),
        ("users/*/memberOf", "users/memberOf", READS_USERS, groups.member_of),
        ("users/*/appRoleAssignments", "users/appRoleAssignments", _READS_ASSIGNMENTS, groups.assignments_of_user),
        ("groups", "groups", _READS_GROUPS, groups.listing),
        ("groups/delta", "groups/delta", _READS_GROUPS, delta.groups),
        ("groups/*", "groups/id", _READS_GROUPS, groups.one),
        ("groups/*/members", "groups/members", _READS_GROUPS, groups.members),
        ("groups/*/members/$count", "groups/members", _READS_GROUPS, groups.member_number),
        ("groups/*/members/microsoft.graph.user", "groups/members", _READS_GROUPS, groups.member_users),
        ("groups/*/members/microsoft.graph.group", "groups/members", _READS_GROUPS, groups.member_groups),
        ("groups/*/transitiveMembers", "groups/transitiveMembers", _READS_GROUPS, groups.transitive_members),
        (
            "groups/*/transitiveMembers/microsoft.graph.user",
            "groups/transitiveMembers",
            _READS_GROUPS,
            groups.transitive_member_users,
        ),
        ("groups/*/appRoleAssignments", "groups/appRoleAssignments", _READS_ASSIGNMENTS, groups.assignments_of_group),
        ("servicePrincipals", "servicePrincipals", _READS_APPLICATIONS, groups.service_principals),
        ("servicePrincipals/*", "servicePrincipals/id", _READS_APPLICATIONS, groups.service_principal),
        (
            "servicePrincipals/*/appRoleAssignedTo",
            "servicePrincipals/appRoleAssignedTo",
            _READS_APPLICATIONS,
            groups.assigned_to,
        ),
        ("directory/deletedItems/microsoft.graph.user", "deletedItems", READS_USERS, users.deleted),
        ("directory/deletedItems/*", "deletedItems/id", READS_USERS, users.deleted_one),
        ("organization", "organization", _READS_ORGANIZATION, groups.organization),
    ]
    routes: dict[int, list[_Route]] = {}
    for pattern, endpoint, enough, read in table:
        segments = tuple(pattern.split("/"))
        routes.setdefault(len(segments), []).append(_Route(segments, f"graph:{endpoint}", enough, read))
    return routes

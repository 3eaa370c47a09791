"""The connection test of Microsoft Graph: sign-in, permissions in the token, then each kind of read once.

The client calls it. It reads a handful of objects and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.application import Application, read_application
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.connectors.microsoft_graph.sign_in import Tokens
from tasks.job import GraphSource, Scope
from tasks.model import Probe, ProvisioningError

END: Final = "Microsoft Graph"
_OPTIONAL: Final = frozenset({Reading.ORGANIZATION})


def probe(api: GraphApi, tokens: Tokens, source: GraphSource, scope: Scope) -> list[Probe]:
    """Give one finding a check; a sign-in that fails is the only one, since nothing else can be tried then."""
    try:
        roles = tokens.roles()
    except ProvisioningError as error:
        return [Probe(END, "sign-in", good=False, detail=str(error), remedy="Mend the sign-in first.")]
    found = [
        Probe(END, "sign-in", good=True, detail=f"client {source.client_id} of tenant {source.tenant_id}"),
        *_permissions(roles),
    ]
    application: list[Application] = []
    found.append(_try("application", lambda: _application(api, source, application)))
    found.append(_try("users", lambda: _first(api, "/users", Reading.USERS, {"$select": "id,userPrincipalName"})))
    found.append(
        _try(
            "deleted users",
            lambda: _first(api, "/directory/deletedItems/microsoft.graph.user", Reading.DELETED, {"$select": "id"}),
        )
    )
    if application:
        found.append(_try("assignments and groups", lambda: _assignments(api, application[0], scope)))
    return found


def _permissions(roles: frozenset[str] | None) -> list[Probe]:
    if roles is None:
        return []
    found = []
    for reading in Reading:
        good = reading.granted_by(roles)
        optional = reading in _OPTIONAL
        detail = f"{reading.least} (to read {reading.label}) {'is granted' if good else 'is not granted'}"
        if not good and optional:
            detail += "; only the function DefaultDomain needs it"
        remedy = f"Grant the app registration {reading.least} and give admin consent." if not good else ""
        found.append(Probe(END, f"permission {reading.least}", good=good or optional, detail=detail, remedy=remedy))
    return found


def _try(check: str, read: Callable[[], str]) -> Probe:
    try:
        return Probe(END, check, good=True, detail=read())
    except ProvisioningError as error:
        return Probe(END, check, good=False, detail=str(error), remedy="Do what the finding says, then test again.")


def _application(api: GraphApi, source: GraphSource, found: list[Application]) -> str:
    application = read_application(api, source.application_id)
    found.append(application)
    enabled = application.roles[application.roles["enabled"].fillna(True)]
    names = ", ".join(sorted(enabled["display_name"].dropna())) or "none"
    return f"{application.name}, with the app roles {names}"


def _first(api: GraphApi, path: str, reading: Reading, query: Mapping[str, str]) -> str:
    page = api.get(path, reading, {"$top": "1", **query}, holding="value")
    return "readable" if page["value"] else "readable, and empty"


def _assignments(api: GraphApi, application: Application, scope: Scope) -> str:
    path = f"/servicePrincipals/{quote(application.object_id, safe='')}/appRoleAssignedTo"
    page: list[Mapping[str, Any]] = api.get(path, Reading.APPLICATION, holding="value")["value"]
    groups = [str(each["principalId"]) for each in page if each.get("principalType") == "Group"]
    people = sum(each.get("principalType") == "User" for each in page)
    more = f"{people} people and {len(groups)} groups assigned on the first page"
    if groups:
        kind = "transitiveMembers" if scope.nested_groups else "members"
        first = f"/groups/{quote(groups[0], safe='')}/{kind}"
        api.get(first, Reading.MEMBERS, {"$top": "1", "$select": "id"}, holding="value")
        more += "; the members of the first group are readable"
    return more

"""Microsoft Graph as a source directory: whole reads, named people, and the connection test.

Extract and the flows call it. The wire is in the modules beside it; which assignment counts is decided in extract.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pandas as pd

from tasks.connectors.directory import DirectoryRead, People, digest_of
from tasks.connectors.http import HttpSession
from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.application import (
    Application,
    Memberships,
    read_application,
    read_grants,
    read_memberships,
    read_memberships_of,
)
from tasks.connectors.microsoft_graph.attributes import Selection
from tasks.connectors.microsoft_graph.errors import NotFoundError, PermissionMissingError
from tasks.connectors.microsoft_graph.listings import Tally
from tasks.connectors.microsoft_graph.people import find_people, read_deleted_users, read_users, together
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.connectors.microsoft_graph.probes import probe
from tasks.connectors.microsoft_graph.sign_in import Tokens
from tasks.job import GraphSource, Scope
from tasks.model import Manifest, Presence, Probe, Progress, silent

_WORKERS: Final = 8
"""Listings read side by side: the users, the recycle bin, and groups."""


class MicrosoftGraph:
    """A `Directory` read from Microsoft Graph with the app registration of `source`.

    Nothing is sent before the first read. `wait` sleeps between attempts, `clock` (seconds) ages the token.
    """

    def __init__(
        self,
        source: GraphSource,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._http = HttpSession(
            [source.graph_url, source.login_url], ca_file=source.ca_file, pool_size=2 * _WORKERS, wait=wait
        )
        self._tokens = Tokens(source, self._http, clock)
        self._api = GraphApi(self._http, self._tokens, source.graph_url, wait)

    def read_all(self, attributes: frozenset[str], scope: Scope, progress: Progress = silent) -> DirectoryRead:
        """Read everybody, in the recycle bin too, and every assignment, listings side by side."""
        run = _Run(self._http)
        selection, tally = Selection.of(attributes), Tally(progress)
        application = read_application(self._api, self._source.application_id)
        with ThreadPoolExecutor(_WORKERS, "graph") as pool:
            users = pool.submit(read_users, self._api, selection, tally)
            deleted = pool.submit(read_deleted_users, self._api, selection, tally)
            grants, granted = read_grants(self._api, application, tally)
            memberships = self._memberships(grants, scope, tally)
            domain = self._default_domain()
            listings = [users.result(), deleted.result(), granted]
        return run.ended(
            users=together([listings[0].table, listings[1].table]),
            application=application,
            grants=grants,
            memberships=memberships,
            domain=domain,
            problems=[problem for listing in listings for problem in listing.problems],
            pages=tally.pages,
        )

    def read_changes(
        self,
        watermark: Mapping[str, Any],  # noqa: ARG002  # a whole read needs none
        attributes: frozenset[str],
        scope: Scope,
        progress: Progress = silent,
    ) -> DirectoryRead:
        """Give the state brought up to date, by reading everything."""
        return self.read_all(attributes, scope, progress)

    def read_people(self, names: Sequence[str], attributes: frozenset[str], scope: Scope) -> DirectoryRead:
        """Read the people named by source id, sign-in name or mail, and how they are assigned now."""
        run, tally = _Run(self._http), Tally(silent)
        application = read_application(self._api, self._source.application_id)
        grants, granted = read_grants(self._api, application, tally)
        people = self.find_people(names, attributes)
        memberships = self._memberships_of(people.users, grants, scope, tally)
        return run.ended(
            users=people.users,
            application=application,
            grants=grants,
            memberships=memberships,
            domain=self._default_domain(),
            problems=[*people.missing, *granted.problems],
            pages=tally.pages,
        )

    def find_people(self, names: Sequence[str], attributes: frozenset[str]) -> People:
        """Look up people by source id, sign-in name or mail, without their assignments."""
        with ThreadPoolExecutor(_WORKERS, "graph-batch") as pool:
            return find_people(self._api, names, Selection.of(attributes), pool)

    def probe(self, scope: Scope) -> list[Probe]:
        """Sign in, compare the permissions in the token with those needed, and try each kind of read."""
        return probe(self._api, self._tokens, self._source, scope)

    def _memberships(self, grants: pd.DataFrame, scope: Scope, tally: Tally) -> Memberships:
        with ThreadPoolExecutor(_WORKERS, "graph-group") as pool:
            return read_memberships(self._api, _groups(grants), nested=scope.nested_groups, pool=pool, tally=tally)

    def _memberships_of(self, users: pd.DataFrame, grants: pd.DataFrame, scope: Scope, tally: Tally) -> Memberships:
        if scope.nested_groups:
            # Which inner group leads to an assigned one only the assigned groups can tell.
            everybody = self._memberships(grants, scope, tally)
            theirs = everybody.members["member_id"].isin(users["source_id"])
            return Memberships(everybody.members[theirs].reset_index(drop=True), everybody.problems)
        present = users.loc[users["presence"].eq(Presence.PRESENT), "source_id"].tolist()
        with ThreadPoolExecutor(_WORKERS, "graph-batch") as pool:
            return read_memberships_of(self._api, present, _groups(grants), pool)

    def _default_domain(self) -> str | None:
        """Give the tenant's default domain; null when it may not be read, for a cycle seldom needs it."""
        try:
            body = self._api.get(
                "/organization", Reading.ORGANIZATION, {"$select": "id,verifiedDomains"}, holding="value"
            )
        except (PermissionMissingError, NotFoundError):
            return None
        domains = [domain for each in body["value"] for domain in each.get("verifiedDomains") or ()]
        return next((str(domain["name"]) for domain in domains if domain.get("isDefault")), None)


def _groups(grants: pd.DataFrame) -> dict[str, str]:
    """Give the names of the assigned groups by id."""
    groups = grants[grants["principal_type"].eq("Group").fillna(False)].drop_duplicates("principal_id")
    return dict(zip(groups["principal_id"], groups["principal_name"].fillna(groups["principal_id"]), strict=True))


class _Run:
    """One read while it lasts: when it began, and how many requests had gone out by then."""

    def __init__(self, http: HttpSession) -> None:
        self._http = http
        self._sent = http.sent
        self._started = dt.datetime.now(dt.UTC)

    def ended(
        self,
        *,
        users: pd.DataFrame,
        application: Application,
        grants: pd.DataFrame,
        memberships: Memberships,
        domain: str | None,
        problems: Iterable[str],
        pages: int,
    ) -> DirectoryRead:
        missing = (*problems, *memberships.problems)
        manifest = Manifest(
            complete=not missing,
            missing=missing,
            requests=self._http.sent - self._sent,
            pages=pages,
            objects=len(users),
            groups=len(_groups(grants)),
            assignments=len(grants),
            started_at=self._started,
            ended_at=dt.datetime.now(dt.UTC),
            digest=digest_of(users, grants, memberships.members),
        )
        return DirectoryRead(
            users=users,
            roles=application.roles,
            assignments=grants,
            members=memberships.members,
            default_domain=domain,
            manifest=manifest,
            watermark={},
        )

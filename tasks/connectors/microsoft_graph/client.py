"""Microsoft Graph as a source directory: whole reads, named people, and the connection test.

Extract and the flows call it. The wire is in the modules beside it; which assignment counts is decided in extract.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pandas as pd

from tasks.connectors.directory import DirectoryChanges, DirectoryRead, People, digest_of
from tasks.connectors.http import HttpSession
from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.application import (
    Memberships,
    assigned_groups,
    first_members,
    read_application,
    read_grants,
    read_memberships,
    read_memberships_of,
)
from tasks.connectors.microsoft_graph.attributes import Selection
from tasks.connectors.microsoft_graph.errors import NotFoundError, PermissionMissingError
from tasks.connectors.microsoft_graph.listings import Tally, first_ids
from tasks.connectors.microsoft_graph.people import find_people, read_deleted_users, read_users, together
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.connectors.microsoft_graph.probes import probe
from tasks.connectors.microsoft_graph.sign_in import Tokens
from tasks.connectors.microsoft_graph.tracking import Tracking, read_round, start_groups, start_users
from tasks.job import GraphSource, Scope
from tasks.model import STRING, Manifest, Presence, Probe, Progress, silent

_WORKERS: Final = 8
"""Listings read side by side: the users, the recycle bin, and groups."""
_ALWAYS_BY_ID: Final = 2000
_PEOPLE_A_BATCH_IS_WORTH: Final = 50
"""20 people by id cost one request, as do 999 of a listing: from a fiftieth of them up, the listing is cheaper."""


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
        self._api = GraphApi(self._http, self._tokens, source.graph_url, wait, source.attempts)

    def read_all(self, attributes: frozenset[str], scope: Scope, progress: Progress = silent) -> DirectoryRead:
        """Read everybody, in the recycle bin too, and every assignment, listings side by side."""
        run = _Run(self._http)
        selection, tally = Selection.of(attributes), Tally(progress)
        application = read_application(self._api, self._source.application_id)
        # The links come first: what changes during the read is told again in the next cycle.
        since = start_users(self._api, selection, tally)
        with ThreadPoolExecutor(_WORKERS, "graph") as pool:
            users = pool.submit(read_users, self._api, selection, tally)
            deleted = pool.submit(read_deleted_users, self._api, selection, tally)
            grants, granted = read_grants(self._api, application, tally)
            groups = assigned_groups(grants)
            links = () if scope.nested_groups else start_groups(self._api, groups, tally)
            memberships = self._memberships(groups, scope, tally)
            domain = self._default_domain()
            tables = [users.result().table, deleted.result().table]
            listings = (users.result().problems, deleted.result().problems, granted.problems)
        del users, deleted
        everybody = together(tables)
        problems = [problem for listing in (*listings, memberships.problems) for problem in listing]
        tracking = Tracking(selection.attributes, scope.nested_groups, len(everybody), since, links)
        return DirectoryRead(
            users=everybody,
            roles=application.roles,
            assignments=grants,
            members=memberships.members,
            default_domain=domain,
            manifest=run.manifest(everybody, grants, memberships.members, problems, tally.pages),
            watermark=tracking.as_watermark(),
        )

    def read_changes(
        self,
        watermark: Mapping[str, Any],
        attributes: frozenset[str],
        scope: Scope,
        progress: Progress = silent,
    ) -> DirectoryChanges | None:
        """Give what changed since `watermark`; null when it no longer serves, or when a whole read is cheaper."""
        run = _Run(self._http)
        selection, tally = Selection.of(attributes), Tally(progress)
        tracking = Tracking.of_watermark(watermark)
        if tracking is None or (tracking.attributes, tracking.nested) != (selection.attributes, scope.nested_groups):
            return None
        round_ = read_round(self._api, tracking, tally)
        if round_ is None:
            return None
        ids = round_.changed.union(tracking.again)
        if len(ids) > max(_ALWAYS_BY_ID, tracking.people // _PEOPLE_A_BATCH_IS_WORTH):
            return None
        application = read_application(self._api, self._source.application_id)
        grants, granted = read_grants(self._api, application, tally)
        groups = assigned_groups(grants)
        # A group that is assigned anew is read whole, though it was tracked before.
        tracked = [(tuple(group for group in ids if group in groups), link) for ids, link in round_.groups]
        known = {group for ids, _ in tracked for group in ids}
        fresh = {group: name for group, name in groups.items() if group not in known}
        links = () if scope.nested_groups else start_groups(self._api, fresh, tally)
        whole = self._memberships(fresh, scope, tally)
        tally.expect(len(ids))
        people = self.find_people(sorted(ids), attributes)
        tally.found(len(people.users))
        theirs = self._memberships_of(people.users, {} if scope.nested_groups else groups)
        members = pd.concat(
            [whole.members[~whole.members["member_id"].isin(theirs.members["member_id"])], theirs.members],
            ignore_index=True,
        )
        problems = [*people.missing, *granted.problems, *whole.problems, *theirs.problems]
        onward = dataclasses.replace(
            tracking,
            users=round_.users,
            groups=(*(each for each in tracked if each[0]), *links),
            again=tuple(sorted(round_.changed)),
        )
        return DirectoryChanges(
            changed=pd.Series(sorted(ids.difference(people.unanswered)), dtype=STRING),
            users=people.users,
            members=members,
            groups_read=frozenset(fresh),
            roles=application.roles,
            assignments=grants,
            default_domain=self._default_domain(),
            manifest=run.manifest(people.users, grants, members, problems, tally.pages),
            # What could not be read has to be told again.
            watermark=watermark if problems else onward.as_watermark(),
        )

    def read_people(self, names: Sequence[str], attributes: frozenset[str], scope: Scope) -> DirectoryRead:
        """Read the people named by source id, sign-in name or mail, and how they are assigned now."""
        run, tally = _Run(self._http), Tally(silent)
        application = read_application(self._api, self._source.application_id)
        grants, granted = read_grants(self._api, application, tally)
        groups = assigned_groups(grants)
        people = self.find_people(names, attributes)
        if scope.nested_groups:
            # Which inner group leads to an assigned one only the assigned groups can tell.
            everybody = self._memberships(groups, scope, tally)
            theirs = everybody.members["member_id"].isin(people.users["source_id"])
            memberships = Memberships(everybody.members[theirs].reset_index(drop=True), everybody.problems)
        else:
            memberships = self._memberships_of(people.users, groups)
        problems = [*people.missing, *granted.problems, *memberships.problems]
        return DirectoryRead(
            users=people.users,
            roles=application.roles,
            assignments=grants,
            members=memberships.members,
            default_domain=self._default_domain(),
            manifest=run.manifest(people.users, grants, memberships.members, problems, tally.pages),
            watermark={},
        )

    def find_people(self, names: Sequence[str], attributes: frozenset[str]) -> People:
        """Look up people by source id, sign-in name or mail, without their assignments."""
        with ThreadPoolExecutor(_WORKERS, "graph-batch") as pool:
            return find_people(self._api, names, Selection.of(attributes), pool)

    def some_people(self, size: int, scope: Scope) -> list[str]:
        """Give the source ids of at most `size` people: assigned ones, and the first of each assigned group."""
        if scope.who == "all":
            return first_ids(self._api, "/users", Reading.USERS, size)
        application = read_application(self._api, self._source.application_id)
        grants, _ = read_grants(self._api, application, Tally(silent))
        direct = grants.loc[grants["principal_type"].eq("User").fillna(False), "principal_id"]
        found = dict.fromkeys(direct.drop_duplicates().head(size))
        for group in assigned_groups(grants):
            if len(found) >= size:
                break
            found |= dict.fromkeys(first_members(self._api, group, size))
        return list(found)[:size]

    def probe(self, scope: Scope) -> list[Probe]:
        """Sign in, compare the permissions in the token with those needed, and try each kind of read."""
        return probe(self._api, self._tokens, self._source, scope)

    def _memberships(self, groups: Mapping[str, str], scope: Scope, tally: Tally) -> Memberships:
        with ThreadPoolExecutor(_WORKERS, "graph-group") as pool:
            return read_memberships(self._api, groups, nested=scope.nested_groups, pool=pool, tally=tally)

    def _memberships_of(self, users: pd.DataFrame, groups: Mapping[str, str]) -> Memberships:
        """Give in which of the groups the people present are directly; asks nothing when there is no group."""
        present = users.loc[users["presence"].eq(Presence.PRESENT), "source_id"].tolist() if groups else []
        with ThreadPoolExecutor(_WORKERS, "graph-batch") as pool:
            return read_memberships_of(self._api, present, groups, pool)

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


class _Run:
    """One read while it lasts: when it began, and how many requests had gone out by then."""

    def __init__(self, http: HttpSession) -> None:
        self._http = http
        self._sent = http.sent
        self._started = dt.datetime.now(dt.UTC)

    def manifest(
        self,
        users: pd.DataFrame,
        grants: pd.DataFrame,
        members: pd.DataFrame,
        problems: Sequence[str],
        pages: int,
    ) -> Manifest:
        """Give the proof of a read that has just ended."""
        return Manifest(
            complete=not problems,
            missing=tuple(problems),
            requests=self._http.sent - self._sent,
            pages=pages,
            objects=len(users),
            groups=len(assigned_groups(grants)),
            assignments=len(grants),
            started_at=self._started,
            ended_at=dt.datetime.now(dt.UTC),
            digest=digest_of(users, grants, members),
        )

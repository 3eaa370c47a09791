"""Change tracking of the sandbox's Graph: users/delta and groups/delta, with tokens that hold the query.

A round costs what changed since its token, not the size of the directory. Called by `graph`.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

import numpy as np
import orjson

from deployments.sandbox.graph_errors import GraphError, bad_request, unsupported_query
from deployments.sandbox.graph_groups import GROUP_PROPERTIES
from deployments.sandbox.graph_query import Call
from deployments.sandbox.graph_settings import DeltaExpiry
from deployments.sandbox.graph_users import DEFAULT_PROPERTIES, UserReads
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_access import Group, GroupChange
from deployments.sandbox.tenant_columns import Rows
from deployments.sandbox.tenant_people import Event, Standing, UserChange

_MOST_FILTERED: Final = 50
_USER: Final = "#microsoft.graph.user"


@dataclasses.dataclass(frozen=True)
class _Token:
    """Where a round of change tracking stands, and the query it was started with.

    `since` and `until` are places in the log; `until` is -1 in a first round, which goes through everything.
    `item` and `member` say what the next page starts behind.
    """

    issued: float
    since: int
    until: int
    item: int
    member: int
    names: tuple[str, ...]
    ids: tuple[str, ...] | None

    def text(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(dataclasses.astuple(self))).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _Token:
        try:
            issued, since, until, item, member, names, ids = orjson.loads(
                base64.urlsafe_b64decode(text.encode() + b"==")
            )
            return cls(issued, since, until, item, member, tuple(names), None if ids is None else tuple(ids))
        except (ValueError, TypeError, binascii.Error) as error:
            raise bad_request("Badly formed token.") from error


@dataclasses.dataclass
class _Changed:
    """All that the log says of one person between two places."""

    names: set[str]
    whole: bool
    manager_before: int | None = None


@dataclasses.dataclass
class _ChangedGroup:
    """All that the log says of one group between two places; `members` in order of first mention."""

    names: set[str]
    members: dict[int | str, None]
    created: bool = False


class DeltaReads:
    """users/delta and groups/delta, one tenant's."""

    def __init__(self, tenant: Tenant, users: UserReads) -> None:
        """Read from `tenant`; `users` renders people."""
        self._tenant = tenant
        self._people = tenant.people
        self._access = tenant.access
        self._users = users
        self._user_round: tuple[tuple[int, int], dict[int, _Changed]] = ((0, 0), {})
        self._group_round: tuple[tuple[int, int], dict[str, _ChangedGroup]] = ((0, 0), {})

    def users(self, call: Call) -> dict[str, Any]:
        """GET /users/delta."""

        def names() -> tuple[str, ...]:
            chosen = call.selected(self._people.properties, DEFAULT_PROPERTIES, "user")
            return tuple(dict.fromkeys((*chosen, "id")))

        token = self._token(call, "users", len(self._people.log), names)
        if token is None:
            return self._closed(call, "users", self._started(call, len(self._people.log), names()), [])
        if token.until < 0:
            return self._first_users(call, token)
        return self._changed_users(call, token)

    def groups(self, call: Call) -> dict[str, Any]:
        """GET /groups/delta."""

        def names() -> tuple[str, ...]:
            known = (*GROUP_PROPERTIES, "members")
            return tuple(dict.fromkeys((*call.selected(known, known, "group"), "id")))

        token = self._token(call, "groups", len(self._access.log), names)
        if token is None:
            return self._closed(call, "groups", self._started(call, len(self._access.log), names()), [])
        return self._group_page(call, token)

    def _token(self, call: Call, what: str, end: int, names: Callable[[], tuple[str, ...]]) -> _Token | None:
        """Give where this call goes on, or None for `$deltaToken=latest`; raises `GraphError` for what is refused."""
        text = call.options.get("skiptoken") or call.options.get("deltatoken")
        if not text:
            return self._started(call, end, names())
        if text.lower() == "latest":
            return None
        token = _Token.read(text)
        too_old = call.settings.clock() - token.issued > call.settings.delta_token_life
        if too_old or max(token.since, token.until) > end:
            raise _expired(call, what)
        return dataclasses.replace(token, until=end) if "deltatoken" in call.options else token

    def _started(self, call: Call, end: int, names: tuple[str, ...]) -> _Token:
        for option in ("expand", "top"):
            if option in call.options:
                raise unsupported_query(f"The query option '${option}' is not supported by delta.")
        wanted = call.filter()
        ids = wanted.ids() if wanted is not None else None
        if wanted is not None and ids is None:
            raise unsupported_query("Delta supports $filter only as id eq '...', joined by or.")
        if ids is not None and len(ids) > _MOST_FILTERED:
            raise unsupported_query(f"Delta filters at most {_MOST_FILTERED} objects, not {len(ids)}.")
        filtered = None if ids is None else tuple(one.lower() for one in ids)
        return _Token(call.settings.clock(), end, -1, -1, -1, names, filtered)

    def _closed(self, call: Call, what: str, token: _Token, value: list[dict[str, Any]]) -> dict[str, Any]:
        """Give the last page of a round, with the link to the next round."""
        after = token.since if token.until < 0 else token.until
        end = _Token(call.settings.clock(), after, -1, -1, -1, token.names, token.ids)
        link = f"{call.base}/{what}/delta?$deltatoken={end.text()}"
        return {"@odata.context": _context(call, what, token), "@odata.deltaLink": link, "value": value}

    def _open(
        self, call: Call, what: str, token: _Token, place: tuple[int, int], value: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Give a page with more behind it, from `place` (item, member) on."""
        item, member = place
        onward = dataclasses.replace(token, issued=call.settings.clock(), item=item, member=member)
        link = f"{call.base}/{what}/delta?$skiptoken={onward.text()}"
        return {"@odata.context": _context(call, what, token), "@odata.nextLink": link, "value": value}

    def _first_users(self, call: Call, token: _Token) -> dict[str, Any]:
        size = call.settings.delta_page
        up_to = Standing.SOFT_DELETED if call.settings.deleted_in_first_delta else Standing.PRESENT
        if token.ids is None:
            rows = self._people.after(token.item, size + 1, up_to)
        else:
            known = [row for row in map(self._people.row, token.ids) if row is not None]
            listed = np.unique(np.array(known, dtype=np.int64))
            listed = listed[(self._people.standing[listed] <= up_to) & (listed > token.item)]
            rows = listed[: size + 1]
        more = len(rows) > size
        rows = rows[:size]
        everything = _Changed(names=set(), whole=True)
        value = self._render_users(call, token, [(row, everything) for row in rows.tolist()])
        if more:
            return self._open(call, "users", token, (int(rows[-1]), -1), value)
        return self._closed(call, "users", token, value)

    def _changed_users(self, call: Call, token: _Token) -> dict[str, Any]:
        changes = self._user_changes(token.since, token.until)
        wanted = None if token.ids is None else {self._people.row(one) for one in token.ids}
        size = call.settings.delta_page
        page: list[tuple[int, _Changed]] = []
        place = token.item
        for row, changed in islice(changes.items(), token.item + 1, None):
            place += 1
            counts = changed.whole or bool(changed.names.intersection(token.names))
            if counts and (wanted is None or row in wanted):
                page.append((row, changed))
                if len(page) == size:
                    break
        value = self._render_users(call, token, page)
        if len(page) == size and place + 1 < len(changes):
            return self._open(call, "users", token, (place, -1), value)
        return self._closed(call, "users", token, value)

    def _user_changes(self, since: int, until: int) -> dict[int, _Changed]:
        """Fold the log between two places into one entry a person; kept for the further pages of the round."""
        if self._user_round[0] != (since, until):
            self._user_round = ((since, until), _folded(self._people.log[since:until]))
        return self._user_round[1]

    def _render_users(self, call: Call, token: _Token, page: list[tuple[int, _Changed]]) -> list[dict[str, Any]]:
        rows = np.array([row for row, _ in page], dtype=np.int64)
        names = tuple(name for name in token.names if name != "manager")
        records = self._users.render(rows, names)
        standings = self._people.standing[rows].tolist()
        managers = self._managers(rows) if "manager" in token.names else [None] * len(page)
        value = []
        for (_, changed), record, standing, manager in zip(page, records, standings, managers, strict=True):
            if standing != Standing.PRESENT:
                reason = "changed" if standing == Standing.SOFT_DELETED else "deleted"
                value.append({"id": record["id"], "@removed": {"reason": reason}})
                continue
            told = _told(record, changed, minimal=call.minimal and token.until >= 0)
            if "manager" in token.names:
                links = self._manager_links(changed, manager, repeat=call.settings.delta_repeats_manager)
                if links:
                    told["manager@delta"] = links
            value.append(told)
        return value

    def _managers(self, rows: Rows) -> list[str | None]:
        return [record["manager"] for record in self._people.records(rows, ["manager"])]

    def _manager_links(self, changed: _Changed, manager: str | None, *, repeat: bool) -> list[dict[str, Any]]:
        links: list[dict[str, Any]] = []
        row = changed.manager_before
        before = None if row is None or row < 0 else self._people.id(row)
        if before is not None and before != manager:
            links.append({"@odata.type": _USER, "id": before, "@removed": {"reason": "deleted"}})
        if manager is not None and (changed.whole or "manager" in changed.names or repeat):
            links.append({"@odata.type": _USER, "id": manager})
        return links

    def _group_page(self, call: Call, token: _Token) -> dict[str, Any]:
        """Fill one page with groups until there are enough of them, or enough of their members."""
        with_members = "members" in token.names
        room_for_members = call.settings.members_per_delta_page
        value: list[dict[str, Any]] = []
        for item, (group_id, changed) in self._group_items(token):
            if len(value) >= call.settings.delta_page or room_for_members <= 0:
                return self._open(call, "groups", token, (item - 1, -1), value)
            group = self._access.groups.get(group_id)
            if group is None:
                value.append({"id": group_id, "@removed": {"reason": "deleted"}})
                continue
            if changed is not None and not changed.names.intersection(token.names):
                continue
            record = _group_record(group, changed, token.names, minimal=call.minimal and token.until >= 0)
            if with_members:
                behind = token.member if item == token.item + 1 else -1
                links, last = self._member_links(call, group, changed, behind, room_for_members)
                if links:
                    record["members@delta"] = links
                room_for_members -= len(links)
                if last is not None:
                    return self._open(call, "groups", token, (item - 1, last), [*value, record])
            value.append(record)
        return self._closed(call, "groups", token, value)

    def _group_items(self, token: _Token) -> Iterable[tuple[int, tuple[str, _ChangedGroup | None]]]:
        """Go through the groups of the round that are behind the token, each with its place."""
        if token.until < 0:
            listed: list[tuple[int, tuple[str, _ChangedGroup | None]]] = [
                (group.number, (group.id, None))
                for group in self._access.groups.values()
                if token.ids is None or group.id in token.ids
            ]
            return [entry for entry in listed if entry[0] > token.item]
        if self._group_round[0] != (token.since, token.until):
            folded = _folded_groups(self._access.log[token.since : token.until])
            self._group_round = ((token.since, token.until), folded)
        changes = self._group_round[1]
        return (
            (place, entry)
            for place, entry in enumerate(changes.items())
            if place > token.item and (token.ids is None or entry[0] in token.ids)
        )

    def _member_links(
        self, call: Call, group: Group, changed: _ChangedGroup | None, behind: int, room: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Give up to `room` members behind a place, and the place of the last one when there are more."""
        if changed is None or changed.created:
            return self._all_members(group, behind, room)
        members = list(changed.members)
        page = members[behind + 1 : behind + 1 + room]
        told = [
            member for member in page if call.settings.deleted_members_in_groups_delta or not self._is_deleted(member)
        ]
        last = behind + len(page)
        return [self._member_link(group, member) for member in told], last if last + 1 < len(members) else None

    def _all_members(self, group: Group, behind: int, room: int) -> tuple[list[dict[str, Any]], int | None]:
        rows: Rows = group.rows()
        rows = rows[(self._people.standing[rows] == Standing.PRESENT) & (rows > behind)]
        inner = [held for held in group.nested if held in self._access.groups] if behind < 0 else []
        page = rows[: max(room - len(inner), 1)]
        links: list[dict[str, Any]] = [{"@odata.type": "#microsoft.graph.group", "id": held} for held in inner]
        links += [{"@odata.type": _USER, "id": identifier} for identifier in self._people.ids(page)]
        return links, int(page[-1]) if len(page) < len(rows) else None

    def _member_link(self, group: Group, member: int | str) -> dict[str, Any]:
        if isinstance(member, str):
            link: dict[str, Any] = {"@odata.type": "#microsoft.graph.group", "id": member}
            inside = member in group.nested
        else:
            link = {"@odata.type": _USER, "id": self._people.id(member)}
            inside = group.has(member) and bool(self._people.standing[member] == Standing.PRESENT)
        return link if inside else {**link, "@removed": {"reason": "deleted"}}

    def _is_deleted(self, member: int | str) -> bool:
        return isinstance(member, int) and bool(self._people.standing[member] != Standing.PRESENT)


def _folded(log: Iterable[UserChange]) -> dict[int, _Changed]:
    folded: dict[int, _Changed] = {}
    for change in log:
        entry = folded.get(change.row)
        if entry is None:
            entry = folded[change.row] = _Changed(set(), whole=False)
        entry.names |= change.names
        entry.whole |= change.event is not Event.UPDATED
        if entry.manager_before is None and "manager" in change.names:
            entry.manager_before = change.manager_before
    return folded


def _folded_groups(log: Iterable[GroupChange]) -> dict[str, _ChangedGroup]:
    folded: dict[str, _ChangedGroup] = {}
    for change in log:
        entry = folded.setdefault(change.group_id, _ChangedGroup(set(), {}))
        entry.names |= change.names
        entry.created |= change.created
        if change.member is not None:
            entry.names.add("members")
            entry.members[change.member] = None
    return folded


def _told(record: dict[str, Any], changed: _Changed, *, minimal: bool) -> dict[str, Any]:
    """Leave out what was never set, and with `minimal` what did not change; what became null stays, as null."""
    if changed.whole:
        return {name: value for name, value in record.items() if value is not None or name in changed.names}
    return {
        name: value
        for name, value in record.items()
        if name == "id" or name in changed.names or (value is not None and not minimal)
    }


def _group_record(
    group: Group, changed: _ChangedGroup | None, names: tuple[str, ...], *, minimal: bool
) -> dict[str, Any]:
    record = {"id": group.id, **group.properties}
    written = set() if changed is None or changed.created else changed.names
    minimal = minimal and not (changed is not None and changed.created)
    return {
        name: record[name]
        for name in names
        if name in record and (name == "id" or name in written or (record[name] is not None and not minimal))
    }


def _context(call: Call, what: str, token: _Token) -> str:
    return f"{call.base}/$metadata#{what}({','.join(token.names)})"


def _expired(call: Call, what: str) -> GraphError:
    if call.settings.delta_expiry is DeltaExpiry.GONE:
        location = f"{call.base}/{what}/delta?$deltatoken="
        return GraphError(410, "resyncRequired", "The delta token has expired; start again.", {"Location": location})
    return GraphError(
        400,
        "syncStateNotFound",
        "The sync state generation is not found. The delta token is expired and data must be synchronized again.",
    )

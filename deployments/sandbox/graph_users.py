"""Reads of people as the sandbox's Graph serves them: lists, one person, manager, memberships, the recycle bin.

Pages are rendered column by column. Called by `graph`; membership and assignments are in `graph_groups`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from deployments.sandbox.graph_errors import GraphError, bad_request, not_found
from deployments.sandbox.graph_filter import Filter
from deployments.sandbox.graph_query import Call
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_columns import Comparison, Condition, Mask, Rows
from deployments.sandbox.tenant_people import Standing

DEFAULT_PROPERTIES: Final = (
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName", "id",
)  # fmt: skip
"""What a person is rendered with when nothing is selected (List users)."""

_SINGLE_ONLY: Final = frozenset(
    {
        "aboutMe", "birthday", "hireDate", "interests", "mailboxSettings", "mySite", "pastProjects", "preferredName",
        "responsibilities", "schools", "skills",
    }
)  # fmt: skip
"""Properties that Graph gives for one user only and refuses on collections."""

_EXPAND: Final = re.compile(r"manager(?:\((?P<options>.*)\))?", re.IGNORECASE)


class UserReads:
    """People, one tenant's."""

    def __init__(self, tenant: Tenant) -> None:
        """Read from `tenant`."""
        self._tenant = tenant
        self._people = tenant.people
        self._mask: tuple[tuple[Filter, int], Mask] | None = None

    def listing(self, call: Call) -> dict[str, Any]:
        """GET /users."""
        names = self.names(call)
        among = self._among(call.filter())
        size = call.page_size()
        rows = self._people.after(call.position(), size + 1, among=among)
        body: dict[str, Any] = {"@odata.context": call.context("users")}
        if call.count:
            body["@odata.count"] = self.count(among)
        if len(rows) > size:
            rows = rows[:size]
            body["@odata.nextLink"] = call.next_link(int(rows[-1]))
        body["value"] = self.render(rows, names)
        self._expand(call, rows, body["value"], many=True)
        return body

    def number(self, call: Call) -> str:
        """GET /users/$count; raises `GraphError` (400) without ConsistencyLevel: eventual."""
        if not call.eventual:
            raise bad_request("$count is not currently supported without the ConsistencyLevel:eventual header.")
        return str(self.count(self._among(call.filter())))

    def one(self, call: Call) -> dict[str, Any]:
        """GET /users/{id | userPrincipalName}."""
        row = self.row(call.keys[0])
        rows = np.array([row])
        records = self.render(rows, self.names(call, single=True))
        self._expand(call, rows, records, many=False)
        return {"@odata.context": f"{call.context('users')}/$entity", **records[0]}

    def manager(self, call: Call) -> dict[str, Any]:
        """GET /users/{id}/manager; raises `GraphError` (404) when there is none."""
        manager = int(self._people.manager_rows(np.array([self.row(call.keys[0])]))[0])
        if manager < 0:
            raise not_found("manager")
        record = self.render(np.array([manager]), self.names(call, single=True))[0]
        context = f"{call.base}/$metadata#directoryObjects/$entity"
        return {"@odata.context": context, "@odata.type": "#microsoft.graph.user", **record}

    def deleted(self, call: Call) -> dict[str, Any]:
        """GET /directory/deletedItems/microsoft.graph.user."""
        names = self.names(call)
        if "select" not in call.options:
            names = (*names, "deletedDateTime")
        among = self._people.standing == Standing.SOFT_DELETED
        wanted = call.filter()
        if wanted is not None:
            among &= wanted.mask(self._people)
        size = call.page_size()
        rows = self._people.after(call.position(), size + 1, Standing.SOFT_DELETED, among)
        body: dict[str, Any] = {"@odata.context": call.context("users")}
        if call.count:
            body["@odata.count"] = int(among.sum())
        if len(rows) > size:
            rows = rows[:size]
            body["@odata.nextLink"] = call.next_link(int(rows[-1]))
        body["value"] = self.render(rows, names)
        return body

    def deleted_one(self, call: Call) -> dict[str, Any]:
        """GET /directory/deletedItems/{id}."""
        row = self._people.row(call.keys[0])
        if row is None or self._people.standing[row] != Standing.SOFT_DELETED:
            raise not_found(call.keys[0])
        names = (*self.names(call, single=True), *(() if "select" in call.options else ("deletedDateTime",)))
        record = self.render(np.array([row]), names)[0]
        context = f"{call.base}/$metadata#directoryObjects/$entity"
        return {"@odata.context": context, "@odata.type": "#microsoft.graph.user", **record}

    def names(self, call: Call, *, single: bool = False) -> tuple[str, ...]:
        """Give the properties to render, navigation left out; raises `GraphError` for unknown or refused ones."""
        names = call.selected(self._people.properties | _SINGLE_ONLY, DEFAULT_PROPERTIES, "user")
        refused = _SINGLE_ONLY.intersection(names)
        if refused and not single:
            raise GraphError(501, "NotImplemented", f"Not implemented on collections: {', '.join(sorted(refused))}.")
        return tuple(name for name in names if name != "manager" and name not in refused) or ("id",)

    def render(self, rows: Rows, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Give the records of `rows`; directory extensions appear only where they have a value."""
        records = self._people.records(rows, names)
        for name in names:
            if name.startswith("extension_"):
                for record in records:
                    if record[name] is None:
                        del record[name]
        return records

    def row(self, key: str) -> int:
        """Give the row of a present person by id or user principal name; raises `GraphError` (404)."""
        row = self._people.row(key)
        if row is None and "@" in key:
            among = self._people.where("userPrincipalName", Condition(Comparison.EQUALS, key))
            found = self._people.after(-1, 1, among=among)
            row = int(found[0]) if len(found) else None
        if row is None or self._people.standing[row] != Standing.PRESENT:
            raise not_found(key)
        return row

    def count(self, among: Mask | None = None) -> int:
        """Give the number of people present, and marked if `among` is given."""
        present = self._people.standing == Standing.PRESENT
        return int(np.count_nonzero(present if among is None else present & among))

    def _among(self, wanted: Filter | None) -> Mask | None:
        """Mark who passes the filter; the last mask is kept, because every page of a list asks for it again."""
        if wanted is None:
            return None
        key = (wanted, self._tenant.version)
        if self._mask is None or self._mask[0] != key:
            self._mask = (key, wanted.mask(self._people))
        return self._mask[1]

    def _expand(self, call: Call, rows: Rows, records: list[dict[str, Any]], *, many: bool) -> None:
        """Put the manager into each record, when $expand asks for it."""
        text = call.options.get("expand")
        if text is None:
            return
        match = _EXPAND.fullmatch(text.strip())
        if match is None:
            raise bad_request(f"Parsing OData Select and Expand failed: '{text}' cannot be expanded here.")
        options = dict(part.partition("=")[::2] for part in (match["options"] or "").split(";") if part)
        options = {name.strip().lower().removeprefix("$"): value.strip() for name, value in options.items()}
        levels = options.get("levels", "1")
        if "select" in options and "levels" not in options:
            raise bad_request("$select inside $expand needs the $levels parameter.")
        if levels != "1" and many:
            raise bad_request("$levels other than 1 is supported on a single user only.")
        inner = {**call.options, "select": options.get("select", "")}
        names = self.names(_with_options(call, inner))
        self._attach(rows, records, names, len(self._people.managers) if levels == "max" else int(levels))

    def _attach(self, rows: Rows, records: list[dict[str, Any]], names: tuple[str, ...], levels: int) -> None:
        managers = self._people.manager_rows(rows)
        known = np.unique(managers[managers >= 0])
        rendered = self.render(known, names)
        if levels > 1 and len(known):
            self._attach(known, rendered, names, levels - 1)
        by_row = dict(zip(known.tolist(), rendered, strict=True))
        for record, manager in zip(records, managers.tolist(), strict=True):
            if manager >= 0:
                record["manager"] = {"@odata.type": "#microsoft.graph.user", **by_row[manager]}


def _with_options(call: Call, options: dict[str, str]) -> Call:
    return Call(call.request, call.version, call.keys, options, call.caller, call.settings)

"""The people of the directory: columns as drawn, edited records over them, who is deleted, and a log of changes.

Knows rows, not permissions or wire formats. Used by `tenant` (editing by id) and by the Graph service (reading pages).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from deployments.sandbox.company import EXTENSIONS, Company
from deployments.sandbox.tenant_columns import Comparison, Condition, Mask, Rows
from deployments.sandbox.tenant_ids import PeopleIds

UNSET: Final = (
    "ageGroup", "consentProvidedForMinor", "creationType", "employeeOrgData", "externalUserStateChangeDateTime",
    "faxNumber", "legalAgeGroupClassification", "onPremisesDistinguishedName", "onPremisesDomainName",
    "onPremisesImmutableId", "onPremisesLastSyncDateTime", "onPremisesUserPrincipalName", "passwordPolicies",
    "preferredDataLocation", "securityIdentifier", "showInAddressList",
)  # fmt: skip
"""Properties that a user has and that nobody drawn has a value for; edits may give them one."""

LISTS: Final = ("businessPhones", "otherMails", "proxyAddresses")
"""Properties that hold lists of text, empty rather than null."""

_PAGE: Final = 4096


class Standing(IntEnum):
    """Where a person stands in the directory's life cycle."""

    PRESENT = 0
    """In the directory."""
    SOFT_DELETED = 1
    """In the recycle bin."""
    HARD_DELETED = 2
    """Gone for good."""


class Event(StrEnum):
    """What happened to a person, as change tracking tells it apart."""

    CREATED = "created"
    """Added, or taken back from the recycle bin."""
    UPDATED = "updated"
    """Some properties were written."""
    SOFT_DELETED = "soft_deleted"
    """Moved to the recycle bin."""
    HARD_DELETED = "hard_deleted"
    """Purged from the recycle bin."""


class UserChange(NamedTuple):
    """One entry of the log: the names of the properties written, and the manager's row before (-1 for none)."""

    row: int
    event: Event
    names: frozenset[str]
    manager_before: int


class UnknownObjectError(LookupError):
    """Raised when an id names nothing in the directory, or nothing that the operation can be done to."""


class People:
    """Everyone the directory has or had, by row. Rows never move; new people get new rows."""

    def __init__(self, company: Company) -> None:
        """Start from a drawn company."""
        self._ids = PeopleIds(company.seed)
        self._columns = company.columns
        self._drawn_count = len(company.managers)
        self.count = self._drawn_count
        self._managers = company.managers.copy()
        self._standing = np.full(self.count, Standing.PRESENT, dtype=np.uint8)
        self._standing[company.soft_deleted] = Standing.SOFT_DELETED
        self._standing[company.hard_deleted] = Standing.HARD_DELETED
        self._edited = np.zeros(self.count, dtype=bool)
        self._records: dict[int, dict[str, Any]] = {}
        self.deleted_on: dict[int, str] = {}
        self.log: list[UserChange] = []
        self.properties: frozenset[str] = frozenset(
            {*company.columns, *UNSET, "deletedDateTime", "employeeLeaveDateTime", "manager"}
        )

    @property
    def managers(self) -> npt.NDArray[np.int32]:
        """Rows of the managers, -1 for none, whether or not the manager still stands."""
        return self._managers[: self.count]

    @property
    def standing(self) -> npt.NDArray[np.uint8]:
        """Everyone's `Standing`, by row."""
        return self._standing[: self.count]

    def row(self, identifier: str) -> int | None:
        """Give the row of an object id (in any letter case), or None when nobody ever had it."""
        row = self._ids.row(identifier)
        return row if row is not None and row < self.count else None

    def ids(self, rows: Rows) -> list[str]:
        """Give the object ids of `rows`."""
        if len(rows) and rows.max() < self._drawn_count:
            return self._columns["id"].take(rows)
        found: list[str] = self._ids.of(rows).to_pylist()
        return found

    def id(self, row: int) -> str:
        """Give the object id of one row."""
        return self._ids.one(row)

    def after(self, row: int, limit: int, up_to: Standing = Standing.PRESENT, among: Mask | None = None) -> Rows:
        """Give the next `limit` rows behind `row` of people present, or `up_to` deleted, and marked in `among`."""
        found: list[Rows] = []
        start, missing = row + 1, limit
        while missing > 0 and start < self.count:
            part = slice(start, start + max(_PAGE, missing))
            fits = self.standing[part] <= up_to
            rows = start + np.flatnonzero(fits if among is None else fits & among[part])
            found.append(rows[:missing])
            missing -= len(found[-1])
            start = part.stop
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)

    def records(self, rows: Rows, names: Sequence[str]) -> list[dict[str, Any]]:
        """Give `names` of each of `rows`, in order. Lists and objects in them are shared: do not change them."""
        drawn = (rows < self._drawn_count) & ~self._edited[rows]
        plain = iter(self._drawn(rows[drawn], names))
        if drawn.all():
            return list(plain)
        return [
            next(plain) if is_drawn else self._written(row, names)
            for row, is_drawn in zip(rows.tolist(), drawn.tolist(), strict=True)
        ]

    def record(self, row: int) -> dict[str, Any]:
        """Give everything known of one person."""
        return self.records(np.array([row]), sorted({*self.properties, *self._records.get(row, ())}))[0]

    def manager_rows(self, rows: Rows) -> Rows:
        """Give the rows of the managers of `rows`, -1 where there is none or the manager is deleted."""
        managers = self.managers[rows].astype(np.int64)
        return np.where((managers >= 0) & (self.standing[managers] == Standing.PRESENT), managers, -1)

    def where(self, name: str, condition: Condition) -> Mask:
        """Mark the rows whose property `name` meets `condition`, deleted people included."""
        mask = np.zeros(self.count, dtype=bool)
        if name == "id" and condition.comparison is Comparison.EQUALS:
            row = self.row(str(condition.value))
            if row is not None:
                mask[row] = True
            return mask
        if name in self._columns:
            mask[: self._drawn_count] = self._columns[name].where(condition)
        else:
            mask[:] = condition.holds(None)
        for row, record in self._records.items():
            mask[row] = condition.holds(record.get(name))
        return mask

    def add(self, attributes: Mapping[str, Any], manager: int) -> int:
        """Add a person with these properties and give their row."""
        row = self.count
        self._grow()
        self._managers[row], self._standing[row], self._edited[row] = manager, Standing.PRESENT, True
        self._records[row] = {"id": self.id(row), **dict.fromkeys(self._columns), **attributes}
        self._records[row]["id"] = self.id(row)
        self._log(row, Event.CREATED, frozenset(), -1)
        return row

    def write(self, row: int, attributes: Mapping[str, Any]) -> None:
        """Write properties other than `manager` of one person."""
        record = self._records.get(row)
        if record is None:
            record = self._records[row] = self._drawn(np.array([row]), list(self._columns))[0]
            self._edited[row] = True
        changed = {name for name, value in attributes.items() if record.get(name) != value}
        record.update(attributes)
        if changed:
            self._log(row, Event.UPDATED, frozenset(changed), -1)

    def set_manager(self, row: int, manager: int) -> None:
        """Write one person's manager; -1 takes the manager away."""
        before = int(self.manager_rows(np.array([row]))[0])
        self._managers[row] = manager
        if before != manager:
            self._log(row, Event.UPDATED, frozenset({"manager"}), before)

    def reports(self, row: int) -> Rows:
        """Give the rows of the present people whose manager is `row`."""
        return np.flatnonzero((self.managers == row) & (self.standing == Standing.PRESENT))

    def stand(self, row: int, standing: Standing, moment: str | None) -> None:
        """Delete, purge or restore one person; `moment` is when they were deleted, None when restored."""
        event = {
            Standing.PRESENT: Event.CREATED,
            Standing.SOFT_DELETED: Event.SOFT_DELETED,
            Standing.HARD_DELETED: Event.HARD_DELETED,
        }[standing]
        reports = self.reports(row)
        before = int(self.manager_rows(np.array([row]))[0])
        self._standing[row] = standing
        if moment is None:
            self.deleted_on.pop(row, None)
        elif standing is Standing.SOFT_DELETED:
            self.deleted_on[row] = moment
        self._log(row, event, frozenset({"manager"}), before)
        if standing is not Standing.HARD_DELETED:
            # Their manager vanishes from the reports' properties, or comes back.
            gone = row if standing is Standing.SOFT_DELETED else -1
            for report in reports.tolist():
                self._log(report, Event.UPDATED, frozenset({"manager"}), gone)

    def __iter__(self) -> Iterator[int]:
        """Go through the rows of the present people."""
        return iter(np.flatnonzero(self.standing == Standing.PRESENT).tolist())

    def _drawn(self, rows: Rows, names: Sequence[str]) -> list[dict[str, Any]]:
        columns = [self._values(rows, name) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _values(self, rows: Rows, name: str) -> list[Any]:
        column = self._columns.get(name)
        if column is not None:
            return column.take(rows)
        if name == "manager":
            managers = self.manager_rows(rows)
            ids = iter(self.ids(managers[managers >= 0]))
            return [None if manager < 0 else next(ids) for manager in managers.tolist()]
        if name == "deletedDateTime":
            return [self.deleted_on.get(row) for row in rows.tolist()]
        return [None] * len(rows)

    def _written(self, row: int, names: Collection[str]) -> dict[str, Any]:
        record = self._records[row]
        live = {
            name: self._values(np.array([row]), name)[0] for name in ("manager", "deletedDateTime") if name in names
        }
        return {name: live[name] if name in live else record.get(name) for name in names}

    def _log(self, row: int, event: Event, names: frozenset[str], manager_before: int) -> None:
        self.log.append(UserChange(row, event, names, manager_before))

    def _grow(self) -> None:
        if self.count == len(self._managers):
            room = max(1024, self.count // 8)
            self._managers = np.concatenate([self._managers, np.full(room, -1, dtype=np.int32)])
            self._standing = np.concatenate([self._standing, np.full(room, Standing.HARD_DELETED, dtype=np.uint8)])
            self._edited = np.concatenate([self._edited, np.zeros(room, dtype=bool)])
        self.count += 1


def with_extensions(held: Mapping[str, Any] | None, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give `attributes` with any `extensionAttribute1..15` among them moved into `onPremisesExtensionAttributes`."""
    extensions = {name: value for name, value in attributes.items() if name in EXTENSIONS}
    if not extensions:
        return dict(attributes)
    rest = {name: value for name, value in attributes.items() if name not in extensions}
    base = rest.get("onPremisesExtensionAttributes") or held or dict.fromkeys(EXTENSIONS)
    return {**rest, "onPremisesExtensionAttributes": {**base, **extensions}}

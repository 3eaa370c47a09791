"""A month in the life of a company: people are hired, moved, renamed, promoted and let go. Edits a `Tenant`.

Called by demos, soaks and tests through `month_passes`; what happened comes back as a log of object ids.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final

import numpy as np

from deployments.sandbox import names
from deployments.sandbox.company import cost_center, latin, midnight
from deployments.sandbox.tenant import Tenant
from deployments.sandbox.tenant_access import Group
from deployments.sandbox.tenant_columns import Rows
from deployments.sandbox.tenant_people import Standing

_MIX: Final = {
    "hired": 0.25, "moved": 0.22, "renamed": 0.10, "promoted": 0.18,
    "soft_deleted": 0.08, "unassigned": 0.07, "disabled": 0.07, "hard_deleted": 0.02, "restored": 0.01,
}  # fmt: skip
"""How a month's events divide among the kinds."""

_MONTH: Final = dt.timedelta(days=30)


@dataclasses.dataclass(frozen=True)
class MonthLog:
    """What a month brought: object ids, each person in one list at most."""

    hired: tuple[str, ...]
    moved: tuple[str, ...]
    renamed: tuple[str, ...]
    promoted: tuple[str, ...]
    soft_deleted: tuple[str, ...]
    unassigned: tuple[str, ...]
    disabled: tuple[str, ...]
    hard_deleted: tuple[str, ...]
    restored: tuple[str, ...]


def month_passes(tenant: Tenant, seed: int, share: float = 0.05) -> MonthLog:
    """Let a month pass in which about `share` of the people present change, and move the calendar by 30 days.

    Every kind of event happens at least once where there is somebody for it to happen to. The same tenant state,
    seed and share bring the same month. Raises `ValueError` unless 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"The share of people who change is between 0 and 1, not {share}.")
    return _Month(tenant, seed, share).passes()


class _Month:
    def __init__(self, tenant: Tenant, seed: int, share: float) -> None:
        self.tenant = tenant
        self.people = tenant.people
        self.rng = np.random.default_rng([seed, tenant.today.toordinal()])
        present = np.flatnonzero(self.people.standing == Standing.PRESENT)
        self.events = {kind: max(1, round(len(present) * share * part)) for kind, part in _MIX.items()}
        staff = self.people.records(present, ["userType"])
        is_staff = np.fromiter((record["userType"] == "Member" for record in staff), bool, len(present))
        self.bin = self.rng.permutation(np.flatnonzero(self.people.standing == Standing.SOFT_DELETED))
        self.pool = self.rng.permutation(present[is_staff])
        leads = np.bincount(self.people.managers[self.people.managers >= 0], minlength=self.people.count) > 0
        self.leaders = self.pool[leads[self.pool]]
        # The heads of the company stay; whoever goes is drawn from everyone who has a manager.
        self.pool = self.pool[self.people.manager_rows(self.pool) >= 0]

    def passes(self) -> MonthLog:
        self.tenant.today += _MONTH
        moved, renamed, promoted = (self._draw(kind) for kind in ("moved", "renamed", "promoted"))
        soft, unassigned, disabled = (self._draw(kind) for kind in ("soft_deleted", "unassigned", "disabled"))
        hard, restored = self.bin[: self.events["hard_deleted"]], self.bin[self.events["hard_deleted"] :]
        leaving = np.concatenate([soft, disabled])
        self.leaders = np.setdiff1d(self.leaders, leaving)
        self._hand_over(leaving)
        return MonthLog(
            moved=self._each(moved, self._move),
            renamed=self._each(renamed, self._rename),
            promoted=self._each(promoted, self._promote),
            unassigned=self._each(unassigned, self._unassign),
            disabled=self._each(disabled, self._disable),
            soft_deleted=self._each(soft, lambda user_id, _: self.tenant.soft_delete(user_id)),
            hard_deleted=self._each(hard, lambda user_id, _: self.tenant.hard_delete(user_id)),
            restored=self._each(restored[: self.events["restored"]], lambda user_id, _: self.tenant.restore(user_id)),
            hired=tuple(self._hire() for _ in range(self.events["hired"])),
        )

    def _draw(self, kind: str) -> Rows:
        drawn, self.pool = np.split(self.pool, [min(self.events[kind], len(self.pool))])
        return drawn

    def _each(self, rows: Rows, happen: Any) -> tuple[str, ...]:
        known = ["surname", "givenName", "userPrincipalName", "jobTitle", "manager", "department"]
        records = self.people.records(rows, known)
        ids = tuple(self.people.ids(rows))
        for user_id, record in zip(ids, records, strict=True):
            happen(user_id, record)
        return ids

    def _hand_over(self, leaving: Rows) -> None:
        """Give the reports of those who leave to the next manager above who stays."""
        gone = set(leaving.tolist())
        standing = self.people.standing == Standing.PRESENT
        for report in np.flatnonzero(np.isin(self.people.managers, leaving) & standing).tolist():
            above = int(self.people.managers[report])
            while above in gone:
                above = int(self.people.managers[above])
            self.tenant.version += 1
            self.people.set_manager(report, above)

    def _move(self, user_id: str, record: dict[str, Any]) -> None:
        """To another office, department and manager (one whose own chain does not lead through the person)."""
        function = int(self.rng.integers(len(names.FUNCTIONS)))
        department = int(self.rng.integers(len(names.FUNCTIONS[function].departments)))
        office = self._office()
        manager = self._manager_for(user_id) or record["manager"]
        self.tenant.update_user(
            user_id,
            department=names.FUNCTIONS[function].departments[department],
            manager=manager,
            extensionAttribute1=cost_center(function, department, office.region),
            extensionAttribute2=office.time_zone,
            **_at(office),
        )

    def _rename(self, user_id: str, record: dict[str, Any]) -> None:
        """A new surname; half of the time the principal name and the mail address follow."""
        culture = names.CULTURES[str(self.rng.choice(list(names.CULTURES)))]
        surname = str(self.rng.choice([name for name in culture.surnames if name != record["surname"]]))
        given = record["givenName"]
        changes: dict[str, Any] = {"surname": surname, "displayName": f"{given or ''} {surname}".strip()}
        if self.rng.random() < 0.5:
            changes |= self._addresses(given or surname, surname)
        self.tenant.update_user(user_id, **changes)

    def _promote(self, user_id: str, record: dict[str, Any]) -> None:
        title = record["jobTitle"] or "Specialist"
        self.tenant.update_user(
            user_id, jobTitle=title.replace("Junior ", "") if "Junior" in title else f"Lead {title}"
        )
        if self.rng.random() < 0.3:
            self.tenant.add_member(self.tenant.group("Replicon Project Managers").id, user_id)

    def _unassign(self, user_id: str, _: dict[str, Any]) -> None:
        """Out of every group that gives a role, and without the roles held directly."""
        row = self.people.row(user_id)
        self.tenant.unassign(user_id)
        for group in self.tenant.access.groups_of(-1 if row is None else row):
            if any(self.tenant.access.assignments_of(group.id)):
                self.tenant.remove_member(group.id, user_id)

    def _disable(self, user_id: str, _: dict[str, Any]) -> None:
        self.tenant.update_user(user_id, accountEnabled=False, employeeLeaveDateTime=midnight(self.tenant.today))

    def _hire(self) -> str:
        office = self._office()
        culture = names.CULTURES[office.culture]
        given, surname = str(self.rng.choice(culture.given)), str(self.rng.choice(culture.surnames))
        function = int(self.rng.integers(len(names.FUNCTIONS)))
        department = int(self.rng.integers(len(names.FUNCTIONS[function].departments)))
        manager = None if not len(self.leaders) else self.people.id(int(self.rng.choice(self.leaders)))
        user_id = self.tenant.add_user(
            givenName=given,
            surname=surname,
            displayName=f"{given} {surname}",
            employeeId=f"{900_000 + self.people.count:07d}",
            jobTitle=f"Junior {names.FUNCTIONS[function].trade}",
            department=names.FUNCTIONS[function].departments[department],
            employeeType="Employee",
            employeeHireDate=midnight(self.tenant.today - dt.timedelta(days=int(self.rng.integers(0, 30)))),
            manager=manager,
            extensionAttribute1=cost_center(function, department, office.region),
            extensionAttribute2=office.time_zone,
            **self._addresses(given, surname),
            **_at(office),
        )
        self.tenant.add_member(self._region_group(office).id, user_id)
        return user_id

    def _office(self) -> names.Office:
        return names.OFFICES[int(self.rng.integers(len(names.OFFICES)))]

    def _region_group(self, office: names.Office) -> Group:
        return self.tenant.group(f"Replicon Users – {office.region}")

    def _manager_for(self, user_id: str) -> str | None:
        """Find a leader who does not report, at any distance, to the person."""
        row = self.people.row(user_id)
        if not len(self.leaders):
            return None
        chosen = above = int(self.rng.choice(self.leaders))
        while above >= 0:
            if above == row:
                return None
            above = int(self.people.managers[above])
        return self.people.id(chosen)

    def _addresses(self, given: str, surname: str) -> dict[str, Any]:
        """Make a principal name that nobody has: the count of changes so far is part of it."""
        local = f"{latin(given)}.{latin(surname)}.{len(self.people.log):x}"
        address = f"{local}@{self.tenant.domain}"
        return {
            "userPrincipalName": address,
            "mail": address,
            "mailNickname": local,
            "proxyAddresses": [f"SMTP:{address}"],
        }


def _at(office: names.Office) -> dict[str, Any]:
    """Give the properties that follow from working at an office."""
    return {
        "officeLocation": office.name,
        "city": office.city,
        "state": office.state,
        "country": office.country,
        "usageLocation": office.usage_location,
        "postalCode": office.postal_code,
        "streetAddress": office.street,
        "companyName": office.company,
        "preferredLanguage": office.language,
    }

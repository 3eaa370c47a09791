"""A small directory, a target in memory and a ledger in memory, for the tests of planning.

`MemoryTarget` fits reconcile's port `TargetReader`; it is no Replicon and speaks no wire.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.job import FilesSource, Guards, Job, RepliconTarget, Threshold
from tasks.model import (
    BOOL,
    PEOPLE_COLUMNS,
    STRING,
    STRINGS,
    TARGET_COLUMNS,
    Accounts,
    CycleKind,
    Manifest,
    Plan,
    Presence,
    TargetAttribute,
    conform,
)
from tasks.reconcile.plan import make_plan

ATTRIBUTES = (
    "LoginName",
    "EmployeeId",
    "FirstName",
    "StartDate",
    "LoginEnabled",
    "SsoName",
    "Department",
    "Supervisor",
    "PermissionSets",
)
"""What the tests' mapping writes."""
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
LINK_COLUMNS = {
    "source_id": STRING,
    "source_name": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "account_digest": STRING,
    "written": STRING,
    "active": BOOL,
}
SKIP_COLUMNS = {"source_id": STRING, "error_code": STRING, "reason": STRING}

Value = str | list[str] | None


@dataclasses.dataclass(frozen=True)
class Step:
    """A matching attribute and its precedence."""

    attribute: str
    priority: int


MATCHING = (Step("EmployeeId", 2), Step("LoginName", 1))


@dataclasses.dataclass(frozen=True)
class Person:
    """One person of the directory, with the account that the mapping gives them."""

    source_id: str
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    presence: Presence = Presence.PRESENT
    in_scope: bool = True
    active: bool = True
    left_alone: bool = False
    error: str | None = None
    clears: frozenset[str] = frozenset()
    """Attributes whose null is written."""

    def wanted(self) -> dict[str, Value]:
        """Give the values by attribute, the usual ones filled in."""
        usual: dict[str, Value] = {
            "LoginName": f"{self.source_id}@acme.test",
            "LoginEnabled": "True" if self.active else "False",
        }
        return {name: {**usual, **self.values}.get(name) for name in ATTRIBUTES}


def person(source_id: str, **values: Any) -> Person:
    """Give an active person; keywords are target attributes or fields of `Person`."""
    fields = {field.name for field in dataclasses.fields(Person)}
    return Person(
        source_id,
        {name: value for name, value in values.items() if name not in fields},
        **{name: value for name, value in values.items() if name in fields},
    )


def accounts_of(people: Sequence[Person], defaults: Mapping[str, str] | None = None) -> Accounts:
    """Give what transform would hand over; `defaults` count on creation only."""
    wanted = [one.wanted() for one in people]
    flows = [
        {name: not one.error and (row[name] is not None or name in one.clears) for name in ATTRIBUTES}
        for one, row in zip(people, wanted, strict=True)
    ]
    created = [{name: row[name] or (defaults or {}).get(name) for name in ATTRIBUTES} for row in wanted]
    rows = [
        {
            "source_id": one.source_id,
            "source_name": f"{one.source_id}@acme.test",
            "presence": one.presence.value,
            "in_scope": one.in_scope,
            "scope_reason": "role User, directly" if one.in_scope else "not assigned to Replicon",
            "active": one.active and one.in_scope and one.presence is Presence.PRESENT,
            "left_alone": one.left_alone,
            "error_attribute": "Department" if one.error else None,
            "error": one.error,
        }
        for one in people
    ]
    return Accounts(
        people=conform(frame(rows, PEOPLE_COLUMNS), PEOPLE_COLUMNS, "people"),
        values=frame(wanted, _types()),
        flows=frame(flows, dict.fromkeys(ATTRIBUTES, BOOL)),
        on_create=frame(created, _types()),
        flows_on_create=frame(
            [{name: row[name] is not None for name in ATTRIBUTES} for row in created], dict.fromkeys(ATTRIBUTES, BOOL)
        ),
        mapping_digest="mapping-1",
    )


def manifest(*, complete: bool = True, assignments: int = 100, objects: int = 100) -> Manifest:
    """Give the manifest of a read."""
    missing = () if complete else ("page 3 of users did not arrive",)
    return Manifest(complete, missing, 5, 5, objects, 2, assignments, NOW, NOW, "manifest-1")


def job(**changes: Any) -> Job:
    """Give a job whose guards are out of the way unless a test sets them."""
    usual: dict[str, Any] = {
        "name": "acme",
        "source": FilesSource(type="directory_files", users=Path("users.csv"), assignments=Path("assignments.csv")),
        "target": RepliconTarget.model_validate(
            {"company_key": "acme", "sign_in": {"login_name": "svc", "password": {"env": "REPLICON_PASSWORD"}}}
        ),
        "mapping": "mapping.yaml",
        "guards": Guards(removals=Threshold()),
    }
    return Job(**{**usual, **changes})


@dataclasses.dataclass(frozen=True)
class Identity:
    """The account that provisioning signs in with."""

    uri: str = "urn:user:0"
    login_name: str = "svc.provisioning"


class MemoryTarget:
    """Accounts in memory behind reconcile's port; counts what is asked and can carry a plan out."""

    def __init__(self, accounts: Iterable[Mapping[str, Value]] = ()) -> None:
        self.accounts: dict[str, dict[str, Value]] = {}
        self._numbers = itertools.count(1)
        self.asked: list[str] = []
        self.found: list[str] = []
        self.withheld: frozenset[str] = frozenset()
        for account in accounts:
            self.add(**account)

    def add(self, **values: Value) -> str:
        """Make an account; give its URI."""
        uri = f"urn:user:{next(self._numbers)}"
        usual: dict[str, Value] = {**dict.fromkeys(ATTRIBUTES), "LoginEnabled": "True", "PermissionSets": []}
        self.accounts[uri] = {**usual, **values}
        return uri

    @property
    def schema(self) -> Mapping[str, TargetAttribute]:
        """The real table of attributes."""
        return TARGET_ATTRIBUTES

    def find(self, attribute: str, values: pd.Series) -> pd.DataFrame:
        """Give more than was asked, in another order: the caller has to check."""
        self.found += values.dropna().tolist()
        wanted = {str(value).lower()[:3] for value in values.dropna()}
        hits = [uri for uri, one in self.accounts.items() if str(one[attribute]).lower()[:3] in wanted]
        return self._frame(reversed(hits))

    def read(self, uris: pd.Series) -> pd.DataFrame:
        """Give the accounts that are there and not withheld, backwards."""
        self.asked += uris.tolist()
        return self._frame(uri for uri in reversed(uris.tolist()) if uri in self.accounts and uri not in self.withheld)

    def canonical(self, attribute: str, values: pd.Series) -> pd.Series:
        """Know one group by its URI too."""
        return values.replace("urn:department:sales", "Sales") if attribute == "Department" else values

    def identity(self) -> Identity:
        """Give the account that provisioning signs in with."""
        return Identity()

    def _frame(self, uris: Iterable[str]) -> pd.DataFrame:
        readable = [name for name in ATTRIBUTES if TARGET_ATTRIBUTES[name].readable]
        rows = [
            {"target_uri": uri, "target_name": self.accounts[uri]["LoginName"]}
            | {name: self.accounts[uri][name] for name in readable}
            for uri in uris
        ]
        types = {name: kind for name, kind in _types().items() if name in readable}
        return frame(rows, {**TARGET_COLUMNS, **types})


class World:
    """A target and its ledger: plans are made against it and carried out in memory."""

    def __init__(self, target: MemoryTarget | None = None) -> None:
        self.target = target or MemoryTarget()
        self.links: dict[str, dict[str, Any]] = {}
        self.skips: dict[str, dict[str, Any]] = {}
        self._late: dict[str, str] = {}

    def link(self, source_id: str, uri: str, *, active: bool = True) -> None:
        """Remember a link without a digest, as after an import of links."""
        self.links[source_id] = {
            "source_id": source_id,
            "source_name": f"{source_id}@acme.test",
            "target_uri": uri,
            "target_name": self.target.accounts.get(uri, {}).get("LoginName"),
            "account_digest": None,
            "written": "{}",
            "active": active,
        }

    def plan(self, people: Sequence[Person], *, kind: CycleKind = CycleKind.INCREMENTAL, **changes: Any) -> Plan:
        """Plan a cycle for `people`; `changes` replace arguments of `make_plan`."""
        usual: dict[str, Any] = {
            "accounts": accounts_of(people),
            "matching": MATCHING,
            "links": frame(list(self.links.values()), LINK_COLUMNS),
            "skips": frame(list(self.skips.values()), SKIP_COLUMNS),
            "target": self.target,
            "job": job(),
            "cycle_id": "cycle-1",
            "kind": kind,
            "manifest": manifest(),
            "now": NOW,
        }
        return make_plan(**{**usual, **changes})

    def apply(self, plan: Plan) -> None:
        """Carry out what the plan says GO to, row by row, and remember it as the ledger does.

        A supervisor who is created later in the plan is written in the end.
        """
        changes = dict(iter(plan.changes.groupby("change_id")))
        for row in plan.operations.to_dict("records"):
            if row["decision"] == "skip":
                self.skips[row["source_id"]] = {name: row[name] for name in SKIP_COLUMNS}
            elif row["decision"] == "go":
                self._carry_out(row, changes.get(row["change_id"]))
        for uri, supervisor in self._late.items():
            self.target.accounts[uri]["Supervisor"] = self.links[supervisor]["target_uri"]
        self._late.clear()

    def run(self, people: Sequence[Person], **changes: Any) -> Plan:
        """Plan and carry out."""
        plan = self.plan(people, **changes)
        self.apply(plan)
        return plan

    def _carry_out(self, row: dict[str, Any], changes: pd.DataFrame | None) -> None:
        source_id, uri = row["source_id"], row["target_uri"]
        written = {} if changes is None else {one["attribute"]: self._value(one) for one in changes.to_dict("records")}
        if row["operation"] == "create":
            uri = self.target.add(**written)
        elif row["operation"] == "delete":
            self.target.accounts.pop(uri, None)
            self.links.pop(source_id)
            return
        else:
            self.target.accounts[uri].update(written)
        supervisor = written.get("Supervisor")
        if isinstance(supervisor, str) and supervisor.startswith("source:"):
            self._late[uri] = supervisor.removeprefix("source:")
        known = json.loads(self.links.get(source_id, {}).get("written", "{}"))
        leaving = row["situation"] in {"out_of_scope", "source_disabled"}
        self.links[source_id] = {
            "source_id": source_id,
            "source_name": row["source_name"],
            "target_uri": uri,
            "target_name": self.target.accounts[uri]["LoginName"],
            "account_digest": row["account_digest"] if pd.notna(row["account_digest"]) else None,
            "written": json.dumps({**known, **written}),
            "active": not leaving,
        }

    def _value(self, change: Mapping[str, Any]) -> Value:
        after = _plain(change["after"])
        if after is not None and TARGET_ATTRIBUTES[change["attribute"]].multivalued:
            return list(json.loads(after))
        if after is not None and after.startswith("source:"):
            link = self.links.get(after.removeprefix("source:"))
            return after if link is None else str(link["target_uri"])
        return after


def rows_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """Give the plan's operations by source id."""
    return {row["source_id"]: row for row in plan.operations.to_dict("records")}


def changes_of(plan: Plan, source_id: str) -> dict[str, tuple[Any, Any]]:
    """Give one person's changes: before and after by attribute."""
    change_id = rows_of(plan)[source_id]["change_id"]
    mine = plan.changes[plan.changes["change_id"] == change_id]
    return {one["attribute"]: (_plain(one["before"]), _plain(one["after"])) for one in mine.to_dict("records")}


def _plain(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def _types() -> dict[str, pd.ArrowDtype]:
    return {name: STRINGS if TARGET_ATTRIBUTES[name].multivalued else STRING for name in ATTRIBUTES}


def frame(rows: Sequence[Mapping[str, Any]], types: Mapping[str, pd.ArrowDtype]) -> pd.DataFrame:
    """Give rows as a frame with these columns."""
    return pd.DataFrame({name: pd.array([row[name] for row in rows], dtype=kind) for name, kind in types.items()})

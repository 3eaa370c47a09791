"""A Replicon on loopback, a ledger and a job for load's tests, and plans written row by row. No tests here."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from deployments.sandbox.faults import FaultKind, Faults
from deployments.sandbox.replicon import DiscoveryService, RepliconService
from deployments.sandbox.replicon_catalog import Defaults, GroupKind
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.server import Server
from tasks.connectors.http import RetryPolicy
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import FilesSource, Job, Load, PasswordSignIn, RepliconTarget, SecretReference
from tasks.ledger.ledger import Ledger, utc_now
from tasks.load.apply import apply_plan
from tasks.load.patience import Patience
from tasks.load.prepare import SecondLook
from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    STRING,
    CycleKind,
    Decision,
    Manifest,
    Operation,
    Plan,
    Situation,
    Verdict,
    conform,
    empty_frame,
)

COMPANY = "acme"
ATTRIBUTES = frozenset(
    {"LoginName", "FirstName", "LastName", "EmailAddress", "EmployeeId", "StartDate", "EndDate", "LoginEnabled"}
    | {"Location", "Supervisor", "PermissionSets", "SsoName"}
)
BRISK = Patience(again=(0.01, 0.02, 0.03), throttled=(0.02, 0.05), dead_after=20)
UPSERT = "replicon:ImportService2.CreateUserOrApplyModifications"
READ = "replicon:ImportService1.BulkGetUsers3"
DELETE = "replicon:UserService1.Delete"
MORNING = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
_NUMBERS = itertools.count(1)


@dataclasses.dataclass
class Row:
    """One row of a plan, with the attributes it writes: `before` where given, `after` always."""

    source_id: str
    operation: Operation
    after: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    before: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    target_uri: str | None = None
    situation: Situation | None = None
    decision: Decision = Decision.GO
    waits_for: str | None = None
    error_code: str | None = None
    reason: str | None = None
    digest: str | None = "digest"


_SITUATIONS = {
    Operation.CREATE: Situation.ABSENT,
    Operation.UPDATE: Situation.CONFIRMED,
    Operation.ENABLE: Situation.CONFIRMED,
    Operation.DISABLE: Situation.OUT_OF_SCOPE,
    Operation.DELETE: Situation.SOURCE_DELETED,
    Operation.NONE: Situation.FOUND,
}


def person(name: str, **more: Any) -> dict[str, Any]:
    """Give the attributes of a new account."""
    return {"LoginName": f"{name}@acme.test", "FirstName": name.title(), "LastName": "Example", **more}


def create(name: str, *, supervisor: str | None = None, **more: Any) -> Row:
    """Give the row that creates the account of the person `name`, below `supervisor` if that one is created too."""
    reference = {} if supervisor is None else {"Supervisor": f"source:{supervisor}"}
    return Row(name, Operation.CREATE, person(name, **reference, **more), waits_for=supervisor)


def plan_of(cycle_id: str, *rows: Row, unique: str = "") -> Plan:
    """Give a plan with these rows; `unique` keeps its ids apart from those of other processes."""
    operations, changes = [], []
    for row in rows:
        change_id = f"change-{unique}-{next(_NUMBERS)}"
        operations.append(
            {
                "change_id": change_id,
                "source_id": row.source_id,
                "source_name": f"{row.source_id}@acme.test",
                "target_uri": row.target_uri,
                "target_name": None if row.target_uri is None else f"{row.source_id}@acme.test",
                "situation": row.situation or _SITUATIONS[row.operation],
                "operation": row.operation,
                "decision": row.decision,
                "error_code": row.error_code,
                "reason": row.reason,
                "waits_for": row.waits_for,
                "risks": None,
                "account_digest": row.digest,
            }
        )
        changes += [
            {
                "change_id": change_id,
                "attribute": name,
                "before": _text(row.before.get(name)),
                "after": _text(value),
            }
            for name, value in row.after.items()
        ]
    return Plan(
        plan_id=f"plan-{unique}-{next(_NUMBERS)}",
        job="acme",
        cycle_id=cycle_id,
        kind=CycleKind.INITIAL,
        created_at=MORNING,
        mapping_digest="mapping",
        manifest=Manifest(True, (), 1, 1, 1, 1, 1, MORNING, MORNING, "digest"),
        operations=_frame(operations, OPERATION_COLUMNS),
        changes=_frame(changes, CHANGE_COLUMNS),
        verdict=Verdict(True, ()),
    )


def _text(value: Any) -> str | None:
    return orjson.dumps(value).decode() if isinstance(value, list) else value


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, Any]) -> pd.DataFrame:
    return conform(pd.DataFrame(rows), columns, "test") if rows else empty_frame(columns)


def gone(people: list[str]) -> pd.DataFrame:
    """Be a second look that finds everybody gone for good."""
    return looked(dict.fromkeys(people, (False, "hard_deleted")))


def looked(state: Mapping[str, tuple[bool, str]]) -> pd.DataFrame:
    """Give what a second look sees: active, and presence, by source id."""
    return pd.DataFrame(
        {
            "source_id": pd.array(list(state), dtype=STRING),
            "active": pd.array([active for active, _ in state.values()], dtype="bool[pyarrow]"),
            "presence": pd.array([presence for _, presence in state.values()], dtype=STRING),
        }
    )


@dataclasses.dataclass
class Rig:
    """A running Replicon with an administrator `svc` and a supervisor `boss`, and a ledger with a job `acme`."""

    state: RepliconState
    server: Server
    ledger: Ledger
    job: Job
    target: RepliconUsers
    cycle_id: str

    @property
    def faults(self) -> Faults:
        """The faults that can be switched on."""
        return self.server.faults

    def strike(self, kind: FaultKind, endpoint: str = UPSERT, **parameters: Any) -> None:
        """Switch a fault on."""
        self.faults.add(endpoint, kind, **parameters)

    def apply(
        self,
        *rows: Row,
        second_look: SecondLook | None = gone,
        stop: threading.Event | None = None,
        plan: Plan | None = None,
        patience: Patience = BRISK,
        progress: Callable[..., None] = lambda *_: None,
    ) -> pd.DataFrame:
        """Carry out a plan of these rows, or `plan`; give the outcomes by change id, in the plan's order."""
        whole = plan or plan_of(self.cycle_id, *rows)
        outcomes = apply_plan(
            whole,
            self.target,
            self.ledger,
            self.job,
            second_look=second_look,
            stop=stop,
            patience=patience,
            progress=progress,
        )
        ids = whole.operations["change_id"].tolist()
        found = outcomes.set_index("change_id")
        assert found.index.is_unique
        return found.loc[[*ids, *(other for other in found.index if other not in ids)]]

    def next_cycle(self) -> None:
        """End the cycle and begin another one."""
        self.ledger.end_cycle(self.cycle_id, "completed")
        self.cycle_id = self.ledger.begin_cycle("acme", CycleKind.INCREMENTAL)

    def account(self, name: str) -> dict[str, Any]:
        """Give somebody's account as plain values. Fails when there is none."""
        found = self.state.by_login(f"{name}@acme.test")
        assert found is not None, f"{name} has no account"
        return self.state.describe(found)

    def uri(self, name: str) -> str:
        """Give the URI of somebody's account."""
        found = self.state.by_login(f"{name}@acme.test")
        assert found is not None, f"{name} has no account"
        return found.uri

    def logins(self) -> list[str]:
        """Give the logins of all accounts but the first two, sorted."""
        return sorted(account.login for account in self.state.accounts.values() if account.number > 2)

    def writes(self) -> list[tuple[str, str]]:
        """Give kind and login of every change that Replicon really made."""
        return [(change.kind, change.login) for change in self.state.change_log]

    def add(self, name: str, **more: Any) -> str:
        """Put an account into Replicon from outside; give its URI."""
        user = self.state.catalog.find_permission_set({"name": "User"})
        assert user is not None
        account = Account(
            self.state.new_number(),
            f"{name}@acme.test",
            name.title(),
            "Example",
            permission_sets=(user.number,),
            **more,
        )
        self.server.run(lambda: self.state.put(None, account))
        return account.uri

    def remove(self, uri: str) -> None:
        """Take an account out of Replicon from outside."""
        account = self.state.users[uri]
        self.server.run(lambda: self.state.put(account, None))

    def linked(self, name: str, **more: Any) -> str:
        """Put an account into Replicon and link it; give its URI."""
        uri = self.add(name, **more)
        row = {"source_id": name, "source_name": f"{name}@acme.test", "target_uri": uri, "account_digest": "old"}
        link = {**row, "target_name": f"{name}@acme.test", "written": "{}", "active": True}
        self.ledger.put_bulk("acme", self.cycle_id, [], links_rows=[link])
        return uri

    def link(self, name: str) -> Any:
        """Give somebody's link as a row; null when there is none."""
        found = self.ledger.links("acme", [name])
        return None if found.empty else found.iloc[0]

    def activity(self, name: str) -> Any:
        """Give somebody's only activity."""
        found = self.ledger.activities(source=name)
        assert len(found) == 1, found
        return found.iloc[0]


@contextlib.contextmanager
def replicon(settings: RepliconSettings | None = None, port: int = 0) -> Iterator[tuple[RepliconState, Server]]:
    """Run a Replicon with an administrator and a supervisor."""
    state = RepliconState(settings or RepliconSettings(data_share=0.0))
    service = RepliconService(state, COMPANY)
    server = Server(Faults())
    server.add("replicon", service, port=port)
    server.add("discovery", DiscoveryService(service, lambda: server.url("replicon")))
    catalog = state.catalog
    user = catalog.add_permission_set("User", "user")
    supervisor = catalog.add_permission_set("Supervisor", "supervision")
    administrator = catalog.add_permission_set("System Administrator", "administration")
    catalog.defaults = Defaults(permission_sets=(user.number,))
    catalog.add_group(GroupKind.LOCATION, "London")
    state.put(None, Account(1, "svc", "Service", "Account", permission_sets=(administrator.number,)))
    state.put(None, Account(2, "boss@acme.test", "Bo", "Ss", permission_sets=(supervisor.number,)))
    state.passwords[1] = "secret"
    server.start()
    try:
        yield state, server
    finally:
        server.stop()


def job_of(discovery_url: str, password_file: Path, **load: Any) -> Job:
    """Give a job whose target is the Replicon behind `discovery_url`."""
    password_file.write_text("secret", encoding="utf-8")
    return Job(
        name="acme",
        source=FilesSource(type="directory_files", users=Path("users.csv"), assignments=Path("assignments.csv")),
        target=RepliconTarget(
            company_key=COMPANY,
            sign_in=PasswordSignIn(login_name="svc", password=SecretReference(file=password_file)),
            discovery_url=discovery_url,
        ),
        mapping=Path("mapping.yaml"),
        load=Load(**{"workers": 4, **load}),
    )


def target_of(job: Job) -> RepliconUsers:
    """Give the accounts of the job's Replicon, through a client that hardly waits between attempts."""
    client = RepliconClient(job.target, retries=RetryPolicy(attempts=4), wait=lambda _: None)
    return RepliconUsers(client, ATTRIBUTES)


@contextlib.contextmanager
def running(ledger_url: str, folder: Path, clock: Callable[[], dt.datetime] = utc_now) -> Iterator[Rig]:
    """Run everything, with a cycle that holds the job. `clock` is the ledger's."""
    with replicon() as (state, server), Ledger.open(ledger_url, clock=clock) as ledger:
        job = job_of(server.url("discovery"), folder / "password")
        cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
        yield Rig(state, server, ledger, job, target_of(job), cycle_id)

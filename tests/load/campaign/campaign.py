"""The campaign itself: kill cycles of a company's job at random instants under random faults, then hold it to account.

What Replicon's users must be is worked out by `tests.flows.truth`, which knows nothing of the product. Tests and the
command (`__main__.py`) call `Campaign`. No tests here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pandas as pd

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.sandbox import Sandbox
from tasks.ledger.ledger import Ledger
from tests.flows.actual import differences, keeps, truth_of
from tests.load.campaign.child import BROKEN, DONE, HELD

USERS: Final = 50
KILLS_A_MONTH: Final = 10
"""At most; fewer when a cycle gets everything done before it is killed."""
HOUR, DAY = 3_600.0, 86_400.0
LISTINGS: Final = ("graph:users", "graph:groups/members", "graph:deletedItems")
UPSERT: Final = "replicon:ImportService2.CreateUserOrApplyModifications"
FAULTS: Final[list[tuple[str, FaultKind, dict[str, Any]]]] = [
    ("replicon:*", FaultKind.LATENCY, {"seconds": 0.01, "jitter": 0.01}),
    ("replicon:*", FaultKind.RATE_LIMIT, {"limit": 30, "window": 0.4}),
    ("replicon:*", FaultKind.RATE_LIMIT, {"limit": 20, "window": 0.2, "retry_after": 0, "per_endpoint": True}),
    ("replicon:*", FaultKind.TIMEOUT, {}),
    ("replicon:*", FaultKind.TIMEOUT, {"committed": True}),
    ("replicon:*", FaultKind.INTERNAL, {}),
    ("replicon:*", FaultKind.UNAVAILABLE, {"committed": True}),
    ("replicon:*", FaultKind.ERROR_ON_200, {}),
    ("replicon:*", FaultKind.LOST_RESPONSE, {}),
    ("replicon:*", FaultKind.RESET, {}),
    (UPSERT, FaultKind.LOST_RESPONSE, {}),
    (UPSERT, FaultKind.ERROR_ON_200, {"committed": True}),
    (UPSERT, FaultKind.NOT_APPLIED, {}),
    ("replicon:UserService1.*", FaultKind.NOT_APPLIED, {}),
    (UPSERT, FaultKind.EXPIRED_TOKEN, {"after": 12, "count": 1}),
    ("graph:*", FaultKind.LATENCY, {"seconds": 0.01, "jitter": 0.01}),
    ("graph:*", FaultKind.RATE_LIMIT, {"limit": 4, "window": 0.1, "retry_after": 0}),
    ("graph:*", FaultKind.INTERNAL, {}),
    ("graph:*", FaultKind.UNAVAILABLE, {}),
    ("graph:*", FaultKind.LOST_RESPONSE, {}),
    ("graph:*", FaultKind.EXPIRED_TOKEN, {"count": 1}),
    ("graph:*", FaultKind.DELTA_GONE, {"count": 1}),
    ("graph:*", FaultKind.TRUNCATED_PAGE, {"cut": "body"}),
    ("graph:*", FaultKind.REPEATED_PAGE, {}),
    ("graph:*", FaultKind.REORDERED_PAGE, {}),
    *((listing, FaultKind.TRUNCATED_PAGE, {"cut": "items"}) for listing in LISTINGS),
    *((listing, FaultKind.MISSING_PAGE, {}) for listing in LISTINGS),
]
"""Every kind of fault of the sandbox. Pages that silently lack something strike listings alone: Graph does not count
changes, so that only a second reading stands against those (`tests/extract/test_campaign.py`)."""
ATTRIBUTES: Final = {
    "FirstName": "firstName",
    "LastName": "lastName",
    "EmailAddress": "emailAddress",
    "EmployeeId": "employeeId",
    "LoginName": "loginName",
}
"""Plain attributes by the names that activities and Replicon's own log have for them."""


class Child:
    """The process that runs cycles. Its clock runs ahead, so that nobody waits for leases or for the calendar."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.load.campaign.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._ahead = 0.0

    def start(self, job_file: Path, later: float) -> int:
        """Start a cycle `later` than the one before (seconds); give its process."""
        self._ahead += later
        return int(self._asked(f"run {self._ahead} {job_file}"))

    def ended(self) -> int:
        """Give how the cycle that was started first ended; negative when it was killed."""
        return int(self._asked("wait"))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _asked(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@dataclasses.dataclass
class Tally:
    """What a campaign did: cycles killed by SIGKILL, cycles that ended before the kill, what faults struck."""

    killed: int = 0
    survived: Counter[int] = dataclasses.field(default_factory=Counter)
    """Cycles that ended by themselves, by how (see `child`)."""
    struck: Counter[str] = dataclasses.field(default_factory=Counter)
    months: int = 0
    writes: int = 0
    """Changes that Replicon really made."""

    def add(self, other: Tally) -> None:
        """Add another campaign's."""
        self.killed += other.killed
        self.survived += other.survived
        self.struck += other.struck
        self.months += other.months
        self.writes += other.writes


class Campaign:
    """One seed's company, its Replicon and its job, with the process that runs the job's cycles."""

    def __init__(self, sandbox: Sandbox, child: Child, seed: int, ledger_url: str, folder: Path) -> None:
        self.sandbox = sandbox
        self.tally = Tally()
        self._child = child
        self._chance = random.Random(f"campaign {seed}")
        self._ledger_url = ledger_url
        # Months in which many leave are meant; what the guards do then has tests of its own.
        guards = {"removals": {"count": 1000, "percent": 100}}
        self._job = sandbox.job_file(folder, ledger={"url": ledger_url}, guards=guards, load={"workers": 4})
        self._truth = truth_of(sandbox)

    def month(self, kills: int = KILLS_A_MONTH) -> None:
        """Kill cycles, each under other faults, until `kills` have died or all is done; then converge and check."""
        died = self.tally.killed + kills
        ending: int | None = None
        while self.tally.killed < died and ending != DONE:
            self._strike()
            ending = self._kill_one()
            self._count_faults()
        self.sandbox.faults.clear()
        self._truth.cycle(self.sandbox.tenant, keeps(self.sandbox))
        self.converge()
        self.check()
        self.tally.months += 1
        self.tally.writes = len(self.sandbox.replicon.change_log)
        self.sandbox.month_passes(share=self._chance.choice([0.2, 0.4, 0.6]))

    def two_at_once(self) -> list[int]:
        """Run two cycles that start at the same second; give how they ended."""
        self.sandbox.faults.add("replicon:*", FaultKind.LATENCY, seconds=0.03)
        self._child.start(self._job, HOUR)
        self._child.start(self._job, 0.0)
        endings = [self._child.ended(), self._child.ended()]
        self.sandbox.faults.clear()
        self._truth.cycle(self.sandbox.tenant, keeps(self.sandbox))
        return sorted(endings)

    def converge(self, cycles: int = 10) -> None:
        """Run cycles a day apart until Replicon is what it must be and nothing in flight; a further one writes nothing.

        Raises `AssertionError` when that takes more than `cycles`.
        """
        for _ in range(cycles):
            self._run()
            wrong = [*differences(self._truth, self.sandbox), *self._open()]
            if not wrong:
                break
        assert not wrong, "\n".join(wrong)
        before = self.sandbox.replicon.version
        self._run()
        assert self.sandbox.replicon.version == before, "a cycle changed something although nothing had changed"

    def check(self) -> None:
        """Hold Replicon and the activity log to account; raises `AssertionError` that names what is wrong."""
        state = self.sandbox.replicon
        logins = Counter(account.login.casefold() for account in state.accounts.values())
        assert set(logins.values()) == {1}, [login for login, times in logins.items() if times > 1]
        with Ledger.open(self._ledger_url) as ledger:
            activities = ledger.activities(job="sandbox")
        done = activities[activities["status"].isin(["success", "warning"])]
        told, real = _told(done), _real(self.sandbox)
        only_told, only_done = (told - real) - _kept(done), real - told
        where = done[done["target_uri"].isin([key[0] for key in [*only_told, *only_done]])]
        said = f"told, and not done: {only_told}; done, and not told: {only_done}\n{where.to_json(orient='records')}"
        assert only_told + only_done == Counter(), said

    def _run(self) -> None:
        self._child.start(self._job, DAY)
        ending = self._child.ended()
        assert ending not in {BROKEN, HELD}, ending

    def _open(self) -> list[str]:
        with Ledger.open(self._ledger_url) as ledger:
            return [f"in flight: {request}" for request in ledger.open_requests("sandbox")]

    def _strike(self) -> None:
        self.sandbox.faults.clear()
        for endpoint, kind, parameters in self._chance.sample(FAULTS, 4):
            rare = {} if kind in {FaultKind.RATE_LIMIT, FaultKind.LATENCY} else {"probability": 0.08}
            seed = self._chance.randrange(1_000_000)
            self.sandbox.faults.add(endpoint, kind, seed=seed, **rare, **parameters)

    def _kill_one(self) -> int:
        number = self._child.start(self._job, HOUR)
        self._wait_for_the_instant()
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        ending = self._child.ended()
        assert ending not in {BROKEN, HELD}, ending
        if ending == -signal.SIGKILL:
            self.tally.killed += 1
        else:
            self.tally.survived[ending] += 1
        return ending

    def _wait_for_the_instant(self) -> None:
        """Wait for a while at random, or until the ends have had some more calls, or until none come any more.

        One kill in eight strikes before the cycle asks for anything; a busy machine must not make them all so.
        """
        if self._chance.random() < 0.125:
            time.sleep(self._chance.uniform(0.0, 1.0))
            return
        before = self._calls()
        dies_at, seen, since, silence = before + self._chance.randrange(1, 40), before, time.monotonic(), 30.0
        while seen < dies_at and time.monotonic() - since < silence:
            if (calls := self._calls()) > seen:
                seen, since, silence = calls, time.monotonic(), 4.0
            time.sleep(0.001)
        time.sleep(self._chance.uniform(0.0, 0.008))

    def _calls(self) -> int:
        return sum(self.sandbox.server.requests.values())

    def _count_faults(self) -> None:
        for fault in self.sandbox.faults.describe():
            self.tally.struck[fault["kind"]] += fault["struck"]


@contextlib.contextmanager
def campaigning(child: Child, seed: int, ledger_url: str, folder: Path) -> Iterator[Campaign]:
    """Set the scene for one seed: a company some of whose people have accounts already, and nobody's accounts too."""
    with Sandbox(users=USERS, seed=seed, existing=0.15, orphans=2) as sandbox:
        yield Campaign(sandbox, child, seed, ledger_url, folder)


def _told(done: pd.DataFrame) -> Counter[tuple[str, ...]]:
    """Count what the activity log says was done: accounts made and deleted, logins taken and given, values written."""
    told: Counter[tuple[str, ...]] = Counter()
    for row in done.to_dict("records"):
        uri, operation = row["target_uri"], row["operation"]
        if operation in {"create", "delete", "disable", "enable"} and "gone from Replicon" not in str(row["reason"]):
            told[uri, operation] += 1
        refused = orjson.loads(row["refused"])
        if operation in {"update", "enable"}:
            for change in orjson.loads(row["changes"]):
                name = change["attribute"]
                if name in ATTRIBUTES and name not in refused and change["before"] != change["after"]:
                    told[uri, name, change["after"]] += 1
    return told


def _kept(done: pd.DataFrame) -> Counter[tuple[str, ...]]:
    """Count the deletes that Replicon refused: the disable in their place changes nothing where the login is gone."""
    instead = done["situation"].eq("source_deleted") & done["operation"].eq("disable")
    return Counter((uri, "disable") for uri in done.loc[instead, "target_uri"])


def _real(sandbox: Sandbox) -> Counter[tuple[str, ...]]:
    """Count the same from Replicon's own log of real changes."""
    real: Counter[tuple[str, ...]] = Counter()
    for change in sandbox.replicon.change_log:
        if change.kind != "update":
            real[change.uri, change.kind] += 1
            continue
        changed = change.changes
        if "loginEnabled" in changed:
            real[change.uri, "enable" if changed["loginEnabled"][1] else "disable"] += 1
        for name, key in ATTRIBUTES.items():
            if key in changed:
                real[change.uri, name, changed[key][1]] += 1
    return real

"""A process killed at any instant, any number of times: one account a person, one activity a change, nothing open.

A real child process is killed by SIGKILL at random instants while faults strike at random, then started again. The
short form runs in the suite. PROVISION_LONG=1 makes it long, PROVISION_CRASH_SEEDS (such as 1-40) and
PROVISION_CRASH_KILLS say how long; a failing seed is in the test's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.replicon_state import Account, RepliconState
from deployments.sandbox.server import Server
from tasks.ledger.ledger import Ledger
from tasks.model import CycleKind
from tests.load.crash_child import BROKEN, DONE, HELD, SOME_FAILED
from tests.load.rig import DELETE, READ, UPSERT, person, replicon

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the child process forks")]

LONG = os.environ.get("PROVISION_LONG") == "1"
KILLS = int(os.environ.get("PROVISION_CRASH_KILLS", "12" if LONG else "3"))
_FIRST, _, _LAST = os.environ.get("PROVISION_CRASH_SEEDS", "1-20" if LONG else "1-2").partition("-")
SEEDS = range(int(_FIRST), int(_LAST or _FIRST) + 1)
FAULTS = [
    (UPSERT, FaultKind.LOST_RESPONSE, {}),
    (UPSERT, FaultKind.RESET, {}),
    (UPSERT, FaultKind.TIMEOUT, {"committed": True}),
    (UPSERT, FaultKind.INTERNAL, {}),
    (UPSERT, FaultKind.UNAVAILABLE, {"committed": True}),
    (UPSERT, FaultKind.ERROR_ON_200, {"committed": True}),
    (UPSERT, FaultKind.NOT_APPLIED, {}),
    (DELETE, FaultKind.LOST_RESPONSE, {}),
    (DELETE, FaultKind.NOT_APPLIED, {}),
    (READ, FaultKind.UNAVAILABLE, {}),
]
_DAY = 86_400.0


class Child:
    """The process that runs cycles. Its clock runs ahead, so that nobody waits for leases or for the calendar."""

    def __init__(self, orders: Path) -> None:
        command = [sys.executable, "-m", "tests.load.crash_child", str(orders)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._ahead = 0.0

    def start(self) -> int:
        """Start a cycle a day later than the one before; give its process."""
        self._ahead += _DAY
        return self.start_beside()

    def start_beside(self) -> int:
        """Start a cycle at the same time as the one before."""
        return int(self._asked(f"run {self._ahead}"))

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


def company(chance: random.Random) -> dict[str, Any]:
    """Make up people: new ones in an org chart with a circle, linked ones who change, leave, or are deleted."""
    people: dict[str, Any] = {}
    for number in range(36):
        name = f"new{number:02}"
        supervisor = None if number == 0 else f"new{chance.randrange(number):02}"
        values = person(name, EmployeeId=f"E{number}", PermissionSets=["Supervisor", "User"])
        people[name] = {"fate": "stays", "values": values, "supervisor": supervisor}
    people["new00"]["supervisor"] = "new35"
    for number in range(12):
        name = f"old{number:02}"
        fate = ("stays", "leaves", "deleted")[number % 3]
        values = person(name, LastName=f"Married-{number}", EmployeeId=f"O{number}")
        people[name] = {"fate": fate, "values": values, "supervisor": "new01" if fate == "stays" else None}
    for name, wanted in people.items():
        wanted["digest"] = f"digest of {name}"
    return people


def furnish(people: dict[str, Any], state: RepliconState, server: Server, ledger_url: str) -> None:
    """Put the linked people's accounts into Replicon and their links into the ledger."""
    links = []
    for number, name in enumerate(name for name in people if name.startswith("old")):
        account = Account(state.new_number(), f"{name}@acme.test", "Old", "Example", has_data=number % 2 == 0)
        server.run(lambda account=account: state.put(None, account))  # type: ignore[misc]
        row = {"source_id": name, "source_name": name, "target_uri": account.uri, "target_name": account.login}
        links.append({**row, "account_digest": "before", "written": "{}", "active": True})
    with Ledger.open(ledger_url) as ledger:
        cycle_id = ledger.begin_cycle("acme", CycleKind.INITIAL)
        ledger.put_bulk("acme", cycle_id, [], links_rows=links)
        ledger.end_cycle(cycle_id, "completed")


@contextlib.contextmanager
def stage(seed: int, ledger_url: str, folder: Path) -> Iterator[tuple[dict[str, Any], RepliconState, Server, Child]]:
    """Set the scene: people, a Replicon, a ledger, and the process that brings them together."""
    with replicon() as (state, server):
        people = company(random.Random(seed))
        furnish(people, state, server, ledger_url)
        orders = folder / "orders.json"
        described = {
            "discovery_url": server.url("discovery"),
            "ledger_url": ledger_url,
            "password_file": str(folder / "password"),
            "people": people,
            "workers": 4,
        }
        orders.write_text(json.dumps(described), encoding="utf-8")
        child = Child(orders)
        try:
            yield people, state, server, child
        finally:
            child.close()


def converge(child: Child, cycles: int = 12) -> None:
    """Run cycles until one has nothing left to do."""
    for _ in range(cycles):
        child.start()
        if child.ended() == DONE:
            return
    pytest.fail(f"after {cycles} cycles without a fault there was still something to do")


def check(people: dict[str, Any], state: RepliconState, ledger_url: str) -> None:
    """Compare Replicon with the people, and the activities with what Replicon really changed."""
    accounts = {account.login: account for account in state.accounts.values() if account.number > 2}
    logins = [account.login for account in state.accounts.values()]
    assert len(logins) == len({login.casefold() for login in logins})
    for name, wanted in people.items():
        account = accounts.pop(f"{name}@acme.test", None)
        if wanted["fate"] == "stays":
            assert account is not None, name
            seen, values = state.describe(account), wanted["values"]
            assert (seen["lastName"], seen["employeeId"]) == (values["LastName"], values["EmployeeId"])
            boss = state.by_login(f"{wanted['supervisor']}@acme.test")
            assert seen["supervisor"] == (boss and boss.uri), name
            assert seen["loginEnabled"] is True
        elif wanted["fate"] == "leaves" or (account is not None and account.has_data):
            assert account is not None, name
            assert account.enabled is False, name
        else:
            assert account is None, name
    assert accounts == {}
    created = Counter(change.login for change in state.change_log if change.kind == "create")
    assert set(created.values()) == {1}
    with Ledger.open(ledger_url) as ledger:
        assert ledger.open_requests("acme") == []
        assert ledger.escrow("acme").empty
        links = ledger.links("acme").set_index("source_id")["target_uri"].to_dict()
        activities = ledger.activities(job="acme")
    uris = {account.login: account.uri for account in state.accounts.values()}
    assert links == {
        name: uris[f"{name}@acme.test"] for name, wanted in people.items() if wanted["fate"] in {"stays", "leaves"}
    }
    made = activities[activities["operation"].eq("create") & activities["status"].isin(["success", "warning"])]
    assert sorted(made["source_id"]) == sorted(name for name in people if name.startswith("new"))


def strike(server: Server, chance: random.Random) -> None:
    """Switch some faults on, at random."""
    server.faults.clear()
    for endpoint, kind, parameters in chance.sample(FAULTS, 4):
        server.faults.add(endpoint, kind, probability=0.08, seed=chance.randrange(1_000_000), **parameters)


def wait_for_the_instant(state: RepliconState, chance: random.Random) -> None:
    """Wait until Replicon has had some more calls, at random, and a little longer; give up when none come any more."""
    dies_at = sum(state.calls.values()) + chance.randrange(90)
    seen, since = -1, time.monotonic()
    while seen < dies_at and time.monotonic() - since < 1.5:
        calls = sum(state.calls.values())
        if calls > seen:
            seen, since = calls, time.monotonic()
        time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 0.006))


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_instant_it_ends_as_if_nothing_had_happened(seed: int, ledger_url: str, tmp_path: Path) -> None:
    chance = random.Random(1000 + seed)
    with stage(seed, ledger_url, tmp_path) as (people, state, server, child):
        server.faults.add("replicon:*", FaultKind.LATENCY, seconds=0.004, jitter=0.003, seed=seed)
        for _ in range(KILLS):
            strike(server, chance)
            number = child.start()
            wait_for_the_instant(state, chance)
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            assert child.ended() in {-signal.SIGKILL, DONE, SOME_FAILED}
        server.faults.clear()
        converge(child)
        check(people, state, ledger_url)


def test_of_two_cycles_started_at_the_same_second_one_says_that_the_other_runs(ledger_url: str, tmp_path: Path) -> None:
    with stage(1, ledger_url, tmp_path) as (people, state, server, child):
        server.faults.add("replicon:*", FaultKind.LATENCY, seconds=0.02)
        child.start()
        child.start_beside()
        endings = sorted([child.ended(), child.ended()])
        assert endings in ([DONE, HELD], [SOME_FAILED, HELD])
        assert BROKEN not in endings
        server.faults.clear()
        converge(child)
        check(people, state, ledger_url)

"""Permits for threads, and budgets shared through a ledger."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from deployments.sandbox.faults import FaultKind
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.ledger.ledger import Ledger
from tasks.load.budget import Budget
from tasks.load.pace import Alone, Pace, open_pace
from tasks.load.patience import Stop
from tests.load.rig import ATTRIBUTES, UPSERT, Rig, create

WRITE = "Service.Write"


def waits(pace: Pace, stop: Stop, ask: str = "turn") -> list[bool]:
    """Have another thread wait for a permit; give what it got once the order to stop has come."""
    given: list[bool] = []
    other = threading.Thread(target=lambda: given.append(getattr(pace, ask)(WRITE)))
    other.start()
    stop.order("enough")
    other.join(30)
    return given


def capped(cap: int | None) -> tuple[Pace, Stop]:
    """Give a pace of its own, and what stops it."""
    pace, stop = Pace(Alone(), cap), Stop()
    pace.obey(stop)
    return pace, stop


def test_a_cap_is_held_until_the_order_to_stop() -> None:
    pace, stop = capped(3)
    assert [pace.enter(WRITE) for _ in range(3)] == [True] * 3
    assert waits(pace, stop) == [False]


def test_without_a_cap_nobody_waits() -> None:
    pace, _ = capped(None)
    for _ in range(1000):
        assert pace.enter(WRITE)
        pace.leave(WRITE)


def test_a_refusal_holds_everybody_until_the_order_to_stop() -> None:
    pace, stop = capped(None)
    assert pace.enter(WRITE)
    pace.leave(WRITE, refused=True, retry_after=3600.0)
    assert waits(pace, stop) == [False]


def test_a_read_under_way_does_not_wait_after_the_order_to_stop() -> None:
    pace, stop = capped(1)
    assert pace.enter(WRITE)
    assert waits(pace, stop, "enter") == [False]


def test_a_permit_taken_ahead_is_used_by_the_request_that_follows() -> None:
    pace, stop = capped(2)
    assert pace.turn(WRITE)
    assert pace.enter(WRITE)
    assert pace.turn(WRITE)
    assert pace.enter(WRITE)
    assert waits(pace, stop) == [False]


def test_threads_take_no_more_than_the_cap() -> None:
    pace, stop = capped(100)
    with ThreadPoolExecutor(16) as pool:
        tries = [pool.submit(pace.enter, WRITE) for _ in range(150)]
        while sum(each.done() for each in tries) < 100:
            stop.during(0.01)
        stop.order("enough")
        given = [each.result(60) for each in tries]
    assert given.count(True) == 100


def timed(pace: Pace) -> tuple[bool, float]:
    """Ask for a permit; give whether there was one, and when."""
    return pace.enter(WRITE), time.monotonic()


def test_two_processes_share_a_cap_through_the_ledger(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        stop = Stop()
        paces = [Pace(partial(ledger.exchange_budget, "tenant"), 20) for ledger in (one, other)]
        for pace in paces:
            pace.obey(stop)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            tries = [pool.submit(timed, paces[number % 2]) for number in range(40)]
            # A process may keep a few permits to itself: the last of twenty then come when the minute is over.
            while sum(each.done() for each in tries) < 20 and time.monotonic() - began < 15:
                stop.during(0.01)
            stop.order("enough")
            given = [each.result(60) for each in tries]
    within = [at for allowed, at in given if allowed and at - began < 60]
    assert 10 <= len(within) <= 20


def test_what_was_learned_is_there_for_the_next_process(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        pace = Pace(partial(ledger.exchange_budget, "tenant"), pauses=(0.01,))
        for _ in range(50):
            assert pace.enter(WRITE)
            pace.leave(WRITE)
        assert pace.enter(WRITE)
        pace.leave(WRITE, refused=True)
        # Asking again is what judges the refusal.
        assert pace.enter(WRITE)
        pace.leave(WRITE)
        pace.flush()
    with Ledger.open(ledger_url) as ledger:
        text = ledger.exchange_budget("tenant", lambda state: (state or "", state))
        other = ledger.exchange_budget("another tenant", lambda state: (state or "", state))
    assert [(name, limit) for name, _, limit in Budget.read(text, (0.01,)).limits()] == [(WRITE, 50)]
    assert other is None


def test_reads_count_in_the_cap_like_writes(rig: Rig) -> None:
    rig.job = rig.job.model_copy(update={"load": rig.job.load.model_copy(update={"requests_per_minute": 10_000})})
    rig.apply(*(create(f"p{number}") for number in range(5)))
    kept = rig.ledger.exchange_budget(
        f"{rig.job.target.discovery_url}/acme", lambda state: (state or "", Budget.read(state, (1.0,)))
    )
    sent = {name: count for name, count in rig.server.requests.items() if name.startswith("replicon:")}
    counted = {name: sum(count for _, count in meter.calls.kept()) for name, meter in kept.meters.items()}
    assert {f"replicon:{name}": count for name, count in counted.items() if count} == sent


def test_a_read_waits_for_the_limit_instead_of_failing(rig: Rig) -> None:
    client = RepliconClient(rig.job.target, pace=open_pace(rig.ledger, rig.job), wait=lambda _: None)
    rig.strike(FaultKind.RATE_LIMIT, endpoint="replicon:UserAccessControlService1.*", limit=0, count=6, retry_after=0)
    assert client.call("UserAccessControlService1", "GetMyIdentity", {})


def test_no_refusal_for_the_limit_fails_anybody_and_the_target_keeps_its_pace(rig: Rig) -> None:
    rig.strike(FaultKind.RATE_LIMIT, endpoint=UPSERT, limit=20, window=1.0)
    client = RepliconClient(rig.job.target, pace=open_pace(rig.ledger, rig.job))
    rig.target = RepliconUsers(client, ATTRIBUTES)
    outcomes = rig.apply(*(create(f"p{number:02}") for number in range(60)))
    assert set(outcomes["status"]) == {"success"}


def test_jobs_on_one_tenant_share_its_budget(rig: Rig) -> None:
    paces = [open_pace(rig.ledger, rig.job.model_copy(update={"name": name})) for name in ("one", "two")]
    for pace in paces:
        assert pace.enter(WRITE)
        pace.leave(WRITE)
        pace.flush()
    kept = rig.ledger.exchange_budget(
        f"{rig.job.target.discovery_url}/acme", lambda state: (state or "", Budget.read(state, (1.0,)))
    )
    assert sum(count for _, count in kept.meters[WRITE].calls.kept()) == 2

"""The budget of calls against targets with rolling limits, in simulated time."""

from __future__ import annotations

import dataclasses

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tasks.load.budget import Budget
from tests.load.simulation import EPOCH, PAUSES, Caller, Server, World, busiest


def refused_share(server: Server) -> float:
    """Give which share of all calls was refused."""
    return len(server.refused) / (len(server.refused) + len(server.let_through))


def limits(world: World) -> set[tuple[str, float, int]]:
    """Give the limits that were found."""
    return set(Budget.read(world.text, PAUSES).limits())


@pytest.mark.parametrize("retry_after", [None, 1.0, 60.0])
@pytest.mark.parametrize(("limit", "calls"), [(1000, 5000), (6000, 18_000)])
def test_an_unknown_limit_is_found_and_held(limit: int, calls: int, retry_after: float | None) -> None:
    server = Server(lambda _: limit, retry_after=retry_after)
    world = World(server, Caller("a", calls, lanes=32))
    assert world.run() <= 1.10 * 60 * calls / limit
    assert refused_share(server) < 0.01
    assert limits(world) == {("write", 60.0, limit)}


def test_a_limit_that_is_remembered_costs_no_refusal_but_those_of_looking_for_more() -> None:
    first = World(Server(lambda _: 1000), Caller("a", 2000))
    first.run()
    server = Server(lambda _: 1000)
    later = World(server, Caller("b", 4000, begins=7200.0), text=first.text)
    assert later.run() <= 7200 + 1.10 * 4 * 60
    assert refused_share(server) < 0.005


@pytest.mark.parametrize(("limit", "window"), [(50, 1.0), (200, 10.0)])
def test_the_length_of_the_window_is_found(limit: int, window: float) -> None:
    server = Server(lambda _: limit, window=window)
    world = World(server, Caller("a", 5000))
    assert world.run() <= 1.15 * window * 5000 / limit
    assert limits(world) == {("write", window, limit)}


def test_a_limit_by_the_hour_is_found() -> None:
    server = Server(lambda _: 2000, window=3600.0)
    world = World(server, Caller("a", 5000))
    assert world.run() <= 1.10 * 2.5 * 3600
    assert limits(world) == {("write", 3600.0, 2000)}
    assert refused_share(server) < 0.01


def test_a_limit_that_falls_is_followed() -> None:
    server = Server(lambda now: 1000 if now < EPOCH + 150 else 500)
    world = World(server, Caller("a", 5000))
    world.run(longest=420.0)
    assert limits(world) == {("write", 60.0, 500)}
    assert refused_share(server) < 0.02


def test_a_limit_that_rises_is_followed() -> None:
    server = Server(lambda now: 500 if now < EPOCH + 150 else 2000)
    world = World(server, Caller("a", 8000))
    # Three minutes of 500 and then at best three of 2,000; the search for it may take one or two more.
    world.run(longest=480.0)
    assert limits(world) == {("write", 60.0, 2000)}
    assert refused_share(server) < 0.01


def test_a_limit_for_each_operation_is_found_for_each() -> None:
    server = Server(lambda _: 500, separate=True)
    world = World(server, Caller("a", 3000, operations=("write", "read")))
    assert world.run() <= 1.10 * 3 * 60
    assert limits(world) == {("write", 60.0, 500), ("read", 60.0, 500)}


def test_several_processes_share_one_limit() -> None:
    server = Server(lambda _: 1000)
    callers = [Caller(f"process {number}", 1500, begins=7.0 * number) for number in range(4)]
    assert World(server, *callers).run() <= 1.10 * 60 * 6000 / 1000
    assert refused_share(server) < 0.01


def test_a_process_that_dies_with_permits_does_not_keep_them_from_others() -> None:
    dead = World(Server(lambda _: None), Caller("dead", 100, cap=100))
    with pytest.raises(AssertionError):
        dead.run(longest=0.2)
    server = Server(lambda _: None)
    World(server, Caller("alive", 200, begins=1.0, cap=100), text=dead.text).run(longest=300.0)
    assert len(server.let_through) == 200


def test_random_refusals_do_not_become_limits_for_long() -> None:
    server = Spotty(lambda _: None)
    World(server, Caller("a", 3000)).run(longest=300.0)
    assert len(server.let_through) == 3000


@dataclasses.dataclass
class Spotty(Server):
    """A target without a limit that refuses every 200th call all the same."""

    count: int = 0

    def call(self, operation: str, now: float) -> bool:
        """Tell whether a call is let through."""
        self.count += 1
        if self.count % 200 == 0:
            self.refused.append(now)
            return False
        return super().call(operation, now)


@settings(deadline=None, max_examples=40)
@given(
    cap=st.integers(1, 400),
    lanes=st.lists(st.integers(1, 32), min_size=1, max_size=3),
    latency=st.floats(0.001, 3.0),
    operations=st.sampled_from([("write",), ("write", "read")]),
    rounds=st.floats(0.5, 3.0),
)
def test_a_cap_holds_in_every_rolling_minute_and_is_used_up(
    cap: int, lanes: list[int], latency: float, operations: tuple[str, ...], rounds: float
) -> None:
    calls = max(1, round(cap * rounds / len(lanes)))
    callers = [
        Caller(f"process {number}", calls, count, latency, operations, begins=0.3 * number, cap=cap)
        for number, count in enumerate(lanes)
    ]
    server = Server(lambda _: None)
    world = World(server, *callers)
    took = world.run()
    assert busiest(world.starts, 60.0) <= cap
    assert busiest(server.let_through, 60.0) <= cap
    alone = calls * latency / min(lanes)
    assert took <= 1.10 * 60 * len(server.let_through) / cap + 2 * alone + 10 * latency + 60.0


@settings(deadline=None, max_examples=30)
@given(limit=st.integers(20, 600), lanes=st.integers(1, 32), latency=st.floats(0.01, 1.0))
def test_any_limit_is_found_and_held(limit: int, lanes: int, latency: float) -> None:
    calls = 5 * limit
    server = Server(lambda _: limit)
    took = World(server, Caller("a", calls, lanes, latency)).run()
    assert took <= 1.10 * max(60 * calls / limit, calls * latency / lanes) + 90.0
    assert len(server.refused) <= lanes + 40
    assert len(server.let_through) == calls

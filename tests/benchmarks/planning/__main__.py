"""Measure planning: python -m tests.benchmarks.planning [--people 1000000]. The result goes to the standard output."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.model import CycleKind, Plan
from tasks.reconcile.plan import make_plan
from tests.benchmarks.planning.company import ATTRIBUTES, Company, FrameTarget, company
from tests.reconcile.world import MATCHING, NOW, SKIP_COLUMNS, frame, job, manifest


def plan_of(given: Company) -> Plan:
    """Plan an initial cycle, which compares everybody."""
    return make_plan(
        given.accounts,
        MATCHING,
        given.links,
        frame([], SKIP_COLUMNS),
        FrameTarget(given.present),
        job(),
        cycle_id="cycle-1",
        kind=CycleKind.INITIAL,
        manifest=manifest(),
        now=NOW,
    )


def planned(given: Company) -> int:
    """Plan, and give how many are written."""
    return int(plan_of(given).writes.sum())


def settled(given: Company) -> Company:
    """Give the company as after an earlier cycle: everybody's digest is remembered with their link."""
    digests = plan_of(given).operations.set_index("source_id")["account_digest"]
    known = digests.reindex(given.links["source_id"]).reset_index(drop=True)
    return dataclasses.replace(given, links=given.links.assign(account_digest=known))


def by_hand(given: Company) -> int:
    """Merge people, links and accounts in pandas and compare the same columns; give how many differ."""
    wanted = given.accounts.values.assign(source_id=given.accounts.people["source_id"])
    whole = wanted.merge(given.links[["source_id", "target_uri"]], on="source_id").merge(
        given.present, on="target_uri", suffixes=("", "_present")
    )
    differs = np.zeros(len(whole), bool)
    for name in ATTRIBUTES:
        differs |= whole[name].ne(whole[f"{name}_present"]).fillna(value=True).to_numpy(dtype=bool)
    return int(differs.sum())


def seconds(work: Callable[[Company], int], given: Company) -> tuple[float, float]:
    """Give how long `work` takes by the clock, and of the processor; it has to find exactly those who differ."""
    gc.collect()
    began = time.perf_counter(), time.process_time()
    found = work(given)
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    assert found == given.differing, (found, given.differing)
    return took


def peak_gib() -> float:
    """Give the most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measure(people: int, rounds: int) -> dict[str, Any]:
    """Measure planning and the bare comparison in turn; give medians, and the peak after planning.

    `times` compares seconds of the processor, all threads counted: on a machine that is shared, those of the clock
    tell how busy the others are. `clock_times` compares those of the clock.
    """
    given = settled(company(people, 0.001))
    plans, bare, peak = [], [], 0.0
    for turn in range(rounds):
        plans.append(seconds(planned, given))
        peak = peak if turn else peak_gib()
        bare.append(seconds(by_hand, given))
    clock, processor = ([statistics.median(one[kind] for one in turns) for turns in (plans, bare)] for kind in (0, 1))
    return {
        "people": people,
        "plan_s": processor[0],
        "bare_s": processor[1],
        "times": processor[0] / processor[1],
        "clock_plan_s": clock[0],
        "clock_bare_s": clock[1],
        "clock_times": clock[0] / clock[1],
        "peak_gib": peak,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for name, value in measure(arguments.people, arguments.rounds).items():
        print(f"{name:>12} {value:,.2f}" if isinstance(value, float) else f"{name:>12} {value:,}")

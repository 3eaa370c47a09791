"""`python -m tests.benchmarks.cluster [--people N]`: measures, prints, and writes README.md beside this file."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
from distributed import Client

from tests.benchmarks.cluster.measure import assignments, in_one_piece, in_parts
from tests.flows.cluster import DaskCluster

README = Path(__file__).with_name("README.md")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, pyarrow {pa.__version__}, pandas {pd.__version__}"
    )


def _report(people: int, size: int, rounds: int, best: dict[int, tuple[float, float]], whole: float) -> str:
    lines = "\n".join(f"| {workers} | {took:.2f} s | {around:.2f} s |" for workers, (took, around) in best.items())
    ratio = best[1][0] / best[2][0]
    return f"""# What more workers give

`python -m tests.benchmarks.cluster --people {people} --per-part {size}` wrote this.

{people:,} people go through the default mapping in parts of {size:,}, on Dask workers of one thread each: handed out as
paths, evaluated, written. One and two workers take turns, {rounds} times; the best time of each counts. *around*:
cutting the frame into files and putting the results together, which the cycle's own process does.

| workers | evaluated in | around |
| --- | --- | --- |
{lines}

Two workers evaluated {ratio:.2f} times as fast as one. In one piece and without files, the cycle's own process needs
{whole:.2f} s: a mapping is worth a cluster only when its expressions take far longer than passing people as files.

Machine: {_machine()}. {os.getloadavg()[0]:.0f} processes wanted
a core while it ran, these included; with fewer free cores than workers, a second worker has little to run on.
"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster", description=__doc__)
    parser.add_argument("--people", type=int, default=400_000)
    parser.add_argument("--per-part", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--print-only", action="store_true", help="leave README.md as it is")
    given = parser.parse_args()
    frame = assignments(given.people)
    best: dict[int, tuple[float, float]] = {}
    whole = min(in_one_piece(frame)[0] for _ in range(given.rounds))
    with (
        tempfile.TemporaryDirectory() as home,
        DaskCluster(Path(home), workers=2) as cluster,
        Client(cluster.address, set_as_default=False) as client,
    ):
        everybody = list(client.scheduler_info()["workers"])
        for _ in range(given.rounds):
            for count in (1, 2):
                took, around, _ = in_parts(client, frame, given.per_part, Path(home), everybody[:count])
                best[count] = min(best.get(count, (took, around)), (took, around))
    report = _report(given.people, given.per_part, given.rounds, best, whole)
    print(report)
    if not given.print_only:
        README.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

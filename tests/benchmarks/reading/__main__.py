"""`python -m tests.benchmarks.reading [--people N]`: measures, prints, and writes README.md beside this file.

The directories are served by processes of their own; the whole read too runs in one, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa

from tests.benchmarks.mapping.__main__ import peak_bytes
from tests.benchmarks.reading.measure import ATTRIBUTES, Reader
from tests.benchmarks.reading.served import ASSIGNMENTS, Served

README = Path(__file__).with_name("README.md")
CHANGES = 100
ROUNDS = 9


def main() -> None:
    """Measure and write the README."""
    options = _parser().parse_args()
    if options.whole:
        _read_whole(*options.whole)
        return
    text = _measured(options.small, options.people)
    print(text)
    README.write_text(text, encoding="utf-8")


def _read_whole(where: str, folder: str) -> None:
    """Read everybody, remember it, and print what that took."""
    reader = Reader(json.loads(where), Path(folder))
    extraction, seconds = reader.everything()
    peak = peak_bytes()
    remembering = reader.remember(extraction)
    told = {"seconds": seconds, "peak": peak, "remembering": remembering, "peak_remembering": peak_bytes()}
    print(json.dumps({**told, "rows": len(extraction.assignments), "pages": extraction.manifest.pages}))


def _measured(small: int, large: int) -> str:
    with Served(small) as few, Served(large) as many, tempfile.TemporaryDirectory() as scratch:
        served = {small: few, large: many}
        readers, whole = {}, {}
        for size, directory in served.items():
            folder = Path(scratch) / str(size)
            folder.mkdir()
            command = [sys.executable, "-m", "tests.benchmarks.reading", "--whole", json.dumps(directory.where)]
            done = subprocess.run([*command, str(folder)], check=True, capture_output=True, text=True)
            whole[size] = json.loads(done.stdout)
            readers[size] = Reader(directory.where, folder)
        reading: dict[int, list[float]] = {size: [] for size in served}
        remembering: dict[int, list[float]] = {size: [] for size in served}
        # Taking turns, so that whatever else the machine does strikes both alike.
        for number in range(ROUNDS + 1):
            for size, directory in served.items():
                directory.change(CHANGES)
                extraction, seconds = readers[size].changes()
                assert not extraction.whole
                took = readers[size].remember(extraction)
                if number:
                    reading[size].append(seconds)
                    remembering[size].append(took)
    times = {size: statistics.median(values) for size, values in reading.items()}
    kept = {size: statistics.median(values) for size, values in remembering.items()}
    spread = {size: f"{min(values):.2f} to {max(values):.2f} s" for size, values in reading.items()}
    rows = "\n".join(f"| {size:,} | {times[size]:.2f} s | {spread[size]} | {kept[size]:.2f} s |" for size in served)
    big = whole[large]
    return f"""# What reading the directory costs

`python -m tests.benchmarks.reading --people {large}` wrote this.

**{CHANGES} changes**, in the mix in which months bring them, read by change tracking from a directory of so many
people, {ROUNDS} times in turns; the median, the range, and what writing to the ledger what is remembered took.

| people | reading changes | range | remembering |
| --- | --- | --- | --- |
{rows}

Reading takes {times[large] / times[small]:.2f} times as long in the larger directory; the target is at most 1.2. In a
round change tracking tells of the {CHANGES} people, and of the {CHANGES} of the round before once more. Both
directories have about {ASSIGNMENTS} assignments made to people directly: Graph lists assignments whole, a request for
999 of them, so that they are a cost of their own.

**Everybody**: {big["rows"]:,} people of {large:,} are entitled, each read with {len(ATTRIBUTES)} attributes, in
{big["pages"]:,} pages and {big["seconds"]:.0f} s ({large / big["seconds"]:,.0f} people a second, the sandbox on the
same machine). Peak memory of the reading process: {big["peak"] / 2**30:.2f} GiB; the target is less than 1.5 GiB.
Remembering it took {big["remembering"]:.0f} s more, with a peak of {big["peak_remembering"] / 2**30:.2f} GiB.

Machine: {_machine()}.
"""


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}, pyarrow {pa.__version__}, pandas {pd.__version__}; shared with other work"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.reading", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="people in the larger directory")
    parser.add_argument("--small", type=int, default=10_000, help="people in the smaller directory")
    parser.add_argument("--whole", nargs=2, metavar=("WHERE", "FOLDER"), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()

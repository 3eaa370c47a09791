"""`python -m tests.benchmarks.mapping [--rows N]`: measures, prints, and writes README.md beside this file.

Memory is measured in a process of its own for each mapping, so that no earlier peak hides it.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa

from tests.benchmarks.mapping.measure import CONTENDERS, Times, by_engine, columns_of, compiled, disagreements, timed
from tests.benchmarks.mapping.people import people

README = Path(__file__).with_name("README.md")
TARGETS = """default mapping at most 2.5 times the hand-written code and at least 50 times faster than row by row;
peak memory at most 3 times the frame's own size"""


def peak_bytes() -> int:
    """Give the most memory that this process has held. Linux passes the parent's peak on in getrusage, hence /proc."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _measure_memory(name: str, file: str) -> None:
    """Print, for a frame in an Arrow file, its size and the peak while the engine works on it, both in bytes."""
    with pa.ipc.open_file(pa.OSFile(file)) as reader:
        table = reader.read_all()
    columns = {column: table[column].chunk(0) for column in table.column_names}
    size, rows = table.nbytes, table.num_rows
    del table
    expressions = compiled(CONTENDERS[name])
    before = peak_bytes()
    results = by_engine(expressions, columns, rows)
    print(size, size + peak_bytes() - before, len(results))


def _memory(name: str, frame: pd.DataFrame) -> tuple[int, int]:
    """Give the frame's size and the peak with it, in bytes, from a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "people.arrow")
        table = pa.table(columns_of(frame))
        with pa.OSFile(file, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        command = [sys.executable, "-m", "tests.benchmarks.mapping", "--memory-of", name, "--file", file]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    size, peak, _ = map(int, printed.split())
    return size, peak


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, pyarrow {pa.__version__}, pandas {pd.__version__}"
    )


def _line(name: str, times: Times, size: int, peak: int) -> str:
    return (
        f"| {name} | {times.engine:.2f} s | {times.by_hand:.2f} s | {times.over_hand:.2f} | {times.row_by_row:.0f} s "
        f"| {times.faster_than_rows:.0f} | {size / 2**20:.0f} MiB | {peak / size:.2f} |"
    )


def _report(rows: int, lines: list[str]) -> str:
    return f"""# What a mapping costs

`python -m tests.benchmarks.mapping --rows {rows}` wrote this.

{rows:,} people with 19 source attributes. *engine*: the expressions as an administrator writes them. *by hand*: the
same results in Arrow code written for these attributes alone. *row by row*: the plain evaluator of the tests, on a
sample of 10,000 people, extrapolated. Times are CPU seconds, the best of five runs. *peak*: the most memory held while
the engine works, in frame sizes: the frame itself is 1, the rest is results and what lies between. All three ways gave
the same values.

| mapping | engine | by hand | engine / by hand | row by row | times faster | frame | peak / frame |
| --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(lines)}

Targets: {TARGETS}.

Machine: {_machine()}. The engine uses one thread.
"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mapping", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="people to measure with (1,000,000)")
    parser.add_argument("--print-only", action="store_true", help="leave README.md as it is")
    parser.add_argument("--memory-of", choices=sorted(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        _measure_memory(given.memory_of, given.file)
        return
    frame = people(given.rows)
    lines = []
    for name, contender in CONTENDERS.items():
        wrong = disagreements(contender, frame, sample=1_000)
        if wrong:
            sys.exit(f"{name}: the three ways do not agree on {', '.join(wrong)}")
        times = timed(contender, frame, sample=10_000)
        lines.append(_line(name, times, *_memory(name, frame)))
    report = _report(given.rows, lines)
    print(report)
    if not given.print_only:
        README.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

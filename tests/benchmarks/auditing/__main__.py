"""Measures what the record costs: sealing activities, verifying them, writing them to files, pruning them.

Run `python -m tests.benchmarks.auditing [ACTIVITIES]`. Everything is measured in one run and told against what
recording the same activities costs, seals included.
"""

from __future__ import annotations

import datetime as dt
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.job import ReportFormat
from tasks.ledger.chain import record_of, seal
from tasks.ledger.ledger import Ledger
from tasks.model import CycleKind
from tasks.report.files import write_activities
from tasks.report.summaries import Systems

PART = 2_000
START = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
CHANGES = (
    '[{"attribute":"LoginName","before":null,"after":"ada.lovelace@acme.test"},{"attribute":"FirstName","before":null,'
    '"after":"Ada"},{"attribute":"Department","before":null,"after":"Research & Development"},'
    '{"attribute":"Supervisor","before":null,"after":"urn:replicon-tenant:acme:user:42"}]'
)


def activities(count: int) -> Iterator[list[dict[str, Any]]]:
    """Give made-up activities, some thousands at a time."""
    for start in range(0, count, PART):
        yield [_activity(number) for number in range(start, min(start + PART, count))]


def _activity(number: int) -> dict[str, Any]:
    return {
        "change_id": f"{number:032x}",
        "source_id": f"00000000-0000-0000-0000-{number:012x}",
        "source_name": f"ada.lovelace.{number}@acme.test",
        "target_uri": f"urn:replicon-tenant:acme:user:{number}",
        "target_name": f"ada.lovelace.{number}@acme.test",
        "situation": "absent",
        "operation": "create",
        "decision": "go",
        "status": "success",
        "error_code": None,
        "reason": "Assigned and active, and no Replicon account matches.",
        "remedy": None,
        "changes": CHANGES,
        "refused": "[]",
        "attempts": 1,
        "started_at": START + dt.timedelta(milliseconds=number),
        "duration_ms": 120,
    }


def seconds(work: Callable[[], Any]) -> float:
    """Give how much of the processor `work` takes, so that other work on the machine does not count."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main(count: int) -> None:
    """Measure and print."""
    systems = Systems("tenant", "application", "", "", "acme")
    with tempfile.TemporaryDirectory() as name, Ledger.open(f"sqlite:///{Path(name) / 'ledger.db'}") as ledger:
        folder = Path(name)
        cycle = ledger.begin_cycle("acme", CycleKind.INITIAL)
        parts = list(activities(count))

        def record() -> None:
            for part in parts:
                ledger.put_bulk("acme", cycle, part)

        recording = seconds(record)
        ledger.end_cycle(cycle, "Completed")
        everything = [{**row, "job": "acme", "cycle_id": cycle} for part in parts for row in part]

        def sealing() -> None:
            last = ""
            for row in everything:
                last = seal(last, record_of(row))

        frame = ledger.activities(cycle_id=cycle)
        measured = {
            "Recording them, seals included": recording,
            "The seals alone": seconds(sealing),
            "Verifying": seconds(lambda: ledger.verify("acme")),
            **{
                f"Writing {kind.value}": seconds(
                    functools.partial(write_activities, folder / kind.value, frame, systems, [kind], job="acme")
                )
                for kind in ReportFormat
            },
            "Pruning all": seconds(lambda: ledger.prune("acme", START + dt.timedelta(days=1))),
        }
    print(f"{count:,} activities, SQLite")
    for what, took in measured.items():
        print(f"| {what} | {took:.2f} s | {took / count * 1e6:.0f} µs | {took / recording:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

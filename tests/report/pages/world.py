"""Frames as the ledger gives them, made up for the tests of the HTML report: several cycles of one job."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence

import pandas as pd

from tasks.ledger.frames import CYCLE_COLUMNS, ESCROW_COLUMNS, LINK_COLUMNS
from tasks.model import ACTIVITY_COLUMNS, Manifest, conform, empty_frame
from tasks.report.cycle import Told
from tasks.report.pages.render import Period, Standing
from tests.report import samples

NOW = samples.START + dt.timedelta(days=40)
PERIOD = Period(job="acme", source="Microsoft Entra ID", target="Replicon", see="provision report acme.yaml")


@dataclasses.dataclass(frozen=True)
class Deed:
    """One activity: in which cycle, of whom, what, and how it ended."""

    cycle: int
    person: str
    operation: str = "update"
    status: str = "success"
    decision: str = "go"
    situation: str = "confirmed"
    code: str | None = None
    reason: str = "Because the test says so."
    changes: tuple[tuple[str, str | None, str | None], ...] = (("Department", "Sales", "Lab"),)


def began(cycle: int) -> dt.datetime:
    """Give when a cycle began: a day after the one before."""
    return samples.START + dt.timedelta(days=cycle)


def activities(deeds: Sequence[Deed]) -> pd.DataFrame:
    """Give the activities of the deeds, ten seconds apart."""
    rows = [
        {
            **dict.fromkeys(ACTIVITY_COLUMNS),
            "change_id": f"change-{number}",
            "cycle_id": f"cycle-{deed.cycle:04}",
            "job": "acme",
            "source_id": f"s-{deed.person}",
            "source_name": deed.person,
            "target_uri": f"urn:user:{deed.person}",
            "target_name": deed.person,
            "situation": deed.situation,
            "operation": deed.operation,
            "decision": deed.decision,
            "status": deed.status,
            "error_code": deed.code,
            "reason": deed.reason,
            "changes": json.dumps(
                [{"attribute": name, "before": old, "after": new} for name, old, new in deed.changes]
            ),
            "refused": "[]",
            "attempts": 1,
            "started_at": began(deed.cycle) + dt.timedelta(seconds=10 + number % 50),
            "duration_ms": 2_000,
        }
        for number, deed in enumerate(deeds)
    ]
    return conform(pd.DataFrame(rows, columns=list(ACTIVITY_COLUMNS)), ACTIVITY_COLUMNS, "deeds")


def cycles(count: int) -> pd.DataFrame:
    """Give as many cycles, newest first: read in two seconds, ended after a hundred."""
    rows = [
        {
            **dict.fromkeys(CYCLE_COLUMNS),
            "cycle_id": f"cycle-{number:04}",
            "job": "acme",
            "kind": "incremental",
            "state": "Completed",
            "flow_run_id": "",
            "holder": "",
            "started_at": began(number),
            "ended_at": began(number) + dt.timedelta(seconds=100),
            "counts": "{}",
            "message": "12 created",
            "manifest": json.dumps(_manifest(began(number)).as_dict()),
        }
        for number in reversed(range(count))
    ]
    return conform(pd.DataFrame(rows, columns=list(CYCLE_COLUMNS)), CYCLE_COLUMNS, "cycles")


def standing(linked: Sequence[dt.datetime] = (), failed: Sequence[dt.datetime] = ()) -> Standing:
    """Give the links made, and the people who first failed, at these instants."""
    links = [
        {**dict.fromkeys(LINK_COLUMNS), "source_id": f"l-{place}", "active": True, "linked_at": at}
        for place, at in enumerate(linked)
    ]
    escrow = [
        {
            **dict.fromkeys(ESCROW_COLUMNS),
            "source_id": f"e-{place}",
            "error_code": "Timeout",
            "first_failed_at": at,
            "last_failed_at": at,
            "attempts": 1,
        }
        for place, at in enumerate(failed)
    ]
    return Standing(
        conform(pd.DataFrame(links), LINK_COLUMNS, "links") if links else empty_frame(LINK_COLUMNS),
        conform(pd.DataFrame(escrow), ESCROW_COLUMNS, "escrow") if escrow else empty_frame(ESCROW_COLUMNS),
        NOW,
    )


def one_cycle() -> tuple[pd.DataFrame, Told]:
    """Give the sample cycle with a bit of everything, as the ledger has it."""
    frame = samples.activities().assign(cycle_id="cycle-0000", job="acme")
    return conform(frame, ACTIVITY_COLUMNS, "sample"), samples.told(frame)


def _manifest(at: dt.datetime) -> Manifest:
    return Manifest(True, (), 3, 2, 40, 2, 38, at, at + dt.timedelta(seconds=2), "digest")

"""The facts of a cycle as the report shows them, in the spirit of the portal's Synchronization Details. Plain data."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping

from tasks.model import CycleKind, Manifest
from tasks.report.verdict import CycleVerdict

KINDS = {
    CycleKind.INITIAL: "initial cycle",
    CycleKind.INCREMENTAL: "incremental cycle",
    CycleKind.ON_DEMAND: "on demand",
}
"""What a kind of cycle is called."""


@dataclasses.dataclass(frozen=True)
class CycleFacts:
    """One cycle: which job, what it read, how long it took, what the job stands at. Times are UTC.

    `linked` counts the people linked after the cycle; `manifest` is null when nothing was read; `notes` are the
    guards' reasons and whatever else the reader has to know; `names` gives login names by URI for accounts that
    changes refer to beside the cycle's own; `see` is the command that shows everything.
    """

    job: str
    cycle_id: str
    kind: CycleKind
    source: str
    target: str
    started_at: dt.datetime
    ended_at: dt.datetime
    linked: int
    manifest: Manifest | None
    quarantine: str | None = None
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    see: str = ""
    chain: str = ""
    """Where the chain of the job's activities stood at the end, for checking the record later."""
    watermark: dt.datetime | None = None
    """From when on the next cycle reads changes; null when this cycle left the watermark as it was."""
    in_escrow: int = 0
    """How many people wait for another attempt."""
    stopped: bool = False
    """Whether some of the plan was not come to."""
    files: tuple[tuple[str, str], ...] = ()
    """The full report in files: what each is, and its path or address."""

    @property
    def title(self) -> str:
        """Name the cycle: job, kind and start."""
        return f"{self.job} · {KINDS[self.kind]} · {self.started_at:%d %b %Y, %H:%M} UTC"

    def lines(self) -> list[tuple[str, str]]:
        """Give the facts by name, in reading order."""
        return [
            ("From", self.source),
            ("To", self.target),
            ("Duration", duration(self.ended_at - self.started_at)),
            ("Read", self._read()),
            ("Linked", f"{self.linked:,} people have an account"),
            *([("Waiting for another attempt", f"{self.in_escrow:,} people")] if self.in_escrow else []),
            *([("Watermark", f"moves to {self.watermark:%d %b %Y, %H:%M:%S} UTC")] if self.watermark else []),
            *([("Quarantine", self.quarantine)] if self.quarantine else []),
            ("Cycle", self.cycle_id),
            *([("Sealed", self.chain)] if self.chain else []),
        ]

    def _read(self) -> str:
        if self.manifest is None:
            return "nothing"
        counted = (
            f"{self.manifest.objects:,} objects, {self.manifest.assignments:,} assignments, "
            f"{self.manifest.groups:,} groups in {self.manifest.requests:,} requests"
        )
        missing = "; ".join(self.manifest.missing) or "some of it"
        return f"{counted}, complete" if self.manifest.complete else f"{counted}; NOT complete: {missing}"


@dataclasses.dataclass(frozen=True)
class Told:
    """A cycle's facts with its verdict: what every form of the report begins with."""

    facts: CycleFacts
    verdict: CycleVerdict


def duration(span: dt.timedelta) -> str:
    """Say how long: 850 ms, 4.2 s, 3 min 5 s, 2 h 10 min."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

"""The life of one cycle in the ledger: the job is held, the kind chosen, the end recorded whatever happens."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import pandas as pd

from flows.parts import Parts
from tasks.ledger.cycles import JobState
from tasks.model import CycleKind, HeldError, ProvisioningError
from tasks.report.verdict import StateName


class CycleChoice(StrEnum):
    """Which kind of cycle to run."""

    AUTOMATIC = "automatic"
    """Changes only, or everything when there is no watermark yet or the mapping has changed."""
    INITIAL = "initial"
    """Everything, even if a watermark is there."""
    INCREMENTAL = "incremental"
    """Changes only; refused while there is no watermark."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a cycle starts from: its kind, and what the ledger remembers of the cycles before.

    `first` is true when no cycle of the job has been carried out yet. `links` and `skips` are the ledger's frames.
    """

    kind: CycleKind
    first: bool
    now: dt.datetime
    links: pd.DataFrame
    skips: pd.DataFrame
    last_complete: Mapping[str, Any] | None

    @property
    def known(self) -> pd.Series:
        """Source ids of everyone linked."""
        return self.links["source_id"]


@dataclasses.dataclass(frozen=True)
class Cycle:
    """A cycle that holds its job: nobody else changes what it remembers until it ends."""

    cycle_id: str
    memory: Memory


def remember(parts: Parts, choice: CycleChoice) -> Memory:
    """Read what a cycle of the job starts from. Raises `HeldError` when an incremental cycle has no watermark."""
    ledger, job = parts.ledger, parts.job.name
    state = ledger.job_state(job)
    return Memory(
        kind=_kind(job, choice, state, parts.mapping.digest),
        first=state.watermark is None,
        now=ledger.now(),
        links=ledger.links(job),
        skips=ledger.skips(job),
        last_complete=state.last_complete,
    )


@contextlib.contextmanager
def holding(parts: Parts, choice: CycleChoice, flow_run_id: str = "") -> Iterator[Cycle]:
    """Hold the job for a cycle; a cycle that breaks off is recorded as failed.

    Whoever enters ends the cycle with `Ledger.end_cycle` as the last thing. Raises `HeldError` when another cycle
    holds the job.
    """
    ledger, job = parts.ledger, parts.job.name
    kind = _kind(job, choice, ledger.job_state(job), parts.mapping.digest)
    cycle_id = ledger.begin_cycle(job, kind, flow_run_id)
    try:
        yield Cycle(cycle_id, dataclasses.replace(remember(parts, choice), kind=kind))
    except BaseException as error:
        said = str(error) if isinstance(error, ProvisioningError) else type(error).__name__
        ledger.end_cycle(cycle_id, StateName.FAILED, message=said)
        raise


def _kind(job: str, choice: CycleChoice, state: JobState, mapping_digest: str) -> CycleKind:
    if choice is CycleChoice.INCREMENTAL and state.watermark is None:
        raise HeldError(
            f"The job {job} has no watermark yet, so there is nothing to count changes from. Run an initial cycle first."
        )
    changed = state.mapping_digest is not None and state.mapping_digest != mapping_digest
    everything = choice is CycleChoice.INITIAL or (
        choice is CycleChoice.AUTOMATIC and (state.watermark is None or changed)
    )
    return CycleKind.INITIAL if everything else CycleKind.INCREMENTAL

"""What a job stands at as OpenMetrics gauges, from the ledger's frames. Pure; `flows/metrics.py` reads and writes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
import pandas as pd
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tasks.report.activity import Group
from tasks.report.verdict import StateName

_RUNNING: Final = "running"
_GOOD: Final = frozenset({StateName.COMPLETED, StateName.COMPLETED_WITH_ERRORS, StateName.HELD})
"""States of a cycle that read its source whole and got to the end."""


@dataclasses.dataclass(frozen=True)
class Standing:
    """What a job stands at: its cycles (newest first, the ledger's frame), its escrow, and what is known of it."""

    job: str
    now: dt.datetime
    cycles: pd.DataFrame
    escrow: pd.DataFrame
    linked: int
    watermark_at: dt.datetime | None
    quarantine: str | None
    quarantine_since: dt.datetime | None


class JobMetrics(Collector):
    """The gauges of some jobs, in the form that `prometheus_client` writes and serves."""

    def __init__(self, standings: list[Standing]) -> None:
        self._standings = standings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give every gauge with a sample for each job; one that has nothing to tell has none."""
        for name, (help_text, labels) in GAUGES.items():
            family = GaugeMetricFamily(f"provision_{name}", help_text, labels=["job", *labels])
            for standing in self._standings:
                for label_values, value in _SAMPLES[name](standing):
                    family.add_metric([standing.job, *label_values], value)
            yield family


GAUGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "last_success_timestamp_seconds": ("When the latest cycle ended that read everything and got to its end.", ()),
    "last_cycle_timestamp_seconds": ("When the latest cycle ended, however it went.", ()),
    "last_cycle_state": ("1 for the state in which the latest cycle ended.", ("state",)),
    "last_cycle_seconds": ("How long the latest cycle took.", ()),
    "last_cycle_stage_seconds": ("How long each stage of the latest cycle took.", ("stage",)),
    "last_cycle_people": ("How many people the latest cycle dealt with, by what became of them.", ("result",)),
    "last_cycle_requests": ("How many requests the latest cycle sent, by host.", ("host",)),
    "last_cycle_throttled": ("How many requests of the latest cycle were answered 429, by host.", ("host",)),
    "watermark_age_seconds": ("Time since the cycle began that read up to the watermark.", ()),
    "escrow_people": ("How many people wait for another attempt, by error code.", ("code",)),
    "escrow_oldest_seconds": ("Time since the first failure of whoever waits longest.", ()),
    "quarantined": ("1 while the job is quarantined, 0 otherwise.", ()),
    "quarantine_seconds": ("Time since the job entered quarantine, by reason.", ("reason",)),
    "linked_people": ("How many people are linked to an account.", ()),
}
"""The gauges: their help texts and their labels besides `job`."""

Samples = list[tuple[tuple[str, ...], float]]


def _one(value: float | None) -> Samples:
    return [] if value is None else [((), value)]


def _instant(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value.timestamp())


def _age(standing: Standing, since: Any) -> Samples:
    start = _instant(since)
    return _one(None if start is None else standing.now.timestamp() - start)


def _last(standing: Standing) -> pd.Series | None:
    """Give the latest cycle that has ended."""
    ended = standing.cycles[standing.cycles["state"].ne(_RUNNING)]
    return None if ended.empty else ended.iloc[0]


def _last_success(standing: Standing) -> Samples:
    good = standing.cycles[standing.cycles["state"].isin(list(_GOOD))]
    return _one(None if good.empty else _instant(good.iloc[0]["ended_at"]))


def _last_ended(standing: Standing) -> Samples:
    last = _last(standing)
    return _one(None if last is None else _instant(last["ended_at"]))


def _state(standing: Standing) -> Samples:
    last = _last(standing)
    if last is None:
        return []
    known = dict.fromkeys([*(state.value for state in StateName), str(last["state"])], 0.0)
    return [((name,), value) for name, value in {**known, str(last["state"]): 1.0}.items()]


def _seconds(standing: Standing) -> Samples:
    last = _last(standing)
    return _one(None if last is None else (last["ended_at"] - last["started_at"]).total_seconds())


def _people(standing: Standing) -> Samples:
    last = _last(standing)
    if last is None:
        return []
    counts = orjson.loads(last["counts"])
    return [((group.value,), float(counts.get(group.value, 0))) for group in Group]


def _measured(standing: Standing, what: str) -> Samples:
    last = _last(standing)
    if last is None or not isinstance(last["measured"], str):
        return []
    return [((name,), float(value)) for name, value in orjson.loads(last["measured"]).get(what, {}).items()]


def _escrow(standing: Standing) -> Samples:
    counted = standing.escrow["error_code"].value_counts()
    return [((str(code),), float(count)) for code, count in counted.items()]


def _oldest(standing: Standing) -> Samples:
    return _age(standing, standing.escrow["first_failed_at"].min() if len(standing.escrow) else None)


def _quarantine(standing: Standing) -> Samples:
    age = _age(standing, standing.quarantine_since)
    return [((standing.quarantine,), value) for _, value in age] if standing.quarantine else []


_SAMPLES: Final[Mapping[str, Callable[[Standing], Samples]]] = {
    "last_success_timestamp_seconds": _last_success,
    "last_cycle_timestamp_seconds": _last_ended,
    "last_cycle_state": _state,
    "last_cycle_seconds": _seconds,
    "last_cycle_stage_seconds": lambda standing: _measured(standing, "seconds"),
    "last_cycle_people": _people,
    "last_cycle_requests": lambda standing: _measured(standing, "requests"),
    "last_cycle_throttled": lambda standing: _measured(standing, "throttled"),
    "watermark_age_seconds": lambda standing: _age(standing, standing.watermark_at),
    "escrow_people": _escrow,
    "escrow_oldest_seconds": _oldest,
    "quarantined": lambda standing: _one(float(standing.quarantine is not None)),
    "quarantine_seconds": _quarantine,
    "linked_people": lambda standing: _one(float(standing.linked)),
}

"""What the HTML report counts: plain functions from the ledger's frames to small frames, one row a bar or a line.

No HTML and no chart is here; `charts` draws these frames and `sections` writes them as tables.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import pandas as pd

from tasks.ledger.cycles import CRASHED, RUNNING
from tasks.model import INT, STRING, TIME, CycleKind, Manifest, Operation, Situation, Status
from tasks.report.activity import Group, endings_of, groups_of
from tasks.report.verdict import StateName

ENDINGS: Final = ("success", "warning", "failure", "held", "staged", "skipped")
"""How operations end, in reading order."""
OPERATIONS: Final = ("create", "update", "enable", "disable", "delete", "none")
"""Operations in reading order."""
TRIED: Final = (Status.SUCCESS.value, Status.WARNING.value, Status.FAILURE.value)
"""Statuses of operations that were tried."""
BARS: Final = 62
"""Most points in time that a chart shows; a longer period is told by longer units."""
SINGLE_CYCLES: Final = 30
"""Up to how many cycles each of them is a point in time of its own."""
_NEED_CARE: Final = (Group.FAILED.value, Group.STAGED.value, Group.HELD.value)
_BROKEN: Final = (RUNNING, CRASHED, StateName.FAILED.value)
_LINKING: Final = (Situation.ABSENT.value, Situation.FOUND.value, Situation.MISSING.value)
_ATTRIBUTE: Final = r'"attribute": ?"([^"]+)"'
_AGES: Final[tuple[tuple[str, float], ...]] = (
    ("less than a day", 1),
    ("1 to 7 days", 7),
    ("7 to 14 days", 14),
    ("14 to 28 days", 28),
    ("more than 28 days", float("inf")),
)


class Unit(StrEnum):
    """What one point in time of a chart stands for."""

    CYCLE = "cycle"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_LENGTHS: Final = (
    (Unit.HOUR, dt.timedelta(hours=1)),
    (Unit.DAY, dt.timedelta(days=1)),
    (Unit.WEEK, dt.timedelta(days=7)),
)
_LABELS: Final[Mapping[Unit, str]] = {
    Unit.CYCLE: "%d %b %H:%M",
    Unit.HOUR: "%d %b %H:%M",
    Unit.DAY: "%d %b %Y",
    Unit.WEEK: "week of %d %b %Y",
    Unit.MONTH: "%b %Y",
}


def crossed(activities: pd.DataFrame) -> pd.DataFrame:
    """Count the activities by operation (rows) and how they ended (columns), both in reading order, none left out."""
    table = pd.crosstab(activities["operation"].astype(object), endings_of(activities).astype(object))
    rows = [name for name in OPERATIONS if name in table.index]
    return table.reindex(index=rows, columns=[name for name in ENDINGS if name in table.columns])


def unit_for(cycles: pd.DataFrame) -> Unit:
    """Choose what a point in time stands for, so that at most `BARS` of them show all of `cycles`."""
    if len(cycles) <= SINGLE_CYCLES:
        return Unit.CYCLE
    span = cycles["started_at"].max() - cycles["started_at"].min()
    return next((unit for unit, length in _LENGTHS if span / length < BARS), Unit.MONTH)


def moments(instants: pd.Series, unit: Unit) -> pd.Series:
    """Give the beginning of the `unit` that each instant lies in (`TIME`); of a cycle, its second."""
    at = instants.astype("datetime64[us, UTC]")
    if unit is Unit.CYCLE:
        return at.dt.floor("s").astype(TIME)
    if unit is Unit.HOUR:
        return at.dt.floor("h").astype(TIME)
    day = at.dt.floor("D")
    back = {Unit.DAY: 0, Unit.WEEK: day.dt.dayofweek, Unit.MONTH: day.dt.day - 1}[unit]
    return (day - pd.to_timedelta(back, unit="D")).astype(TIME)


def moments_of(cycles: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Give the points in time of a report: `moment`, its `label`, and the instant `until` when its last cycle ended.

    Units of time in which no cycle ran are there too; they end with the cycle before them.
    """
    begun = moments(cycles["started_at"], unit)
    ended = cycles["ended_at"].fillna(cycles["started_at"])
    known = ended.groupby(begun).max().sort_index()
    if unit is not Unit.CYCLE and len(known):
        every = pd.date_range(known.index[0], known.index[-1], freq={"hour": "h", "month": "MS"}.get(unit, "D"))
        wanted = moments(pd.Series(every), unit).drop_duplicates()
        known = known.reindex(pd.Index(wanted)).ffill()
    frame = pd.DataFrame({"moment": known.index.astype(TIME), "until": known.to_numpy()})
    frame["until"] = pd.Series(known.array, dtype=TIME)
    frame["label"] = _labels(frame["moment"], unit)
    return frame


def _labels(at: pd.Series, unit: Unit) -> pd.Series:
    # Arrow writes fractions of a second; pandas does not.
    instants = at.astype("datetime64[us, UTC]")
    labels = instants.dt.strftime(_LABELS[unit])
    return (labels if labels.is_unique else instants.dt.strftime("%d %b %H:%M:%S")).astype(STRING)


def over_time(activities: pd.DataFrame, cycles: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Count activities by point in time and `Group`: `moment`, `group`, `people`; nothing that is nought.

    An activity counts when its cycle began; one whose cycle is no longer known, when it began itself.
    """
    at = moments(_cycle_starts(activities, cycles), unit)
    counted = pd.DataFrame({"moment": at, "group": groups_of(activities)}).groupby(["moment", "group"])
    return counted.agg(people=("group", "size")).reset_index()


def success_rates(activities: pd.DataFrame, cycles: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Give the part of the tried operations that was wholly done over time: `moment`, `tried`, `done`, `percent`."""
    tried = activities[_tried(activities)]
    at = moments(_cycle_starts(tried, cycles), unit)
    done = tried["status"].eq(Status.SUCCESS.value).astype(int)
    frame = done.groupby(at).agg(["size", "sum"]).rename(columns={"size": "tried", "sum": "done"})
    return frame.assign(percent=100 * frame["done"] / frame["tried"]).rename_axis("moment").reset_index()


def success_rate(activities: pd.DataFrame) -> float | None:
    """Give what percentage of the tried operations was wholly done; null when none was tried."""
    tried = activities.loc[_tried(activities), "status"]
    return 100 * float(tried.eq(Status.SUCCESS.value).mean()) if len(tried) else None


def of_latest_cycle(activities: pd.DataFrame, cycles: pd.DataFrame) -> pd.DataFrame:
    """Give the activities of the latest cycle that looked at everything due: whoever still waits is told of in it."""
    whole = cycles[cycles["kind"].ne(CycleKind.ON_DEMAND.value) & ~cycles["state"].isin(_BROKEN)]
    return activities[activities["cycle_id"].isin(whole["cycle_id"].head(1))]


def errors(activities: pd.DataFrame) -> pd.DataFrame:
    """Give what failed, waits or was partly done by `error_code`, most people first: `people`, `times`, `latest`."""
    groups = groups_of(activities)
    partly = activities["status"].eq(Status.WARNING.value).fillna(value=False)
    return _by_code(activities[groups.isin(_NEED_CARE) | partly])


def skips(activities: pd.DataFrame) -> pd.DataFrame:
    """Give what was passed over on purpose by `error_code`, most people first: `people`, `times`, `latest`."""
    return _by_code(activities[groups_of(activities).eq(Group.SKIPPED.value)])


def waiting(activities: pd.DataFrame) -> pd.DataFrame:
    """Give the activities that wait for a person, staged ones first."""
    groups = groups_of(activities)
    waits = activities.assign(group=groups)[groups.isin([Group.STAGED.value, Group.HELD.value])]
    return waits.sort_values("group", ascending=False, kind="stable")


def stages(activities: pd.DataFrame, cycles: pd.DataFrame) -> pd.DataFrame:
    """Give how long each stage of each cycle took: `cycle_id`, `started_at`, `stage`, `seconds`.

    Told from what the ledger holds: the source read from its manifest, the load from its first operation to the end
    of its last one; what lies between and behind is mapping with planning, and reporting.
    """
    ends = activities["started_at"] + pd.to_timedelta(activities["duration_ms"].astype("int64"), unit="ms")
    loads = pd.DataFrame({"first": activities["started_at"], "last": ends}).groupby(activities["cycle_id"])
    spans = loads.agg({"first": "min", "last": "max"})
    rows = []
    for cycle in cycles.dropna(subset=["ended_at", "manifest"]).to_dict("records"):
        read = Manifest.from_dict(json.loads(cycle["manifest"]))
        first, last = spans.loc[cycle["cycle_id"]] if cycle["cycle_id"] in spans.index else (cycle["ended_at"],) * 2
        points = (read.started_at, read.ended_at, first, last, cycle["ended_at"])
        for stage, began, ended in zip(STAGES, points, points[1:], strict=False):
            seconds = max((ended - began).total_seconds(), 0.0)
            rows.append((cycle["cycle_id"], cycle["started_at"], stage, seconds))
    return pd.DataFrame(rows, columns=["cycle_id", "started_at", "stage", "seconds"])


STAGES: Final = ("Read the source", "Map and plan", "Write to Replicon", "Record and report")
"""The stages of a cycle as people call them."""


def managed(activities: pd.DataFrame, links: pd.DataFrame, instants: pd.Series) -> pd.Series:
    """Count who had an account under management at each of the ascending `instants`.

    Told from the links there are and from the deletes among `activities`; a link that was ended by hand is not seen.
    """
    done = activities[activities["status"].isin([Status.SUCCESS.value, Status.WARNING.value])]
    deleted = done[done["operation"].eq(Operation.DELETE.value)].groupby("source_id")["started_at"].max()
    deleted = deleted[~deleted.index.isin(links["source_id"])]
    made = done[done["situation"].isin(_LINKING)].groupby("source_id")["started_at"].min()
    long_ago = pd.Timestamp(0, tz="UTC")
    begun = pd.Series(made.reindex(deleted.index).astype("datetime64[us, UTC]")).fillna(long_ago)
    starts = pd.concat([links["linked_at"].astype("datetime64[us, UTC]"), begun]).sort_values()
    stops = deleted.astype("datetime64[us, UTC]").sort_values()
    at = instants.astype("datetime64[us, UTC]")
    counted = starts.searchsorted(at, side="right") - stops.searchsorted(at, side="right")
    return pd.Series(counted, index=instants.index, dtype=INT)


def drifted(activities: pd.DataFrame) -> pd.DataFrame:
    """Count by `attribute` the `accounts` that were found changed outside provisioning, most first."""
    found = activities[activities["situation"].eq(Situation.DRIFTED.value)]
    named = found.set_index("target_uri")["changes"].str.extractall(_ATTRIBUTE)[0].rename("attribute")
    pairs = named.reset_index("target_uri").drop_duplicates()
    counted = pairs.groupby("attribute").size().rename("accounts").reset_index()
    return counted.sort_values(["accounts", "attribute"], ascending=[False, True], ignore_index=True)


def escrow_ages(escrow: pd.DataFrame, now: dt.datetime) -> pd.DataFrame:
    """Count those in escrow by how long ago they first failed: `age`, `people`; every age has a row."""
    days = (now - escrow["first_failed_at"].astype("datetime64[us, UTC]")).dt.total_seconds() / 86_400
    edges = [float("-inf"), *(limit for _, limit in _AGES)]
    aged = pd.cut(days, edges, right=False, labels=[name for name, _ in _AGES])
    return aged.value_counts(sort=False).rename_axis("age").rename("people").reset_index()


def _by_code(rows: pd.DataFrame) -> pd.DataFrame:
    coded = rows.dropna(subset=["error_code"])
    who = coded["source_id"].fillna(coded["target_uri"]).fillna(coded["change_id"])
    grouped = coded.assign(who=who).groupby("error_code")
    frame = grouped.agg(people=("who", "nunique"), times=("who", "size"), latest=("started_at", "max"))
    return frame.sort_values(["people", "times"], ascending=False, kind="stable").reset_index()


def _tried(activities: pd.DataFrame) -> pd.Series:
    """Mark the operations that were tried: those that change something and have an outcome."""
    changes = activities["operation"].ne(Operation.NONE.value)
    return changes & endings_of(activities).isin(TRIED)


def _cycle_starts(activities: pd.DataFrame, cycles: pd.DataFrame) -> pd.Series:
    starts = cycles.set_index("cycle_id")["started_at"]
    known = pd.Series(starts.reindex(activities["cycle_id"]).array, index=activities.index, dtype=TIME)
    return known.fillna(activities["started_at"])

"""The sections of the HTML report: which charts and tables stand under which heading, and what their leads say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import pandas as pd

from tasks.model import Decision, Situation
from tasks.report.activity import Group
from tasks.report.cycle import duration
from tasks.report.pages import charts, measures
from tasks.report.pages.measures import STAGES, Unit
from tasks.report.pages.parts import Figure, Kind, Section, Table, instant, text
from tasks.report.pages.tables import (
    activity_table,
    codes_table,
    cycles_table,
    escrow_table,
    stories_of,
    totals_table,
    waiting_table,
)

_CHARTED: Final = 10
"""Most bars of a chart of codes or attributes."""
_REASONS: Final = 5
_STRIPS: Final = tuple(group.value for group in Group if group is not Group.UNCHANGED)


def totals(activities: pd.DataFrame) -> Section:
    """Count operations by how they ended."""
    lead = "" if len(activities) else "Nothing was done, and nothing is pending."
    return Section("totals", "What was done", lead, tables=[totals_table(activities)] if len(activities) else [])


def over_time(activities: pd.DataFrame, cycles: pd.DataFrame, links: pd.DataFrame) -> Section:
    """Show results, the success rate and the people managed over time."""
    unit = measures.unit_for(cycles)
    moments = measures.moments_of(cycles, unit)
    lead = f"Each bar or point is one {unit}; times are UTC. Every row of bars has a scale of its own."
    figures = [
        *_results(activities, cycles, moments, unit),
        *_success(activities, cycles, moments, unit),
        *_managed(activities, links, moments),
    ]
    return Section("time", "Over time", lead, figures)


def attention(activities: pd.DataFrame) -> Section:
    """Show what failed or waits by error code, with remedies, and why people were passed over."""
    wrong, passed = measures.errors(activities), measures.skips(activities)
    lead = "" if len(wrong) else "Nothing failed and nothing waits."
    tables = [codes_table("What failed, waits or was partly done, by error code", wrong)] if len(wrong) else []
    if len(passed):
        tables.append(codes_table("What was passed over on purpose, by reason", passed))
    figures = []
    if len(wrong) > 1:
        wrong = wrong.head(_CHARTED).assign(error_code=[text(code, 80) for code in wrong["error_code"].head(_CHARTED)])
        chart = charts.bars(wrong, "error_code", "people", colour=charts.BAD)
        top = wrong.iloc[0]
        said = f"{top['error_code']} meets most people: {int(top['people']):,}."
        figures = [Figure("People by error code", said, chart, _pairs(wrong, "Code", "People"))]
    return Section("attention", "What needs attention", lead, figures, tables)


def waits(activities: pd.DataFrame, names: Mapping[str, str], see: str) -> Section:
    """Give the guards' verdict and the operations that wait for a person."""
    waiting = measures.waiting(activities)
    staged = waiting[waiting["decision"].eq(Decision.STAGED.value)]
    reasons = [text(reason) for reason in staged["reason"].dropna().value_counts().head(_REASONS).index]
    if len(staged):
        lead = f"The guards staged {len(staged):,} operations, which wait for approval. " + " ".join(reasons)
    elif len(waiting):
        lead = "Within the guards' limits. What is listed waits for a reason of its own."
    else:
        lead = "Within the guards' limits; nothing waits for a person."
    tables = [waiting_table(waiting, names, see)] if len(waiting) else []
    return Section("waits", "Held and staged", lead, tables=tables)


def escrow(there: pd.DataFrame, now: dt.datetime, see: str) -> Section:
    """Show who is tried again, and for how long they have been failing."""
    lead = f"As of {instant(now)} UTC. "
    if there.empty:
        return Section("escrow", "Escrow", f"{lead}Nobody waits to be tried again.")
    given_up = int(there["next_retry_at"].isna().sum())
    lead += f"{len(there):,} people failed and are tried again on a schedule"
    lead += f"; {given_up:,} of them are given up until their data change." if given_up else "."
    ages = measures.escrow_ages(there, now)
    chart = charts.bars(ages, "age", "people", colour=charts.WAITS)
    oldest = duration(now - there["first_failed_at"].min())
    figure = Figure(
        "People by age of their failure", f"The oldest failed {oldest} ago.", chart, _pairs(ages, "Age", "People")
    )
    return Section("escrow", "Escrow", lead, [figure], [escrow_table(there, see)])


def drift(activities: pd.DataFrame) -> Section:
    """Show what was changed in Replicon outside provisioning."""
    found = activities["situation"].eq(Situation.DRIFTED.value)
    orphans = int(activities["situation"].eq(Situation.ORPHAN.value).sum())
    counts = measures.drifted(activities)
    people = activities.loc[found, "target_uri"].nunique()
    lead = (
        f"{people:,} accounts were found changed in Replicon outside provisioning."
        if people
        else "No account was found changed in Replicon outside provisioning. Full reads alone look for it."
    )
    lead += f" {orphans:,} accounts belong to nobody who is managed." if orphans else ""
    figures = []
    if len(counts):
        chart = charts.bars(counts.head(_CHARTED), "attribute", "accounts", colour=charts.TAKEN)
        said = f"{counts['attribute'].iloc[0]} was changed most often."
        numbers = _pairs(counts.head(_CHARTED), "Attribute", "Accounts")
        figures = [Figure("Accounts by changed attribute", said, chart, numbers)]
    return Section("drift", "Drift", lead, figures)


def stages(activities: pd.DataFrame, cycles: pd.DataFrame) -> Section | None:
    """Show how long the stages took, and in which cycle longest; null when no cycle ended."""
    taken = measures.stages(activities, cycles)
    if taken.empty:
        return None
    grouped = taken.groupby("stage")["seconds"]
    summary = pd.DataFrame({"middle": grouped.median(), "longest": grouped.max()}).reindex(STAGES).reset_index()
    slowest = summary.loc[summary["longest"].idxmax()]
    several = taken["cycle_id"].nunique() > 1
    chart = charts.bars(summary, "stage", "longest", digits=1, unit=" s")
    rows = []
    for row in summary.to_dict("records"):
        at = taken.loc[taken.loc[taken["stage"].eq(row["stage"]), "seconds"].idxmax()]
        took = (_seconds(row["middle"]), _seconds(row["longest"]))
        rows.append((row["stage"], *took, str(at["cycle_id"])[:8]) if several else (row["stage"], took[1]))
    columns = {"Stage": Kind.TEXT, "Took": Kind.NUMBER}
    if several:
        columns = {"Stage": Kind.TEXT, "Median": Kind.NUMBER, "Longest": Kind.NUMBER, "In cycle": Kind.CODE}
    title = "Longest time of each stage, in seconds" if several else "Time of each stage, in seconds"
    said = f"{slowest['stage']} took longest: {_seconds(slowest['longest'])}."
    lead = "Told from the ledger: mapping and planning are one span, between the read and the first write."
    return Section("stages", "Slowest stages", lead, [Figure(title, said, chart, Table(title, columns, rows))])


def stories(activities: pd.DataFrame, names: Mapping[str, str], see: str) -> Section | None:
    """Tell what happened to each person, latest first; null when nothing did."""
    told = stories_of(activities, names, see)
    if not told:
        return None
    everybody = activities["source_id"].nunique()
    lead = "What happened to one person, latest first."
    if everybody > len(told):
        lead += f" {len(told):,} people can be chosen: whoever something went wrong for, then who had most happen."
    return Section("person", "One person over time", lead, stories=told, see=see if everybody > len(told) else "")


def cycles_there(cycles: pd.DataFrame, see: str) -> Section:
    """List the cycles."""
    lead = "" if len(cycles) else "No cycle ran in this time."
    return Section("cycles", "Cycles", lead, tables=[cycles_table(cycles, see)] if len(cycles) else [])


def activity(activities: pd.DataFrame, names: Mapping[str, str], see: str) -> Section:
    """List what happened to whom."""
    table = activity_table(activities, names, see)
    lead = "" if table.rows else "Nothing happened to anybody."
    return Section("activity", "Activity", lead, tables=[table] if table.rows else [])


def _results(activities: pd.DataFrame, cycles: pd.DataFrame, moments: pd.DataFrame, unit: Unit) -> list[Figure]:
    counts = measures.over_time(activities, cycles, unit)
    groups = [group for group in _STRIPS if group in set(counts["group"])]
    if not groups:
        return []
    wide = counts.pivot_table(index="moment", columns="group", values="people", fill_value=0, aggfunc="sum")
    wide = wide.reindex(columns=groups, fill_value=0)
    names = dict(zip(moments["moment"], moments["label"], strict=True))
    rows = [(names[moment], *map(int, row)) for moment, row in zip(wide.index, wide.to_numpy(), strict=True)]
    columns = {"When": Kind.TIME, **{group.capitalize(): Kind.NUMBER for group in groups}}
    sums = ("All", *map(int, wide.sum()))
    title = "Results over time"
    said = ", ".join(f"{int(total):,} {group}" for group, total in wide.sum().items())
    chart = charts.strips(counts, moments, groups)
    return [Figure(title, f"{said}.", chart, Table(title, columns, rows, totals=sums), half=False)]


def _success(activities: pd.DataFrame, cycles: pd.DataFrame, moments: pd.DataFrame, unit: Unit) -> list[Figure]:
    rates = measures.success_rates(activities, cycles, unit).merge(moments, on="moment")
    whole = measures.success_rate(activities)
    if rates.empty or whole is None:
        return []
    title = "Success rate"
    rows = [
        (row["label"], int(row["tried"]), int(row["done"]), f"{row['percent']:.1f} %")
        for row in rates.to_dict("records")
    ]
    columns = {"When": Kind.TIME, "Tried": Kind.NUMBER, "Wholly done": Kind.NUMBER, "Rate": Kind.NUMBER}
    said = f"{whole:.1f} % of the operations that were tried were wholly done."
    chart = charts.line(rates, moments["label"].tolist(), "percent", percent=True)
    return [Figure(title, said, chart, Table(title, columns, rows))]


def _managed(activities: pd.DataFrame, links: pd.DataFrame, moments: pd.DataFrame) -> list[Figure]:
    if moments.empty:
        return []
    points = moments.assign(people=measures.managed(activities, links, moments["until"]))
    title = "People managed"
    rows = [(row["label"], int(row["people"])) for row in points.to_dict("records")]
    said = f"From {rows[0][1]:,} to {rows[-1][1]:,} people with an account that provisioning manages."
    chart = charts.line(points, moments["label"].tolist(), "people")
    return [Figure(title, said, chart, Table(title, {"When": Kind.TIME, "People": Kind.NUMBER}, rows))]


def _pairs(counts: pd.DataFrame, name: str, value: str) -> Table:
    columns = {name: Kind.TEXT, value: Kind.NUMBER}
    rows = [(str(one), int(count)) for one, count in zip(counts.iloc[:, 0], counts.iloc[:, 1], strict=True)]
    return Table(f"{value} by {name.lower()}", columns, rows)


def _seconds(seconds: float) -> str:
    return duration(dt.timedelta(seconds=float(seconds)))

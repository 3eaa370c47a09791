"""The activity report as one self-contained HTML file: of one cycle, or of all cycles in a span of time.

`flows.report_pages` reads the ledger and writes what these give. The file loads nothing from anywhere: styles, charts
and the small script are in it, and its content security policy forbids the rest. However much happened, it stays
below `BYTES`, because every table, chart and text has its bound.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import hashlib
from collections import Counter
from importlib import resources
from typing import Final

import jinja2
import pandas as pd

from tasks.model import Status
from tasks.report.activity import account_names, counts_of, endings_of
from tasks.report.cycle import CycleFacts, Told
from tasks.report.pages import measures, sections
from tasks.report.pages.parts import Page, Tile, marked, text
from tasks.report.pages.tables import STATES
from tasks.report.verdict import StateName, in_words

BYTES: Final = 8_000_000
"""Most bytes of a page; one of everyday size has about a quarter of a megabyte."""


@dataclasses.dataclass(frozen=True)
class Standing:
    """What the job stands at at the instant `now`: `links` (`LINK_COLUMNS`) and `escrow` (`ESCROW_COLUMNS`)."""

    links: pd.DataFrame
    escrow: pd.DataFrame
    now: dt.datetime
    quarantine: str | None = None


@dataclasses.dataclass(frozen=True)
class Period:
    """The span of time that a page tells of. `filters` say in words what the activities were chosen by, if at all.

    `see` is the command that shows everything; `names` gives login names by URI as in `CycleFacts`.
    """

    job: str
    source: str
    target: str
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    filters: tuple[str, ...] = ()
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    see: str = ""


def cycle_page(
    activities: pd.DataFrame, told: Told, cycle: pd.DataFrame, escrow: pd.DataFrame, made_at: dt.datetime
) -> str:
    """Give the page of one cycle.

    `activities` are its own (`ACTIVITY_COLUMNS`), `cycle` is its row of `CYCLE_COLUMNS`, and `escrow`
    (`ESCROW_COLUMNS`) is what the job has there when the page is made.
    """
    facts = told.facts
    names = account_names(activities, facts.names)
    parts = [
        sections.totals(activities),
        sections.attention(activities),
        sections.waits(activities, names, facts.see),
        sections.escrow(escrow, made_at, facts.see),
        sections.drift(activities),
        sections.stages(activities, cycle),
        sections.activity(activities, names, facts.see),
    ]
    return _rendered(
        Page(
            title=f"{facts.job}: {_kind(facts)}",
            subtitle=f"Activity report of the cycle of {facts.started_at:%d %B %Y, %H:%M} UTC",
            verdict=STATES[told.verdict.state],
            sentence=_sentence(told.verdict.sentence),
            facts=facts.lines(),
            tiles=_tiles(activities, facts.linked, len(escrow)),
            notes=[text(note, 1_000) for note in facts.notes],
            sections=[part for part in parts if part is not None],
            made_at=made_at,
            see=facts.see,
        )
    )


def period_page(activities: pd.DataFrame, period: Period, cycles: pd.DataFrame, standing: Standing) -> str:
    """Give the page of a span of time: its activities (`ACTIVITY_COLUMNS`) and cycles (`CYCLE_COLUMNS`)."""
    names = account_names(activities, period.names)
    parts = [
        sections.totals(activities),
        sections.over_time(activities, cycles, standing.links),
        sections.attention(activities),
        sections.waits(measures.of_latest_cycle(activities, cycles), names, period.see),
        sections.escrow(standing.escrow, standing.now, period.see),
        sections.drift(activities),
        # Spans are told from the first and last of all operations, so not from chosen ones.
        None if period.filters else sections.stages(activities, cycles),
        sections.stories(activities, names, period.see),
        sections.cycles_there(cycles, period.see),
        sections.activity(activities, names, period.see),
    ]
    counts = counts_of(activities)
    latest = cycles["state"].iloc[0] if len(cycles) else StateName.COMPLETED
    state = StateName.QUARANTINED if standing.quarantine else latest
    verdict = STATES.get(state, STATES[StateName.FAILED])
    notes = [f"Only what was chosen by {choice} is counted and shown." for choice in period.filters]
    return _rendered(
        Page(
            title=f"{period.job}: provisioning insights",
            subtitle=_span(period, cycles),
            verdict=dataclasses.replace(verdict, word=f"Latest cycle: {verdict.word}"),
            sentence=_sentence(in_words(counts)),
            facts=_facts(period, cycles, standing),
            tiles=_tiles(activities, len(standing.links), len(standing.escrow)),
            notes=notes,
            sections=[part for part in parts if part is not None],
            made_at=standing.now,
            see=period.see,
        )
    )


def _facts(period: Period, cycles: pd.DataFrame, standing: Standing) -> list[tuple[str, str]]:
    active = int(standing.links["active"].sum())
    states = ", ".join(f"{count:,} {str(state).lower()}" for state, count in cycles["state"].value_counts().items())
    return [
        ("From", period.source),
        ("To", period.target),
        ("Cycles", f"{len(cycles):,}" + (f": {states}" if states else "")),
        ("Linked", f"{len(standing.links):,} people have an account, {active:,} of them with a login"),
        *([("Quarantine", standing.quarantine)] if standing.quarantine else []),
    ]


def _tiles(activities: pd.DataFrame, linked: int, in_escrow: int) -> list[Tile]:
    endings = Counter(endings_of(activities))
    changes = activities["operation"].ne("none") & activities["status"].isin([Status.SUCCESS, Status.WARNING])
    rate = measures.success_rate(activities)
    waits = endings["held"] + endings["staged"]
    return [
        Tile(f"{int(changes.sum()):,}", "changes made"),
        Tile("–" if rate is None else f"{rate:.1f} %", "success rate", "of what was tried"),
        Tile(f"{endings['failure']:,}", "failed"),
        Tile(f"{waits:,}", "held or staged"),
        Tile(f"{in_escrow:,}", "in escrow", "now"),
        Tile(f"{linked:,}", "people managed", "now"),
    ]


def _span(period: Period, cycles: pd.DataFrame) -> str:
    first = period.since or (cycles["started_at"].min() if len(cycles) else None)
    last = period.until or (cycles["started_at"].max() if len(cycles) else None)
    if first is None or last is None:
        return "No cycle has run yet"
    return f"{first:%d %B %Y, %H:%M} to {last:%d %B %Y, %H:%M} UTC"


def _kind(facts: CycleFacts) -> str:
    return facts.title.split(" · ")[1]


def _sentence(words: str) -> str:
    return f"{text(words[:1].upper() + words[1:], 1_000)}."


@functools.cache
def _files() -> tuple[jinja2.Template, str, str]:
    """Give the template, the style sheet and the script."""
    folder = resources.files("tasks.report.pages")
    page, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.html.j2", "page.css", "page.js")
    )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["marked"] = marked
    return environment.from_string(page), style, script


def _rendered(page: Page) -> str:
    template, style, script = _files()
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template.render(page=page, style=style, script=script, script_hash=f"sha256-{fingerprint}")

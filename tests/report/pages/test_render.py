"""The HTML report as a file: what it holds, what it escapes, and that it stays small however much happened."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from tasks.report.activity import groups_of
from tasks.report.pages import tables
from tasks.report.pages.parts import TEXT
from tasks.report.pages.render import BYTES, cycle_page, period_page
from tests.report.pages.world import NOW, PERIOD, Deed, activities, began, cycles, one_cycle, standing

VOID = {"meta", "input", "br", "link", "img"}


class Outline(HTMLParser):
    """A page as read by a parser: its elements, ids, headings, and the rows of each table by the table's id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.headings: list[int] = []
        self.references: list[str] = []
        self.scripts = 0
        self.rows: dict[str, list[list[str]]] = {}
        self.loaded: list[str] = []
        self._table = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids[given["id"]] += 1
        self.references += [name for name in (given.get("aria-labelledby"), given.get("for")) if name]
        self.references += [given["href"][1:]] if given.get("href", "").startswith("#") else []
        self.loaded += [
            given[name] for name in ("src", "href", "xlink:href") if not given.get(name, "#").startswith("#")
        ]
        self.scripts += tag == "script"
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self._table = given["id"]
            self.rows[self._table] = []
        if tag == "tr":
            self.rows[self._table].append([])
        if tag in {"th", "td"}:
            self.rows[self._table][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Check that elements end in order."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text of cells."""
        if "td" in self.open or "th" in self.open:
            self.rows[self._table][-1][-1] += data


DEEDS = [
    *(Deed(cycle, f"person{number}", "create", situation="absent") for cycle in range(3) for number in range(4)),
    Deed(2, "late", status="failure", code="Timeout"),
    Deed(2, "waits", "disable", "skipped", "staged", "out_of_scope", "TooManyDeletes", "9 would go; `removals` is 6."),
    Deed(2, "strange", "none", "skipped", "hold", "ambiguous", "DuplicateTargetEntries"),
    Deed(2, "drifty", situation="drifted"),
]


def period(deeds: list[Deed], count: int = 3) -> str:
    there = standing(linked=[began(0)] * 4, failed=[began(2)])
    return period_page(activities(deeds), PERIOD, cycles(count), there)


def cycle() -> str:
    frame, told = one_cycle()
    return cycle_page(frame, told, cycles(1), standing().escrow, NOW)


@pytest.fixture(scope="module", params=["cycle", "period", "empty"])
def page(request: pytest.FixtureRequest) -> str:
    if request.param == "cycle":
        return cycle()
    return period(DEEDS) if request.param == "period" else period([], 0)


def test_the_page_is_well_formed_and_its_references_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert [name for name, count in outline.ids.items() if count > 1] == []
    assert set(outline.references) <= set(outline.ids)
    assert re.search(r'<html lang="en">', page)


def test_headings_begin_with_one_and_leave_out_no_level(page: str) -> None:
    levels = Outline(page).headings
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_page_loads_nothing(page: str) -> None:
    outline = Outline(page)
    assert outline.loaded == []
    assert "default-src 'none'" in page
    assert not re.search(r"@import|url\(\s*['\"]?http", page)


def test_the_totals_on_the_page_are_the_counts_of_the_frame() -> None:
    rows = Outline(period(DEEDS)).rows
    frame = activities(DEEDS)
    last = rows["totals-table-1"][-1]
    assert (last[0], last[-1]) == ("All", str(len(frame)))
    by_operation = {row[0].lower(): int(row[-1]) for row in rows["totals-table-1"][1:-1]}
    assert by_operation == {
        "no change" if name == "none" else name: n for name, n in Counter(frame["operation"]).items()
    }
    over_time = rows["time-figure-1-numbers"]
    totals = dict(zip((head.lower() for head in over_time[0][1:]), map(int, over_time[-1][1:]), strict=True))
    assert totals == Counter(groups_of(frame))
    assert len(rows["activity-table-1"]) == len(frame) + 1


def test_the_guards_verdict_and_what_waits_are_told_with_reasons() -> None:
    page = period(DEEDS)
    assert "The guards staged 1 operations" in page
    assert "9 would go; <code>removals</code> is 6." in page
    assert {row[0] for row in Outline(page).rows["waits-table-1"][1:]} == {"waits", "strange"}
    assert "Within the guards&#39; limits; nothing waits" in period([Deed(0, "a")])


def test_one_person_chosen_beforehand_is_told_without_a_choice() -> None:
    page = period([Deed(0, "ada", "create"), Deed(1, "ada")])
    assert "<select" not in page
    assert re.search(r'<article id="story-1" class="story" aria-labelledby="story-1-name">', page)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script><svg onload=alert(1)>",
    "\u202egnp.exe \x00\x07",
    "`{{ 7 * 7 }}`",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_value_from_outside_becomes_markup(name: str) -> None:
    plain = Outline(period([Deed(0, "a", status="failure", code="x"), Deed(1, "b", status="failure", code="y")]))
    changes = ((name, name, name),)
    page = period(
        [
            Deed(0, name, status="failure", code=name, reason=name, changes=changes),
            Deed(1, "b", status="failure", code="y"),
        ]
    )
    outline = Outline(page)
    assert (outline.scripts, outline.loaded, outline.headings) == (1, [], plain.headings)
    assert not [cell for table in outline.rows.values() for row in table for cell in row if "49" in cell]
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", page)
    assert outline.open == []


def test_a_lone_surrogate_in_a_value_does_not_keep_the_page_from_being_written() -> None:
    frame = activities([Deed(0, "a")])
    frame["changes"] = json.dumps([{"attribute": "FirstName", "before": None, "after": "\ud800x"}])
    assert "\ufffdx".encode() in period_page(frame, PERIOD, cycles(1), standing()).encode()


def test_a_redacted_value_stays_redacted() -> None:
    assert "[Redact]" in period([Deed(0, "a", changes=(("EmployeeId", "[Redact]", "[Redact] "),))])


def test_a_filter_is_named_and_stages_are_not_told_from_a_part() -> None:
    chosen = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    part = type(PERIOD)("acme", "Entra", "Replicon", since=chosen, filters=("status failure",))
    page = period_page(activities(DEEDS[-4:-3]), part, cycles(3), standing())
    assert "Only what was chosen by status failure is counted and shown." in page
    assert "Slowest stages" not in page


def test_the_page_stays_below_its_bound_and_says_what_is_left_out() -> None:
    long = "ﷺ<&" * 200
    many = tuple((f"Attribute{place}", long, long) for place in range(30))
    deeds = [
        Deed(number % 300, f"{number}{long}", status="failure", code=f"Code{number % 400}", reason=long, changes=many)
        for number in range(3_000)
    ]
    there = standing(failed=[began(0)] * 3_000)
    page = period_page(activities(deeds), PERIOD, cycles(300), there)
    assert len(page.encode()) < BYTES
    assert f"{tables.ROWS:,} of 3,000 are shown." in page
    assert f"{tables.LISTED:,} of 3,000 are shown." in page
    assert max(len(cell) for row in Outline(page).rows["activity-table-1"] for cell in row[4:5]) <= TEXT

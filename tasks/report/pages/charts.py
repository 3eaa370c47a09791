"""The HTML report's charts: Vega-Lite drawn to SVG while the page is made, so that the page needs no script for them.

Each chart comes in two widths, for a wide screen and for a phone or paper. Importing this starts no engine; the first
chart does.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import pandas as pd

WIDE: Final = 880
"""Width in pixels of a chart that takes the whole page."""
HALF: Final = 500
"""Width in pixels of a chart that takes half of it."""
NARROW: Final = 300
"""Width in pixels of either on a phone."""

_VEGA_LITE: Final = "6.4"
"""The grammar's version that the charts are written in; the engine carries several."""
_INK, _FAINT, _RULE = "#1f2933", "#52606d", "#d9dee4"
GOOD, BAD, WAITS, TAKEN, QUIET = "#2a6f97", "#b3261e", "#9a6700", "#7b4b94", "#7b8794"
"""Colours by meaning. The style sheet gives each another value on dark ground, so marks hold exactly these."""
_COLOURS: Final[Mapping[str, str]] = {
    "failed": BAD,
    "staged": WAITS,
    "held": WAITS,
    "disabled": TAKEN,
    "deleted": TAKEN,
    "skipped": QUIET,
    "unchanged": QUIET,
}
_CONFIG: Final[Mapping[str, Any]] = {
    "background": None,
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _FAINT,
        "titleColor": _FAINT,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "gridColor": _RULE,
        "domainColor": _RULE,
        "tickColor": _RULE,
        "labelLimit": 220,
    },
    "header": {"labelColor": _INK, "labelFontSize": 12, "labelFontWeight": "bold"},
    "text": {"fontSize": 11, "fill": _INK},
}
_NUMBERS: Final = itertools.count(1)
_AUTHORED: Final = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')


@dataclasses.dataclass(frozen=True)
class Chart:
    """One chart as SVG text, in both widths."""

    wide: str
    narrow: str


def strips(counts: pd.DataFrame, moments: pd.DataFrame, groups: Sequence[str]) -> Chart:
    """Draw one row of bars a group over time, each with a scale of its own.

    `counts` has `moment`, `group`, `people`; `moments` the points in time with their `label`.
    """
    labels = moments["label"].tolist()
    names = dict(zip(moments["moment"], labels, strict=True))
    totals = counts.groupby("group")["people"].sum()
    titles = {group: f"{group.capitalize()} · {int(totals[group]):,}" for group in groups}
    rows = [
        {"when": names.get(row["moment"]), "title": titles[row["group"]], "people": int(row["people"])}
        for row in counts[counts["group"].isin(groups)].to_dict("records")
    ]
    colours = {titles[group]: _COLOURS.get(group, GOOD) for group in groups}

    def spec(width: int) -> dict[str, Any]:
        inner = width - 34
        return {
            "data": {"values": rows},
            "facet": {
                "row": {
                    "field": "title",
                    "type": "nominal",
                    "sort": list(titles.values()),
                    "header": {"labelOrient": "top", "labelAnchor": "start", "labelPadding": 2, "title": None},
                }
            },
            "spacing": 10,
            "spec": {
                "width": inner,
                "height": 34,
                "mark": {"type": "bar", "width": _bar(inner, len(labels))},
                "encoding": {
                    "x": _when(labels),
                    "y": {
                        "field": "people",
                        "type": "quantitative",
                        "axis": {"title": None, "tickCount": 1, "format": ",d", "domain": False, "ticks": False},
                    },
                    "color": {
                        "field": "title",
                        "type": "nominal",
                        "legend": None,
                        "scale": {"domain": list(colours), "range": list(colours.values())},
                    },
                },
            },
            "resolve": {"scale": {"y": "independent"}},
        }

    return _drawn(spec, WIDE)


def line(points: pd.DataFrame, labels: Sequence[str], value: str, *, percent: bool = False) -> Chart:
    """Draw the column `value` of `points` over their `label`; a percentage on a scale from 0 to 100."""
    rows = [{"when": row["label"], "value": float(row[value])} for row in points.to_dict("records")]
    scale = {"domain": [0, 100]} if percent else {"zero": True, "nice": True}
    axis = {"title": None, "tickCount": 4, "domain": False, "ticks": False, "format": ",d"}
    if percent:
        axis["labelExpr"] = "datum.label + ' %'"

    def spec(width: int) -> dict[str, Any]:
        y = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}
        return {
            "width": width - 60,
            "height": 150,
            "data": {"values": rows},
            "mark": {
                "type": "line",
                "color": GOOD,
                "strokeWidth": 2,
                "point": {"color": GOOD, "size": 36, "filled": True},
            },
            "encoding": {"x": _when(labels), "y": y},
        }

    return _drawn(spec, HALF)


def bars(rows: pd.DataFrame, name: str, value: str, *, colour: str = GOOD, digits: int = 0, unit: str = "") -> Chart:
    """Draw the column `value` as horizontal bars named by `name`, in the frame's order, the number at each end."""
    shown = [
        {"name": str(row[name]), "value": float(row[value]), "text": f"{float(row[value]):,.{digits}f}{unit}"}
        for row in rows.to_dict("records")
    ]
    longest = float(rows[value].max()) or 1
    letters = int(rows[name].astype(str).str.len().max())

    def spec(width: int) -> dict[str, Any]:
        y = {
            "field": "name",
            "type": "nominal",
            "sort": None,
            "axis": {"title": None, "domain": False, "ticks": False, "labelLimit": width * 0.42, "labelPadding": 8},
        }
        x = {"field": "value", "type": "quantitative", "axis": None, "scale": {"domain": [0, longest]}}
        return {
            "width": width - min(width * 0.42, 8 + 7.2 * letters) - 60,
            "height": {"step": 26},
            "data": {"values": shown},
            "encoding": {"y": y, "x": x},
            "layer": [
                {"mark": {"type": "bar", "color": colour, "height": 14}},
                {
                    "mark": {"type": "text", "align": "left", "dx": 5},
                    "encoding": {"text": {"field": "text", "type": "nominal"}},
                },
            ],
        }

    return _drawn(spec, HALF)


def _when(labels: Sequence[str]) -> dict[str, Any]:
    axis = {
        "title": None,
        "labelAngle": 0,
        "labelOverlap": "greedy",
        "labelSeparation": 10,
        "labelPadding": 8,
        "ticks": False,
        "grid": False,
    }
    return {"field": "when", "type": "ordinal", "scale": {"domain": list(labels)}, "axis": axis}


def _bar(width: int, bars_there: int) -> float:
    return min(24.0, 0.7 * width / max(bars_there, 1))


def _drawn(spec: Any, width: int) -> Chart:
    return Chart(_svg(spec(width)), _svg(spec(NARROW)))


def _svg(spec: Mapping[str, Any]) -> str:
    """Draw a chart. Its own roles are taken off, since the page names each chart as one picture."""
    text: str = _engine().vegalite_to_svg({**spec, "config": _CONFIG}, vl_version=_VEGA_LITE)
    # Several charts share a page, and an id may stand in it once.
    text = re.sub(r'(id="|url\(#)', rf"\g<1>chart{next(_NUMBERS)}-", _AUTHORED.sub("", text))
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


@functools.cache
def _engine() -> ModuleType:
    # It is large, and nothing but a page with charts needs it.
    import vl_convert

    return vl_convert

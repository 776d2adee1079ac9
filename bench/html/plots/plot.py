"""What every plot needs: its rows, its axes, its layers, and the way to its specification."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
from altair.utils.schemapi import debug_mode

from bench.board.columns import base_id
from bench.board.values import number
from bench.html.plots.ink import SHAPES, Ink
from bench.html.plots.label_places import short
from bench.html.prose import plain
from bench.html.sources import Source

MOST_ROWS = 24
"""The largest number of methods in a plot; the tables have all."""
RIGHT, UP = "\u2192", "\u2191"
COLOUR = {"field": "colour", "type": "nominal", "scale": None}
SHAPE = {
    "field": "shape",
    "type": "nominal",
    "legend": None,
    "scale": {"domain": list(range(len(SHAPES))), "range": list(SHAPES)},
}
Values = list[dict[str, Any]]
Channel = dict[str, Any]
"""An axis, or another channel of an encoding of Vega-Lite."""


@dataclass(frozen=True)
class Plot:
    """A plot. id: a name for files. caption: what it shows. spec: its Vega-Lite specification.

    size: "large", "small" for one of many side by side, or "tall" for one that is opened.
    """

    id: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    size: Literal["large", "small", "tall"] = "large"


def rows_of(source: Source, with_anchors: bool = False) -> list[str]:
    """Return the labels of the rows that plots show: the methods, then maybe the anchors."""
    board = source.board
    names = [*board.methods, *board.published][:MOST_ROWS]
    return [*names, *board.anchors] if with_anchors else names


def look_of(source: Source, ink: Ink, label: str) -> dict[str, Any]:
    """Return how a row is drawn: its name, colour and shape, and what kind of row it is."""
    hue = source.hues[label]
    kind = "anchor" if hue < 0 else "published" if label in source.board.published else "method"
    return {
        "row": plain(label),
        "name": short(plain(label)),
        "colour": ink.hue(hue),
        "shape": ink.shape(hue),
        "kind": kind,
    }


def value_of(source: Source, label: str, metric: str) -> tuple[float, float, float] | None:
    """Return the value of a row with the ends of its interval, as the tables have them.

    Without an interval both ends are the value. None if there is no value.
    """
    cell = source.board.cell(label, metric)
    if cell is None or cell["status"] != "ok" or not math.isfinite(cell["value"]):
        return None
    value = float(cell["value"])
    lo, hi = (float(cell[end]) if math.isfinite(cell[end]) else value for end in ("lo", "hi"))
    return value, lo, hi


def with_interval(value: float, lo: float, hi: float, digits: int) -> str:
    """Return a value with its interval as text, for a tooltip."""
    return f"{number(value, digits)} [{number(lo, digits)}, {number(hi, digits)}]"


def domain_of(
    values: Sequence[float], bounds: tuple[float | None, float | None] = (None, None)
) -> list[float]:
    """Return the ends of an axis: a little more than the values, hardly more than the bounds."""
    lo, hi = min(values), max(values)
    pad = 0.06 * (hi - lo) or 0.1
    low, high = bounds
    ends = [lo - pad, hi + pad]
    if low is not None and ends[0] < low:
        ends[0] = low - 0.02 * (ends[1] - low)
    if high is not None and ends[1] > high:
        ends[1] = high + 0.02 * (high - ends[0])
    return ends


def axis(field: str, title: str, domain: Sequence[float], log: bool = False) -> Channel:
    """Return the axis of a number with these ends."""
    if not log:
        scale = {"domain": list(domain), "nice": False, "zero": False}
        return {"field": field, "type": "quantitative", "title": title, "scale": scale}
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": list(domain), "nice": False},
        "axis": {"values": _log_ticks(*domain), "format": "~s"},
    }


def _log_ticks(lo: float, hi: float) -> list[float]:
    """Return some round numbers between two positive ones."""
    powers = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
    steps = (1, 2, 5) if hi < 1000 * lo else (1,)
    return [tick for power in powers for step in steps if lo <= (tick := step * 10.0**power) <= hi]


def line_for_each(names: Sequence[str], **more: Any) -> Channel:
    """Return an axis with a line for each name, from top to bottom."""
    return {
        "field": "name",
        "type": "nominal",
        "sort": list(names),
        "title": None,
        "axis": {"ticks": False, "domain": False, "labelPadding": 6, "grid": True, **more},
    }


def tip_of(**titles: str) -> list[Channel]:
    """Return a tooltip with these fields under these titles, after the name of the row."""
    named = {"row": "row", **titles}
    return [{"field": one, "type": "nominal", "title": title} for one, title in named.items()]


def layer(rows: Values, mark: Any, look: Mapping[str, Any], **encoding: Any) -> alt.Chart:
    """Return a layer of marks of one kind, one for each row.

    Altair would check each part against the schema of Vega-Lite, which takes most of the time of a
    report. A test does it instead. It copies a list item by item, again and again, but no tuple.
    """
    with debug_mode(False):
        return alt.Chart(
            alt.InlineData(values=tuple(rows)),
            mark=alt.MarkDef(type=mark, **look),
            encoding=alt.FacetedEncoding(**encoding),
        )


def spec_of(layers: Sequence[alt.Chart], width: float, height: float) -> dict[str, Any]:
    """Return the specification of layers above each other, the first one at the bottom."""
    with debug_mode(False):
        chart = alt.layer(*layers).properties(width=width, height=height)
        made = chart.to_dict(validate=False)
    return {key: part for key, part in made.items() if key != "config"}


def title_of(source: Source, metric: str, arrow: str = RIGHT) -> str:
    """Return the title of the axis of a metric: its name, unit and direction."""
    info = source.board.infos[base_id(metric)]
    better = {"higher": f"{arrow} better", "lower": "lower is better", "near 1": "best at 1"}
    unit = f", {info.unit}" if info.unit else ""
    return f"{plain(metric)}{unit} ({better[info.better]})"

"""Layers of points with their names, placed so that no name covers another or a point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from bench.board.values import number
from bench.html.plots.ink import Ink
from bench.html.plots.label_places import places_for, short
from bench.html.plots.plot import COLOUR, SHAPE, Channel, Values, layer, tip_of

LONGEST = 34
"""The largest number of letters beside a point, where several names may stand."""
NEAR = 4
"""Points at most so many pixels apart share their place for names."""


def named_points(
    rows: Values,
    x: Channel,
    y: Channel,
    ink: Ink,
    kinds: Sequence[str] = ("method", "published", "anchor"),
) -> list[alt.Chart]:
    """Return the layers of points and of their names.

    Args:
        rows: the points: their look, "x" and "y", maybe "x_lo" and "x_hi", which names keep clear,
            and maybe "x_text" and "y_text" for the tooltip.
        x: the axis of "x".
        y: the axis of "y".
        ink: how to draw.
        kinds: the kinds of rows, those first whose names matter most.
    """
    told = [{"x_text": number(row["x"], 3), "y_text": number(row["y"], 3), **row} for row in rows]
    encoding = {
        "x": x,
        "y": y,
        "color": COLOUR,
        "tooltip": tip_of(x_text=x["title"], y_text=y["title"]),
    }
    found = []
    for kind in ("anchor", "published", "method"):
        some = [row for row in told if row["kind"] == kind]
        if some and kind == "anchor":
            look = {"filled": False, "shape": "diamond", "size": ink.point / 2, "strokeWidth": 1.6}
            found.append(layer(some, "point", {**look, "opacity": 1}, **encoding))
        elif some:
            look = {"filled": kind == "method", "size": ink.point, "strokeWidth": 1.8, "opacity": 1}
            found.append(layer(some, "point", look, **encoding, shape=SHAPE))
    return [*found, *_names(rows, x, y, ink, kinds)]


def _names(rows: Values, x: Channel, y: Channel, ink: Ink, kinds: Sequence[str]) -> list[alt.Chart]:
    points = [
        (_pixel(x, row["x"], ink.width), ink.height - _pixel(y, row["y"], ink.height))
        for row in rows
    ]
    bars = [
        (_pixel(x, row["x_lo"], ink.width), at, _pixel(x, row["x_hi"], ink.width), at)
        for row, (_, at) in zip(rows, points, strict=True)
        if "x_lo" in row
    ]
    order = sorted(range(len(rows)), key=lambda at: kinds.index(rows[at]["kind"]))
    first = _first_near(points, order)
    together: dict[int, list[str]] = {}
    for at in order:
        together.setdefault(first[at], []).append(rows[at]["name"])
    texts = {at: short(", ".join(names), LONGEST) for at, names in together.items()}
    places = places_for(
        list(texts.values()), [points[at] for at in texts], (ink.width, ink.height), ink.font, bars
    )
    named = [
        {
            "name": text,
            "align": place.align,
            "lx": _back(x, place.x, ink.width),
            "ly": _back(y, ink.height - place.y, ink.height),
            "opacity": 0.7 if rows[at]["kind"] == "anchor" else 1,
        }
        for (at, text), place in zip(texts.items(), places, strict=True)
        if place
    ]
    return [
        layer(
            some,
            "text",
            {"align": align, "baseline": "middle", "fontSize": ink.font - 0.5},
            x={"field": "lx", "type": "quantitative"},
            y={"field": "ly", "type": "quantitative"},
            text={"field": "name"},
            opacity={"field": "opacity", "type": "quantitative", "scale": None},
        )
        for align in ("left", "center", "right")
        if (some := [row for row in named if row["align"] == align])
    ]


def _first_near(points: Sequence[tuple[float, float]], order: Sequence[int]) -> dict[int, int]:
    """Return for each point the first one, in an order, that is at nearly the same place."""
    found: dict[int, int] = {}
    for at in order:
        near = [one for one in set(found.values()) if math.dist(points[at], points[one]) < NEAR]
        found[at] = min(near, key=order.index, default=at)
    return found


def _pixel(of: Channel, value: float, size: float) -> float:
    """Return where a value is on an axis of this size, in pixels from its low end."""
    lo, hi = of["scale"]["domain"]
    if of["scale"].get("type") == "log":
        lo, hi, value = math.log(lo), math.log(hi), math.log(value)
    return float((value - lo) / (hi - lo) * size)


def _back(of: Channel, at: float, size: float) -> float:
    """Return the value at a place of an axis: the inverse of `_pixel`."""
    lo, hi = of["scale"]["domain"]
    if of["scale"].get("type") == "log":
        return math.exp(math.log(lo) + at / size * (math.log(hi) - math.log(lo)))
    return float(lo + at / size * (hi - lo))

"""Plots of the main numbers during the training."""

from __future__ import annotations

from bench.board.columns import base_id
from bench.board.values import number
from bench.html.plots.ink import DASHES, PUBLISHED_DASH, Ink
from bench.html.plots.label_places import spread
from bench.html.plots.plot import (
    COLOUR,
    SHAPE,
    UP,
    Plot,
    Values,
    axis,
    domain_of,
    layer,
    look_of,
    rows_of,
    spec_of,
    tip_of,
    title_of,
)
from bench.html.sources import Source


def curves(source: Source, ink: Ink) -> list[Plot]:
    """Return the course of each main number that is measured during the training."""
    board = source.board
    metrics = [name for name in board.main_columns if board.infos[base_id(name)].in_curve]
    return [plot for metric in metrics if (plot := _curve(source, ink, metric))]


def _curve(source: Source, ink: Ink, metric: str) -> Plot | None:
    info, points = source.board.infos[base_id(metric)], source.points
    here = points[(points["metric"] == metric) & points["value"].notna()]
    early = set(here[here["budget"] < 1]["method"])
    labels = [label for label in rows_of(source) if label in early]
    rows: Values = [
        look_of(source, ink, str(one["method"]))
        | {"dash": _dash_of(source, ink, str(one["method"]))}
        | {"x": float(one["budget"]), "y": float(one["value"])}
        | {"text": number(one["value"], info.digits)}
        for one in here[here["method"].isin(labels)].to_dict("records")
    ]
    if not rows:
        return None
    domain = domain_of([row["y"] for row in rows], info.bounds)
    budgets = sorted({row["x"] for row in rows})
    x = {
        "field": "x",
        "type": "quantitative",
        "title": "part of the training",
        "scale": {"type": "log", "base": 2, "domain": [budgets[0], 1], "nice": False},
        "axis": {
            "values": budgets,
            "labelExpr": "datum.value < 1 ? '1/' + round(1 / datum.value) : '1'",
            "grid": False,
        },
    }
    y = axis("y", title_of(source, metric, UP), domain)
    dashes = [list(one) for one in (*DASHES, PUBLISHED_DASH)]
    scale = {"domain": list(range(len(dashes))), "range": dashes}
    dash = {"field": "dash", "type": "nominal", "legend": None, "scale": scale}
    of_row = {"field": "row", "type": "nominal"}
    line, point = {"strokeWidth": 1.8}, {"filled": True, "size": ink.point / 2, "opacity": 1}
    text = {"align": "left", "dx": 8, "baseline": "middle", "fontSize": ink.font - 0.5}
    at_end = {**y, "field": "ly"}
    names = {"field": "name"}
    layers = [
        layer(rows, "line", line, x=x, y=y, color=COLOUR, detail=of_row, strokeDash=dash),
        layer(
            rows, "point", point, x=x, y=y, color=COLOUR, shape=SHAPE, tooltip=tip_of(text=metric)
        ),
        layer(_ends(rows, domain, ink), "text", text, x=x, y=at_end, text=names, color=COLOUR),
    ]
    return Plot(
        f"curve-{metric}",
        f"{metric} over the training",
        "A point is a state within the full training, not a shorter training."
        + (" Dotted: published configurations." if source.board.published else ""),
        spec_of(layers, 0.85 * ink.width, ink.height),
    )


def _dash_of(source: Source, ink: Ink, label: str) -> int:
    """Return which dash the line of a row has; behind `DASHES` comes `PUBLISHED_DASH`."""
    is_published = label in source.board.published
    return len(DASHES) if is_published else ink.dash(source.hues[label])


def _ends(rows: Values, domain: list[float], ink: Ink) -> Values:
    """Return the last point of each row, with a place for its name at "ly"."""
    ends = [row for row in rows if row["x"] == 1]
    lo, hi = domain
    pixels = [(hi - row["y"]) / (hi - lo) * ink.height for row in ends]
    places = spread(pixels, ink.font * 1.15, 0, ink.height)
    return [
        {**row, "ly": hi - at / ink.height * (hi - lo)}
        for row, at in zip(ends, places, strict=True)
    ]

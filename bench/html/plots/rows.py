"""Plots with a line for each row of the board: numbers, places, factors and losses."""

from __future__ import annotations

from bench.board.columns import base_id
from bench.board.samples import entries_of
from bench.board.values import detail_of, is_number, number
from bench.html.plots.ink import Ink
from bench.html.plots.label_places import short
from bench.html.plots.plot import (
    COLOUR,
    MOST_ROWS,
    Plot,
    Values,
    axis,
    domain_of,
    layer,
    line_for_each,
    look_of,
    rows_of,
    spec_of,
    tip_of,
    title_of,
    value_of,
    with_interval,
)
from bench.html.prose import plain
from bench.html.sources import Source


def height_of(n_lines: int, ink: Ink, each: float = 1.75) -> float:
    """Return the height of so many lines, in pixels. each: the height of a line in letters."""
    return max(2, n_lines) * ink.font * each


def ranks(source: Source, ink: Ink) -> Plot | None:
    """Return the interval of the place of each ranked method."""
    board = source.board
    labels = [label for label in board.ordering.ranks if label in board.places][:MOST_ROWS]
    if len(labels) < 2:
        return None
    rows: Values = []
    for label in labels:
        (lo, hi), place = board.places[label], board.ordering.ranks[label]
        ends = {"lo": lo - 0.25, "hi": hi + 0.25, "place": place, "text": f"{place} [{lo}, {hi}]"}
        rows.append(look_of(source, ink, label) | ends)
    last = max(board.places[label][1] for label in labels)
    x = {
        "type": "quantitative",
        "title": "place (1 is best)",
        "scale": {"domain": [0.5, last + 0.5], "nice": False, "zero": False},
        "axis": {"values": list(range(1, last + 1, max(1, last // 12))), "format": "d"},
    }
    y = line_for_each([row["name"] for row in rows])
    more = {"y": y, "color": COLOUR, "tooltip": tip_of(text="place, 95 % interval")}
    bar = {"strokeWidth": 7, "opacity": 0.3, "strokeCap": "round"}
    point = {"filled": True, "size": ink.point, "opacity": 1}
    layers = [
        layer(rows, "rule", bar, x={**x, "field": "lo"}, x2={"field": "hi"}, **more),
        layer(rows, "point", point, x={**x, "field": "place"}, **more),
    ]
    return Plot(
        "rank-intervals",
        f"Places by {plain(board.ordering.metric)}",
        "The bar holds 95 % of the places when seeds and test items are drawn again.",
        spec_of(layers, ink.width, height_of(len(rows), ink)),
    )


def dots(source: Source, ink: Ink) -> list[Plot]:
    """Return each main number of each method: its mean, its interval, and a dot for each seed."""
    made = (_dots(source, ink, metric) for metric in source.board.main_columns)
    return [plot for plot in made if plot]


def _dots(source: Source, ink: Ink, metric: str) -> Plot | None:
    info = source.board.infos[base_id(metric)]
    rows: Values = []
    seeds: Values = []
    for label in rows_of(source):
        found = value_of(source, label, metric)
        if not found:
            continue
        look = look_of(source, ink, label)
        ends = dict(zip(("x", "lo", "hi"), found, strict=True))
        rows.append(look | ends | {"text": with_interval(*found, info.digits)})
        of_seeds = entries_of(source.records.get(label, ()), info.id)
        for seed, one in of_seeds.items() if len(of_seeds) > 1 else ():
            text = f"seed {seed}: {number(one['value'], info.digits)}"
            seeds.append(look | {"x": float(one["value"]), "text": text})
    if not rows:
        return None
    ends_of_all = [row[key] for row in rows for key in ("x", "lo", "hi")]
    ends_of_all += [row["x"] for row in seeds]
    lo, hi = min(ends_of_all), max(ends_of_all)
    log = info.scale == "log" and lo > 0 and hi > 5 * lo
    domain = [lo / 1.15, hi * 1.15] if log else domain_of(ends_of_all, info.bounds)
    x = axis("x", title_of(source, metric), domain, log)
    y = line_for_each([row["name"] for row in rows])
    bar = {"strokeWidth": 4, "opacity": 0.35, "strokeCap": "round"}
    tip = tip_of(text=info.id)
    ends_of_bar = {"x": {**x, "field": "lo"}, "x2": {"field": "hi"}}
    layers = [layer(rows, "rule", bar, **ends_of_bar, y=y, color=COLOUR)]
    if seeds:
        small = {"filled": True, "size": 0.23 * ink.point, "opacity": 0.55, "color": ink.text}
        layers.append(layer(seeds, "point", small, x=x, y=y, tooltip=tip))
    for kind in ("published", "method"):
        some = [row for row in rows if row["kind"] == kind]
        look = {
            "filled": kind == "method",
            "size": 0.8 * ink.point,
            "strokeWidth": 1.8,
            "opacity": 1,
        }
        if some:
            layers.append(layer(some, "point", look, x=x, y=y, color=COLOUR, tooltip=tip))
    return Plot(
        f"dots-{metric}",
        metric,
        f"{source.board.meanings.get(info.id) or info.meaning}."
        + (" Small dots are seeds." if seeds else ""),
        spec_of(layers, ink.width * 0.6, height_of(len(rows), ink)),
        size="small",
    )


def factors(source: Source, ink: Ink) -> list[Plot]:
    """Return what probes find of each factor in each code, as a heat map for each code."""
    infos = [one for one in source.board.infos.values() if one.code]
    made = (_factors(source, ink, code) for code in dict.fromkeys(one.code for one in infos))
    return [plot for plot in made if plot]


def _factors(source: Source, ink: Ink, code: str) -> Plot | None:
    infos = [info for info in source.board.infos.values() if info.code == code]
    rows: Values = [
        {
            **look_of(source, ink, label),
            "factor": plain(factor),
            "share": min(max(float(facts["value"]), 0), 1),
            "text": number(facts["value"], 2),
            "is_wanted": info.better == "higher",
        }
        for label in rows_of(source)
        for info in infos
        for factor, facts in detail_of(source.board.cell(label, info.id)).items()
        if isinstance(facts, dict) and is_number(facts.get("value"))
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["name"] for row in rows))
    ordered = sorted(rows, key=lambda row: (not row["is_wanted"], row["factor"]))
    columns = list(dict.fromkeys(row["factor"] for row in ordered))
    look = {"orient": "top", "labelAngle": -45, "ticks": False, "domain": False}
    x = {"field": "factor", "type": "nominal", "sort": columns, "title": None, "axis": look}
    y = line_for_each(names, grid=False)
    scale = {"domain": [0, 1], "range": [0.04, 0.95]}
    share = {"field": "share", "type": "quantitative", "legend": None, "scale": scale}
    layers = [
        layer(
            some,
            "rect",
            {"color": hue, "stroke": ink.paper, "strokeWidth": 2},
            x=x,
            y=y,
            opacity=share,
            tooltip=tip_of(factor="factor", text="found"),
        )
        for is_wanted, hue in ((True, ink.accent), (False, ink.leak))
        if (some := [row for row in rows if row["is_wanted"] is is_wanted])
    ]
    layers.append(layer(rows, "text", {"fontSize": ink.font - 2}, x=x, y=y, text={"field": "text"}))
    width = max(0.6 * ink.width, len(columns) * ink.font * 2.4)
    return Plot(
        f"factors-{code}",
        f"What {code} holds of each factor",
        "0 = a guess, 1 = always right. Blue belongs into this code, orange is a leak.",
        spec_of(layers, width, height_of(len(names), ink)),
    )


def losses(source: Source, ink: Ink) -> Plot | None:
    """Return the last losses of the training of each method, a dot for each seed."""
    rows: Values = []
    for label in rows_of(source):
        for record in source.records.get(label, ()) if label in source.board.methods else ():
            for name, value in sorted(record["facts"].get("losses", {}).items()):
                if is_number(value) and value > 0:
                    line = f"{short(plain(label), 18)}: {short(plain(name), 20)}"
                    text = f"seed {record['identity']['seed']}: {value:.3g}"
                    look = look_of(source, ink, label)
                    rows.append(look | {"name": line, "x": float(value), "text": text})
    if not rows:
        return None
    lines = list(dict.fromkeys(row["name"] for row in rows))
    values = [row["x"] for row in rows]
    x = axis("x", "last value", (min(values) / 1.3, max(values) * 1.3), log=True)
    y = line_for_each(lines, labelLimit=260)
    point = {"filled": True, "size": 0.7 * ink.point, "opacity": 0.9}
    layers = [layer(rows, "point", point, x=x, y=y, color=COLOUR, tooltip=tip_of(text="loss"))]
    return Plot(
        "losses",
        "Training losses",
        "The last value of each loss; a record keeps no others. Losses of different methods do "
        "not compare.",
        spec_of(layers, 0.7 * ink.width, height_of(len(lines), ink, 1.4)),
        size="tall",
    )

"""The plots of a board as Vega-Lite specifications. Their numbers are those of its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from bench.board.columns import base_id, main_metrics
from bench.board.order import badness
from bench.board.samples import entries_of
from bench.board.values import detail_of, is_number, number, numbers_in
from bench.html.ink import Ink
from bench.html.label_places import places_for, short, spread
from bench.html.prose import plain
from bench.html.sources import Source

MOST_ROWS = 24
"""The largest number of rows in a plot; the tables have all."""
UP = "\u2191"
Values = list[dict[str, Any]]


@dataclass(frozen=True)
class Plot:
    """A plot. id: a name for files. caption: what it shows. spec: its Vega-Lite specification."""

    id: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    is_small: bool = False


def plots_of(source: Source, ink: Ink) -> list[Plot]:
    """Return the plots of a board that its numbers allow."""
    made: list[Plot | None] = [
        separation(source, ink),
        *parts(source, ink),
        pareto(source, ink),
        ranks(source, ink),
        *curves(source, ink),
        *dots(source, ink),
        *factors(source, ink),
        losses(source, ink),
    ]
    return [plot for plot in made if plot]


def _rows(source: Source, with_anchors: bool = False) -> list[str]:
    board = source.board
    names = [*board.methods, *board.published][:MOST_ROWS]
    return [*names, *board.anchors] if with_anchors else names


def _point(source: Source, ink: Ink, label: str) -> dict[str, Any]:
    """Return how a row is drawn: name, colour, shape, and whether it is filled."""
    hue = source.hues[label]
    kind = "anchor" if hue < 0 else "published" if label in source.board.published else "method"
    return {
        "row": plain(label),
        "name": short(plain(label)),
        "colour": ink.hue(hue),
        "shape": ink.shape(hue),
        "kind": kind,
    }


def _domain(values: Sequence[float], bounds: tuple[float | None, float | None]) -> list[float]:
    """Return the ends of an axis: a little more than the values, within the bounds."""
    lo, hi = min(values), max(values)
    pad = 0.06 * (hi - lo) or 0.1
    low, high = bounds
    ends = [lo - pad, hi + pad]
    if low is not None and ends[0] < low:
        ends[0] = low - 0.02 * (ends[1] - low)
    if high is not None and ends[1] > high:
        ends[1] = high + 0.02 * (high - ends[0])
    return ends


def _axis(name: str, title: str, domain: Sequence[float], **more: Any) -> dict[str, Any]:
    scale = {"domain": list(domain), "nice": False} | more.pop("scale", {"zero": False})
    if scale.get("type") == "log":
        more["axis"] = {"values": _log_ticks(*domain), "format": "~s"}
    return {"field": name, "type": "quantitative", "title": title, "scale": scale} | more


def _log_ticks(lo: float, hi: float) -> list[float]:
    """Return some round numbers between two positive ones."""
    powers = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [tick for power in powers for step in steps if lo <= (tick := step * 10.0**power) <= hi]


def _named(
    rows: Values,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    ink: Ink,
    kinds_first: Sequence[str] = ("method", "published", "anchor"),
) -> list[alt.LayerChart | alt.Chart]:
    """Return the layers of named points: points, and names that do not cover each other."""

    def pixel(axis: Mapping[str, Any], value: float, size: int) -> float:
        lo, hi = axis["scale"]["domain"]
        if axis["scale"].get("type") == "log":
            lo, hi, value = math.log(lo), math.log(hi), math.log(value)
        return (value - lo) / (hi - lo) * size

    def back(axis: Mapping[str, Any], at: float, size: int) -> float:
        lo, hi = axis["scale"]["domain"]
        if axis["scale"].get("type") == "log":
            return math.exp(math.log(lo) + at / size * (math.log(hi) - math.log(lo)))
        return float(lo + at / size * (hi - lo))

    points = [
        (pixel(x, row[x["field"]], ink.width), ink.height - pixel(y, row[y["field"]], ink.height))
        for row in rows
    ]
    bars = [
        (pixel(x, row["x_lo"], ink.width), points[at][1], pixel(x, row["x_hi"], ink.width), points[at][1])
        for at, row in enumerate(rows)
        if "x_lo" in row
    ]
    order = sorted(range(len(rows)), key=lambda at: kinds_first.index(rows[at]["kind"]))
    firsts = _first_at_each_place(points, order)
    together = {
        at: ", ".join(rows[other]["name"] for other in order if firsts[other] == at)
        for at in dict.fromkeys(firsts[at] for at in order)
    }
    order = list(together)
    places = places_for(
        [short(together[at], 34) for at in order],
        [points[at] for at in order],
        ink.width,
        ink.height,
        ink.font,
        bars,
    )
    names = [
        {
            "name": short(together[at], 34),
            "align": place.align,
            "lx": back(x, place.x, ink.width),
            "ly": back(y, ink.height - place.y, ink.height),
            "kind": rows[at]["kind"],
            "colour": rows[at]["colour"],
        }
        for at, place in zip(order, places, strict=True)
        if place
    ]
    tips = [{"field": "row", "title": "row"}] + [
        {"field": f"{axis['field']}_text", "title": axis["title"]} for axis in (x, y)
    ]
    for row in rows:
        for axis in (x, y):
            row.setdefault(f"{axis['field']}_text", number(row[axis["field"]], 3))
    encoding = {
        "x": x,
        "y": y,
        "color": {"field": "colour", "type": "nominal", "scale": None},
        "shape": {"field": "shape", "type": "nominal", "scale": None},
        "tooltip": [{**tip, "type": "nominal"} for tip in tips],
    }
    layers = []
    for kinds, filled in ((("anchor",), False), (("published",), False), (("method",), True)):
        some = [row for row in rows if row["kind"] in kinds]
        if some:
            mark = {"type": "point", "filled": filled, "size": 70, "strokeWidth": 1.8, "opacity": 1}
            if kinds == ("anchor",):
                mark |= {"shape": "diamond", "size": 36}
                layers.append(_layer(some, mark, {k: v for k, v in encoding.items() if k != "shape"}))
            else:
                layers.append(_layer(some, mark, encoding))
    for align in ("left", "right"):
        some = [row for row in names if row["align"] == align]
        if some:
            layers.append(
                _layer(
                    some,
                    {"type": "text", "align": align, "baseline": "middle", "fontSize": ink.font - 0.5},
                    {
                        "x": {"field": "lx", "type": "quantitative"},
                        "y": {"field": "ly", "type": "quantitative"},
                        "text": {"field": "name"},
                        "opacity": {"condition": {"test": "datum.kind == 'anchor'", "value": 0.65}, "value": 1},
                    },
                )
            )
    return layers


def _first_at_each_place(
    points: Sequence[tuple[float, float]], order: Sequence[int]
) -> dict[int, int]:
    """Return for each point the first point in an order that is at nearly the same place."""
    found: dict[int, int] = {}
    for at in order:
        near = (other for other in set(found.values()) if math.dist(points[at], points[other]) < 4)
        found[at] = min(near, key=order.index, default=at)
    return found


def _layer(rows: Values, mark: Mapping[str, Any], encoding: Mapping[str, Any]) -> Any:
    return alt.Chart.from_dict(
        {"data": {"values": list(rows)}, "mark": dict(mark), "encoding": dict(encoding)},
        validate=False,
    )


def _spec(layers: Sequence[Any], ink: Ink, height: float | None = None, width: float | None = None) -> dict[str, Any]:
    chart = alt.layer(*layers).properties(
        width=ink.width if width is None else width, height=ink.height if height is None else height
    )
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    return spec


def _title(source: Source, metric: str, arrow: str = "\u2192") -> str:
    info = source.board.infos[base_id(metric)]
    arrows = {"higher": f"{arrow} better", "lower": "lower is better", "near 1": "best at 1"}
    unit = f", {info.unit}" if info.unit else ""
    return f"{info.id}{unit} ({arrows[info.better]})"


def separation(source: Source, ink: Ink) -> Plot | None:
    """Return transfer against separation, with intervals."""
    board = source.board
    infos = board.infos
    wanted = [
        name for name in board.columns(main_metrics(infos))
        if infos[base_id(name)].group == "What is in which code" and not infos[base_id(name)].code
    ]  # fmt: skip
    order = board.ordering.metric
    if not wanted or not order:
        return None
    metric = wanted[0]
    rows: Values = []
    for label in _rows(source):
        x, y = board.cell(label, metric), board.cell(label, order)
        if x and y and x["status"] == y["status"] == "ok":
            ends = {
                f"{name}_{end}": float(cell[end] if math.isfinite(cell[end]) else cell["value"])
                for name, cell in (("x", x), ("y", y))
                for end in ("lo", "hi")
            }
            rows.append(_point(source, ink, label) | {"x": float(x["value"]), "y": float(y["value"])} | ends)
    if not rows:
        return None
    x_axis = _axis("x", _title(source, metric), _domain([r[k] for r in rows for k in ("x", "x_lo", "x_hi")], infos[base_id(metric)].bounds))
    y_axis = _axis("y", _title(source, order, UP), _domain([r[k] for r in rows for k in ("y", "y_lo", "y_hi")], infos[base_id(order)].bounds))
    colour = {"field": "colour", "type": "nominal", "scale": None}
    bars = [
        _layer(rows, {"type": "rule", "opacity": 0.45, "strokeWidth": 1.5},
               {"x": {**x_axis, "field": "x_lo"}, "x2": {"field": "x_hi"}, "y": y_axis, "color": colour}),
        _layer(rows, {"type": "rule", "opacity": 0.45, "strokeWidth": 1.5},
               {"y": {**y_axis, "field": "y_lo"}, "y2": {"field": "y_hi"}, "x": x_axis, "color": colour}),
    ]  # fmt: skip
    return Plot(
        "transfer-separation",
        f"{order} against {metric}",
        "Up and to the right is better. Lines are 95 % intervals; hollow points are published configurations.",
        _spec([*bars, *_named(rows, x_axis, y_axis, ink)], ink),
    )


def parts(source: Source, ink: Ink) -> list[Plot]:
    """Return content arrived against source kept, for each score that says its sides."""
    board, found = source.board, []
    for metric in board.columns(main_metrics(board.infos)):
        rows: Values = []
        letters: list[str] = []
        says: Mapping[str, Any] = {}
        for label in _rows(source, with_anchors=True):
            detail = detail_of(board.cell(label, metric))
            sides, values = detail.get("sides"), numbers_in(detail, "parts")
            if not isinstance(sides, dict) or len(sides) != 1:
                continue
            letters = [str(letter) for letter in next(iter(sides.values()))][:2]
            says = detail.get("says") or {}
            if all(letter in values for letter in letters):
                y, x = (values[letter] for letter in letters)
                rows.append(_point(source, ink, label) | {"x": x, "y": y})
        if not rows or len(letters) < 2:
            continue
        ends = (-0.03, 1.03)
        x_axis = _axis("x", f"{letters[1]}: {plain(str(says.get(letters[1], '')))}", ends)
        y_axis = _axis("y", f"{letters[0]}: {plain(str(says.get(letters[0], '')))}", ends)
        found.append(
            Plot(
                f"parts-{metric}",
                f"Content arrived against source kept: {board.infos[base_id(metric)].label}",
                "Two parts of the score. The truth is at the top right; diamonds are floors and ceilings.",
                _spec(_named(rows, x_axis, y_axis, ink, ("anchor", "method", "published")), ink),
            )
        )
    return found


def pareto(source: Source, ink: Ink) -> Plot | None:
    """Return quality against speed, with the front of methods that none beats in both."""
    board, order = source.board, source.board.ordering.metric
    speeds = [
        name for name in board.columns(main_metrics(board.infos))
        if board.infos[base_id(name)].kind == "clocked" and board.better(name) == "higher"
    ]  # fmt: skip
    if not speeds or not order or not board.machines:
        return None
    machine = max(board.machines, key=lambda name: len(board.machines[name]))
    rows: Values = []
    for label in _rows(source):
        x, y = board.cell(label, speeds[0]), board.cell(label, order)
        if label in board.machines[machine] and x and y and x["status"] == y["status"] == "ok" and x["value"] > 0:
            rows.append(_point(source, ink, label) | {"x": float(x["value"]), "y": float(y["value"]), "x_text": number(x["value"], 0)})
    if not rows:
        return None
    better = board.ordering.better
    front = [
        row for row in rows
        if not any(
            other["x"] >= row["x"] and badness(other["y"], better) <= badness(row["y"], better)
            and (other["x"], other["y"]) != (row["x"], row["y"])
            for other in rows
        )
    ]  # fmt: skip
    front.sort(key=lambda row: row["x"])
    speeds_of = [row["x"] for row in rows]
    x_axis = _axis(
        "x", _title(source, speeds[0]), [min(speeds_of) / 1.25, max(speeds_of) * 1.25],
        scale={"type": "log"},
    )  # fmt: skip
    y_axis = _axis("y", _title(source, order, UP), _domain([row["y"] for row in rows], board.infos[base_id(order)].bounds))
    line = _layer(
        front,
        {"type": "line", "interpolate": "step-before", "strokeDash": [4, 3], "opacity": 0.6, "color": ink.text, "strokeWidth": 1.2},
        {"x": x_axis, "y": y_axis, "order": {"field": "x", "type": "quantitative"}},
    )
    others = sum(len(of) for name, of in board.machines.items() if name != machine)
    more = f" {others} methods were timed on other machines and are left out." if others else ""
    return Plot(
        "quality-speed",
        f"{order} against speed",
        f"The dashed line joins the methods that no other beats in both. Timed on {machine}.{more}",
        _spec([line, *_named(rows, x_axis, y_axis, ink)], ink),
    )


def _by_row(source: Source, ink: Ink, labels: Sequence[str]) -> tuple[dict[str, Any], float]:
    """Return the axis with a line for each row, and its height."""
    names = [short(plain(label)) for label in labels]
    unique = dict(zip(labels, names, strict=True))
    if len(set(names)) < len(names):
        unique = {label: plain(label) for label in labels}
    axis = {
        "field": "name", "type": "nominal", "sort": list(unique.values()), "title": None,
        "axis": {"ticks": False, "domain": False, "labelPadding": 6, "grid": True},
    }  # fmt: skip
    return axis, max(3, len(labels)) * ink.font * 1.75


def ranks(source: Source, ink: Ink) -> Plot | None:
    """Return the interval of the place of each ranked method."""
    board = source.board
    labels = [label for label in board.ordering.ranks if label in board.places][:MOST_ROWS]
    if len(labels) < 2:
        return None
    y, height = _by_row(source, ink, labels)
    rows = []
    for label in labels:
        lo, hi = board.places[label]
        place = board.ordering.ranks[label]
        rows.append(
            _point(source, ink, label) | {"lo": lo - 0.25, "hi": hi + 0.25, "place": place, "text": f"{place} [{lo}, {hi}]"}
        )
    last = max(hi for _, hi in board.places.values())
    x = {
        "type": "quantitative", "title": "place (1 is best)",
        "scale": {"domain": [0.5, last + 0.5], "nice": False, "zero": False},
        "axis": {"values": list(range(1, last + 1))[:: max(1, last // 12)], "format": "d"},
    }  # fmt: skip
    colour = {"field": "colour", "type": "nominal", "scale": None}
    tip = [{"field": "row", "type": "nominal"}, {"field": "text", "type": "nominal", "title": "place, 95 % interval"}]
    layers = [
        _layer(rows, {"type": "rule", "strokeWidth": 7, "opacity": 0.3, "strokeCap": "round"},
               {"x": {**x, "field": "lo"}, "x2": {"field": "hi"}, "y": y, "color": colour, "tooltip": tip}),
        _layer(rows, {"type": "point", "filled": True, "size": 60, "opacity": 1},
               {"x": {**x, "field": "place"}, "y": y, "color": colour, "tooltip": tip}),
    ]  # fmt: skip
    return Plot(
        "rank-intervals",
        f"Places by {board.ordering.metric}",
        "The bar holds 95 % of the places when seeds and test items are drawn again.",
        _spec(layers, ink, height),
    )


def curves(source: Source, ink: Ink) -> list[Plot]:
    """Return the main numbers during the training, for methods with such points."""
    board, found = source.board, []
    points = source.points[source.points["value"].notna()]
    shown = [name for name in board.columns(main_metrics(board.infos)) if board.infos[base_id(name)].in_curve]
    for metric in shown:
        info = board.infos[base_id(metric)]
        of_metric = points[(points["metric"] == metric) & points["method"].isin(_rows(source))]
        early = set(of_metric[of_metric["budget"] < 1]["method"])
        rows: Values = []
        ends: Values = []
        for one in of_metric[of_metric["method"].isin(early)].to_dict("records"):
            look = _point(source, ink, str(one["method"]))
            row = look | {"x": float(one["budget"]), "y": float(one["value"]), "text": number(one["value"], info.digits)}
            rows.append(row)
            if row["x"] == 1:
                ends.append(dict(row))
        if not rows:
            continue
        lowest = min(row["x"] for row in rows)
        domain = _domain([row["y"] for row in rows], info.bounds)
        ends.sort(key=lambda row: row["kind"] != "method")
        pixels = [(1 - (row["y"] - domain[0]) / (domain[1] - domain[0])) * ink.height for row in ends]
        moved = spread(pixels, ink.font * 1.15, 0, ink.height)
        for row, at in zip(ends, moved, strict=True):
            row["ly"] = domain[0] + (1 - at / ink.height) * (domain[1] - domain[0])
        ticks = sorted({row["x"] for row in rows})
        x = {
            "field": "x", "type": "quantitative", "title": "part of the training",
            "scale": {"type": "log", "base": 2, "domain": [lowest, 1], "nice": False},
            "axis": {"values": ticks, "labelExpr": "datum.value < 1 ? '1/' + round(1 / datum.value) : '1'", "grid": False},
        }  # fmt: skip
        y = _axis("y", _title(source, metric, UP), domain)
        colour = {"field": "colour", "type": "nominal", "scale": None}
        detail = {"field": "row", "type": "nominal"}
        tip = [{"field": "row", "type": "nominal"}, {"field": "text", "type": "nominal", "title": info.id}]
        dash = {"condition": {"test": "datum.kind == 'published'", "value": [4, 3]}, "value": [1, 0]}
        layers = [
            _layer(rows, {"type": "line", "strokeWidth": 1.8}, {"x": x, "y": y, "color": colour, "detail": detail, "strokeDash": dash}),
            _layer(rows, {"type": "point", "filled": True, "size": 34, "opacity": 1},
                   {"x": x, "y": y, "color": colour, "shape": {"field": "shape", "type": "nominal", "scale": None}, "tooltip": tip}),
            _layer(ends, {"type": "text", "align": "left", "dx": 8, "baseline": "middle", "fontSize": ink.font - 0.5},
                   {"x": x, "y": {"field": "ly", "type": "quantitative"}, "text": {"field": "name"}, "color": colour}),
        ]  # fmt: skip
        found.append(
            Plot(
                f"curve-{metric}",
                f"{metric} over the training",
                "A point is a state within the full training, not a shorter training."
                + (" Dashed: published configurations." if board.published else ""),
                _spec(layers, ink, width=ink.width * 0.85),
            )
        )
    return found


def dots(source: Source, ink: Ink) -> list[Plot]:
    """Return each main number of each method: its mean, its interval, and a dot for each seed."""
    board, found = source.board, []
    labels = _rows(source)
    for metric in board.columns(main_metrics(board.infos)):
        info = board.infos[base_id(metric)]
        rows: Values = []
        seeds: Values = []
        for label in labels:
            cell = board.cell(label, metric)
            if not cell or cell["status"] != "ok":
                continue
            value = float(cell["value"])
            lo, hi = (float(cell[end]) if math.isfinite(cell[end]) else value for end in ("lo", "hi"))
            text = f"{number(value, info.digits)} [{number(lo, info.digits)}, {number(hi, info.digits)}]"
            rows.append(_point(source, ink, label) | {"x": value, "lo": lo, "hi": hi, "text": text})
            of_seeds = entries_of(source.records.get(label, ()), base_id(metric))
            if len(of_seeds) > 1:
                seeds += [
                    _point(source, ink, label) | {"x": float(one["value"]), "text": f"seed {seed}: {number(one['value'], info.digits)}"}
                    for seed, one in of_seeds.items()
                ]
        if not rows:
            continue
        y, height = _by_row(source, ink, [label for label in labels if any(row["row"] == plain(label) for row in rows)])
        everything = [row[key] for row in rows for key in ("x", "lo", "hi")] + [row["x"] for row in seeds]
        log = info.scale == "log" and min(everything) > 0 and max(everything) > 5 * min(everything)
        scale = {"type": "log"} if log else {"zero": False}
        domain = [min(everything) / 1.15, max(everything) * 1.15] if log else _domain(everything, info.bounds)
        x = _axis("x", _title(source, metric), domain, scale=scale)
        colour = {"field": "colour", "type": "nominal", "scale": None}
        tip = [{"field": "row", "type": "nominal"}, {"field": "text", "type": "nominal", "title": info.id}]
        layers = [
            _layer(rows, {"type": "rule", "strokeWidth": 4, "opacity": 0.35, "strokeCap": "round"},
                   {"x": {**x, "field": "lo"}, "x2": {"field": "hi"}, "y": y, "color": colour}),
        ]  # fmt: skip
        if seeds:
            layers.append(
                _layer(seeds, {"type": "point", "filled": True, "size": 16, "opacity": 0.55, "color": ink.text},
                       {"x": x, "y": y, "tooltip": tip})  # fmt: skip
            )
        for kind, filled in (("published", False), ("method", True)):
            some = [row for row in rows if row["kind"] == kind]
            if some:
                layers.append(
                    _layer(some, {"type": "point", "filled": filled, "size": 55, "strokeWidth": 1.8, "opacity": 1},
                           {"x": x, "y": y, "color": colour, "tooltip": tip})  # fmt: skip
                )
        seeds_said = " Small dots are seeds." if seeds else ""
        found.append(
            Plot(f"dots-{metric}", metric, f"{info.meaning}.{seeds_said}", _spec(layers, ink, height, ink.width * 0.6), is_small=True)
        )
    return found


def factors(source: Source, ink: Ink) -> list[Plot]:
    """Return what probes find of each factor in each code, as a heat map a code."""
    board, found = source.board, []
    infos = [info for info in board.infos.values() if info.code and board.columns([info.id])]
    for code in dict.fromkeys(info.code for info in infos):
        rows: Values = []
        for label in _rows(source):
            for info in (one for one in infos if one.code == code):
                for factor, facts in detail_of(board.cell(label, info.id)).items():
                    if isinstance(facts, dict) and is_number(facts.get("value")):
                        value = float(facts["value"])
                        rows.append(
                            _point(source, ink, label)
                            | {
                                "factor": plain(factor),
                                "value": value,
                                "share": min(max(value, 0), 1),
                                "text": number(value, 2),
                                "wanted": info.better == "higher",
                            }
                        )
        if not rows:
            continue
        labels = [label for label in _rows(source) if any(row["row"] == plain(label) for row in rows)]
        y, height = _by_row(source, ink, labels)
        wanted = list(dict.fromkeys(row["factor"] for row in sorted(rows, key=lambda row: (not row["wanted"], row["factor"]))))
        x = {
            "field": "factor", "type": "nominal", "sort": wanted, "title": None,
            "axis": {"orient": "top", "labelAngle": -45, "ticks": False, "domain": False, "labelPadding": 4},
        }  # fmt: skip
        tip = [{"field": name, "type": "nominal"} for name in ("row", "factor", "text")]
        layers: list[Any] = []
        for is_wanted, hue in ((True, ink.accent), (False, ink.leak)):
            some = [row for row in rows if row["wanted"] is is_wanted]
            if some:
                layers.append(
                    _layer(some, {"type": "rect", "color": hue, "stroke": ink.paper, "strokeWidth": 2},
                           {"x": x, "y": y, "tooltip": tip,
                            "opacity": {"field": "share", "type": "quantitative", "legend": None,
                                        "scale": {"domain": [0, 1], "range": [0.04, 0.95]}}})  # fmt: skip
                )
        layers.append(
            _layer(rows, {"type": "text", "fontSize": ink.font - 2},
                   {"x": x, "y": y, "text": {"field": "text"}})  # fmt: skip
        )
        found.append(
            Plot(
                f"factors-{code}",
                f"What {code} holds of each factor",
                "0 = a guess, 1 = always right. Blue belongs into this code; orange is a leak.",
                _spec(layers, ink, height, max(ink.width, len(wanted) * ink.font * 2.6)),
            )
        )
    return found


def losses(source: Source, ink: Ink) -> Plot | None:
    """Return the last losses of the training of each method."""
    rows: Values = []
    order: list[str] = []
    for label in [name for name in _rows(source) if name in source.board.methods]:
        for record in source.records.get(label, ()):
            for name, value in sorted(record["facts"].get("losses", {}).items()):
                if is_number(value) and value > 0:
                    line = f"{short(plain(label), 18)}: {short(plain(name), 18)}"
                    order.append(line)
                    seed = record["identity"]["seed"]
                    rows.append(
                        _point(source, ink, label)
                        | {"name": line, "x": float(value), "text": f"seed {seed}: {value:.3g}"}
                    )
    if not rows:
        return None
    order = list(dict.fromkeys(order))
    x = _axis("x", "last value, logarithmic", [min(r["x"] for r in rows) / 1.3, max(r["x"] for r in rows) * 1.3],
              scale={"type": "log"})  # fmt: skip
    y = {"field": "name", "type": "nominal", "sort": order, "title": None,
         "axis": {"ticks": False, "domain": False, "grid": True, "labelLimit": 240}}  # fmt: skip
    tip = [{"field": name, "type": "nominal"} for name in ("name", "text")]
    layer = _layer(rows, {"type": "point", "filled": True, "size": 45, "opacity": 0.9},
                   {"x": x, "y": y, "color": {"field": "colour", "type": "nominal", "scale": None}, "tooltip": tip})  # fmt: skip
    return Plot(
        "losses",
        "Training losses",
        "The last value of each loss, a dot a seed; a record keeps no others. Losses of different methods do not compare.",
        _spec([layer], ink, len(order) * ink.font * 1.45),
    )

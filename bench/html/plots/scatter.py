"""Plots of one number against another: separation, the parts of scores, speed."""

from __future__ import annotations

from bench.board.columns import badness, base_id
from bench.board.values import detail_of, number, numbers_in
from bench.html.plots.ink import Ink
from bench.html.plots.named_points import named_points
from bench.html.plots.plot import (
    COLOUR,
    UP,
    Plot,
    Values,
    axis,
    domain_of,
    layer,
    look_of,
    rows_of,
    spec_of,
    title_of,
    value_of,
    with_interval,
)
from bench.html.prose import plain
from bench.html.sources import Source


def separation(source: Source, ink: Ink) -> Plot | None:
    """Return transfer against separation, with intervals."""
    board, infos, order = source.board, source.board.infos, source.board.ordering.metric
    codes = {info.group for info in infos.values() if info.code}
    of_codes = [
        name
        for name in board.main_columns
        if infos[base_id(name)].group in codes and not infos[base_id(name)].code
    ]
    if not of_codes or not order:
        return None
    metric = of_codes[0]
    rows: Values = []
    for label in rows_of(source):
        x, y = value_of(source, label, metric), value_of(source, label, order)
        if x and y:
            found = dict(zip(("x", "x_lo", "x_hi", "y", "y_lo", "y_hi"), (*x, *y), strict=True))
            texts = {
                "x_text": with_interval(*x, infos[base_id(metric)].digits),
                "y_text": with_interval(*y, infos[base_id(order)].digits),
            }
            rows.append(look_of(source, ink, label) | found | texts)
    if not rows:
        return None
    ends = {
        name: domain_of(
            [row[f"{name}{end}"] for row in rows for end in ("", "_lo", "_hi")],
            infos[base_id(one)].bounds,
        )
        for name, one in (("x", metric), ("y", order))
    }
    x_axis = axis("x", title_of(source, metric), ends["x"])
    y_axis = axis("y", title_of(source, order, UP), ends["y"])
    look = {"opacity": 0.45, "strokeWidth": 1.5}
    across = {"x": {**x_axis, "field": "x_lo"}, "x2": {"field": "x_hi"}, "y": y_axis}
    along = {"y": {**y_axis, "field": "y_lo"}, "y2": {"field": "y_hi"}, "x": x_axis}
    bars = [layer(rows, "rule", look, **ends, color=COLOUR) for ends in (across, along)]
    return Plot(
        "transfer-separation",
        f"{plain(order)} against {plain(metric)}",
        "Up and to the right is better. Lines are 95 % intervals."
        + (" Hollow: published configurations." if board.published else ""),
        spec_of([*bars, *named_points(rows, x_axis, y_axis, ink)], ink.width, ink.height),
    )


def parts(source: Source, ink: Ink) -> list[Plot]:
    """Return content arrived against source kept, for each score that says its sides."""
    board, found = source.board, []
    for metric in board.main_columns:
        rows: Values = []
        titles: list[str] = []
        for label in reversed(rows_of(source, with_anchors=True)):  # copies have names first
            detail = detail_of(board.cell(label, metric))
            sides, values = detail.get("sides"), numbers_in(detail, "parts")
            if label in board.published or not isinstance(sides, dict) or len(sides) != 1:
                continue
            letters = [str(letter) for letter in next(iter(sides.values()))][:2]
            if len(letters) == 2 and all(letter in values for letter in letters):
                says = detail.get("says") or {}
                titles = [plain(f"{one}: {says.get(one, '')}") for one in letters]
                y, x = (values[letter] for letter in letters)
                rows.append(look_of(source, ink, label) | {"x": x, "y": y})
        if not rows:
            continue
        x_axis, y_axis = axis("x", titles[1], (-0.08, 1.05)), axis("y", titles[0], (-0.08, 1.05))
        points = named_points(rows, x_axis, y_axis, ink, ("anchor", "method", "published"))
        found.append(
            Plot(
                f"parts-{metric}",
                f"Content arrived against source kept: {board.infos[base_id(metric)].label}",
                "Two parts of the score. The truth is at the top right. Diamonds: floors and "
                "ceilings.",
                spec_of(points, ink.width, ink.height),
            )
        )
    return found


def pareto(source: Source, ink: Ink) -> Plot | None:
    """Return quality against speed, with the front of methods that none beats in both."""
    board, infos, order = source.board, source.board.infos, source.board.ordering.metric
    speeds = [
        name
        for name in board.main_columns
        if infos[base_id(name)].kind == "clocked" and infos[base_id(name)].better == "higher"
    ]
    if not speeds or not order or not board.machines:
        return None
    machine = max(board.machines, key=lambda name: len(board.machines[name]))
    rows: Values = []
    for label in rows_of(source):
        x, y = value_of(source, label, speeds[0]), value_of(source, label, order)
        if label in board.machines[machine] and x and y and x[0] > 0:
            texts = {
                "x_text": number(x[0], 0),
                "y_text": with_interval(*y, infos[base_id(order)].digits),
            }
            rows.append(look_of(source, ink, label) | {"x": x[0], "y": y[0]} | texts)
    if not rows:
        return None
    ends = [row["x"] for row in rows]
    x_axis = axis("x", title_of(source, speeds[0]), (min(ends) / 1.25, max(ends) * 1.25), log=True)
    values = domain_of([row["y"] for row in rows], infos[base_id(order)].bounds)
    y_axis = axis("y", title_of(source, order, UP), values)
    front = layer(
        sorted(_front(rows, board.ordering.better), key=lambda row: float(row["x"])),
        "line",
        {"interpolate": "step-before", "strokeDash": [4, 3], "color": ink.text, "opacity": 0.5},
        x=x_axis,
        y=y_axis,
        order={"field": "x", "type": "quantitative"},
    )
    others = sum(len(of) for name, of in board.machines.items() if name != machine)
    return Plot(
        "quality-speed",
        f"{plain(order)} against speed",
        f"The dashed line joins the methods that no other beats in both. Timed on {machine}."
        + (f" {others} rows were timed on other machines and are left out." if others else ""),
        spec_of([front, *named_points(rows, x_axis, y_axis, ink)], ink.width, ink.height),
    )


def _front(rows: Values, better: str) -> Values:
    """Return the rows that no other row beats in both numbers."""

    def is_beaten(row: dict[str, float], other: dict[str, float]) -> bool:
        faster = other["x"] >= row["x"]
        good = badness(other["y"], better) <= badness(row["y"], better)
        return faster and good and (other["x"], other["y"]) != (row["x"], row["y"])

    return [row for row in rows if not any(is_beaten(row, other) for other in rows)]

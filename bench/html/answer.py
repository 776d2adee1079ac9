"""The answer of a board in a few sentences, and a scale that shows it at a glance."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from bench.board.evidence import change_over_the_training
from bench.board.headline import headline, listed
from bench.board.row_labels import PUBLISHED_SUFFIX
from bench.board.values import bracketed, number
from bench.html.prose import named, prose
from bench.html.sources import MOST_HUES, Source

MOST_ON_SCALE = 12
"""The largest number of methods on the scale; the table has all."""
_ROOM_FOR_A_NAME = 24
"""The least distance of two names above the scale, in percent of its width."""


@dataclass(frozen=True)
class Mark:
    """A row of the scale. at, lo, hi: places in percent of its width; lo, hi are None if unknown.

    value: the number as text. interval: its interval as text, or ''.
    """

    label: str
    hue: int
    at: float
    lo: float | None
    hi: float | None
    value: str
    interval: str
    is_best: bool


@dataclass(frozen=True)
class Line:
    """A floor or a ceiling on the scale, at a place in percent of its width."""

    label: str
    at: float
    value: str
    kind: str


@dataclass(frozen=True)
class Scale:
    """The methods on one line, better to the right, with floors and ceilings.

    left_out: the number of ranked methods that are not shown.
    """

    metric: str
    meaning: str
    marks: list[Mark]
    lines: list[Line]
    left: str
    right: str
    left_out: int

    @property
    def has_equal_colours(self) -> bool:
        """Whether two methods of the scale have the same colour."""
        colours = [mark.hue % MOST_HUES for mark in self.marks]
        return len(set(colours)) < len(colours)

    @property
    def named_lines(self) -> list[Line]:
        """The floors and ceilings whose names fit above the scale: the best ones first."""
        best_first = sorted(self.lines, key=lambda one: -one.at)
        floors = [one for one in best_first if one.kind == "floor"]
        ceilings = [one for one in best_first if one.kind == "ceiling"]
        found: list[Line] = []
        for one in [*floors[:1], *ceilings]:
            if all(abs(one.at - other.at) >= _ROOM_FOR_A_NAME for other in found):
                found.append(one)
        return found


def sentences(source: Source) -> list[Markup]:
    """Return the answer: who leads, who ties, how far from floor and ceiling, what is missing."""
    board = source.board
    said = [headline(board, named), *_ties(source), *_distances(source)]
    said += change_over_the_training(board, named)
    said += _missing(source)
    return [prose(one) for one in said]


def _ties(source: Source) -> list[str]:
    """Return who ties with the leader, if pairs were tested."""
    board = source.board
    best = board.best.get(board.ordering.metric, set())
    leaders = [name for name, place in board.ordering.ranks.items() if place == 1]
    if not best or not leaders:
        return []
    tied = [name for name in board.ordering.ranks if name in best and name != leaders[0]]
    if not tied:
        return [f"No other method ties with {named(leaders[0])}."]
    which = listed([named(name) for name in tied])
    return [f"{named(leaders[0])} ties with {which}: their difference may be chance."]


def _distances(source: Source) -> list[str]:
    """Return how far the leader is from the best floor and from the nearest ceiling."""
    board, order = source.board, source.board.ordering
    if not order.ranks:
        return []
    leader, digits = next(iter(order.ranks)), board.infos[order.metric].digits
    own = order.values[leader]

    def valued(name: str) -> str:
        return f"{named(name)} ({number(order.values[name], digits)})"

    said = []
    floors = [name for name in source.floors if name in order.values]
    ceilings = [
        name
        for name in source.ceilings
        if name in order.values and not name.endswith(PUBLISHED_SUFFIX)
    ]
    if floors:
        floor = min(floors, key=order.badness)
        gap = number(abs(own - order.values[floor]), digits)
        side = "above" if order.is_better(own, order.values[floor]) else "below"
        said.append(f"{gap} {side} the best floor, {valued(floor)}")
    above = [name for name in ceilings if order.is_better(order.values[name], own)]
    if above:
        ceiling = max(above, key=order.badness)
        gap = number(abs(own - order.values[ceiling]), digits)
        said.append(f"{gap} below the nearest ceiling, {valued(ceiling)}")
    return [f"{named(leader)} is {', and '.join(said)}."] if said else []


def _missing(source: Source) -> list[str]:
    """Return what is not ranked, and how many numbers are missing."""
    board = source.board
    said = [
        f"{named(method)} is not ranked: {reason}." for method, reason in board.unranked.items()
    ][:3]
    if len(board.unranked) > 3:
        said.append(f"{len(board.unranked) - 3} more rows are not ranked.")
    statuses = Counter(board.rows["status"])
    gaps = {name: n for name, n in statuses.items() if name not in ("ok", "not_applicable")}
    if gaps:
        counts = listed([f"{n} {name}" for name, n in sorted(gaps.items())])
        said.append(f"Of {len(board.rows)} numbers, {counts}.")
    return said


def scale_of(source: Source) -> Scale | None:
    """Return the scale of the number that orders a board, or None if no method is ranked."""
    board, order = source.board, source.board.ordering
    if not order.ranks:
        return None
    info = board.infos[order.metric]
    shown = list(order.ranks)[:MOST_ON_SCALE]
    anchored = [name for name in board.anchors if name in order.values]
    values = [order.values[name] for name in [*shown, *anchored]]
    lo, hi = (min(values), max(values))
    low, high = info.bounds
    lo, hi = lo if low is None else low, hi if high is None else high
    width = (hi - lo) or 1.0

    def place(value: float) -> float:
        part = min(max((value - lo) / width, 0), 1)
        return round(100 * (1 - part if order.better == "lower" else part), 2)

    marks = []
    for name in shown:
        cell = board.cell(name, order.metric) or {}
        ends = [float(cell.get(end, math.nan)) for end in ("lo", "hi")]
        known = all(map(math.isfinite, ends))
        marks.append(
            Mark(
                name,
                source.hues[name],
                place(order.values[name]),
                min(map(place, ends)) if known else None,
                max(map(place, ends)) if known else None,
                number(order.values[name], info.digits),
                bracketed(ends[0], ends[1], info.digits, int(cell.get("n_seeds", 0))).strip(),
                name in board.best.get(order.metric, ()),
            )
        )
    lines = [
        Line(
            name,
            place(order.values[name]),
            number(order.values[name], info.digits),
            "ceiling" if name in board.ceilings else "floor",
        )
        for name in anchored
    ]
    ends_of_scale = [number(end, 0 if end == int(end) else info.digits) for end in (lo, hi)]
    if order.better == "lower":
        ends_of_scale.reverse()
    return Scale(
        order.metric,
        board.meanings.get(order.metric, info.meaning),
        marks,
        lines,
        ends_of_scale[0],
        ends_of_scale[1],
        len(order.ranks) - len(shown),
    )

"""Places for the names of points in a plot, so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 0.56
"""The mean width of a letter as a part of the size of the font."""
MOST_LETTERS = 26


@dataclass(frozen=True)
class Place:
    """The place of a name: its middle left or right end in pixels from the top left corner."""

    x: float
    y: float
    align: str


def short(name: str, letters: int = MOST_LETTERS) -> str:
    """Return a name with its middle left out if it is long."""
    if len(name) <= letters:
        return name
    half = (letters - 1) // 2
    return f"{name[:half]}\u2026{name[-half:]}"


def places_for(
    names: Sequence[str],
    points: Sequence[tuple[float, float]],
    width: float,
    height: float,
    font: float,
    bars: Sequence[tuple[float, float, float, float]] = (),
) -> list[Place | None]:
    """Return a place beside each point, or None for a name that fits nowhere.

    Args:
        names: the names, the most important one first.
        points: the points, in pixels from the top left corner.
        width, height: the size of the plot in pixels.
        font: the size of the font in pixels.
        bars: boxes to keep clear: left, top, right, bottom.
    """
    taken = [*bars]
    taken += [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    found: list[Place | None] = []
    gap, half = 8.0, font * 0.6
    for name, (x, y) in zip(names, points, strict=True):
        length = len(name) * font * _WIDTH
        chosen: Place | None = None
        for dy in (0.0, -font * 0.75, font * 0.75, -font * 1.4, font * 1.4, -font * 2.1, font * 2.1):
            for align in ("left", "right"):
                at = x + gap if align == "left" else x - gap
                left = at if align == "left" else at - length
                box = (left, y + dy - half, left + length, y + dy + half)
                inside = box[0] >= -6 and box[2] <= width + 6 and box[1] >= -8 and box[3] <= height + 8
                if inside and not any(_cross(box, other) for other in taken):
                    chosen = Place(at, y + dy, align)
                    taken.append(box)
                    break
            if chosen:
                break
        found.append(chosen)
    return found


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return numbers near the given ones, in the same order, that are at least ``gap`` apart.

    low, high: the range that they should stay in, if there is room.
    """
    order = sorted(range(len(values)), key=lambda at: values[at])
    found = [0.0] * len(values)
    last = low - gap
    for at in order:
        last = found[at] = max(values[at], last + gap)
    last = high + gap
    for at in reversed(order):
        last = found[at] = min(found[at], last - gap)
    return found


def _cross(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

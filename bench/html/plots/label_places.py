"""Places for the names of points in a plot, so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WIDTH = 0.56
"""The mean width of a letter as a part of the size of the font."""
_GAP = 8.0
"""The distance of a name from its point in pixels."""
MOST_LETTERS = 26
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Place:
    """The place of a name in pixels from the top left corner: its left or right end, or centre."""

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
    size: tuple[float, float],
    font: float,
    bars: Sequence[Box] = (),
) -> list[Place | None]:
    """Return a place beside each point, or None for a name that fits nowhere.

    Args:
        names: the names, the most important one first.
        points: the points, in pixels from the top left corner.
        size: the width and the height of the plot in pixels.
        font: the size of the font in pixels.
        bars: boxes to keep clear.
    """
    taken: list[Box] = [*bars, *((x - 4, y - 4, x + 4, y + 4) for x, y in points)]
    found: list[Place | None] = []
    for name, (x, y) in zip(names, points, strict=True):
        length = len(name) * font * _WIDTH
        for place in _candidates(x, y, font):
            left = place.x - length * {"left": 0.0, "center": 0.5, "right": 1.0}[place.align]
            box = (left, place.y - 0.6 * font, left + length, place.y + 0.6 * font)
            if _is_inside(box, size) and not any(_cross(box, other) for other in taken):
                taken.append(box)
                found.append(place)
                break
        else:
            found.append(None)
    return found


def _candidates(x: float, y: float, font: float) -> Iterator[Place]:
    """Yield places around a point, the best one first."""
    for lines in (0, -0.75, 0.75, -1.4, 1.4, -2.1, 2.1):
        yield Place(x + _GAP, y + lines * font, "left")
        yield Place(x - _GAP, y + lines * font, "right")
        if abs(lines) > 1:
            yield Place(x, y + lines * font, "center")


def _is_inside(box: Box, size: tuple[float, float]) -> bool:
    left, top, right, bottom = box
    return left >= -6 and right <= size[0] + 6 and top >= -8 and bottom <= size[1] + 8


def _cross(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


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

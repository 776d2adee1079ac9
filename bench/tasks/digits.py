"""Handwritten digits and drawn ones: does the common code hold the digit and not the domain?

A: the 1,797 handwritten digits of scikit-learn (UCI Optical Recognition of Handwritten Digits, test
part, 8x8, grey), enlarged smoothly. B: digits that are drawn with the font of Pillow in one of five
inks; size, slant, thickness and place vary. The ink is the separate content. Nobody knows how a
handwritten digit would look in print, so the task has no truth.

Of the real images of each digit, one quarter belongs to *probe* and one to *test*. Of the rest, one
in eleven belongs to *val* and the others to *train*. A *train* part that needs more continues with
moved, slanted and scaled copies of its own images. The other parts have no copies, as these would
not be independent; so they cannot be larger than their share.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.contracts.task import HIDDEN, PARTS, DataSizes, Domain, Factor, Progress, Task, TaskData
from bench.utils.seeds import uniform

from ._digits import DIGIT, Numbers, Pictures, make_even, resize_all, shuffle

RECIPE_VERSION = 2
CANVAS = 128  # smallest side in pixels of the canvas that a digit is drawn on
INKS = {
    "red": (255, 70, 60),
    "yellow": (255, 225, 60),
    "green": (70, 220, 80),
    "blue": (80, 140, 255),
    "magenta": (255, 80, 220),
}
INK = Factor("ink", tuple(INKS), separate=True)
FILLED = 0.8  # share of the side that a real digit takes, as it has no margin of its own
JITTER = {"turn": 0.15, "slant": 0.15, "width": 0.1, "height": 0.1, "x": 0.06, "y": 0.06}
"""How far a copy of a real image may move to either side: radians, or shares of its size."""
DRAWN = {"turn": 0.12, "slant": 0.25, "width": 0.2, "height": 0.15, "x": 0.05, "y": 0.05}
"""The same for a drawn digit."""
STROKES = (0, 2, 4, 6)
"""Widths of the outline that thickens a drawn digit, in pixels of `CANVAS`."""


@cache
def real_digits() -> tuple[Pictures, Numbers]:
    """Return the real pictures, uint8 (1797, 8, 8), and their digits, int64 (1797,)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return np.rint(found.images * (255 / 16)).astype(np.uint8), found.target.astype(np.int64)


@cache
def parts() -> dict[str, list[int]]:
    """Return the real images that each part may hold, in the order in which it takes them."""
    _, digits = real_digits()
    found: dict[str, list[int]] = {part: [] for part in PARTS}
    for digit in range(10):
        mine = shuffle(np.flatnonzero(digits == digit).tolist(), RECIPE_VERSION, "part")
        quarter = len(mine) // 4
        found["test"] += mine[:quarter]
        found["probe"] += mine[quarter : 2 * quarter]
        val = (len(mine) - 2 * quarter) // 11
        found["val"] += mine[2 * quarter : 2 * quarter + val]
        found["train"] += mine[2 * quarter + val :]
    return {part: shuffle(items, RECIPE_VERSION, "order") for part, items in found.items()}


class Digits(Task):
    """A: real handwritten digits, grey. B: drawn digits in five inks."""

    name = "digits"
    summary = "real handwritten digits and drawn ones in five inks; the digit must carry over"
    factors = (DIGIT, INK)
    label: ClassVar[str] = "digit"

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes; *probe* and *test* are limited by their real images."""
        held = parts()
        probe, test = (min(sizes.of(part), len(held[part])) for part in ("probe", "test"))
        return replace(sizes, probe=probe, test=make_even(test))

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the version of Pillow, the parameters of drawing, and the sizes."""
        return {
            "task": self.name,
            "recipe": RECIPE_VERSION,
            "versions": {"pillow": version("pillow")},
            "inks": INKS,
            "strokes": STROKES,
            "moved": {"real": JITTER, "drawn": DRAWN, "filled": FILLED},
            "sizes": vars(sizes),
        }

    def load(self, sizes: DataSizes, progress: Progress) -> TaskData:
        """Enlarge the real digits and draw the others."""
        import torch

        found = self.available(sizes)
        counts = {part: found.of(part) for part in PARTS}
        counts["val"] = make_even(min(found.val, len(parts()["val"])))
        total, done = 2 * sum(counts.values()), 0
        domains: dict[str, list[Domain]] = {}
        for part in PARTS:
            domains[part] = []
            for make in (_real, _drawn):
                pictures, factors = make(part, counts[part], found.size)
                domains[part].append(Domain(torch.from_numpy(pictures), torch.from_numpy(factors)))
                done += len(pictures)
                progress(done, total)
        return TaskData(self.name, "", self.factors, domains, None, self.label)


def _real(part: str, count: int, size: int) -> tuple[Pictures, Numbers]:
    """Return `count` real digits of a part, originals before copies, and their factors."""
    pictures, digits = real_digits()
    mine = parts()[part]
    wanted = np.array(mine * -(-count // len(mine)), dtype=np.int64)[:count]
    inner = round(FILLED * size)
    found = np.zeros((count, 3, size, size), dtype=np.uint8)
    inside = slice((size - inner) // 2, (size - inner) // 2 + inner)
    found[:, :, inside, inside] = resize_all(pictures[wanted], inner)
    for at in range(len(mine), count):
        found[at] = _moved(found[at], JITTER, part, "A", at)
    return found, np.stack([digits[wanted], np.full(count, HIDDEN)], 1)


def _moved(picture: Pictures, reach: dict[str, float], *role: object) -> Pictures:
    """Return a picture, uint8 (3, S, S), turned, slanted, scaled and shifted by its role's hash."""
    from PIL import Image

    image = Image.fromarray(picture.transpose(1, 2, 0))
    found = image.transform(
        image.size,
        Image.Transform.AFFINE,
        _affine(image.size[0], reach, *role),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(found).transpose(2, 0, 1)


def _affine(side: int, reach: dict[str, float], *role: object) -> tuple[float, ...]:
    """Return Pillow's six numbers of a random affine transform: from target to source pixels."""
    go = {name: far * (2 * uniform(RECIPE_VERSION, *role, name) - 1) for name, far in reach.items()}
    turn = np.array([[np.cos(go["turn"]), -np.sin(go["turn"])],
                     [np.sin(go["turn"]), np.cos(go["turn"])]])  # fmt: skip
    shape = np.array([[1 + go["width"], go["slant"]], [0.0, 1 + go["height"]]])
    back = np.linalg.inv(turn @ shape)
    centre = np.full(2, side / 2)
    shift = centre - back @ (centre + side * np.array([go["x"], go["y"]]))
    return (*back[0], shift[0], *back[1], shift[1])


def _drawn(part: str, count: int, size: int) -> tuple[Pictures, Numbers]:
    """Return `count` drawn digits of a part and their factors."""
    rows = [[_choice(10, part, at, "digit"), _choice(len(INKS), part, at, "ink")]
            for at in range(count)]  # fmt: skip
    factors = np.array(rows, dtype=np.int64).reshape(count, 2)
    found = np.empty((count, 3, size, size), dtype=np.uint8)
    for at, (digit, ink) in enumerate(factors):
        found[at] = _draw(int(digit), INKS[INK.values[ink]], size, part, "B", at)
    return found, factors


def _choice(count: int, *role: object) -> int:
    return int(uniform(RECIPE_VERSION, "B", *role) * count)


def _draw(digit: int, ink: tuple[int, int, int], size: int, *role: object) -> Pictures:
    """Return a digit in an ink on black, uint8 (3, size, size)."""
    from PIL import Image

    side = max(CANVAS, 2 * size)
    stroke = STROKES[int(uniform(RECIPE_VERSION, *role, "stroke") * len(STROKES))]
    mask = _glyph(digit, side, stroke * side // CANVAS).transform(
        (side, side),
        Image.Transform.AFFINE,
        _affine(side, DRAWN, *role),
        Image.Resampling.BICUBIC,
    )
    shape = np.asarray(mask.resize((size, size), Image.Resampling.BOX), dtype=np.float64)
    pixels: NDArray[np.uint8] = np.rint(shape / 255 * np.array(ink)[:, None, None]).astype(np.uint8)
    return pixels


@cache
def _glyph(digit: int, side: int, stroke: int) -> Any:
    """Return a digit in Pillow's default font, grey, in the middle of a square."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (side, side))
    font = ImageFont.load_default(side)
    left, top, right, bottom = font.getbbox(str(digit), stroke_width=stroke)
    at = ((side - left - right) / 2, (side - top - bottom) / 2)
    ImageDraw.Draw(image).text(at, str(digit), 255, font, stroke_width=stroke)
    return image

"""Helpers of all digit tasks: the factor, the order of images, and resizing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.contracts.task import Factor
from bench.utils.seeds import derive

DIGIT = Factor("digit", tuple("0123456789"))
Pictures = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def shuffle(items: Iterable[int], *role: object) -> list[int]:
    """Return indices in the order of the hash of (role, index)."""
    return sorted(items, key=lambda item: derive(*role, item))


def make_even(count: int) -> int:
    """Return the largest even number up to a count, as images of *val* and *test* come in pairs."""
    return count // 2 * 2


def resize_all(pictures: Pictures, size: int) -> Pictures:
    """Return grey (n, H, W) or colour (n, H, W, 3) pictures as uint8 (n, 3, size, size)."""
    from PIL import Image

    found = np.empty((len(pictures), 3, size, size), dtype=np.uint8)
    for at, picture in enumerate(pictures):
        image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
        found[at] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    return found

"""Poses of drawn faces: turn, size, place, background and light, as shared factors.

Each factor has a few values, and each value stands for a range. The ranges of a factor have gaps
between them, so that a picture shows which value it has. A hash of the picture's role chooses the
place within the range.
"""

from __future__ import annotations

from collections.abc import Mapping
from colorsys import hls_to_rgb
from typing import Any

import numpy as np

from bench.contracts.task import Factor
from bench.utils.seeds import uniform

ROLE, CROP = "role", "crop"
"""The keys of a posed avatar: the role that places it within its ranges, and a key of `CROPS`."""
CROPS = {"close": 2.2, "wide": 1.7}
"""The scale of a posed face, in place of that of its style. Close, glasses fill the picture; wide,
a hat is in it."""
TURN, ZOOM, SHIFT = 8.0, 0.08, 5.0
"""The largest turn in degrees, log of the size, and shift in percent of the canvas."""
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "turn": {"left": (-1.0, -0.45), "upright": (-0.2, 0.2), "right": (0.45, 1.0)},
    "zoom": {"far": (-1.0, -0.3), "near": (0.3, 1.0)},
    "place_x": {"left": (-1.0, -0.45), "middle": (-0.2, 0.2), "right": (0.45, 1.0)},
    "place_y": {"up": (-1.0, -0.45), "middle": (-0.2, 0.2), "down": (0.45, 1.0)},
    "light": {"dim": (0.70, 0.80), "bright": (0.92, 1.0)},
}
"""For each value of a factor, its range: a share of its strength, or the gain of the light."""
HUES = {"red": 0.0, "yellow": 1 / 6, "green": 2 / 6, "cyan": 3 / 6, "blue": 4 / 6, "magenta": 5 / 6}
"""The hues of the background."""
LIGHTNESS, SATURATION, DARKER = (0.55, 0.9), 0.6, 0.28
"""The background: the range of its lightness, its saturation, and how much darker it ends."""
TINTS = {"warm": (1.0, 0.95, 0.86), "neutral": (1.0, 1.0, 1.0), "cool": (0.87, 0.94, 1.0)}
"""The colours of the light."""
POSE = (
    *(Factor(name, tuple(ranges)) for name, ranges in RANGES.items()),
    Factor("tint", tuple(TINTS)),
    Factor("backdrop", tuple(HUES)),
)


def recipe() -> dict[str, Any]:
    """Return all that determines a pose, as JSON."""
    return {
        "crops": CROPS,
        "strengths": [TURN, ZOOM, SHIFT],
        "ranges": RANGES,
        "hues": HUES,
        "background": [LIGHTNESS, SATURATION, DARKER],
        "tints": TINTS,
    }


def _within(avatar: Mapping[str, str], name: str) -> float:
    lo, hi = RANGES[name][avatar[name]]
    return lo + (hi - lo) * uniform("pose", avatar[ROLE], name)


def pose_options(avatar: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of DiceBear that turn, scale and move a face before its background."""
    lo, hi = LIGHTNESS
    light = lo + (hi - lo) * uniform("pose", avatar[ROLE], "lightness")
    hue = HUES[avatar["backdrop"]]
    ends = [hls_to_rgb(hue, lightness, SATURATION) for lightness in (light, light - DARKER)]
    return {
        "rotate": TURN * _within(avatar, "turn"),
        "scale": CROPS[avatar[CROP]] * float(np.exp(ZOOM * _within(avatar, "zoom"))),
        "translateX": SHIFT * _within(avatar, "place_x"),
        "translateY": SHIFT * _within(avatar, "place_y"),
        "backgroundColor": ["".join(f"{round(255 * c):02x}" for c in end) for end in ends],
        "backgroundColorFill": "linear",
        "backgroundColorOrder": "fixed",
        "backgroundColorAngle": round(360 * uniform("pose", avatar[ROLE], "angle")),
    }


def lit(pixels: np.ndarray, avatar: Mapping[str, str]) -> np.ndarray:
    """Return a picture, uint8 (3, S, S), in the light of an avatar."""
    gain = _within(avatar, "light") * np.array(TINTS[avatar["tint"]])
    return np.rint(pixels * gain[:, None, None]).astype(np.uint8)

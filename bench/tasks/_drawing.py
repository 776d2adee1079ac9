"""Draws avatars on all cores, from the values of their factors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np

from bench.contracts.task import Progress
from bench.utils.parallel import cut, in_order

from ._pose import CROP, POSE, ROLE, lit, pose_options
from ._styles import NONE, STYLES, Style

CHUNK = 64  # images that a worker draws in one call
_OF_POSE = {factor.name for factor in POSE} | {ROLE, CROP, "style"}
HATS = ("hijab", "turban", "winterHat1")
"""Values of `hair` that are in fact hats."""
Avatar = dict[str, str]
"""The value of each factor, and the `style`, which is a key of `STYLES`.

A factor that is missing or `NONE` is not drawn. A posed avatar has a `ROLE` and a `CROP`, too.
"""


def style_of(avatar: Mapping[str, str]) -> Style:
    """Return the style of an avatar; Avataaars if it names none."""
    return STYLES[avatar.get("style", "avataaars")]


def hidden_factors(avatar: Mapping[str, str]) -> set[str]:
    """Return the factors that are not visible in an avatar, whatever their value."""
    hat = avatar.get("hat", NONE) != NONE
    found = {"hair_color"} if avatar["hair"] in HATS else set() if hat else {"hat_color"}
    if avatar.get("beard", NONE) == NONE:
        found.add("beard_color")
    if avatar.get("glasses", NONE) == NONE:
        found |= {"glasses", "glasses_color"}
    if avatar["hair"] == "hijab":
        found |= {"clothes", "clothes_color"}
        if avatar.get(CROP) == "close":
            found.add("backdrop")
    return found | set(style_of(avatar).lacks)


@cache
def _definition(source: str) -> Any:
    from dicebear import Style as Definition

    text = files("dicebear_styles").joinpath(f"{source}.json").read_text("utf-8")
    return Definition(json.loads(text))


def _options(avatar: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of DiceBear for an avatar; a later factor overrides an earlier one."""
    style = style_of(avatar)
    options: dict[str, Any] = {"backgroundColor": ["ffffff"]} | dict(style.options)
    for name, value in avatar.items():
        if name not in _OF_POSE:
            options |= style.draws(name, value)
    return options | pose_options(avatar) if ROLE in avatar else options


def draw(avatar: Mapping[str, str], size: int) -> np.ndarray:
    """Return the picture of an avatar, uint8 (3, size, size), on white by default."""
    import resvg_py
    from dicebear import Avatar as Drawing
    from PIL import Image

    svg = Drawing(_definition(style_of(avatar).source), _options(avatar)).to_string()
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    pixels = np.asarray(Image.open(BytesIO(bytes(png))).convert("RGB"))
    picture = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return lit(picture, avatar) if ROLE in avatar else picture


def _draw_many(avatars: list[Avatar], size: int) -> np.ndarray:
    return np.stack([draw(avatar, size) for avatar in avatars])


def draw_all(avatars: list[Avatar], size: int, progress: Progress) -> Iterator[np.ndarray]:
    """Yield the pictures of avatars in order, uint8 (n, 3, size, size) with n up to `CHUNK`."""
    done = 0
    for pictures in in_order(_draw_many, cut(avatars, CHUNK), size):
        done += len(pictures)
        progress(done, len(avatars))
        yield pictures

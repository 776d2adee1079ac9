"""Faces drawn from a recipe, so that the true result of a transfer can be drawn as well.

The style is Avataaars by Pablo Stanley (free for personal and commercial use), read through
DiceBear and rasterised by resvg. An avatar is a value for each factor below and nothing else; the
true "face a with the glasses of b" is the avatar with a's values and b's glasses.

Every value is drawn by a hash of (recipe, part, domain, index, factor), so the first images of a
longer part are the images of a shorter one, and no generator of any library has a say.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from io import BytesIO
from typing import Any, ClassVar

import numpy as np

from bench.contracts import (
    HIDDEN,
    PARTS,
    DataSizes,
    Domain,
    Factor,
    Progress,
    Task,
    TaskData,
    Truth,
)
from bench.seeds import uniform

NONE = "none"
RECIPE_VERSION = 1
CHUNK = 256  # images drawn by one call of a worker

SKIN = {
    "tanned": "fd9841",
    "yellow": "f8d25c",
    "pale": "ffdbb4",
    "light": "edb98a",
    "brown": "d08b5b",
    "dark": "ae5d29",
    "black": "614335",
}
HAIR_COLOR = {
    "black": "2c1b18",
    "auburn": "a55728",
    "blonde": "d6b370",
    "red": "c93305",
    "pink": "f59797",
    "silver": "e8e1e1",
}
FABRIC = {
    "black": "262e33",
    "blue": "5199e4",
    "navy": "25557c",
    "gray": "929598",
    "green": "a7ffc4",
    "yellow": "ffffb1",
    "magenta": "ff488e",
    "red": "ff5c5c",
}
GLASSES_COLOR = {name: FABRIC[name] for name in ("black", "blue", "magenta", "green")} | {
    "white": "ffffff"
}
HATS = ("hijab", "turban", "winterHat1")
PALETTES = {
    "skin": SKIN,
    "hair_color": HAIR_COLOR,
    "hat_color": FABRIC,
    "beard_color": HAIR_COLOR,
    "clothes_color": FABRIC,
    "glasses_color": GLASSES_COLOR,
}
"""Factors whose values are colours, and the colours."""

FACE = (
    Factor("skin", tuple(SKIN)),
    Factor(
        "hair",
        (
            "bob",
            "curvy",
            "dreads02",
            "longButNotTooLong",
            "miaWallace",
            "shaggyMullet",
            "shortCurly",
            "shortFlat",
            "sides",
            "straight01",
            *HATS,
        ),
    ),
    Factor("hair_color", tuple(HAIR_COLOR)),
    Factor("hat_color", tuple(FABRIC)),
    Factor("eyebrows", ("angry", "default", "flatNatural", "raisedExcited", "sadConcerned")),
    Factor(
        "eyes",
        ("closed", "default", "eyeRoll", "hearts", "side", "squint", "surprised", "xDizzy"),
    ),
    Factor(
        "mouth",
        (
            "concerned",
            "default",
            "eating",
            "grimace",
            "sad",
            "screamOpen",
            "serious",
            "smile",
            "tongue",
            "twinkle",
        ),
    ),
    Factor("beard", (NONE, "beardLight", "beardMajestic", "beardMedium", "moustacheMagnum")),
    Factor("beard_color", tuple(HAIR_COLOR)),
    Factor(
        "clothes",
        (
            "blazerAndShirt",
            "blazerAndSweater",
            "collarAndSweater",
            "hoodie",
            "overall",
            "shirtCrewNeck",
            "shirtScoopNeck",
            "shirtVNeck",
        ),
    ),
    Factor("clothes_color", tuple(FABRIC)),
)
GLASSES = (
    Factor(
        "glasses",
        ("prescription01", "prescription02", "round", "sunglasses", "wayfarers"),
        separate=True,
    ),
    Factor("glasses_color", tuple(GLASSES_COLOR), separate=True),
)
WEIGHTS = {"beard": {NONE: 4.0}}
"""Values that are drawn more often than the others, whose weight is 1."""

Avatar = dict[str, str]
"""The value of each factor; a factor that is missing or `NONE` is not drawn."""


def hidden(avatar: Mapping[str, str]) -> set[str]:
    """Return the factors that do not show in an avatar, whatever their value."""
    found = {"hat_color"} if avatar["hair"] not in HATS else {"hair_color"}
    if avatar.get("beard", NONE) == NONE:
        found.add("beard_color")
    if avatar.get("glasses", NONE) == NONE:
        found |= {"glasses", "glasses_color"}
    if avatar["hair"] == "hijab":
        found |= {"clothes", "clothes_color"}
    return found


@cache
def _style() -> Any:
    from dicebear import Style

    return Style(json.loads(files("dicebear_styles").joinpath("avataaars.json").read_text("utf-8")))


def draw(avatar: Mapping[str, str], size: int) -> np.ndarray:
    """Return the picture of an avatar, uint8 (3, size, size), on white, the face filling it."""
    import resvg_py
    from dicebear import Avatar as Drawing
    from PIL import Image

    colors = {name: PALETTES[name][value] for name, value in avatar.items() if name in PALETTES}
    beard, glasses = avatar.get("beard", NONE), avatar.get("glasses", NONE)
    options = {
        "scale": 1.7,
        "backgroundColor": ["ffffff"],
        "skinColor": [colors["skin"]],
        "topVariant": [avatar["hair"]],
        "topProbability": 100,
        "hairColor": [colors["hair_color"]],
        "hatColor": [colors["hat_color"]],
        "eyebrowsVariant": [avatar["eyebrows"]],
        "eyesVariant": [avatar["eyes"]],
        "mouthVariant": [avatar["mouth"]],
        "clothesVariant": [avatar["clothes"]],
        "clothesColor": [colors["clothes_color"]],
        "facialHairVariant": [beard],
        "facialHairProbability": 0 if beard == NONE else 100,
        "facialHairColor": [colors["beard_color"]],
        "accessoriesVariant": [glasses],
        "accessoriesProbability": 0 if glasses == NONE else 100,
        "accessoriesColor": [colors.get("glasses_color", "000000")],
    }
    svg = Drawing(_style(), options).to_string()
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    pixels = np.asarray(Image.open(BytesIO(bytes(png))).convert("RGB"))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _draw_many(avatars: list[Avatar], size: int) -> np.ndarray:
    return np.stack([draw(avatar, size) for avatar in avatars])


def sample(factors: Iterable[Factor], *role: object) -> Avatar:
    """Return the avatar of a role: each factor drawn on its own, by the weights of its values."""
    avatar = {}
    for factor in factors:
        weights = [WEIGHTS.get(factor.name, {}).get(value, 1.0) for value in factor.values]
        edges = np.cumsum(weights) / sum(weights)
        at = np.searchsorted(edges, uniform(RECIPE_VERSION, *role, factor.name), side="right")
        avatar[factor.name] = factor.values[min(int(at), len(edges) - 1)]
    return avatar


@dataclass(frozen=True)
class _Plan:
    """All avatars of a task: per part and domain, and the true results of the test pairs."""

    domains: dict[str, list[list[Avatar]]]
    truth: dict[str, list[Avatar]]

    def lists(self) -> Iterator[list[Avatar]]:
        for domains in self.domains.values():
            yield from domains
        yield from self.truth.values()


class AvatarsGlasses(Task):
    """A: faces without glasses. B: faces with glasses of five kinds and five colours."""

    name = "avatars-glasses"
    summary = "drawn faces without and with glasses (5 kinds, 5 colours); true results known"
    factors = FACE + GLASSES
    extra: ClassVar[tuple[Factor, ...]] = GLASSES

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the versions of style and renderer, the factors and the sizes."""
        return {
            "task": self.name,
            "recipe": RECIPE_VERSION,
            "versions": {
                name: version(name) for name in ("dicebear-core", "dicebear-styles", "resvg-py")
            },
            "factors": {factor.name: factor.values for factor in self.factors},
            "weights": WEIGHTS,
            "palettes": PALETTES,
            "sizes": vars(sizes),
        }

    def load(self, sizes: DataSizes, progress: Progress) -> TaskData:
        """Draw all images on all cores."""
        import torch

        plan = self._plan(sizes)
        wanted = [avatar for avatars in plan.lists() for avatar in avatars]
        pixels = torch.from_numpy(np.concatenate(list(drawn(wanted, sizes.size, progress))))
        pictures = iter(pixels.split([len(avatars) for avatars in plan.lists()]))
        domains = {
            part: [
                Domain(next(pictures), torch.from_numpy(self.values(avatars)))
                for avatars in by_domain
            ]
            for part, by_domain in plan.domains.items()
        }
        truth = Truth(**{name: next(pictures) for name in plan.truth})
        return TaskData(self.name, "", self.factors, domains, truth)

    def _plan(self, sizes: DataSizes) -> _Plan:
        domains = {
            part: [
                [sample(FACE, self.name, part, "A", i) for i in range(sizes.of(part))],
                [sample(self.factors, self.name, part, "B", i) for i in range(sizes.of(part))],
            ]
            for part in PARTS
        }
        a, b = domains["test"]
        content = [{f.name: avatar[f.name] for f in self.extra} for avatar in b]
        truth = {
            "add": [face | content[i] for i, face in enumerate(a)],
            "other": [face | content[i ^ 1] for i, face in enumerate(a)],
            "remove": [
                {name: value for name, value in avatar.items() if name not in content[0]}
                for avatar in b
            ],
        }
        return _Plan(domains, truth)

    def values(self, avatars: list[Avatar]) -> np.ndarray:
        """Return the factors of avatars as indices, `HIDDEN` where one does not show."""
        rows = np.full((len(avatars), len(self.factors)), HIDDEN, dtype=np.int64)
        for row, avatar in zip(rows, avatars, strict=True):
            unseen = hidden(avatar)
            for column, factor in enumerate(self.factors):
                if factor.name not in unseen:
                    row[column] = factor.values.index(avatar[factor.name])
        return rows


def drawn(avatars: list[Avatar], size: int, progress: Progress) -> Iterator[np.ndarray]:
    """Yield the pictures of avatars in order, (<= CHUNK, 3, size, size) at a time."""
    chunks = [avatars[at : at + CHUNK] for at in range(0, len(avatars), CHUNK)]
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, 32)
    if len(chunks) < 4 or workers == 1 or multiprocessing.current_process().daemon:
        results: Iterable[np.ndarray] = (_draw_many(chunk, size) for chunk in chunks)
        yield from _counted(results, len(avatars), progress)
        return
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    pool: Executor
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        results = pool.map(_draw_many, chunks, [size] * len(chunks))
        yield from _counted(results, len(avatars), progress)


def _counted(results: Iterable[np.ndarray], total: int, progress: Progress) -> Iterator[np.ndarray]:
    done = 0
    for pictures in results:
        done += len(pictures)
        progress(done, total)
        yield pictures

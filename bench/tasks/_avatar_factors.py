"""The factors of drawn faces, the values that are fixed in some, and how a value is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from bench.contracts.task import Factor
from bench.utils.seeds import uniform

from ._drawing import HATS, Avatar, hidden_factors
from ._styles import FABRIC, GLASSES_COLOR, HAIR_COLOR, NONE, SKIN

BEARDS = ("beardLight", "beardMajestic", "beardMedium", "moustacheMagnum")
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
    Factor("beard", (NONE, *BEARDS)),
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
CLOSE_FACE = tuple(factor for factor in FACE if not factor.name.startswith("clothes"))
"""The factors of a face whose crop is so close that it shows hardly any clothes."""
GLASSES = (
    Factor(
        "glasses",
        ("prescription01", "prescription02", "round", "sunglasses", "wayfarers"),
        separate=True,
    ),
    Factor("glasses_color", tuple(GLASSES_COLOR), separate=True),
)
BEARD = (
    Factor("beard", BEARDS, separate=True),
    Factor("beard_color", tuple(HAIR_COLOR), separate=True),
)
EXPRESSION = (
    Factor(
        "mouth",
        ("eating", "grimace", "sad", "screamOpen", "smile", "tongue", "twinkle"),
        separate=True,
    ),
)
HAT = (
    Factor("hat", ("hat", "turban", "winterHat02", "winterHat1"), separate=True),
    Factor("hat_color", ("black", "blue", "green", "magenta", "yellow"), separate=True),
)
STYLED_FACE = (
    Factor("skin", tuple(SKIN)),
    Factor("hair", ("short", "bob", "long", "wild")),
    Factor("hair_color", tuple(HAIR_COLOR)),
    Factor("eyebrows", ("cross", "lifted", "worried")),
    Factor("eyes", ("open", "shut", "winking")),
    Factor("mouth", ("smiling", "laughing", "astonished", "upset")),
    Factor("beard", (NONE, "full", "moustache")),
)
"""The factors of a face that every style can draw (see `_styles.NAMED`)."""
APPEARANCE = (
    Factor("background", ("lemon", "mint", "sky", "teal", "violet"), separate=True),
    Factor("clothes_color", ("black", "blue", "gray", "red"), separate=True),
)
BARE = {"hair": "shortFlat", "hair_color": "black"}
CLOTHED = {"clothes": "plain", "clothes_color": "navy"}
NEUTRAL = CLOTHED | {"background": "white"}
SAMPLING = 1
"""Version of the hash that chooses values; raise it with every change of the hash."""
NONE_WEIGHT = 4.0
"""Weight of the value `NONE`; every other value has the weight 1."""


@cache
def _edges(values: tuple[str, ...]) -> np.ndarray:
    weights = [NONE_WEIGHT if value == NONE else 1.0 for value in values]
    return np.asarray(np.cumsum(weights) / sum(weights))


def sample(factors: Iterable[Factor], *role: object) -> Avatar:
    """Return the avatar of a role.

    Each factor is chosen independently of the others, by the weights of its values.
    """
    avatar = {}
    for factor in factors:
        edges = _edges(factor.values)
        at = np.searchsorted(edges, uniform(SAMPLING, *role, factor.name), side="right")
        avatar[factor.name] = factor.values[min(int(at), len(edges) - 1)]
    return avatar


def is_visible(factor: Factor, avatar: Avatar) -> bool:
    """Return whether a factor is visible in an avatar: neither hidden nor absent."""
    return avatar[factor.name] in factor.values and factor.name not in hidden_factors(avatar)

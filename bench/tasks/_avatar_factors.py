"""The factors of drawn faces, and the values that are fixed where a factor does not vary."""

from __future__ import annotations

from bench.contracts.task import Factor

from ._drawing import HATS
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

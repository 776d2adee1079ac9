"""The drawing styles of DiceBear that tasks use, and their colours.

The value of a factor is the name of a variant in the style. Values that stand in `NAMED` have a
variant of another name in each style: "laughing" is `smile` in Avataaars and `laugh` in ToonHead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NONE = "none"
"""The value of a factor that is absent from the picture."""
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
BACKGROUND = {
    "white": "ffffff",
    "lemon": "fff27a",
    "mint": "8fe3b0",
    "sky": "7fc4f5",
    "violet": "b79cf2",
    "teal": "2a9d8f",
}
PALETTES = {
    "skin": SKIN,
    "hair_color": HAIR_COLOR,
    "hat_color": FABRIC,
    "beard_color": HAIR_COLOR,
    "clothes_color": FABRIC,
    "glasses_color": GLASSES_COLOR,
    "background": BACKGROUND,
}
"""The colours of each factor whose values are colours."""
Variants = Mapping[str, str]
"""The variant to draw for each component of a style."""
NAMED: dict[str, dict[str, tuple[Variants, Variants, Variants]]] = {
    "hair": {
        "short": ({"top": "shortFlat"}, {"hair": "undercut"}, {"hair": "shortCombover"}),
        "bob": (
            {"top": "bob"},
            {"hair": "sideComed", "rearHair": "neckHigh"},
            {"hair": "bobCut"},
        ),
        "long": (
            {"top": "straight01"},
            {"hair": "undercut", "rearHair": "longStraight"},
            {"hair": "extraLong"},
        ),
        "wild": ({"top": "shaggyMullet"}, {"hair": "spiky"}, {"hair": "curlyHighTop"}),
    },
    "eyebrows": {
        "cross": ({"eyebrows": "angry"}, {"eyebrows": "angry"}, {}),
        "lifted": ({"eyebrows": "raisedExcited"}, {"eyebrows": "happy"}, {}),
        "worried": ({"eyebrows": "sadConcerned"}, {"eyebrows": "sad"}, {}),
    },
    "eyes": {
        "open": ({"eyes": "default"}, {"eyes": "wide"}, {"eyes": "open"}),
        "shut": ({"eyes": "closed"}, {"eyes": "humble"}, {"eyes": "sleep"}),
        "winking": ({"eyes": "wink"}, {"eyes": "wink"}, {"eyes": "wink"}),
    },
    "mouth": {
        "smiling": ({"mouth": "twinkle"}, {"mouth": "smile"}, {"mouth": "smile"}),
        "laughing": ({"mouth": "smile"}, {"mouth": "laugh"}, {"mouth": "bigSmile"}),
        "astonished": ({"mouth": "screamOpen"}, {"mouth": "agape"}, {"mouth": "surprise"}),
        "upset": ({"mouth": "sad"}, {"mouth": "angry"}, {"mouth": "frown"}),
    },
    "beard": {
        "full": ({"facialHair": "beardMedium"}, {"beard": "fullBeard"}, {"facialHair": "goatee"}),
        "moustache": (
            {"facialHair": "moustacheMagnum"},
            {"beard": "chinMoustache"},
            {"facialHair": "walrus"},
        ),
    },
    "clothes": {
        "plain": ({"clothes": "shirtCrewNeck"}, {"clothes": "tShirt"}, {"clothes": "rounded"}),
    },
}
"""For values that all styles share, the variants of Avataaars, ToonHead and Personas."""


@dataclass(frozen=True)
class Style:
    """A drawing style of DiceBear, with the options that draw each factor.

    Attributes:
        source: the name of the style at DiceBear.
        column: the index of its variants in the rows of `NAMED`.
        components: for a factor, the component whose variants are its values.
        colors: for a factor of colours, the options that take its colour.
        options: options of every picture, such as the scale.
        lacks: factors that the style cannot draw.
    """

    source: str
    column: int
    components: Mapping[str, str]
    colors: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any]
    lacks: tuple[str, ...] = field(default=())

    def draws(self, factor: str, value: str) -> dict[str, Any]:
        """Return the options of DiceBear that draw a value of a factor; {} for `NONE`."""
        if value == NONE:
            return {}
        if factor in PALETTES:
            return {option: [PALETTES[factor][value]] for option in self.colors.get(factor, ())}
        row = NAMED.get(factor, {}).get(value)
        variants = row[self.column] if row else {self.components[factor]: value}
        options: dict[str, Any] = {}
        for component, variant in variants.items():
            options |= {f"{component}Variant": [variant], f"{component}Probability": 100}
        return options


STYLES = {
    "avataaars": Style(
        source="avataaars",
        column=0,
        components={
            "hair": "top",
            "hat": "top",
            "eyebrows": "eyebrows",
            "eyes": "eyes",
            "mouth": "mouth",
            "beard": "facialHair",
            "clothes": "clothes",
            "glasses": "accessories",
        },
        colors={
            "skin": ("skinColor",),
            "hair_color": ("hairColor", "facialHairColor"),
            "hat_color": ("hatColor",),
            "beard_color": ("facialHairColor",),
            "clothes_color": ("clothesColor",),
            "glasses_color": ("accessoriesColor",),
            "background": ("backgroundColor",),
        },
        options={"scale": 1.7, "facialHairProbability": 0, "accessoriesProbability": 0},
    ),
    "toon-head": Style(
        source="toon-head",
        column=1,
        components={},
        colors={
            "skin": ("skinColor",),
            "hair_color": ("hairColor",),
            "clothes_color": ("clothesColor",),
            "background": ("backgroundColor",),
        },
        options={
            "scale": 1.65,
            "translateY": -12,
            "beardProbability": 0,
            "rearHairProbability": 0,
        },
    ),
    "personas": Style(
        source="personas",
        column=2,
        components={},
        colors={
            "skin": ("skinColor",),
            "hair_color": ("hairColor", "facialHairColor"),
            "clothes_color": ("clothingColor",),
            "background": ("backgroundColor",),
        },
        options={
            "scale": 1.6,
            "translateY": -4,
            "noseVariant": ["smallRound"],
            "facialHairProbability": 0,
        },
        lacks=("eyebrows",),
    ),
}
"""The styles by the names that avatars use. In each, the face fills the picture."""

"""Colours, shapes and fonts of the plots: on the page, where the theme decides, and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.html.sources import MOST_HUES

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
    "M0,-1.15L.27,-.37L1.09,-.36L.44,.14L.68,.93L0,.46L-.68,.93L-.44,.14L-1.09,-.36L-.27,-.37Z",
    "M-1,-.9L1,-.9L-1,.9L1,.9Z",
    "M-.95,-.55L-.55,-.95L0,-.4L.55,-.95L.95,-.55L.4,0L.95,.55L.55,.95L0,.4L-.55,.95L-.95,.55L-.4,0Z",
    "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
)
"""A shape goes with each colour, so that colour is never the only sign.

The last ones are paths: a star, an hourglass, an X and a pentagon.
"""
DASHES = ((1, 0), (9, 3), (9, 3, 2, 3))
"""The dashes of lines, as lengths of strokes and gaps in pixels: each for four colours in turn."""
PUBLISHED_DASH = (2, 3)


@dataclass(frozen=True)
class Ink:
    """How plots are drawn.

    hues: the colours of methods. width, height: of a plot without its axes, in pixels. font: the
    size of the text in pixels. point: the area of a point in pixels.
    """

    hues: tuple[str, ...]
    floor: str
    text: str
    accent: str
    leak: str
    paper: str
    width: int
    height: int
    font: float
    family: str
    point: float

    def hue(self, number: int) -> str:
        """Return the colour of a row, grey for an anchor (-1)."""
        return self.floor if number < 0 else self.hues[number % len(self.hues)]

    @staticmethod
    def shape(number: int) -> int:
        """Return which of `SHAPES` a row has. Methods that share a colour differ in it."""
        return (number + number // MOST_HUES) % len(SHAPES)

    @staticmethod
    def dash(number: int) -> int:
        """Return which of `DASHES` the line of a row has."""
        return (number // 4 + number // MOST_HUES) % len(DASHES)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of Vega-Lite: quiet axes, and text in the colour around it."""
        axis = {
            "labelColor": self.text,
            "titleColor": self.text,
            "domainColor": self.text,
            "tickColor": self.text,
            "gridColor": self.text,
            "domainOpacity": 0.5,
            "tickOpacity": 0.5,
            "gridOpacity": 0.1,
            "labelFontSize": self.font,
            "titleFontSize": self.font,
            "titleFontWeight": "normal",
            "labelLimit": 150,
            "titleLimit": 320,
            "tickCount": 5,
        }
        return {
            "background": None,
            "font": self.family,
            "axis": axis,
            "header": {"labelColor": self.text, "labelFontSize": self.font, "title": None},
            "text": {"color": self.text, "fontSize": self.font},
            "view": {"stroke": None},
            "aria": False,
        }


PAGE = Ink(
    hues=tuple(f"var(--hue{at})" for at in range(MOST_HUES)),
    floor="var(--floor)",
    text="currentColor",
    accent="var(--accent)",
    leak="var(--leak)",
    paper="var(--bg)",
    width=400,
    height=300,
    font=12,
    family='system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif',
    point=70,
)
PAPER = Ink(
    hues=(
        "#0072b2",
        "#d55e00",
        "#00835f",
        "#b5508c",
        "#8f6b00",
        "#8c564b",
        "#5b4fc4",
        "#5d6b00",
        "#222255",
        "#882255",
        "#225522",
        "#08519c",
    ),
    floor="#7c848e",
    text="#000000",
    accent="#0b5cad",
    leak="#c8500a",
    paper="#ffffff",
    width=250,
    height=190,
    font=10.5,  # 8 points
    family="Liberation Sans",
    point=42,
)
"""For a column of 8.5 cm, which has 321 pixels with the axes."""

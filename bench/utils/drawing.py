"""Draws labelled columns of images into one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.utils.files.atomic import written_whole

ROWS, OVERVIEW_ROWS = 8, 6
CELL = 96  # the least side of an image in pixels: small images are enlarged by whole factors
GAP = 4
TITLE, HEAD = 30, 22
INK, PAPER = "#1c1c1c", "#ffffff"
MISSING = torch.full((1,), 235, dtype=torch.uint8)
Column = tuple[str, Tensor | None]
"""A label and uint8 (n, 3, S, S) images, or None for a column without images."""


def save_columns(path: Path, title: str, columns: Sequence[Column]) -> None:
    """Write labelled columns of images as a PNG; a column without images is gray."""
    save(path, drawn_columns(title, columns))


def save(path: Path, picture: Image.Image) -> None:
    """Write a picture as a PNG, completely or not at all."""
    with written_whole(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def drawn_columns(title: str, columns: Sequence[Column]) -> Image.Image:
    """Return a picture of labelled columns; a column without images is gray."""
    first = next(images for _, images in columns if images is not None)
    filled = [images if images is not None else MISSING.expand_as(first) for _, images in columns]
    zoom = max(1, -(-CELL // first.shape[-1]))
    pictures = torch.stack(filled, 1).flatten(0, 1)
    pictures = pictures.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    grid = _grid(pictures, len(columns))

    side = pictures.shape[-1] + GAP
    sheet = Image.new("RGB", (grid.shape[2], grid.shape[1] + TITLE + HEAD), PAPER)
    sheet.paste(Image.fromarray(grid.permute(1, 2, 0).numpy()), (0, TITLE + HEAD))
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 7), title, fill=INK, font=ImageFont.load_default(16))
    font = ImageFont.load_default(12)
    for at, (label, _) in enumerate(columns):
        while font.getlength(label) > side and len(label) > 4:
            label = label[:-2].rstrip(".") + "."
        pen.text((GAP + at * side, TITLE + 3), label, fill=INK, font=font)
    return sheet


def _grid(pictures: Tensor, across: int) -> Tensor:
    """Return uint8 (n, 3, S, S) pictures in rows of `across`, with white gaps of `GAP` pixels."""
    side = pictures.shape[-1] + GAP
    down = -(-len(pictures) // across)
    grid = torch.full((3, down * side + GAP, across * side + GAP), 255, dtype=torch.uint8)
    for at, picture in enumerate(pictures):
        top, left = at // across * side + GAP, at % across * side + GAP
        grid[:, top : top + side - GAP, left : left + side - GAP] = picture
    return grid

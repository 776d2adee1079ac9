"""Reads one image file. A file that cannot be used gives one line with its name.

This module does not import torch, so that workers that only decode start fast.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from PIL import ExifTags, Image, UnidentifiedImageError, features

from bench.contracts.task import Resize
from bench.tasks.files.colour_profile import in_rgb, to_srgb
from bench.utils.errors import UserError

SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "pgm", "ppm", "tif", "tiff", "gif")
"""The endings of the names of image files. A gif must not be animated."""
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "PPM", "TIFF", "GIF", "AVIF", "JPEG2000")
"""The formats that Pillow may open: it goes by the content, and some other formats run programs."""
MIN_SIDE = 8
"""The least number of pixels of a side."""
MAX_MEGAPIXELS = 100
"""Larger images are refused before they are decoded."""
REDUCING_GAP = 3.0
"""Pillow first reduces a large image by a whole factor, to at least this times the final size."""
RULES = 2
"""Version of the rules of this file; raise it when they refuse other files or read other pixels."""
PACKED = ("BGR;16", "RGB;16")
"""Pillow's names for 16 bits in a pixel (5-6-5). Other names with `;16` mean 16 bits a channel."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""For each orientation of EXIF, the turn that sets the picture upright."""


class BadImageError(UserError):
    """A file that cannot be used. The message is its path and the reason."""


def path_text(path: str | Path) -> str:
    """Return a path as text that can be printed; bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@cache
def reader() -> list[str]:
    """Return what decides how files are read: the versions of our rules, Pillow and its parts."""
    parts = sorted(features.get_supported_modules() + features.get_supported_codecs())
    versions = [f"{part} {features.version(part)}" for part in parts]
    return [f"rules {RULES}", f"pillow {PIL.__version__}", *versions]


@contextmanager
def open_image(path: str | Path, file: BinaryIO | None = None) -> Iterator[Image.Image]:
    """Open an image and check its header. Its pixels are not decoded yet.

    Args:
        path: its file.
        file: the open file, if it is open already.

    Raises:
        BadImageError: it cannot be used, or the block fails to decode its pixels.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # we have our own limit
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata
            with Image.open(file or path, formats=_formats()) as image:
                if reason := _why_not(image):
                    raise BadImageError(f"{path_text(path)}: {reason}")
                yield image
    except UserError:
        raise
    except UnidentifiedImageError as error:
        content = "an empty file" if _is_empty(path) else "no image of a known format"
        raise BadImageError(f"{path_text(path)}: no image that can be read ({content})") from error
    except Exception as error:  # decoders raise errors of any kind for broken files
        said = next(iter(str(getattr(error, "strerror", "") or error).splitlines()), "")
        reason = said or type(error).__name__
        raise BadImageError(f"{path_text(path)}: no image that can be read ({reason})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@cache
def _formats() -> list[str]:
    """Return the `FORMATS` that this Pillow can read."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _is_empty(path: str | Path) -> bool:
    return os.path.exists(path) and os.path.getsize(path) == 0


def _why_not(image: Image.Image) -> str:
    """Return why the header of an image forbids its use, or ''."""
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1e6:
        return f"{width} x {height} pixels, expected at most {MAX_MEGAPIXELS} megapixels"
    if (
        getattr(image, "n_frames", 1) > 1 and image.format != "MPO"
    ):  # an MPO is a photo with its preview
        return f"{image.n_frames} pictures, expected a single one"  # type: ignore[attr-defined]
    if image.mode in ("I", "F") or image.mode.startswith("I;") or _has_16_bits(image):
        return f"mode {image.mode} of 16 bits or more, expected 8 bits a channel"
    return ""


def _has_16_bits(image: Image.Image) -> bool:
    """Return whether a channel has 16 bits, which Pillow would silently reduce to 8."""
    tiles = getattr(image, "tile", ())
    words = [word for tile in tiles for word in np.atleast_1d(np.array(tile[3], dtype=object))]
    ppm = image.format == "PPM"
    return any(
        (isinstance(word, str) and ";16" in word and word not in PACKED)
        or (ppm and isinstance(word, int) and word > 255)
        for word in words
    )


def read_rgb(path: str | Path) -> Image.Image:
    """Return the image of a file in RGB (see `as_rgb`).

    Raises:
        BadImageError: it cannot be used.
    """
    with open_image(path) as image:
        require_size(image, path)
        return as_rgb(image)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an opened image upright (EXIF), in sRGB and on white."""
    image.load()
    transform, opaque = to_srgb(image), _is_alpha_unused(image)
    image = _upright(image)
    if opaque or not image.has_transparency_data:
        return in_rgb(image, transform)
    over = image.convert("RGBA")
    if transform is not None:
        alpha = over.getchannel("A")
        over = in_rgb(over, transform)
        over.putalpha(alpha)
    white = Image.new("RGBA", over.size, "white")
    return Image.alpha_composite(white, over).convert("RGB")


def treatment(image: Image.Image) -> str:
    """Return a word for the rule that changes the pixels of an image, or ''.

    A fingerprint covers the bytes of files. A rule that was added later reads other pixels from
    the same bytes; its word then gives the image another digest.
    """
    if _is_alpha_unused(image):
        return "opaque"
    return "" if to_srgb(image) is None else "srgb"


def _is_alpha_unused(image: Image.Image) -> bool:
    """Return whether a bitmap has an alpha channel of zeros: it is unused, not transparent."""
    bitmap = image.format in ("BMP", "DIB") and image.mode == "RGBA"
    return bitmap and image.getchannel("A").getextrema() == (0, 0)


def _upright(image: Image.Image) -> Image.Image:
    """Return an image upright, by its orientation in EXIF.

    `ImageOps.exif_transpose` would also write the other metadata back, which can fail.
    """
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata count as none: the pixels can still be read
        turn = None
    return image if turn is None else image.transpose(turn)


def require_size(image: Image.Image, path: str | Path) -> None:
    """Make sure that each side of an image has at least `MIN_SIDE` pixels.

    Raises:
        BadImageError: a side is shorter.
    """
    width, height = image.size
    if min(image.size) < MIN_SIDE:
        raise BadImageError(
            f"{path_text(path)}: {width} x {height} pixels, expected at least "
            f"{MIN_SIDE} x {MIN_SIDE}"
        )


def to_square(
    image: Image.Image,
    size: int,
    how: Resize,
    resample: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """Return an RGB image as size x size pixels, antialiased.

    Args:
        image: the image.
        size: the new side in pixels.
        how: crop takes the largest square in the middle, pad the whole image on white, and stretch
            the whole image without its aspect ratio.
        resample: the filter.
    """
    width, height = image.size
    if how == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if how != "pad":
        return image.resize((size, size), resample, reducing_gap=REDUCING_GAP)
    scale = size / max(width, height)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    inner = image.resize(fitted, resample, reducing_gap=REDUCING_GAP)
    sheet = Image.new("RGB", (size, size), "white")
    sheet.paste(inner, ((size - fitted[0]) // 2, (size - fitted[1]) // 2))
    return sheet


def to_array(image: Image.Image) -> np.ndarray:
    """Return an RGB image as uint8 (3, H, W)."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))

"""Reads one image file carefully: what cannot be used is said in one line that names the file.

Needs no torch, so that workers which only decode start at once.
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
"""What an image file's name ends with; a gif must be a still one."""
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "PPM", "TIFF", "GIF", "AVIF", "JPEG2000")
"""What such a file may be inside. Pillow goes by the content, and some formats run programs."""
MIN_SIDE = 8
"""Pixels that each side of an image must have."""
MAX_MEGAPIXELS = 100
"""More than so many are refused without decoding."""
REDUCING_GAP = 3.0
"""Large images are first reduced by whole factors, to no less than so many times the final size."""
RULES = 2
"""Raised whenever the rules of this file refuse others than before, or read them otherwise."""
PACKED = ("BGR;16", "RGB;16")
"""Pillow's names for 16 bits a pixel (5-6-5); otherwise `;16` is 16 bits a channel."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""For each orientation of EXIF what brings a picture the right way up."""


class BadImageError(UserError):
    """A file that cannot be used: the message is its path and the reason."""


def path_text(path: str | Path) -> str:
    """Return a path as it can be printed, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@cache
def reader() -> list[str]:
    """Return all that decides how a file is read: our rules, Pillow, and what it is built with."""
    parts = sorted(features.get_supported_modules() + features.get_supported_codecs())
    versions = [f"{part} {features.version(part)}" for part in parts]
    return [f"rules {RULES}", f"pillow {PIL.__version__}", *versions]


@contextmanager
def open_image(path: str | Path, file: BinaryIO | None = None) -> Iterator[Image.Image]:
    """Give an image whose header is as it must be; its pixels are not decoded yet.

    file: its content, where it is open already.

    Raises:
        BadImageError: it cannot be used, or its pixels cannot be decoded within the block.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours comes first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            with Image.open(file or path, formats=_formats()) as image:
                if reason := _why_not(image):
                    raise BadImageError(f"{path_text(path)}: {reason}")
                yield image
    except UserError:
        raise
    except UnidentifiedImageError as error:
        content = "an empty file" if _is_empty(path) else "no image of a known format"
        raise BadImageError(f"{path_text(path)}: no image that can be read ({content})") from error
    except Exception as error:  # decoders raise whatever they like at broken files
        said = next(iter(str(getattr(error, "strerror", "") or error).splitlines()), "")
        reason = said or type(error).__name__
        raise BadImageError(f"{path_text(path)}: no image that can be read ({reason})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@cache
def _formats() -> list[str]:
    """Return those of `FORMATS` that this Pillow reads."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _is_empty(path: str | Path) -> bool:
    return os.path.exists(path) and os.path.getsize(path) == 0


def _why_not(image: Image.Image) -> str:
    """Return why an image cannot be used, going by its header, or ''."""
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1e6:
        return f"{width} x {height} pixels, expected at most {MAX_MEGAPIXELS} megapixels"
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a photo and its preview
        return f"{image.n_frames} pictures, expected a single one"  # type: ignore[attr-defined]
    if image.mode in ("I", "F") or image.mode.startswith("I;") or _has_16_bits(image):
        return f"mode {image.mode} of 16 bits or more, expected 8 bits a channel"
    return ""


def _has_16_bits(image: Image.Image) -> bool:
    """Return whether Pillow would silently reduce 16 bits a channel to 8."""
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
    """Return an opened image the right way up (EXIF) in sRGB; what is transparent is on white."""
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
    """Return a word for the rule that made an image's pixels others than they were, mostly ''.

    Fingerprints are made of the bytes of files. Where a later rule reads other pixels from the
    same bytes, this word makes it another fingerprint.
    """
    if _is_alpha_unused(image):
        return "opaque"
    return "" if to_srgb(image) is None else "srgb"


def _is_alpha_unused(image: Image.Image) -> bool:
    """Return whether a bitmap has room for alpha that nobody filled: all of it would be clear."""
    bitmap = image.format in ("BMP", "DIB") and image.mode == "RGBA"
    return bitmap and image.getchannel("A").getextrema() == (0, 0)


def _upright(image: Image.Image) -> Image.Image:
    """Return an image as its orientation says.

    `ImageOps.exif_transpose` writes the other metadata back too, and not all can be written.
    """
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # metadata that cannot be read say nothing, and the pixels are sound
        turn = None
    return image if turn is None else image.transpose(turn)


def require_size(image: Image.Image, path: str | Path) -> None:
    """Make sure that an image is more than a few pixels.

    Raises:
        BadImageError: it is not.
    """
    width, height = image.size
    if min(image.size) < MIN_SIDE:
        raise BadImageError(
            f"{path_text(path)}: {width} x {height} pixels, expected at least {MIN_SIDE} x {MIN_SIDE}"
        )


def to_square(
    image: Image.Image,
    size: int,
    how: Resize,
    resample: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """Return an RGB image as size x size pixels, antialiased.

    crop: the largest square in the middle. pad: the whole image on white. stretch: the whole image,
    its shape lost.
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

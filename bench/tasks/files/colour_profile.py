"""Converts the colours of an image to sRGB by the colour profile in its file."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

CLOSE = 2
"""A profile that changes no colour by more than this, of 255, counts as sRGB."""
MODES = {
    "RGB": ("RGB", {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "L", "LA", "La", "1", "YCbCr"}),
    "GRAY": ("L", {"L", "LA", "La", "1"}),
    "CMYK": ("CMYK", {"CMYK"}),
}
"""For each colour space of a profile: Pillow's mode for it, and the modes that convert to it."""


def to_srgb(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Return the transform of an image's colours to sRGB, or None where none is needed.

    None is needed without a profile, with that of sRGB, and with one that is damaged or has another
    colour space than the image.
    """
    profile = image.info.get("icc_profile")
    return _transform(profile, image.mode) if isinstance(profile, bytes) and profile else None


def in_rgb(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """Return an image in RGB, without transparency, after a transform to sRGB."""
    if transform is None:
        return image.convert("RGB")
    made = ImageCms.applyTransform(image.convert(transform.input_mode), transform)
    assert made is not None  # None is for a transform in place
    return made


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the relative colorimetric transform with black point compensation, or None."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        through, modes = MODES.get(source.profile.xcolor_space.strip(), ("", set()))
        if mode not in modes:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            through,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a transform keeps all greys and a regular grid of colours."""
    greys = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    if transform.input_mode == "CMYK":
        return False
    return all(
        np.abs(np.asarray(in_rgb(Image.fromarray(colours), transform), int) - colours).max()
        <= CLOSE
        for colours in ([greys] if transform.input_mode == "L" else [greys, grid])
    )

"""What the colours of a picture are: those that the colour profile in its file says, as sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

CLOSE = 2
"""A profile that moves no colour by more than so many of 255 is sRGB: pixels stay as they are."""
MODES = {
    "RGB": ("RGB", {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "L", "LA", "La", "1", "YCbCr"}),
    "GRAY": ("L", {"L", "LA", "La", "1"}),
    "CMYK": ("CMYK", {"CMYK"}),
}
"""For each colour space of a profile, the mode that it is applied to and the modes it is for."""


def to_srgb(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Return what makes sRGB of an image's colours, None where they stay as they are.

    They stay where there is no profile, where it is damaged or of other colours than the image's,
    and where it is that of sRGB.
    """
    profile = image.info.get("icc_profile")
    return _transform(profile, image.mode) if isinstance(profile, bytes) and profile else None


def in_rgb(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """Return an image in RGB without its transparency, its colours made sRGB by a transform."""
    if transform is None:
        return image.convert("RGB")
    made = ImageCms.applyTransform(image.convert(transform.input_mode), transform)
    assert made is not None  # it is only where an image is changed in place
    return made


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform by relative colorimetry with black point compensation, or None."""
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
    """Return whether a transform leaves all greys and an even grid of colours as they are."""
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

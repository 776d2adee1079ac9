"""Colour profiles are followed."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.tasks.files.decode import open_image, read_rgb, treatment
from tests.tasks.files.made_profiles import P3, icc_file, noise, profile

COLOUR = (200, 80, 40)


SRGB = [(0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]


def srgb_table(size=1024):
    """Return the curve of sRGB as its oldest profile has it."""
    x = np.linspace(0, 1, size)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype(int).tolist()


def built_in():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


SAME = {
    "none": None,
    "built in": built_in(),
    "a table": profile(SRGB, srgb_table()),
    "damaged": profile(P3, 2.2)[:200],
    "text": b"no profile",
    "empty": b"",
    "of greys": profile((), 2.2, b"GRAY"),
}


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_no_profile_and_that_of_srgb_leave_every_pixel_as_it_is(case, kind, tmp_path):
    """Case 9: so does one that cannot be used."""
    path, image = tmp_path / f"x.{kind}", noise()
    image.save(path, icc_profile=SAME[case], **({"lossless": True} if kind == "webp" else {}))
    assert np.array_equal(np.asarray(read_rgb(path)), np.asarray(image))
    with open_image(path) as again:
        assert treatment(again) == ""


def inside_of(icc, colour=COLOUR):
    """Return a picture whose numbers mean a colour of sRGB by a profile."""
    image = Image.new("RGB", (24, 16), colour)
    to = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), to)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("icc", [profile(P3, 2.2), profile(P3, srgb_table()), profile(SRGB, 1.8)],
                         ids=["P3", "Display P3", "gamma 1.8"])  # fmt: skip
def test_colours_are_those_that_the_profile_says(kind, icc, tmp_path):
    """Case 9: they were up to 16 of 255 off."""
    image = inside_of(icc)
    assert max(abs(a - b) for a, b in zip(image.getpixel((0, 0)), COLOUR, strict=True)) > 4
    image.save(tmp_path / f"x.{kind}", icc_profile=icc, quality=100)
    shown = read_rgb(tmp_path / f"x.{kind}").getpixel((9, 9))
    assert max(abs(a - b) for a, b in zip(shown, COLOUR, strict=True)) <= 3
    with open_image(tmp_path / f"x.{kind}") as again:
        assert treatment(again) == "srgb"


def test_a_profile_is_followed_in_greys_palettes_and_under_transparency(tmp_path):
    """Case 9: white and black stay, the middle of gamma 1.8 is lighter than that of sRGB."""
    icc = profile((), 1.8, b"GRAY")
    grey = Image.new("L", (24, 16), 100)
    grey.save(tmp_path / "grey.png", icc_profile=icc)
    expected = 255 * (1.055 * (100 / 255) ** (1.8 / 2.4) - 0.055)
    assert read_rgb(tmp_path / "grey.png").getpixel((0, 0)) == pytest.approx((expected,) * 3, abs=2)
    for level in (0, 255):
        Image.new("L", (24, 16), level).save(tmp_path / "end.png", icc_profile=icc)
        assert read_rgb(tmp_path / "end.png").getcolors() == [(384, (level,) * 3)]
    p3 = profile(P3, 2.2)
    solid = inside_of(p3)
    solid.quantize(4).save(tmp_path / "palette.png", icc_profile=p3)
    assert read_rgb(tmp_path / "palette.png").getpixel((0, 0)) == pytest.approx(COLOUR, abs=3)
    solid.putalpha(51)
    solid.save(tmp_path / "alpha.png", icc_profile=p3)
    over = [round(255 + (value - 255) / 5) for value in COLOUR]
    assert read_rgb(tmp_path / "alpha.png").getpixel((0, 0)) == pytest.approx(over, abs=2)


def print_profile():
    """Return a profile of a printer by a table of two points an ink: inks only darken."""
    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    light = (1 - inks[:, 3]) * (1 - inks[:, :3].sum(1) / 3)
    lab = np.stack([255 * light, np.full(16, 128), np.full(16, 128)], axis=1).round()
    even = bytes(range(256))
    one = struct.pack(">9i", *[65536 * (at % 4 == 0) for at in range(9)])
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + one
    table += even * 4 + lab.astype(np.uint8).tobytes() + even * 3
    parts = {b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)}
    parts |= {b"A2B0": table, b"A2B1": table}
    return icc_file(parts, b"prtr", b"CMYK", b"Lab ")


def test_the_inks_of_a_printer_are_those_that_its_profile_says(tmp_path):
    """Case 9: half of the black is a lightness of 50, and no pixel becomes lighter than paper."""
    for black, grey in ((0, 255), (128, 118), (255, 0)):
        image = Image.new("CMYK", (24, 16), (0, 0, 0, black))
        image.save(tmp_path / "x.tif", icc_profile=print_profile())
        shown = read_rgb(tmp_path / "x.tif").getpixel((0, 0))
        assert shown == pytest.approx((grey,) * 3, abs=2)
    image.save(tmp_path / "x.jpg", icc_profile=profile(P3, 2.2), quality=100)
    assert read_rgb(tmp_path / "x.jpg").getpixel((0, 0)) == pytest.approx((0, 0, 0), abs=2)

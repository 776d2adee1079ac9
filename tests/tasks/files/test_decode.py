"""Every kind of image file becomes RGB pixels."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from bench.tasks.files.decode import as_rgb, open_image, read_rgb, to_square
from bench.tasks.files.index import inspect_files
from tests.pictures import picture
from tests.tasks.files.made_profiles import P3, profile

COLOUR = (200, 80, 40)


MASKS = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
BGR = bytes(COLOUR[::-1])


def bmp(path, header, bits, masks, pixels, compression=3):
    """Write a bitmap of 24 x 16 pixels by hand."""
    sizes = (header, 24, 16, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    info = (struct.pack("<IiiHHIIiiII", *sizes) + masks).ljust(header if header > 40 else 0, b"\0")
    at = 14 + len(info)
    path.write_bytes(b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + info + pixels)
    return path


def bmp_565(path):
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    return bmp(path, 40, 16, masks, struct.pack("<H", 25 << 11 | 20 << 5 | 5) * 384)


def bmp_555(path):
    return bmp(path, 40, 16, b"", struct.pack("<H", 25 << 10 | 10 << 5 | 5) * 384, compression=0)


def with_alpha(header, *alphas):
    """Return what writes a bitmap whose pixels have these alphas by turns."""
    row = b"".join(BGR + bytes((alpha,)) for alpha in alphas)
    return lambda path: bmp(path, header, 32, MASKS, row * (384 // len(alphas)))


BITMAPS = {
    "v5, all clear": (with_alpha(124, 0), COLOUR),
    "v4, all clear": (with_alpha(108, 0), COLOUR),
    "v5, opaque": (with_alpha(124, 255), COLOUR),
    "v5, half": (with_alpha(124, 51), (244, 220, 212)),
    "5-6-5": (bmp_565, (205, 80, 41)),
    "5-5-5": (bmp_555, (205, 82, 41)),
}


@pytest.mark.parametrize("case", BITMAPS)
def test_bitmaps_are_read_as_viewers_show_them(case, tmp_path):
    """Case 9."""
    write, expected = BITMAPS[case]
    path = write(tmp_path / "x.bmp")
    assert inspect_files([str(path)], None, "")[0].reason == ""
    assert read_rgb(path).getcolors() == [(384, expected)]


def test_some_clear_pixels_are_clear(tmp_path):
    path = with_alpha(124, 0, 255)(tmp_path / "x.bmp")
    assert sorted(read_rgb(path).getcolors()) == [(192, COLOUR), (192, (255, 255, 255))]


def test_a_png_that_is_all_clear_is_white(tmp_path):
    Image.new("RGBA", (24, 16), (*COLOUR, 0)).save(tmp_path / "x.png")
    assert read_rgb(tmp_path / "x.png").getcolors() == [(384, (255, 255, 255))]


def test_files_that_are_read_otherwise_now_make_another_task(place):
    """Case 9: a cache or record of the old pixels is not taken for one of the new."""
    plain = inspect_files([str(place / "a" / "000.png")], None, "")[0].digest
    assert len(plain) == 32
    picture(3).save(place / "a" / "p3.png", icc_profile=profile(P3, 2.2))
    with_alpha(124, 0)(place / "a" / "clear.bmp")
    seen = inspect_files([str(place / "a" / name) for name in ("p3.png", "clear.bmp")], None, "")
    assert [s.digest[32:] for s in seen] == ["srgb", "opaque"]


def test_every_kind_of_file_is_read(place):
    """Grey, colours, palettes, transparency on white, and the right way up."""
    red = Image.new("RGB", (20, 20), (200, 0, 0))
    kinds = {"1.jpg": red, "2.JPEG": red, "3.webp": red, "4.bmp": red, "5.ppm": red, "6.tiff": red,
             "7.pgm": red.convert("L"), "8.gif": red.convert("P"), "9.png": red.convert("LA"),
             "10.png": red.convert("1"), "11.jpg": red.convert("CMYK")}  # fmt: skip
    for name, image in kinds.items():
        image.save(place / name)
        with open_image(place / name) as again:
            assert as_rgb(again).size == (20, 20)
    Image.new("RGBA", (20, 20), (0, 0, 0, 51)).save(place / "alpha.webp", lossless=True)
    with open_image(place / "alpha.webp") as image:
        assert as_rgb(image).getpixel((0, 0)) == (204, 204, 204)
    lying = Image.new("RGB", (20, 10), "white")
    lying.paste("black", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    lying.save(place / "turned.png", exif=exif)
    with open_image(place / "turned.png") as image:
        upright = as_rgb(image)
    assert upright.size == (10, 20)
    assert [upright.getpixel((5, y))[0] for y in (2, 17)] == [0, 255]


def test_how_an_image_becomes_square():
    wide = Image.new("RGB", (40, 20), "red")
    wide.paste("blue", (10, 0, 30, 20))
    crop, pad, stretch = (
        np.asarray(to_square(wide, 16, how)) for how in ("crop", "pad", "stretch")
    )
    assert crop.shape == pad.shape == stretch.shape == (16, 16, 3)
    assert (crop == (0, 0, 255)).all()
    assert (pad[:4] == 255).all()
    assert (pad[12:] == 255).all()
    assert (pad[8, 0] == (255, 0, 0)).all()
    assert (pad[8, 8] == (0, 0, 255)).all()
    assert (stretch[:, 0] == (255, 0, 0)).all()
    assert (stretch[:, 8] == (0, 0, 255)).all()

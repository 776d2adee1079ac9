"""Images are turned as their metadata says, whatever else it holds."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from bench.contracts.task import DataSizes
from bench.tasks.cache import prepare
from bench.tasks.files.decode import read_rgb
from tests.helpers import folder_task
from tests.tasks.files.made_profiles import noise

SIZES = DataSizes(size=16, train=64, probe=64, test=64)


def exif(*entries):
    """Return a block of EXIF: (tag, type, count, bytes) each."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    at, body, data = 14 + 12 * len(entries), b"", b""
    for tag, kind, count, raw in sorted(entries):
        value = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", at + len(data))
        data += raw if len(raw) > 4 else b""
        body += struct.pack("<HHI", tag, kind, count) + value
    return b"Exif\0\0" + head + body + b"\0\0\0\0" + data


TURNED = (0x0112, 3, 1, struct.pack("<H", 6))
ODD = {
    "a rational as text": (0x010E, 5, 2, b"\xff" * 16),
    "a float as resolution": (0x011A, 11, 2, b"\xff" * 8),
    "text as a number": (0x0213, 2, 2, b"\xff\xff"),
    "a folder that begins before the file": (0x8769, 9, 2, b"\xff" * 8),
}


def lying():
    """Return a picture to be turned right: then it is black above and white below."""
    image = Image.new("RGB", (40, 30), "white")
    image.paste("black", (0, 0, 20, 30))
    return image


def is_upright(image):
    return image.size == (30, 40) and [image.getpixel((15, y))[0] for y in (5, 35)] == [0, 255]


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_picture_is_turned_whatever_else_its_metadata_hold(case, kind, tmp_path):
    """Case 18: the pixels are sound."""
    path = tmp_path / f"x.{kind}"
    lying().save(path, exif=exif(TURNED, ODD[case]), lossless=True)
    assert is_upright(read_rgb(path))


@pytest.mark.parametrize("skip_bad", [False, True])
def test_such_a_picture_is_used_with_and_without_skip_bad(skip_bad, place):
    """Case 18: it was refused in a line that named --skip-bad, with --skip-bad too."""
    lying().save(place / "a" / "x.jpg", exif=exif(TURNED, ODD["a rational as text"]), quality=100)
    data = prepare(folder_task(place, skip_bad=skip_bad), SIZES, place / "cache")
    assert "skipped" not in data.facts
    assert sum(of[0] for of in data.facts["images"].values()) == 13


@pytest.mark.parametrize("block", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"x"])
def test_a_picture_whose_metadata_cannot_be_read_is_used_as_it_lies(block, tmp_path):
    """Case 18: nothing says that it is to be turned."""
    lying().save(tmp_path / "x.png", exif=block)
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "x.png")), np.asarray(lying()))


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation, tmp_path):
    from PIL import ImageOps

    noise().save(tmp_path / "x.png", exif=exif((0x0112, 3, 1, struct.pack("<H", orientation))))
    with Image.open(tmp_path / "x.png") as image:
        expected = ImageOps.exif_transpose(image)
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "x.png")), np.asarray(expected))

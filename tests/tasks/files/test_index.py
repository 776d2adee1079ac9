"""Image files are found and checked; bad files are named or left out."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.contracts.task import DataSizes
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.files.index import image_files, inspect_files
from bench.utils.errors import UserError
from tests.helpers import TINY, folder_task
from tests.pictures import make_folder, picture, write_cut_short

SIZES = DataSizes(size=16, train=64, probe=64, test=64)


def ran(inside, place, results):
    done = inside("run", "--task", "folder", "--a", place / "a", "--b", place / "b", "--skip-bad",
                  *TINY, "--methods", "copy-source", "--metrics", "rec_l1_a", "--results",
                  place / results, "--cache-dir", place / "c")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (place / results / "records").glob("*.json")
    (note,) = [line for line in done.stdout.splitlines() if "left out" in line]
    return note, json.loads(record.read_text())["facts"]["task"]


def test_a_run_names_the_files_that_it_left_out_itself(inside, place):
    """Case 7: one broken file; then that one gone and three others broken."""
    (place / "a" / "x.png").write_text("")
    note, facts = ran(inside, place, "first")
    assert "left out 1: " in note
    assert "a/x.png" in note
    (place / "a" / "x.png").unlink()
    for name in ("p.png", "q.png", "r.png"):
        (place / "b" / name).write_text("no image")
    (place / "b" / "notes.txt").write_text("")
    shutil.copy(place / "b" / "000.png", place / "b" / "copy.png")
    note, facts = ran(inside, place, "second")
    assert "left out 3: " in note
    assert "x.png" not in note
    assert facts["skipped"]["count"] == 3
    assert [line.partition(": ")[0] for line in facts["skipped"]["first"]] == [
        str(place / "b" / name) for name in ("p.png", "q.png", "r.png")
    ]
    assert facts["duplicates"] == 1
    assert "files that are not images, by the ends of their names: 1 .txt" in facts["notes"]
    for results, left_out in (("first", 1), ("second", 3)):  # a record speaks of what made it
        done = inside("score", "--metrics", "cf_harm_out_add", "--results", place / results,
                      "--cache-dir", place / "c")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        (record,) = (place / results / "records").glob("*.json")
        assert json.loads(record.read_text())["facts"]["task"]["skipped"]["count"] == left_out


def test_what_is_broken_inside_is_named_where_it_is_now(place):
    """Case 7: images come from the cache, the name of the file from this run."""
    write_cut_short(place / "a" / "x.png")
    write_cut_short(place / "a" / "y.jpg", seed=6)
    options = {"skip_bad": True, "cache": place / "cache"}
    before = prepare(folder_task(place, **options), SIZES, place / "cache")
    assert before.facts["skipped"]["count"] == 2
    (place / "a" / "x.png").rename(place / "a" / "renamed.png")
    made = []
    task = folder_task(place, **options)
    after = prepare(task, SIZES, place / "cache", progress=lambda *n: made.append(n))
    assert not made
    assert after.fingerprint == before.fingerprint
    first = [line.partition(": ")[0] for line in after.facts["skipped"]["first"]]
    assert first == [str(place / "a" / name) for name in ("renamed.png", "y.jpg")]
    assert {key: after.facts[key] for key in ("images", "resize", "split")} == {
        key: before.facts[key] for key in ("images", "resize", "split")
    }


def test_without_skip_bad_a_broken_file_is_refused_though_images_are_cached(place):
    """Case 7: the cache was filled by a run that left it out."""
    write_cut_short(place / "a" / "x.png")
    prepare(folder_task(place, skip_bad=True), SIZES, place / "cache")
    with pytest.raises(
        UserError, match=r"a/x.png: no image that can be read \(image file is trunc"
    ):
        prepare(folder_task(place), SIZES, place / "cache")


def test_a_refusal_does_not_outlive_what_refused(place, monkeypatch):
    """Case 7: another Pillow, or one that is built with more, looks again."""
    path = str(place / "a" / "000.png")
    looked = []

    def refuse(image):
        looked.append(image)
        return "a kind that this Pillow cannot read"

    def seen():
        return inspect_files([path], place / "cache", "a")[0].reason

    with monkeypatch.context() as patch:
        patch.setattr("bench.tasks.files.decode._why_not", refuse)
        assert seen() == seen() == f"{path}: a kind that this Pillow cannot read"
    assert len(looked) == 1
    assert seen().endswith("cannot read"), "the same Pillow need not look again"
    monkeypatch.setattr("bench.tasks.files.index.reader", lambda: ["pillow 99"])
    assert seen() == ""


STRAY = ["@eaDir", "#recycle", "__MACOSX", ".thumbnails", "lost+found", "$RECYCLE.BIN", "@Recycle",
         "#SNAPSHOT", "System Volume Information", ".Trashes"]  # fmt: skip


@pytest.mark.parametrize("name", STRAY)
def test_what_systems_keep_in_folders_is_left_out(name, place):
    """Case 23: thumbnails of a NAS were trained on."""
    before = fingerprint(folder_task(place), SIZES)
    make_folder(place / "a" / "deep" / name / "x", 3, seed=9)
    task = folder_task(place)
    data = prepare(task, SIZES, place / "cache")
    assert data.fingerprint == before
    said = [note for note in data.facts["notes"] if "folders of the system" in note]
    assert len(said) == (name[0] != ".")
    assert all(f"a/deep/{name}" in note for note in said)


def test_a_folder_that_is_given_is_read_whatever_its_name(tmp_path):
    make_folder(tmp_path / "@eaDir", 3, seed=9)
    assert len(image_files(tmp_path / "@eaDir").paths) == 3


SKIP = "--skip-bad goes on without"


def deep_png(path):
    """A PNG of 16 bits a channel in colour, which Pillow would reduce without a word."""

    def chunk(name, content):
        sum_ = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + sum_

    head = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(96) for _ in range(16)))
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def animated(path):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue", "green")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


BAD = {
    "x.png: zero bytes": (
        lambda path: path.write_bytes(b""),
        "no image that can be read (an empty file)",
    ),
    "x.png: text": (
        lambda path: path.write_text("no image"),
        "no image that can be read (no image of a known format)",
    ),
    "x.jpg: truncated": (
        write_cut_short,
        "no image that can be read (image file is truncated (24 bytes not processed))",
    ),
    "x.png: truncated": (write_cut_short, "no image that can be read (image file is truncated)"),
    "x.webp: truncated": (
        write_cut_short,
        "no image that can be read (could not create decoder object)",
    ),
    "x.png: one pixel": (
        lambda path: Image.new("RGB", (1, 1)).save(path),
        "1 x 1 pixels, expected at least 8 x 8",
    ),
    "x.pgm: 400 megapixels": (
        lambda path: path.write_bytes(b"P5 20000 20000 255\n"),
        "20000 x 20000 pixels, expected at most 100 megapixels",
    ),
    "x.gif: animated": (animated, "3 pictures, expected a single one"),
    "x.webp: animated": (animated, "3 pictures, expected a single one"),
    "x.png: animated": (animated, "3 pictures, expected a single one"),
    "x.tiff: pages": (animated, "3 pictures, expected a single one"),
    "x.png: 16 bits, grey": (
        lambda path: Image.fromarray(np.zeros((16, 16), np.uint16)).save(path),
        "mode I;16 of 16 bits or more, expected 8 bits a channel",
    ),
    "x.png: 16 bits, colour": (
        deep_png,
        "mode RGB of 16 bits or more, expected 8 bits a channel",
    ),
    "x.ppm: 16 bits": (
        lambda path: path.write_bytes(b"P6 16 16 65535\n" + bytes(1536)),
        "mode RGB of 16 bits or more, expected 8 bits a channel",
    ),
    "x.tif: floats": (
        lambda path: Image.fromarray(np.zeros((16, 16), np.float32)).save(path),
        "mode F of 16 bits or more, expected 8 bits a channel",
    ),
    "x: link in a circle": (lambda path: path.symlink_to(path.parent), "a link in a circle"),
    "x.png: link to itself": (
        lambda path: path.symlink_to(path),
        "a link in a circle",
    ),
    "x.png: a program for Ghostscript": (
        lambda path: Image.new("RGB", (16, 16)).save(path, "EPS"),
        "no image that can be read (no image of a known format)",
    ),
    "x.png: pipe": (os.mkfifo, "neither a file nor a folder"),
    "x.png: link to nothing": (
        lambda path: path.symlink_to(path.parent / "gone.png"),
        "cannot be read (No such file or directory)",
    ),
}
"""For each bad file: how it is made, and what is said of it."""


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_or_is_left_out(case, place):
    make, expected = BAD[case]
    path = place / "a" / case.partition(":")[0]
    make(path)
    with pytest.raises(UserError) as refused:
        prepare(folder_task(place), SIZES, place / "cache")
    assert str(refused.value) == f"{path}: {expected} ({SKIP})"
    data = prepare(folder_task(place, skip_bad=True, cache=place / "cache"), SIZES, place / "cache")
    assert data.facts["skipped"]["first"] == [f"{path}: {expected}"]
    assert Path(data.facts["skipped"]["list"]).read_text() == f"{path}: {expected}\n"
    path.unlink()
    clean = prepare(folder_task(place), SIZES, place / "clean")
    assert clean.pixel_hash == data.pixel_hash


def test_a_file_that_may_not_be_read_is_named(place, monkeypatch):
    """Root may read everything, so the refusal is played; once it may be read, it is."""

    def deny(path, mode):
        if path.endswith("004.png"):
            raise PermissionError(13, "Permission denied", path)
        return open(path, mode)

    cache = place / "cache"
    with monkeypatch.context() as patch:
        patch.setattr("bench.tasks.files.index.open", deny, raising=False)
        with pytest.raises(UserError) as refused:
            fingerprint(folder_task(place, cache=cache), SIZES)
    line = f"{place}/a/004.png: cannot be read (Permission denied) (and 1 more; {SKIP})"
    assert str(refused.value) == line
    assert fingerprint(folder_task(place, cache=cache), SIZES)


def test_unchanged_files_are_read_once(place, monkeypatch):
    cache = place / "cache"
    before = fingerprint(folder_task(place, cache=cache), SIZES)
    monkeypatch.setattr("bench.tasks.files.index.open_image", None)
    assert fingerprint(folder_task(place, cache=cache), SIZES) == before
    monkeypatch.undo()
    picture(50).save(place / "a" / "000.png")
    os.utime(place / "a" / "000.png", ns=(0, 0))
    assert fingerprint(folder_task(place, cache=cache), SIZES) != before
    for index in cache.glob("files-*.json"):
        index.write_text("damaged")
    assert fingerprint(folder_task(place, cache=cache), SIZES) != before

"""The user's own images: what is read, how it is shared out, and the line for each bad input."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.cell.job import Job
from bench.contracts.task import PARTS, DataSizes, Options
from bench.plan.plan import Request, make_plan
from bench.tasks.cache import fingerprint, prepare, read
from bench.tasks.files.decode import as_rgb, open_image, to_square
from bench.tasks.user_folders import Folder
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import read_checked

from .conftest import TINY
from .pictures import make_folder, picture

SIZES = DataSizes(size=16, train=64, probe=64, test=64)
SKIP = "--skip-bad goes on without"


@pytest.fixture
def place(tmp_path):
    """Two folders of twelve good images."""
    make_folder(tmp_path / "a", 12, seed=0)
    make_folder(tmp_path / "b", 12, seed=1)
    return tmp_path


def folder(place, **more):
    return Folder(Options(a=place / "a", b=place / "b", **more))


def images(data, part="test"):
    return [domain.images for domain in data.domains[part]]


# --- bad input ------------------------------------------------------------------------------------


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


def cut_short(path):
    picture(5, (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-200])


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
        cut_short,
        "no image that can be read (image file is truncated (24 bytes not processed))",
    ),
    "x.png: truncated": (cut_short, "no image that can be read (image file is truncated)"),
    "x.webp: truncated": (
        cut_short,
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
        prepare(folder(place), SIZES, place / "cache")
    assert str(refused.value) == f"{path}: {expected} ({SKIP})"
    data = prepare(folder(place, skip_bad=True, cache=place / "cache"), SIZES, place / "cache")
    assert data.facts["skipped"]["first"] == [f"{path}: {expected}"]
    assert Path(data.facts["skipped"]["list"]).read_text() == f"{path}: {expected}\n"
    path.unlink()
    clean = prepare(folder(place), SIZES, place / "clean")
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
            fingerprint(folder(place, cache=cache), SIZES)
    line = f"{place}/a/004.png: cannot be read (Permission denied) (and 1 more; {SKIP})"
    assert str(refused.value) == line
    assert fingerprint(folder(place, cache=cache), SIZES)


def nothing(place):
    shutil.rmtree(place / "a")


def a_file(place):
    nothing(place)
    (place / "a").write_text("")


def empty(place):
    nothing(place)
    (place / "a").mkdir()


def only_one(place):
    empty(place)
    picture(9).save(place / "a" / "x.png")


def nine_and_copies(place):
    for at in (9, 10, 11):
        shutil.copy(place / "a" / "000.png", place / "a" / f"{at:03d}.png")


def shared(place):
    shutil.copy(place / "b" / "003.png", place / "a" / "x.png")


def two_bad(place):
    (place / "a" / "005.png").write_text("")
    (place / "b" / "001.png").write_text("x")


ENDINGS = "that differ (png, jpg, jpeg, webp, bmp, pgm, ppm, tif, tiff, gif)"
FOLDERS = {
    "missing": (nothing, "{place}/a: no such folder"),
    "a file": (a_file, "{place}/a: a file, expected a folder of images"),
    "empty": (empty, f"{{place}}/a: 0 usable images, expected at least 10 {ENDINGS}"),
    "one image": (only_one, f"{{place}}/a: 1 usable image, expected at least 10 {ENDINGS}"),
    "copies": (nine_and_copies, f"{{place}}/a: 9 usable images, expected at least 10 {ENDINGS}"),
    "in A and in B": (
        shared,
        f"{{place}}/a/x.png: the same image as {{place}}/b/003.png (and 1 more; {SKIP})",
    ),
    "two bad files": (
        two_bad,
        f"{{place}}/a/005.png: no image that can be read (an empty file) (and 1 more; {SKIP})",
    ),
}
"""For each bad folder: how it is made, and the line."""


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_folder_is_one_line_and_exit_code_2(case, place, inside):
    make, expected = FOLDERS[case]
    make(place)
    done = inside("run", "--task", "folder", "--a", place / "a", "--b", place / "b", *TINY,
                  "--results", place / "r", "--cache-dir", place / "c")  # fmt: skip
    assert done.stderr == f"error: {expected.format(place=place)}\n"
    assert done.returncode == 2
    assert not (place / "r").exists()


def test_what_is_in_both_domains_can_be_left_out_of_both(place):
    shared(place)
    data = prepare(folder(place, skip_bad=True), SIZES, place / "cache")
    assert data.facts["skipped"]["count"] == 2
    assert data.facts["images"]["train"] == [8, 7]


WRONG = {
    "a alone": (("--task", "folder", "--a", "x"), "--task folder needs --b DIR"),
    "nothing": (("--task", "folder"), "--task folder needs --a DIR"),
    "no folder": (("--a", "x", "--b", "y"), "--a: task avatars-glasses does not take this option; "
                  "it is for --task folder"),
    "same": (("--task", "folder", "--a", "x", "--b", "./x"), "--a and --b are the same folder"),
    "split": (("--task", "folder", "--a", "x", "--b", "y", "--split", "identity"),
              "unknown --split of task folder 'identity' (known: folder, hash)"),
    "resize": (("--task", "folder", "--a", "x", "--b", "y", "--resize", "zoom"), "'zoom' is not"),
    "root": (("--task", "celeba-smile",), "--task celeba-smile needs --data-root DIR"),
    "skip": (("--skip-bad",), "--skip-bad: task avatars-glasses does not take this option"),
    "name": (("--task", "folder:x+z", "--a", "x", "--b", "y"),
             "with these folders the task is folder:x+y"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_one_line(case, inside, tmp_path):
    arguments, expected = WRONG[case]
    done = inside("run", *arguments, "--results", tmp_path / "r")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert expected in done.stderr


# --- good input -----------------------------------------------------------------------------------


def test_names_with_blanks_and_letters_of_any_language_work(inside, place):
    """A run, then its scores again when the folders are gone: what is cached suffices."""
    a, b = place / "ohne Brille, \u00e4lter", place / "\u7709\u955c"
    (place / "a").rename(a)
    (place / "b").rename(b)
    (b / "000.png").rename(b / "\u7709 \u955c.PNG")
    results = ("--results", place / "r", "--cache-dir", place / "c")
    done = inside("run", "--task", "folder", "--a", a, "--b", b, "--resize", "pad", *TINY,
                  "--methods", "copy-source,ground-truth", "--metrics", "rec_l1_a,cf_skill_in_add",
                  *results)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 + 8 images of A + B to train, 2 + 2 to probe, 2 + 2 to test" in done.stdout
    assert "2 test pairs are too few for an interval of a Frechet distance" in done.stdout
    (record,) = (place / "r" / "records").glob("copy-source-*.json")
    assert record.name.isascii()
    said = json.loads(record.read_text())
    assert said["identity"]["task"] == "folder:ohne_Brille_\u00e4lter+\u7709\u955c"
    assert said["environment"]["options"] == {"a": str(a), "b": str(b), "resize": "pad"}
    assert said["facts"]["task"]["images"] == {"train": [8, 8], "probe": [2, 2], "test": [2, 2]}
    assert said["facts"]["task"]["resize"] == "pad, lanczos, antialiased"
    assert said["metrics"]["cf_skill_in_add"]["status"] == "not_applicable"

    shutil.rmtree(a)
    again = inside("score", "--metrics", "cf_harm_out_add", *results)
    assert again.returncode == 0, again.stdout + again.stderr
    shutil.rmtree(place / "c")
    gone = inside("score", "--metrics", "cf_rank_add", *results)
    assert gone.returncode == 3
    assert f"its images are not in the cache: {a}: no such folder" in gone.stdout


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


def test_parts_go_by_content_and_not_by_names(place):
    """Other names, copies, sub-folders and files of other kinds: the same images in each part."""
    before = prepare(folder(place), SIZES, place / "cache")
    names = sorted((place / "a").iterdir())
    for at, path in enumerate(names):
        (place / "a" / f"{at % 3}").mkdir(exist_ok=True)
        path.rename(place / "a" / f"{at % 3}" / f"{99 - at}.png")
    shutil.copy(place / "a" / "0" / "99.png", place / "a" / "copy.png")
    (place / "a" / "notes.txt").write_text("")
    (place / "a" / ".hidden.png").write_text("")
    task = folder(place)
    assert fingerprint(task, SIZES) == before.fingerprint
    again = prepare(task, SIZES, place / "other")
    assert again.pixel_hash == before.pixel_hash
    assert again.facts["duplicates"] == 1
    assert "files that are not images, by the ends of their names: 1 .txt" in again.facts["notes"]
    picture(77).save(place / "a" / "new.png")
    assert fingerprint(folder(place), SIZES) != before.fingerprint


def test_sub_folders_stay_together(tmp_path):
    """Twelve people, each in both domains: everyone in one part."""
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 48, seed, sub=lambda at: f"person {at // 4}")
    task = folder(tmp_path, split="folder")
    shared = task._shared(DataSizes(16, 30, 6, 6))
    people = {part: {item.group for of in shared[part] for item in of} for part in PARTS}
    assert sum(len(of_part) for of_part in people.values()) == len(set.union(*people.values()))
    assert [[len(of) for of in shared[part]] for part in PARTS] == [[30, 30], [6, 6], [6, 6]]
    assert fingerprint(task, SIZES) != fingerprint(folder(tmp_path), SIZES)


def test_sub_folders_named_after_parts_are_the_parts(tmp_path):
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 18, seed, sub=lambda at: PARTS[at % 3])
    shared = folder(tmp_path, split="folder")._shared(SIZES)
    for part in PARTS:
        assert {item.group for of in shared[part] for item in of} == {part}
    shutil.rmtree(tmp_path / "a" / "probe")
    shutil.rmtree(tmp_path / "b" / "probe")
    with pytest.raises(UserError, match="sub-folders test, train: expected train, probe, test and"):
        fingerprint(folder(tmp_path, split="folder"), SIZES)
    picture(3).save(tmp_path / "a" / "x.png")
    with pytest.raises(UserError, match=r"x.png: in no sub-folder, but --split folder needs one"):
        fingerprint(folder(tmp_path, split="folder"), SIZES)


def test_unchanged_files_are_read_once(place, monkeypatch):
    cache = place / "cache"
    before = fingerprint(folder(place, cache=cache), SIZES)
    monkeypatch.setattr("bench.tasks.files.index.open_image", None)
    assert fingerprint(folder(place, cache=cache), SIZES) == before
    monkeypatch.undo()
    picture(50).save(place / "a" / "000.png")
    os.utime(place / "a" / "000.png", ns=(0, 0))
    assert fingerprint(folder(place, cache=cache), SIZES) != before
    for index in cache.glob("files-*.json"):
        index.write_text("damaged")
    assert fingerprint(folder(place, cache=cache), SIZES) != before


def test_what_is_streamed_is_checked_and_made_again(place):
    cache = place / "cache"
    data = prepare(folder(place), SIZES, cache)
    (path,) = cache.glob("*.safetensors")
    tensors, header = read_checked(path)
    assert header["pixels"] == data.pixel_hash
    assert torch.equal(tensors["test/0/images"], images(data)[0])
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)
    said = []
    again = prepare(folder(place), SIZES, cache, say=said.append)
    assert again.pixel_hash == data.pixel_hash
    assert "is damaged" in said[0]


def test_many_images_are_decoded_by_workers_as_in_one_process(tmp_path, monkeypatch):
    """The same bits in the same order, and what is broken is named all the same."""
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 30, seed)
    whole = prepare(folder(tmp_path), SIZES, tmp_path / "whole")
    monkeypatch.setattr("bench.tasks.files.stream.CHUNK", 2)
    counts = []
    cut = prepare(folder(tmp_path), SIZES, tmp_path / "cut", progress=lambda *n: counts.append(n))
    assert cut.pixel_hash == whole.pixel_hash
    assert counts[-1] == (60, 60)
    assert len(counts) >= 30
    cut_short(tmp_path / "b" / "000.png")
    with pytest.raises(UserError, match=r"b/000.png: no image that can be read \(image file is"):
        prepare(folder(tmp_path), SIZES, tmp_path / "broken")
    assert not list((tmp_path / "broken").glob("*.tmp"))


def test_ray_sends_images_to_a_machine_that_lacks_them(place, monkeypatch):
    from bench.runs.engines import ray_files, ray_worker

    request = Request(("copy-source",), ("folder",), options=folder(place).options)
    (cell,) = make_plan(request).cells
    here, there = place / "here", place / "there"
    job = Job(cell, "run", place, here, (), None, "")
    data = prepare(folder(place), cell.sizes, here)
    (place / "parcel").write_bytes(ray_files.image_files(job)[ray_files.IMAGES])
    shutil.rmtree(place / "a")
    for _ in range(2):  # the second cell finds them there
        ray_worker._prepare(cell, there, place / "parcel")
        assert read(cell.task, cell.sizes, cell.fingerprint, there).pixel_hash == data.pixel_hash
    monkeypatch.setattr(ray_files, "MOST_MEGABYTES", 0.01)
    with pytest.raises(
        UserError, match="at most 0 MB are sent to machines that lack them: use --e"
    ):
        ray_files.image_files(job)

"""Tasks from the user's folders: options, bad folders, names and links."""

from __future__ import annotations

import json
import shutil

import pytest

from bench.contracts.task import DataSizes, Options
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.user_folders import Folder
from tests.helpers import TINY, folder_task
from tests.pictures import make_folder, picture

SIZES = DataSizes(size=16, train=64, probe=64, test=64)
SKIP = "--skip-bad goes on without"


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
    data = prepare(folder_task(place, skip_bad=True), SIZES, place / "cache")
    assert data.facts["skipped"]["count"] == 2
    assert data.facts["images"]["train"] == [6, 5]


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
    assert (
        "6 + 6 images of A + B to train, 2 + 2 to val, 2 + 2 to probe, 2 + 2 to test" in done.stdout
    )
    assert "2 test pairs are too few for an interval of a Frechet distance" in done.stdout
    (record,) = (place / "r" / "records").glob("copy-source-*.json")
    assert record.name.isascii()
    said = json.loads(record.read_text())
    assert said["identity"]["task"] == "folder:ohne_Brille_\u00e4lter+\u7709\u955c"
    assert said["environment"]["options"] == {"a": str(a), "b": str(b), "resize": "pad"}
    counts = {"train": [6, 6], "val": [2, 2], "probe": [2, 2], "test": [2, 2]}
    assert said["facts"]["task"]["images"] == counts
    assert said["facts"]["task"]["resize"] == "pad, lanczos, antialiased"
    assert said["metrics"]["cf_skill_in_add"]["status"] == "not_applicable"

    shutil.rmtree(a)
    again = inside("score", "--metrics", "cf_harm_out_add", *results)
    assert again.returncode == 0, again.stdout + again.stderr
    shutil.rmtree(place / "c")
    gone = inside("score", "--metrics", "cf_rank_add", *results)
    assert gone.returncode == 3
    assert f"its images are not in the cache: {a}: no such folder" in gone.stdout


def nested(place):
    (place / "b").rename(place / "a" / "b")
    return place / "a", place / "a" / "b"


def deeper(place):
    (place / "a" / "x" / "y").mkdir(parents=True)
    (place / "b").rename(place / "a" / "x" / "y" / "b")
    return place / "a", place / "a" / "x" / "y" / "b"


def linked(place):
    (place / "a" / "more").symlink_to(place / "b")
    return place / "a", place / "b"


def through_a_link(place):
    (place / "b").rename(place / "a" / "b")
    (place / "also a").symlink_to(place / "a")
    return place / "also a", place / "a" / "b"


@pytest.mark.parametrize("make", [nested, deeper, linked, through_a_link])
@pytest.mark.parametrize("turned", [False, True])
def test_one_folder_inside_the_other_is_said(make, turned, place, inside):
    """Case 22: it said "X: the same image as X"."""
    outer, inner = make(place)
    a, b = (inner, outer) if turned else (outer, inner)
    done = inside("run", "--task", "folder", "--a", a, "--b", b, *TINY, "--results", place / "r",
                  "--cache-dir", place / "c")  # fmt: skip
    which = ("--a", "--b") if turned else ("--b", "--a")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {which[0]} {inner} is inside {which[1]} {outer}, so its images would be in both "
        "domains: give two separate folders; neither may contain the other, not even by a link\n"
    )


def test_folders_side_by_side_of_similar_names_are_two(tmp_path):
    for seed, name in enumerate(("faces", "faces2")):
        make_folder(tmp_path / name, 12, seed)
    assert fingerprint(Folder(Options(a=tmp_path / "faces", b=tmp_path / "faces2")), SIZES)

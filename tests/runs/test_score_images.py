"""Scoring of images that were made elsewhere."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from bench.cell.run_folder import RunFolder
from bench.contracts.cell import IMAGES_HASH
from bench.contracts.metric import CODES, IMAGES
from bench.runs.score_images import read_images
from tests.helpers import TINY, change_identity, record_of, rows
from tests.pictures import save_images


def test_only_images_count_among_ready_made_ones(inside, faces, tmp_path):
    """Case 23."""
    truth = save_images(tmp_path / "add", faces.truth.add, "{:05d}.png")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "pairs.csv", "._00001.png"):
        (truth / name).write_text("")
    (truth / "@eaDir").mkdir()
    arguments = ("score-images", "--name", "mine", "--images", f"add={truth}", *TINY, "--results",
                 tmp_path / "r", "--metrics", "cf_skill_in_add")  # fmt: skip
    assert inside(*arguments).returncode == 0
    assert float(rows(tmp_path / "r")["mine", "cf_skill_in_add"]["value"]) == 1
    (truth / "00007.png").rename(truth / "00007.npy")
    refused = inside(*arguments)
    assert refused.returncode == 2
    assert "31 images (not images: 00007.npy, Thumbs.db, desktop.ini, ...), expected 32" in (
        refused.stderr
    )


@pytest.fixture
def truth(faces, tmp_path):
    """Options that give the true results as ready-made images."""
    kinds = vars(faces.truth).items()
    return [
        word
        for key, images in kinds
        for word in ("--images", f"{key}={save_images(tmp_path / 'truth' / key, images)}")
    ]


def test_the_truth_as_images_is_perfect_and_sources_are_nothing(
    inside, faces, truth, results, tmp_path
):
    a, b = faces.test_pairs
    sources = ["--images", f"add={save_images(tmp_path / 'a', a)}",
               "--images", f"rec_a={save_images(tmp_path / 'again', a, '{:03d}.bmp')}",
               "--images", f"remove={save_images(tmp_path / 'b', b)}"]  # fmt: skip
    where = (*TINY, "--results", results)
    for name, images in (("true", truth), ("nothing", sources)):
        done = inside("score-images", "--name", name, *images, *where)
        assert done.returncode == 0, done.stdout + done.stderr
        names = {"true": "`true`", "nothing": "`nothing` and `true`"}[name]
        assert f"{names}: trained elsewhere; scored from its images" in done.stdout
    table = rows(results)
    assert float(table["true", "cf_skill_in_add"]["value"]) == 1
    assert float(table["true", "cf_skill_in_remove"]["value"]) == 1
    assert float(table["true", "cf_rank_add"]["value"]) == 1
    assert float(table["nothing", "cf_skill_in_add"]["value"]) == 0
    assert float(table["nothing", "rec_l1_a"]["value"]) == 0
    reasons = {metric: row["reason"] for (method, metric), row in table.items()
               if method == "nothing" and row["status"] == "not_applicable"}  # fmt: skip
    assert reasons["cf_rank_add"] == "no images were given for 'other'"
    assert reasons["rec_l1_b"] == "no images were given for 'rec_b'"
    assert reasons["z1_domain_acc"] == "images only: no codes"
    assert reasons["params"] == reasons["train_images_per_s"] == "trained elsewhere"
    assert table["autoencoder", "rec_l1_a"]["status"] == "ok", "labels are as before"

    record = record_of(results, "nothing")
    assert record["status"] == "ok"
    assert (record["label"], record["identity"]["method"]) == ("nothing", "nothing")
    assert record["identity"]["config"].keys() == {IMAGES_HASH}
    assert inside("leaderboard", "--results", results).returncode == 0
    ran = inside("run", "--methods", "copy-source", "--metrics", "cf_harm_out_add", *where)
    assert ran.returncode == 0
    assert ("nothing", "cf_skill_in_add") in rows(results)


def test_images_are_scored_once_and_replaced_by_others(inside, truth, results, tmp_path):
    arguments = ("score-images", "--name", "mine", *truth, *TINY, "--results", results, "--metrics")
    assert "start " in inside(*arguments, "cf_skill_in_add").stdout
    first = record_of(results, "mine")
    assert "1 of 1 cells have a record" in inside(*arguments, "cf_skill_in_add").stdout
    assert "start " in inside(*arguments, "cf_harm_out_add").stdout
    later = inside("score", "--methods", "mine", "--metrics", "fd_add", "--results", results)
    assert later.returncode == 0, later.stdout
    assert record_of(results, "mine")["id"] == first["id"]
    assert record_of(results, "mine")["metrics"].keys() == {
        *("cf_skill_in_add", "cf_harm_out_add", "fd_add")
    }

    swapped = tmp_path / "truth" / "add"
    (swapped / "00000.png").rename(swapped / "x")
    (swapped / "00001.png").rename(swapped / "00000.png")
    (swapped / "x").rename(swapped / "00001.png")
    assert inside(*arguments, "cf_skill_in_add").returncode == 0
    assert record_of(results, "mine")["id"] != first["id"]
    assert float(rows(results)["mine", "cf_skill_in_add"]["value"]) < 1
    for kind in ("records", "runs", "grids"):
        assert len(list((results / kind).glob("mine-*"))) == 1, kind

    shutil.rmtree(results / "runs")
    gone = inside("score", "--methods", "mine", "--metrics", "fd_add", "--results", results)
    assert gone.returncode == 3
    assert "give its images with `python -m bench score-images --name mine --images" in gone.stdout
    assert inside(*arguments, "fd_add").returncode == 0


def test_pairs_writes_the_pairs(inside, faces, truth, tmp_path):
    done = inside("pairs", *TINY, "--results", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "r").glob("pairs-avatars-glasses-smoke-*")
    assert str(folder) in done.stdout
    assert "32 images of 32 x 32 pixels" in done.stdout
    with (folder / "pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert pairs[2] == {"index": "2", "source": "a/00002.png", "guide": "b/00002.png",
                        "other_guide": "b/00003.png"}  # fmt: skip
    assert [pair["other_guide"] for pair in pairs[:2]] == ["b/00001.png", "b/00000.png"]
    for letter, domain in zip("ab", faces.domains["test"], strict=True):
        files = sorted((folder / letter).iterdir())
        assert len(files) == len(pairs) == 32
        shown = np.stack([np.asarray(Image.open(path)) for path in files])
        assert (shown == domain.images.permute(0, 2, 3, 1).numpy()).all()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {folder.name}

    (folder / "a" / "stale.png").write_bytes(b"of an earlier, larger run")
    assert inside("pairs", *TINY, "--results", tmp_path / "r").returncode == 0
    assert not (folder / "a" / "stale.png").exists()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {folder.name}


def test_dry_run_checks_images_and_writes_nothing(inside, truth, tmp_path):
    done = inside("score-images", "--dry-run", "--name", "mine", *truth, *TINY,
                  "--results", tmp_path / "r")  # fmt: skip
    assert done.returncode == 0
    assert "the images of mine fit the test pairs of avatars-glasses: add (32" in done.stdout
    assert not (tmp_path / "r").exists()


def test_a_task_with_fewer_test_images_than_the_profile_has_fewer_pairs(inside, tmp_path):
    """`digits` gives a quarter of its real images to the test part at most."""
    (tmp_path / "add").mkdir()
    done = inside("score-images", "--task", "digits", "--name", "mine", "--dry-run",
                  "--images", f"add={tmp_path / 'add'}", *TINY,
                  "--set", "profile.test_images=2048")  # fmt: skip
    assert done.returncode == 2
    assert "0 images, expected 444, one for each test pair" in done.stderr


def palette(*colors):
    image = Image.new("P", (32, 32), 1)
    image.putpalette([value for color in colors for value in color])
    return image


def plain(mode, color):
    return Image.new(mode, (32, 32), color)


@pytest.mark.parametrize(
    ("image", "kind", "expected", "saving"),
    [
        (plain("RGB", (10, 20, 30)), "png", [10, 20, 30], {}),
        (plain("L", 77), "png", [77, 77, 77], {}),
        (plain("1", 1), "png", [255, 255, 255], {}),
        (plain("RGBA", (0, 0, 0, 0)), "png", [255, 255, 255], {}),
        (plain("RGBA", (0, 0, 0, 51)), "png", [204, 204, 204], {}),
        (plain("LA", (50, 255)), "png", [50, 50, 50], {}),
        (plain("L", 9), "png", [255, 255, 255], {"transparency": 9}),
        (palette((0, 0, 0), (1, 2, 3)), "png", [1, 2, 3], {}),
        (palette((0, 0, 0), (1, 2, 3)), "png", [255, 255, 255], {"transparency": 1}),
        (plain("L", 128), "jpg", [128, 128, 128], {}),
    ],
)
def test_every_kind_of_image_is_read_as_rgb(image, kind, expected, saving, tmp_path):
    for at in range(2):
        image.save(tmp_path / f"{at}.{kind}", **saving)
    read = read_images({"add": tmp_path}, 32, 2)["add"]
    assert read.shape == (2, 3, 32, 32)
    assert read[1, :, 0, 0].tolist() == expected


def fewer(folder):
    (folder / "00031.png").unlink()


def smaller(folder):
    Image.new("RGB", (32, 16)).save(folder / "00004.png")


def unreadable(folder):
    (folder / "00004.png").write_text("<html>")


def cut_short(folder):
    path = folder / "00004.png"
    path.write_bytes(path.read_bytes()[:-60])


def sixteen_bits(folder):
    Image.fromarray(np.zeros((32, 32), np.uint16)).save(folder / "00004.png")


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


def unpadded(folder):
    """Without the leading zeros, and with gaps: is it a number, or a name made of digits?"""
    for path in folder.iterdir():
        path.rename(folder / f"{3 * int(path.stem)}.png")


def gone(folder):
    shutil.rmtree(folder)


BAD_FOLDERS = {
    "fewer": (fewer, "add: 31 images, expected 32"),
    "smaller": (smaller, "00004.png: 32 x 16 pixels, expected 32 x 32"),
    "unreadable": (unreadable, "00004.png: no image that can be read"),
    "cut short": (cut_short, "00004.png: no image that can be read"),
    "sixteen bits": (sixteen_bits, "expected 8 bits a channel"),
    "empty": (empty, "add: 0 images, expected 32"),
    "unpadded": (unpadded, "with leading zeros"),
    "gone": (gone, "add: no such folder"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_images_are_one_line_and_exit_code_2(case, inside, truth, tmp_path):
    harm, expected = BAD_FOLDERS[case]
    harm(tmp_path / "truth" / "add")
    done = inside("score-images", "--name", "mine", *truth, *TINY, "--results", tmp_path / "r")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert expected in done.stderr
    assert not (tmp_path / "r").exists()


def test_hidden_files_do_not_count(inside, truth, tmp_path):
    (tmp_path / "truth" / "add" / ".DS_Store").write_bytes(b"")
    assert inside("score-images", "--name", "mine", *truth, *TINY, "--metrics", "cf_skill_in_add",
                  "--results", tmp_path / "r").returncode == 0  # fmt: skip


MINE = ("score-images", "--name", "mine")
ADD = ("--images", "add=x")
WRONG = {
    "key": ((*MINE, "--images", "added=x"), "'added'; did you mean 'add'?"),
    "code": ((*MINE, "--images", "z1_test_a=x"), "unknown key"),
    "twice": ((*MINE, "--images", "add=x", "--images", "add=y"), "add is given already, as x"),
    "equals": ((*MINE, "--images", "add"), "--images 'add': expected KEY=DIR"),
    "no folder": ((*MINE, "--images", "add="), "--images 'add=': expected KEY=DIR"),
    "no name": (("score-images", *ADD), "--name is missing"),
    "no images": (MINE, "--images is missing"),
    "method": (("score-images", "--name", "drit", *ADD), "--name drit: that is a method"),
    "anchor": (("score-images", "--name", "copy-source", *ADD), "that is a method of the suite"),
    "all": (("score-images", "--name", "all", *ADD), "that is a method of the suite"),
    "words": (("score-images", "--name", "a b", *ADD), "--name 'a b': expected a simple word"),
    "path": (("score-images", "--name", "../a", *ADD), "expected a simple word"),
    "nothing": (("score-images", "--name", "", *ADD), "expected a simple word"),
    "task": ((*MINE, *ADD, "--task", "avatar"), "unknown task 'avatar'"),
    "profile": ((*MINE, *ADD, "--profile", "smal"), "unknown profile 'smal'"),
    "owner": ((*MINE, *ADD, "--set", "drit.width=3"), "images have no other settings"),
    "records": ((*MINE, *ADD, "--methods", "drit"), "there is no option --methods"),
    "metric": ((*MINE, *ADD, "--metrics", "fd_ad"), "did you mean 'fd_add'?"),
    "checked metric": ((*MINE, *ADD, "--metrics", "fd_ad", "--dry-run"), "did you mean 'fd_add'?"),
    "pairs task": (("pairs", "--task", "avatar"), "unknown task 'avatar'"),
    "empty": (("score",), "no records in"),
    "any metric": (("score", "--metrics", "fd_ad"), "did you mean 'fd_add'?"),
    "fid": (("score", "--metrics", "fid_add"), "give --inception FILE"),
    "plugin": (("score", "--plugin", "nowhere.py"), "no plug-in file nowhere.py"),
    "old name": (("score", "--name", "mine", *ADD), "`python -m bench score-images --name"),
    "old settings": (("score", "--set", "profile.size=64"), "`python -m bench score-images"),
    "old dry run": (("score", "--dry-run", "--task", "digits"), "`python -m bench pairs` writes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line_and_exit_code_2(case, inside, tmp_path):
    arguments, expected = WRONG[case]
    done = inside(*arguments, "--results", tmp_path / "r")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert expected in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_name_that_was_trained_here_is_taken(inside, truth, results):
    change_identity(results, method="mine")
    done = inside("score-images", "--name", "mine", *truth, *TINY, "--results", results)
    assert done.returncode == 2
    assert "has a record of a method of this name" in done.stderr


def test_what_images_and_codes_are_called(results):
    """The two lists name all that a method leaves, but for a code that it does not have."""
    artefacts = RunFolder(next(results.glob("runs/autoencoder*"))).artefacts()
    assert {*artefacts.tensors, *artefacts.absent} == {*IMAGES, *CODES}

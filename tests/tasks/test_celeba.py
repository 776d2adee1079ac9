"""CelebA from the user's folder: the rules of the reference, its crop, and what is missing."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from bench.contracts.task import HIDDEN, PARTS, DataSizes, Options
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.celeba import CelebaBeard, CelebaGlasses, checksums
from bench.utils.compat import torchvision
from bench.utils.errors import UserError
from tests.pictures import make_celeba

SIZES = DataSizes(size=32, train=16, probe=4, test=4)


@pytest.fixture
def root(tmp_path, monkeypatch):
    made = make_celeba(tmp_path / "celeba", 60)
    monkeypatch.setattr("bench.tasks.celeba.checksums", lambda: made)
    return tmp_path


def glasses(root, **more):
    return CelebaGlasses(Options(data_root=root, **more))


def test_domains_are_those_of_torchvisions_attributes(root, monkeypatch):
    """Torchvision's own reading of the same files says which images have what."""
    celeba = torchvision().datasets.CelebA
    for name in ("list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"):  # it wants them too
        rows = "".join(f"{at + 1:06d}.jpg 1 2\n" for at in range(60))
        (root / "celeba" / name).write_text(f"60\nx y\n{rows}")
    monkeypatch.setattr(celeba, "_check_integrity", lambda self: True)
    theirs = celeba(str(root), split="all")
    has = {name: theirs.attr[:, at] == 1 for at, name in enumerate(theirs.attr_names) if name}

    def names(task, domain):
        return [item.path.rpartition("/")[2] for item in task._items[domain]]

    def wanted(mask):
        return [theirs.filename[at] for at in torch.nonzero(mask).flatten()]

    task = glasses(root)
    assert names(task, 0) == wanted(~has["Eyeglasses"])
    assert names(task, 1) == wanted(has["Eyeglasses"])
    men = has["Male"] & ~has["5_o_Clock_Shadow"]
    bearded = men & (has["Mustache"] | has["Goatee"] | ~has["No_Beard"])
    plain = men & has["No_Beard"] & ~has["Mustache"] & ~has["Goatee"]
    beard = CelebaBeard(Options(data_root=root))
    assert names(beard, 0) == wanted(plain)
    assert names(beard, 1) == wanted(bearded)


def test_images_are_cropped_and_mirrored_as_in_the_reference(root):
    """Rows 20 to 197 and all columns, bilinear; each training image and then its mirror image."""
    task = glasses(root)
    data = prepare(task, SIZES, root / "cache")
    first = task._shared(SIZES)["train"][1][0].path
    photo = Image.open(first).crop((0, 20, 178, 198)).resize((32, 32), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
    train = data.domains["train"][1].images
    assert torch.equal(train[0], expected)
    assert torch.equal(train[1], expected.flip(-1))
    assert len(train) == SIZES.train
    assert data.facts["train"] == "each image and its mirror image"


def test_the_official_parts_are_kept(root):
    lines = (root / "celeba" / "list_eval_partition.txt").read_text().splitlines()
    number = dict(line.split() for line in lines)
    shared = glasses(root)._shared(SIZES)
    for part, official in {"train": "0", "val": "0", "probe": "1", "test": "2"}.items():
        names = {item.path.rpartition("/")[2] for of in shared[part] for item in of}
        assert {number[name] for name in names} == {official}
    used = [{item.path for of in shared[part] for item in of} for part in ("train", "val")]
    assert not used[0] & used[1]


def test_no_person_is_in_two_parts(root):
    shared = glasses(root, split="identity")._shared(DataSizes(32, 60, 8, 8))
    people = [{item.group for of in shared[part] for item in of} for part in PARTS]
    assert sum(map(len, people)) == len(set.union(*people))
    assert fingerprint(glasses(root, split="identity"), SIZES) != fingerprint(glasses(root), SIZES)


def test_the_checksums_are_torchvisions():
    assert checksums()["list_attr_celeba.txt"] == "75e246fa4810816ffd6ee81facbd244c"


def without_images(folder):
    shutil.rmtree(folder / "img_align_celeba")


def without_attributes(folder):
    (folder / "list_attr_celeba.txt").unlink()


def other_parts(folder):
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n")


def without_an_image(folder):
    for path in folder.glob("img_align_celeba/*[05].jpg"):
        path.unlink()


HARM = {
    "images": (without_images, "{f}/img_align_celeba: no such folder: unzip img_align_celeba.zip "
               "(MD5 00d2c5bc6d35e252742224ab0c1e8fcb) in {f}"),
    "attributes": (without_attributes, "{f}/list_attr_celeba.txt: no such file; put CelebA's "
                   "there (MD5 {attributes})"),
    "parts": (other_parts, "{f}/list_eval_partition.txt: its MD5 is "
              "5fa5a3ed4782af8c21dc984721279a3b, expected {parts}: get it from CelebA "
              "again"),
    "an image": (without_an_image, "{f}/img_align_celeba/000005.jpg: cannot be read (No such file "
                 "or directory) (and 10 more; --skip-bad goes on without)"),
}  # fmt: skip


@pytest.mark.parametrize("case", HARM)
def test_what_is_missing_or_differs_is_said_with_its_checksum(case, root, inside):
    from bench.tasks import celeba

    harm, expected = HARM[case]
    harm(root / "celeba")
    done = inside("run", "--task", "celeba-glasses", "--data-root", root, "--results", root / "r",
                  "--cache-dir", root / "c")  # fmt: skip
    assert done.returncode == 2
    sums = celeba.checksums()
    assert done.stderr == "error: {}\n".format(
        expected.format(
            f=root / "celeba",
            attributes=sums["list_attr_celeba.txt"],
            parts=sums["list_eval_partition.txt"],
        )
    )


def test_images_that_are_missing_can_be_left_out(root):
    without_an_image(root / "celeba")
    data = prepare(glasses(root, skip_bad=True), SIZES, root / "cache")
    assert data.facts["skipped"]["count"] >= 1
    assert all("No such file" in line for line in data.facts["skipped"]["first"])


def test_celeba_names_the_files_of_this_run(tmp_path, monkeypatch):
    """Case 7: where files are chosen instead of others."""
    made = make_celeba(tmp_path / "celeba", 60)
    monkeypatch.setattr("bench.tasks.celeba.checksums", lambda: made)
    sizes, photos = DataSizes(32, 16, 4, 4), tmp_path / "celeba" / "img_align_celeba"

    def task(**more):
        return CelebaGlasses(Options(data_root=tmp_path, **more))

    path = photos / task()._shared(sizes)["train"][0][0].path.rpartition("/")[2]
    path.write_bytes(path.read_bytes()[:-500])
    for _ in range(2):
        data = prepare(task(skip_bad=True), sizes, tmp_path / "cache")
        assert data.facts["skipped"]["count"] == 1
        assert str(path) in data.facts["skipped"]["first"][0]
        assert data.facts["train"] == "each image and its mirror image"
    with pytest.raises(UserError, match=rf"{path.name}: no image that can be read"):
        prepare(task(), sizes, tmp_path / "cache")


def test_attributes_are_factors(root):
    """Those that define the domains are separate where they vary in B; constant ones are none."""
    table = (root / "celeba" / "list_attr_celeba.txt").read_text().splitlines()
    heads = table[1].split()
    has = {name: dict(zip(heads, row, strict=True)) for name, *row in map(str.split, table[2:])}
    task = CelebaBeard(Options(data_root=root))
    data = prepare(task, SIZES, root / "cache")
    assert data.factors == task.factors
    names = {factor.name: factor.separate for factor in data.factors}
    separate = {"Goatee": True, "Mustache": True, "No_Beard": True}
    assert names == separate | dict.fromkeys(
        ("Eyeglasses", "Mouth_Slightly_Open", "Smiling"), False
    )
    assert {factor.values for factor in data.factors} == {("no", "yes")}
    assert data.features == "probe"
    for domain, (items, of) in enumerate(
        zip(task._shared(SIZES)["test"], data.domains["test"], strict=True)
    ):
        for item, row in zip(items, of.factors.tolist(), strict=True):
            of_image = has[item.path.rpartition("/")[2]]
            for factor, value in zip(data.factors, row, strict=True):
                hidden = factor.separate and domain == 0
                assert value == (HIDDEN if hidden else int(of_image[factor.name] == "1"))
    train = data.domains["train"][0].factors
    assert torch.equal(train[::2], train[1::2])  # an image and its mirror image
    domains = [[row for row in has.values() if row["Eyeglasses"] == of] for of in ("-1", "1")]
    varying = {name for name in heads if all(len({row[name] for row in of}) > 1 for of in domains)}
    assert {f.name for f in glasses(root).factors} == varying
    assert not any(factor.separate for factor in glasses(root).factors)

"""Digits: through torchvision's own loaders from tiny files, and what is said where they lack."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import struct
import urllib.request

import numpy as np
import pytest
import torch
from scipy.io import savemat

from bench.contracts.task import DataSizes, Options
from bench.tasks import digits_torchvision as sets
from bench.tasks.digits import Digits, parts
from bench.utils.errors import UserError
from tests.helpers import REGISTRY

SIZES = DataSizes(16, 12, 8, 7)


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Write 40 training and 10 test images of each set; the first pixel tells their number."""
    random = np.random.default_rng(0)
    folder, sums = tmp_path / "data with space", {}
    for at, n in enumerate((40, 10)):
        digits = np.arange(n) % 10

        def grey(side, n=n):
            pictures = random.integers(0, 256, (n, side, side), dtype=np.uint8)
            pictures[:, 0, 0] = 4 * np.arange(n) + 2
            return pictures

        images, labels = sets.FILES["mnist"][2 * at : 2 * at + 2]
        for file, head, content in (
            (images, struct.pack(">IIII", 0x803, n, 28, 28), grey(28).tobytes()),
            (labels, struct.pack(">II", 0x801, n), digits.astype(np.uint8).tobytes()),
        ):
            sums[file] = _write(folder / file, gzip.compress(head + content))
        values = grey(16).reshape(n, -1) / 127.5 - 1
        lines = [
            f"{digit + 1} " + " ".join(f"{i + 1}:{value:.6f}" for i, value in enumerate(row))
            for digit, row in zip(digits, values, strict=True)
        ]
        file = sets.FILES["usps"][at]
        sums[file] = _write(folder / file, bz2.compress("\n".join(lines).encode()))
        file = sets.FILES["svhn"][at]
        colour = random.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        savemat(folder / file, {"X": colour, "y": np.where(digits == 0, 10, digits)[:, None]})
        sums[file] = hashlib.md5((folder / file).read_bytes()).hexdigest()
    published = {
        source: {file: (["http://127.0.0.1:9/" + file], sums[file]) for file in files}
        for source, files in sets.FILES.items()
    }
    monkeypatch.setattr(sets, "_published", published.__getitem__)
    svhn = sets.compat.torchvision().datasets.SVHN
    entries = dict(zip(("train", "test"), sets.FILES["svhn"], strict=True))
    split_list = {part: ["", file, sums[file]] for part, file in entries.items()}
    monkeypatch.setattr(svhn, "split_list", split_list)
    return folder


@pytest.mark.parametrize("name", ["usps-mnist", "mnist-usps", "svhn-mnist", "mnist-svhn"])
def test_torchvisions_loaders_read_both_domains(name, root):
    task = REGISTRY.find("task", name).load()(Options(data_root=root))
    assert task.missing() == ""
    data = task.load(SIZES, lambda done, of: None)
    for part, counts in {"train": 12, "val": 2, "probe": 8, "test": 6}.items():
        for domain in data.domains[part]:
            assert domain.images.shape == (counts, 3, 16, 16)
            assert domain.images.dtype == torch.uint8
    if name == "usps-mnist":  # 16 px are not resized: the first pixel says which image it is
        usps = [data.domains[part][0] for part in ("train", "val", "probe")]
        numbers = torch.cat([domain.images[:, 0, 0, 0] for domain in usps]).long() // 4
        digits = torch.cat([domain.factors[:, 0] for domain in usps])
        assert len(numbers.unique()) == 22
        assert (numbers % 10 == digits).all()
        assert all((d.images == d.images[:, :1]).all() for d in usps)
    if "svhn" in name:
        colour = data.domains["test"][task.sources.index("svhn")].images
        assert (colour[:, 0] != colour[:, 1]).any()


def test_what_is_missing_or_altered_is_one_line(root):
    task = sets.UspsMnist(Options(data_root=root))
    file = root / "usps.t.bz2"
    file.write_bytes(b"another")
    with pytest.raises(UserError, match=r"usps\.t\.bz2 is not the published file .*remove it"):
        task.load(SIZES, lambda done, of: None)
    file.unlink()
    with pytest.raises(UserError, match=r"usps\.t\.bz2 not in .*`python -m bench data get usps-"):
        task.load(SIZES, lambda done, of: None)
    with pytest.raises(UserError) as raised:
        task.fetch()
    said = str(raised.value)
    assert "http://127.0.0.1:9/usps.t.bz2 failed" in said
    assert f"put it at {file}" in said
    assert "\n" not in said
    assert sorted(path.name for path in root.iterdir() if "usps" in path.name) == ["usps.bz2"]


def test_fetched_files_are_whole_and_checked(root, monkeypatch):
    """From an address that answers; what is there already is not fetched again."""
    task = sets.UspsMnist(Options(data_root=root))
    file = root / "usps.bz2"
    content = file.read_bytes()
    file.unlink()
    asked = []

    def download(address, folder, name, md5):
        asked.append(address)
        (type(root)(folder) / name).write_bytes(content)

    monkeypatch.setattr(sets.compat.torchvision().datasets.utils, "download_url", download)
    task.fetch()
    assert asked == ["http://127.0.0.1:9/usps.bz2"]
    assert file.read_bytes() == content
    assert task.missing() == ""


def test_the_published_files_are_those_that_are_expected():
    for source, files in sets.FILES.items():
        published = sets._published(source)
        assert list(published) == list(files)
        for addresses, md5 in published.values():
            assert all(address.startswith("http") for address in addresses)
            assert len(md5) == 32


def test_real_digits_belong_to_one_part_and_only_training_has_copies():
    held = parts()
    assert sorted(at for items in held.values() for at in items) == list(range(1797))
    task, size = Digits(), 16
    originals = len(held["train"])
    sizes = DataSizes(size, originals + 3, 2000, 2001)
    found = task.available(sizes)
    assert (found.train, found.probe, found.test) == (originals + 3, 445, 444)
    few = task.load(DataSizes(size, originals + 3, 4, 5), lambda done, of: None)
    train = few.domains["train"][0]
    assert (train.factors[originals:, 0] == train.factors[:3, 0]).all()
    assert (train.images[originals:] != train.images[:3]).flatten(1).any(1).all()
    assert [len(domain.images) for domain in few.domains["test"]] == [4, 4]
    assert len(held["val"]) == 80
    many = task.load(DataSizes(size, 8000, 4, 5000), lambda done, of: None)
    assert [len(domain.images) for domain in many.domains["val"]] == [80, 80]


def test_a_run_fetches_nothing(inside, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTENTBENCH_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(urllib.request, "urlopen", None)
    done = inside("run", "--task", "usps-mnist", "--methods", "copy-source", "--profile", "smoke",
                  "--results", tmp_path / "results")  # fmt: skip
    assert done.returncode == 2
    assert "data get usps-mnist" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_data_list_get_and_show(inside, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTENTBENCH_DATA", str(tmp_path / "none"))
    listed = inside("data", "list")
    assert listed.returncode == 0
    assert "embedded" in listed.stdout
    assert "data get usps-mnist" in " ".join(listed.stdout.split())
    got = inside("data", "get", "digits")
    assert (got.returncode, "nothing to get" in got.stdout) == (0, True)
    assert "did you mean 'digits'" in inside("data", "get", "digit").stderr
    picture = tmp_path / "new" / "sheet.png"
    shown = inside("data", "show", "digits", "--profile", "smoke", "--out", picture)
    assert shown.returncode == 0, shown.stderr
    assert picture.stat().st_size > 1000
    words = shown.stdout.split()
    assert words.count("256") >= 2
    assert "magenta" in words

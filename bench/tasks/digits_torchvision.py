"""Pairs of digit data sets: the standard pairs of domain adaptation.

The files are the user's, in the layout of torchvision's root folder. ``python -m bench data get
NAME`` downloads them; a run never does. Each file must have the checksum that torchvision states,
so the names of the files determine the pixels.

The official test part becomes *test*. Of the official training part, *probe* takes at most a
quarter, *val* takes at most one in eleven of the rest, and *train* takes the others. Grey images
become three equal channels.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contracts.task import PARTS, DataSizes, Domain, Progress, Task, TaskData
from bench.utils import compat
from bench.utils.errors import UserError
from bench.utils.files.paths import default_data_root

from ._digits import DIGIT, Numbers, Pictures, make_even, resize_all, shuffle

RECIPE_VERSION = 2
PATIENCE = 20.0
"""Seconds without an answer after which a download is given up."""
FILES = {
    "mnist": tuple(
        f"MNIST/raw/{part}-{what}-ubyte.gz"
        for part in ("train", "t10k")
        for what in ("images-idx3", "labels-idx1")
    ),
    "usps": ("usps.bz2", "usps.t.bz2"),
    "svhn": ("train_32x32.mat", "test_32x32.mat"),
}
"""The files of each data set, relative to torchvision's root folder."""
COUNTS = {"mnist": (60_000, 10_000), "usps": (7_291, 2_007), "svhn": (73_257, 26_032)}
"""The numbers of images in the official training and test part."""


def _published(source: str) -> dict[str, tuple[list[str], str]]:
    """Return the addresses and the MD5 of each file of a data set, from torchvision."""
    sets = compat.torchvision().datasets
    if source == "mnist":
        found = {
            name: ([site + name for site in sets.MNIST.mirrors], md5)
            for name, md5 in sets.MNIST.resources
        }
    else:
        entries = getattr(sets, source.upper()).split_list.values()
        found = {name: ([address], md5) for address, name, md5 in entries}
    return {file: found[Path(file).name] for file in FILES[source]}


@contextmanager
def _root_for_loaders(source: str, root: Path) -> Iterator[Path]:
    """Give the folder for torchvision's loader, which needs the files of MNIST unpacked."""
    if source != "mnist":
        yield root
        return
    utils = compat.torchvision().datasets.utils
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES[source]:
            target = Path(folder) / Path(file).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            utils._decompress(str(root / file), str(target))
        yield Path(folder)


def _read(source: str, root: Path, train: bool) -> tuple[Pictures, Numbers]:
    """Return an official part: pictures, uint8 (n, H, W) or (n, H, W, 3), and digits, (n,)."""
    sets = compat.torchvision().datasets
    if source == "svhn":
        found = sets.SVHN(root, split="train" if train else "test", download=False)
        return found.data.transpose(0, 2, 3, 1), found.labels
    found = getattr(sets, source.upper())(root, train=train, download=False)
    return np.asarray(found.data), np.asarray(found.targets, dtype=np.int64)


class DigitPair(Task):
    """Two data sets of digits. The digit, which they share, is the only known factor."""

    factors = (DIGIT,)
    label: ClassVar[str] = "digit"
    takes: ClassVar[tuple[str, ...]] = ("data_root",)
    sources: ClassVar[tuple[str, str]]

    @property
    def home(self) -> Path:
        """The folder with the files."""
        return (self.options.data_root or default_data_root()).expanduser().resolve()

    def _files(self) -> list[tuple[str, str]]:
        return [(source, file) for source in self.sources for file in FILES[source]]

    def missing(self) -> str:
        """Return which files are missing and how to get them, or ''."""
        gone = [file for _, file in self._files() if not (self.home / file).is_file()]
        if not gone:
            return ""
        return (
            f"{', '.join(gone)} not in {self.home}: "
            f"`python -m bench data get {self.name} --data-root {self.home}`, or put them there"
        )

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes; the smaller data set limits *probe* and *test*."""
        train, test = (min(COUNTS[of][at] for of in self.sources) for at in (0, 1))
        probe = min(sizes.probe, train // 4)
        most = max(COUNTS[of][0] for of in self.sources) - probe - _val(sizes, train - probe)
        return DataSizes(
            sizes.size, min(sizes.train, most), probe, make_even(min(sizes.test, test))
        )

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the files, whose checksums are known, and the sizes."""
        from importlib.metadata import version

        return {
            "task": self.name,
            "recipe": RECIPE_VERSION,
            "versions": {"pillow": version("pillow")},
            "files": [file for _, file in self._files()],
            "sizes": vars(sizes),
        }

    def load(self, sizes: DataSizes, progress: Progress) -> TaskData:
        """Read both data sets.

        Raises:
            UserError: a file is missing or wrong.
        """
        if missing := self.missing():
            raise UserError(f"task {self.name}: {missing}")
        for source in self.sources:
            self._check(source)
        official = []
        for source in self.sources:
            with _root_for_loaders(source, self.home) as root:
                official.append([_read(source, root, train) for train in (True, False)])
        fewest = min(len(train[1]) for train, _ in official)
        probe = min(sizes.probe, fewest // 4)
        val = _val(sizes, fewest - probe)
        test = make_even(min(sizes.test, *(len(test[1]) for _, test in official)))
        taken: dict[str, list[Domain]] = {part: [] for part in PARTS}
        for at, source in enumerate(self.sources):
            train_set, test_set = official[at]
            order = shuffle(range(len(train_set[1])), RECIPE_VERSION, source, "train")
            first = shuffle(range(len(test_set[1])), RECIPE_VERSION, source, "test")[:test]
            rest = order[probe + val :][: sizes.train]
            taken["train"].append(_domain(train_set, rest, sizes.size))
            taken["val"].append(_domain(train_set, order[probe:][:val], sizes.size))
            taken["probe"].append(_domain(train_set, order[:probe], sizes.size))
            taken["test"].append(_domain(test_set, first, sizes.size))
            progress(at + 1, len(official))
        return TaskData(self.name, "", self.factors, taken, None, self.label)

    def _check(self, source: str) -> None:
        utils = compat.torchvision().datasets.utils
        for file, (_, md5) in _published(source).items():
            if not utils.check_integrity(str(self.home / file), md5):
                raise UserError(
                    f"{self.home / file} is not the published file (expected MD5 {md5}): remove it "
                    f"and run `python -m bench data get {self.name} --data-root {self.home}`"
                )

    def fetch(self) -> None:
        """Download each file that is missing or wrong. A file arrives complete or not at all.

        Raises:
            UserError: no address of a file delivers it.
        """
        utils = compat.torchvision().datasets.utils
        for source in dict.fromkeys(self.sources):
            for file, (addresses, md5) in _published(source).items():
                if not utils.check_integrity(str(self.home / file), md5):
                    _fetch_file(self.home / file, addresses, md5)


def _fetch_file(path: Path, addresses: list[str], md5: str) -> None:
    utils = compat.torchvision().datasets.utils
    before, reasons = socket.getdefaulttimeout(), []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(PATIENCE)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            for address in addresses:
                try:
                    utils.download_url(address, folder, path.name, md5)
                except (OSError, RuntimeError, ValueError) as error:
                    said = str(getattr(error, "reason", None) or error) or type(error).__name__
                    reasons.append(f"{address} failed ({said.splitlines()[0]})")
                    continue
                os.replace(Path(folder) / path.name, path)
                return
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): name a --data-root") from error
    finally:
        socket.setdefaulttimeout(before)
    raise UserError(
        f"cannot fetch {path.name}: {'; '.join(reasons)}; download it elsewhere and "
        f"put it at {path} (MD5 {md5})"
    )


def _val(sizes: DataSizes, rest: int) -> int:
    """Return the size of *val*, where so many official training images are not in *probe*."""
    return make_even(min(sizes.val, rest // 11))


def _domain(official: tuple[Pictures, Numbers], chosen: list[int], size: int) -> Domain:
    import torch

    pictures, digits = official
    images = torch.from_numpy(resize_all(np.ascontiguousarray(pictures[chosen]), size))
    return Domain(images, torch.from_numpy(digits[chosen].reshape(-1, 1)))


class UspsMnist(DigitPair):
    """A: USPS. B: MNIST."""

    name = "usps-mnist"
    summary = "handwritten digits of USPS and of MNIST (your files, or `bench data get`)"
    sources = ("usps", "mnist")


class MnistUsps(DigitPair):
    """A: MNIST. B: USPS."""

    name = "mnist-usps"
    summary = "handwritten digits of MNIST and of USPS (your files, or `bench data get`)"
    sources = ("mnist", "usps")


class SvhnMnist(DigitPair):
    """A: SVHN. B: MNIST."""

    name = "svhn-mnist"
    summary = "house numbers of SVHN and digits of MNIST (your files, or `bench data get`)"
    sources = ("svhn", "mnist")


class MnistSvhn(DigitPair):
    """A: MNIST. B: SVHN."""

    name = "mnist-svhn"
    summary = "digits of MNIST and house numbers of SVHN (your files, or `bench data get`)"
    sources = ("mnist", "svhn")

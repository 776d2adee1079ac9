"""CelebA from the user's folder, with the attribute rules of Press et al., ICLR 2019.

As in the paper, the aligned photographs are cropped to the square in the middle and resized
bilinearly. The paper's code mirrors images at random during training. Here the training part holds
each image and its mirror image, so that all methods see the same images. Of the official parts, the
validation part is *probe*; *val* is cut from the official training part.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from bench.contracts.task import DataSizes, Factor, Options, Progress, Streamed, Task
from bench.tasks.files.attributes import NO_YES, Attributes, choose_factors
from bench.tasks.files.decode import path_text
from bench.tasks.files.index import ImageFile, inspect_files
from bench.tasks.files.split import MIN_IN_PART, Item, Parts, Picture, by_group, by_name, limit_to
from bench.tasks.files.stream import Policy, Selection, facts_of_run, refusal, stream_images
from bench.utils.errors import UserError
from bench.utils.hashing import hash_of

if TYPE_CHECKING:
    import pandas as pd

RECIPE_VERSION = 2
FOLDER, IMAGES = "celeba", "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
SPLIT_FILES = {"official": "list_eval_partition.txt", "identity": "identity_CelebA.txt"}
"""The file that each split is read from."""
OFFICIAL = ("train", "probe", "test")
"""The part that each official part becomes; val is cut from train."""
Has = Mapping[str, "pd.Series[bool]"]
"""For each attribute, which images have it."""


def checksums() -> dict[str, str]:
    """Return the MD5 checksum of each file of CelebA, as torchvision states it."""
    from bench.utils.compat import torchvision

    return {name: digest for _, digest, name in torchvision().datasets.CelebA.file_list}


class Celeba(Task):
    """Two domains of faces, divided by a rule on their attributes."""

    takes = ("data_root", "split", "skip_bad")
    needs = ("data_root",)
    splits = ("official", "identity")
    defining: ClassVar[tuple[str, ...]]
    """The attributes that define the domains."""

    def __init__(self, options: Options = Options()) -> None:
        super().__init__(options)
        self.split = options.split or self.splits[0]
        self.folder = (options.data_root or Path()).absolute() / FOLDER
        self._bad: dict[str, ImageFile] = {}

    @property
    def home(self) -> Path:
        """The folder with the files of CelebA."""
        return self.folder

    def missing(self) -> str:
        """Return which file is missing or wrong, or ''."""
        try:
            self._require_files()
        except UserError as error:
            return str(error)
        return ""

    @cached_property
    def factors(self) -> tuple[Factor, ...]:  # type: ignore[override]
        """The attributes that vary; those that define the domains are separate."""
        return self._read_table[1].factors

    @staticmethod
    @abstractmethod
    def rule(has: Has) -> tuple[pd.Series[bool], pd.Series[bool]]:
        """Return which images are in A, and which are in B."""

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the hashes of the image files in order, how they are resized, and the sizes."""
        return {
            "task": self.name,
            "recipe": RECIPE_VERSION,
            "resize": _policy(sizes).words(),
            "train": "each image and its mirror image",
            "factors": [vars(factor) for factor in self.factors],
            "content": {
                part: [hash_of([item.digest for item in items]) for items in domains]
                for part, domains in self._shared(sizes).items()
            },
            "sizes": vars(sizes),
        }

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes with the images of the larger domain, where these are fewer."""
        shared = self._shared(sizes)
        counts = {part: max(map(len, shared[part])) for part in OFFICIAL}
        return replace(sizes, **(counts | {"train": 2 * counts["train"]}))

    def load(self, sizes: DataSizes, progress: Progress) -> Streamed:
        """Decode the images on all cores."""
        choose, skip_bad = partial(self._chosen, sizes), self.options.skip_bad
        own = {"split": self.split, "train": "each image and its mirror image"}
        return stream_images(choose, _policy(sizes), progress, skip_bad, self._read_table[1], **own)

    def facts_now(self, sizes: DataSizes, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the facts of this run, such as the images that it leaves out."""
        bad = self._bad.values
        return facts_of_run(partial(self._chosen, sizes), made, lambda: [*bad()], self.options)

    def _chosen(self, sizes: DataSizes, left_out: Collection[str]) -> Selection:
        return {
            part: [
                [
                    Picture(item.path, item.digest, mirrored)
                    for item in items
                    for mirrored in ((False, True) if part == "train" else (False,))
                ]
                for items in domains
            ]
            for part, domains in self._shared(sizes, left_out).items()
        }

    def _shared(self, sizes: DataSizes, left_out: Collection[str] = ()) -> Parts:
        """Return the images of each part, with the hashes of their files.

        Raises:
            UserError: a file of CelebA is missing or wrong, or an image cannot be used.
        """
        halved = replace(sizes, train=max(MIN_IN_PART, sizes.train // 2))
        while True:
            out = {*left_out, *self._bad}
            items = [[item for item in of if item.path not in out] for of in self._items]
            shared = by_group(items) if self.split == "identity" else by_name(items, halved)
            shared = limit_to(shared, halved, f"--split {self.split}")
            paths = sorted({i.path for of in shared.values() for items in of for i in items})
            seen = {s.path: s for s in inspect_files(paths, self.options.cache, str(self.folder))}
            bad = {path: s for path, s in seen.items() if s.reason}
            if not bad:
                return {
                    part: [[replace(i, digest=seen[i.path].digest) for i in of] for of in domains]
                    for part, domains in shared.items()
                }
            if not self.options.skip_bad:
                raise refusal(list(bad.values()))
            self._bad |= bad

    @property
    def _items(self) -> list[list[Item]]:
        """The images of each domain. Their digests are their names until `_shared` reads them."""
        return self._read_table[0]

    @cached_property
    def _read_table(self) -> tuple[list[list[Item]], Attributes]:
        """The images of each domain, and their factors."""
        self._require_files()
        images = self.folder / IMAGES
        with _parsing(self.folder / ATTRIBUTES) as path:
            names = path.read_text("utf-8").split("\n", 2)[1].split()
            table = _read(path, names, skip=2)
            domains = self.rule({name: table[name] == 1 for name in names})
        with _parsing(self.folder / SPLIT_FILES[self.split]) as path:
            groups = _read(path, ["group"])["group"].reindex(table.index)
            if self.split == "official":
                groups = groups.map(dict(enumerate(OFFICIAL)))
            if groups.hasnans:
                raise ValueError(f"no entry for {groups.index[groups.isna()][0]}")
        items = [
            [
                Item(str(images / name), name, group)
                for name, group in zip(table.index[of], groups[of].astype(str), strict=True)
            ]
            for of in domains
        ]
        factors = [Factor(name, NO_YES, name in self.defining) for name in names]
        values = [(table[of].to_numpy() == 1).astype(np.int64) for of in domains]
        return items, choose_factors(factors, [[item.path for item in of] for of in items], values)

    def _require_files(self) -> None:
        """Make sure that CelebA's files are there and have the right checksums.

        Raises:
            UserError: a file is missing or wrong.
        """
        right = checksums()
        if not (self.folder / IMAGES).is_dir():
            raise UserError(
                f"{path_text(self.folder / IMAGES)}: no such folder: unzip {IMAGES}.zip "
                f"(MD5 {right[IMAGES + '.zip']}) in {path_text(self.folder)}"
            )
        for name in (ATTRIBUTES, SPLIT_FILES[self.split]):
            path = self.folder / name
            if not path.is_file():
                raise UserError(
                    f"{path_text(path)}: no such file; put CelebA's there (MD5 {right[name]})"
                )
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != right[name]:
                raise UserError(
                    f"{path_text(path)}: its MD5 is {found}, expected {right[name]}: get it from "
                    "CelebA again"
                )


class CelebaGlasses(Celeba):
    """Faces without and with glasses."""

    name = "celeba-glasses"
    summary = "CelebA (--data-root): faces without and with glasses"
    defining = ("Eyeglasses",)

    @staticmethod
    def rule(has: Has) -> tuple[pd.Series[bool], pd.Series[bool]]:
        """B: Eyeglasses. A: all others."""
        return ~has["Eyeglasses"], has["Eyeglasses"]


class CelebaMouth(Celeba):
    """Faces with a closed and with an open mouth."""

    name = "celeba-mouth"
    summary = "CelebA (--data-root): faces with a closed and with an open mouth"
    defining = ("Mouth_Slightly_Open",)

    @staticmethod
    def rule(has: Has) -> tuple[pd.Series[bool], pd.Series[bool]]:
        """B: Mouth_Slightly_Open. A: all others."""
        return ~has["Mouth_Slightly_Open"], has["Mouth_Slightly_Open"]


class CelebaBeard(Celeba):
    """Men without and with facial hair."""

    name = "celeba-beard"
    summary = "CelebA (--data-root): men without and with facial hair"
    defining = ("Mustache", "Goatee", "No_Beard")

    @staticmethod
    def rule(has: Has) -> tuple[pd.Series[bool], pd.Series[bool]]:
        """B: men with a moustache, a goatee or a beard. A: all other men.

        Men with a five o'clock shadow are in neither.
        """
        men = has["Male"] & ~has["5_o_Clock_Shadow"]
        hair = has["Mustache"] | has["Goatee"] | ~has["No_Beard"]
        return men & ~hair, men & hair


class CelebaSmile(Celeba):
    """Faces without and with a smile."""

    name = "celeba-smile"
    summary = "CelebA (--data-root): faces without and with a smile"
    defining = ("Smiling",)

    @staticmethod
    def rule(has: Has) -> tuple[pd.Series[bool], pd.Series[bool]]:
        """B: Smiling. A: all others."""
        return ~has["Smiling"], has["Smiling"]


def _policy(sizes: DataSizes) -> Policy:
    return Policy(sizes.size, "crop", Image.Resampling.BILINEAR)


@contextmanager
def _parsing(path: Path) -> Iterator[Path]:
    """Turn the errors of a block that parses a file of CelebA into one line.

    Raises:
        UserError: the file does not have the layout of CelebA's.
    """
    try:
        yield path
    except (ValueError, LookupError, TypeError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path_text(path)}: not laid out as CelebA's file ({said})") from error


def _read(path: Path, names: list[str], skip: int = 0) -> pd.DataFrame:
    """Return a table of CelebA; its index is the names of images."""
    import pandas as pd

    table = pd.read_csv(
        path,
        sep=r"\s+",
        header=None,
        names=["image", *names],
        skiprows=skip,
        index_col="image",
        dtype={"image": str},
        keep_default_na=False,
    )
    if table.index.has_duplicates:
        raise ValueError(f"{table.index[table.index.duplicated()][0]} is there twice")
    return table

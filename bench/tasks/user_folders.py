"""The user's own images: a folder for each domain."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from bench.contracts.task import PARTS, DataSizes, Factor, Options, Progress, Streamed, Task
from bench.tasks.files.attributes import Attributes, read_attributes
from bench.tasks.files.decode import SUFFIXES, path_text
from bench.tasks.files.file_names import normal
from bench.tasks.files.index import FolderListing, ImageFile, image_files, inspect_files
from bench.tasks.files.split import (
    MIN_IMAGES,
    Item,
    Parts,
    Picture,
    by_hash,
    by_sub_folder,
    limit_to,
)
from bench.tasks.files.stream import (
    MAX_NAMED,
    Policy,
    Selection,
    facts_of_run,
    refusal,
    stream_images,
)
from bench.utils.errors import UserError
from bench.utils.hashing import hash_of

RECIPE_VERSION = 2


class Folder(Task):
    """A: the images below one folder. B: those below another, with the separate content."""

    name = "folder"
    summary = "your own images: --a DIR without and --b DIR with the separate content"
    takes = ("a", "b", "split", "resize", "skip_bad", "attributes")
    needs = ("a", "b")
    splits = ("hash", "folder")

    def __init__(self, options: Options = Options()) -> None:
        super().__init__(options)
        given = (options.a, options.b)
        self.folders = [Path(os.path.abspath(folder)) for folder in given if folder is not None]
        if len({os.path.realpath(folder) for folder in self.folders}) < len(self.folders):
            raise UserError(f"--a and --b are the same folder: {path_text(self.folders[0])}")
        self.name = f"folder:{'+'.join(map(_name_part, self.folders))}"
        self.split = options.split or self.splits[0]
        self.resize = options.resize or "crop"

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the hashes of the usable files, the way they are split and resized, and the sizes.

        Raises:
            UserError: a file cannot be used, or there are too few files for a part.
        """
        self._shared(sizes)
        told = self._attributes
        factors = {
            "factors": [vars(factor) for factor in told.factors],
            "values": [
                hash_of(sorted([item.digest, told.of(item.path).tolist()] for item in items))
                for items in self._unique_items
            ],
        }
        return {
            "task": "folder",
            "recipe": RECIPE_VERSION,
            "split": self.split,
            "resize": Policy(sizes.size, self.resize).words(),
            "content": [
                hash_of(sorted([item.digest, item.group] for item in items))
                for items in self._unique_items
            ],
            "sizes": vars(sizes),
        } | (factors if told.factors else {})

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes with the images of the larger domain, where these are fewer."""
        shared = self._shared(sizes)
        counts = {part: max(map(len, shared[part])) for part in PARTS if part != "val"}
        return replace(sizes, **counts)

    def load(self, sizes: DataSizes, progress: Progress) -> Streamed:
        """Decode the images on all cores."""
        policy = Policy(sizes.size, self.resize)
        choose = partial(self._chosen, sizes)
        skip_bad = self.options.skip_bad
        return stream_images(choose, policy, progress, skip_bad, self._attributes, split=self.split)

    def facts_now(self, sizes: DataSizes, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the facts of this run, such as what else is in the folders."""
        facts = facts_of_run(partial(self._chosen, sizes), made, lambda: self._bad, self.options)
        twice = sum(map(len, self._usable)) - sum(map(len, self._unique_items))
        notes = list(facts["notes"])
        if twice:
            notes.append(f"{twice} images are copies of others and do not count")
        if others := sum((found.others for found in self._found), Counter()):
            kinds = ", ".join(f"{n} .{path_text(kind)}" for kind, n in sorted(others.items()))
            notes.append(f"files that are not images, by the ends of their names: {kinds}")
        if kept := [path_text(path) for found in self._found for path in found.kept]:
            more = f" and {len(kept) - MAX_NAMED} more" if len(kept) > MAX_NAMED else ""
            notes.append(f"folders of the system, left out: {', '.join(kept[:MAX_NAMED])}{more}")
        if self._attributes.factors:
            notes.append(self._about_factors())
        return facts | {"duplicates": twice, "notes": notes}

    def _about_factors(self) -> str:
        told = self._attributes
        names = [f"{f.name} (separate)" if f.separate else f.name for f in told.factors]
        untold = sum(item.path not in told.values for items in self._unique_items for item in items)
        left_out = f"; do not vary: {', '.join(told.left_out)}" if told.left_out else ""
        return f"factors: {', '.join(names)}{left_out}; images without a row: {untold}"

    @cached_property
    def factors(self) -> tuple[Factor, ...]:  # type: ignore[override]
        """The attributes of the user's table that vary."""
        return self._attributes.factors

    @cached_property
    def _attributes(self) -> Attributes:
        if self.options.attributes is None:
            return Attributes()
        files = [found.paths for found in self._found]
        used = [{item.path for item in items} for items in self._unique_items]
        return read_attributes(self.options.attributes, self.folders, files, used)

    def _chosen(self, sizes: DataSizes, left_out: Collection[str]) -> Selection:
        shared = self._shared(sizes, left_out)
        return {
            part: [[Picture(i.path, i.digest) for i in of] for of in shared[part]] for part in PARTS
        }

    @cached_property
    def _found(self) -> list[FolderListing]:
        found = [image_files(folder) for folder in self.folders]
        for at, folder in enumerate(self.folders):
            root = os.stat(folder)
            if (root.st_dev, root.st_ino) in found[1 - at].folders:
                inner, outer = (f"--{'ab'[i]} {path_text(self.folders[i])}" for i in (at, 1 - at))
                raise UserError(
                    f"{inner} is inside {outer}, so its images would be in both domains: give two "
                    "separate folders; neither may contain the other, not even by a link"
                )
        return found

    @cached_property
    def _seen(self) -> list[list[ImageFile]]:
        """The files of each domain. An image that is in both domains is unusable in both."""
        seen = [
            inspect_files(found.paths, self.options.cache, str(folder))
            for folder, found in zip(self.folders, self._found, strict=True)
        ]
        by_digest = [{s.digest: s for s in reversed(of) if not s.reason} for of in seen]
        return [
            [
                s if s.reason or s.digest not in other else _as_duplicate(s, other[s.digest])
                for s in of
            ]
            for of, other in zip(seen, reversed(by_digest), strict=True)
        ]

    @property
    def _usable(self) -> list[list[ImageFile]]:
        return [[seen for seen in of if not seen.reason] for of in self._seen]

    @property
    def _bad(self) -> list[ImageFile]:
        unread = [seen for found in self._found for seen in found.bad]
        return unread + [seen for of in self._seen for seen in of if seen.reason]

    @cached_property
    def _unique_items(self) -> list[list[Item]]:
        return self._items(())

    def _items(self, left_out: Collection[str]) -> list[list[Item]]:
        """Return the usable images of each domain; of equal images, the first in order of paths.

        Raises:
            UserError: a file is bad and `skip_bad` is off, or a domain has too few images.
        """
        if self._bad and not self.options.skip_bad:
            raise refusal(self._bad)
        domains = []
        for folder, usable in zip(self.folders, self._usable, strict=True):
            first = {s.digest: s for s in reversed(usable) if s.path not in left_out}
            if len(first) < MIN_IMAGES:
                many = "1 usable image" if len(first) == 1 else f"{len(first)} usable images"
                raise UserError(
                    f"{path_text(folder)}: {many}, expected at least {MIN_IMAGES} that differ "
                    f"({', '.join(SUFFIXES)})"
                )
            items = [Item(s.path, s.digest, self._group(s.path, folder)) for s in first.values()]
            domains.append(items)
        return domains

    def _group(self, path: str, folder: Path) -> str:
        """Return the first sub-folder of an image if that decides its part, else ''."""
        if self.split != "folder":
            return ""
        first, *rest = Path(path).relative_to(folder).parts
        if not rest:
            raise UserError(f"{path_text(path)}: in no sub-folder, but --split folder needs one")
        name = normal(first)
        return name.casefold() if name.casefold() in PARTS else name

    def _shared(self, sizes: DataSizes, left_out: Collection[str] = ()) -> Parts:
        domains = self._items(left_out) if left_out else self._unique_items
        if self.split == "hash":
            return limit_to(by_hash(domains, sizes), sizes, "--split hash")
        return limit_to(by_sub_folder(domains, sizes), sizes, "--split folder")


def _name_part(folder: Path) -> str:
    """Return the name of a folder for the name of a task: without blanks, commas and the like."""
    return re.sub(r"[^\w.-]+", "_", normal(path_text(folder.name)))[:40] or "root"


def _as_duplicate(seen: ImageFile, other: ImageFile) -> ImageFile:
    return replace(
        seen, reason=f"{path_text(seen.path)}: the same image as {path_text(other.path)}"
    )

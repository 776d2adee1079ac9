"""Decodes the pictures that a task has chosen from files, on all cores, a little at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from bench.atomic import written_whole
from bench.config import hash_of
from bench.contracts import PARTS, Progress, Resize, Streamed
from bench.decode import BadImageError, as_rgb, opened, pixels, require_size, square
from bench.errors import UserError
from bench.files import Seen
from bench.parallel import cut, in_order
from bench.parts import Picture

if TYPE_CHECKING:
    import torch

CHUNK = 32  # pictures decoded by one call of a worker
NAMED = 5
"""So many of the files that were left out are named in a record."""
ENOUGH_FOR_INTERVAL = 128
"""Test pairs below which the Frechet distances of the shipped extractor have no interval."""

Chosen = Mapping[str, Sequence[Sequence[Picture]]]
"""For each part the pictures of each domain."""


@dataclass(frozen=True)
class Policy:
    """How a picture becomes square: side in pixels, what happens to its shape, and the filter."""

    size: int
    resize: Resize
    resample: Image.Resampling = Image.Resampling.LANCZOS

    def words(self) -> str:
        """Return it as records say it."""
        return f"{self.resize}, {self.resample.name.lower()}, antialiased"


def streamed(
    choose: Callable[[Collection[str]], Chosen],
    policy: Policy,
    progress: Progress,
    bad: Sequence[Seen],
    skip_bad: bool,
    cache: Path | None,
) -> Streamed:
    """Return the pictures of a task, to be decoded while they are stored.

    choose: returns the pictures, leaving out some files. bad: the files that are left out anyway.
    skip_bad: whether what turns out to be broken is left out too: pictures are then decoded twice,
    first to find it; else it is an error.
    """
    left_out = {seen.path: seen.reason for seen in bad}
    chosen = choose(left_out)
    sound: set[str] = set()
    while skip_bad:
        unknown = sorted({picture.path for picture in _all(chosen)} - sound)
        broken = _broken(unknown)
        if not broken:
            break
        sound |= set(unknown) - set(broken)
        left_out |= broken
        chosen = choose(left_out)
    chunks = {part: [cut(pictures, CHUNK) for pictures in chosen[part]] for part in PARTS}
    in_a_row = [chunk for part in PARTS for of_domain in chunks[part] for chunk in of_domain]
    blocks = in_order(_decode, in_a_row, policy)
    total, done = len(_all(chosen)), 0

    def images(count: int) -> Iterator[torch.Tensor]:
        import torch

        nonlocal done
        try:
            for block in islice(blocks, count):
                done += len(block)
                progress(done, total)
                yield torch.from_numpy(block)
        except BadImageError as error:
            raise refusal([Seen("", "", str(error))]) from error

    facts = _facts(chosen, left_out, cache) | {"resize": policy.words()}
    domains = {part: [images(len(of)) for of in chunks[part]] for part in PARTS}
    return Streamed(domains, facts)


def refusal(bad: Sequence[Seen]) -> UserError:
    """Return the error for files that cannot be used: the first in one line, and how many more."""
    more = f"and {len(bad) - 1} more; " if len(bad) > 1 else ""
    return UserError(f"{bad[0].reason} ({more}--skip-bad goes on without)")


def _facts(chosen: Chosen, left_out: Mapping[str, str], cache: Path | None) -> dict[str, Any]:
    counts = {part: [len(pictures) for pictures in chosen[part]] for part in PARTS}
    facts: dict[str, Any] = {"images": counts, "notes": []}
    train, probe, test = (" + ".join(map(str, counts[part])) for part in PARTS)
    facts["notes"].append(f"{train} images of A + B to train, {probe} to probe, {test} to test")
    if (pairs := counts["test"][0]) < ENOUGH_FOR_INTERVAL:
        facts["notes"].append(
            f"{pairs} test pairs are too few for an interval of a Frechet distance: it needs "
            f"{ENOUGH_FOR_INTERVAL}, and twice its features with another extractor"
        )
    if left_out:
        reasons = [left_out[path] for path in sorted(left_out)]
        skipped: dict[str, Any] = {"count": len(reasons), "first": reasons[:NAMED]}
        where = ""
        if cache is not None:
            full = cache / f"skipped-{hash_of(reasons)}.txt"
            with written_whole(full) as temporary:
                temporary.write_text("".join(f"{reason}\n" for reason in reasons), "utf-8")
            skipped["list"] = str(full)
            where = f"; all: {full}"
        facts["skipped"] = skipped
        facts["notes"].append(f"left out {len(reasons)}: {'; '.join(reasons[:NAMED])}{where}")
    return facts


def _all(chosen: Chosen) -> list[Picture]:
    return [picture for part in PARTS for pictures in chosen[part] for picture in pictures]


def _broken(paths: Sequence[str]) -> dict[str, str]:
    """Return the files whose pixels cannot be decoded, and why."""
    found: dict[str, str] = {}
    for chunk in in_order(_check, cut(paths, CHUNK)):
        found |= chunk
    return found


def _check(paths: Sequence[str]) -> dict[str, str]:
    found = {}
    for path in paths:
        try:
            with opened(path) as image:
                image.load()
        except BadImageError as error:
            found[path] = str(error)
    return found


def _decode(pictures: Sequence[Picture], policy: Policy) -> np.ndarray:
    """Return pictures, uint8 (n, 3, S, S)."""
    return np.stack([_picture(picture, policy) for picture in pictures])


def _picture(picture: Picture, policy: Policy) -> np.ndarray:
    with opened(picture.path) as image:
        require_size(image, picture.path)
        made = square(as_rgb(image), policy.size, policy.resize, policy.resample)
    return pixels(ImageOps.mirror(made) if picture.mirrored else made)

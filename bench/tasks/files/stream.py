"""Decodes the pictures that a task selected, on all cores, in small blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from bench.contracts.task import PARTS, Options, Progress, Resize, Streamed
from bench.tasks.files.attributes import Attributes
from bench.tasks.files.decode import BadImageError, path_text, read_rgb, to_array, to_square
from bench.tasks.files.index import ImageFile
from bench.tasks.files.split import Picture
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole
from bench.utils.hashing import hash_of
from bench.utils.parallel import cut, in_order

if TYPE_CHECKING:
    import torch

CHUNK = 32  # pictures that a worker decodes in one call
MAX_NAMED = 5
"""The most files that a record names of those that were left out."""
MIN_FOR_INTERVAL = 128
"""The least number of test pairs for intervals of Frechet distances with the shipped extractor."""
Selection = Mapping[str, Sequence[Sequence[Picture]]]
"""For each part, the pictures of each domain."""
Select = Callable[[Collection[str]], Selection]
"""Selects the pictures of a task, without those of the given files."""
Find = Callable[[Mapping[str, str]], Sequence[ImageFile]]
"""Returns the broken ones of some files, which are given by path with their digests."""
BROKEN = "broken"
"""The fact with the reason for each digest whose pixels cannot be decoded. It is stored with the
images; each run finds the files that have these digests."""


@dataclass(frozen=True)
class Policy:
    """How a picture becomes square: its side in pixels, the way of resizing, and the filter."""

    size: int
    resize: Resize
    resample: Image.Resampling = Image.Resampling.LANCZOS

    def words(self) -> str:
        """Return the policy as text for records."""
        return f"{self.resize}, {self.resample.name.lower()}, antialiased"


def stream_images(
    choose: Select,
    policy: Policy,
    progress: Progress,
    skip_bad: bool,
    attributes: Attributes,
    **more: Any,
) -> Streamed:
    """Return the pictures of a task as a stream: they are decoded while they are stored.

    Args:
        choose: selects the pictures.
        policy: how they become square.
        progress: is called with the numbers of pictures that are done and that there are.
        skip_bad: whether to leave out files that cannot be decoded, which are an error otherwise.
            All pictures are then decoded twice: the first time finds these files.
        attributes: the factors of the pictures.
        more: further facts that hold in every run.
    """
    broken = _find_broken(choose, _undecodable) if skip_bad else {}
    chosen = choose(broken)
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
            raise refusal([ImageFile("", "", str(error))]) from error

    facts = {
        "images": {part: [len(pictures) for pictures in chosen[part]] for part in PARTS},
        BROKEN: {
            s.digest: s.reason.removeprefix(f"{path_text(s.path)}: ") for s in broken.values()
        },
        "resize": policy.words(),
    }
    domains = {part: [images(len(of)) for of in chunks[part]] for part in PARTS}
    return Streamed(domains, facts | more, _factors(chosen, attributes))


def _factors(chosen: Selection, attributes: Attributes) -> dict[str, list[torch.Tensor]]:
    """Return the factors of the pictures, int64 (n, F) for each domain of each part, or {}."""
    import torch

    if not attributes.factors:
        return {}
    return {
        part: [
            torch.from_numpy(np.stack([attributes.of(picture.path) for picture in of]))
            for of in domains
        ]
        for part, domains in chosen.items()
    }


def facts_of_run(
    choose: Select,
    made: Mapping[str, Any],
    bad: Callable[[], Sequence[ImageFile]],
    options: Options,
) -> dict[str, Any]:
    """Return the facts of this run on the pictures of a task, with notes for the console.

    Args:
        choose: selects the pictures.
        made: the facts of `stream_images`, maybe from an earlier run.
        bad: returns the files that cannot be used, which is known without decoding; it is called
            last.
        options: the options of this run.

    Raises:
        UserError: files were left out when the pictures were made, but `skip_bad` is off now.
    """
    reasons: dict[str, str] = made[BROKEN]

    def known(digests: Mapping[str, str]) -> list[ImageFile]:
        found = ((path, digest) for path, digest in digests.items() if digest in reasons)
        return [ImageFile(path, of, f"{path_text(path)}: {reasons[of]}") for path, of in found]

    broken = _find_broken(choose, known) if reasons else {}
    if broken and not options.skip_bad:
        raise refusal(list(broken.values()))
    facts = {key: value for key, value in made.items() if key != BROKEN}
    counts = facts["images"]
    train, *others = (" + ".join(map(str, counts[part])) for part in PARTS)
    to = [f"{count} to {part}" for count, part in zip(others, PARTS[1:], strict=True)]
    notes = [f"{train} images of A + B to train, {', '.join(to)}"]
    if (pairs := counts["test"][0]) < MIN_FOR_INTERVAL:
        notes.append(
            f"{pairs} test pairs are too few for an interval of a Frechet distance: it needs "
            f"{MIN_FOR_INTERVAL}, and twice its features with another extractor"
        )
    left_out = {seen.path: seen.reason for seen in (*bad(), *broken.values())}
    if left_out:
        facts["skipped"], note = _skipped([left_out[path] for path in sorted(left_out)], options)
        notes.append(note)
    return facts | {"notes": notes}


def _skipped(reasons: Sequence[str], options: Options) -> tuple[dict[str, Any], str]:
    """Return the entry of a record for files that were left out, and the line for the console."""
    skipped: dict[str, Any] = {"count": len(reasons), "first": reasons[:MAX_NAMED]}
    note = f"left out {len(reasons)}: {'; '.join(reasons[:MAX_NAMED])}"
    if options.cache is not None:
        full = options.cache / f"skipped-{hash_of(reasons)}.txt"
        try:
            with written_whole(full) as temporary:
                temporary.write_text("".join(f"{reason}\n" for reason in reasons), "utf-8")
        except OSError:  # the line names the first files anyway
            return skipped, note
        skipped["list"] = str(full)
        note += f"; all: {full}"
    return skipped, note


def _find_broken(choose: Select, find: Find) -> dict[str, ImageFile]:
    """Return the broken files; pictures that replace them are checked too, until none is broken."""
    broken: dict[str, ImageFile] = {}
    sound: set[str] = set()
    while True:
        digests = {p.path: p.digest for p in _all(choose(broken)) if p.path not in sound}
        found = {seen.path: seen for seen in find(digests)}
        if not found:
            return broken
        sound |= digests.keys() - found.keys()
        broken |= found


def refusal(bad: Sequence[ImageFile]) -> UserError:
    """Return the error for files that cannot be used: the first one, and the number of others."""
    more = f"and {len(bad) - 1} more; " if len(bad) > 1 else ""
    return UserError(f"{bad[0].reason} ({more}--skip-bad goes on without)")


def _all(chosen: Selection) -> list[Picture]:
    return [picture for part in PARTS for pictures in chosen[part] for picture in pictures]


def _undecodable(digests: Mapping[str, str]) -> list[ImageFile]:
    """Return the files whose pixels cannot be decoded, with the reasons."""
    chunks = in_order(_decoding_errors, cut(sorted(digests), CHUNK))
    return [
        ImageFile(path, digests[path], reason) for found in chunks for path, reason in found.items()
    ]


def _decoding_errors(paths: Sequence[str]) -> dict[str, str]:
    found = {}
    for path in paths:
        try:
            read_rgb(path)
        except BadImageError as error:
            found[path] = str(error)
    return found


def _decode(pictures: Sequence[Picture], policy: Policy) -> np.ndarray:
    """Return decoded pictures, uint8 (n, 3, S, S)."""
    return np.stack([_decode_one(picture, policy) for picture in pictures])


def _decode_one(picture: Picture, policy: Policy) -> np.ndarray:
    made = to_square(read_rgb(picture.path), policy.size, policy.resize, policy.resample)
    return to_array(ImageOps.mirror(made) if picture.mirrored else made)

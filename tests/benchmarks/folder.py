"""Time and memory of a folder of many images: `python -m tests.benchmarks.folder --images 100000`.

Half of the images is A, half B: noisy JPEGs of 128 pixels that are made first, and removed at the
end. Each step is measured with all processes that it starts: seconds, and the highest sum of their
anonymous memory (pages of the memory map are the system's to take back, and not counted).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.cell.training import ImageOrder
from bench.contracts.images import to_float
from bench.contracts.task import DataSizes, Options, TaskData
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.user_folders import Folder
from bench.utils.parallel import cut, in_order

SIDE = 128
SECONDS_BETWEEN_LOOKS = 0.02
BATCH = 32


@dataclass
class Taken:
    """What a step took: seconds by the wall clock, and megabytes beyond what was held before."""

    seconds: float = 0.0
    megabytes: float = 0.0


@contextmanager
def measured() -> Iterator[Taken]:
    """Measure a block."""
    taken, over = Taken(), threading.Event()
    before = anonymous(os.getpid())

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            taken.megabytes = max(taken.megabytes, anonymous(os.getpid()) - before)

    watcher = threading.Thread(target=watch)
    start = time.perf_counter()
    watcher.start()
    try:
        yield taken
    finally:
        taken.seconds = time.perf_counter() - start
        over.set()
        watcher.join()


def anonymous(process: int) -> float:
    """Return the megabytes of anonymous memory of a process and all that it started."""
    folder = Path(f"/proc/{process}")
    try:
        held = re.search(r"RssAnon:\s+(\d+)", (folder / "status").read_text())
        children = " ".join(path.read_text() for path in folder.glob("task/*/children"))
    except OSError:  # it has ended
        return 0.0
    return (int(held[1]) / 1024 if held else 0.0) + sum(anonymous(int(c)) for c in children.split())


def make_images(paths: Sequence[tuple[str, int]]) -> int:
    """Write a JPEG for each (path, seed)."""
    for path, seed in paths:
        noise = np.random.default_rng(seed)
        small = Image.fromarray(noise.integers(0, 256, (8, 8, 3), np.uint8))
        large = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        noisy = (large + noise.integers(-6, 7, large.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=90)
    return len(paths)


def rows(images: int, place: Path) -> Iterator[tuple[str, Taken]]:
    """Yield each step and what it took."""
    folders = [place / "plain", place / "extra"]
    wanted = []
    for at, folder in enumerate(folders):
        for start in range(0, images // 2, 1000):  # as people keep them: not all in one folder
            sub = folder / f"{start // 1000:03d}"
            sub.mkdir(parents=True)
            wanted += [
                (str(sub / f"{i:06d}.jpg"), 2 * i + at)
                for i in range(start, min(start + 1000, images // 2))
            ]
    with measured() as taken:
        sum(in_order(make_images, cut(wanted, 500)))
    yield "make the JPEGs (not part of a run)", taken

    options = Options(a=folders[0], b=folders[1], cache=place / "cache")
    sizes = DataSizes(SIDE, images, 2048, 1024)
    data: TaskData | None = None

    def store() -> None:
        nonlocal data
        data = prepare(Folder(options), sizes, place / "cache")

    def train() -> None:
        assert data is not None
        sets = [domain.images for domain in data.domains["train"]]
        order = ImageOrder([len(of) for of in sets], 0)
        for step in range(200):
            for at, of in enumerate(sets):
                to_float(of[order.indices(at, step, BATCH)]).sum()

    steps: dict[str, Callable[[], object]] = {
        "plan: hash every file, read its header": lambda: fingerprint(Folder(options), sizes),
        "plan again: nothing has changed": lambda: fingerprint(Folder(options), sizes),
        "decode and store": store,
        "next run: plan, and check what is stored": store,
        f"200 batches of {BATCH} of both domains": train,
    }
    for name, step in steps.items():
        with measured() as taken:
            step()
        yield name, taken
    (stored,) = (place / "cache").glob("*.safetensors")
    print(f"stored: {stored.stat().st_size / 1e9:.2f} GB", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--place", type=Path, help="where to put them, for example /dev/shm")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"| {chosen.images} images of {SIDE} px | seconds | MB of memory |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=chosen.place) as place:
        for name, taken in rows(chosen.images, Path(place)):
            print(f"| {name} | {taken.seconds:.1f} | {taken.megabytes:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

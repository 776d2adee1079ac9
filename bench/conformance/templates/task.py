"""my_task: an example that is complete and runs. Say here what the images show.

It draws squares of three sizes: plain in domain A, with a frame in domain B. The frame is the
separate content, which methods are to add and to remove. The factors of each image are known, and
the true results can be drawn.

    python -m bench verify my_task.py         # does it keep the contract? (seconds)
    python -m bench run --plugin my_task.py --task my_task --methods core --profile smoke

Read `bench/contracts/task.py`: it is the manual. Images are uint8 (N, 3, S, S).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.contracts.task import (
    HIDDEN,
    PARTS,
    DataSizes,
    Domain,
    Factor,
    Progress,
    Task,
    TaskData,
    Truth,
)
from bench.utils.seeds import uniform

SIDE = Factor("side", ("small", "middle", "large"))
FRAME = Factor("frame", ("red", "green"), separate=True)


def draw(size: int, side: int, frame: int, *role: object) -> Tensor:
    """Return a square on a gray that its role chooses, uint8 (3, size, size).

    side, frame: values of the factors; `HIDDEN` for no frame. role: whatever names the image.
    `uniform` gives the same number in [0, 1) for the same role on every machine.
    """
    image = torch.full((3, size, size), int(60 + 100 * uniform("gray", *role)), dtype=torch.uint8)
    half = size // 8 * (1 + side)
    image[:, size // 2 - half : size // 2 + half, size // 2 - half : size // 2 + half] = 250
    image[2] = int(200 * uniform("blue", *role))
    if frame != HIDDEN:
        for edge in (image[:, :2], image[:, -2:], image[:, :, :2], image[:, :, -2:]):
            edge[:] = 0
            edge[frame] = 255
    return image


class MyTask(Task):
    """Squares without and with a frame."""

    # These facts are literals: `python -m bench list tasks` reads them without running the file.
    name = "my_task"
    summary = "example: squares without and with a frame"
    factors = (SIDE, FRAME)
    label = "side"  # optional: the shared factor that a classifier should carry over

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return all that determines the pixels. Raise the version when the drawing changes."""
        return {"task": self.name, "version": 1, "sizes": vars(sizes)}

    def load(self, sizes: DataSizes, progress: Progress) -> TaskData:
        """Draw all parts; no two of them share an image. Image i of B is the guide of image i."""

        def domain(part: str, letter: str) -> Domain:
            roles = [(part, letter, at) for at in range(sizes.of(part))]
            values = [
                (
                    int(3 * uniform("side", *role)),
                    int(2 * uniform("frame", *role)) if letter == "B" else HIDDEN,
                )
                for role in roles
            ]
            images = [draw(sizes.size, *v, *role) for v, role in zip(values, roles, strict=True)]
            return Domain(torch.stack(images), torch.tensor(values))

        domains = {part: [domain(part, "A"), domain(part, "B")] for part in PARTS}

        def truth(part: str) -> Truth:
            a, b = (of.factors.tolist() for of in domains[part])
            pairs = range(len(a))

            def results(values: list[tuple[int, int]], letter: str) -> Tensor:
                return torch.stack(
                    [draw(sizes.size, *v, part, letter, at) for at, v in enumerate(values)]
                )

            return Truth(
                add=results([(a[i][0], b[i][1]) for i in pairs], "A"),
                other=results([(a[i][0], b[i ^ 1][1]) for i in pairs], "A"),
                remove=results([(b[i][0], HIDDEN) for i in pairs], "B"),
            )

        return TaskData(
            self.name, "", self.factors, domains, truth("test"), self.label, val_truth=truth("val")
        )


def test_it_keeps_the_contract() -> None:
    """Run all checks: `python -m pytest my_task.py`. This is what `verify` does."""
    from bench.conformance.verify import require_conformance

    require_conformance(__file__)

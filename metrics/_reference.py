"""The real side of a task: computed once per machine, and shared by all methods.

Its cache key is a hash of the images, the extractor with its weights, the dtype and the numbers of
images. Names are not part of the key, so other images or weights never get a wrong entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.contracts.task import TaskData
from bench.metrics._distances import FEWEST, frechet, gaussian_side, kid, real_side
from bench.metrics._extractor import Extractor
from bench.utils.files.tensor_files import content_hash, keep_if_possible

FORMAT = 3
"""The version of the cached files. Increase it with every change of their content."""


@dataclass(frozen=True)
class Reference:
    """The data that distances need: for the real images of a domain and of each kind of content."""

    tensors: Mapping[str, Tensor]
    kinds: Tensor | None

    def of_kind(self, kind: int) -> Mapping[str, Tensor]:
        """Return the real side of the images with one kind of content."""
        assert self.kinds is not None
        return gaussian_side(self.tensors["features"][self.kinds == kind])

    def floor(self, measure: str) -> dict[str, float]:
        """Return {"floor": the distance between real images}, or {} if there are too few images."""
        name = f"floor_{measure}"
        return {"floor": float(self.tensors[name])} if name in self.tensors else {}


def reference(
    extractor: Extractor, data: TaskData, domain: int, matched: int, cache: Path | None
) -> Reference:
    """Return the real side of a domain, which consists of its *probe* images.

    matched: the number of generated images. The floors are the distances between the *probe* images
    and at most `matched` *test* images of the domain. Without a cache folder, everything is
    computed.
    """
    real = data.domains["probe"][domain].images
    held_out = data.domains["test"][domain].images[:matched]

    def make() -> dict[str, Tensor]:
        tensors = real_side(extractor.features(real), matched)
        others = extractor.features(held_out)
        floors = {}
        if min(len(others), len(real)) > 1:
            floors["floor_fd"] = frechet(tensors, others, jackknife=False).value
        if "kernel" in tensors and len(others) >= FEWEST:
            floors["floor_kid"] = kid(tensors, others).value
        return tensors | {k: torch.tensor(v, dtype=torch.float64) for k, v in floors.items()}

    if cache is None:
        tensors = make()
    else:
        images = content_hash({"real": real, "held_out": held_out})
        key = (
            f"{FORMAT}|{images}|{extractor.name}|float32|{len(real)}|{matched}|{torch.__version__}"
        )
        name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        tensors = keep_if_possible(cache / f"real-{name}.safetensors", make)
    kinds = data.kinds("probe", domain) if data.spec.kinds else None
    return Reference(tensors, kinds)

"""Checkpoints: a training that was killed resumes from one and gives bitwise identical results.

One safetensors file holds everything that the next step depends on: the state of the method, of its
optimisers and of every random generator. It is written completely or not at all, and read without
pickle. It is used only if it is undamaged and has the same layout, source and torch.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts.method import Method
from bench.utils.files.tensor_files import DAMAGED, read_checked, write_checked
from bench.utils.seeds import derive

FORMAT = 2
"""The layout of a file and of the progress in it. Files of another one are not used.

2: the progress has the curve so far. Without it, a training would resume without its first points.
"""


def seed_generators(*role: object) -> None:
    """Seed every random generator that a method may use."""
    seed = derive(*role)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class Checkpoint:
    """A checkpoint file that is written at regular intervals.

    path: the file. source: the hash of the method's code. every: seconds between two writes, 0 to
    write after every step. The interval does not change the numbers of a run.
    """

    def __init__(self, path: Path, source: str, every: float) -> None:
        self.path = path
        self._every = every
        self._last = time.monotonic()
        self._made_by = {"format": FORMAT, "source": source, "torch": torch.__version__}

    def due(self) -> bool:
        """Return whether it is time to write."""
        return time.monotonic() - self._last >= self._every

    def save(self, method: Method, step: int, progress: Mapping[str, Any]) -> None:
        """Write the state before a step, and the progress of the training loop as JSON."""
        tensors = {f"method/{name}": value for name, value in method.state_dict().items()}
        plain: dict[str, Any] = {}
        for name, optimizer in method.optimizers().items():
            _flatten(optimizer.state_dict(), f"optimizer/{name}", tensors, plain)
        _flatten(random_states(), "random", tensors, plain)
        facts = self._made_by | {"step": step, "progress": dict(progress), "plain": plain}
        write_checked(self.path, tensors, {"facts": json.dumps(facts)})
        self._last = time.monotonic()

    def restore(self, method: Method) -> tuple[int, dict[str, Any]] | None:
        """Restore a method and all generators; return the step and the progress.

        If there is no usable file, change nothing and return None.
        """
        try:
            tensors, metadata = read_checked(self.path)
            facts = json.loads(metadata["facts"])
            if {key: facts[key] for key in self._made_by} != self._made_by:
                return None
        except (*DAMAGED, FileNotFoundError):
            return None
        method.load_state_dict(
            {k.removeprefix("method/"): v for k, v in tensors.items() if k.startswith("method/")}
        )
        for name, optimizer in method.optimizers().items():
            optimizer.load_state_dict(_nested(f"optimizer/{name}", tensors, facts["plain"]))
        set_random_states(_nested("random", tensors, facts["plain"]))
        return facts["step"], facts["progress"]

    def remove(self) -> None:
        """Remove the file if it exists."""
        self.path.unlink(missing_ok=True)


def random_states() -> dict[str, Any]:
    """Return the states of the random generators of torch, CUDA, numpy and python."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": dict(enumerate(torch.cuda.get_rng_state_all())),
        "numpy": {
            "keys": torch.from_numpy(np.asarray(keys, dtype=np.int64)),
            "rest": [str(kind), *rest],
        },
        "python": {"words": torch.tensor(words), "rest": [version, gauss]},
    }


def set_random_states(state: Mapping[str, Any]) -> None:
    """Restore the states that `random_states` returned."""
    torch.set_rng_state(state["torch"])
    for device, value in state.get("cuda", {}).items():
        torch.cuda.set_rng_state(value, device)
    kind, *rest = state["numpy"]["rest"]
    np.random.set_state((kind, state["numpy"]["keys"].numpy().astype(np.uint32), *rest))
    version, gauss = state["python"]["rest"]
    random.setstate((version, tuple(state["python"]["words"].tolist()), gauss))


def _flatten(value: Any, at: str, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Flatten a nested dictionary: tensors into one dictionary, other values into another.

    The keys are paths. A mark shows which keys are numbers, so that `_nested` restores them.
    """
    if isinstance(value, Tensor):
        tensors[at] = value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(inner, f"{at}/{'#' if isinstance(key, int) else ''}{key}", tensors, plain)
    else:
        plain[at] = value


def _nested(root: str, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {"state": {}} if root.startswith("optimizer/") else {}
    for path, value in {**tensors, **plain}.items():
        if not path.startswith(f"{root}/"):
            continue
        *parents, last = (
            int(key[1:]) if key.startswith("#") else key
            for key in path.removeprefix(f"{root}/").split("/")
        )
        place = found
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    return found

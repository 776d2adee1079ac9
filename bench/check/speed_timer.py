"""A script that times the methods of a source tree, which may have older code.

It uses only what every revision has: `build`, `training_step` and `add`.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

REPEATS, BATCH, SIZE = 7, 16, 32
CHANGES = {"batch_size": BATCH, "width": 16}
"""The changes of the published configurations. They are equal in both trees, whatever a study of
either tree has found."""


def main(tree: str, names: list[str]) -> None:
    """Print, as JSON, the median CPU seconds of a step and of a transfer of each method."""
    sys.path.insert(0, tree)
    import torch

    build = _one_of("bench.cell.training", "bench.training").build
    batch_class = _one_of("bench.contracts.method", "bench.method").Batch
    registry_class = _one_of("bench.contracts.registry", "bench.registry").Registry
    spec_class = _one_of("bench.contracts.task", "bench.contracts").Spec

    torch.set_num_threads(1)
    torch.manual_seed(0)
    registry, spec = registry_class(), spec_class(SIZE, kinds=2)
    found = {}
    known = {plugin.name for plugin in registry.all("method")}
    for name in sorted(known.intersection(names)):
        plugin = registry.find("method", name)
        config_class = plugin.load().Config
        known_fields = {field.name for field in dataclasses.fields(config_class)}
        config = {name: value for name, value in CHANGES.items() if name in known_fields}
        method = build(plugin.load(), spec, config_class(**config), 0)
        images = [torch.rand(BATCH, 3, spec.size, spec.size) * 2 - 1 for _ in range(2)]
        batch = batch_class(images, [torch.full((BATCH,), kind) for kind in range(2)])
        method.train()
        found[f"{name} training step"] = seconds(partial(method.training_step, batch))
        method.eval()
        with torch.inference_mode():
            found[f"{name} add"] = seconds(partial(method.add, *images))
    print(json.dumps(found))


def _one_of(module: str, before: str) -> Any:
    """Import a module of the suite by its name, or by its name in older revisions."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        return importlib.import_module(before)


def seconds(call: Callable[[], object]) -> float:
    """Return the median CPU seconds of a call, after two warm-up calls."""
    taken = []
    for _ in range(REPEATS + 2):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return sorted(taken[2:])[REPEATS // 2]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

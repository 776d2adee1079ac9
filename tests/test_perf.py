"""What things cost, in CPU seconds: ``pytest tests/test_perf.py -n 0 --benchmark-enable``.

Nothing here is compared with a limit: in an ordinary run each benchmark is called once, as a test
that it works.
"""

from __future__ import annotations

import time

import pytest
import torch

from bench.anchors import ground_truth
from bench.board import boards
from bench.config import choose_profile, configure
from bench.contracts import Settings
from bench.images import to_float
from bench.method import Batch
from bench.tables import markdown
from bench.training import build

from .conftest import REGISTRY

pytestmark = pytest.mark.benchmark(timer=time.process_time)
METHODS = [plugin.name for plugin in REGISTRY.all("method")]


def method_of(name, faces, profile="small"):
    plugin = REGISTRY.find("method", name)
    config = configure(plugin, choose_profile(profile), [])[1]
    return build(plugin.load(), faces.spec, plugin.load().Config(**config), 0)


@pytest.mark.parametrize("name", METHODS)
def test_training_step(name, faces, benchmark):
    method = method_of(name, faces).train()
    images = [to_float(domain.images[:32]) for domain in faces.domains["train"]]
    batch = Batch(images, [faces.kinds("train", at)[:32] for at in range(2)])
    benchmark(method.training_step, batch)


@pytest.mark.parametrize("name", METHODS)
def test_add(name, faces, benchmark):
    method = method_of(name, faces).eval()
    a, b = (to_float(domain.images[:32]) for domain in faces.domains["test"])
    with torch.inference_mode():
        benchmark(method.add, a, b)


@pytest.mark.parametrize("family", ["counterfactual", "image_quality"])
def test_metric(family, faces, benchmark):
    metric = REGISTRY.find("metric", family).load()()
    artefacts = ground_truth(faces)
    benchmark(metric.score, list(metric.numbers), artefacts, faces, Settings())


def test_leaderboard_of_many_records(benchmark):
    entry = {"lo": 0.1, "hi": 0.3, "n": 100, "status": "ok", "reason": "", "extractor": ""}
    entry |= {"unit": "", "better": "higher", "meaning": "none", "version": 1}
    records = [
        {
            "label": f"m{method}",
            "reason": "",
            "status": "ok",
            "facts": {},
            "identity": {
                "method": f"m{method}",
                "task": "t",
                "profile": "p",
                "seed": seed,
                "config": {},
                "numbers": {},
            },
            "metrics": {f"metric{at}": entry | {"value": seed / 10} for at in range(20)},
        }
        for method in range(10)
        for seed in range(5)
    ]
    assert "m9" in benchmark(lambda: markdown(boards(records)))

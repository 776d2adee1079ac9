"""What things cost, in CPU seconds: ``pytest tests/test_perf.py -n 0 --benchmark-enable``.

So called, each is compared with `results/baselines/perf.json`, as a ratio and on the same kind of
machine only; with PERF_WRITE=1 in the environment that file is written instead. In an ordinary run
nothing is timed: each benchmark is called once, as a test that it works.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time

import pytest
import torch

from bench.board.board import boards
from bench.board.output.markdown import markdown
from bench.cell.training import build
from bench.check.gate import SLOWER
from bench.check.golden.frozen import PROBES, frozen
from bench.check.golden.measure import LABEL
from bench.contracts.images import to_float
from bench.contracts.method import Batch
from bench.contracts.metric import Settings
from bench.plan.configure import fixed_config
from bench.records.environment import describe, machine_of
from tests.helpers import REGISTRY, ROOT

pytestmark = pytest.mark.benchmark(timer=time.process_time)
PERF = ROOT / "results" / "baselines" / "perf.json"
METHODS = [plugin.name for plugin in REGISTRY.all("method")]
FAMILIES = [
    plugin.name for plugin in REGISTRY.all("metric") if not plugin.load()().unavailable(Settings())
]


@pytest.fixture(autouse=True)
def committed(request, benchmark):
    """Compare the median with the committed one, once the test has run."""
    yield
    if benchmark.stats is None or benchmark.disabled:
        return
    machine, name = machine_of(describe("cpu")), request.node.name
    median = benchmark.stats.stats.median
    known = json.loads(PERF.read_text("utf-8")) if PERF.exists() else {}
    if os.environ.get("PERF_WRITE"):
        known.setdefault(machine, {})[name] = float(f"{median:.3g}")
        PERF.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
    elif name not in known.get(machine, {}):
        pytest.skip(f"no committed number of this kind of machine ({machine})")
    else:
        ratio = median / known[machine][name]
        benchmark.extra_info["ratio"] = ratio
        assert ratio < 1 + SLOWER, f"{ratio:.2f} times the CPU seconds that are committed"


def method_of(name, faces, profile="small"):
    plugin = REGISTRY.find("method", name)
    config = fixed_config(plugin)
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
    a, b = (to_float(images[:32]) for images in faces.test_pairs)
    with torch.inference_mode():
        benchmark(method.add, a, b)


@pytest.mark.parametrize("family", FAMILIES)
def test_metric(family, data, benchmark):
    metric = REGISTRY.find("metric", family).load()()
    settings, data = Settings(PROBES), dataclasses.replace(data, label=LABEL)
    scored = benchmark(metric.score, list(metric.ids()), frozen(data), data, settings)
    assert any(result.status == "ok" for result in scored.values())


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
            "curve": [],
            "metrics": {f"metric{at}": entry | {"value": seed / 10} for at in range(20)},
        }
        for method in range(10)
        for seed in range(5)
    ]
    assert "m9" in benchmark(lambda: markdown(boards(records)))

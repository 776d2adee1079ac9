"""Metrics of frozen results, as part of the golden numbers. No method makes these results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Settings
from bench.contracts.registry import Registry
from bench.contracts.task import Domain, TaskData
from bench.utils.seeds import derive
from bench.utils.threads import computing_with

PROBES = ("logistic", "mlp")


def frozen_metrics(
    registry: Registry, data: TaskData, raised: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the value, interval, n and version of every metric of the frozen results."""
    artefacts = frozen(data)
    found: dict[str, dict[str, Any]] = {}
    with computing_with(1):
        for plugin in registry.all("metric"):
            settings = Settings(PROBES)
            if plugin.unavailable(settings):
                continue
            family = plugin.load()()
            with noting(plugin.name, raised):
                for name, result in family.score(family.ids(), artefacts, data, settings).items():
                    numbers = {key: getattr(result, key) for key in ("value", "lo", "hi", "n")}
                    found[name] = {"version": family.version, "status": result.status, **numbers}
    return found


def frozen(data: TaskData) -> Artefacts:
    """Return the frozen results, which are computed without a method.

    The images are blends of the true results with other images, in integer arithmetic. The codes
    hold the factors with different strengths, plus noise from a hash. No random generator is used,
    because a library update could change its stream.
    """
    assert data.truth is not None
    (probe_a, probe_b), (test_a, test_b) = data.domains["probe"], data.domains["test"]
    a, b = test_a.images, test_b.images
    truth = data.truth
    images = {
        "add": _blend(_blend(truth.add, a, 3), b, 1),
        "other": _blend(_blend(truth.other, a, 3), b, 1),
        "remove": _blend(_blend(truth.remove, b, 2), a, 1),
        "rec_a": _blend(a, a.flip(3), 7),
        "rec_b": _blend(b, b.flip(3), 7),
        "cycle_a": _blend(a, truth.add, 5),
        "cycle_b": _blend(b, truth.remove, 5),
    }
    domains = {"probe_a": (probe_a, 0), "probe_b": (probe_b, 1), "test_a": (test_a, 0),
               "test_b": (test_b, 1), "add": (test_b, 1)}  # fmt: skip
    codes = {}
    for of, (domain, letter) in domains.items():
        codes[f"z1_{of}"] = _code("z1", of, domain, data, leak=0.8 * letter)
        codes[f"z2_{of}"] = _code("z2", of, domain, data, leak=2.0 * letter)
    rates = [100.0 + 7 * (k * k % 11) for k in range(20)]
    training = {"cpu_rates": rates, "peak_memory_mb": 10.0, "flops_per_step": 1000}
    times = {"cpu_images_per_s": rates, "latency_ms": rates, "latency_cpu_ms": rates}
    counts = {"flops": 2000, "params": 30, "params_infer": 20}
    clock = {"clock": "cpu"}
    measured = {"training": clock | training, "inference": clock | times | counts}
    return Artefacts(images | codes, measured)


def _blend(one: Tensor, other: Tensor, share: int) -> Tensor:
    """Blend uint8 images: share / 8 of `other`, and the rest of `one`."""
    mixed = (8 - share) * one.to(torch.int32) + share * other.to(torch.int32)
    return (mixed // 8).to(torch.uint8)


def _code(code: str, of: str, domain: Domain, data: TaskData, leak: float) -> Tensor:
    """Return (n, 24) codes: noise, a leak of the domain on one axis, and factors on others."""
    n, width = len(domain.images), 24
    seeds = [derive("golden", code, of, at) for at in range(n * width)]
    noise = np.array(seeds, dtype=np.float64).reshape(n, width) / 2**62 - 1
    noise[:, 0] += leak
    separate = code == "z2"
    for at, factor in enumerate(data.factors):
        strength = 4.0 if factor.separate == separate else 1.0
        noise[:, 1 + at] += strength * domain.factors[:, at].numpy() / len(factor.values)
    return torch.from_numpy(noise).float()


@contextmanager
def noting(what: str, raised: dict[str, str]) -> Iterator[None]:
    """Catch an exception, and store its message as one line under a name."""
    try:
        yield
    except Exception as error:
        raised[what] = next(iter(f"{type(error).__name__}: {error}".splitlines()))

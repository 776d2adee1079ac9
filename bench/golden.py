"""Golden numbers: every metric of frozen results, a short training of every method, the timer.

They are made with the baseline and again with every check, in seconds, and tell whether the *code*
still computes what it did; the other layers look at records alone. Tolerances are measured when the
baseline is made: all is computed again with the kernels of other processors, and trained again from
weights that are `NUDGE` off and with another number of threads; three times what that moves is
allowed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from bench.artefacts import results_of
from bench.contracts import Artefacts, DataSizes, Domain, Settings, TaskData
from bench.data import prepare
from bench.errors import UserError
from bench.measure import repeat
from bench.method import Method
from bench.registry import Registry
from bench.seeds import derive
from bench.training import Training, build, flops_of_step, train

TASK = "avatars-glasses"
"""The task that golden numbers are made with, whatever the baseline's own: it is always there."""
LABEL = "skin"
"""The factor that stands for the label, so that metrics of labelled tasks are watched as well."""
STEPS, BATCH, SHOWN = 2, 8, 16
"""Steps of a short training, images of each domain in one, and of each part that it is shown.

Few steps: what is 1e-7 off at first grows a hundredfold with every other step of such networks.
"""
PROBES = ("logistic", "mlp")
NUDGE = 1e-7
FLOOR = 1e-3
"""The least tolerance of a trained number, relative to its scale."""
FROZEN_TOLERANCE = 1e-4
SPREADS = 3.0
OTHER_KERNELS = (
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
)
"""What makes torch compute as on processors of other kinds; others round differently."""
TIMER_SECONDS = 0.02

Rows = Mapping[str, tuple[str, Mapping[str, Any], int]]
"""Of each label the method, its configuration and the side of its images."""
Numbers = dict[str, float]


def sizes(side: int) -> DataSizes:
    """Return how much of the task it takes: enough for a Frechet distance in 64 dimensions."""
    return DataSizes(size=side, train=16, probe=160, test=160)


def measure(registry: Registry, rows: Rows, cache: Path) -> dict[str, Any]:
    """Return all golden numbers, those of trainings with their scale.

    ``raised`` says of each method or family of metrics that could not be computed what it raised.
    """
    data = task_data(registry, 32, cache)
    raised: dict[str, str] = {}
    training = {}
    for label, (method, config, side) in rows.items():
        images = task_data(registry, side, cache)
        with _noted(label, raised):
            training[label] = short_training(registry, method, config, images)
    return {
        "pixels": data.pixel_hash,
        "metrics": frozen_metrics(registry, data, raised),
        "training": training,
        "timer": timer(),
        "raised": raised,
    }


@contextmanager
def _noted(what: str, raised: dict[str, str]) -> Iterator[None]:
    """Note what is raised under a name, and go on."""
    try:
        yield
    except Exception as error:
        raised[what] = next(iter(f"{type(error).__name__}: {error}".splitlines()))


def with_tolerances(
    registry: Registry, rows: Rows, cache: Path, others: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return what `measure` does, with each number's measured tolerance beside it.

    others: what `elsewhere` gives.

    Raises:
        UserError: a method or a family of metrics raises.
    """
    found = measure(registry, rows, cache)
    for what, error in found.pop("raised").items():
        raise UserError(f"no golden numbers: {what} raises {error}")
    for name, was in found["metrics"].items():
        pairs = [(was, there["metrics"][name]) for there in others]
        was["tolerance"] = {
            key: SPREADS * max((_apart(one[key], other[key]) for one, other in pairs), default=0.0)
            for key in ("value", "lo", "hi", "n")
        }
    for label, (method, config, side) in rows.items():
        data = task_data(registry, side, cache)
        again = [
            short_training(registry, method, config, data, **how)
            for how in ({"nudge": 1}, {"nudge": 2}, {"threads": 2})
        ]
        again += [there["training"][label] for there in others]
        found["training"][label] = {
            name: {
                "value": value,
                "tolerance": _tolerance(name, value, found["training"][label], again),
            }
            for name, value in found["training"][label].items()
        }
    return found


def _apart(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def elsewhere(plugins: Sequence[Path], rows: Rows, cache: Path) -> list[dict[str, Any]]:
    """Return what `measure` gives on processors of other kinds, which other kernels stand for.

    Kernels are chosen when libraries are loaded, so each kind is a process of its own.
    """
    asked = {"plugins": [str(path) for path in plugins], "rows": rows, "cache": str(cache)}
    return [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.golden"],
                input=json.dumps(asked),
                env=os.environ | kernels,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
        )
        for kernels in OTHER_KERNELS
    ]


def _tolerance(name: str, value: float, own: Numbers, others: Sequence[Numbers]) -> float:
    """Return what a number may be off: a share of its tensor's scale, or what was measured."""
    scale = abs(own.get(f"{name.partition(' ')[0]} rms", value))
    moved = max(abs(other[name] - value) for other in others)
    return max(SPREADS * moved, FLOOR * scale, 1e-9)


def task_data(registry: Registry, side: int, cache: Path) -> TaskData:
    """Return the golden task at a side, from the cache."""
    data = prepare(registry.find("task", TASK).load()(), sizes(side), cache)
    return dataclasses.replace(data, label=LABEL)


# --- metrics of frozen results -------------------------------------------------------------------


def frozen_metrics(
    registry: Registry, data: TaskData, raised: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return value, interval, n and version of every metric of the frozen results."""
    artefacts = frozen(data)
    found: dict[str, dict[str, Any]] = {}
    with _threads(1):
        for plugin in registry.all("metric"):
            family = plugin.load()()
            settings = Settings(PROBES)
            wanted = [] if family.unavailable(settings) else list(family.numbers)
            with _noted(plugin.name, raised):
                for name, result in family.score(wanted, artefacts, data, settings).items():
                    numbers = {key: getattr(result, key) for key in ("value", "lo", "hi", "n")}
                    found[name] = {"version": family.version, "status": result.status, **numbers}
    return found


def frozen(data: TaskData) -> Artefacts:
    """Return results of no method: the truth, blended with sources and shifted, by whole numbers.

    Codes hold the factors, at strengths that differ, and noise of a hash: nothing here is drawn by
    a random generator whose stream a library could change.
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
    measured = {
        "training": {"rates": rates, "peak_memory_mb": 10.0, "flops_per_step": 1000},
        "inference": {
            "images_per_s": rates, "latency_ms": rates, "latency_cpu_ms": rates, "flops": 2000,
            "params": 30, "params_infer": 20,
        },
    }  # fmt: skip
    return Artefacts(images | codes, measured)


def _blend(one: Tensor, other: Tensor, share: int) -> Tensor:
    """Return uint8 images, `share` parts of 8 of the other and all else of the first."""
    mixed = (8 - share) * one.to(torch.int32) + share * other.to(torch.int32)
    return (mixed // 8).to(torch.uint8)


def _code(code: str, of: str, domain: Domain, data: TaskData, leak: float) -> Tensor:
    """Return (n, 24) codes: noise, a leak of the domain, and its factors on some axes."""
    n, width = len(domain.images), 24
    seeds = [derive("golden", code, of, at) for at in range(n * width)]
    noise = np.array(seeds, dtype=np.float64).reshape(n, width) / 2**62 - 1
    noise[:, 0] += leak
    separate = code == "z2"
    for at, factor in enumerate(data.factors):
        strength = 4.0 if factor.separate == separate else 1.0
        noise[:, 1 + at] += strength * domain.factors[:, at].numpy() / len(factor.values)
    return torch.from_numpy(noise).float()


# --- short trainings -----------------------------------------------------------------------------


def short_training(
    registry: Registry,
    name: str,
    config: Mapping[str, Any],
    data: TaskData,
    nudge: int = 0,
    threads: int = 1,
) -> Numbers:
    """Train a method for a few steps and return what tells it from another.

    The losses; of each optimiser, the running mean of its gradients, and of each network, how far
    its weights have moved; of each result and code, its mean, its
    root mean square and its sum along a wave, so that a change of sign or order shows.

    Args:
        registry: where the method is found.
        name: the method.
        config: its configuration.
        data: the task.
        nudge: which of the tiny changes its first weights get, 0 for none.
        threads: how many it is trained with.
    """
    method_class: type[Method] = registry.find("method", name).load()
    settings = method_class.Config(**{**config, "batch_size": BATCH})
    with _threads(threads):
        method = build(method_class, data.spec, settings, 0)
        if nudge:
            _nudge(method, nudge)
        before = _weights(method)
        flops = flops_of_step(method)
        training = train(method, data, steps=STEPS, flops_per_step=flops, seed=0, precision="fp32")
        found = _fingerprints(before, method)
        tensors, absent = results_of(method, _first(data), torch.device("cpu"), "fp32", SHOWN)
    found |= _facts(training, absent, method)
    for key, tensor in tensors.items():
        found |= _fingerprint(key, tensor)
    return found


def _facts(training: Training, absent: Mapping[str, str], method: Method) -> Numbers:
    return {f"loss:{name}": value for name, value in training.losses.items()} | {
        "count:flops_per_step": float(training.flops_per_step),
        "count:images": float(training.images),
        "count:absent": float(len(absent)),
        "count:parameters": float(sum(p.numel() for p in method.parameters())),
    }


def _first(data: TaskData) -> TaskData:
    """Return the first images of each part."""
    domains = {
        part: [Domain(domain.images[:SHOWN], domain.factors[:SHOWN]) for domain in of_part]
        for part, of_part in data.domains.items()
    }
    return dataclasses.replace(data, domains=domains)


def _nudge(method: Method, which: int) -> None:
    generator = torch.Generator().manual_seed(which)
    with torch.no_grad():
        for parameter in method.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.mul_(1 + NUDGE * noise)


def _weights(method: Method) -> dict[str, Tensor]:
    """Return a copy of the weights of matrices and convolutions.

    Offsets before a norm have no gradient but rounding, which Adam makes a step of: they would
    tell one processor from another.
    """
    return {
        name: value.detach().clone() for name, value in method.named_parameters() if value.dim() > 1
    }


def _fingerprints(before: Mapping[str, Tensor], method: Method) -> Numbers:
    """Return how far the weights of each network have moved, and by what gradients."""
    after = _weights(method)
    moved: dict[str, list[Tensor]] = {}
    for name, value in after.items():
        moved.setdefault(name.partition(".")[0], []).append((value - before[name]).flatten())
    found = {f"moved:{name} rms": _rms(torch.cat(parts)) for name, parts in moved.items()}
    names: dict[Tensor, str] = {p: name for name, p in method.named_parameters()}
    for optimizer in method.optimizers().values():
        means: dict[str, list[Tensor]] = {}
        for parameter, state in optimizer.state.items():
            network = names.get(parameter, "").partition(".")[0]
            if network and parameter.dim() > 1 and "exp_avg" in state:
                means.setdefault(network, []).append(state["exp_avg"].flatten())
        for network, parts in means.items():
            found |= _fingerprint(f"gradient:{network}", torch.cat(parts))
    return found


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def _fingerprint(name: str, tensor: Tensor) -> Numbers:
    x = tensor.detach().double().flatten()
    wave = torch.cos(2.4 * torch.arange(len(x), dtype=torch.float64))
    return {
        f"{name} mean": float(x.mean()),
        f"{name} rms": _rms(x),
        f"{name} wave": float((x * wave).sum() / len(x) ** 0.5),
    }


# --- the timer -----------------------------------------------------------------------------------


def timer() -> float:
    """Return the least wall seconds that the timer saw of work that a pretended GPU put off.

    A call returns at once and its work is done when somebody waits for it, as on a GPU. A timer
    that does not wait measures nothing: then this is far below `TIMER_SECONDS`.
    """
    put_off: list[None] = []

    def wait(*_: object) -> None:
        if put_off:
            put_off.clear()
            time.sleep(TIMER_SECONDS)

    with mock.patch.object(torch.cuda, "synchronize", wait):
        return min(
            wall
            for wall, _ in repeat(lambda: put_off.append(None), torch.device("cuda"), 3, warm_up=1)
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with so many threads, denormals flushed, as cells do."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def _main() -> None:
    """Measure what is asked on standard input, for `elsewhere`."""
    asked = json.load(sys.stdin)
    found = measure(Registry(map(Path, asked["plugins"])), asked["rows"], Path(asked["cache"]))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()

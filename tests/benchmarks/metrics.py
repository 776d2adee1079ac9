"""Our distances against other libraries: the same values, and how much CPU time each needs.

``python -m tests.benchmarks.metrics`` prints Markdown tables for FID, KID, precision and recall of
five sets of images against one real set. *Metric part*: all libraries get the same features. *End
to end*: from images to numbers, through the extractor that ships with the suite. ``--features D``
prints only the metric part, on Gaussian features. ``--inception FILE`` prints only the speed of
Inception.

Each round times every library once, in alternating order, on one thread, in CPU seconds. The exit
code is 1 if a value differs from torch-fidelity's. torch-fidelity gets the same features in float64
through `calculate_metrics` and computes KID over one subset of all items, as ours is defined. (On
float32 features it sums in float32, which costs KID and precision some digits.)
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from bench.tasks.avatars import FACE, GLASSES, draw_all, sample
from bench.utils import compat
from metrics import _distances as d
from metrics._extractor import SIDE, avatars64, inception_of, pass_through

Numbers = dict[str, float]
FID, KID, PRC = ("fid",), ("kid",), ("precision", "recall")
ALL = FID + KID + PRC
ROUNDING = 1e-6
"""torch-fidelity gives shares in float32: those of equal counts differ by less."""
TOLERANCES = {"fid": 1e-5, "kid": 1e-6, "precision": ROUNDING, "recall": ROUNDING}
"""The greatest relative difference to torch-fidelity that is parity."""
PEERS = {
    "clean-fid": ("cleanfid.fid",),
    "pytorch-fid": ("pytorch_fid.fid_score",),
    "torchmetrics": ("torchmetrics.image.fid", "torchmetrics.image.kid"),
}


@dataclass(frozen=True)
class Entry:
    """A library as it is timed: what it computes of the real set and of each other set."""

    name: str
    numbers: tuple[str, ...]
    run: Callable[[Tensor, Sequence[Tensor]], list[Numbers]]
    same_estimator: bool = True


# --- data ----------------------------------------------------------------------------------------


def images(n: int) -> dict[str, Tensor]:
    """Return uint8 (n, 3, 64, 64) faces with glasses: "real", and five degradations of others."""
    real, faces = _faces("probe", n), _faces("test", n)
    x = faces.float()
    noise = 12 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    made = {
        "blur": F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
        "noise": x + noise,
        "coarse": F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear"),
        "pale": 0.8 * x + 0.2 * 128,
        "shift": x.roll((2, 2), (2, 3)),
    }
    sets = {name: y.round().clamp(0, 255).to(torch.uint8) for name, y in made.items()}
    return {"real": real} | sets


def _faces(part: str, n: int) -> Tensor:
    """Return faces with glasses, no two equal: equal real ones count once for us only."""
    avatars: dict[str, dict[str, str]] = {}
    at = 0
    while len(avatars) < n:
        avatar = sample(FACE + GLASSES, "benchmark", part, "B", at)
        avatars.setdefault(repr(avatar), avatar)
        at += 1
    pictures = draw_all(list(avatars.values()), SIDE, lambda _done, _total: None)
    return torch.from_numpy(np.concatenate(list(pictures)))


def gaussian(n: int, dimensions: int) -> dict[str, Tensor]:
    """Return float32 (n, D) features: "real", and five sets that are further and further off."""
    generator = torch.Generator().manual_seed(0)
    sets = {"real": torch.randn(n, dimensions, generator=generator)}
    for at in range(5):
        x = torch.randn(n, dimensions, generator=generator)
        sets[f"set {at}"] = (1 + 0.02 * at) * x + 0.05 * at
    return sets


# --- libraries -----------------------------------------------------------------------------------


def ours(
    real: Tensor, made: Sequence[Tensor], numbers: Sequence[str] = ALL, intervals: bool = True
) -> list[Numbers]:
    """Return our numbers of float32 (n, D) features; the real side once.

    Precision and recall bring density and coverage along. As in the suite there is no interval of
    FID below 2 D items.
    """
    if tuple(numbers) == FID:
        mean, covariance = d.moments(real.double())
        side = {"features": real.double(), "mean": mean, "covariance": covariance}
        if len(real) > real.shape[1]:
            side["root"] = d.symmetric_root(covariance)
    else:
        side = d.real_side(real, len(made[0]))
    rows = []
    for x in made:
        enough = min(len(x), len(real)) >= 2 * x.shape[1]
        row = {"fid": d.frechet(side, x, jackknife=intervals and enough).value}
        if "kid" in numbers:
            row["kid"] = d.kid(side, x).value
        if "precision" in numbers:
            near = d.neighbourhood(side, x, jackknife=intervals)
            row |= {name: near[name].value for name in PRC}
        rows.append(row)
    return rows


class _Items(Dataset):
    def __init__(self, items: Tensor) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, at: int) -> Tensor:
        return self.items[at]


def torch_fidelity(
    real: Tensor, made: Sequence[Tensor], whole_kid: bool, extractor: str | None = None
) -> list[Numbers]:
    """Return what torch-fidelity's public call says, once for each set, as a user calls it.

    whole_kid: KID over one subset of all items, instead of the defaults, 100 of 1000. extractor:
    the name of a registered one; the items are features where there is none.
    """
    size = min(len(real), *map(len, made))
    subsets = {"kid_subsets": 1, "kid_subset_size": size} if whole_kid else {}
    rows = []
    for x in made:
        found = compat.torch_fidelity().calculate_metrics(
            input1=_Items(x),
            input2=_Items(real),
            feature_extractor=extractor or pass_through(),
            fid=True,
            kid=True,
            prc=True,
            cuda=False,
            cache=False,
            save_cpu_ram=True,
            verbose=False,
            **({"kid_subset_size": min(1000, size)} | subsets),
        )
        rows.append(
            {
                "fid": found["frechet_inception_distance"],
                "kid": found["kernel_inception_distance_mean"],
                "precision": found["precision"],
                "recall": found["recall"],
            }
        )
    return rows


def _numpy_peer(
    frechet: Callable[..., float], kernel: Callable[..., float] | None
) -> Callable[[Tensor, Sequence[Tensor]], list[Numbers]]:
    """Return a run of a library that takes numpy moments; those of the real set once."""

    def run(real: Tensor, made: Sequence[Tensor]) -> list[Numbers]:
        y = real.numpy()
        moments = np.mean(y, 0), np.cov(y, rowvar=False)
        rows = []
        for x in (tensor.numpy() for tensor in made):
            row = {"fid": float(frechet(np.mean(x, 0), np.cov(x, rowvar=False), *moments))}
            if kernel is not None:
                row["kid"] = kernel(y, x, num_subsets=1, max_subset_size=len(x))
            rows.append(row)
        return rows

    return run


def _torchmetrics(fid: Any, kid: Any, real: Tensor, made: Sequence[Tensor]) -> list[Numbers]:
    through = nn.Identity()
    through.num_features = real.shape[1]  # type: ignore[assignment]
    warnings.filterwarnings("ignore", "Metric .* will save all extracted features")
    both = {
        "fid": fid(through, reset_real_features=False),
        "kid": kid(through, subsets=1, subset_size=len(real), reset_real_features=False),
    }
    for metric in both.values():
        metric.update(real, real=True)
    rows = []
    for x in made:
        row = {}
        for name, metric in both.items():
            metric.update(x, real=False)
            found = metric.compute()
            row[name] = float(found[0] if name == "kid" else found)
            metric.reset()
        rows.append(row)
    return rows


def peers() -> tuple[list[Entry], list[str]]:
    """Return the other libraries that can be imported, and a line for each that cannot."""
    compat.torchvision()
    entries, notes = [], []
    for name, modules in PEERS.items():
        try:
            first, *rest = map(importlib.import_module, modules)
        except Exception as error:
            notes.append(f"{name}: not importable ({type(error).__name__}: {error})")
            continue
        if name == "torchmetrics":
            classes = first.FrechetInceptionDistance, rest[0].KernelInceptionDistance
            entries.append(Entry(name, FID + KID, partial(_torchmetrics, *classes)))
        elif name == "clean-fid":
            run = _numpy_peer(first.frechet_distance, first.kernel_distance)
            entries.append(Entry(name, FID + KID, run))
        else:
            entries.append(Entry(name, FID, _numpy_peer(first.calculate_frechet_distance, None)))
    return entries, notes


# --- parity --------------------------------------------------------------------------------------


def brute_force(real: Tensor, made: Tensor) -> Numbers:
    """Return precision and recall by float64 differences of all pairs (3 neighbours)."""
    x, y = made.double().numpy(), real.double().numpy()
    balls = [np.sort(cdist(side, side), axis=1)[:, 3] for side in (x, y)]
    between = cdist(x, y)
    return {
        "precision": float((between <= balls[1]).any(1).mean()),
        "recall": float((between <= balls[0][:, None]).any(0).mean()),
    }


def parity(real: Tensor, made: Mapping[str, Tensor]) -> tuple[list[list[str]], list[str]]:
    """Return rows of our values with their relative differences to torch-fidelity, and faults."""
    found = ours(real, list(made.values()))
    expected = FIDELITY[-1].run(real, list(made.values()))
    rows, faults = [], []
    for (name, x), mine, theirs in zip(made.items(), found, expected, strict=True):
        row = [name]
        oracle: Numbers = {}
        for number in ALL:
            off = relative(mine[number], theirs[number])
            if number in PRC and off > ROUNDING:
                oracle = oracle or brute_force(real, x)
                off = relative(mine[number], oracle[number])
            row += [f"{mine[number]:.6g} ({_difference(off, number)})"]
            if not off <= TOLERANCES[number]:
                other = oracle.get(number, theirs[number])
                faults.append(f"{name}: our {number} is {mine[number]!r}, expected {other!r}")
        rows.append(row)
    return rows, faults


def relative(value: float, expected: float) -> float:
    """Return the relative difference."""
    return abs(value - expected) / max(abs(expected), 1e-300) if value != expected else 0.0


def _difference(off: float, number: str) -> str:
    return f"{off:.0e}" if off > (ROUNDING if number in PRC else 0) else "equal"


# --- time ----------------------------------------------------------------------------------------


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and the libraries of numpy and scipy use one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def interleaved(
    runs: Mapping[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the median CPU seconds and the last result of each run, called once a round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    results = {}
    for at in range(rounds):
        for name in list(runs)[:: 1 if at % 2 == 0 else -1]:
            start = time.process_time()
            results[name] = runs[name]()
            seconds[name].append(time.process_time() - start)
    return {name: median(values) for name, values in seconds.items()}, results


FIDELITY = (
    Entry("torch-fidelity", ALL, partial(torch_fidelity, whole_kid=False), same_estimator=False),
    Entry("torch-fidelity, whole KID", ALL, partial(torch_fidelity, whole_kid=True)),
    Entry(
        "torch-fidelity, whole KID, float64",
        ALL,
        lambda real, made: torch_fidelity(
            real.double(), [x.double() for x in made], whole_kid=True
        ),
    ),
)


def metric_part(
    real: Tensor, made: Sequence[Tensor], others: Sequence[Entry], rounds: int
) -> list[list[str]]:
    """Return a row for each library: CPU seconds, ratios to ours, differences of values."""
    entries = [*FIDELITY, *others]
    runs: dict[str, Callable[[], list[Numbers]]] = {}
    for numbers in dict.fromkeys(entry.numbers for entry in entries):
        for intervals in (False, True):
            runs[_label(numbers, intervals)] = partial(ours, real, made, numbers, intervals)
    seconds, found = interleaved(
        runs | {entry.name: partial(entry.run, real, made) for entry in entries}, rounds
    )
    rows = [[f"ours{name}", f"{seconds[name]:.2f}", *[""] * 6] for name in runs]
    for entry in entries:
        row = [f"{entry.name}: {_of(entry.numbers)}", f"{seconds[entry.name]:.2f}"]
        for intervals in (False, True):
            row += [f"{seconds[entry.name] / seconds[_label(entry.numbers, intervals)]:.1f}"]
        pairs = list(zip(found[_label(entry.numbers, False)], found[entry.name], strict=True))
        for number in ALL:
            if number not in entry.numbers:
                row += [""]
            elif number == "kid" and not entry.same_estimator:
                row += ["(subsets)"]
            else:
                row += [_difference(max(relative(b[number], a[number]) for a, b in pairs), number)]
        rows.append(row)
    return rows


def _of(numbers: Sequence[str]) -> str:
    return ", ".join(name.upper() if name in FID + KID else name for name in numbers)


def _label(numbers: Sequence[str], intervals: bool) -> str:
    return f": {_of(numbers)}" + (", with intervals" if intervals else "")


def end_to_end(real: Tensor, made: Sequence[Tensor], rounds: int) -> list[list[str]]:
    """Return a row for each way from images to all numbers: CPU seconds and ratios to ours."""

    def features() -> list[Tensor]:
        avatars64.cache_clear()  # it remembers features
        return [avatars64().features(x) for x in (real, *made)]

    def all_of_ours(intervals: bool) -> list[Numbers]:
        of_real, *of_made = features()
        return ours(of_real, of_made, ALL, intervals)

    name = avatars64().name
    runs: dict[str, Callable[[], Any]] = {
        "ours": partial(all_of_ours, False),
        "ours, with intervals": partial(all_of_ours, True),
        "features of the six sets alone": features,
        "torch-fidelity": partial(torch_fidelity, real, made, False, name),
        "torch-fidelity, whole KID": partial(torch_fidelity, real, made, True, name),
    }
    seconds, _ = interleaved(runs, rounds)
    return [
        [label, f"{cost:.2f}"]
        + [
            f"{cost / seconds[mine]:.1f}" if label.startswith("torch") else ""
            for mine in ("ours", "ours, with intervals")
        ]
        for label, cost in seconds.items()
    ]


# --- Inception -----------------------------------------------------------------------------------


def inception_speed(weights: Path, n: int, rounds: int) -> list[list[str]]:
    """Return rows with the images a CPU second of torch-fidelity's Inception and of ours.

    A file that is missing is made, with random weights: the speed is the same.
    """
    compat.torch_fidelity()
    import torch_fidelity.feature_extractor_inceptionv3 as fidelity

    Net = fidelity.FeatureExtractorInceptionV3
    if not weights.exists():
        with (
            mock.patch.object(fidelity, "load_state_dict_from_url", return_value={}),
            mock.patch.object(Net, "load_state_dict"),
        ):
            torch.manual_seed(0)
            torch.save(Net("inception-v3-compat", ["2048"]).state_dict(), weights)
    theirs = Net("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (n, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    mine = inception_of(weights, "inception-benchmark")

    @torch.inference_mode()
    def of_theirs() -> Tensor:
        return torch.cat([theirs(batch)[0] for batch in pictures.split(32)])

    def of_mine() -> Tensor:
        mine._done.clear()
        return mine.features(pictures)

    seconds, found = interleaved({"ours": of_mine, "torch-fidelity": of_theirs}, rounds)
    off = (found["ours"] - found["torch-fidelity"]).abs().max() / found[
        "torch-fidelity"
    ].abs().max()
    return [
        [name, f"{n / cost:.1f}", f"{cost / seconds['ours']:.2f}", f"{off:.0e}"]
        for name, cost in seconds.items()
    ]


# --- output --------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def machine() -> str:
    """Return the processor and the versions of what is measured."""
    cpu = Path("/proc/cpuinfo")
    models = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(": ")[2] if models else platform.processor()
    versions = []
    for name in ("torch", "numpy", "scipy", "torch_fidelity", *PEERS):
        try:
            versions.append(f"{name} {version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        f"{model}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, "
        + ", ".join(versions)
    )


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.metrics", description=__doc__)
    parser.add_argument("--n", type=int, default=2000, help="items of each set")
    parser.add_argument("--features", type=int, metavar="D", help="Gaussian features instead")
    parser.add_argument("--rounds", type=int, default=3, help="0: values alone")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="speed of Inception alone")
    parser.add_argument("--inception-images", type=int, default=64, metavar="N")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 where a value is wrong."""
    options = arguments(given)
    with one_thread():
        print(machine() + "\n")
        if options.inception is not None:
            rows = inception_speed(options.inception, options.inception_images, options.rounds)
            table(["Inception", "images a CPU second", "time to ours", "features differ by"], rows)
            return 0
        pictures = {} if options.features else images(options.n)
        if options.features:
            sets = gaussian(options.n, options.features)
        else:
            sets = {name: avatars64().features(x) for name, x in pictures.items()}
        real = sets.pop("real")
        n, dimensions = real.shape
        print(f"{len(sets)} sets and a real one of n = {n}, {dimensions} features\n")
        rows, faults = parity(real, sets)
        table(["ours (difference to torch-fidelity)", *ALL], rows)
        if options.rounds:
            others, notes = peers()
            made = list(sets.values())
            head = ["CPU s", "to ours", "to ours with intervals"]
            rows = metric_part(real, made, others, options.rounds)
            table(["metric part", *head, *(f"{name} differs" for name in ALL)], rows)
            print("\n".join(notes) + "\n" if notes else "", end="")
            if pictures:
                real_pictures, *made_pictures = pictures.values()
                table(
                    ["end to end", *head], end_to_end(real_pictures, made_pictures, options.rounds)
                )
    for fault in faults:
        print(f"NOT EQUAL: {fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

"""Does more data for the probes raise the leak? Probes of one trained cell, fitted on more images.

The domain is predicted from z1 by a logistic regression and by a small network, and the separate
factors by the better of the two. The test images stay the same. The network always has the same
number of training steps, so it sees each image less often if there are more images. The record of
the cell does not change.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase

import pandas as pd
import torch

from bench.cell.artefacts import results_of
from bench.cell.run_folder import RunFolder
from bench.cell.stages import trained_before
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.method import Method
from bench.contracts.metric import Artefacts, Metric, Result, Settings
from bench.contracts.record import Record
from bench.contracts.registry import Registry
from bench.contracts.task import Domain, TaskData
from bench.records.read import cell_of
from bench.records.select import Choice
from bench.records.store import Store
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.options import from_json, task_of
from bench.utils.errors import UserError
from bench.utils.files.sealed import write_atomically

FEWEST = 16
"""The least number of probe images of a domain."""
PROBES = ("logistic", "mlp")
DOMAIN = {"z1_domain_acc": "domain from z1", "z1_leak_bits": "domain from z1, bits"}
SEPARATE = {"leak_z1_specific": "separate factors from z1"}


@dataclass(frozen=True)
class Point:
    """What a probe finds if it is fitted on some images of each domain.

    The interval (lo, hi) holds 95 %, over the test images and the images of the fit.
    """

    images: int
    metric: str
    says: str
    probe: str
    value: float
    lo: float
    hi: float


def counts_in(text: str) -> tuple[int, ...]:
    """Return the numbers of images in a text such as `1000,4000`, in rising order.

    Raises:
        UserError: the text has another form, or a number is too small.
    """
    parts = [part.strip() for part in text.split(",")]
    counts = {int(part) for part in parts if re.fullmatch("[0-9]{1,7}", part)}
    if len(counts) < len(parts) or min(counts, default=0) < FEWEST:
        raise UserError(
            f"--images '{text}': expected different whole numbers from {FEWEST} up, separated by "
            "commas, as in 1000,4000,16000"
        )
    return tuple(sorted(counts))


def cell_with_weights(
    store: Store, registry: Registry, choice: Choice, plugins: tuple[str, ...] = ()
) -> tuple[Cell, Record]:
    """Return the one cell that a choice selects, and its record.

    Raises:
        UserError: the choice selects no cell or several, or the cell trains no weights.
    """
    store.require_records()
    records = [record for record in choice.of(store.records()[0]) if record["status"] == "ok"]
    if len(records) != 1:
        labels = ", ".join(sorted({f"{r['label']} in {r['identity']['profile']}" for r in records}))
        raise UserError(
            f"{len(records)} finished cells fit ({labels or 'none'}): expected one; name it with "
            "--method, --task, --profile and --seed"
        )
    cell = cell_of(records[0], plugins)
    if cell.imported or cell.method in ANCHORS:
        raise UserError(f"{cell.method} has no weights: name a method that is trained")
    return cell, records[0]


def probe_curve(
    cell: Cell,
    record: Record,
    counts: Sequence[int],
    store: Store,
    cache: Path,
    registry: Registry,
    say: Callable[[str], None],
) -> list[Point]:
    """Return what the probes find for each number of images per domain.

    Raises:
        UserError: the weights or the images of the cell are gone, or its task has fewer images.
    """
    data = _with_probes(cell, record, max(counts), cache, registry, say)
    plugin = registry.find("method", cell.method)
    trained = trained_before(cell, plugin, data, RunFolder(store.run_path(cell)))
    if trained is None:
        raise UserError(
            f"no weights of {cell.name} that fit the code of {cell.method} in {store.root}/runs: "
            "`python -m bench run --existing fresh` trains it again"
        )
    say(f"encoding {len(data.domains['probe'][0].images)} images of each domain")
    tensors = _encoded(trained.method, data, cell)
    points = []
    for count in counts:
        say(f"fitting probes on {count} images of each domain")
        fewer = replace(data, domains={**data.domains, "probe": _first(data, count)})
        some = {name: code[:count] if "_probe_" in name else code for name, code in tensors.items()}
        for family, wanted, probes in (
            *(("domain_probe", DOMAIN, (probe,)) for probe in PROBES),
            ("disentanglement", SEPARATE, PROBES),
        ):
            metric: Metric = registry.find("metric", family).load()()
            results = metric.score(list(wanted), Artefacts(some), fewer, Settings(probes=probes))
            points += [
                _point(count, name, " or ".join(probes), result)
                for name, result in results.items()
                if result.status == "ok"
            ]
    return points


def _point(count: int, name: str, probe: str, result: Result) -> Point:
    says = (DOMAIN | SEPARATE)[name]
    numbers = (math.nan if of is None else of for of in (result.value, result.lo, result.hi))
    return Point(count, name, says, probe, *numbers)


def _with_probes(
    cell: Cell,
    record: Record,
    count: int,
    cache: Path,
    registry: Registry,
    say: Callable[[str], None],
) -> TaskData:
    """Return the task of a cell with more probe images."""
    options = from_json(record["environment"].get("options", {}), cache)
    task = task_of(registry, cell.task, options)
    if fingerprint(task, cell.sizes) != cell.fingerprint:
        raise UserError(
            f"the images of task {cell.task} have changed since {cell.name} was trained: train it "
            "again with `python -m bench run --existing fresh`"
        )
    sizes = task.available(replace(cell.sizes, probe=count))
    if sizes.probe < count:
        raise UserError(
            f"--images {count}: task {cell.task} has {sizes.probe} probe images of a domain; give "
            "smaller numbers"
        )
    return prepare(task, sizes, cache, say)


def _encoded(method: Method, data: TaskData, cell: Cell) -> dict[str, torch.Tensor]:
    """Return the codes of z1 that the probes need."""
    device = torch.device(cell.device)
    size = cell.numbers["eval_batch"]
    tensors, _ = results_of(method, data, device, cell.precision, size)
    letters = ascii_lowercase[: data.spec.domains]
    return {name: tensors[name] for part in ("probe", "test") for of in letters
            if (name := f"z1_{part}_{of}")}  # fmt: skip


def _first(data: TaskData, count: int) -> list[Domain]:
    """Return the first images of each domain of the probe part."""
    return [Domain(of.images[:count], of.factors[:count]) for of in data.domains["probe"]]


def save(points: Sequence[Point], cell: Cell, folder: Path) -> Path:
    """Write the points as CSV into a results folder, and return the path of the file."""
    path = folder / f"probe-curve-{cell.name}.csv"
    write_atomically(path, pd.DataFrame([vars(point) for point in points]).to_csv(index=False))
    return path

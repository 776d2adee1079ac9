"""my_metric: an example that is complete and runs. Say here what your metric measures, and cite it.

It compares how rough images are: the total variation of each result of add with that of its
source. A result that is blurred or noisy differs from its source.

    python -m bench verify my_metric.py       # does it keep the contract? (seconds)
    python -m bench run --plugin my_metric.py --methods autoencoder,copy-source --profile smoke

To score cells that are trained already: `python -m bench score --plugin my_metric.py`. Read
`bench/contracts/metric.py`: it is the manual.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData


def roughness(images: Tensor) -> Tensor:
    """Return the total variation of each uint8 image (N, 3, S, S), float64 (N,), at least 1e-3."""
    x = images.to(torch.float64) / 255
    across, down = x.diff(dim=3).abs().mean((1, 2, 3)), x.diff(dim=2).abs().mean((1, 2, 3))
    return (across + down).clamp_min(1e-3)


class MyMetric(Metric):
    """How much the roughness of an image changes when content is added."""

    # These facts are literals: `python -m bench list metrics` reads them without running the file.
    name = "my_metric"
    summary = "example: change of roughness"
    version = 1  # raise it whenever a value changes: records are then scored again
    numbers = (
        MetricInfo(
            id="my_metric",  # the name in tables and records
            unit="",
            better="lower",
            meaning="change of roughness by add: the mean of |log(result / source)|",
            needs=("add",),  # the artefacts that it is computed from: see `Artefacts`
            bounds=(0.0, None),
            keeps_items=True,  # records keep the value of each item, so methods can be compared
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the mean over the test pairs, with a 95 % interval."""
        sources, _ = data.test_pairs  # uint8 (n, 3, S, S)
        results = artefacts.tensors["add"]  # uint8 (n, 3, S, S), one for each pair
        items = (roughness(results) / roughness(sources)).log().abs()
        value, error = float(items.mean()), float(items.std() / len(items) ** 0.5)
        lo, hi = max(0.0, value - 1.96 * error), value + 1.96 * error
        result = Result(value, lo, hi, n=len(items), items=tuple(items.tolist()))
        return {info.id: result for info in wanted}


def test_it_keeps_the_contract() -> None:
    """Run all checks: `python -m pytest my_metric.py`. This is what `verify` does."""
    from bench.conformance.verify import require_conformance

    require_conformance(__file__)

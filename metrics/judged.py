"""Transfer as a judge sees it, for tasks that know factors but no true results.

`transfer_judged` is built like `metrics.scores.Scores`, but from the judge's predictions instead of
true pixels. A judge does not notice where the content is, so this number is never mixed with
`transfer`.

`tr_companion` concerns tasks where a shared factor goes with the separate content in *train* (see
`bench.contracts.task.Companion`). It shows whether a method takes that factor for a part of the
content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.stats import hmean
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, Companion, TaskData
from bench.metrics._extractor import avatars64
from bench.metrics._judge import Judge, counted_factors, judge
from bench.metrics._statistics import Array, bootstrap
from bench.metrics.transfer import cases, domain_success

FEWEST = 10
"""A value of a factor counts if at least so many pairs have it."""


class Judged(Metric):
    """The score of transfer by the judge, and the companion of the separate content."""

    name = "judged"
    summary = "transfer as a judge sees it: for tasks without true results"
    version = 1
    position = 52
    numbers = (
        MetricInfo(
            id="transfer_judged",
            unit="",
            better="higher",
            meaning="as transfer, by the judge's predictions; it does not see where content is",
            label="transf. jdg.",
            group="Transfer",
            main=True,
            orders=2,
            exact={"copy-source": (0.0, "a judge gives copying the source a transfer of 0")},
            needs=("add", "remove"),
        ),
        MetricInfo(
            id="tr_companion",
            unit="",
            better="lower",
            meaning="share of add that shows the content's companion unasked, minus the truth's",
            label="companion",
            group="Transfer",
            exact={"ground-truth": (0.0, "the truth shows no companion unasked")},
            needs=("add",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers. See `docs/metrics.md` for the formulas.

        The detail of `transfer_judged` has the keys of `metrics.scores`. If the task has no
        separate factor, S is `tr_domain_success`, bounded to [0, 1].
        """
        data = data.pair
        judged = partial(judge, avatars64(), data, settings.cache)
        results = {}
        for info in wanted:
            if info.id == "transfer_judged":
                results[info.id] = _transfer(judged(), artefacts, data)
            elif data.companion is None:
                reason = f"task {data.name} has no companion of its separate content"
                results[info.id] = Result(status="not_applicable", reason=reason)
            elif data.truth is None:
                reason = f"task {data.name} cannot render the true result"
                results[info.id] = Result(status="not_applicable", reason=reason)
            else:
                images = artefacts.tensors["add"], data.truth.add
                results[info.id] = _companion(judged(), images, data.companion, data)
        return results

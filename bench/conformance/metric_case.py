"""A family of metrics as the checks see it: scored on made-up results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bench.conformance import made_up
from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.plugins.plugin import Plugin
from bench.contracts.task import TaskData

CASES = {
    "perfect": made_up.perfect,
    "useless": made_up.useless,
    "degenerate": made_up.degenerate,
}
"""The made-up methods."""


@dataclass(frozen=True)
class MetricCase:
    """A family of metrics that is checked.

    data: faces with a label and a companion (see `made_up.with_more_to_say`). settings: how it is
    scored.
    """

    plugin: Plugin
    data: TaskData
    settings: Settings
    _scored: dict[str, Mapping[str, Result]] = field(default_factory=dict)

    @cached_property
    def family(self) -> Metric:
        """The family."""
        found: Metric = self.plugin.load()()
        return found

    @property
    def infos(self) -> dict[str, MetricInfo]:
        """The facts of each number, by id."""
        return {info.id: info for info in self.family.numbers}

    def score(self, made: Artefacts, data: TaskData | None = None) -> dict[str, Result]:
        """Return all numbers of some results of a task; None for the faces."""
        ids = list(self.infos)
        return self.family.score(ids, made, self.data if data is None else data, self.settings)

    def poorer(self, made: Artefacts, data: TaskData) -> dict[str, Result]:
        """Return all numbers of some results of a task that knows less, with quick probes."""
        quick = dataclasses.replace(self.settings, probes=("logistic", "mlp"))
        return self.family.score(list(self.infos), made, data, quick)

    def scored(self, case: str) -> Mapping[str, Result]:
        """Return all numbers of a made-up method of `CASES`, which are computed once."""
        if case not in self._scored:
            self._scored[case] = self.score(CASES[case](self.data))
        return self._scored[case]

"""The contract of a metric: what it states, what it sees, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.contracts.task import TaskData

if TYPE_CHECKING:
    import torch

Better = Literal["higher", "lower", "near 1"]
Status = Literal["ok", "not_applicable", "unavailable", "failed"]


@dataclass(frozen=True)
class MetricInfo:
    """A number that is reported: its id, unit, direction, meaning and the artefacts it needs."""

    id: str
    unit: str
    better: Better
    meaning: str
    needs: tuple[str, ...] = ()
    needs_truth: bool = False


@dataclass(frozen=True)
class Result:
    """The value of a metric for one cell, with a 95 % interval over the n items it is made of.

    ``extractor`` is part of the identity: values of different extractors share no scale.
    ``detail`` holds what explains the value (the probe that was chosen, a floor).
    """

    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    n: int = 0
    status: Status = "ok"
    reason: str = ""
    extractor: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


IMAGES = ("add", "other", "remove", "rec_a", "rec_b", "cycle_a", "cycle_b")
"""The artefacts that are images, one for each test pair: also what can be made elsewhere."""
CODES = tuple(
    f"{code}_{of}"
    for code in ("z1", "z2")
    for of in ("probe_a", "probe_b", "test_a", "test_b", "add")
)
"""The artefacts that are codes, where there are two domains."""


@dataclass(frozen=True)
class Artefacts:
    """What a trained method made of the task; metrics see this and never the method.

    tensors: `IMAGES`, uint8 (n, 3, S, S) of the test part: ``add``; ``other``, add with the
    neighbour's guide (see `Truth`); ``remove``; reconstructions; ``cycle_a``, what remove makes of
    add, and ``cycle_b``, what add makes of remove with b itself as the guide. `CODES`, float32
    (n, C) or (n, C, H, W): of the probe and test images of both domains, and of the results of add;
    further domains have codes of the same kind under the letters c, d, ...
    measured: what can only be measured while the method runs (times, memory, FLOPs).
    absent: the reason for each artefact that a method does not have.
    """

    tensors: Mapping[str, torch.Tensor]
    measured: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def why_absent(self, name: str) -> str:
        """Return why an artefact is missing, or '' when it is there."""
        if name in self.tensors or name in self.measured:
            return ""
        return self.absent.get(name, f"the method gives no '{name}'")


@dataclass(frozen=True)
class Settings:
    """What the user decides about scoring.

    probes: the battery for the domain accuracy. inception: the weights of true Inception, or None.
    cache: the folder of what is computed once a machine, or None to compute it anew.
    """

    probes: tuple[str, ...] = ("logistic", "rbf_svm", "boosting", "mlp")
    inception: Path | None = None
    cache: Path | None = None


class Metric(ABC):
    """A family of numbers that are computed together from artefacts alone.

    ``version`` rises with every change of a value: records with an older one are scored again.
    A metric draws no global random numbers. Pairs in another order give the same value, but for
    metrics that fit something to them.

    ``numbers`` holds the fields of a `MetricInfo` for each id that the family gives. Like ``name``
    and ``summary`` it is a literal: ``bench list`` reads it without running the file.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    version: ClassVar[int]
    numbers: ClassVar[dict[str, dict[str, Any]]]

    @classmethod
    def infos(cls) -> tuple[MetricInfo, ...]:
        """Return what is known of each number of this family."""
        return tuple(MetricInfo(name, **facts) for name, facts in cls.numbers.items())

    @abstractmethod
    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return a result for each wanted number; what it needs is known to be there."""

    def unavailable(self, settings: Settings) -> str:
        """Return why this family cannot be computed with these settings, or ''.

        Raises:
            UserError: the settings are wrong, and not merely silent about this family.
        """
        return ""

    def score(
        self, wanted: Sequence[str], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return a result for each wanted id of this family, `not_applicable` where one is."""
        results: dict[str, Result] = {}
        possible: list[MetricInfo] = []
        for info in self.infos():
            if info.id not in wanted:
                continue
            reasons = [reason for need in info.needs if (reason := artefacts.why_absent(need))]
            if info.needs_truth and data.truth is None:
                reasons.append(f"task {data.name} cannot render the true result")
            if reasons:
                results[info.id] = Result(status="not_applicable", reason=reasons[0])
            elif reason := self.unavailable(settings):
                results[info.id] = Result(status="unavailable", reason=reason)
            else:
                possible.append(info)
        if possible:
            results |= self.compute(possible, artefacts, data, settings)
        return results

"""The contract of a metric: the facts about it, its inputs and its outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from bench.contracts.task import TaskData

if TYPE_CHECKING:
    import torch

Better = Literal["higher", "lower", "near 1"]
Status = Literal["ok", "not_applicable", "unavailable", "failed"]
Group = Literal[
    "Scores",
    "What is in which code",
    "Transfer",
    "Reconstruction",
    "Image quality",
    "Cost",
    "Other",
]
"""The tables of the leaderboard, in order. The main table has its columns in this order, too."""
Kind = Literal["estimated", "counted", "clocked"]
"""How a number is obtained.

estimated: computed from a sample, so it differs between seeds. counted: exact, the same for every
seed and on every machine. clocked: a time, a rate or a memory size, so it differs between runs.
"""
LONGEST_LABEL = 12


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """All facts about one reported number. No other code treats a particular metric id specially.

    Write it as a call with literal keywords, because ``bench list`` reads it from source.

    Args:
        id: the name in CSV, Markdown and records.
        unit: its unit, '' for a pure number.
        better: the direction that is better.
        meaning: its explanation, one sentence.
        needs: the artefacts that it is computed from.
        needs_truth: whether it needs the true results of the task.
        label: its column heading in the terminal, at most 12 characters.
        group: its table in the leaderboard.
        main: whether the main table shows it, too.
        orders: 0 if it does not order the rows of a board. A board is ordered by the available
            number with the lowest positive value of this field.
        follows_guide: whether a method that ignores the guide has 0 by construction. The
            leaderboard then shows "unguided".
        agrees_with: the id of another number that should give the same order of the rows. The
            leaderboard shows Kendall's tau of both.
        scale: "log" if seeds and methods differ by factors. Means over seeds are then geometric,
            and intervals are relative. "logit" for a share of n items, whose interval over seeds
            is computed from log odds.
        bounds: the lowest and the highest value that the number can have; None for no bound. No
            interval leaves them.
        keeps_items: whether a record keeps the contribution of each item (see `Result`), so that
            methods can be compared item by item. Each number takes about 4 kB of a record.
        in_curve: whether it is also measured at fractions of the training (see
            `bench.cell.snapshots`). Only numbers that are computed quickly should be.
        digits: the number of digits after the decimal point.
        kind: see `Kind`. A counted number is printed with an SI prefix, as in 1.5M.
        tolerance: the largest difference that has no practical importance.
        tolerance_is_relative: whether the tolerance is a fraction of the value.
        code: "z1" or "z2" if the detail of its results lists every factor for that code.
        reference: a key in the detail of its results, printed below the leaderboard: "chance" for
            the score of guessing, "floor" for the score of real images.
        exact: for an anchor, the value that it must have, and this claim in words.
        at_least: a value that every method must exceed, and this claim in words.
        highest: the method whose value must exceed that of all others, and this claim in words.
        truth_is_best: whether the ground truth must be better than every method.

    Raises:
        ValueError: an argument has the wrong type or an unknown value.
    """

    id: str
    unit: str
    better: Better
    meaning: str
    needs: tuple[str, ...] = ()
    needs_truth: bool = False
    label: str = ""
    group: Group = "Other"
    main: bool = False
    orders: int = 0
    follows_guide: bool = False
    agrees_with: str = ""
    scale: Literal["linear", "log", "logit"] = "linear"
    bounds: tuple[float | None, float | None] = (None, None)
    keeps_items: bool = False
    in_curve: bool = False
    digits: int = 3
    kind: Kind = "estimated"
    tolerance: float = 0.01
    tolerance_is_relative: bool = False
    code: Literal["", "z1", "z2"] = ""
    reference: Literal["", "chance", "floor"] = ""
    exact: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    at_least: tuple[float, str] | None = None
    highest: tuple[str, str] | None = None
    truth_is_best: bool = False

    def __post_init__(self) -> None:
        for name, hint in _types_of_info().items():
            _require(name, getattr(self, name), hint)
        if self.orders < 0:
            raise ValueError(f"orders is {self.orders}, expected 0 or more")
        if not self.label:
            object.__setattr__(self, "label", self.id[:LONGEST_LABEL])
        if len(self.label) > LONGEST_LABEL:
            raise ValueError(
                f"label is {self.label!r}, expected at most {LONGEST_LABEL} characters"
            )

    def tolerance_at(self, *values: float) -> float:
        """Return the largest difference of values near these that has no practical importance."""
        size = max(map(abs, values)) if self.tolerance_is_relative else 1.0
        return self.tolerance * size


@cache
def _types_of_info() -> dict[str, Any]:
    return get_type_hints(MetricInfo)


def _require(name: str, value: Any, hint: Any) -> None:
    """Check that an argument has a type and a value that its annotation allows."""
    plain: Any = get_origin(hint) or hint
    if plain is Literal:
        if value not in get_args(hint):
            expected = ", ".join(map(repr, get_args(hint)))
            raise ValueError(f"{name} is {value!r}, expected one of {expected}")
        return
    if plain in (Union, UnionType):
        kinds = tuple(get_origin(one) or one for one in get_args(hint))
    else:
        kinds = (plain,)
    if float in kinds and type(value) is int:
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(kind.__name__ for kind in kinds).replace("NoneType", "None")
        raise ValueError(f"{name} is {value!r}, expected {expected}")


def info_of(infos: Mapping[str, MetricInfo], entry: Mapping[str, Any], name: str) -> MetricInfo:
    """Return the facts of a number. If no plug-in defines it, take them from its record entry."""
    if name in infos:
        return infos[name]
    better: Any = entry["better"] if entry.get("better") in get_args(Better) else "higher"
    return MetricInfo(
        id=name, unit=entry.get("unit", ""), better=better, meaning=entry.get("meaning", "")
    )


@dataclass(frozen=True)
class Result:
    """The value of a metric for one cell, with a 95 % interval over its n items.

    ``extractor`` names the feature extractor. Values of different extractors are not comparable.
    ``detail`` explains the value, for example by the chosen probe or the score of real images. The
    leaderboard shows these keys of it:

    - ``parts``: the parts of a score, each in [0, 1], by name, and ``says``: what each means.
    - ``order``: the names of the parts, in the order in which they are shown.
    - ``without``: the score without each of its parts, by the name of the part.
    - ``judge``: the mean recall of the judge on real test images, by factor.
    - ``domain_accuracy``: the same for the domain; also ``judge_accuracy`` without ``judge``.
    - ``not_counted``: the recalls of the factors that the judge tells too badly to count.

    ``items`` holds the contribution of each test item to the value, in the order of the items, so
    that two methods can be compared item by item. An item is an image, a couple of pairs that
    share their guides, or a group of images that a jackknife leaves out. For a mean over items it
    is the value of each item. For another statistic it is the value plus n times the change of the
    statistic with the weight of the item (the infinitesimal jackknife; Efron, 1982). The standard
    error of the value is that of a mean of these contributions. It is empty if the number has no
    items, or if its ``keeps_items`` is not set.
    """

    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    n: int = 0
    status: Status = "ok"
    reason: str = ""
    extractor: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    items: tuple[float, ...] = ()


IMAGES = ("add", "other", "remove", "rec_a", "rec_b", "cycle_a", "cycle_b")
"""The artefacts that are images, one per test pair. Users can also supply their own images."""
CODES = tuple(
    f"{code}_{of}"
    for code in ("z1", "z2")
    for of in ("probe_a", "probe_b", "test_a", "test_b", "add")
)
"""The artefacts that are codes, for a task with two domains."""


@dataclass(frozen=True)
class Artefacts:
    """The outputs of a trained method on a task. Metrics see these and never the method.

    tensors: `IMAGES` of the test part, uint8 (n, 3, S, S), and `CODES`, float32 (n, C) or
    (n, C, H, W). ``other`` is add with the guide of the neighbouring pair (see `Truth`).
    ``rec_a`` and ``rec_b`` are reconstructions. ``cycle_a`` is remove(add(a, b)), ``cycle_b`` is
    add(remove(b), b). Codes are those of the probe and test images of both domains and of the
    results of add. Codes of further domains have the letters c, d, ...
    measured: times, memory and FLOPs, which can only be measured while the method runs.
    absent: the reason for each missing artefact, by name.
    """

    tensors: Mapping[str, torch.Tensor]
    measured: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def why_absent(self, name: str) -> str:
        """Return why an artefact is missing, or '' if it is present."""
        if name in self.tensors or name in self.measured:
            return ""
        return self.absent.get(name, f"the method gives no '{name}'")


@dataclass(frozen=True)
class Settings:
    """The user's settings for scoring.

    probes: the classifiers that measure the domain accuracy. inception: the file with the weights
    of Inception, or None. cache: the folder that keeps statistics between runs, or None to compute
    them each time. intervals: whether lo and hi are wanted. A curve keeps only values, so a metric
    may then leave out the work that only its intervals need.
    """

    probes: tuple[str, ...] = ("logistic", "rbf_svm", "boosting", "mlp")
    inception: Path | None = None
    cache: Path | None = None
    intervals: bool = True


class Metric(ABC):
    """A family of numbers that are computed together from artefacts alone.

    ``numbers`` holds the facts of each number. Like ``name``, ``summary`` and ``position`` it is a
    literal, because ``bench list`` reads it from source. Raise ``version`` when a value changes:
    records with an older version are scored again. ``position`` orders the families in tables.
    ``expected_failures`` names the checks of ``bench verify`` that it cannot pass, with the reason.

    A metric does not use the global random state. The order of the pairs does not change its value,
    unless it fits a model to the pairs.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    version: ClassVar[int]
    numbers: ClassVar[tuple[MetricInfo, ...]]
    position: ClassVar[int] = 100
    expected_failures: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def ids(cls) -> tuple[str, ...]:
        """Return the id of each number of this family."""
        return tuple(info.id for info in cls.numbers)

    @abstractmethod
    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return a result for each wanted number. All artefacts that it needs are present."""

    def unavailable(self, settings: Settings) -> str:
        """Return why this family cannot be computed with these settings, or ''.

        Raises:
            UserError: a setting that concerns this family is wrong.
        """
        return ""

    def score(
        self, wanted: Sequence[str], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return a result for each wanted id of this family, also for one that does not apply."""
        results: dict[str, Result] = {}
        possible: list[MetricInfo] = []
        for info in self.numbers:
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

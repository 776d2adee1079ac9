"""Image quality of results: Frechet distance, KID, precision, recall, density, coverage.

All numbers share one feature pass over each set of images. The real side is the *probe* part of the
target domain, which has no training images and no guides. It is computed once per machine and
shared by all methods. The formulas are in `metrics._distances`.

The Frechet distance is biased upwards by about 1/n, so compare it only at equal n. Its interval is
for the biased value at this n. `detail` holds the bias-corrected value, whose interval covers
the true distance, and the floor: the distance between two disjoint sets of real images of the same
sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import ClassVar

from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData
from bench.metrics._distances import (
    FEWEST,
    NEIGHBOURS,
    Distance,
    Reference,
    distance,
    distance_by_kind,
    kid,
    neighbourhood,
    reference,
)
from bench.metrics._extractor import Extractor, check_inception, extractor_for, inception, plain64
from bench.metrics._statistics import jackknifed

TARGET = {"add": 1, "remove": 0}
"""The domain that results of each operation should look like."""


class ImageQuality(Metric):
    """Distances in the features of `metrics._extractor.extractor_for`."""

    name = "image_quality"
    summary = "how much results look like real images: Frechet distance, KID, precision, coverage"
    version = 5
    position = 60
    numbers: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo(
            id="fd_add",
            unit="",
            better="lower",
            meaning="Frechet distance of add to real images of B",
            label="FD add",
            group="Image quality",
            bounds=(0.0, None),
            keeps_items=True,
            main_without_truth=True,
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            reference="floor",
            truth_is_best=True,
            in_curve=True,
            needs=("add",),
        ),
        MetricInfo(
            id="fd_remove",
            unit="",
            better="lower",
            meaning="Frechet distance of remove to real images of A",
            label="FD rem.",
            group="Image quality",
            main_without_truth=True,
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            reference="floor",
            truth_is_best=True,
            in_curve=True,
            needs=("remove",),
        ),
        MetricInfo(
            id="fd_cond_add",
            unit="",
            better="lower",
            meaning="Frechet distance of add to real B of the guide's kind, mean",
            label="FD kind add",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("add",),
        ),
        MetricInfo(
            id="fd_cond_remove",
            unit="",
            better="lower",
            meaning="Frechet distance of remove to real A for each kind removed, mean",
            label="FD kind rem.",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("remove",),
        ),
        MetricInfo(
            id="kid_add",
            unit="",
            better="lower",
            meaning="kernel distance (unbiased MMD^2, cubic) of add to real images of B",
            label="KID add",
            group="Image quality",
            digits=4,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("add",),
        ),
        MetricInfo(
            id="kid_remove",
            unit="",
            better="lower",
            meaning="kernel distance (unbiased MMD^2, cubic) of remove to real images of A",
            label="KID rem.",
            group="Image quality",
            digits=4,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("remove",),
        ),
        MetricInfo(
            id="precision_add",
            unit="",
            better="higher",
            meaning="share of add that lies near a real image of B (3 neighbours)",
            label="precis. add",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("add",),
        ),
        MetricInfo(
            id="precision_remove",
            unit="",
            better="higher",
            meaning="share of remove that lies near a real image of A (3 neighbours)",
            label="precis. rem.",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("remove",),
        ),
        MetricInfo(
            id="recall_add",
            unit="",
            better="higher",
            meaning="share of real images of B that lie near one of add (3 neighbours)",
            label="recall add",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("add",),
        ),
        MetricInfo(
            id="recall_remove",
            unit="",
            better="higher",
            meaning="share of real images of A that lie near one of remove (3 neighbours)",
            label="recall rem.",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("remove",),
        ),
        MetricInfo(
            id="density_add",
            unit="",
            better="higher",
            meaning="real images of B near one of add, over what is expected (5 neighbours)",
            label="density add",
            group="Image quality",
            bounds=(0.0, None),
            tolerance=0.05,
            needs=("add",),
        ),
        MetricInfo(
            id="density_remove",
            unit="",
            better="higher",
            meaning="real images of A near one of remove, over what is expected (5 neighbours)",
            label="density rem.",
            group="Image quality",
            bounds=(0.0, None),
            tolerance=0.05,
            needs=("remove",),
        ),
        MetricInfo(
            id="coverage_add",
            unit="",
            better="higher",
            meaning="share of real images of B with one of add among their 5 neighbours",
            label="cover. add",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("add",),
        ),
        MetricInfo(
            id="coverage_remove",
            unit="",
            better="higher",
            meaning="share of real images of A with one of remove among their 5 neighbours",
            label="cover. rem.",
            group="Image quality",
            scale="logit",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("remove",),
        ),
    )

    def extractor(self, data: TaskData, settings: Settings) -> Extractor:
        """Return the feature extractor for the images of a task."""
        return extractor_for(data, settings)

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted distances of each operation."""
        extractor = self.extractor(data, settings)
        results = {}
        for what, domain in TARGET.items():
            if not (asked := [info for info in wanted if info.id.endswith(f"_{what}")]):
                continue
            made = extractor.features(artefacts.tensors[what])
            real = reference(extractor, data, domain, len(made), settings.cache)
            near = cache(partial(neighbourhood, real.tensors, made))  # once for four metrics
            for info in asked:
                result = _measure(info, made, real, what, data, near)
                results[info.id] = replace(result, extractor=extractor.name)
        return results


def _measure(
    info: MetricInfo,
    made: Tensor,
    real: Reference,
    what: str,
    data: TaskData,
    near: Callable[[], dict[str, Distance]],
) -> Result:
    n, measure = len(made), info.id.removesuffix(f"_{what}")
    if measure in ("fd", "fd_plain", "fid"):
        result = distance(info, made, real.tensors)
        return replace(result, detail=result.detail | real.floor("fd"))
    if measure == "fd_cond":
        if not data.spec.kinds:
            return Result(status="not_applicable", reason=f"task {data.name} names no kinds")
        side = real.of_kind if what == "add" else lambda _: real.tensors
        return distance_by_kind(info, made, side, data.kinds("test", 1))
    if min(n, len(real.tensors["alone"])) < FEWEST:
        return Result(status="unavailable", reason=f"{n} images: it needs {FEWEST}", n=n)
    if measure == "kid":
        return replace(jackknifed(info, *kid(real.tensors, made), n), detail=real.floor("kid"))
    detail = {"neighbours": NEIGHBOURS[measure]}
    return replace(jackknifed(info, *near()[measure], n), detail=detail)


class PlainDistance(ImageQuality):
    """Frechet distances by a second extractor: the first was trained to tell blur and noise."""

    name = "plain_distance"
    summary = "Frechet distances by a second extractor, trained without blur and noise"
    version = 2
    position = 61
    numbers = (
        MetricInfo(
            id="fd_plain_add",
            unit="",
            better="lower",
            meaning="Frechet distance of add to real B, by an extractor without blur and noise",
            label="FD plain add",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            agrees_with="fd_add",
            needs=("add",),
        ),
        MetricInfo(
            id="fd_plain_remove",
            unit="",
            better="lower",
            meaning="Frechet distance of remove to real A, by an extractor without blur and noise",
            label="FD plain rem",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            agrees_with="fd_remove",
            needs=("remove",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted distances, if the images are drawn faces."""
        if data.features == "avatars":
            return super().compute(wanted, artefacts, data, settings)
        reason = "the second extractor was trained on drawn faces only"
        return {info.id: Result(status="not_applicable", reason=reason) for info in wanted}

    def extractor(self, data: TaskData, settings: Settings) -> Extractor:
        """Return the second extractor."""
        return plain64()


class InceptionDistance(ImageQuality):
    """The FID: Inception-v3 with the TensorFlow weights, the TF1 resize and fp32."""

    name = "inception"
    summary = "true FID; needs --inception FILE"
    version = 4
    position = 65
    numbers = (
        MetricInfo(
            id="fid_add",
            unit="",
            better="lower",
            meaning="FID of add to real images of B",
            label="FID add",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("add",),
        ),
        MetricInfo(
            id="fid_remove",
            unit="",
            better="lower",
            meaning="FID of remove to real images of A",
            label="FID rem.",
            group="Image quality",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            tolerance=0.05,
            tolerance_is_relative=True,
            needs=("remove",),
        ),
    )

    def unavailable(self, settings: Settings) -> str:
        """Return the reason if no weights are given. Raise an error for wrong weights."""
        if settings.inception is None:
            return "no weights: give --inception FILE"
        check_inception(settings.inception)
        return ""

    def extractor(self, data: TaskData, settings: Settings) -> Extractor:
        """Return Inception with the weights of the user."""
        assert settings.inception is not None
        return inception(settings.inception)

"""The format of a baseline file: every key, what it holds, and when it is absent.

After a change here, increase `SCHEMA` and add a step to `migrated`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from bench.contracts.metric import Status
from bench.contracts.record import (
    Amount,
    Conditions,
    Count,
    Environment,
    Number,
    Options,
    Ordinal,
    Positive,
    Settings,
    Whole,
)
from bench.records.migrate import settings_of_names
from bench.records.schema import error_in, mismatch

SCHEMA: Final = 2
"""1: labels alone said what `--set` chose. 2: the ``settings`` of a row say it."""


class RowMetric(TypedDict):
    """One metric over the seeds of a row."""

    values: list[Number | None]  # in the order of the seeds; None: that seed has no value
    status: Status  # the worst of all seeds
    reason: str  # of the worst status; "" if all seeds have a value
    family: str  # what the metric's family says of it; "" if no seed has it
    version: Whole | Literal[""]
    extractor: str
    unit: str
    better: str
    n: Count | Literal[""]


class RowFacts(TypedDict, total=False):
    """Facts that all seeds and machines share. Some exist only for trained methods."""

    pixel_hash: str
    steps: Count
    images: Count
    flops_per_step: Count


class Row(TypedDict):
    """One method on one task, with all seeds that were run under equal conditions."""

    label: str
    settings: Settings  # the changes by `--set`, or {}
    task: str
    profile: str
    identity: Conditions
    seeds: list[Count]  # of the cells that did not fail
    failed: dict[str, str]  # the reason for each failed seed
    sources: dict[str, str]  # source hash of each plug-in, by name
    mixed: NotRequired[Count]  # number of seeds run by other code; absent: edited by hand
    machine: str  # kind of machine; "" if no seed has finished
    facts: RowFacts
    cpu_seconds: list[Positive | None]  # of training, in the order of the seeds; None: not known
    options: NotRequired[Options]  # the user's image options; absent: early baselines
    metrics: dict[str, RowMetric]  # by id


class Tolerance(TypedDict):
    """How much a golden metric may differ on another processor."""

    value: Amount
    lo: Amount
    hi: Amount
    n: Amount


class GoldenMetric(TypedDict):
    """A metric of the frozen artefacts."""

    value: Number | None
    lo: Number | None
    hi: Number | None
    n: Number | None
    version: Whole
    tolerance: Tolerance


class GoldenNumber(TypedDict):
    """A number of a short training."""

    value: Number
    tolerance: Amount


class GoldenRow(TypedDict):
    """The method of a short training."""

    method: str
    config: dict[str, Any]
    side: Ordinal  # of the images, in pixels


class Golden(TypedDict):
    """The numbers of the golden layer (see `bench.check.golden.measure`)."""

    pixels: str  # hash of the images
    metrics: dict[str, GoldenMetric]  # by id
    training: dict[str, dict[str, GoldenNumber]]  # by label and name
    rows: dict[str, GoldenRow]  # by label


class Baseline(TypedDict):
    """A baseline file."""

    schema: Count
    profile: str
    updates: list[dict[str, Any]]  # when, why and at which commit it was written, newest first
    environment: Environment  # of the machine that made the records
    rows: list[Row]
    claims: dict[str, dict[str, Positive]]  # gaps between methods, by task and ordering
    golden: Golden | None  # None: written with --no-golden


def migrated(baseline: dict[str, Any]) -> dict[str, Any]:
    """Convert an unchecked baseline to the current format."""
    rows = baseline.get("rows")
    if baseline["schema"] == 1 and isinstance(rows, list):
        rows = [_with_settings(row) if isinstance(row, dict) else row for row in rows]
        baseline = baseline | {"rows": rows}
    return baseline | {"schema": SCHEMA}


def _with_settings(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"settings": settings_of_names(row.get("label"), row.get("identity"))}


def error_in_baseline(value: Any) -> str:
    """Return the first error in a baseline as one line, or ''."""
    if said := error_in(Baseline, value):
        return said
    found = (_error_in_row(row, f"rows[{at}]") for at, row in enumerate(value["rows"]))
    return next(filter(None, found), "")


def _error_in_row(row: Row, where: str) -> str:
    """Return the first error in a row whose types are correct, or ''."""
    seeds = row["seeds"]
    if len(set(seeds)) < len(seeds):
        return f"{where}.seeds: a seed stands there twice"
    if row["task"] != row["identity"]["task"]:
        return f"{where}.task: not the task of its identity"
    if row["profile"] != row["identity"]["profile"]:
        return f"{where}.profile: not the profile of its identity"
    lists: dict[str, list[Any]] = {f"{where}.cpu_seconds": row["cpu_seconds"]}
    for name, metric in row["metrics"].items():
        place = f"{where}.metrics.{name}.values"
        if metric["status"] == "ok" and None in metric["values"]:
            return mismatch(place, "a number for every seed", None)
        lists[place] = metric["values"]
    for place, found in lists.items():
        if len(found) != len(seeds):
            return f"{place}: {len(found)} values, expected one for each of {len(seeds)} seeds"
    return ""

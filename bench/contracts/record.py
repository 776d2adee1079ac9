"""The record of a cell: every key, what it holds, and when it is absent.

A record is one JSON file. These types are its contract: mypy checks who uses a key, and
`bench.records.schema` checks each file that is read. Further keys may stand anywhere.

Change a key here, raise `SCHEMA`, and add one step to `bench.records.migrate`.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, Literal, NotRequired

from annotated_types import Interval
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from bench.contracts.metric import Status
from bench.contracts.task import Resize, Split

SCHEMA: Final = 2
"""The version. In 1, labels alone said what `--set` chose; in 2, ``settings`` holds it."""

_MOST = sys.float_info.max
_MOST_WHOLE = int(_MOST)
Number = Annotated[float, Interval(ge=-_MOST, le=_MOST)]
"""A finite number: neither a truth value nor a text, and small enough for a float."""
Amount = Annotated[float, Interval(ge=0, le=_MOST)]
Positive = Annotated[float, Interval(gt=0, le=_MOST)]
Whole = Annotated[int, Interval(ge=-_MOST_WHOLE, le=_MOST_WHOLE)]
Count = Annotated[int, Interval(ge=0, le=_MOST_WHOLE)]
Ordinal = Annotated[int, Interval(gt=0, le=_MOST_WHOLE)]


# --- what was run --------------------------------------------------------------------------------


class Numbers(TypedDict):
    """The numbers of a profile (see `bench.plan.profiles.Profile`)."""

    size: Ordinal  # side of an image, pixels
    train_images: Ordinal  # per domain
    probe_images: Ordinal  # per domain
    test_images: Ordinal  # per domain
    # The next three are absent only in records that another tool wrote.
    # Training FLOPs of a cell in units of 1e12; "published": the number of steps in the paper.
    budget_tflops: NotRequired[Positive | Literal["published"]]
    probes: NotRequired[list[str]]  # battery of the domain accuracy
    eval_batch: NotRequired[Ordinal]  # images in a forward pass


class Conditions(TypedDict):
    """All of an identity that the seeds of a method share."""

    method: str  # name of a method, of an anchor, or of images that were made elsewhere
    config: dict[str, Any]  # the method's full configuration; {} for an anchor
    task: str
    fingerprint: str  # hash of what decides the images of the task
    profile: str  # name, with what `--set` changed in brackets
    numbers: Numbers
    device: str  # "cpu" or "cuda"
    precision: str  # "fp32" or "bf16"


class Identity(Conditions):
    """All that decides the numbers of a cell; its hash is the id of the cell."""

    seed: Count  # 0 for an anchor, which serves all seeds
    threads: Ordinal  # CPU threads of the computation


IDENTITY_KEYS: Final = frozenset(Identity.__annotations__)

Settings = dict[str, Any]
"""What `--set` changed, typed: ``{"press2019.sep": 25, "profile.budget_tflops": 0.01}``."""


# --- what came out -------------------------------------------------------------------------------


class MetricEntry(TypedDict):
    """One number of a cell: a `bench.contracts.metric.Result` and what its family says of it."""

    value: Number | None  # None unless status is "ok"
    lo: Number | None  # lower end of the 95 % interval; None where there is no interval
    hi: Number | None  # upper end, likewise
    n: Count  # items that the value is computed from; 0 where there is no value
    status: Status
    reason: str  # why there is no value; "" where there is one
    extractor: str  # network that the value depends on; "" for none
    unit: str  # "" for none
    better: str  # "higher", "lower" or "near 1"
    meaning: str
    version: Whole  # version of the family; it rises when values change
    family: NotRequired[str]  # absent: records of version 0.1 and before
    detail: NotRequired[dict[str, Any]]  # what explains the value; absent: as above


class Scoring(TypedDict):
    """How one family of metrics was computed the last time."""

    cpu_seconds: Amount
    numbers: list[str]  # ids that were computed
    commit: NotRequired[str | None]  # None outside a git checkout; absent: records before 0.1
    command: NotRequired[str]  # absent: as above
    versions: NotRequired[dict[str, Any]]  # of libraries, by name; absent: as above


class Facts(TypedDict, total=False):
    """What else is known of a cell. Empty where the cell failed.

    Keys from ``steps`` to ``not_deterministic`` are absent unless the method was trained here.
    """

    pixel_hash: str  # hash of all images of the task; absent: the cell failed
    steps: Count  # of training
    images: Count  # loaded in training, all domains together
    flops: Count  # floating point operations of the whole training
    flops_per_step: Count
    seconds: Amount  # of training, by the wall clock
    cpu_seconds: Amount  # of training, by the CPU's clock
    peak_memory_mb: Amount | None  # MiB in training; None where the system does not say
    losses: dict[str, Any]  # the last ones, by name
    clock: str | None  # "cpu" or "wall": which of the two tells the speed; None: not known
    not_deterministic: list[str]  # operations without a deterministic kernel on a GPU
    paper: str | None  # who, where, when; absent for anchors and for images from elsewhere
    guided: bool | None  # whether the method looks at the guide; absent: as above
    supervision: str | None  # "domain" or "kind", None for "domain"; absent: as above
    note: str | None  # what a reader of the row must know; absent: an anchor
    scoring: dict[str, Scoring]  # by family; absent: the cell failed
    task: dict[str, Any]  # what the task says of its images; absent: it says nothing
    disk_mb: Amount  # size of the run folder, 1e6 bytes; absent: there is no folder


class Options(TypedDict, total=False):
    """What the user said of the task's images; each key is absent where the default was used."""

    a: str  # folder, full path
    b: str  # folder, full path
    data_root: str  # folder, full path
    split: Split
    resize: Resize
    skip_bad: bool


class Environment(TypedDict, total=False):
    """Where and how a cell was made. Records of other versions may lack any key."""

    command: str  # as the user typed it
    commit: str | None  # `git describe`; None outside a checkout
    contentbench: str  # versions of this suite, of Python and of torch
    python: str
    torch: str
    cuda: str | None  # version that torch was built for; None: without CUDA
    versions: dict[str, Any]  # of the libraries that were imported, by name
    platform: str
    cpu: str  # name and generation of the processor
    cpu_capability: str  # instructions that torch uses
    onednn_max_cpu_isa: str | None  # limit set from outside; None for no limit
    device: str  # name of the GPU, or "cpu"
    options: Options  # absent: the user said nothing of the images


class Record(TypedDict):
    """One finished cell, or one that failed."""

    schema: Count  # `SCHEMA`; older files are brought up to it when they are read
    id: str  # 16 hex digits: the hash of the identity
    label: str  # the method, with what `--set` changed in brackets; for people, never read back
    settings: Settings  # {} where nothing was changed
    identity: Identity
    status: str  # "ok" or "failed"
    reason: str  # why it failed; "" where it did not
    metrics: dict[str, MetricEntry]  # by id
    facts: Facts
    timings: dict[str, Amount]  # wall seconds: load, train, artefacts, score:FAMILY; {} if failed
    environment: Environment
    sources: dict[str, str]  # source hash of each plug-in that took part, by name
    finished: str  # UTC, ISO 8601

"""The record of a cell: every key, its content, and when it is absent.

A record is one JSON file. These types are its contract: mypy checks the code that uses a key, and
`bench.records.schema` checks each file that is read. All objects may have additional keys.

If you change a key here, raise `SCHEMA` and add one step to `bench.records.migrate`.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, Literal, NotRequired

from annotated_types import Interval
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from bench.contracts.metric import Status
from bench.contracts.task import Resize, Split

SCHEMA: Final = 4
"""The version. In 1, only labels showed what `--set` changed; in 2, ``settings`` holds it. In 3, an
identity can name the version of the protocol. In 4, a record says where its configuration comes
from, a metric can keep its items, and a trained method has a curve."""

_MOST = sys.float_info.max
_MOST_WHOLE = int(_MOST)
Number = Annotated[float, Interval(ge=-_MOST, le=_MOST)]
"""A finite number that a float can hold. Booleans and texts are not numbers."""
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
    # Only records that another tool wrote may lack the next three keys.
    # Training FLOPs of a cell in units of 1e12, or "published" for the paper's number of steps.
    budget_tflops: NotRequired[Positive | Literal["published"]]
    probes: NotRequired[list[str]]  # battery of the domain accuracy
    eval_batch: NotRequired[Ordinal]  # images in a forward pass
    # "val" for a trial of a tuning study, which is scored on *val*; absent: *test*.
    part: NotRequired[Literal["val"]]


class Conditions(TypedDict):
    """The part of an identity that all seeds of a method share."""

    method: str  # name of a method, an anchor, or images that were made elsewhere
    config: dict[str, Any]  # the method's full configuration; {} for an anchor without weights
    task: str
    fingerprint: str  # hash of all that determines the images of the task
    profile: str  # name, with what `--set` changed in brackets
    numbers: Numbers
    device: str  # "cpu" or "cuda"
    precision: str  # "fp32" or "bf16"
    protocol: NotRequired[Ordinal]  # see `bench.contracts.protocol`; absent: 1


class Identity(Conditions):
    """All that determines the numbers of a cell. Its hash is the id of the cell."""

    seed: Count  # 0 for an anchor without weights, which serves all seeds
    threads: Ordinal  # CPU threads of the computation


IDENTITY_KEYS: Final = frozenset(Identity.__annotations__)

Settings = dict[str, Any]
"""What `--set` changed, as JSON: ``{"press2019.sep": 25, "profile.budget_tflops": 0.01}``."""


# --- what came out -------------------------------------------------------------------------------


class MetricEntry(TypedDict):
    """One number of a cell: a `bench.contracts.metric.Result` and the facts about the number."""

    value: Number | None  # None unless status is "ok"
    lo: Number | None  # lower end of the 95 % interval; None if there is no interval
    hi: Number | None  # upper end of the interval, or None
    n: Count  # items that the value is computed from; 0 if there is no value
    status: Status
    reason: str  # why there is no value; "" if there is one
    extractor: str  # network that the value depends on; "" for none
    unit: str  # "" for none
    better: str  # "higher", "lower" or "near 1"
    meaning: str
    version: Whole  # version of the family, which rises when values change
    family: NotRequired[str]  # absent: records of version 0.1 or older
    detail: NotRequired[dict[str, Any]]  # explains the value; absent: as above
    # The contribution of each test item (see `bench.contracts.metric.Result`), rounded to 3 digits.
    items: NotRequired[list[Number]]  # absent: the number has none, or an older version made it


class Scoring(TypedDict):
    """How one family of metrics was last computed."""

    cpu_seconds: Amount
    numbers: list[str]  # ids that were computed
    commit: NotRequired[str | None]  # None outside a git checkout; absent: records before 0.1
    command: NotRequired[str]  # absent: as above
    versions: NotRequired[dict[str, Any]]  # versions of libraries, by name; absent: as above


class CurveValue(TypedDict):
    """The value of a metric at a fraction of the training."""

    value: Number | None  # None if it could not be computed
    version: Whole  # version of the family
    parts: NotRequired[dict[str, Number]]  # the parts of a score, by name; absent: it has none


class CurvePoint(TypedDict):
    """A method at a fraction of its training. It is a state within the full training.

    A training that ends there could give another result, because some loss weights and learning
    rates depend on the length of the training.
    """

    budget: Positive  # fraction of the training, up to 1
    steps: Count  # of training so far, as are the next three
    images: Count
    flops: Count
    cpu_seconds: Amount
    metrics: dict[str, CurveValue]  # by id; the numbers with ``in_curve``


class Facts(TypedDict, total=False):
    """Further facts about a cell. Empty if the cell failed.

    The keys from ``steps`` to ``not_deterministic`` exist only if this suite trained the method.
    """

    pixel_hash: str  # hash of all images of the task; absent: the cell failed
    steps: Count  # of training
    images: Count  # loaded in training, of all domains together
    flops: Count  # floating point operations of the whole training
    flops_per_step: Count
    seconds: Amount  # wall-clock time of training
    cpu_seconds: Amount  # CPU time of training
    peak_memory_mb: Amount | None  # MiB in training; None if the system does not report it
    losses: dict[str, Any]  # the last losses of training, by name
    clock: str | None  # the clock that the speed is measured by, "cpu" or "wall"; None: unknown
    not_deterministic: list[str]  # operations without a deterministic kernel on a GPU
    paper: str | None  # authors, venue, year; absent: an anchor, or images from elsewhere
    guided: bool | None  # whether the method uses the guide; absent: as above
    supervision: str | None  # "domain" or "kind"; None means "domain"; absent: as above
    note: str | None  # a remark for readers of the leaderboard row
    scoring: dict[str, Scoring]  # by family; absent: the cell failed
    task: dict[str, Any]  # remarks of the task on its images; absent: there are none
    disk_mb: Amount  # size of the run folder, 1e6 bytes; absent: there is no folder


class Options(TypedDict, total=False):
    """The user's options for the images of the task. A key is absent if its default was used."""

    a: str  # folder, full path
    b: str  # folder, full path
    data_root: str  # folder, full path
    split: Split
    resize: Resize
    skip_bad: bool
    attributes: str
    test_seed: Count


class Environment(TypedDict, total=False):
    """Where and how a cell was made. Records of other versions may lack any of these keys."""

    command: str  # as the user typed it
    commit: str | None  # `git describe`; None outside a checkout
    contentbench: str  # versions of this suite, of Python and of torch
    python: str
    torch: str
    cuda: str | None  # CUDA version that torch was built for; None: without CUDA
    versions: dict[str, Any]  # versions of the imported libraries, by name
    platform: str
    cpu: str  # name and generation of the processor
    cpu_capability: str  # instruction set that torch uses
    onednn_max_cpu_isa: str | None  # value of that environment variable; None: not set
    device: str  # name of the GPU, or "cpu"
    options: Options  # absent: the user gave none


class Record(TypedDict):
    """The record of one cell that finished or failed."""

    schema: Count  # `SCHEMA`; older files are migrated when they are read
    id: str  # 16 hex digits: the hash of the identity
    label: str  # the method, with changes by `--set` in brackets; never parsed
    settings: Settings  # {} if nothing was changed
    # Where the configuration of the method comes from, before `--set`: "published" (the paper),
    # "tuned" (the winner of a study), "both" (the published one, which won the study), "no study"
    # (the published one, because no study has the method), "hand-set" (records of schema 3 and
    # older); "" for an anchor without weights, for images that were made elsewhere, and for a trial
    # of a study. It is that of the last run: a later study can have another winner.
    configuration: Literal["published", "tuned", "both", "no study", "hand-set", ""]
    # Name of the study, as "avatars-glasses-small"; "" if it is not tuned. If the method is a
    # variant of another one and uses its winner, a slash and that method follow.
    study: str
    identity: Identity
    status: str  # "ok", "failed", "lost" or "unavailable"
    reason: str  # why there are no numbers; "" if it is ok
    metrics: dict[str, MetricEntry]  # by id
    facts: Facts
    curve: list[CurvePoint]  # by rising budget; [] if this suite did not train it
    timings: dict[str, Amount]  # wall seconds: load, train, curve, artefacts, score:FAMILY
    environment: Environment
    sources: dict[str, str]  # source hash of each plug-in that was used, by name
    finished: str  # UTC, ISO 8601

"""The forms of the files that hold numbers, records and baselines, in the words of `bench.utils.json_shapes`.

What is read later is here, so that a file that somebody edited, or that is half of another version,
is refused in one line. What a form does not name may stand there too.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from bench.contracts.cell import PUBLISHED, Cell
from bench.contracts.metric import Status
from bench.contracts.task import Resize, Split
from bench.utils.json_shapes import (
    amount,
    an_object,
    count,
    either,
    fields,
    items,
    maybe,
    number,
    one_of,
    ordinal,
    positive,
    text,
    values,
    whole,
)

IDENTITY_KEYS = {field.name for field in dataclasses.fields(Cell)} - {"label", "plugins"}
_STATUS = one_of(*typing.get_args(Status))
_NUMBERS = fields(
    dict.fromkeys(("size", "train_images", "probe_images", "test_images"), ordinal),
    {"budget_tflops": either(positive, one_of(PUBLISHED)), "probes": items(text),
     "eval_batch": ordinal},
)  # fmt: skip
_IDENTITY = {
    **dict.fromkeys(IDENTITY_KEYS - {"seed", "threads"}, text),
    "config": an_object,
    "numbers": _NUMBERS,
}


# --- records -------------------------------------------------------------------------------------

_ENTRY = fields(
    {
        **dict.fromkeys(("value", "lo", "hi"), maybe(number)),
        **dict.fromkeys(("reason", "extractor", "unit", "better", "meaning"), text),
        "n": count,
        "status": _STATUS,
        "version": whole,
    },
    {"family": text, "detail": an_object},
)


def metric(entry: Any, where: str) -> str:
    """Return what is wrong with the entry of a metric in a record; one that is ok has a value."""
    said = _ENTRY(entry, where)
    if not said and entry["status"] == "ok":
        said = number(entry["value"], f"{where}.value")
    return said


_COUNTED = ("steps", "images", "flops", "flops_per_step", "cpu_seconds", "disk_mb")
_FACTS = fields(
    {},
    {
        **dict.fromkeys(_COUNTED, amount),
        **dict.fromkeys(("note", "supervision"), maybe(text)),
        "pixel_hash": text,
        "scoring": values(fields({"cpu_seconds": amount, "numbers": items(text)})),
    },
)
_OPTIONS = fields(
    {},
    {
        **dict.fromkeys(("a", "b", "data_root"), text),
        "split": one_of(*typing.get_args(Split)),
        "resize": one_of(*typing.get_args(Resize)),
        "skip_bad": one_of(True, False),
    },
)
_ENVIRONMENT = fields({}, {"options": _OPTIONS, "versions": an_object})
RECORD = fields(
    {
        "schema": count,
        **dict.fromkeys(("id", "label", "status", "reason", "finished"), text),
        "identity": fields(_IDENTITY | {"seed": count, "threads": ordinal}),
        "metrics": values(metric),
        "facts": _FACTS,
        "timings": values(amount),
        "environment": _ENVIRONMENT,
        "sources": values(text),
    }
)
"""A record.

facts: steps, images, FLOPs and so on of the training ({} for an anchor). timings: seconds of each
stage and metric family. sources: the hash of each plug-in that took part.
"""

"""The forms of the files that hold numbers, records and baselines, in the words of `bench.shape`.

What is read later is here, so that a file that somebody edited, or that is half of another version,
is refused in one line. What a form does not name may stand there too.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from bench.config import PUBLISHED, Cell
from bench.contracts import Resize, Split, Status
from bench.shape import (
    Shape,
    amount,
    an_object,
    anything,
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
    wrong,
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

# --- baselines -----------------------------------------------------------------------------------

_OF_SEEDS = fields(
    {
        **dict.fromkeys(("reason", "extractor", "unit", "better", "family"), text),
        "status": _STATUS,
        "version": either(whole, one_of("")),
        "n": either(count, one_of("")),
        "values": items(maybe(number)),
    }
)
_ROW = fields(
    {
        **dict.fromkeys(("label", "task", "profile", "machine"), text),
        "identity": fields(_IDENTITY),
        "seeds": items(count),
        "failed": values(text),
        "sources": values(text),
        "facts": fields({}, dict.fromkeys(_COUNTED, amount) | {"pixel_hash": text}),
        "cpu_seconds": items(maybe(positive)),
        "metrics": values(_OF_SEEDS),
    },
    {"options": _OPTIONS},
)


def _row(row: Any, where: str) -> str:
    """Return what is wrong with a row; it has one value of everything for each of its seeds."""
    if said := _ROW(row, where):
        return said
    seeds = row["seeds"]
    if len(set(seeds)) < len(seeds):
        return f"{where}.seeds: a seed stands there twice"
    for key in ("task", "profile"):
        if row[key] != row["identity"][key]:
            return f"{where}.{key}: another than that of its identity"
    lists = {f"{where}.metrics.{name}": of for name, of in row["metrics"].items()}
    for place, metric in lists.items():
        if metric["status"] == "ok" and None in metric["values"]:
            return wrong(None, f"{place}.values", "a number for every seed")
    of_seeds = {f"{place}.values": metric["values"] for place, metric in lists.items()}
    for place, found in (of_seeds | {f"{where}.cpu_seconds": row["cpu_seconds"]}).items():
        if len(found) != len(seeds):
            return f"{place}: {len(found)} values, expected one for each of {len(seeds)} seeds"
    return ""


_EACH = ("value", "lo", "hi", "n")
_GOLDEN = fields(
    {
        "pixels": text,
        "metrics": values(
            fields(
                {
                    **dict.fromkeys(_EACH, maybe(number)),
                    "version": whole,
                    "tolerance": fields(dict.fromkeys(_EACH, amount)),
                }
            )
        ),
        "training": values(values(fields({"value": number, "tolerance": amount}))),
        "rows": values(fields({"method": text, "config": an_object, "side": ordinal})),
    }
)

BASELINE: Shape = fields(
    {
        "schema": anything,
        "profile": text,
        "updates": items(an_object),
        "environment": _ENVIRONMENT,
        "rows": items(_row),
        "claims": values(values(positive)),
        "golden": maybe(_GOLDEN),
    }
)
"""A baseline (see `bench.baseline`)."""

"""The form of a baseline file."""

from __future__ import annotations

from typing import Any

from bench.records.schema import _COUNTED, _ENVIRONMENT, _IDENTITY, _OPTIONS, _STATUS
from bench.utils.json_shapes import (
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
"""A baseline (see `bench.check.baseline`)."""

"""Claims and records for tests of the verdicts."""

from __future__ import annotations

from bench.study.claim_cells import Found
from bench.study.claims import Claim, Row, Side

METRIC = "transfer"


def side(method, detail="", seeds="0-4"):
    row = Row(method, (), "faces", "small", seeds)
    return Side(row, method, detail)


def claim(name="it", left="mine", right="other", direction="higher", margin=0.0, metric=METRIC):
    left, right = (side(*one) if isinstance(one, tuple) else side(one) for one in (left, right))
    return Claim(name, "It is so.", "a paper", left, right, metric, direction, margin)


def record(method, seed, value, curve=(), metric=METRIC, **entry):
    entry = {
        "value": value, "lo": None, "hi": None, "n": 9, "status": "ok", "reason": "",
        "version": 1, "detail": {}, "better": "higher", "unit": "", "meaning": "",
    } | entry  # fmt: skip
    points = [{"budget": at, "metrics": {metric: {"value": of, "version": 1}}} for at, of in curve]
    identity = {"method": method, "seed": seed}
    return {"label": method, "identity": identity, "metrics": {metric: entry}, "curve": points}


def found(method, values, curves=None, **entry):
    """Return the row of a method, and its records: one for each seed."""
    curves = curves or [()] * len(values)
    records = [
        record(method, seed, value, curve, **entry)
        for seed, (value, curve) in enumerate(zip(values, curves, strict=True))
    ]
    return {side(method).row: Found(tuple(records))}

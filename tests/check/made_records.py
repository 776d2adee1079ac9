"""Records and changed records for tests of the check."""

from __future__ import annotations

import copy

import numpy as np

from bench.contracts.protocol import PROTOCOL
from bench.contracts.record import SCHEMA
from bench.utils.hashing import hash_of


def edit_baseline(baseline, *path, to=None, drop=False):
    """Change one thing in a copy of a baseline."""
    made = copy.deepcopy(baseline)
    place = made
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return made


METHOD_ROW = ("rows", 2)


PROFILE_NUMBERS = {"size": 32} | dict.fromkeys(("train_images", "probe_images", "test_images"), 64)
BETTER_OF = {"z1_domain_acc": "lower", "cf_skill_in_add": "higher", "fd_add": "lower"}


def metric_entry(value, name="fd_add", **changes):
    entry = {
        "value": value, "lo": value, "hi": value, "n": 100, "status": "ok", "reason": "",
        "extractor": "", "unit": "", "better": BETTER_OF.get(name, "lower"), "meaning": "",
        "version": 1, "family": "cost" if name == "params" else "some", "detail": {},
    }  # fmt: skip
    return entry | changes


def check_record(method="mine", seed=0, noise=0.0, **values):
    anchor = method in ("ground-truth", "copy-source")
    given = {"fd_add": 5.0, "cf_skill_in_add": 1.0} if anchor else {
        "fd_add": 20 * np.exp(noise), "cf_skill_in_add": 0.4 + 0.1 * noise,
        "z1_domain_acc": 0.7 + 0.1 * noise, "z1_probe_power": 0.8, "params": 100.0,
    }  # fmt: skip
    if method == "copy-source":
        given["cf_skill_in_add"] = 0.0
    identity = {
        "method": method, "config": {"width": 4}, "task": "faces", "fingerprint": "f",
        "profile": "smoke", "numbers": PROFILE_NUMBERS, "seed": seed, "device": "cpu",
        "precision": "fp32", "threads": 1, "protocol": PROTOCOL,
    }  # fmt: skip
    return {
        "schema": SCHEMA, "id": hash_of(identity), "label": method, "status": "ok", "reason": "",
        "settings": {}, "identity": identity, "configuration": "" if anchor else "tuned",
        "study": "", "curve": [],
        "metrics": {name: metric_entry(v, name) for name, v in (given | values).items()},
        "facts": {"pixel_hash": "p", "steps": 7, "images": 9, "cpu_seconds": 10 * np.exp(noise)}
        if not anchor else {"pixel_hash": "p"},
        "timings": {}, "sources": {method: "s"}, "finished": "2026",
        "environment": {"cpu": "some", "commit": "c", "command": "run"},
    }  # fmt: skip


def check_records(seeds=range(10), spread=0.02, **values):
    """Return the records of a method with some noise for each seed, and of two anchors."""
    noises = np.random.default_rng(0).normal(0, spread, 100)
    return [check_record(seed=seed, noise=noises[seed], **values) for seed in seeds] + [
        check_record("ground-truth"), check_record("copy-source"),
    ]  # fmt: skip


def changed_record(what):
    """Return records with one thing changed, and the finding that it must give."""
    records = check_records(range(3))
    mine = records[:3]
    if what == "missing row":
        return records[3:], ("not comparable", "mine", "row")
    if what == "configuration":
        for one in mine:
            one["identity"] = copy.deepcopy(one["identity"])
            one["identity"]["config"]["width"] = 8
        return records, ("not comparable", "mine", "identity")
    if what == "precision":
        for one in mine:
            one["identity"] = one["identity"] | {"precision": "bf16"}
        return records, ("not comparable", "mine", "identity")
    if what == "protocol":
        for one in mine:
            one["identity"] = {k: v for k, v in one["identity"].items() if k != "protocol"}
        return records, ("not comparable", "mine", "identity")
    if what == "failed seed":
        mine[1] |= {"status": "failed", "reason": "diverged", "metrics": {}, "facts": {}}
        return records, ("failed", "mine", "seed 1")
    if what == "failed metric":
        mine[0]["metrics"]["fd_add"] |= {"status": "failed", "value": None, "reason": "bad"}
        return records, ("failed", "mine", "fd_add")
    if what == "lost metric":
        for one in mine:
            one["metrics"]["fd_add"] |= {"status": "unavailable", "value": None}
        return records, ("regressed", "mine", "fd_add")
    if what == "version":
        for one in mine:
            one["metrics"]["fd_add"]["version"] = 2
        return records, ("not comparable", "mine", "fd_add")
    if what == "parameters":
        for one in mine:
            one["metrics"]["params"]["value"] = 101.0
        return records, ("regressed", "mine", "params")
    if what == "steps":
        for one in mine:
            one["facts"]["steps"] = 8
        return records, ("regressed", "mine", "steps")
    if what == "pixels":
        for one in mine:
            one["facts"]["pixel_hash"] = "q"
        return records, ("regressed", "mine", "pixel_hash")
    if what == "new metric":
        for one in mine:
            one["metrics"]["adaptation"] = metric_entry(1.0)
        return records, ("not compared", "mine", "adaptation")
    if what == "new row":
        return [*records, check_record("another")], ("not compared", "another", "row")
    if what == "anchor":
        records[-1]["metrics"]["fd_add"]["value"] = 5.1
        return records, ("regressed", "copy-source", "fd_add")
    records[-1]["metrics"]["cf_skill_in_add"]["value"] = 1e-4
    claim = "copying the source earns nothing when it adds"
    return records, ("regressed", "faces", claim)

"""Records, sheets of pictures and pages that the tests of this room share."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np

from bench.html.claims import verdicts_in
from bench.html.page import page_of
from bench.html.pictures import Pictures, Shown
from bench.html.sources import sources_of
from bench.html.sprites import make_sheet, mark_of
from bench.records.store import Store
from bench.utils.hashing import hash_of
from tests.helpers import REGISTRY, ROOT

SCRIPT = "<script>alert(1)</script>"
ODD = "a \"quoted\" | 'name'\nwith `ticks`, </td> & =1+1"
LONG = "l" * 200
NAMES = (SCRIPT, ODD, LONG)
ANCHORS = ("ground-truth", "paste", "random-guide", "copy-source", "copy-guide", "mean-image")
SIZE, PAIRS = 32, 40


@cache
def _committed(folder):
    """Return committed records as if all were scored by the same versions of the metrics."""
    found = copy.deepcopy(Store(ROOT / "results" / folder).records()[0])
    versions = {plugin.name: plugin.load().version for plugin in REGISTRY.all("metric")}
    for record in found:
        for entry in record["metrics"].values():
            entry["version"] = versions[entry["family"]]
    return found


def relabelled(record, label):
    """Return a record as if another method had made it."""
    made = copy.deepcopy(record)
    made["label"] = label
    made["identity"]["method"] = label
    made["configuration"], made["study"] = "tuned", ""
    made["settings"] = {}
    made["sources"] = {**made["sources"], label: "0" * 16}
    made["facts"]["note"] = f"a note on {label}"
    made["id"] = hash_of([record["id"], label])
    return made


@cache
def records(seeds=3):
    """Return records of two boards: four methods, three of them with odd names, and anchors."""
    of_claims = _committed("claims")
    weak = [one for one in of_claims if one["label"].endswith("=0]")][:seeds]
    strong = [one for one in of_claims if one["label"].endswith("=0.05]")][:seeds]
    pilot = [one for one in _committed("") if one["identity"]["method"] in ANCHORS]
    found = [relabelled(one, SCRIPT) for one in strong]
    found += [relabelled(one, ODD) for one in weak]
    found += [relabelled(one, LONG) for one in strong]
    found += [relabelled(one, "plain") for one in weak]
    failed = relabelled(strong[0], "broken")
    failed |= {"status": "failed", "reason": f"it said {SCRIPT}", "metrics": {}, "curve": []}
    failed["facts"] = {}
    aligned = [one for one in _committed("") if one["identity"]["task"].endswith("-aligned")]
    return [*found, failed, *pilot, *(one for one in aligned if one not in pilot)]


def images(seed, n=PAIRS, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (n, 3, size, size), dtype=np.uint8)


@cache
def columns(seed=0):
    """Return the images of all columns of a sheet; those of the results depend on the seed."""
    found = {
        name: images(at) for at, name in enumerate(("source", "guide", "true add", "true remove"))
    }
    return found | {"add": images(100 + seed), "remove": images(200 + seed)}


@cache
def pictures():
    """Return pictures for the three methods with odd names on the first board."""
    source = sources().boards[0]
    rows = []
    for at, label in enumerate(NAMES):
        sheet = make_sheet(columns(at), mark_of(source.records[label][0]))
        rows.append(Shown(label, "method", source.hues[label], at, sheet, at == 0))
    return Pictures(rows, [f"plain: the artefacts of {SCRIPT} are gone."])


@cache
def sources():
    """Return the boards of `records`, the one with several methods first."""
    return sources_of(records())


@cache
def page():
    """Return the page of `records`, with pictures and claims."""
    claims = verdicts_in(ROOT / "results" / "claims")
    files = {"one.json": "0" * 64}
    return page_of(sources(), files, "results", [pictures()], claims)

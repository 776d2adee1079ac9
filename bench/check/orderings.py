"""Orderings that must hold whatever the numbers are: the known floors and ceilings, and who leaks.

Each claim has a gap: positive where it holds, and how clearly. A baseline notes the smallest gap
that any of its seeds had, for the claims that held in all of them; a check asks for half of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Values = Mapping[str, Mapping[str, float]]
"""Of each label, the value of each metric."""
EXACTLY = 1e-6
"""What rounding may take from a value that is exact by construction."""
SHARE = 0.5
"""The share of the baseline's smallest gap that must be left."""
BASELINE_METHOD = "autoencoder"
DISTANCES = ("fd_add", "fd_remove")


def gaps(values: Values) -> dict[str, float]:
    """Return the gap of every claim that can be tested with these values."""
    found: dict[str, float] = {}

    def exact(claim: str, label: str, metric: str, right: float) -> None:
        if metric in values.get(label, {}):
            found[claim] = EXACTLY - abs(values[label][metric] - right)

    exact("the truth makes the whole change when it adds", "ground-truth", "cf_skill_in_add", 1)
    exact("the truth makes the whole change when it removes", "ground-truth",
          "cf_skill_in_remove", 1)  # fmt: skip
    exact("the truth does no harm", "ground-truth", "cf_harm_out_add", 0)
    exact("the truth follows its guide", "ground-truth", "cf_rank_add", 1)
    exact("copying the source earns nothing when it adds", "copy-source", "cf_skill_in_add", 0)
    exact("copying the source earns nothing when it removes", "copy-source",
          "cf_skill_in_remove", 0)  # fmt: skip
    exact("copying the source ignores its guide", "copy-source", "cf_rank_add", 0.5)
    models = {label: of for label, of in values.items() if "z1_probe_power" in of}
    for metric in DISTANCES:
        others = {label: of[metric] for label, of in models.items() if metric in of}
        if others and metric in values.get("ground-truth", {}):
            nearest = min(others.values())
            gap = 1 - values["ground-truth"][metric] / nearest if nearest > 0 else -1.0
            found[f"no method has a {metric} as small as the truth"] = gap
    for label, of in models.items():
        found[f"a planted leak is found in a code of the size of {label}"] = (
            of["z1_probe_power"] - 0.5
        )
    leaky = models.get(BASELINE_METHOD, {}).get("z1_domain_acc")
    for label, of in models.items():
        if leaky is not None and label != BASELINE_METHOD and "z1_domain_acc" in of:
            claim = f"{BASELINE_METHOD} leaks the domain more than {label}"
            found[claim] = leaky - of["z1_domain_acc"]
    return found


def smallest(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the smallest gap of each claim that held in every seed that could test it."""
    claims = list(dict.fromkeys(claim for of_seed in of_seeds for claim in of_seed))
    least = {c: min(of_seed[c] for of_seed in of_seeds if c in of_seed) for c in claims}
    return {claim: gap for claim, gap in least.items() if gap > 0}

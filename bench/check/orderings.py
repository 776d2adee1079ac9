"""Claims that must hold at any exact values: known floors and ceilings, and who leaks.

`MetricInfo` states the claims of each metric. A claim has a gap, which is positive if the claim
holds, and large if it holds clearly. A baseline keeps the claims that hold with every
seed, each with its smallest gap. A check demands half of that gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contracts.anchors import ANCHORS
from bench.contracts.labels import without_brackets
from bench.contracts.metric import MetricInfo
from bench.contracts.registry import shipped_infos

Values = Mapping[str, Mapping[str, float]]
"""The value of each metric for each label."""
TRUTH = "ground-truth"
EXACTLY = 1e-6
"""How far rounding may move a value that is exact by construction."""
SHARE = 0.5
"""The share of the smallest gap of the baseline that a check demands."""


def gaps(values: Values, known: Mapping[str, MetricInfo] | None = None) -> dict[str, float]:
    """Return the gap of every claim that can be tested with these values.

    known: The facts of known metrics, or None for the built-in metrics.
    """
    methods = {label: of for label, of in values.items() if without_brackets(label) not in ANCHORS}
    found: dict[str, float] = {}
    for info in (shipped_infos() if known is None else known).values():
        for anchor, (right, claim) in info.exact.items():
            if info.id in values.get(anchor, {}):
                found[claim] = EXACTLY - abs(values[anchor][info.id] - right)
        of_methods = {label: of[info.id] for label, of in methods.items() if info.id in of}
        if info.truth_is_best and of_methods and info.id in values.get(TRUTH, {}):
            claim = f"no method has a {info.id} as small as the truth"
            found[claim] = _share_below(values[TRUTH][info.id], min(of_methods.values()))
        if info.at_least is not None:
            least, claim = info.at_least
            for label, value in of_methods.items():
                found[claim.format(method=label)] = value - least
        if info.highest is not None and info.highest[0] in of_methods:
            highest, claim = info.highest
            for label, value in of_methods.items():
                if label != highest:
                    found[claim.format(method=label)] = of_methods[highest] - value
    return found


def _share_below(value: float, other: float) -> float:
    """Return how far a value is below a positive other value, as a fraction of the other."""
    return 1 - value / other if other > 0 else -1.0


def smallest(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the smallest gap of each claim that holds in every seed that can test it."""
    claims = list(dict.fromkeys(claim for of_seed in of_seeds for claim in of_seed))
    least = {c: min(of_seed[c] for of_seed in of_seeds if c in of_seed) for c in claims}
    return {claim: gap for claim, gap in least.items() if gap > 0}

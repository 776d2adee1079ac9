"""Says of each claim whether its records support it, contradict it, or leave it undecided.

d is the mean difference, over seeds, of the side that should be higher minus the other side. Its
interval is that of Holm's method, which tests d against the margin of the claim. All claims of the
file count, also those that are not run yet: a verdict does not change when others are run, except
that an undecided one can become decided. A claim is

- supported if the whole interval is above the claim's margin,
- contradicted if the whole interval is below it: an effect, if there is one, is too small to
  count,
- undecided otherwise, or with fewer than three seeds,
- not run if a record is missing.

The budgets at which a claim holds only describe the training: each is judged like the end, with the
same seeds, but without the test items, and there is no correction for their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.board.comparison import Difference, adjusted, difference
from bench.board.samples import number_in
from bench.contracts.metric import MetricInfo
from bench.study.claim_cells import Found
from bench.study.claims import Claim, Row, family_of

Verdict = Literal["supported", "contradicted", "undecided", "not run"]
WHOLE: Final = 1.0
"""The whole budget."""
FEWEST_SEEDS = 3
"""With fewer seeds, the interval of a difference says almost nothing."""


@dataclass(frozen=True)
class Judgement:
    """What the records say about a claim.

    Attributes:
        claim: the claim.
        verdict: see above.
        difference: d, with its interval after Holm; None if it cannot be computed.
        budgets: the fractions of the training budget at which the claim is supported, ascending;
            None if the number is not measured at fractions of the training.
        reason: why there is no verdict, or "".
    """

    claim: Claim
    verdict: Verdict
    difference: Difference | None = None
    budgets: tuple[float, ...] | None = None
    reason: str = ""


def verdict_of(lo: float, hi: float, margin: float) -> Verdict:
    """Return the verdict for an interval of d and the margin of the claim.

    An end of the interval that is unknown (NaN) decides nothing.
    """
    if lo > margin:
        return "supported"
    return "contradicted" if hi < margin else "undecided"


def judge(
    claims: Sequence[Claim], found: Mapping[Row, Found], infos: Mapping[str, MetricInfo]
) -> list[Judgement]:
    """Return a judgement for each claim, in their order.

    Args:
        claims: the claims.
        found: the records of every row that they name.
        infos: the facts of the metrics, by id.
    """
    reasons = {claim.id: _why_not(claim, found) for claim in claims}
    usable = [claim for claim in claims if not reasons[claim.id]]
    budgets = sorted(
        {
            point["budget"]
            for of_row in found.values()
            for record in of_row.records
            for point in record["curve"]
        }
        | {WHOLE}
    )
    family = family_of(claims)
    at = {budget: _differences(usable, found, infos, budget, family) for budget in budgets}
    judgements = []
    for claim in claims:
        if reasons[claim.id]:
            ran = all(found[side.row].ran for side in claim.sides)
            verdict: Verdict = "undecided" if ran else "not run"
            judgements.append(Judgement(claim, verdict, reason=reasons[claim.id]))
            continue
        measured = {budget: of[claim.id] for budget, of in at.items() if claim.id in of}
        if WHOLE not in measured:
            reason = f"the sides have no seed in common with the same version of {claim.metric}"
            judgements.append(Judgement(claim, "undecided", reason=reason))
            continue
        judgements.append(_judgement(claim, measured))
    return judgements


def _judgement(claim: Claim, measured: Mapping[float, Difference]) -> Judgement:
    """Return the judgement of a claim from its differences, by fraction of the budget."""
    whole = measured[WHOLE]
    verdicts = {
        at: _verdict(claim, one) for at, one in measured.items() if one.n_seeds == whole.n_seeds
    }
    budgets = None
    if len(verdicts) > 1:
        budgets = tuple(at for at, verdict in verdicts.items() if verdict == "supported")
    reason = "" if _has_enough(claim, whole) else _few(whole.n_seeds)
    return Judgement(claim, verdicts[WHOLE], whole, budgets, reason)


def _verdict(claim: Claim, one: Difference) -> Verdict:
    if not _has_enough(claim, one):
        return "undecided"
    return verdict_of(one.lo, one.hi, claim.margin)


def _has_enough(claim: Claim, one: Difference) -> bool:
    """Return whether there are enough seeds for a verdict; rows without seeds need none."""
    has_seeds = any(side.row.has_seeds for side in claim.sides)
    return one.n_seeds >= FEWEST_SEEDS or not has_seeds


def _few(n: int) -> str:
    return f"{n} seed{'s' * (n != 1)}, expected at least {FEWEST_SEEDS}: use --seeds 0-4"


def _why_not(claim: Claim, found: Mapping[Row, Found]) -> str:
    """Return why the sides of a claim cannot be compared, or ''."""
    for side in claim.sides:
        of_row = found[side.row]
        if of_row.reason:
            return of_row.reason
        for record in of_row.records:
            entry = record["metrics"].get(claim.metric)
            where = f"{side.label} seed {record['identity']['seed']}"
            if entry is None:
                return f"{where} has no {claim.metric}: `python -m bench score` computes it"
            if entry["status"] != "ok":
                return f"{claim.metric} of {where} is {entry['status']}: {entry['reason']}"
            if side.detail and number_in(entry, side.detail) is None:
                return f"the detail of {claim.metric} of {where} has no number '{side.detail}'"
    return ""


def _differences(
    claims: Sequence[Claim],
    found: Mapping[Row, Found],
    infos: Mapping[str, MetricInfo],
    budget: float,
    family: int,
) -> dict[str, Difference]:
    """Return d of each claim that is measured at a budget, with intervals by Holm's method."""
    differences = {}
    for claim in claims:
        if budget < WHOLE and not any(side.row.has_seeds for side in claim.sides):
            continue  # nothing is trained
        higher, lower = claim.sides
        one = difference(
            found[higher.row].records,
            found[lower.row].records,
            infos[claim.metric],
            (higher.detail, lower.detail),
            budget,
            null=claim.margin,
        )
        if one is not None:
            differences[claim.id] = one
    return dict(zip(differences, adjusted(list(differences.values()), family), strict=True))

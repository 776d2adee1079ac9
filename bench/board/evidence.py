"""What stands below a board: parts of scores, how firm its order is, and how good the judge is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bench.board.board import Board
from bench.board.columns import badness
from bench.board.curves import fraction, settled
from bench.board.headline import Named
from bench.board.order import agreement, changed_without_a_method, without_each_part
from bench.board.values import detail_of, in_own_order, is_number, number, numbers_in


def sentences(board: Board, named: Named, told: Named) -> list[str]:
    """Return all that stands below a board in sentences.

    named: Writes the name of a row, a metric, a part or a factor, for example as code.
    told: Writes text from a record as prose, for example with characters escaped.
    """
    return [
        *meanings_of_parts(board, named, told),
        *changes_of_order(board, named),
        *change_over_the_training(board, named),
        *agreements(board, named),
        *accuracy_of_judge(board, named),
    ]


def parts_of_scores(board: Board) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Return the columns and the rows of the table of parts. Without parts, there are no rows.

    A column is a metric and a part. A part that two metrics share is shown once, under the metric
    with fewer parts. A row begins with its label.
    """
    columns: dict[tuple[str, str], dict[str, float]] = {}
    for metric in board.columns(list(board.infos)):
        for method in board.order:
            detail = detail_of(board.cell(method, metric))
            for part, value in in_own_order(numbers_in(detail, "parts"), detail).items():
                columns.setdefault((metric, part), {})[method] = value
    count = Counter(metric for metric, _ in columns)
    kept: dict[tuple[str, str], dict[str, float]] = {}
    for (metric, part), values in sorted(columns.items(), key=lambda of: count[of[0][0]]):
        if not _is_shown(part, values, kept):
            kept[metric, part] = values
    shown = [column for column in columns if column in kept]
    rows = [
        [method, *(number(kept[column].get(method, math.nan), 2) for column in shown)]
        for method in board.order
        if any(method in kept[column] for column in shown)
    ]
    return shown, rows


def _is_shown(
    part: str, values: Mapping[str, float], kept: Mapping[tuple[str, str], Mapping[str, float]]
) -> bool:
    """Return whether a kept column of another metric has the same part with the same values."""
    return any(
        part == other and values.items() <= of_other.items()
        for (_, other), of_other in kept.items()
    )


def meanings_of_parts(board: Board, named: Named, told: Named) -> list[str]:
    """Return a sentence that says what each part of the scores means, if the details say it."""
    says: dict[str, str] = {}
    for text in board.rows["detail"]:
        detail = detail_of({"detail": text})
        found = detail.get("says")
        says |= in_own_order(found, detail) if isinstance(found, dict) else {}
    each = "; ".join(f"{named(part)} = {told(str(what))}" for part, what in says.items())
    return [f"Parts: {each}."] if each else []


def changes_of_order(board: Board, named: Named) -> list[str]:
    """Return a sentence for each part and each method without which the order changes.

    If there is none, one sentence says so. With fewer than two ranked methods, nothing is said.
    """
    order = board.ordering
    if len(order.ranks) < 2:
        return []
    parts = {
        name: in_own_order(numbers_in(detail, "without"), detail)
        for name in order.ranks
        for detail in (detail_of(board.cell(name, order.metric)),)
    }
    tried = without_each_part(order, parts)
    said = [
        f"Without {named(part)}, the order is {_in_words(ranks, named)}."
        for part, ranks in tried.items()
        if ranks != order.ranks
    ]
    if tried and not said:
        names = ", ".join(map(named, tried))
        said.append(
            f"Leaving out one part of {named(order.metric)} does not change the order ({names})."
        )
    changed = changed_without_a_method(board.rows, board.infos, order)
    said += [
        f"Without {named(method)}, the order of the others is {_in_words(left.ranks, named)}, by "
        f"{named(left.metric)}."
        for method, left in changed.items()
    ]
    if not changed:
        said.append(
            f"The {named(order.metric)} of a row does not depend on other rows: leaving out one "
            f"method does not change the order of the others (tried for {len(order.ranks)})."
        )
    return said


def change_over_the_training(board: Board, named: Named) -> list[str]:
    """Return a sentence that says from when on the order of the methods is that of the end.

    With fewer than two ranked methods that have a curve, nothing is said.
    """
    curve, order = board.curve, board.ordering
    outdated = [
        f"The curve of {named(label)} was measured by another version of {named(order.metric)}, "
        "and is left out until the method is trained again."
        for label in board.outdated_curves
    ]
    if not curve or len(curve[1.0]) < 2:
        return outdated
    which = "" if len(curve[1.0]) == len(order.ranks) else f" ({len(curve[1.0])} have a curve)"
    what = f"the order of the methods by {named(order.metric)}{which}"
    info = board.infos[order.metric]
    budget = settled(curve, info)
    if budget < 1:
        said = f"From {fraction(budget)} of the training on, {what} did not change"
    else:
        last = fraction(max(at for at in curve if at < 1))
        said = f"Between {last} of the training and its end, {what} still changed"
    return [
        *outdated,
        f"{said} (points at {', '.join(map(fraction, curve))}; two methods that end within the "
        "tolerance have no order).",
    ]


def _in_words(ranks: dict[str, int], named: Named) -> str:
    """Return the order as text: methods with a shared place are joined by `=`."""
    places: dict[int, list[str]] = {}
    for method, place in ranks.items():
        places.setdefault(place, []).append(named(method))
    return ", ".join(" = ".join(names) for names in places.values())


def agreements(board: Board, named: Named) -> list[str]:
    """Return a sentence for each pair of numbers that should give the same order of the rows."""
    said = []
    for info in board.infos.values():
        pair = (info.agrees_with, info.id)
        if not info.agrees_with or not all(name in set(board.rows["metric"]) for name in pair):
            continue
        first, second = (
            {row: badness(value, board.better(name)) for row, value in board.values(name).items()}
            for name in pair
        )
        common = len(first.keys() & second.keys())
        tau = agreement(first, second)
        if common >= 2:
            shown = "undefined, as one of them is equal in all" if math.isnan(tau) else f"{tau:.2f}"
            said.append(
                f"Rank agreement of {named(pair[0])} and {named(pair[1])} over {common} rows "
                f"(Kendall's tau; 1 = the same order): {shown}."
            )
    return said


def accuracy_of_judge(board: Board, named: Named) -> list[str]:
    """Return how often the judge is right about real images of *test*: each factor, the domain.

    Each extractor has its own judge, and so its own sentences. Judges of one extractor differ if
    the images of the rows differ; then a range is given.
    """
    by_extractor: dict[str, list[dict[str, Any]]] = {}
    for text, extractor in zip(board.rows["detail"], board.rows["extractor"], strict=True):
        detail = detail_of({"detail": text})
        if any(key in detail for key in ("judge", "not_counted", *_OF_DOMAIN)):
            by_extractor.setdefault(str(extractor), []).append(detail)
    if len(by_extractor.keys() - {""}) < 2:  # a gap names no extractor
        by_extractor = {"": [one for details in by_extractor.values() for one in details]}
    return [
        said
        for extractor, details in sorted(by_extractor.items())
        for said in _accuracy(details, named, f" with {named(extractor)}" if extractor else "")
    ]


_OF_DOMAIN = ("domain_accuracy", "judge_accuracy")
"""The keys of a detail that may hold the accuracy about the domain.

If there are factors, ``judge_accuracy`` is the mean over them.
"""


def _accuracy(details: Iterable[Mapping[str, Any]], named: Named, which: str) -> list[str]:
    """Return the accuracy of one judge in sentences.

    which: names the extractor of the judge, or ''.
    """
    right: dict[str, list[float]] = {}
    wrong: dict[str, list[float]] = {}
    of_domain: list[float] = []
    for detail in details:
        factors = numbers_in(detail, "judge")
        for key, into in (("judge", right), ("not_counted", wrong)):
            for name, value in numbers_in(detail, key).items():
                into.setdefault(named(name), []).append(value)
        found = [detail[key] for key in _OF_DOMAIN[: 1 if factors else 2] if key in detail]
        of_domain += filter(is_number, found[:1])
    if of_domain:
        right["the domain"] = of_domain
    said = (
        (f"Accuracy of the judge{which} on real test images", right),
        (f"Factors that do not count, as the judge{which} is too often wrong", wrong),
    )
    return [
        f"{what}: {', '.join(f'{name} {_range(values)}' for name, values in of.items())}."
        for what, of in said
        if of
    ]


def _range(values: Collection[float]) -> str:
    """Return values as text: one number, or the least and the greatest."""
    ends = dict.fromkeys(f"{end:.3f}" for end in (min(values), max(values)))
    return " to ".join(ends)

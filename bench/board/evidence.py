"""What stands below a board: parts of scores, how firm its order is, and how good the judge is."""

from __future__ import annotations

import math
from collections import Counter

from bench.board.board import Board
from bench.board.headline import Named
from bench.board.order import agreement, badness, changed_without_a_method, without_each_part
from bench.board.values import detail_of, is_number, number, numbers_in


def sentences(board: Board, named: Named) -> list[str]:
    """Return all that stands below a board in sentences.

    named: Writes the name of a row, a metric, a part or a factor, for example as code.
    """
    return [
        *meanings_of_parts(board, named),
        *changes_of_order(board, named),
        *agreements(board, named),
        *accuracy_of_judge(board, named),
    ]


def parts_of_scores(board: Board) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Return the columns and the rows of the table of parts. Without parts, there are no rows.

    A column is a metric and a part. If two metrics share a part, it stands only with the metric
    that has fewer parts. A row begins with its label.
    """
    columns: dict[tuple[str, str], dict[str, float]] = {}
    for metric in board.columns(list(board.infos)):
        for method in board.order:
            detail = detail_of(board.cell(method, metric))
            for part, value in numbers_in(detail, "parts").items():
                columns.setdefault((metric, part), {})[method] = value
    count = Counter(metric for metric, _ in columns)
    kept: dict[tuple[str, str], dict[str, float]] = {}
    for (metric, part), values in sorted(columns.items(), key=lambda of: count[of[0][0]]):
        if not any(
            part == other and values.items() <= of.items() for (_, other), of in kept.items()
        ):
            kept[metric, part] = values
    shown = [column for column in columns if column in kept]
    rows = [
        [method, *(number(kept[column].get(method, math.nan), 2) for column in shown)]
        for method in board.order
        if any(method in kept[column] for column in shown)
    ]
    return shown, rows


def meanings_of_parts(board: Board, named: Named) -> list[str]:
    """Return a sentence that says what each part of the scores means, if the details say it."""
    says: dict[str, str] = {}
    for text in board.rows["detail"]:
        found = detail_of({"detail": text}).get("says")
        says |= found if isinstance(found, dict) else {}
    each = "; ".join(f"{named(part)} = {named(str(what))}" for part, what in says.items())
    return [f"Parts: {each}."] if each else []


def changes_of_order(board: Board, named: Named) -> list[str]:
    """Return a sentence for each part and each method without which the order changes.

    If there is none, one sentence says so. With fewer than two ranked methods, nothing is said.
    """
    order = board.ordering
    if len(order.ranks) < 2:
        return []
    parts = {
        name: numbers_in(detail_of(board.cell(name, order.metric)), "without")
        for name in order.ranks
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
    """Return how often the judge is right about real images of *test*: each factor, the domain."""
    right: dict[str, float] = {}
    wrong: dict[str, float] = {}
    for text in board.rows["detail"]:
        detail = detail_of({"detail": text})
        factors = numbers_in(detail, "judge")
        of_domain = detail.get("domain_accuracy", None if factors else detail.get("judge_accuracy"))
        right |= factors | ({"domain": of_domain} if is_number(of_domain) else {})
        wrong |= numbers_in(detail, "not_counted")
    said = (
        ("Accuracy of the judge on real test images", right),
        ("Factors that do not count, as the judge is too often wrong", wrong),
    )
    return [
        f"{what}: {', '.join(f'{named(name)} {value:.3f}' for name, value in of.items())}."
        for what, of in said
        if of
    ]

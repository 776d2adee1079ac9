"""The first line of a board: who leads, by how much, and which floor stands above every method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.board.board import Board
from bench.board.columns import base_id, ordering_metrics
from bench.board.values import number
from bench.contracts.protocol import PROTOCOL

Named = Callable[[str], str]
"""Writes the name of a row or of a metric."""


def headline(board: Board, named: Named) -> str:
    """Return the first line of a board, one or two sentences.

    named: Writes the name of a row or of a metric, for example as code.
    """
    said = [_of_protocol(board.protocol), _of_order(board, named)]
    return " ".join(filter(None, said))


def listed(names: Sequence[str]) -> str:
    """Return names as in "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _of_protocol(version: int) -> str:
    """Return a warning if a board follows another version of the protocol than this code, or ''."""
    if version == PROTOCOL:
        return ""
    age = "an older" if version < PROTOCOL else "a newer"
    return (
        f"These results follow protocol {version}, {age} one than protocol {PROTOCOL} of this "
        "version of the suite: they do not compare with its results."
    )


def _extractors_apart(board: Board, metric: str) -> list[str]:
    """Return the extractors of a metric's values, if a board keeps several of them apart."""
    valued = board.rows[board.rows["value"].notna()]
    of_metric = valued[valued["metric"].map(base_id) == metric]
    found = sorted(set(of_metric["extractor"]) - {""})
    return found if len(found) > 1 else []


def _of_order(board: Board, named: Named) -> str:
    order = board.ordering
    if not order.metric:
        for metric in ordering_metrics(board.infos):
            if extractors := _extractors_apart(board, metric):
                names = listed([*map(named, extractors)])
                return (
                    f"No method is ranked: the values of {named(metric)} are of several extractors "
                    f"({names}), and such values do not compare."
                )
        numbers = " or ".join(map(named, ordering_metrics(board.infos)))
        which = f" ({numbers})" if numbers else ""
        return f"No method is ranked: no row has a number that orders a board{which}."
    if not order.ranks:
        return f"No method is ranked: none has a {named(order.metric)}."
    info = board.infos[order.metric]

    def valued(name: str) -> str:
        return number(order.values[name], info.digits)

    methods = list(order.ranks)
    best = order.values[methods[0]]
    above = [
        name
        for name in board.anchors
        if name not in board.ceilings
        and name in order.values
        and order.is_better(order.values[name], best)
    ]
    leaders = [name for name in methods if order.ranks[name] == 1]
    if above:
        names = listed([f"{named(name)} ({valued(name)})" for name in above])
        who = "anchor {} stands" if len(above) == 1 else "anchors {} stand"
        return (
            f"The untrained {who.format(names)} above every method in {named(order.metric)} "
            f"(best: {listed([*map(named, leaders)])}, {valued(methods[0])})."
        )
    if len(leaders) > 1:
        names = listed([named(name) for name in leaders])
        return f"{names} lead with an equal {named(order.metric)} of {valued(methods[0])}."
    said = f"{named(methods[0])} leads with a {named(order.metric)} of {valued(methods[0])}"
    if len(methods) == 1:
        return f"{said}; no other method is ranked."
    lead = abs(best - order.values[methods[1]])
    tolerance = info.tolerance_at(best)
    size = "not more" if lead <= tolerance else "more"
    firm = f"{size} than the tolerance of {tolerance:g}{_tested(board, methods[0], methods[1])}"
    return (
        f"{said}, {number(lead, info.digits)} ahead of {named(methods[1])} "
        f"({valued(methods[1])}): {firm}."
    )


def _tested(board: Board, first: str, second: str) -> str:
    """Return what the comparison of two methods adds to their difference, or ''."""
    for one in board.differences.get(board.ordering.metric, ()):
        if {one.left, one.right} == {first, second}:
            if not one.is_tested:
                return " (1 seed: not tested)" if one.n_seeds == 1 else ""
            p = "p < 0.001" if one.chance < 0.001 else f"p = {one.chance:.2g}"
            chance = f"{p} after Holm's correction"
            return f", but the two tie ({chance})" if one.is_tie else f" ({chance})"
    return ""

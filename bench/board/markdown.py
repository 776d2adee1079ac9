"""The text form of boards: the leaderboard as Markdown, and the tidy frame as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.board.board import Board
from bench.board.columns import (
    ARROWS,
    TRAINING_FACTS,
    further_groups,
    main_metrics,
    of_group,
    ordering_metrics,
)
from bench.board.curves import fraction
from bench.board.evidence import parts_of_scores, sentences
from bench.board.headline import headline
from bench.board.pairs import place, rows_of_pairs, studies
from bench.board.values import detail_of, is_number, number, text
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
)

NUMBERS = ("protocol", "budget", "value", "lo", "hi", "n_seeds", "n_items")
"""The columns of the tidy frame that hold numbers."""


def csv(table: pd.DataFrame) -> str:
    """Return the tidy frame as CSV. A spreadsheet will not run any text of it as a formula."""
    texts = {name for name in table.columns if name not in NUMBERS}
    shown = {name: [csv_text(str(cell)) for cell in table[name]] for name in texts}
    return str(table.assign(**shown).to_csv(index=False))


def markdown(made: Sequence[Board], notes: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = ["# Leaderboard", *(f"> {markdown_prose(note)}" for note in notes)]
    for board in made:
        parts += [
            f"## {markdown_name(board.task)}, profile {markdown_code(board.profile)}, "
            f"protocol {board.protocol}",
            headline(board, markdown_code),
        ]
        main = board.columns(main_metrics(board.infos))
        if board.methods:
            parts.append(_main_table(board, main))
        if board.published:
            parts += [
                "### Published configurations",
                "They are not ranked with the tuned ones.",
                _table(board, main, board.published),
            ]
        if board.anchors:
            parts += ["Floors and ceilings:", _table(board, main, board.anchors)]
        parts += _below(board)
        for group, ids in further_groups(board.infos).items():
            if columns := board.columns(ids):
                parts += [f"### {group}", _table(board, columns, board.order)]
                if of_factors := _factor_table(board, group):
                    parts += ["Of each factor, 0 = a guess, 1 = always right:", of_factors]
        if costs := _cost_table(board):
            parts += ["### Cost", costs, _measured_on(board)]
        parts += [
            f"{markdown_name(method)}: {markdown_prose(note)}."
            for method, note in board.notes.items()
            if note
        ]
        gaps = board.rows[~board.rows["status"].isin(["ok"])]
        reasons = gaps.groupby(["method", "reason"], sort=False)["metric"].agg(list)
        lines = []
        for method, reason in reasons.index:
            metrics = reasons[method, reason]
            few = len(metrics) <= 4
            which = ", ".join(map(markdown_name, metrics)) if few else f"{len(metrics)} metrics"
            lines.append(f"- {markdown_name(method)}: {markdown_prose(reason)} ({which})")
        if lines:
            parts.append("Gaps:\n\n" + "\n".join(lines))
        parts.append(_legend(board))
    return "\n\n".join(parts) + "\n"


def _head(board: Board, metric: str) -> str:
    return f"{markdown_name(metric)} ({ARROWS.get(board.better(metric), '')})"


def _table(board: Board, metrics: Sequence[str], methods: Sequence[str]) -> str:
    rows = [
        [markdown_name(method), *(text(board, method, metric) for metric in metrics)]
        for method in methods
    ]
    return markdown_table(["method", *(_head(board, metric) for metric in metrics)], rows)


def _main_table(board: Board, metrics: Sequence[str]) -> str:
    """Return the main table of the methods, with the place of each and the best values in bold."""
    rows = [
        [
            markdown_name(method),
            place(board, method),
            str(_seeds(board, method)),
            *(_bold(board, method, metric) for metric in metrics),
        ]
        for method in board.methods
    ]
    heads = ["method", "rank", "seeds", *(_head(board, metric) for metric in metrics)]
    return markdown_table(heads, rows)


def _bold(board: Board, method: str, metric: str) -> str:
    """Return the text of a table cell, in bold if the method is the best or ties with it."""
    shown = text(board, method, metric)
    return f"**{shown}**" if method in board.best.get(metric, ()) else shown


def _pairs(board: Board) -> list[str]:
    """Return the section on the pairs of methods, compared in the number that orders the board."""
    rows = rows_of_pairs(board, markdown_name)
    if not rows:
        return []
    info = board.infos[board.ordering.metric]
    what = {"difference": "difference", "log ratio": "difference of logarithms"}
    scale = board.differences[info.id][0].scale
    heads = [
        "left",
        "right",
        f"{what.get(scale, 'difference of distances from 1')}",
        "p",
        "verdict",
    ]
    return [
        "### Compared in pairs",
        f"{markdown_code(info.id)}, left minus right, with its interval and p after Holm's "
        f"correction for {len(rows)} pair{'s' if len(rows) > 1 else ''}:",
        markdown_table(heads, rows),
    ]


def _below(board: Board) -> list[str]:
    """Return what stands below the main table: what is not ranked, and how firm the order is."""
    found = []
    if board.unranked:
        lines = [
            f"- {markdown_name(method)}: {markdown_prose(reason)}"
            for method, reason in board.unranked.items()
        ]
        found.append("Not ranked:\n\n" + "\n".join(lines))
    found += [*studies(board, markdown_code), *_pairs(board)]
    columns, rows = parts_of_scores(board)
    if rows:
        heads = ["method", *(markdown_name(f"{metric}: {part}") for metric, part in columns)]
        cells = [list(map(markdown_name, row)) for row in rows]
        found += ["### Parts of the scores", markdown_table(heads, cells)]
    if board.curve:
        found += [f"### {markdown_name(board.ordering.metric)} over the training", _curve(board)]
    return found + sentences(board, markdown_code, markdown_prose)


def _curve(board: Board) -> str:
    """Return a table of the number that orders the board, at each fraction of the training."""
    digits = board.infos[board.ordering.metric].digits
    rows = [
        [
            markdown_name(method),
            *(number(of.get(method, math.nan), digits) for of in board.curve.values()),
        ]
        for method in board.curve[1.0]
    ]
    table = markdown_table(["method", *map(fraction, board.curve)], rows)
    return f"{table}\n\nA point is a state within the full training, not a shorter training."


def _factor_table(board: Board, group: str) -> str:
    """Return a table of what the probes find for each factor in each code, averaged over seeds."""
    infos = [info for info in board.infos.values() if info.group == group and info.code]
    found = []
    for method in board.order:
        for code in ("z1", "z2"):
            cells = {}
            for info in (info for info in infos if info.code == code):
                for factor, facts in detail_of(board.cell(method, info.id)).items():
                    if isinstance(facts, dict) and is_number(facts.get("value")):
                        cells[factor] = f"{facts['value']:.2f}"
            if cells:
                found.append((method, code, cells))
    factors = list(dict.fromkeys(factor for _, _, cells in found for factor in cells))
    rows = [
        [markdown_name(method), code, *(cells.get(factor, "-") for factor in factors)]
        for method, code, cells in found
    ]
    heads = ["method", "code", *map(markdown_name, factors)]
    return markdown_table(heads, rows) if rows else ""


def _detail(board: Board, metric: str, key: str) -> Any:
    """Return a detail that is equal for all methods, from the first that has it, or None."""
    of_metric = board.rows[board.rows["metric"] == metric]
    found = (detail_of({"detail": text}).get(key) for text in of_metric["detail"])
    return next((value for value in found if value is not None), None)


def _cost_table(board: Board) -> str:
    metrics = board.columns(of_group(board.infos, "Cost"))
    facts_of = {label: facts for label in board.order if (facts := board.facts.get(label))}
    if not facts_of:
        return ""
    rows = [
        [
            markdown_name(method),
            *(
                number(facts.get(fact, math.nan), digits)
                for fact, (_, digits) in TRAINING_FACTS.items()
            ),
            *(text(board, method, metric, interval=False) for metric in metrics),
        ]
        for method, facts in facts_of.items()
    ]
    fact_heads = (head for head, _ in TRAINING_FACTS.values())
    heads = ("method", *fact_heads, *(_head(board, metric) for metric in metrics))
    return markdown_table(heads, rows)


_KIND_OF_MACHINE = (
    "Times, rates and memory compare within one kind of machine only "
    "(processor, instructions, torch)"
)


def _measured_on(board: Board) -> str:
    """Return a note on the machines of the times, which compare only within one kind."""
    names = {machine: markdown_prose(machine) for machine in board.machines}
    if len(names) == 1:
        return f"{_KIND_OF_MACHINE}: {min(names.values())}."
    lines = [
        f"- {names[machine]}: {', '.join(map(markdown_name, labels))}"
        for machine, labels in board.machines.items()
    ]
    return f"{_KIND_OF_MACHINE}, and there are several here:\n\n" + "\n".join(lines)


def _seeds(board: Board, method: str) -> int:
    return int(max([0, *board.rows[board.rows["method"] == method]["n_seeds"]]))


def _references(board: Board) -> list[str]:
    """Return reference values for the metrics: chance, and the scores of real images."""
    said = []
    for info in board.infos.values():
        found = _detail(board, info.id, info.reference) if info.reference else None
        if isinstance(found, list) and len(found) == 2 and all(map(is_number, found)):
            lo, hi = (number(end, info.digits) for end in found)
            said.append(f"Guessing has a `{info.id}` of {lo} to {hi} (95 %).")
        elif is_number(found):
            said.append(f"Real images have a `{info.id}` of {number(found, info.digits)}.")
    return said


def _legend(board: Board) -> str:
    extractors = sorted({name for name in board.rows["extractor"] if name})
    numbers = " or else ".join(markdown_code(name) for name in ordering_metrics(board.infos))
    lines = [
        "Brackets: 95 % interval. Over several seeds, it is for the mean over other seeds and "
        "other test items (Student's t). For one seed, marked as such, it is for other test items "
        "only, not for other training. No interval leaves the range of its metric. Bold: the best "
        "one and all that tie with it. Two methods tie if the interval of their difference (same "
        "seeds, same items, after Holm's correction for all pairs of the metric) contains 0, or "
        "lies within the tolerance of the metric. With one common seed nothing is tested and "
        "nothing is bold. A rank such as 1-2 is the 95 % "
        "interval of the place when seeds and items are drawn again. "
        f"Rows are ordered by one number ({numbers}). Floors and ceilings, rows without the number "
        "and methods with more labels than the domain are not ranked. "
        "Values hold for equal n and one extractor"
        + (f" ({', '.join(map(markdown_name, extractors))})." if extractors else "."),
        *_references(board),
        "",
        *(
            f"- {markdown_code(metric)}: {markdown_prose(meaning)}"
            for metric, meaning in board.meanings.items()
        ),
    ]
    return "\n".join(lines)

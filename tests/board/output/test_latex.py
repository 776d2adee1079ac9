"""The table for papers: rules, bold, and names as text."""

from __future__ import annotations

import re

import pytest

from bench.board.board import boards
from bench.board.output.latex import latex_table
from bench.utils.output.escape import latex_text
from tests.helpers import ODD_NAMES, board_record


def rows(text):
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_methods_then_floors_with_bold_and_signs():
    made = [
        board_record(label, seed, transfer=value + seed / 100, cf_skill_in_add=-value)
        for label, value in (("best", 0.5), ("worse", 0.1), ("paste", 0.6))
        for seed in range(3 if label != "paste" else 1)
    ]
    (board,) = boards(made)
    text = latex_table(board)
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert rows(text) == [
        r"best & 1 & \textbf{0.510} & $-$0.500 \\",
        r"worse & 2 & 0.110 & \textbf{$-$0.100} \\",
        r"\midrule",
        r"paste & floor & 0.600 & $-$0.600 \\",
    ]
    assert r"method & rank & transfer $\uparrow$ & skill add $\uparrow$ \\" in text
    assert r"\begin{tabular}{llrr}" in text
    assert r"\label{tab:faces-small}" in text
    assert "Bold: the best method and all that tie with it." in text


@pytest.mark.parametrize("name", [*ODD_NAMES, "<script>alert(1)</script>", "x" * 200, r"\input{x}"])
def test_a_name_is_text_in_one_cell(name):
    made = board_record(name, transfer=0.5)
    made["identity"]["task"] = name
    (board,) = boards([made])
    (row,) = rows(latex_table(board))
    cells = re.split(r"(?<!\\)&", row)
    assert [cell.strip() for cell in cells[1:]] == ["1", r"0.500 \\"]
    assert not re.search(r"(?<!\\)[$#_%^~<>|\"`]", cells[0])
    assert latex_table(board).count("\n") == 13


def test_latex_shows_what_is_meant():
    assert latex_text("a_b & 50% of {x} #1 $2") == r"a\_b \& 50\% of \{x\} \#1 \$2"
    assert latex_text("a\\b<c>") == r"a\textbackslash{}b\textless{}c\textgreater{}"
    assert latex_text("---") == "-{}-{}-"
    assert latex_text("a\nb") == r"a\textbackslash{}nb"

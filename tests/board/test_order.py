"""One number orders a board. The first line and the sentences below say how firm the order is."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from itertools import permutations

import pytest

from bench.board.board import boards
from bench.board.columns import main_metrics, ordering_metrics
from bench.board.evidence import parts_of_scores, sentences
from bench.board.frame import frame
from bench.board.headline import headline
from bench.board.order import agreement, changed_without_a_method, order_rows, places
from bench.board.output.markdown import markdown
from bench.board.values import text
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import PROTOCOL
from bench.contracts.registry import shipped_infos
from tests.helpers import ROOT, board_record

SCORE = MetricInfo(id="score", unit="", better="higher", meaning="a score", orders=2, main=True,
                   digits=2, tolerance=0.05, follows_guide=True)  # fmt: skip
FIRST = MetricInfo(id="rec_first", unit="", better="lower", meaning="preferred", orders=1, digits=2)
OTHER = MetricInfo(id="rec_other", unit="", better="lower", meaning="another", agrees_with="score")
PLAIN = MetricInfo(id="plain", unit="", better="higher", meaning="orders nothing")
INFOS = {info.id: info for info in (SCORE, FIRST, OTHER, PLAIN)}


def board_of(*records, infos=INFOS):
    (board,) = boards(list(records), known=infos)
    return board


def scored(label, value, **more):
    return board_record(label, score=value, **more)


def with_detail(record, metric="score", **detail):
    record["metrics"][metric]["detail"] = detail
    return record


def first_line(board):
    return headline(board, "<{}>".format)


def below(board):
    return "\n".join(sentences(board, "<{}>".format, str))


def test_the_number_of_lowest_positive_order_that_a_row_has_orders_the_rows():
    records = [
        board_record("a", score=0.1, rec_first=3.0, plain=9.0),
        board_record("b", score=0.9, rec_first=1.0, plain=1.0),
        board_record("c", score=0.5, rec_first=2.0, plain=5.0),
    ]
    board = board_of(*records)
    assert board.ordering.metric == "rec_first"
    assert board.ordering.ranks == {"b": 1, "c": 2, "a": 3}  # lower is better
    without = [r | {"metrics": {k: r["metrics"][k] for k in ("score",)}} for r in records]
    assert list(board_of(*without).ordering.ranks) == ["b", "c", "a"]
    assert board_of(*without).ordering.metric == "score"


def test_equal_numbers_share_a_place_and_the_order_of_records_does_not_matter():
    records = [scored("a", 0.5), scored("b", 0.7), scored("c", 0.5), scored("d", 0.1)]
    for some in permutations(records):
        ranks = board_of(*some).ordering.ranks
        assert list(ranks.items()) == [("b", 1), ("a", 2), ("c", 2), ("d", 4)]
    assert places({"a": 0.5, "b": 1.1, "c": 0.8}, "near 1", "abc") == {"b": 1, "c": 2, "a": 3}


def test_a_row_without_the_number_is_shown_and_not_ranked_with_the_reason():
    told = scored("told", 0.9) | {"facts": {"supervision": "kind"}}
    failed = board_record("broken") | {"status": "failed", "reason": "out of memory"}
    board = board_of(
        scored("whole", 0.5), board_record("gap", score=None), told, failed,
        board_record("else", plain=1.0),
    )  # fmt: skip
    assert board.ordering.ranks == {"whole": 1}
    assert board.methods == ["whole", "broken", "else", "gap", "told"]
    assert board.unranked == {
        "broken": "it has no `score`: out of memory",
        "else": "it has no `score`: it was not computed",
        "gap": "it has no `score`: it broke",
        "told": "it was trained with more labels than the domain",
    }
    shown = markdown([board])
    for label in board.methods:
        assert re.search(rf"\| {label} +\| {board.ordering.ranks.get(label, '-')} ", shown)
    assert "`broken` is not ranked: it has no `score`: out of memory." in shown


def test_anchors_stand_in_a_block_below_and_have_no_rank():
    board = board_of(
        scored("copy-source", 0.0), scored("ground-truth", 1.0), scored("worse", 0.1),
        scored("better", 0.7),
    )  # fmt: skip
    assert board.methods == ["better", "worse"]
    assert board.anchors == ["ground-truth", "copy-source"]
    assert list(board.ordering.ranks) == board.methods
    methods, *below_them = markdown([board]).split("| *ground-truth* ")
    assert "| better " in methods
    assert "copy-source" not in methods
    assert re.search(r"\| \*copy-source\* +\| - +\| 1 ", below_them[0])
    assert "`score`: what score means" in below_them[-1]


def test_a_number_without_a_direction_and_a_board_without_the_number_rank_nobody():
    """Found by fuzzing: an edited record may say nothing of what is better."""
    made = scored("m", 5.0)
    made["metrics"]["score"]["better"] = ""
    for board in (board_of(made), board_of(board_record("m", plain=1.0))):
        assert board.ordering.ranks == board.unranked == {}
        assert first_line(board).endswith("a number that orders a board (<rec_first> or <score>).")
        assert "| m " in markdown([board])


def test_values_of_two_extractors_order_nothing():
    one, two = scored("m", 0.5), scored("n", 0.7)
    one["metrics"]["score"]["extractor"], two["metrics"]["score"]["extractor"] = "net@1", "net@2"
    board = board_of(one, two)
    assert board.ordering.ranks == {}
    assert first_line(board) == (
        "No method is ranked: the values of <score> are of several extractors (<net@1> and "
        "<net@2>), and such values do not compare."
    )
    assert "net" not in first_line(board_of(one, scored("n", None)))


def test_the_first_line_names_each_floor_above_every_method():
    methods = scored("best", 0.4), scored("other", 0.3)
    floors = scored("copy-source", 0.5), scored("copy-guide", 0.6)
    truth = scored("ground-truth", 1.0)
    assert first_line(board_of(*methods, truth, floors[0])) == (
        "The untrained anchor <copy-source> (0.50) stands above every method in <score> "
        "(best: <best>, 0.40)."
    )
    both = first_line(board_of(*methods, truth, *floors))
    assert "anchors <copy-source> (0.50) and <copy-guide> (0.60) stand above" in both
    equal = first_line(board_of(*methods, scored("copy-source", 0.4)))
    assert equal.startswith("<best> leads")


@pytest.mark.parametrize(
    ("second", "end"),
    [
        (0.3, ": more than the tolerance of 0.05 (1 seed: not tested)."),
        (0.38, ": not more than the tolerance of 0.05 (1 seed: not tested)."),
    ],
)
def test_the_first_line_says_who_leads_and_by_how_much(second, end):
    said = first_line(board_of(scored("best", 0.4), scored("next", second)))
    lead = f"{0.4 - second:.2f} ahead of <next> ({second:.2f})"
    assert said.startswith(f"<best> leads with a <score> of 0.40, {lead}: ")
    assert said.endswith(end)


def test_the_first_line_of_special_boards():
    assert first_line(board_of(scored("m", 0.4))).endswith("no other method is ranked.")
    tie = first_line(board_of(scored("m", 0.4), scored("n", 0.4)))
    assert tie == "<m> and <n> lead with an equal <score> of 0.40."
    anchors_only = first_line(board_of(scored("copy-source", 0.4)))
    assert anchors_only == "No method is ranked: none has a <score>."
    shown = markdown([board_of(scored("m", 0.4))])
    title, line = shown.split("\n\n")[1:3]
    assert title == f"## faces, profile `small`, protocol {PROTOCOL}"
    assert line.startswith("`m` leads with a `score`")


def test_a_relative_tolerance_is_one_of_the_best_value():
    infos = {"score": replace(SCORE, tolerance_is_relative=True)}
    said = first_line(board_of(scored("m", 10.0), scored("n", 9.6), infos=infos))
    assert "not more than the tolerance of 0.5" in said


def test_protocols_share_no_board_and_an_older_one_says_so_first():
    old, new = scored("m", 0.9), scored("n", 0.1)
    del old["identity"]["protocol"]
    both = boards([old, new], known=INFOS)
    assert [board.protocol for board in both] == [PROTOCOL, 1]
    assert [board.order for board in both] == [["n"], ["m"]]
    assert not first_line(both[0]).startswith("These results")
    assert first_line(both[1]).startswith(
        f"These results follow protocol 1, an older one than protocol {PROTOCOL}"
    )
    assert sorted(frame([old, new])["protocol"]) == [1, PROTOCOL]
    assert "profile `small`, protocol 1\n\nThese results follow protocol 1" in markdown(both)
    newer = scored("m", 0.9)
    newer["identity"]["protocol"] = PROTOCOL + 1
    assert "a newer one than" in first_line(board_of(newer))


def test_a_newer_metric_in_one_protocol_makes_no_gap_in_another():
    old, new = scored("m", 0.9), scored("m", 0.1)
    del old["identity"]["protocol"]
    new["metrics"]["score"]["version"] = 2
    assert set(frame([old, new])["status"]) == {"ok"}


def parts_board():
    return board_of(
        with_detail(scored("m", 0.6), parts={"A": 0.7, "K": 0.5}, without={"A": 0.5, "K": 0.7}),
        with_detail(scored("n", 0.4), parts={"A": 0.3, "K": 0.6}, without={"A": 0.6, "K": 0.3}),
        with_detail(scored("o", 0.2), parts={"A": 0.1, "K": 0.2}, without={"A": 0.2, "K": 0.1}),
    )


def test_a_part_without_which_the_order_changes_is_named():
    said = below(parts_board())
    assert "Without <A>, the order is <n>, <m>, <o>." in said
    assert "Without <K>" not in said
    shown = markdown([parts_board()])
    assert re.search(r"\| method +\| score: A +\| score: K", shown)
    assert re.search(r"\| m +\| 0.70 +\| 0.50", shown)


def test_a_part_of_two_scores_stands_with_the_one_of_fewer_parts():
    record = board_record("m", score=0.5, plain=0.4)
    with_detail(record, parts={"A": 0.7, "R": 0.5, "K": 0.1}, says={"A": "made right"})
    with_detail(record, "plain", parts={"A": 0.7, "K": 0.2})
    columns, rows = parts_of_scores(board_of(record))
    assert sorted(columns) == [("plain", "A"), ("plain", "K"), ("score", "K"), ("score", "R")]
    assert len(rows) == 1
    assert "Parts: <A> = made right." in below(board_of(record))


def test_if_no_part_changes_the_order_one_sentence_says_so():
    records = [
        with_detail(scored(label, value), without={"A": value, "K": value + 0.1})
        for label, value in (("m", 0.5), ("n", 0.4))
    ]
    said = below(board_of(*records))
    assert "Leaving out one part of <score> does not change the order (<A>, <K>)." in said
    equal = [with_detail(scored(label, v), without={"A": 0.5}) for label, v in (("m", 1), ("n", 2))]
    assert "Without <A>, the order is <m> = <n>." in below(board_of(*equal))


def test_leaving_out_a_method_changes_nothing_unless_another_number_then_orders():
    records = [scored("m", 0.6), scored("n", 0.4), scored("o", 0.2)]
    board = board_of(*records)
    assert changed_without_a_method(board.rows, INFOS, board.ordering) == {}
    for at, record in enumerate(records):
        left = [other["label"] for other in records if other is not record]
        assert board_of(*records[:at], *records[at + 1 :]).methods == left
    assert "leaving out one method does not change the order of the others (tried for 3)" in below(
        board
    )
    only = board_of(
        board_record("m", rec_first=1.0, score=0.1),
        board_record("n", score=0.2),
        told("o", rec_first=2.0),
    )
    assert only.ordering.ranks == {"m": 1}
    assert below(only) == ""  # one ranked method has no order


def told(label, **values):
    return board_record(label, **values) | {"facts": {"supervision": "kind"}}


def test_the_number_that_orders_can_depend_on_a_row():
    """If only one row has the preferred number, the others get an order without this row."""
    table = board_of(
        board_record("m", rec_first=1.0, score=0.1), board_record("n", rec_first=2.0, score=0.2),
        board_record("o", rec_first=3.0, score=0.3),
    ).rows  # fmt: skip
    order = order_rows(table, INFOS, ("m", "n", "o"))
    kept = table[(table["metric"] != "rec_first") | (table["method"] == "m")]
    alone = order_rows(kept, INFOS, ("m", "n", "o"))
    assert (list(order.ranks), list(alone.ranks)) == (["m", "n", "o"], ["m"])
    left = order_rows(kept[kept["method"] != "m"], INFOS, ("n", "o"))
    assert (left.metric, list(left.ranks)) == ("score", ["o", "n"])


def test_unguided_methods_say_so_in_place_of_a_zero():
    free = scored("free", 0.0) | {"facts": {"guided": False}}
    odd = scored("odd", 0.1) | {"facts": {"guided": False}}
    led = scored("led", 0.0) | {"facts": {"guided": True}}
    board = board_of(free, odd, led)
    assert text(board, "free", "score") == "unguided"
    assert text(board, "odd", "score", interval=False) == "0.10 (unguided)"
    assert text(board, "led", "score", interval=False) == "0.00"
    infos = INFOS | {"score": replace(SCORE, follows_guide=False)}
    assert text(board_of(free, infos=infos), "free", "score", interval=False) == "0.00"


def test_the_rank_agreement_of_two_numbers_counts_all_rows_with_both():
    records = [
        board_record(label, score=value, rec_other=5 - value)
        for label, value in (("m", 1.0), ("n", 2.0), ("copy-source", 3.0))
    ]
    said = below(board_of(*records, scored("alone", 9.0)))
    assert "Rank agreement of <score> and <rec_other> over 3 rows (Kendall's tau; 1" in said
    assert "same order): 1.00." in said  # lower is better for one of them
    assert "undefined" in below(
        board_of(*(board_record(m, score=1.0, rec_other=2.0) for m in ("m", "n")))
    )


def test_agreement_is_kendalls_tau():
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert agreement(first, first) == 1
    assert agreement(first, {"a": 4, "b": 3, "c": 2, "d": 1}) == -1
    assert agreement(first, {"a": 1, "b": 3, "c": 2, "d": 4}) == pytest.approx((5 - 1) / 6)
    assert math.isnan(agreement(first, {"a": 1.0}))


def test_the_accuracy_of_the_judge_stands_below():
    judge = {"judge": {"hair": 0.95, "kind": 1.0}, "judge_accuracy": 0.975}
    counted = with_detail(scored("m", 0.5), **judge, not_counted={"light": 0.6})
    of_domain = with_detail(board_record("n", plain=0.5), "plain", judge_accuracy=0.99)
    said = below(board_of(counted, of_domain))
    assert "real test images: <hair> 0.950, <kind> 1.000, the domain 0.990." in said
    assert "too often wrong: <light> 0.600." in said
    poor = board_record("m", score=None)
    poor["metrics"]["score"] |= {"status": "unavailable", "detail": {"not_counted": {"kind": 0.7}}}
    assert "<kind> 0.700" in below(board_of(poor))


def judged(label, extractor="", **judge):
    record = with_detail(scored(label, 0.5), judge=judge, domain_accuracy=0.99)
    record["metrics"]["score"]["extractor"] = extractor
    return record


def test_each_extractor_has_its_own_judge_and_judges_are_never_mixed():
    said = below(board_of(judged("m", "net@1", kind=0.9), judged("n", "net@2", kind=0.95)))
    assert "judge with <net@1> on real test images: <kind> 0.900, the domain 0.990." in said
    assert "judge with <net@2> on real test images: <kind> 0.950, the domain 0.990." in said
    gap = judged("gap", not_counted={})
    gap["metrics"]["score"] |= {"status": "unavailable", "value": None}
    assert below(board_of(judged("m", "net@1", kind=0.9), gap)).count("Accuracy of the judge") == 1


def test_judges_of_other_images_give_a_range():
    """Rows of one extractor may have other images, and then another judge."""
    said = below(board_of(judged("m", kind=0.9), judged("n", kind=0.95), judged("o", kind=0.92)))
    assert "Accuracy of the judge on real test images: <kind> 0.900 to 0.950, the domain" in said


def test_a_factor_may_be_called_domain():
    said = below(board_of(judged("m", domain=0.91)))
    assert "<domain> 0.910, the domain 0.990." in said


def test_parts_stand_in_the_order_of_their_score():
    """A record sorts the keys of a detail, and the alphabet would give A, F, K."""
    parts = {"A": 0.1, "F": 0.2, "K": 0.3}
    board = board_of(
        *(
            with_detail(
                scored(label, 0.5), parts=parts, order=["A", "K", "F"],
                says={"A": "made *right*", "F": "guide followed", "K": "source kept"},
                without=dict.fromkeys(("A", "F", "K", "add"), 0.5),
            )
            for label in ("m", "n")
        )
    )  # fmt: skip
    assert [part for _, part in parts_of_scores(board)[0]] == ["A", "K", "F"]
    assert "Parts: <A> = made *right*; <K> = source kept; <F> = guide followed." in below(board)
    assert "does not change the order (<add>, <A>, <K>, <F>)." in below(board)
    assert r"Parts: `A` = made \*right\*; `K` = source kept" in markdown([board])


def test_the_board_knows_no_metric():
    """It treats every number by its `MetricInfo`, so a metric of a plug-in is like a built-in."""
    for path in (ROOT / "bench" / "board").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        words = {
            word
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            for word in re.findall(r"\w+", node.value)
        }
        assert not words & shipped_infos().keys(), path


def test_the_main_table_is_short_and_begins_with_the_number_that_orders():
    shown = main_metrics(shipped_infos())
    assert shown[0] == ordering_metrics(shipped_infos())[0] == "transfer"
    assert shown[1:] == [
        "add_score", "remove_score", "separation", "cf_skill_in_add", "cf_harm_out_add",
        "rec_l1_a", "infer_images_per_s",
    ]  # fmt: skip


def test_without_true_results_the_main_table_has_what_a_judge_sees():
    infos = shipped_infos()
    shown = main_metrics(infos, has_truth=False)
    assert [name for name in shown if not infos[name].needs_truth] == [
        "transfer_judged", "separation", "tr_specific_acc", "tr_common_acc", "rec_l1_a",
        "fd_add", "fd_remove", "infer_images_per_s",
    ]  # fmt: skip
    (board,) = boards([board_record("m", transfer_judged=0.5, fd_add=2.0, cf_rank_add=None)])
    for entry in board.rows[board.rows["metric"] == "cf_rank_add"].index:
        board.rows.loc[entry, "status"] = "not_applicable"
    assert board.main_columns == ["transfer_judged", "fd_add"]


def test_a_board_without_a_main_metric_shows_what_it_has():
    (board,) = boards([board_record("m", kid_add=0.5, recall_add=2.0)])
    assert board.main_columns == ["kid_add", "recall_add"]


def test_the_first_metric_of_the_suite_that_orders_is_one_number():
    chosen = [info for info in shipped_infos().values() if info.orders]
    assert len({info.orders for info in chosen}) == len(chosen)

"""The plots: their numbers are those of the board, and names do not cover each other."""

from __future__ import annotations

import json
import re

import pytest
import vl_convert

from bench.html.plots.board import plots_of
from bench.html.plots.ink import DASHES, PAGE, PAPER, PUBLISHED_DASH, SHAPES
from bench.html.plots.label_places import places_for, short, spread
from bench.html.plots.plot import SHAPE, axis, domain_of, layer, spec_of
from bench.html.plots.scatter import pareto
from bench.html.sources import MOST_HUES, sources_of
from tests.helpers import ROOT, board_record
from tests.html.made import NAMES, sources

PLOTS = {plot.id: plot for plot in plots_of(sources().boards[0], PAGE)}


def values(plot):
    """Return all rows of data of a plot."""
    spec = PLOTS[plot].spec
    return [row for rows in spec["datasets"].values() for row in rows]


def test_every_plot_of_the_issue_is_there():
    wanted = {"transfer-separation", "parts-add_score", "parts-remove_score", "quality-speed",
              "rank-intervals", "curve-transfer", "factors-z1", "factors-z2", "losses"}  # fmt: skip
    main = {f"dots-{name}" for name in sources().boards[0].board.main_columns}
    assert wanted | main <= PLOTS.keys()


@pytest.mark.parametrize("plot", PLOTS)
def test_vega_lite_understands_a_plot(plot):
    spec = json.loads(json.dumps(PLOTS[plot].spec))
    assert vl_convert.vegalite_to_vega(spec)["marks"]


@pytest.mark.parametrize("ink", [PAGE, PAPER])
def test_each_method_has_a_look_of_its_own(ink):
    looks = [(ink.hue(at), ink.shape(at), ink.dash(at)) for at in range(3 * MOST_HUES)]
    first = looks[:MOST_HUES]
    assert len({hue for hue, _, _ in first}) == len({shape for _, shape, _ in first}) == MOST_HUES
    assert len(set(looks)) == len(looks)
    for at in range(len(looks) - MOST_HUES):  # the same colour, the next time
        assert all(looks[at][part] != looks[at + MOST_HUES][part] for part in (1, 2))


def test_a_published_configuration_has_a_dash_of_its_own():
    assert PUBLISHED_DASH not in DASHES


def test_the_page_has_each_colour_in_both_themes():
    style = (ROOT / "bench" / "html" / "templates" / "page.css").read_text()
    for at in range(MOST_HUES):
        assert len(re.findall(rf"--hue{at}: light-dark\(#\w{{6}}, #\w{{6}}\);", style)) == 1
        assert f".hue{at} {{ --hue: var(--hue{at}); }}" in style


def test_the_renderer_knows_each_shape():
    """It would draw a circle, or nothing, for a shape that it does not know."""
    rows = [{"x": 0, "shape": at} for at in range(len(SHAPES))]
    drawn = [layer([row], "point", {"filled": True}, shape=SHAPE) for row in rows]
    pictures = [vl_convert.vegalite_to_svg(spec_of([one], 20, 20)) for one in drawn]
    outlines = {tuple(re.findall(r'\bd="([^"]+)"', picture)) for picture in pictures}
    assert len(outlines) == len(SHAPES)


@pytest.mark.parametrize("ink", [PAGE, PAPER])
def test_plots_are_the_same_each_time(ink):
    first, again = ([plot.spec for plot in plots_of(sources().boards[0], ink)] for _ in range(2))
    assert first == again


def test_numbers_are_those_of_the_board():
    board = sources().boards[0].board
    found = {row["row"]: row for row in values("transfer-separation") if "x_lo" in row}
    for label in ("plain", NAMES[2]):
        for axis_name, metric in (("x", "separation"), ("y", "transfer")):
            cell = board.cell(label, metric)
            assert found[label][axis_name] == cell["value"]
            assert found[label][f"{axis_name}_lo"] == cell["lo"]


def test_a_dot_stands_for_each_seed():
    texts = [row["text"] for row in values("dots-transfer") if row["row"] == "plain"]
    assert sum(text.startswith("seed ") for text in texts) == 3


def test_copies_the_paste_chance_and_the_truth_are_marked():
    shown = {row["row"] for row in values("parts-add_score") if "row" in row}
    assert {"copy-source", "copy-guide", "paste", "random-guide", "ground-truth"} <= shown
    corner = next(row for row in values("parts-add_score") if row.get("row") == "ground-truth")
    assert (corner["x"], corner["y"]) == (1, 1)


def test_the_front_holds_whom_nobody_beats_in_both():
    made = [
        board_record(name, transfer=quality, infer_images_per_s=speed)
        for name, quality, speed in (("slow", 0.9, 10), ("fast", 0.1, 90), ("beaten", 0.1, 20))
    ]
    for record in made:
        record["facts"] = {"steps": 1}
    plot = pareto(sources_of(made).boards[0], PAGE)
    line = plot.spec["layer"][0]
    front = plot.spec["datasets"][line["data"]["name"]]
    assert [row["row"] for row in front] == ["slow", "fast"]


def test_names_cover_neither_each_other_nor_points():
    points = [(50.0 + at % 4, 50.0 + at) for at in range(6)]
    names = [f"name {at}" for at in range(6)]
    places = places_for(names, points, (400, 300), 12)
    boxes = []
    for name, place in zip(names, places, strict=True):
        if place:
            length = len(name) * 12 * 0.56
            left = place.x - {"left": 0, "center": 0.5, "right": 1}[place.align] * length
            boxes.append((left, place.y - 7.2, left + length, place.y + 7.2))
    assert len(boxes) > 1
    for at, one in enumerate(boxes):
        for other in boxes[:at]:
            assert (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )


def test_spread_keeps_the_order_and_the_gap():
    found = spread([5.0, 5.0, 90.0, 6.0], 10, 0, 100)
    assert found[0] < found[1] < found[3] < found[2]
    assert min(b - a for a, b in zip(sorted(found), sorted(found)[1:], strict=False)) >= 10


def test_short_names_stay_and_long_ones_keep_both_ends():
    assert short("a" * 26) == "a" * 26
    assert short("a" * 100 + "z") == "a" * 12 + "\u2026" + "a" * 11 + "z"


def test_an_axis_hardly_leaves_the_bounds_of_its_number():
    lo, hi = domain_of([0.0, 0.5], (0.0, 1.0))
    assert -0.05 < lo < 0
    assert 0.5 < hi < 0.6
    assert axis("x", "", (8, 1200), log=True)["axis"]["values"] == [10, 20, 50, 100, 200, 500, 1000]

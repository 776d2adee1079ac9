import pandas as pd
import pytest

from tests.benchmarks.growth import AXES, plot, with_line


def made(axis, sizes, costs):
    return pd.DataFrame({"axis": axis, "what": "a cell", "value": sizes, "cpu_seconds": costs})


def test_the_line_of_linear_growth_goes_through_the_smallest_and_the_largest():
    found = with_line(made("seeds", [1, 2, 4], [3.0, 9.0, 9.0]))
    assert list(found["linear"]) == [3.0, 5.0, 9.0]


def test_the_side_of_images_is_linear_in_their_pixels():
    found = with_line(made("side of the images, px", [10, 20, 30], [1.0, 4.0, 9.0]))
    assert list(found["linear"]) == pytest.approx([1.0, 4.0, 9.0])


def test_each_axis_has_a_panel_of_its_own():
    rows = pd.concat([made(axis, [1, 2], [1.0, 2.0]) for axis in AXES], ignore_index=True)
    panels = plot(rows).to_dict()["concat"]
    titles = [panel["layer"][0]["encoding"]["x"]["title"] for panel in panels]
    assert titles == list(AXES)

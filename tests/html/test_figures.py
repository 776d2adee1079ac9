"""Figures for papers: sizes, formats, and names that LaTeX and file systems accept."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from bench.html.figures import COLUMN_CM, write_figures
from bench.html.sources import sources_of
from bench.utils.errors import UserError
from tests.html.made import LONG, SCRIPT, records


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("figures")
    (source, *_) = sources_of([one for one in records() if one["label"] != "plain"]).boards
    count = write_figures(place, [source])
    assert count == len(list(place.iterdir()))
    return place


def test_every_plot_has_three_formats_and_every_board_a_table(folder):
    stems = {path.stem for path in folder.iterdir()}
    for stem in stems:
        kinds = {path.suffix for path in folder.iterdir() if path.stem == stem}
        assert kinds == ({".tex"} if stem.endswith("-table") else {".svg", ".pdf", ".png"}), stem
    assert any("transfer-separation" in stem for stem in stems)


def test_a_figure_fits_a_column(folder):
    widest = COLUMN_CM / 2.54
    for path in folder.iterdir():
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width / 300 <= widest + 0.01
                assert image.info["dpi"][0] == pytest.approx(300, abs=1)
        if path.suffix == ".svg":
            assert (
                float(re.search(r'width="([\d.]+)pt"', path.read_text())[1]) / 72 <= widest + 0.01
            )
        if path.suffix == ".pdf":
            (width,) = re.findall(rb"MediaBox\s*\[0 0 ([\d.]+)", path.read_bytes())
            assert float(width) / 72 <= widest + 0.01


def test_names_are_text_in_latex_and_svg(folder):
    (table,) = folder.glob("*.tex")
    text = table.read_text("utf-8")
    assert r"\toprule" in text
    assert r"\textbf{" in text
    assert r"\textless{}script\textgreater{}alert(1)" in text
    assert SCRIPT not in text
    assert LONG in text
    assert all("<script" not in path.read_text("utf-8") for path in folder.glob("*.svg"))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="--figures"):
        write_figures(tmp_path / "taken", sources_of(records()[:3]).boards)

"""The sheets of pictures: what they show, and when they count."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

from bench.cell.run_folder import RunFolder
from bench.contracts.metric import Artefacts
from bench.html.pictures import Gallery
from bench.html.sources import sources_of
from bench.html.sprites import errors_of, make_sheet, mark_of, read_sheet, write_sheet
from bench.records.read import cell_of
from bench.records.store import Store
from bench.utils.files.sealed import write_sealed
from tests.helpers import ROOT, SIZES
from tests.html.made import PAIRS, SIZE, columns, images, page, pictures, records, relabelled


def shown(sheet, row, column):
    """Return an image of a sheet, (3, S, S)."""
    pixels = np.asarray(Image.open(io.BytesIO(sheet.png)))
    return part_of(pixels, row, sheet.columns.index(column))


def part_of(pixels, row, column):
    part = pixels[row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE]
    return part.transpose(2, 0, 1)


def test_a_sheet_shows_the_artefacts_bit_by_bit():
    made = columns()
    sheet = make_sheet(made, "mark")
    assert len(sheet.rows) == 12 + 4
    for at, row in enumerate(sheet.rows):
        for name in sheet.columns:
            assert (shown(sheet, at, name) == made[name][row.pair]).all()


def test_all_methods_show_the_same_first_pairs():
    first, other = (make_sheet(columns(seed), "") for seed in (0, 1))
    pairs = [[row.pair for row in one.rows if row.why == "first"] for one in (first, other)]
    assert pairs == [list(range(12))] * 2


def test_the_median_and_the_worst_pair_are_those_of_the_error():
    truth = images(0)
    made = truth.copy()
    for at in range(PAIRS):  # the error rises with the index
        made[at] = np.where(truth[at] < 128, truth[at] + at, truth[at] - at)
    sheet = make_sheet({"source": truth, "guide": truth, "true add": truth, "add": made}, "")
    extremes = {row.why: row for row in sheet.rows if row.why != "first"}
    assert extremes["worst add"].pair == PAIRS - 1
    assert extremes["median add"].pair == PAIRS // 2
    assert extremes["worst add"].errors["add"] == pytest.approx((PAIRS - 1) / 255, abs=1e-4)
    assert errors_of(truth, truth).max() == 0


def test_without_a_truth_there_is_no_error():
    sheet = make_sheet({"source": images(0), "guide": images(1), "add": images(2)}, "")
    assert sheet.columns == ["source", "guide", "add"]
    assert {row.why for row in sheet.rows} == {"first"}


@pytest.mark.parametrize(("size", "pairs"), [(16, 12), (48, 6), (96, 3)])
def test_large_images_have_fewer_pairs(size, pairs):
    made = {name: images(at, 14, size) for at, name in enumerate(("source", "guide", "add"))}
    assert len(make_sheet(made, "").rows) == pairs


def test_a_sheet_is_read_again_if_it_is_of_this_run(tmp_path):
    sheet = make_sheet(columns(), "mark")
    write_sheet(tmp_path / "one.png", sheet)
    assert read_sheet(tmp_path / "one.png", "mark") == sheet
    assert read_sheet(tmp_path / "one.png", "another") is None
    assert read_sheet(tmp_path / "none.png", "mark") is None
    (tmp_path / "half.png").write_bytes(sheet.png[:2000])
    assert read_sheet(tmp_path / "half.png", "mark") is None
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert read_sheet(tmp_path / "plain.png", "mark") is None


def test_the_mark_follows_the_cell_and_its_code():
    record = records()[0]
    other = relabelled(record, "other")
    assert mark_of(record) != mark_of(other)
    assert mark_of(record) != mark_of({**record, "sources": {record["identity"]["method"]: "1"}})


@pytest.fixture
def ran(faces, cache, tmp_path):
    """A results folder with one run and its artefacts, and the folder of the run."""
    record = relabelled(records()[0], "mine")
    record["identity"] |= {"fingerprint": faces.fingerprint, "task": faces.name}
    record["identity"]["numbers"] |= {
        "size": SIZES.size,
        "train_images": SIZES.train,
        "probe_images": SIZES.probe,
        "test_images": SIZES.test,
    }
    write_sealed(tmp_path / "records" / "mine.json", record)
    store = Store(tmp_path)
    folder = RunFolder(store.run_path(cell_of(record)))
    a, b = faces.test_pairs
    made = {"add": torch.from_numpy(images(7, len(a))), "remove": b.clone()}
    folder.save_artefacts(Artefacts(made, {"source": "0" * 16}))
    return store, folder, made


def pictures_in(store, cache):
    gallery = Gallery(store, cache)
    return gallery.of(sources_of(store.records()[0]).boards[0]), gallery


def test_pictures_are_made_from_artefacts_once(ran, cache):
    store, folder, made = ran
    found, gallery = pictures_in(store, cache)
    assert gallery.made == 1
    (row,) = found.rows
    assert (shown(row.sheet, 3, "add") == made["add"][3].numpy()).all()
    assert found.has_truth("add")
    (folder.path / "artefacts.safetensors").unlink()
    again, gallery = pictures_in(store, None)
    assert gallery.made == 0
    assert again.rows[0].sheet == row.sheet


def test_without_pictures_the_reason_is_given(ran, cache):
    store, folder, _ = ran
    assert "not in the cache" in pictures_in(store, None)[0].missing[0]
    folder.save_artefacts(Artefacts({"add": torch.zeros(2)}, {"source": "1" * 16}))
    assert "another version of the method's code" in pictures_in(store, cache)[0].missing[0]
    folder.save_artefacts(Artefacts({"add": torch.zeros(2)}, {"source": "0" * 16}))
    assert "another shape" in pictures_in(store, cache)[0].missing[0]
    (folder.path / "artefacts.json").unlink()
    assert pictures_in(store, cache)[0].missing == ["mine: the artefacts of the run are gone."]


def test_the_size_of_an_image_on_the_page_is_a_whole_multiple(ran, cache):
    found, _ = pictures_in(ran[0], cache)
    assert found.size == SIZE
    assert found.side == 3 * SIZE


def test_the_committed_sheets_are_those_of_the_committed_records():
    """So the report of the committed board has its pictures without the artefacts of the runs."""
    records, _ = Store(ROOT / "results").records()
    names = {path.name for path in (ROOT / "results" / "pictures").iterdir()}
    shown = 0
    for record in records:
        path = ROOT / "results" / "pictures" / f"{cell_of(record).name}.png"
        if path.name in names:
            assert read_sheet(path, mark_of(record)) is not None, path.name
            shown += 1
    assert shown == len(names) > 10


def test_the_page_holds_each_image_that_it_shows_and_no_other():
    embedded = re.findall(
        r"\.sheet(\d+) \{ background-image: url\(data:image/png;base64,(.*?)\)", page()
    )
    sheets = {int(at): np.asarray(Image.open(io.BytesIO(b64decode(png)))) for at, png in embedded}
    places = re.findall(r'sheet(\d+)" style="--c:(\d+);--r:(\d+)', page())
    used = {tuple(map(int, place)) for place in places}
    assert len(sheets) == len(pictures().rows) == 3
    for at, one in enumerate(pictures().rows):
        for row, column in product(range(len(one.sheet.rows)), range(len(one.sheet.columns))):
            expected = shown(one.sheet, row, one.sheet.columns[column])
            seen = part_of(sheets[at], row, column)
            assert (seen == (expected if (at, column, row) in used else 0)).all()
    assert len(used) == 3 * (12 * 2 + 2 * 4 + 2 * 3) + 12 * 4

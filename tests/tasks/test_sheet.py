"""The sheet of sample images."""

from __future__ import annotations

import pytest
from PIL import Image

import bench.runs.execute
from tests.pictures import make_folder


@pytest.mark.parametrize("out", ["file/x.png", "file/x/y.png", "."])
def test_a_sheet_that_cannot_be_written(out, faces, monkeypatch, inside, tmp_path):
    """Case 29: one line names --out."""

    monkeypatch.setattr(bench.runs.execute, "prepare", lambda *_, **__: faces)
    (tmp_path / "file").write_text("precious")
    done = inside("data", "show", "avatars-glasses", "--profile", "smoke", "--out", tmp_path / out)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert f"cannot write {tmp_path / out} (" in done.stderr
    assert done.stderr.endswith("name another file with --out\n")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("count", [12, 40, 53])
def test_a_sheet_of_few_images_has_fewer_rows(count, inside, tmp_path):
    """Case 21: 12, 40 and 53 images a domain are 2, 6 and 6 test pairs."""
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, count, seed)
    done = inside("data", "show", "folder", "--a", tmp_path / "a", "--b", tmp_path / "b", "--out",
                  tmp_path / "sheet.png", "--cache-dir", tmp_path / "c", "--profile",
                  "smoke")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        rows = {12: 2, 40: 6, 53: 6}[count]
        assert sheet.height == 30 + 22 + rows * (96 + 4) + 4
        assert sheet.width == 2 * (96 + 4) + 4

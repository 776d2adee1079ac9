"""Sealed JSON files: encoding, links and pipes."""

from __future__ import annotations

import os
import threading

import pytest

from bench.utils.files import sealed
from bench.utils.files.sealed import read_sealed, write_atomically, write_sealed
from tests.helpers import NOT_UTF8


def test_text_in_files_is_utf8(tmp_path):
    """Case 27: each way in which the suite writes text."""
    from bench.cell.run_folder import RunFolder

    write_atomically(tmp_path / "text", f"{NOT_UTF8} 日本\n")
    assert (tmp_path / "text").read_text("utf-8") == "caf\\udce9 日本\n"
    write_sealed(tmp_path / "json", {"path": NOT_UTF8})
    assert read_sealed(tmp_path / "json") == {"path": NOT_UTF8}
    said = RunFolder(tmp_path / "run").log_error(ValueError(f"no {NOT_UTF8}"))
    assert said.startswith(f"ValueError: no {NOT_UTF8} (log: ")
    assert "ValueError: no caf\\udce9" in (tmp_path / "run" / "log.txt").read_text("utf-8")


def test_links_stay_and_pipes_get_the_content(tmp_path):
    """What a user names as an output is not put aside for a new file."""
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    got: list[str] = []
    reader.start()
    write_atomically(pipe, "all of it")
    reader.join(10)
    assert got == ["all of it"]
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe", "target"]


def test_a_list_of_numbers_takes_one_line_and_texts_stay(tmp_path):
    value = {"items": [0.5, -1e-07, 3, None], "texts": ["[\n1,\n 2]", "a  b"], "none": [],
             "deep": [[1, 2], {"of": [3.25, 4]}]}  # fmt: skip
    write_sealed(tmp_path / "x.json", value)
    assert read_sealed(tmp_path / "x.json") == value
    text = (tmp_path / "x.json").read_text()
    assert '"items": [0.5,-1e-07,3,null]' in text
    assert '"of": [3.25,4]' in text


@pytest.mark.parametrize("text", ["plain", '"key": value', "\\", '\\": ', "a\nb", "é"])
def test_a_seal_fits_whatever_the_texts_are(tmp_path, text):
    value = {"zeta": text, "a": {text: [1.5, text]}}
    write_sealed(tmp_path / "x.json", value)
    assert read_sealed(tmp_path / "x.json") == value


def test_a_plain_file_is_read_without_being_written_again(tmp_path, monkeypatch):
    write_sealed(tmp_path / "x.json", {"zeta": "text", "items": [0.5, 1e-300, -3]})
    monkeypatch.setattr(sealed, "hash_of", lambda value: pytest.fail("hashed again"))
    assert read_sealed(tmp_path / "x.json") == {"zeta": "text", "items": [0.5, 1e-300, -3]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("0.5", "0.25", "not what was written"), ("0.5", "1e999", "1e999 is no number"),
     ("text", "tex", "not what was written"), ("text", "te xt", "not what was written"),
     ("0.5", "NaN", "NaN is no number")],
)  # fmt: skip
def test_a_changed_file_is_noticed(tmp_path, old, new, said):
    path = tmp_path / "x.json"
    write_sealed(path, {"zeta": "text", "items": [0.5, 1]})
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=said):
        read_sealed(path)

"""The verbs `add`, `remove` and `export`, and folders that were exported."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile

import numpy as np
import pytest
import yaml
from PIL import Image

import bench
from bench.models import export
from bench.models.licences import terms_of
from bench.utils.errors import UserError
from tests.helpers import REGISTRY, harm_file, little
from tests.pictures import make_folder


@pytest.fixture
def place(peaceful, tmp_path):
    """A folder with the results of a run, and pictures of both domains."""
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    make_folder(tmp_path / "a", 5, seed=0)
    make_folder(tmp_path / "b", 5, seed=1)
    return tmp_path


@pytest.fixture
def run(place):
    (folder,) = (place / "results" / "runs").glob("little*")
    return folder


def loaded(place, path):
    return bench.load_model(path, plugins=[place / "little.py"])


def first(folder):
    return min(folder.iterdir())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_picture_gets_what_the_model_makes_of_it(place, run, inside):
    plugin = ("--plugin", place / "little.py")
    source, guide = first(place / "a"), first(place / "b")
    done = inside("add", "--model", run, "--source", source, "--guide", guide,
                  "-o", place / "x.png", *plugin)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(source) as a, Image.open(guide) as b:
        expected = loaded(place, run).add(a, b)
    assert np.array_equal(pixels(place / "x.png"), np.asarray(expected))
    done = inside("remove", "--model", run, "--source", guide, "-o", place / "y.png", *plugin)
    assert done.returncode == 0, done.stderr
    with Image.open(guide) as b:
        assert np.array_equal(pixels(place / "y.png"), np.asarray(loaded(place, run).remove(b)))


def test_a_folder_gets_a_folder_with_each_guide_for_its_source(place, run, inside, monkeypatch):
    monkeypatch.setattr("bench.models.apply.BATCH", 2)
    common = ("add", "--model", run, "--source", place / "a", "--plugin", place / "little.py")
    inside(*common, "--guide", place / "b", "-o", place / "each")
    inside(*common, "--guide", first(place / "b"), "-o", place / "one")
    assert len(list((place / "each").iterdir())) == len(list((place / "one").iterdir())) == 5
    model = loaded(place, run)
    last_a, last_b = max((place / "a").iterdir()), max((place / "b").iterdir())
    with Image.open(last_a) as a, Image.open(last_b) as b, Image.open(first(place / "b")) as one:
        assert np.array_equal(pixels(max((place / "each").iterdir())), np.asarray(model.add(a, b)))
        assert np.array_equal(pixels(max((place / "one").iterdir())), np.asarray(model.add(a, one)))


def test_an_exported_folder_is_the_model(place, run, inside):
    done = inside("export", run, "-o", place / "out")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (place / "out").iterdir()}
    assert names == {"model.safetensors", "config.json", "record.json", "README.md"}
    picture = pixels(first(place / "a"))
    before, after = (loaded(place, path).remove(picture) for path in (run, place / "out"))
    assert np.array_equal(before, after)
    shutil.rmtree(place / "results")
    assert np.array_equal(before, loaded(place, place / "out").remove(picture))


def test_the_card_says_what_the_record_says(place, run):
    export.export_model(run, place / "out")
    text = (place / "out" / "README.md").read_text("utf-8")
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["tags"][-2:] == ["little", "avatars-glasses"]
    record = json.loads((place / "out" / "record.json").read_text())
    assert record["id"] in body
    assert f"{record['metrics']['rec_l1_a']['value']:.4f}" in body


def test_each_task_has_terms_and_the_card_repeats_them(place, run):
    for plugin in REGISTRY.all("task"):
        assert "does not know" not in terms_of(plugin.name), plugin.name
    assert "CC BY 4.0" in terms_of("avatars-style")
    assert "CC BY" not in terms_of("avatars-glasses")
    assert terms_of("usps-mnist").startswith("USPS and MNIST.")
    assert "non-commercial" in terms_of("celeba-mouth")
    assert "person who trained it" in terms_of("folder:plain+glasses")
    assert "ask the author of the task `mine`" in terms_of("mine")
    card = export.card(loaded(place, run).record, "x")
    assert "Avataaars by Pablo Stanley" in card
    assert "license: other\n" in card


def test_a_name_of_a_record_cannot_break_the_card(place, run):
    record = loaded(place, run).record
    odd = "<script>|`\n---"
    text = export.card(record | {"label": odd, "facts": record["facts"] | {"note": odd}}, "x")
    assert not re.search(r"(?<!\\)<script>", text)
    assert text.split("\n").count("---") == 2


def test_the_models_of_a_board_are_one_file(place, inside):
    done = inside("export", place / "results", "-o", place / "models.zip")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(place / "models.zip") as archive:
        archive.extractall(place / "unzipped")
    (entry,) = json.loads((place / "unzipped" / "index.json").read_text("utf-8"))
    model = place / "unzipped" / entry["folder"]
    content = (model / "model.safetensors").read_bytes()
    assert (entry["method"], entry["bytes"]) == ("little", len(content))
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    picture = pixels(first(place / "a"))
    assert loaded(place, model).remove(picture).shape == (32, 32, 3)


def test_a_file_of_models_that_is_too_large_is_not_written(place, monkeypatch):
    monkeypatch.setattr(export, "MOST_MB", 0.001)
    with pytest.raises(UserError, match=r"expected at most 0.001: choose fewer.*largest is little"):
        export.export_board(place / "results", place / "models.zip")
    assert not (place / "models.zip").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "RUN", "-o", "a"), "a is not empty: name another folder with -o"),
        (("export", "a", "-o", "x"), "name a run folder, a record of a results folder or an"),
        (("export", "results", "--methods", "no", "-o", "x.zip"), "unknown method among the rec"),
        (("remove", "--model", "RUN", "--source", "a", "-o", "a", "--force"),
         "is a source or a guide: name another output with -o"),
        (("add", "--model", "RUN", "--source", "two", "--guide", "a/00000.png", "-o", "a",
          "--force"), "is a source or a guide: name another output with -o"),
        (("remove", "--model", "RUN", "--source", "nothing", "-o", "x"), "No such file"),
        (("remove", "--model", "RUN", "--source", "empty", "-o", "x"), "empty has no images"),
        (("remove", "--model", "RUN", "--source", "a", "-o", "little.py/x"), "cannot write"),
        (("remove", "--model", "RUN", "--source", "little.py", "-o", "x"), "no image that can be"),
        (("add", "--model", "RUN", "--source", "a", "--guide", "two", "-o", "x"),
         "a has 5 images and two has 2, expected one guide for all or one for each"),
        (("remove", "--model", "RUN", "--source", "a/00000.png", "-o", "taken.png"),
         "taken.png exists: name another output with -o, or give --force"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(place, run, words, message, inside, monkeypatch):
    monkeypatch.chdir(place)
    (place / "empty").mkdir()
    (place / "taken.png").touch()
    make_folder(place / "two", 2, seed=0)
    source = sorted(path.name for path in (place / "a").iterdir())[0]
    words = [str(run) if w == "RUN" else w.replace("00000.png", source) for w in words]
    more = () if words[0] == "export" else ("--plugin", "little.py")
    done = inside(*words, *more)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_damaged_weights_are_one_line(place, run):
    export.export_model(run, place / "out")
    harm_file(place / "out" / "model.safetensors", "a byte is changed")
    with pytest.raises(UserError, match="out are damaged: run it again"):
        loaded(place, place / "out")


def test_weights_of_other_code_are_used_only_if_asked_for(place, run, inside):
    little(place, "self.more = 1")
    words = ("remove", "--model", run, "--source", first(place / "b"), "-o", place / "x.png",
             "--plugin", place / "little.py")  # fmt: skip
    done = inside(*words)
    assert done.returncode == 2
    assert "(--any-source)" in done.stderr
    assert inside(*words, "--any-source").returncode == 0

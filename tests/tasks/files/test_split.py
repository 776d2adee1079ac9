"""How images are split into train, val, probe and test."""

from __future__ import annotations

import shutil
import unicodedata

import pytest

from bench.contracts.task import PARTS, DataSizes, Options
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.user_folders import Folder
from bench.utils.errors import UserError
from tests.helpers import folder_task
from tests.pictures import make_folder, picture

SIZES = DataSizes(size=16, train=64, probe=64, test=64)


def in_parts(place, *names, of="ab"):
    for seed, domain in enumerate(of):
        make_folder(place / domain, 18, seed, sub=lambda at: names[at % len(names)])
    return place


@pytest.mark.parametrize("names", [PARTS, map(str.title, PARTS), map(str.upper, PARTS)])
def test_parts_are_known_whatever_the_case_of_their_letters(names, tmp_path):
    """Case 5."""
    names = list(names)
    plain = folder_task(in_parts(tmp_path / "plain", *PARTS), split="folder")
    task = folder_task(in_parts(tmp_path / "loud", *names), split="folder")
    for part, name in zip(PARTS, names, strict=True):
        found = {item.path.split("/")[-2] for of in task._shared(SIZES)[part] for item in of}
        assert found == {name}
    assert fingerprint(task, SIZES) == fingerprint(plain, SIZES)


def test_the_case_of_letters_may_differ_between_domains(tmp_path):
    in_parts(tmp_path, "train", "Probe", "TEST", of="a")
    make_folder(tmp_path / "b", 18, 1, sub=lambda at: ("Train", "probe", "Test")[at % 3])
    shared = folder_task(tmp_path, split="folder")._shared(SIZES)
    counts = [[len(of) for of in shared[part]] for part in PARTS]
    assert counts == [[4, 4], [2, 2], [6, 6], [6, 6]]  # val is taken from train


NEARLY = [
    ("TRAIN", "TEST", "VAL"),
    ("training", "validation", "testing"),
    ("tests", "a", "b"),
    ("valid", "a", "b"),
    ("prob", "a", "b"),
    ("val", "a", "b"),
    ("train_set", "other"),
    ("1_train", "2_test", "3_val"),
    ("Train", "Test"),
    ("probe", "test", "train", "more"),
]


@pytest.mark.parametrize("names", NEARLY, ids="-".join)
def test_what_is_nearly_a_part_is_refused(names, tmp_path):
    """Case 5: it once trained on Probe and tested on VAL."""
    with pytest.raises(
        UserError, match=r"--split folder: sub-folders .* expected train, val, probe"
    ):
        fingerprint(folder_task(in_parts(tmp_path, *names), split="folder"), SIZES)


def test_a_line_on_sub_folders_names_the_odd_one_among_many(tmp_path):
    people = [f"person {at}" for at in range(17)]
    with pytest.raises(UserError, match=r"sub-folders valid, person 0, .* and 10 more: expected"):
        fingerprint(folder_task(in_parts(tmp_path, *people, "valid"), split="folder"), SIZES)


def test_people_and_things_whose_names_begin_like_parts_are_groups(tmp_path):
    names = ("Valentina", "Tess", "Prudence", "brain", "contest", "rain", "subject 1", "latest",
             "Val Kilmer")  # fmt: skip
    task = folder_task(in_parts(tmp_path, *names), split="folder")
    assert fingerprint(task, SIZES)


PEOPLE = ["Zo\u00eb", "J\u00fcrgen", "\u00c5sa", "\ud55c\uae00", "\u0110\u1eb7ng", "Ren\u00e9e",
          "S\u00f8ren \u00c9", "\u304c\u304e", "\u00d3scar", "\u00c7a\u011fla", "I\u00f1igo",
          "\u1e9e\u00e4"]  # fmt: skip


@pytest.mark.parametrize("forms", ["NFC NFC", "NFD NFC", "NFC NFD", "NFD NFD"])
def test_a_person_is_one_person_however_the_name_is_stored(forms, tmp_path):
    """Case 6: everyone is in one part, and in the same as on another system."""
    plain = tmp_path / "plain"
    for at, (name, form) in enumerate(zip("ab", forms.split(), strict=True)):
        people = [unicodedata.normalize(form, person) for person in PEOPLE]
        make_folder(tmp_path / name, 48, at, sub=lambda at, people=people: people[at // 4])
        make_folder(plain / name, 48, at, sub=lambda at: PEOPLE[at // 4])
    task = folder_task(tmp_path, split="folder")
    shared = task._shared(SIZES)
    groups = [{item.group for of in shared[part] for item in of} for part in PARTS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(PEOPLE)
    assert fingerprint(task, SIZES) == fingerprint(folder_task(plain, split="folder"), SIZES)


def test_a_task_has_one_name_however_its_folder_is_stored(tmp_path):
    """Case 6: else one board would be two, and nobody could type the other name."""
    stored = [unicodedata.normalize(form, "\u00e4lter") for form in ("NFC", "NFD")]
    names = [Folder(Options(a=tmp_path / name, b=tmp_path / "b")).name for name in stored]
    assert names == ["folder:\u00e4lter+b"] * 2


def test_an_angstrom_is_a_letter(tmp_path):
    """Case 6: a third way to write the same name."""
    make_folder(tmp_path / "a", 24, 0, sub=lambda at: ["\u212bsa", "b", "c", "d"][at // 6])
    make_folder(tmp_path / "b", 24, 1, sub=lambda at: ["\u00c5sa", "b", "c", "d"][at // 6])
    groups = {
        item.group for of in folder_task(tmp_path, split="folder")._unique_items for item in of
    }
    assert groups == {"\u00c5sa", "b", "c", "d"}


def test_parts_go_by_content_and_not_by_names(place):
    """Other names, copies, sub-folders and files of other kinds: the same images in each part."""
    before = prepare(folder_task(place), SIZES, place / "cache")
    names = sorted((place / "a").iterdir())
    for at, path in enumerate(names):
        (place / "a" / f"{at % 3}").mkdir(exist_ok=True)
        path.rename(place / "a" / f"{at % 3}" / f"{99 - at}.png")
    shutil.copy(place / "a" / "0" / "99.png", place / "a" / "copy.png")
    (place / "a" / "notes.txt").write_text("")
    (place / "a" / ".hidden.png").write_text("")
    task = folder_task(place)
    assert fingerprint(task, SIZES) == before.fingerprint
    again = prepare(task, SIZES, place / "other")
    assert again.pixel_hash == before.pixel_hash
    assert again.facts["duplicates"] == 1
    assert "files that are not images, by the ends of their names: 1 .txt" in again.facts["notes"]
    picture(77).save(place / "a" / "new.png")
    assert fingerprint(folder_task(place), SIZES) != before.fingerprint


def test_sub_folders_stay_together(tmp_path):
    """Twelve people, each in both domains: everyone in one part."""
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 48, seed, sub=lambda at: f"person {at // 4}")
    task = folder_task(tmp_path, split="folder")
    shared = task._shared(DataSizes(16, 30, 6, 6))
    people = {part: {item.group for of in shared[part] for item in of} for part in PARTS}
    assert sum(len(of_part) for of_part in people.values()) == len(set.union(*people.values()))
    assert [[len(of) for of in shared[part]] for part in PARTS] == [
        [28, 28],
        [2, 2],
        [6, 6],
        [6, 6],
    ]
    assert fingerprint(task, SIZES) != fingerprint(folder_task(tmp_path), SIZES)


def test_sub_folders_named_after_parts_are_the_parts(tmp_path):
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 24, seed, sub=lambda at: PARTS[at % 4])
    shared = folder_task(tmp_path, split="folder")._shared(SIZES)
    for part in PARTS:
        assert {item.group for of in shared[part] for item in of} == {part}
    assert [len(of) for of in shared["val"]] == [2, 2]  # a tenth of train, but two
    shutil.rmtree(tmp_path / "a" / "val")
    shutil.rmtree(tmp_path / "b" / "val")
    without = folder_task(tmp_path, split="folder")._shared(SIZES)
    assert [[len(of) for of in without[part]] for part in PARTS] == [[4, 4], [2, 2], [6, 6], [6, 6]]
    for name in ("train", "val"):
        assert {item.group for of in without[name] for item in of} == {"train"}
    shutil.rmtree(tmp_path / "a" / "probe")
    shutil.rmtree(tmp_path / "b" / "probe")
    with pytest.raises(
        UserError, match="sub-folders test, train: expected train, val, probe, test"
    ):
        fingerprint(folder_task(tmp_path, split="folder"), SIZES)
    picture(3).save(tmp_path / "a" / "x.png")
    with pytest.raises(UserError, match=r"x.png: in no sub-folder, but --split folder needs one"):
        fingerprint(folder_task(tmp_path, split="folder"), SIZES)


@pytest.mark.parametrize("split", ["hash", "folder"])
def test_val_is_cut_from_train_and_a_tenth_of_it(split, tmp_path):
    """It has equally many images of both domains, in pairs; probe and test lose none to it."""
    for seed, name in enumerate("ab"):
        make_folder(
            tmp_path / name,
            120 + 30 * seed,
            seed,
            sub=lambda at: ("train", "probe", "test")[at % 3],
        )
    task = folder_task(tmp_path, split=split)
    shared = task._shared(DataSizes(16, 1000, 20, 1000))
    train, val = shared["train"], shared["val"]
    assert len(val[0]) == len(val[1]) >= 2
    assert len(val[0]) % 2 == 0
    assert 10 * len(val[0]) <= min(map(len, train))
    digests = [{item.digest for of in shared[part] for item in of} for part in PARTS]
    assert sum(map(len, digests)) == len(set.union(*digests))
    few = task._shared(DataSizes(16, 30, 20, 1000))
    assert [len(of) for of in few["val"]] == [2, 2]
    assert few["probe"] == shared["probe"]
    assert few["test"] == shared["test"]

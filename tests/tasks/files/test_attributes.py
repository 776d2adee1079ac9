"""A table of attributes makes factors of the user's images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.contracts.task import HIDDEN, DataSizes
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.files.attributes import read_attributes
from bench.utils.errors import UserError
from tests.helpers import TINY, folder_task
from tests.pictures import make_folder

SIZES = DataSizes(size=16, train=64, probe=64, test=64)
HEADS = ("file", "hair", "separate:kind")
HAIR, KIND = ("dark", "fair"), ("round", "square", "")


def rows(names=lambda letter, at: f"{letter}/{at:03d}.png"):
    """A row for each of the twelve images of each domain."""
    return [
        [names(letter, at), HAIR[at % 2], KIND[at % 3] if letter == "b" else "none"]
        for letter in "ab"
        for at in range(12)
    ]


def write(place, lines, heads=HEADS, name="table.csv"):
    path = place / name
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *lines])
    return path


def load(place, table):
    return prepare(folder_task(place, attributes=table), SIZES, place / "cache")


def test_columns_are_factors_of_the_images(place):
    task = folder_task(place, attributes=write(place, rows()))
    data = prepare(task, SIZES, place / "cache")
    assert data.factors == task.factors
    hair, kind = data.factors
    assert (hair.name, hair.values, hair.separate) == ("hair", ("dark", "fair"), False)
    assert (kind.name, kind.values, kind.separate) == ("kind", ("round", "square"), True)
    assert data.spec.kinds == 2
    for part, domains in task._shared(SIZES).items():
        for letter, items, domain in zip("ab", domains, data.domains[part], strict=True):
            for item, found in zip(items, domain.factors.tolist(), strict=True):
                at = int(item.path[-7:-4])
                told = letter == "b" and KIND[at % 3]  # an empty cell tells nothing
                assert found == [at % 2, KIND.index(told) if told else HIDDEN]
    assert "factors: hair, kind (separate); images without a row: 0" in data.facts["notes"]


def test_images_without_a_row_hide_all_factors(place):
    data = load(place, write(place, [row for row in rows() if "004" not in row[0]]))
    hidden = [
        (domain.factors == HIDDEN).all(1).sum() for of in data.domains.values() for domain in of
    ]
    assert sum(hidden) == 2
    assert "images without a row: 2" in data.facts["notes"][-1]


def test_columns_that_do_not_vary_are_no_factors(place):
    """One is constant, one is the domain itself, one varies in A only."""
    lines = [[*row, "yes", row[0][0], str(at % 2 * (at < 12))] for at, row in enumerate(rows())]
    data = load(place, write(place, lines, (*HEADS, "face", "domain", "half")))
    assert [factor.name for factor in data.factors] == ["hair", "kind"]
    assert "do not vary: face, domain, half;" in data.facts["notes"][-1]


def test_names_are_those_of_files_or_their_paths(place):
    """As a name where it is the only one, from the folder on, or whole; blanks do not count."""
    (place / "a" / "x").mkdir()
    for path in list((place / "a").glob("*.png")):
        path.rename(place / "a" / "x" / f"of a {path.name}")
    forms = {
        "name": lambda at: f"of a {at:03d}.png",
        "inner": lambda at: f"./x/of a {at:03d}.png",
        "folder": lambda at: f" a/x/of a {at:03d}.png",
        "whole": lambda at: f"{place}/a/x/of a {at:03d}.png",
    }
    found = set()
    for form, of_a in forms.items():
        lines = rows(lambda letter, at, of_a=of_a: of_a(at) if letter == "a" else f"{at:03d}.png")
        table = write(place, lines, name=f"{form}.csv")
        found.add(fingerprint(folder_task(place, attributes=table), SIZES))
    assert len(found) == 1


def test_celebas_own_format_may_list_other_images(place):
    for path in list((place / "a").glob("*.png")):
        path.rename(place / "a" / f"1{path.name}")
    names = [f"1{at:03d}.png" for at in range(12)] + [f"{at:03d}.png" for at in range(500)]
    lines = [
        f"{name}  {1 if at % 2 else -1} {1 if at % 3 else -1} 1" for at, name in enumerate(names)
    ]
    table = place / "list_attr.txt"
    table.write_text("\n".join([f"{len(lines)}", "Smiling separate:Round Young ", *lines]) + "\n")
    data = load(place, table)
    assert [(f.name, f.values, f.separate) for f in data.factors] == [
        ("Smiling", ("no", "yes"), False),
        ("Round", ("no", "yes"), True),
    ]


def test_a_separate_attribute_may_be_written_in_any_case(place):
    table = write(place, rows(), ("file", "hair", "Separate: kind"))
    assert [(f.name, f.separate) for f in load(place, table).factors] == [
        ("hair", False),
        ("kind", True),
    ]


def test_blank_lines_of_celebas_format_do_not_count(place):
    lines = [
        f"{row[0]} {1 if at % 2 else -1} {1 if at % 3 else -1}" for at, row in enumerate(rows())
    ]
    table = place / "list_attr.txt"
    table.write_text("\n".join(["24", "", "  ", "Smiling separate:Round", "", *lines, ""]))
    assert [(f.name, f.separate) for f in load(place, table).factors] == [
        ("Smiling", False),
        ("Round", True),
    ]


def test_the_table_is_part_of_the_fingerprint_and_its_name_is_not(place):
    plain = fingerprint(folder_task(place), SIZES)
    with_table = fingerprint(folder_task(place, attributes=write(place, rows())), SIZES)
    other = [[row[0], HAIR[at % 3 // 2], row[2]] for at, row in enumerate(rows())]
    moved = fingerprint(folder_task(place, attributes=write(place, rows(), name="t.csv")), SIZES)
    changed = fingerprint(folder_task(place, attributes=write(place, other)), SIZES)
    assert with_table == moved
    assert len({plain, with_table, changed}) == 3


def without_a_column(lines):
    return [row[:2] for row in lines]


BAD = {
    "empty": (lambda _: "", "no column with an attribute: expected a first line with a heading"),
    "names alone": (lambda lines: [[row[0]] for row in lines], "no column with an attribute"),
    "heads alone": (lambda _: "file,hair\n", "no row: expected one for each image"),
    "a cell is missing": (without_a_column, "line 2 has 2 columns, expected 3"),
    "no name of a column": (lambda _: "file,hair,\na/000.png,x,y\n", "a column has no name"),
    "twice a column": (lambda _: "file,kind,separate:kind\n", "'kind' is the name of two columns"),
    "twice": (lambda lines: [*lines, ["a/003.png", "dark", ""]], "'a/003.png' is there twice"),
    "unknown": (lambda lines: [*lines, ["z.png", "dark", ""]], "'z.png' is no image file in {a}"),
    "ambiguous": (lambda lines: [["003.png", *lines[0][1:]]], "'003.png' may be {a}/003.png or"),
    "many values": (
        lambda _: [[f"{'ab'[at // 30]}/{at % 30:03d}.png", f"{at}"] for at in range(60)],
        "'hair' has 60 values, expected at most 50",
    ),
    "nothing varies": (lambda lines: [[row[0], "x", "y"] for row in lines],
                       "no attribute varies (hair, kind): expected at least two values"),
    "celeba, other names": (lambda _: "1\nSmiling\nz.png 1\n", "it names none of the images"),
    "celeba, other values": (lambda _: "1\nSmiling\na/000.png 2\n", "line 3 has the value '2'"),
    "an open quote": (lambda _: 'file,hair\na/000.png,"x\n', "is no CSV"),
    "no text": (lambda _: b"\xff\xfe\x00", "no text in UTF-8"),
    "no file": (None, "cannot be read (No such file or directory)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_one_line(case, place):
    make, expected = BAD[case]
    table = place / "table.csv"
    if case == "many values":
        for seed, letter in enumerate("ab"):
            make_folder(place / letter, 30, seed)
    content = make(rows()) if make else None
    if isinstance(content, list):
        write(place, content, HEADS[: len(content[0])] if case != "a cell is missing" else HEADS)
    elif content is not None:
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as raised:
        fingerprint(folder_task(place, attributes=table), SIZES)
    said = str(raised.value)
    assert said.startswith(f"--attributes {table}: ")
    assert expected.format(a=place / "a") in said
    assert "\n" not in said


NAMES = [[f"/x/{letter}/{at}.png" for at in range(4)] for letter in "ab"]
WORDS = ["1", "-1", "4", "file", "separate:", "Separate:k", "hair", "0.png", "a/1.png", "b/2.png",
         "/x/b/3.png", "", " ", ",", "\n", "\r", "\n\n", '"', "\x00", "\u2028", "x"]  # fmt: skip


@settings(max_examples=150, derandomize=True, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(content=st.one_of(st.lists(st.sampled_from(WORDS)).map("".join).map(str.encode),
                         st.lists(st.sampled_from(WORDS)).map(" ".join).map(str.encode),
                         st.binary(max_size=40)))  # fmt: skip
def test_any_table_is_factors_or_one_line(content, tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    try:
        found = read_attributes(table, [Path("/x/a"), Path("/x/b")], NAMES, [*map(set, NAMES)])
    except UserError as error:
        said = str(error)
        assert_one_line(said, table)
    else:
        assert found.factors
        assert all(len(row) == len(found.factors) for row in found.values.values())


def assert_one_line(said, table):
    assert said.startswith(f"--attributes {table}: ")
    assert len(said.splitlines()) == 1


def test_a_run_records_the_table_and_a_bad_one_ends_it(place, inside):
    table = write(place, rows())
    images = ("--task", "folder", "--a", place / "a", "--b", place / "b")
    where = ("--results", place / "r", "--cache-dir", place / "c")
    done = inside("run", *images, "--attributes", table, *TINY, "--methods", "copy-source",
                  "--metrics", "rec_l1_a,tr_common_acc", *where)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "factors: hair, kind (separate)" in done.stdout
    (record,) = (place / "r" / "records").glob("copy-source-*.json")
    said = json.loads(record.read_text())
    assert said["environment"]["options"]["attributes"] == str(table)
    assert said["metrics"]["tr_common_acc"]["status"] in ("ok", "unavailable")
    bad = inside("run", *images, "--attributes", place / "none.csv", *TINY, "--dry-run", *where)
    assert bad.returncode == 2
    assert bad.stderr == (
        f"error: --attributes {place / 'none.csv'}: cannot be read (No such file or directory)\n"
    )
    wrong = inside("run", "--attributes", table, "--dry-run", *where)
    assert wrong.returncode == 2
    assert "--attributes: task avatars-glasses does not take this option" in wrong.stderr
    shown = inside("data", "show", *images[1:2], *images[2:], "--attributes", table, "--profile",
                   "smoke", "--cache-dir", place / "c", "--out", place / "s.png")  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "kind (separate)" in shown.stdout


def test_factors_of_the_cache_are_those_of_the_table(place):
    table = write(place, rows())
    first = load(place, table)
    again = load(place, table)
    assert first.pixel_hash == again.pixel_hash
    for part, domains in first.domains.items():
        for one, other in zip(domains, again.domains[part], strict=True):
            assert one.factors.dtype == torch.int64
            assert torch.equal(one.factors, other.factors)

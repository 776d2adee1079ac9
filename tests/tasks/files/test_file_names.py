"""Images are matched with pairs by the numbers in their names."""

from __future__ import annotations

import random

import pytest

from bench.tasks.files.file_names import in_order
from bench.utils.errors import UserError
from tests.helpers import TINY, rows
from tests.pictures import save_images

COUNTED = {
    "cyclegan": "{}_fake_B.png",
    "windows": "img ({}).png",
    "epochs": "epoch200_{}.png",
    "suffix": "{}-out.png",
    "version": "v1.5_{}.png",
    "other digits": "\u56fe{}.png",
}


@pytest.mark.parametrize("case", [case for case in COUNTED if case != "other digits"])
def test_copied_sources_do_no_harm_whatever_their_names(case, inside, faces, tmp_path):
    """Case 1: the sources themselves, named as tools name them."""
    a, b = (domain.images for domain in faces.domains["test"])
    name = COUNTED[case]
    done = inside("score-images", "--name", "copied", "--images",
                  f"add={save_images(tmp_path / 'a', a, name)}", "--images",
                  f"remove={save_images(tmp_path / 'b', b, name)}", *TINY,
                  "--results", tmp_path / "r", "--metrics", "counterfactual")  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = rows(tmp_path / "r")
    for of in ("harm_out_add", "skill_in_add", "harm_out_remove", "skill_in_remove"):
        assert float(table["copied", f"cf_{of}"]["value"]) == 0, of


@pytest.mark.parametrize("case", COUNTED)
@pytest.mark.parametrize("first", [0, 1, 95])
def test_names_that_count_up_come_in_the_order_of_their_numbers(case, first):
    """Case 1."""
    wide = {ord("0") + digit: 0xFF10 + digit for digit in range(10 * (case == "other digits"))}
    names = [COUNTED[case].format(str(at).translate(wide)) for at in range(first, first + 32)]
    mixed = random.Random(0).sample(names, len(names))
    assert in_order(mixed, "x") == names


PLAIN = {
    "zeros": [f"{at:03d}.png" for at in range(32)],
    "two numbers": [f"p{at // 4:02d}_{at % 4}.png" for at in range(32)],
    "gaps": [f"{at * 7:04d}.jpg" for at in range(32)],
    "words": ["anna.png", "bob.png", "zoe.png"],
    "suffixes": ["1.jpg", "2.png"],
    "one": ["12.png"],
}


@pytest.mark.parametrize("case", PLAIN)
def test_names_whose_text_and_numbers_agree_come_in_that_order(case):
    names = PLAIN[case]
    assert in_order(names[::-1], "x") == names


UNCLEAR = {
    "same number": ["1.png", "01.png", "2.png"],
    "same number in other digits": ["1.png", "\u0661.png"],
    "same number, other kind": ["2.png", "002.png", "10.png"],
    "gaps": ["5.png", "10.png", "100.png"],
    "fractions": ["t0.5.png", "t0.25.png", "t0.125.png"],
    "two numbers": ["e9_1.png", "e10_1.png", "e9_2.png"],
    "hashes": ["a9f3.png", "a10b.png"],
    "same name": ["\u00e9.png", "e\u0301.png"],
    "accents": ["e\u0301.png", "f.png"],
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_names_of_more_than_one_order_are_refused(case):
    """Case 1: whichever order was meant, nobody is scored against the wrong pairs."""
    with pytest.raises(UserError, match=r"^x: .* (rename one of them|as in 00002\.png)$"):
        in_order(UNCLEAR[case], "x")

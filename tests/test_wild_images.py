"""Image files and folders as people have them: cameras, editors, systems, and their names.

The numbers of cases are those of kinds of input that failed in use.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.contracts.task import PARTS, DataSizes, Options
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.celeba import CelebaGlasses
from bench.tasks.files.decode import open_image, read_rgb, treatment
from bench.tasks.files.file_names import in_order
from bench.tasks.files.index import image_files, inspect_files
from bench.tasks.user_folders import Folder
from bench.utils.errors import UserError

from .conftest import TINY, rows
from .pictures import make_celeba, make_folder, picture

SIZES = DataSizes(size=16, train=64, probe=64, test=64)
COLOUR = (200, 80, 40)


@pytest.fixture
def place(tmp_path):
    """Two folders of twelve good images."""
    make_folder(tmp_path / "a", 12, seed=0)
    make_folder(tmp_path / "b", 12, seed=1)
    return tmp_path


def folder(place, **more):
    return Folder(Options(a=place / "a", b=place / "b", **more))


# --- case 1: which ready-made picture belongs to which pair ---------------------------------------

COUNTED = {
    "cyclegan": "{}_fake_B.png",
    "windows": "img ({}).png",
    "epochs": "epoch200_{}.png",
    "suffix": "{}-out.png",
    "version": "v1.5_{}.png",
    "other digits": "\u56fe{}.png",
}


def save(folder, images, name):
    """Write uint8 (n, 3, S, S) as files; name says how the number of each becomes its name."""
    folder.mkdir(parents=True)
    for at, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name(at))
    return folder


@pytest.mark.parametrize("case", [case for case in COUNTED if case != "other digits"])
def test_copied_sources_do_no_harm_whatever_their_names(case, inside, faces, tmp_path):
    """Case 1: the sources themselves, named as tools name them."""
    a, b = (domain.images for domain in faces.domains["test"])
    name = COUNTED[case].format
    done = inside("score-images", "--name", "copied", "--images",
                  f"add={save(tmp_path / 'a', a, name)}", "--images",
                  f"remove={save(tmp_path / 'b', b, name)}", *TINY, "--results", tmp_path / "r",
                  "--metrics", "counterfactual")  # fmt: skip
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


# --- case 5: sub-folders that are called after parts ----------------------------------------------


def in_parts(place, *names, of="ab"):
    for seed, domain in enumerate(of):
        make_folder(place / domain, 18, seed, sub=lambda at: names[at % len(names)])
    return place


@pytest.mark.parametrize("names", [("Train", "Probe", "Test"), ("TRAIN", "PROBE", "TEST")])
def test_parts_are_known_whatever_the_case_of_their_letters(names, tmp_path):
    """Case 5."""
    plain = folder(in_parts(tmp_path / "plain", *PARTS), split="folder")
    task = folder(in_parts(tmp_path / "loud", *names), split="folder")
    for part, name in zip(PARTS, names, strict=True):
        found = {item.path.split("/")[-2] for of in task._shared(SIZES)[part] for item in of}
        assert found == {name}
    assert fingerprint(task, SIZES) == fingerprint(plain, SIZES)


def test_the_case_of_letters_may_differ_between_domains(tmp_path):
    in_parts(tmp_path, "train", "Probe", "TEST", of="a")
    make_folder(tmp_path / "b", 18, 1, sub=lambda at: ("Train", "probe", "Test")[at % 3])
    shared = folder(tmp_path, split="folder")._shared(SIZES)
    assert [[len(of) for of in shared[part]] for part in PARTS] == [[6, 6]] * 3


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
    with pytest.raises(UserError, match=r"--split folder: sub-folders .* expected train, probe"):
        fingerprint(folder(in_parts(tmp_path, *names), split="folder"), SIZES)


def test_a_line_on_sub_folders_names_the_odd_one_among_many(tmp_path):
    people = [f"person {at}" for at in range(17)]
    with pytest.raises(UserError, match=r"sub-folders valid, person 0, .* and 10 more: expected"):
        fingerprint(folder(in_parts(tmp_path, *people, "valid"), split="folder"), SIZES)


def test_people_and_things_whose_names_begin_like_parts_are_groups(tmp_path):
    names = ("Valentina", "Tess", "Prudence", "brain", "contest", "rain", "subject 1", "latest",
             "Val Kilmer")  # fmt: skip
    task = folder(in_parts(tmp_path, *names), split="folder")
    assert fingerprint(task, SIZES)


# --- case 6: one name, stored in two ways ---------------------------------------------------------

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
    task = folder(tmp_path, split="folder")
    shared = task._shared(SIZES)
    groups = [{item.group for of in shared[part] for item in of} for part in PARTS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == len(PEOPLE)
    assert fingerprint(task, SIZES) == fingerprint(folder(plain, split="folder"), SIZES)


def test_a_task_has_one_name_however_its_folder_is_stored(tmp_path):
    """Case 6: else one board would be two, and nobody could type the other name."""
    stored = [unicodedata.normalize(form, "\u00e4lter") for form in ("NFC", "NFD")]
    names = [Folder(Options(a=tmp_path / name, b=tmp_path / "b")).name for name in stored]
    assert names == ["folder:\u00e4lter+b"] * 2


def test_an_angstrom_is_a_letter(tmp_path):
    """Case 6: a third way to write the same name."""
    make_folder(tmp_path / "a", 24, 0, sub=lambda at: ["\u212bsa", "b", "c", "d"][at // 6])
    make_folder(tmp_path / "b", 24, 1, sub=lambda at: ["\u00c5sa", "b", "c", "d"][at // 6])
    groups = {item.group for of in folder(tmp_path, split="folder")._unique_items for item in of}
    assert groups == {"\u00c5sa", "b", "c", "d"}


# --- case 7: what is said of a run is of this run -------------------------------------------------


def cut_short(path, seed=5):
    """Write a picture whose header is sound and whose pixels are not all there."""
    picture(seed, (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def ran(inside, place, results):
    done = inside("run", "--task", "folder", "--a", place / "a", "--b", place / "b", "--skip-bad",
                  *TINY, "--methods", "copy-source", "--metrics", "rec_l1_a", "--results",
                  place / results, "--cache-dir", place / "c")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (place / results / "records").glob("*.json")
    (note,) = [line for line in done.stdout.splitlines() if "left out" in line]
    return note, json.loads(record.read_text())["facts"]["task"]


def test_a_run_names_the_files_that_it_left_out_itself(inside, place):
    """Case 7: one broken file; then that one gone and three others broken."""
    (place / "a" / "x.png").write_text("")
    note, facts = ran(inside, place, "first")
    assert "left out 1: " in note
    assert "a/x.png" in note
    (place / "a" / "x.png").unlink()
    for name in ("p.png", "q.png", "r.png"):
        (place / "b" / name).write_text("no image")
    (place / "b" / "notes.txt").write_text("")
    shutil.copy(place / "b" / "000.png", place / "b" / "copy.png")
    note, facts = ran(inside, place, "second")
    assert "left out 3: " in note
    assert "x.png" not in note
    assert facts["skipped"]["count"] == 3
    assert [line.partition(": ")[0] for line in facts["skipped"]["first"]] == [
        str(place / "b" / name) for name in ("p.png", "q.png", "r.png")
    ]
    assert facts["duplicates"] == 1
    assert "files that are not images, by the ends of their names: 1 .txt" in facts["notes"]
    for results, left_out in (("first", 1), ("second", 3)):  # a record speaks of what made it
        done = inside("score", "--metrics", "cf_harm_out_add", "--results", place / results,
                      "--cache-dir", place / "c")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        (record,) = (place / results / "records").glob("*.json")
        assert json.loads(record.read_text())["facts"]["task"]["skipped"]["count"] == left_out


def test_what_is_broken_inside_is_named_where_it_is_now(place):
    """Case 7: images come from the cache, the name of the file from this run."""
    cut_short(place / "a" / "x.png")
    cut_short(place / "a" / "y.jpg", seed=6)
    options = {"skip_bad": True, "cache": place / "cache"}
    before = prepare(folder(place, **options), SIZES, place / "cache")
    assert before.facts["skipped"]["count"] == 2
    (place / "a" / "x.png").rename(place / "a" / "renamed.png")
    made = []
    task = folder(place, **options)
    after = prepare(task, SIZES, place / "cache", progress=lambda *n: made.append(n))
    assert not made
    assert after.fingerprint == before.fingerprint
    first = [line.partition(": ")[0] for line in after.facts["skipped"]["first"]]
    assert first == [str(place / "a" / name) for name in ("renamed.png", "y.jpg")]
    assert {key: after.facts[key] for key in ("images", "resize", "split")} == {
        key: before.facts[key] for key in ("images", "resize", "split")
    }


def test_without_skip_bad_a_broken_file_is_refused_though_images_are_cached(place):
    """Case 7: the cache was filled by a run that left it out."""
    cut_short(place / "a" / "x.png")
    prepare(folder(place, skip_bad=True), SIZES, place / "cache")
    with pytest.raises(
        UserError, match=r"a/x.png: no image that can be read \(image file is trunc"
    ):
        prepare(folder(place), SIZES, place / "cache")


def test_celeba_names_the_files_of_this_run(tmp_path, monkeypatch):
    """Case 7: where files are chosen instead of others."""
    made = make_celeba(tmp_path / "celeba", 60)
    monkeypatch.setattr("bench.tasks.celeba.checksums", lambda: made)
    sizes, photos = DataSizes(32, 16, 4, 4), tmp_path / "celeba" / "img_align_celeba"

    def task(**more):
        return CelebaGlasses(Options(data_root=tmp_path, **more))

    path = photos / task()._shared(sizes)["train"][0][0].path.rpartition("/")[2]
    path.write_bytes(path.read_bytes()[:-500])
    for _ in range(2):
        data = prepare(task(skip_bad=True), sizes, tmp_path / "cache")
        assert data.facts["skipped"]["count"] == 1
        assert str(path) in data.facts["skipped"]["first"][0]
        assert data.facts["train"] == "each image and its mirror image"
    with pytest.raises(UserError, match=rf"{path.name}: no image that can be read"):
        prepare(task(), sizes, tmp_path / "cache")


def test_a_refusal_does_not_outlive_what_refused(place, monkeypatch):
    """Case 7: another Pillow, or one that is built with more, looks again."""
    path = str(place / "a" / "000.png")
    looked = []

    def refuse(image):
        looked.append(image)
        return "a kind that this Pillow cannot read"

    def seen():
        return inspect_files([path], place / "cache", "a")[0].reason

    with monkeypatch.context() as patch:
        patch.setattr("bench.tasks.files.decode._why_not", refuse)
        assert seen() == seen() == f"{path}: a kind that this Pillow cannot read"
    assert len(looked) == 1
    assert seen().endswith("cannot read"), "the same Pillow need not look again"
    monkeypatch.setattr("bench.tasks.files.index.reader", lambda: ["pillow 99"])
    assert seen() == ""


# --- case 9: alpha and colour of files ------------------------------------------------------------

MASKS = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
BGR = bytes(COLOUR[::-1])


def bmp(path, header, bits, masks, pixels, compression=3):
    """Write a bitmap of 24 x 16 pixels by hand."""
    sizes = (header, 24, 16, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    info = (struct.pack("<IiiHHIIiiII", *sizes) + masks).ljust(header if header > 40 else 0, b"\0")
    at = 14 + len(info)
    path.write_bytes(b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + info + pixels)
    return path


def bmp_565(path):
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    return bmp(path, 40, 16, masks, struct.pack("<H", 25 << 11 | 20 << 5 | 5) * 384)


def bmp_555(path):
    return bmp(path, 40, 16, b"", struct.pack("<H", 25 << 10 | 10 << 5 | 5) * 384, compression=0)


def with_alpha(header, *alphas):
    """Return what writes a bitmap whose pixels have these alphas by turns."""
    row = b"".join(BGR + bytes((alpha,)) for alpha in alphas)
    return lambda path: bmp(path, header, 32, MASKS, row * (384 // len(alphas)))


BITMAPS = {
    "v5, all clear": (with_alpha(124, 0), COLOUR),
    "v4, all clear": (with_alpha(108, 0), COLOUR),
    "v5, opaque": (with_alpha(124, 255), COLOUR),
    "v5, half": (with_alpha(124, 51), (244, 220, 212)),
    "5-6-5": (bmp_565, (205, 80, 41)),
    "5-5-5": (bmp_555, (205, 82, 41)),
}


@pytest.mark.parametrize("case", BITMAPS)
def test_bitmaps_are_read_as_viewers_show_them(case, tmp_path):
    """Case 9."""
    write, expected = BITMAPS[case]
    path = write(tmp_path / "x.bmp")
    assert inspect_files([str(path)], None, "")[0].reason == ""
    assert read_rgb(path).getcolors() == [(384, expected)]


def test_some_clear_pixels_are_clear(tmp_path):
    path = with_alpha(124, 0, 255)(tmp_path / "x.bmp")
    assert sorted(read_rgb(path).getcolors()) == [(192, COLOUR), (192, (255, 255, 255))]


def test_a_png_that_is_all_clear_is_white(tmp_path):
    Image.new("RGBA", (24, 16), (*COLOUR, 0)).save(tmp_path / "x.png")
    assert read_rgb(tmp_path / "x.png").getcolors() == [(384, (255, 255, 255))]


SRGB = [(0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]
P3 = [(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)]


def profile(primaries, curve, space=b"RGB "):
    """Return an ICC profile by its primaries and its curve: a gamma, or a table."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    points = [round(curve * 256)] if isinstance(curve, float) else curve
    tone = b"curv\0\0\0\0" + struct.pack(f">I{len(points)}H", len(points), *points)
    parts = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text\0\0\0\0-\0",
        b"wtpt": xyz(0.9642, 1, 0.8249),
    }
    if space == b"GRAY":
        parts[b"kTRC"] = tone
    else:
        for letter, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
            parts |= {letter + b"XYZ": xyz(*primary), letter + b"TRC": tone}
    return icc_file(parts, b"mntr", space, b"XYZ ")


def icc_file(parts, device, space, pcs):
    table, body, at = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for key, value in parts.items():
        table += struct.pack(">4sII", key, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02100000, device, space, pcs)
    head = head.ljust(36, b"\0") + b"acsp".ljust(32, b"\0")
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def srgb_table(size=1024):
    """Return the curve of sRGB as its oldest profile has it."""
    x = np.linspace(0, 1, size)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype(int).tolist()


def built_in():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))


SAME = {
    "none": None,
    "built in": built_in(),
    "a table": profile(SRGB, srgb_table()),
    "damaged": profile(P3, 2.2)[:200],
    "text": b"no profile",
    "empty": b"",
    "of greys": profile((), 2.2, b"GRAY"),
}


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_no_profile_and_that_of_srgb_leave_every_pixel_as_it_is(case, kind, tmp_path):
    """Case 9: so does one that cannot be used."""
    path, image = tmp_path / f"x.{kind}", noise()
    image.save(path, icc_profile=SAME[case], **({"lossless": True} if kind == "webp" else {}))
    assert np.array_equal(np.asarray(read_rgb(path)), np.asarray(image))
    with open_image(path) as again:
        assert treatment(again) == ""


def inside_of(icc, colour=COLOUR):
    """Return a picture whose numbers mean a colour of sRGB by a profile."""
    image = Image.new("RGB", (24, 16), colour)
    to = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), to)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("icc", [profile(P3, 2.2), profile(P3, srgb_table()), profile(SRGB, 1.8)],
                         ids=["P3", "Display P3", "gamma 1.8"])  # fmt: skip
def test_colours_are_those_that_the_profile_says(kind, icc, tmp_path):
    """Case 9: they were up to 16 of 255 off."""
    image = inside_of(icc)
    assert max(abs(a - b) for a, b in zip(image.getpixel((0, 0)), COLOUR, strict=True)) > 4
    image.save(tmp_path / f"x.{kind}", icc_profile=icc, quality=100)
    shown = read_rgb(tmp_path / f"x.{kind}").getpixel((9, 9))
    assert max(abs(a - b) for a, b in zip(shown, COLOUR, strict=True)) <= 3
    with open_image(tmp_path / f"x.{kind}") as again:
        assert treatment(again) == "srgb"


def test_a_profile_is_followed_in_greys_palettes_and_under_transparency(tmp_path):
    """Case 9: white and black stay, the middle of gamma 1.8 is lighter than that of sRGB."""
    icc = profile((), 1.8, b"GRAY")
    grey = Image.new("L", (24, 16), 100)
    grey.save(tmp_path / "grey.png", icc_profile=icc)
    expected = 255 * (1.055 * (100 / 255) ** (1.8 / 2.4) - 0.055)
    assert read_rgb(tmp_path / "grey.png").getpixel((0, 0)) == pytest.approx((expected,) * 3, abs=2)
    for level in (0, 255):
        Image.new("L", (24, 16), level).save(tmp_path / "end.png", icc_profile=icc)
        assert read_rgb(tmp_path / "end.png").getcolors() == [(384, (level,) * 3)]
    p3 = profile(P3, 2.2)
    solid = inside_of(p3)
    solid.quantize(4).save(tmp_path / "palette.png", icc_profile=p3)
    assert read_rgb(tmp_path / "palette.png").getpixel((0, 0)) == pytest.approx(COLOUR, abs=3)
    solid.putalpha(51)
    solid.save(tmp_path / "alpha.png", icc_profile=p3)
    over = [round(255 + (value - 255) / 5) for value in COLOUR]
    assert read_rgb(tmp_path / "alpha.png").getpixel((0, 0)) == pytest.approx(over, abs=2)


def print_profile():
    """Return a profile of a printer by a table of two points an ink: inks only darken."""
    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    light = (1 - inks[:, 3]) * (1 - inks[:, :3].sum(1) / 3)
    lab = np.stack([255 * light, np.full(16, 128), np.full(16, 128)], axis=1).round()
    even = bytes(range(256))
    one = struct.pack(">9i", *[65536 * (at % 4 == 0) for at in range(9)])
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + one
    table += even * 4 + lab.astype(np.uint8).tobytes() + even * 3
    parts = {b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)}
    parts |= {b"A2B0": table, b"A2B1": table}
    return icc_file(parts, b"prtr", b"CMYK", b"Lab ")


def test_the_inks_of_a_printer_are_those_that_its_profile_says(tmp_path):
    """Case 9: half of the black is a lightness of 50, and no pixel becomes lighter than paper."""
    for black, grey in ((0, 255), (128, 118), (255, 0)):
        image = Image.new("CMYK", (24, 16), (0, 0, 0, black))
        image.save(tmp_path / "x.tif", icc_profile=print_profile())
        shown = read_rgb(tmp_path / "x.tif").getpixel((0, 0))
        assert shown == pytest.approx((grey,) * 3, abs=2)
    image.save(tmp_path / "x.jpg", icc_profile=profile(P3, 2.2), quality=100)
    assert read_rgb(tmp_path / "x.jpg").getpixel((0, 0)) == pytest.approx((0, 0, 0), abs=2)


def test_files_that_are_read_otherwise_now_make_another_task(place):
    """Case 9: a cache or record of the old pixels is not taken for one of the new."""
    plain = inspect_files([str(place / "a" / "000.png")], None, "")[0].digest
    assert len(plain) == 32
    picture(3).save(place / "a" / "p3.png", icc_profile=profile(P3, 2.2))
    with_alpha(124, 0)(place / "a" / "clear.bmp")
    seen = inspect_files([str(place / "a" / name) for name in ("p3.png", "clear.bmp")], None, "")
    assert [s.digest[32:] for s in seen] == ["srgb", "opaque"]


# --- case 18: metadata that Pillow cannot write back ----------------------------------------------


def exif(*entries):
    """Return a block of EXIF: (tag, type, count, bytes) each."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    at, body, data = 14 + 12 * len(entries), b"", b""
    for tag, kind, count, raw in sorted(entries):
        value = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", at + len(data))
        data += raw if len(raw) > 4 else b""
        body += struct.pack("<HHI", tag, kind, count) + value
    return b"Exif\0\0" + head + body + b"\0\0\0\0" + data


TURNED = (0x0112, 3, 1, struct.pack("<H", 6))
ODD = {
    "a rational as text": (0x010E, 5, 2, b"\xff" * 16),
    "a float as resolution": (0x011A, 11, 2, b"\xff" * 8),
    "text as a number": (0x0213, 2, 2, b"\xff\xff"),
    "a folder that begins before the file": (0x8769, 9, 2, b"\xff" * 8),
}


def lying():
    """Return a picture to be turned right: then it is black above and white below."""
    image = Image.new("RGB", (40, 30), "white")
    image.paste("black", (0, 0, 20, 30))
    return image


def is_upright(image):
    return image.size == (30, 40) and [image.getpixel((15, y))[0] for y in (5, 35)] == [0, 255]


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_picture_is_turned_whatever_else_its_metadata_hold(case, kind, tmp_path):
    """Case 18: the pixels are sound."""
    path = tmp_path / f"x.{kind}"
    lying().save(path, exif=exif(TURNED, ODD[case]), lossless=True)
    assert is_upright(read_rgb(path))


@pytest.mark.parametrize("skip_bad", [False, True])
def test_such_a_picture_is_used_with_and_without_skip_bad(skip_bad, place):
    """Case 18: it was refused in a line that named --skip-bad, with --skip-bad too."""
    lying().save(place / "a" / "x.jpg", exif=exif(TURNED, ODD["a rational as text"]), quality=100)
    data = prepare(folder(place, skip_bad=skip_bad), SIZES, place / "cache")
    assert "skipped" not in data.facts
    assert sum(of[0] for of in data.facts["images"].values()) == 13


@pytest.mark.parametrize("block", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"x"])
def test_a_picture_whose_metadata_cannot_be_read_is_used_as_it_lies(block, tmp_path):
    """Case 18: nothing says that it is to be turned."""
    lying().save(tmp_path / "x.png", exif=block)
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "x.png")), np.asarray(lying()))


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation, tmp_path):
    from PIL import ImageOps

    noise().save(tmp_path / "x.png", exif=exif((0x0112, 3, 1, struct.pack("<H", orientation))))
    with Image.open(tmp_path / "x.png") as image:
        expected = ImageOps.exif_transpose(image)
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "x.png")), np.asarray(expected))


# --- case 21: few images --------------------------------------------------------------------------


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


# --- case 22: one folder inside the other ---------------------------------------------------------


def nested(place):
    (place / "b").rename(place / "a" / "b")
    return place / "a", place / "a" / "b"


def deeper(place):
    (place / "a" / "x" / "y").mkdir(parents=True)
    (place / "b").rename(place / "a" / "x" / "y" / "b")
    return place / "a", place / "a" / "x" / "y" / "b"


def linked(place):
    (place / "a" / "more").symlink_to(place / "b")
    return place / "a", place / "b"


def through_a_link(place):
    (place / "b").rename(place / "a" / "b")
    (place / "also a").symlink_to(place / "a")
    return place / "also a", place / "a" / "b"


@pytest.mark.parametrize("make", [nested, deeper, linked, through_a_link])
@pytest.mark.parametrize("turned", [False, True])
def test_one_folder_inside_the_other_is_said(make, turned, place, inside):
    """Case 22: it said "X: the same image as X"."""
    outer, inner = make(place)
    a, b = (inner, outer) if turned else (outer, inner)
    done = inside("run", "--task", "folder", "--a", a, "--b", b, *TINY, "--results", place / "r",
                  "--cache-dir", place / "c")  # fmt: skip
    which = ("--a", "--b") if turned else ("--b", "--a")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {which[0]} {inner} is inside {which[1]} {outer}, so its images would be in both "
        "domains: give two folders of which neither contains the other, not even by a link\n"
    )


def test_folders_side_by_side_of_similar_names_are_two(tmp_path):
    for seed, name in enumerate(("faces", "faces2")):
        make_folder(tmp_path / name, 12, seed)
    assert fingerprint(Folder(Options(a=tmp_path / "faces", b=tmp_path / "faces2")), SIZES)


# --- case 23: stray files and folders -------------------------------------------------------------


def test_only_images_count_among_ready_made_ones(inside, faces, tmp_path):
    """Case 23."""
    truth = save(tmp_path / "add", faces.truth.add, "{:05d}.png".format)
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "pairs.csv", "._00001.png"):
        (truth / name).write_text("")
    (truth / "@eaDir").mkdir()
    arguments = ("score-images", "--name", "mine", "--images", f"add={truth}", *TINY, "--results",
                 tmp_path / "r", "--metrics", "cf_skill_in_add")  # fmt: skip
    assert inside(*arguments).returncode == 0
    assert float(rows(tmp_path / "r")["mine", "cf_skill_in_add"]["value"]) == 1
    (truth / "00007.png").rename(truth / "00007.npy")
    refused = inside(*arguments)
    assert refused.returncode == 2
    assert "31 images (not images: 00007.npy, Thumbs.db, desktop.ini, ...), expected 32" in (
        refused.stderr
    )


STRAY = ["@eaDir", "#recycle", "__MACOSX", ".thumbnails", "lost+found", "$RECYCLE.BIN", "@Recycle",
         "#SNAPSHOT", "System Volume Information", ".Trashes"]  # fmt: skip


@pytest.mark.parametrize("name", STRAY)
def test_what_systems_keep_in_folders_is_left_out(name, place):
    """Case 23: thumbnails of a NAS were trained on."""
    before = fingerprint(folder(place), SIZES)
    make_folder(place / "a" / "deep" / name / "x", 3, seed=9)
    task = folder(place)
    data = prepare(task, SIZES, place / "cache")
    assert data.fingerprint == before
    said = [note for note in data.facts["notes"] if "folders of the system" in note]
    assert len(said) == (name[0] != ".")
    assert all(f"a/deep/{name}" in note for note in said)


def test_a_folder_that_is_given_is_read_whatever_its_name(tmp_path):
    make_folder(tmp_path / "@eaDir", 3, seed=9)
    assert len(image_files(tmp_path / "@eaDir").paths) == 3

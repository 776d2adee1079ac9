"""Damaged files, by the hundred: each ends in pixels or in one line, and never in anything else."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bench.contracts.task import PARTS, DataSizes, Options
from bench.tasks import celeba
from bench.tasks.files.decode import SUFFIXES, BadImageError, as_rgb, open_image, treatment
from bench.tasks.files.index import inspect_files
from bench.utils.errors import UserError
from tests.pictures import make_celeba, picture

EXAMPLES = {"max_examples": 60, "derandomize": True, "deadline": None, "database": None,
            "suppress_health_check": [HealthCheck.function_scoped_fixture]}  # fmt: skip
MANY = EXAMPLES | {"max_examples": 3000}
SIZES = DataSizes(size=32, train=16, probe=4, test=4)


def exif():
    block = Image.Exif()
    block[0x0112], block[0x010E], block[0x011A] = 6, "a camera", 72.0
    return block.tobytes()


def seeds(suffix):
    """Return valid files of a kind: plain, and with all that such a file can hold."""
    kind = Image.registered_extensions()[f".{suffix}"]
    solid = picture(0, (24, 16))
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"icc_profile": icc, "exif": exif(), "dpi": (72, 72)}
    ways = [(solid, {}), (solid.convert("L"), {}), (solid.convert("P"), {})]
    if kind in ("PNG", "WEBP", "TIFF"):
        ways += [(solid.convert("RGBA"), more)]
    if kind == "PNG":
        ways += [(solid.quantize(4), {"transparency": 1}), (solid.convert("1"), {})]
    if kind == "TIFF":
        ways += [(solid, {"compression": "tiff_lzw"}), (solid, {"compression": "jpeg"})]
    if kind == "JPEG":
        ways = [(solid, more), (solid, {"progressive": True}), (solid.convert("CMYK"), more)]
    if kind == "BMP":
        ways += [(solid.convert("RGBA"), {})]
    if kind == "PPM":
        ways = [(solid, {}), (solid.convert("L"), {}), (solid.convert("1"), {})]
    made = []
    for image, options in ways:
        file = io.BytesIO()
        image.save(file, kind, **options)
        made.append(file.getvalue())
    return made


def damaged(files):
    """Give one of some files with a few bytes changed, lost, doubled or cut off at the end."""
    return st.builds(damage, st.sampled_from(files), st.randoms(use_true_random=True))


def damage(content, chance):
    content = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4, 8))):
        # what decides stands in front: every other time it is among the first bytes
        at = chance.randrange(len(content) if chance.random() < 0.5 else min(len(content), 96))
        many = chance.randint(1, 8)
        match chance.choice(
            ("flip", "flip", "any", "edge", "copy", "copy", "lose", "double", "cut")
        ):
            case "flip":
                content[at] ^= 1 << many - 1
            case "any":
                content[at : at + many] = chance.randbytes(many)
            case "edge":
                content[at] = chance.choice((0, 1, 127, 128, 255))
            case "copy":
                content[at] = chance.choice(content)
            case "lose":
                del content[at : at + many]
            case "double":
                content[at:at] = content[at : at + many]
            case "cut":
                del content[chance.randrange(len(content)) :]
        if not content:
            break
    return bytes(content)


def read(path, content):
    """Return whether damaged content is an image all the same."""
    path.write_bytes(content)
    said = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (seen,) = inspect_files([str(path)], None, "")
        try:
            with open_image(path) as image:
                word = treatment(image)
                made = as_rgb(image)
        except BadImageError as error:
            said = str(error)
    if said:
        assert said.startswith(f"{path}: ")
        assert len(said.splitlines()) == 1
        return False
    assert word in ("", "srgb", "opaque")
    assert made.mode == "RGB"
    assert np.asarray(made).shape == (*made.size[::-1], 3)
    assert not seen.reason or min(made.size) < 8
    return True


def check_images(suffix, tmp_path, limits):
    """Damage files of a kind; look whether each ends in one of the two ways, and both occur."""
    ends = set()

    @settings(**limits)
    @given(damaged(seeds(suffix)))
    def check(content):
        ends.add(read(tmp_path / f"x.{suffix}", content))

    for content in seeds(suffix):
        assert read(tmp_path / f"x.{suffix}", content)
    check()
    assert ends == {True, False}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_image_gives_pixels_or_one_line(suffix, tmp_path):
    """Cases 9 and 18: whatever colours and metadata say."""
    check_images(suffix, tmp_path, EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_thousands_of_damaged_images_give_pixels_or_one_line(suffix, tmp_path):
    check_images(suffix, tmp_path, MANY)


# --- the files of CelebA --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_celeba(folder / "celeba", 60)
    return folder


def check_celeba(name, split, root, limits):
    """Damage a file whose checksum is right all the same."""
    path: Path = root / "celeba" / name
    whole = path.read_bytes()
    ends = set()

    @settings(**limits)
    @given(damaged([whole]))
    def check(content):
        path.write_bytes(content)
        sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest()
                for file in (root / "celeba").glob("*.txt")}  # fmt: skip
        said = ""
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("error")
            patch.setattr(celeba, "checksums", lambda: sums | {"img_align_celeba.zip": ""})
            task = celeba.CelebaGlasses(Options(data_root=root, split=split, skip_bad=True))
            try:
                shared = task._shared(SIZES)
            except UserError as error:
                said = str(error)
        ends.add("refused" if said else "read")
        if said:
            assert len(said.splitlines()) == 1
            return
        parts = [part for part in PARTS if part != "val" or split == "identity"]  # else of train
        people = [{item.group for of in shared[part] for item in of} for part in parts]
        assert sum(map(len, people)) == len(set.union(*people))
        assert all(Path(i.path).is_file() for part in PARTS for of in shared[part] for i in of)

    try:
        check()
    finally:
        path.write_bytes(whole)
    assert ends == {"read", "refused"}


FILES = {"list_attr_celeba.txt": "official", "list_eval_partition.txt": "official",
         "identity_CelebA.txt": "identity"}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_celeba_is_read_or_refused(name, root):
    check_celeba(name, FILES[name], root, EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_thousands_of_damaged_files_of_celeba_are_read_or_refused(name, root):
    check_celeba(name, FILES[name], root, MANY | {"max_examples": 1000})

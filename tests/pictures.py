"""Makes small image files, so that tasks on the user's own files can be tested."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

SHARES = {"5_o_Clock_Shadow": 0.1, "Eyeglasses": 0.5, "Goatee": 0.2, "Male": 0.9,
          "Mouth_Slightly_Open": 0.5, "Mustache": 0.2, "No_Beard": 0.8, "Smiling": 0.5}  # fmt: skip
"""Attributes of the CelebA that is made here, and how often an image has them."""


def picture(seed, size=(40, 30)):
    """Return a coarse coloured picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def make_folder(folder, count, seed, sub=lambda at: "", **more):
    """Write so many pictures; sub gives the sub-folder of each, more what `picture` takes."""
    for at in range(count):
        path = folder / sub(at) / f"{at:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture([seed, at], **more).save(path)


def make_celeba(folder, count):
    """Write a CelebA of so many images, two of each person; return the checksums of its files."""
    (folder / "img_align_celeba").mkdir(parents=True)
    files = [f"{at + 1:06d}.jpg" for at in range(count)]
    for at, file in enumerate(files):
        picture([2, at], (178, 218)).save(folder / "img_align_celeba" / file)
    draws = np.random.default_rng(3).random((count, len(SHARES)))
    has = np.where(draws < list(SHARES.values()), 1, -1)
    attributes = [f"{file} {' '.join(map(str, row))}" for file, row in zip(files, has, strict=True)]
    tables = {
        "list_attr_celeba.txt": [str(count), " ".join(SHARES), *attributes],
        "list_eval_partition.txt": [f"{file} {at % 6 // 2}" for at, file in enumerate(files)],
        "identity_CelebA.txt": [f"{file} {at // 2}" for at, file in enumerate(files)],
    }
    sums = {"img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb"}
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n")
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    return sums


def write_cut_short(path, seed=5):
    """Write a picture whose header is sound and whose pixels are not all there."""
    picture(seed, (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-200])


# Ready-made images


def save_images(folder, images, name="{:05d}.png"):
    """Write uint8 (n, 3, S, S) as files."""
    folder.mkdir(parents=True)
    for at, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name.format(at))
    return folder

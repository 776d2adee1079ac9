"""Converts pictures of a user to the form that methods see, and results back to the form given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.contracts.images import to_float, to_uint8
from bench.contracts.task import Resize
from bench.tasks.files.decode import as_rgb, to_array, to_square
from bench.utils.errors import UserError

Pictures = Any
"""A PIL image, uint8 array (H, W, 3) or (N, H, W, 3), or uint8 tensor (3, H, W) or (N, 3, H, W)."""


@dataclass(frozen=True)
class Converted:
    """Pictures in the form of a method: images (N, 3, S, S) in [-1, 1], on the CPU.

    back: turns such images into the form that was given, uint8 and S x S pixels.
    """

    images: Tensor
    back: Callable[[Tensor], Pictures]


def convert(pictures: Pictures, size: int, resize: Resize = "crop") -> Converted:
    """Return pictures in the form of a method.

    Args:
        pictures: see `Pictures`.
        size: the side S of the method's images, pixels.
        resize: how other sizes become a square (see `bench.tasks.files.decode.to_square`).

    Raises:
        UserError: the pictures have another type or shape.
    """
    if isinstance(pictures, Image.Image):
        if pictures.mode.startswith(("I", "F")):
            raise _wrong(f"a PIL image of mode {pictures.mode}")
        squares = [to_square(as_rgb(pictures), size, resize)]
        return Converted(_as_images(squares), lambda made: Image.fromarray(_as_array(made)[0]))
    if isinstance(pictures, np.ndarray):
        _require(pictures.dtype == np.uint8, pictures.shape, -1, pictures)
        batch = pictures if pictures.ndim == 4 else pictures[None]
        one = pictures.ndim == 3
        return Converted(
            _from_arrays(batch, size, resize),
            lambda made: _as_array(made)[0] if one else _as_array(made),
        )
    if isinstance(pictures, Tensor):
        _require(pictures.dtype == torch.uint8, tuple(pictures.shape), -3, pictures)
        one, device = pictures.ndim == 3, pictures.device
        channels_last = (pictures[None] if one else pictures).permute(0, 2, 3, 1)
        return Converted(
            _from_arrays(channels_last.cpu().numpy(), size, resize),
            lambda made: (to_uint8(made)[0] if one else to_uint8(made)).to(device),
        )
    raise _wrong(type(pictures).__name__)


def _require(is_uint8: bool, shape: tuple[int, ...], channels: int, given: Any) -> None:
    if not is_uint8 or len(shape) not in (3, 4) or shape[channels] != 3 or 0 in shape:
        raise _wrong(f"{type(given).__name__} {given.dtype} {tuple(shape)}")


def _wrong(given: str) -> UserError:
    return UserError(
        f"pictures are {given}, expected a PIL image, a uint8 array (H, W, 3) or (N, H, W, 3), "
        "or a uint8 tensor (3, H, W) or (N, 3, H, W)"
    )


def _from_arrays(batch: np.ndarray, size: int, resize: Resize) -> Tensor:
    """Return uint8 arrays (N, H, W, 3) as images; those of the right size keep their pixels."""
    if batch.shape[1:3] == (size, size):
        return to_float(torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2))))
    squares = [to_square(Image.fromarray(np.ascontiguousarray(p)), size, resize) for p in batch]
    return _as_images(squares)


def _as_images(squares: list[Image.Image]) -> Tensor:
    return to_float(torch.from_numpy(np.stack([to_array(square) for square in squares])))


def _as_array(images: Tensor) -> np.ndarray:
    """Return images as a uint8 array (N, S, S, 3)."""
    return np.ascontiguousarray(to_uint8(images).permute(0, 2, 3, 1).cpu().numpy())

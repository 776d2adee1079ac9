"""Converts images between the stored form (uint8) and the form that methods see (float32)."""

from __future__ import annotations

import torch


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 (N, 3, S, S) as float32 in [-1, 1]."""
    return images.to(torch.float32) / 127.5 - 1


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """Return images in [-1, 1] as uint8: rounded, then clamped.

    Truncation instead of rounding would change Frechet distances.
    """
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def of_neighbours(guides: torch.Tensor) -> torch.Tensor:
    """Return the guides of the neighbouring test pairs (see `bench.contracts.task.Truth`)."""
    pairs: torch.Tensor = guides.unflatten(0, (-1, 2))
    return pairs.flip(1).flatten(0, 1)

"""Sheets of pictures between latents and domains, as the released code of UFDN draws them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor


def interpolation(
    model, images: list[Tensor], points: int, columns: Tensor, latents: int
) -> Tensor:
    """Return a sheet of pictures, (rows * S, columns * S, C): latents down, domain vectors across.

    Between each image and the next (with three or more, the last and the first too) lie so many
    latents, the two ends among them; columns is (points, K).
    """
    means = [model.vae.encode(image[None])[0][0] for image in images]
    ends = list(pairwise(means)) if len(means) == 2 else list(pairwise([*means, means[0]]))
    rows = [p + i * (q - p) / (latents - 1) for p, q in ends for i in range(latents)]
    z = torch.stack(rows).repeat_interleave(points, 0)
    pictures = model.vae.decode(z, columns.repeat(len(rows), 1))
    grid = pictures.unflatten(0, (len(rows), points))
    return grid.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)


def two_domain_columns(reach: float) -> Tensor:
    """Return 7 domain vectors from [reach, 1 - reach] to [1 - reach, reach]."""
    alpha = torch.linspace(1 - reach, reach, 7)
    return torch.stack([1 - alpha, alpha], 1)


def three_domain_columns() -> Tensor:
    """Return 12 domain vectors round the triangle of three domains."""
    alpha = torch.linspace(0, 1, 5)
    zero = torch.zeros(5)
    return torch.cat(
        [
            torch.stack([1 - alpha, zero, alpha], 1),
            torch.stack([zero, alpha, 1 - alpha], 1)[1:],
            torch.stack([alpha, 1 - alpha, zero], 1)[1:-1],
        ]
    )

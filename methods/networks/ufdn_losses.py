"""The KL divergence of UFDN, and how the weights of its losses move during the training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mu, exp(logvar)) || N(0, 1)), summed over batch and dimensions."""
    mu, logvar = mu.to(logvar.dtype), logvar
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()


def require_fraction(name: str, value: float) -> None:
    """Require that a ramp is a fraction of the training.

    Raises:
        ValueError: it is not in (0, 1].
    """
    if not 0 < value <= 1:
        raise ValueError(f"{name} is {value}, but it is a fraction of the training, in (0, 1]")


def schedule_of(ramps: Sequence[tuple[float, float, float]], steps: int) -> Tensor:
    """Return the schedule of loss weights, (k, 3) float64: start, end and the steps between them.

    ramps: for each weight its start, its end, and the fraction of the training between them. A
    ramp has at least one step, so a weight that does not move may have the fraction 0.
    """
    rows = [(start, end, max(1, round(fraction * steps))) for start, end, fraction in ramps]
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


def advance(weights: Tensor, schedule: Tensor) -> None:
    """Move each loss weight, (k,), in place, one step along its ramp.

    Rounding may add one more step, as in the released code.
    """
    start, end, steps = (column.to(weights.device) for column in schedule.T)
    move = (end - start) / steps
    weights += torch.where(move * weights < move * end, move, 0)

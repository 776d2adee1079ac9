"""Parts of the updates of DRIT: the forward pass, the losses, and two updates from one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.methods.networks.blocks import full_precision

Optimizers = Mapping[str, torch.optim.Optimizer]
ENCODERS_AND_GENERATOR = ("content", "attributes", "generator")
CONTENT_AND_GENERATOR = ("content", "generator")


@dataclass
class Pass:
    """The results of one forward pass over a batch of both domains. Lists hold A, then B.

    content: content maps. mean, logvar: the distribution of the attributes. cross: images with the
    attributes of their domain and the content of the other domain. same: reconstructions. random:
    images with random attributes z and the content of the other domain. again: the images of
    cross, translated back. found: the attributes that the encoder finds in the first of random.
    """

    content: list[Tensor]
    mean: list[Tensor]
    logvar: list[Tensor | None]
    cross: list[Tensor]
    same: list[Tensor]
    random: list[list[Tensor]]
    again: list[Tensor]
    z: list[Tensor]
    found: list[Tensor]


def judged(critic: nn.Module, shown: list[Tensor], together: bool) -> list[list[Tensor]]:
    """Return the logit maps of several batches of equal size.

    together: whether one pass judges them all. With spectral norm it must not: each pass moves the
    estimate of the largest singular value.
    """
    if not together:
        return [critic(x) for x in shown]
    maps = [of_scale.chunk(len(shown)) for of_scale in critic(torch.cat(shown))]
    return [list(of_batch) for of_batch in zip(*maps, strict=True)]


def says(logits: Tensor | list[Tensor], target: float) -> Tensor:
    """Return the cross-entropy of logits with one target: mean over a map, sum over scales."""
    maps = logits if isinstance(logits, list) else [logits]
    full = [full_precision(m) for m in maps]
    return torch.stack(
        [F.binary_cross_entropy_with_logits(m, torch.full_like(m, target)) for m in full]
    ).sum()


def attribute_prior(mean: Tensor, logvar: Tensor | None) -> Tensor:
    """Return the KL divergence to N(0, 1), or the mean square of deterministic attributes.

    The released code has one image per batch. For larger batches, this is the mean over images.
    """
    if logvar is None:
        return mean.square().mean()
    return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum() / len(mean)


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of losses that are already weighted."""
    return torch.stack(list(losses.values())).sum()


def update_twice(
    optimizers: Optimizers,
    first: Tensor,
    second: Callable[[], Tensor],
    second_backward: Literal["stale", "old_weights", "recompute"],
) -> None:
    """Make the two updates of a step.

    The first loss updates the encoders and the generator. The second loss updates the content
    encoder and the generator.

    Args:
        optimizers: The optimisers, by the names of their networks.
        first: The first loss, a scalar.
        second: A function that computes the second loss.
        second_backward: See `bench.methods.drit.DRIT.Config`.
    """
    _zero_grad(optimizers, ENCODERS_AND_GENERATOR)
    first.backward(retain_graph=True, inputs=_owned(optimizers, ENCODERS_AND_GENERATOR))
    if second_backward == "old_weights":
        gradients = [(p, p.grad) for p in _owned(optimizers, ENCODERS_AND_GENERATOR)]
        _zero_grad(optimizers, ENCODERS_AND_GENERATOR)
        second().backward(inputs=_owned(optimizers, CONTENT_AND_GENERATOR))
        later = [(p, p.grad) for p in _owned(optimizers, CONTENT_AND_GENERATOR)]
        for parameter, gradient in gradients:
            parameter.grad = gradient
        _step(optimizers, ENCODERS_AND_GENERATOR)
        for parameter, gradient in later:
            parameter.grad = gradient
    else:
        _step(optimizers, ENCODERS_AND_GENERATOR, unnoticed=second_backward == "stale")
        loss = second()
        _zero_grad(optimizers, CONTENT_AND_GENERATOR)
        loss.backward(inputs=_owned(optimizers, CONTENT_AND_GENERATOR))
    _step(optimizers, CONTENT_AND_GENERATOR)


def _owned(optimizers: Optimizers, names: tuple[str, ...]) -> list[nn.Parameter]:
    groups = [group for name in names for group in optimizers[name].param_groups]
    return [parameter for group in groups for parameter in group["params"]]


def _zero_grad(optimizers: Optimizers, names: tuple[str, ...]) -> None:
    for name in names:
        optimizers[name].zero_grad()


def _step(optimizers: Optimizers, names: tuple[str, ...], unnoticed: bool = False) -> None:
    """Step each optimiser. With `unnoticed`, the change of the weights is hidden from autograd."""
    preserve = torch.autograd._unsafe_preserve_version_counter  # type: ignore[attr-defined]
    with preserve(tuple(_owned(optimizers, names))) if unnoticed else nullcontext():
        for name in names:
            optimizers[name].step()

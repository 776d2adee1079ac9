"""The contract of a method. `bench.contracts.task` explains the terms, `methods/` has examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.contracts.task import Spec


@dataclass(frozen=True)
class Codes:
    """The codes of N images.

    common: z1, (N, C) or (N, C, H, W). separate: z2, likewise, or None for a method without it.
    """

    common: Tensor
    separate: Tensor | None = None


class Batch(list[Tensor]):
    """A training batch: for each domain, A first, images (N, 3, S, S) in [-1, 1].

    kinds: for each domain, the kinds of separate content of its images, (N,), 0 for none. Only
    methods whose supervision is "kind" get them; for others the list is empty.
    """

    def __init__(self, images: Iterable[Tensor], kinds: Iterable[Tensor] = ()) -> None:
        super().__init__(images)
        self.kinds = list(kinds)


def make_config(config_class: type[BaseConfig], values: Mapping[str, Any]) -> BaseConfig:
    """Return a configuration from the values of a cell, which may come from JSON.

    JSON has no tuples. A list becomes a tuple again if the field has a plain default: a dataclass
    allows no list as one.
    """
    return config_class(
        **{
            name: _with_tuples(value) if hasattr(config_class, name) else value
            for name, value in values.items()
        }
    )


def _with_tuples(value: Any) -> Any:
    """Return a value with all lists in it as tuples."""
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class BaseConfig:
    """The fields that the configuration of every method has.

    batch_size: images per domain in a training step.
    """

    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, but it must be at least 1")


class Method(nn.Module, ABC):
    """A method of content transfer. One file holds one method; the suite runs the training loop.

    The class body states these facts as literals, so that ``bench list`` can read them without
    running the file:

    * ``name``, ``summary``, ``paper`` (who, where, when);
    * ``guided``: whether ``add`` uses the guide;
    * ``published_steps``: training steps in the paper, for the profile `paper`;
    * ``note``: what a reader of its leaderboard row must know, if anything;
    * ``supervision``: "domain", or "kind" for a method that also sees the kind of separate content
      of every training image. Such a method is not ranked, and `all` does not include it.

    ``Config`` is a frozen dataclass whose defaults are the values of the paper. All state that
    training needs is in the ``state_dict`` and the ``optimizers``. A method never writes files and
    never prints. In eval mode it does not use the global random state, and the output for an image
    does not depend on the other images of the batch.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str]
    guided: ClassVar[bool]
    published_steps: ClassVar[int]
    note: ClassVar[str] = ""
    supervision: ClassVar[Literal["domain", "kind"]] = "domain"
    Config: ClassVar[type[BaseConfig]]

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__()
        self.spec = spec
        self.config: Any = config

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return all optimisers, by name."""

    @abstractmethod
    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Do ONE training step: update everything that the method updates.

        Args:
            batch: images of each domain, as many as the configured batch size (see `Batch`).

        Returns:
            The losses, as scalars. If one is not finite, the cell ends as diverged.
        """

    @abstractmethod
    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the codes of x, images (N, 3, S, S) of a domain (0 = A, 1 = B)."""

    @abstractmethod
    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images of a domain, (N, 3, S, S) in [-1, 1], from codes."""

    def reconstruct(self, x: Tensor, domain: int) -> Tensor:
        """Return x, images (N, 3, S, S) of a domain, after encoding and decoding."""
        return self.decode(self.encode(x, domain), domain)

    @abstractmethod
    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return a, (N, 3, S, S) of A, with the separate content of guide, (N, 3, S, S) of B."""

    @abstractmethod
    def remove(self, b: Tensor) -> Tensor:
        """Return b, (N, 3, S, S) of B, without its separate content."""

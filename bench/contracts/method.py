"""The contract of a method. See `bench.contracts.task` for the words; `methods/` for examples."""

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
    """What a method makes of images.

    common: z1, (N, C) or (N, C, H, W). separate: z2 of the same form, or None where a method has
    no such code.
    """

    common: Tensor
    separate: Tensor | None = None


class Batch(list[Tensor]):
    """A training batch: (N, 3, S, S) images in [-1, 1] of each domain, A first.

    kinds: for a method whose supervision is "kind", the (N,) kinds of extra content of each
    domain's images, 0 for none; empty for all others.
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
    """Fields that every method's config has.

    batch_size: images per domain in a training step.
    """

    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, but it must be at least 1")


class Method(nn.Module, ABC):
    """A method of content transfer. One file is one method; the harness owns loop and clock.

    Facts, literals in the class body (``bench list`` reads them without running the file):

    * ``name``, ``summary``, ``paper`` (who, where, when);
    * ``guided``: whether ``add`` looks at the guide at all;
    * ``published_steps``: training steps of the paper, used by the profile `paper`;
    * ``note``: what a reader of its leaderboard row must know, if anything;
    * ``supervision``: "domain", or "kind" for a method that is also told the kind of extra content
      of every training image. Such a method is not ranked, and `all` does not mean it.

    ``Config`` is a frozen dataclass whose defaults are the paper's values. A method keeps all that
    it needs to go on in its ``state_dict`` and its ``optimizers``; it never writes files, prints,
    touches the global random state in eval mode, or lets an output depend on its batch mates there.
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
        """Return the optimisers by name."""

    @abstractmethod
    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Make ONE update of everything the method updates.

        Args:
            batch: images of each domain, as many as the config's batch size (see `Batch`).

        Returns:
            Scalars to show and to watch: a value that is not finite ends the cell as diverged.
        """

    @abstractmethod
    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the codes of x, (N, 3, S, S) images of a domain (0 = A, 1 = B)."""

    @abstractmethod
    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return (N, 3, S, S) images in [-1, 1] of a domain from codes."""

    def reconstruct(self, x: Tensor, domain: int) -> Tensor:
        """Return x, (N, 3, S, S) images of a domain, after encoding and decoding."""
        return self.decode(self.encode(x, domain), domain)

    @abstractmethod
    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return a, (N, 3, S, S) of A, with the extra content of guide, (N, 3, S, S) of B."""

    @abstractmethod
    def remove(self, b: Tensor) -> Tensor:
        """Return b, (N, 3, S, S) of B, without its extra content."""

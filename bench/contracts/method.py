"""The contract of a method. `bench.contracts.task` explains the terms, `methods/` has examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.contracts.task import Spec
from bench.utils import compat

compat.keep_dynamo_out()


@dataclass(frozen=True)
class Codes:
    """The codes of N images.

    common: z1, (N, C) or (N, C, H, W). separate: z2, (N, C) or (N, C, H, W), or None if the method
    has no separate code.
    """

    common: Tensor
    separate: Tensor | None = None


class Batch(list[Tensor]):
    """A training batch: one tensor of images per domain, A first, (N, 3, S, S) in [-1, 1].

    kinds: for each domain, the kind of separate content of each image, (N,), 0 for none. Methods
    with supervision "kind" get them. For all other methods the list is empty.
    """

    def __init__(self, images: Iterable[Tensor], kinds: Iterable[Tensor] = ()) -> None:
        super().__init__(images)
        self.kinds = list(kinds)


def make_config(config_class: type[BaseConfig], values: Mapping[str, Any]) -> BaseConfig:
    """Return a configuration from the values of a cell, which may come from JSON.

    JSON stores tuples as lists. If a field has a plain default, its list becomes a tuple again: a
    dataclass does not allow a list as a plain default, so the field must hold a tuple.
    """
    return config_class(
        **{
            name: _with_tuples(value) if hasattr(config_class, name) else value
            for name, value in values.items()
        }
    )


def _with_tuples(value: Any) -> Any:
    """Return a value with every list in it replaced by a tuple."""
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class BaseConfig:
    """The configuration fields that all methods share.

    batch_size: the number of images per domain in a training step.
    """

    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, but it must be at least 1")


class Method(nn.Module, ABC):
    """A method of content transfer. One file holds one method; the suite runs the training loop.

    The class body gives these attributes as literals, so that ``bench list`` can read them without
    running the file:

    * ``name``, ``summary``, ``paper`` (authors, venue, year);
    * ``guided``: whether ``add`` uses the guide;
    * ``published_steps``: the number of training steps in the paper, for the profile `paper`;
    * ``note``: a remark that readers of its leaderboard row need, or '';
    * ``supervision``: "domain", or "kind" for a method that also sees the kind of separate content
      of every training image. A method with "kind" is not ranked, and `all` does not include it;
    * ``expected_failures``: the checks of ``bench verify`` that it cannot pass, and why.

    ``Config`` is a frozen dataclass whose defaults are the values of the paper. The ``state_dict``
    and the ``optimizers`` hold all state that training needs. A method never writes files and never
    prints. In eval mode it does not use the global random state, and the output for an image does
    not depend on the other images of the batch.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str]
    guided: ClassVar[bool]
    published_steps: ClassVar[int]
    note: ClassVar[str] = ""
    supervision: ClassVar[Literal["domain", "kind"]] = "domain"
    expected_failures: ClassVar[Mapping[str, str]] = {}
    Config: ClassVar[type[BaseConfig]]

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__()
        self.spec = spec
        self.config: Any = config

    def prepare(self, steps: int) -> None:
        """Set up schedules that depend on the length of the training.

        The harness calls it once before a training, also before it goes on from a checkpoint. A
        ramp of a loss weight or of a learning rate is a fraction of the training, so that a method
        behaves alike at every budget. By default, this does nothing.

        Args:
            steps: the number of training steps, at least 1.
        """

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return all optimisers, by name."""

    @abstractmethod
    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Do ONE training step, with all parameter updates that belong to it.

        Args:
            batch: `batch_size` images of each domain (see `Batch`).

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
        """Encode and decode x, images (N, 3, S, S) of a domain; return the reconstruction."""
        return self.decode(self.encode(x, domain), domain)

    @abstractmethod
    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return a, (N, 3, S, S) of A, with the separate content of guide, (N, 3, S, S) of B."""

    @abstractmethod
    def remove(self, b: Tensor) -> Tensor:
        """Return b, (N, 3, S, S) of B, without its separate content."""

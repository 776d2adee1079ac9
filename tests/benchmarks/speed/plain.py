"""What all plain steps share."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.contracts.method import BaseConfig
from bench.contracts.task import Spec


class PlainStep(nn.Module):
    """Networks and one literal training step. The parameters are in the order of our method's."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__()
        self.spec = spec
        self.config: Any = config

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Do one training step on images of each domain, (N, 3, S, S); return losses by name."""
        raise NotImplementedError

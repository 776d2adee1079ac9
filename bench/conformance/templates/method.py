"""my_method: an example that is complete and runs. Say here what your method does, and cite it.

It splits an image into a common code, which both domains have, and a separate code, which is zero
for images of A. The decoder gives back the image from both. To add content, it decodes the common
code of one image with the separate code of another.

    python -m bench verify my_method.py       # does it keep the contract? (seconds)
    python -m bench run --plugin my_method.py --methods my_method,copy-source --profile smoke
    python -m bench run --plugin my_method.py --methods my_method,press2019,copy-source

Read `bench/contracts/method.py`: it is the manual. Images are float32 in [-1, 1], (N, 3, S, S).
Domain 0 is A (plain), domain 1 is B (with separate content).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from bench.contracts.method import BaseConfig, Batch, Codes, Method
from bench.contracts.search import Range
from bench.contracts.task import Spec

SIDE = 8
"""The side of the code maps. Each block of a network halves or doubles the side of an image."""


def blocks_for(size: int) -> int:
    """Return how many halvings take an image of this side to `SIDE`."""
    return max(1, (size // SIDE).bit_length() - 1)


def encoder(spec: Spec, width: int) -> nn.Sequential:
    """Return a network from images (N, 3, S, S) to maps (N, width, 8, 8)."""
    layers: list[nn.Module] = [nn.Conv2d(spec.channels, width, 3, padding=1)]
    for _ in range(blocks_for(spec.size)):
        # GroupNorm, not BatchNorm: an output must not depend on the other images of the batch
        layers += [nn.Conv2d(width, width, 4, 2, 1), nn.GroupNorm(4, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def decoder(spec: Spec, code: int, width: int) -> nn.Sequential:
    """Return a network from maps (N, code, 8, 8) to images (N, 3, S, S) in [-1, 1]."""
    layers: list[nn.Module] = [nn.Conv2d(code, width, 3, padding=1)]
    for _ in range(blocks_for(spec.size)):
        layers += [nn.ConvTranspose2d(width, width, 4, 2, 1), nn.GroupNorm(4, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, spec.channels, 3, padding=1), nn.Tanh())


class MyMethod(Method):
    """Two encoders and one decoder, trained to give images back."""

    # These facts are literals: `python -m bench list methods` reads them without running the file.
    name = "my_method"
    summary = "example: two encoders, and a separate code that is zero for A"
    paper = "none: the example of `python -m bench new method`"
    guided = True  # add uses its guide
    published_steps = 20_000  # of the paper; only the profile `paper` uses it

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the paper. `--set my_method.width=16` changes one of them for a run.

        width: channels of each network. separate: size of the separate code. Marked fields are
        searched by `python -m bench tune`.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True)] = 1e-3
        width: int = 32
        separate: int = 8

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        self.common_encoder = encoder(spec, config.width)
        self.separate_encoder = nn.Sequential(
            encoder(spec, config.width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(config.width, config.separate),
        )
        self.decoder = decoder(spec, config.width + config.separate, config.width)
        self._optimizer = torch.optim.Adam(self.parameters(), config.learning_rate)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return all optimisers by name. Checkpoints save them."""
        return {"main": self._optimizer}

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Make ONE update of everything, on one batch of each domain; return the losses."""
        losses = {
            name: (self.reconstruct(x, domain) - x).abs().mean()
            for domain, (name, x) in enumerate(zip(("rec_a", "rec_b"), batch, strict=True))
        }
        # Add the losses that make it your method, such as a critic or a cycle.
        self._optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self._optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return a common code (N, width, 8, 8), and a separate one (N, separate): zero for A."""
        separate = self.separate_encoder(x)
        return Codes(self.common_encoder(x), separate if domain else torch.zeros_like(separate))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images (N, 3, S, S): each place of the map gets the whole separate code."""
        assert codes.separate is not None
        side = codes.common.shape[-1]
        spread = codes.separate[:, :, None, None].expand(-1, -1, side, side)
        made: Tensor = self.decoder(torch.cat([codes.common, spread], 1))
        return made

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return a with the separate content of its guide, an image of B."""
        return self.decode(Codes(self.encode(a, 0).common, self.encode(guide, 1).separate), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Return b without its separate content."""
        codes = self.encode(b, 1)
        assert codes.separate is not None
        return self.decode(Codes(codes.common, torch.zeros_like(codes.separate)), 0)


def test_it_keeps_the_contract() -> None:
    """Run all checks: `python -m pytest my_method.py`. This is what `verify` does."""
    from bench.conformance.verify import require_conformance

    require_conformance(__file__)

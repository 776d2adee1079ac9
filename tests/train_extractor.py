"""Train the feature extractor that ships with the suite: ``python -m tests.train_extractor``.

The faces are like those of `avatars-glasses`, but have other seeds, so they share no image with the
task. The network classifies every factor; "no glasses" is one more kind of glasses. Part of each
batch gets blur or noise, and the network also classifies their strengths. With clean faces only,
the features would ignore blur and noise. Half of each batch has half the resolution, so that the
features also work for small images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from bench.metrics._extractor import DIMENSIONS, SIDE, WEIGHTS, AvatarNet, resize
from bench.tasks._avatar_factors import FACE
from bench.tasks.avatars import AvatarsGlasses, draw_all, sample
from bench.utils import compat

SEED = 0
BLUR = (0.0, 0.5, 1.0, 2.0)
"""Strengths of the blur, standard deviations in pixels; the first is none."""
NOISE = (0.0, 4.0, 12.0, 40.0)
"""Strengths of the noise, standard deviations of a range of 255; the first is none."""
HELD_OUT = 0.1


def main() -> None:
    """Draw faces, train, print the accuracy on held-out faces, and write the weights."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=24_000)
    options.add_argument("--epochs", type=int, default=6)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--out", type=Path, default=WEIGHTS)
    given = options.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)

    images, factors = faces(given.images)
    held_out = int(HELD_OUT * len(images))
    classes = [len(factor.values) + 1 for factor in AvatarsGlasses.factors]
    classes += [len(BLUR), len(NOISE)]
    net, heads = AvatarNet(), nn.ModuleList(nn.Linear(DIMENSIONS, n) for n in classes)
    parameters = [*net.parameters(), *heads.parameters()]
    steps = given.epochs * ((len(images) - held_out) // given.batch)
    optimizer = torch.optim.AdamW(parameters, 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(given.epochs):
        order = held_out + torch.randperm(len(images) - held_out)
        losses = []
        for index in order.split(given.batch):
            if len(index) < given.batch:
                continue
            shown, strengths = _shown(images[index])
            targets = torch.cat([factors[index], strengths], 1)
            said = _said(net, heads, shown)
            loss = torch.stack(
                [F.cross_entropy(s, t) for s, t in zip(said, targets.T, strict=True)]
            ).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{given.epochs}: loss {np.mean(losses):.3f}", flush=True)

    net.eval()
    with torch.inference_mode():
        for side in (SIDE, SIDE // 2):
            small = F.interpolate(images[:held_out].float(), (side, side), mode="area")
            said = _said(net, heads, resize(small))[: len(AvatarsGlasses.factors)]
            right = [
                f"{factor.name} {(s.argmax(1) == t).float().mean():.3f}"
                for factor, s, t in zip(
                    AvatarsGlasses.factors, said, factors[:held_out].T, strict=True
                )
            ]
            print(f"held-out accuracy at {side} px: {', '.join(right)}")
    save_file(net.state_dict(), given.out)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB")


def faces(count: int) -> tuple[Tensor, Tensor]:
    """Return uint8 (count, 3, 64, 64) faces, half of them with glasses, and their factors.

    A hidden factor is 0.
    """
    task = AvatarsGlasses()
    avatars = [
        sample(task.factors if i % 2 else FACE, task.name, "extractor", i) for i in range(count)
    ]
    pictures = np.concatenate(
        list(draw_all(avatars, SIDE, lambda done, of: print(f"\r{done}/{of} faces", end="")))
    )
    print()
    return torch.from_numpy(pictures), torch.from_numpy(task.values(avatars)) + 1


def _shown(batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return the network input for a batch, (N, 3, 64, 64), and its blur and noise levels, (N, 2).

    The first half is reduced to 32 px and enlarged again. In each half, one quarter is blurred, and
    another quarter has noise.
    """
    half = len(batch) // 2
    small = F.interpolate(batch[:half].float(), scale_factor=0.5, mode="area")
    parts, strengths = [], []
    for images in (small, batch[half:].float()):
        strength = torch.zeros(len(images), 2, dtype=torch.int64)
        quarter = len(images) // 4
        strength[:quarter, 0] = torch.randint(1, len(BLUR), (quarter,))
        strength[quarter : 2 * quarter, 1] = torch.randint(1, len(NOISE), (quarter,))
        for level, deviation in enumerate(BLUR[1:], 1):
            at = strength[:, 0] == level
            images[at] = blur(images[at], deviation)
        noise = torch.tensor(NOISE)[strength[:, 1]].view(-1, 1, 1, 1)
        parts.append(resize((images + noise * torch.randn_like(images)).round().clamp(0, 255)))
        strengths.append(strength)
    return torch.cat(parts), torch.cat(strengths)


def blur(images: Tensor, deviation: float) -> Tensor:
    """Blur float (N, 3, S, S) images with a Gaussian of a standard deviation in pixels."""
    v2 = compat.torchvision_transforms()
    return v2.functional.gaussian_blur(images, [9, 9], [deviation, deviation])


def _said(net: nn.Module, heads: nn.ModuleList, x: Tensor) -> list[Tensor]:
    embedding = net(x)
    return [head(embedding) for head in heads]


if __name__ == "__main__":
    main()

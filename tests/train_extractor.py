"""Train the feature extractors that ship with the suite: ``python -m tests.train_extractor``.

The faces are those of the tasks in `MIX`, posed and aligned, and a few of the drawing styles. They
are images of *train* whose index no run reaches. So no test image is among them. The network
classifies every factor, both from its wide layer, which the judge reads, and from
the narrow one, which distances read. Half of each batch has half the resolution, so that the
features also work for small images. Three quarters of each batch are turned, scaled, moved and
mirrored at random, without a label for the pose, so that the network knows new faces better.

For `avatars64`, part of each batch gets blur or noise, and the network also classifies their
strengths. With ``--no-distortions`` it sees neither: that is `plain64`.

At the end the script prints accuracies on held-out faces, and those of the judge: linear heads that
are fitted on the *probe* part of a task and tried on its *test* part.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.task import HIDDEN, DataSizes, Factor
from bench.metrics._extractor import (
    DIMENSIONS,
    PLAIN_WEIGHTS,
    SIDE,
    WEIGHTS,
    WIDE,
    AvatarNet,
    extractor_of,
    resize,
)
from bench.metrics._judge import judge
from bench.tasks._pose import POSE
from bench.tasks.avatars import (
    AvatarsBeard,
    AvatarsGlasses,
    AvatarsGlassesAligned,
    AvatarsHat,
    AvatarsSmile,
    AvatarsStyles3,
    AvatarsTwo,
    AvatarTask,
    draw_all,
)
from bench.tasks.cache import prepare
from bench.utils import compat
from bench.utils.hashing import hash_of

SEED, PLAIN_SEED = 0, 1
BLUR = (0.0, 0.5, 1.0, 2.0)
"""Strengths of the blur, standard deviations in pixels; the first is none."""
NOISE = (0.0, 4.0, 12.0, 40.0)
"""Strengths of the noise, standard deviations of a range of 255; the first is none."""
JITTERED = 0.75
"""The share of a batch that is turned, scaled, moved and mirrored."""
TURN, ZOOM, SHIFT = 0.2, 0.12, 0.15
"""The largest turn in radians, log of the scale, and shift in halves of the picture."""
HELD_OUT = 2000
SEPARATE = 3.0
"""The weight of separate factors in the loss of the layer for the judge; all others have 1."""
FIRST = 10_000_000
"""The index of the first face: no run has so many images."""
MIX: tuple[tuple[type[AvatarTask], int], ...] = (
    (AvatarsGlasses, 6),
    (AvatarsBeard, 3),
    (AvatarsHat, 3),
    (AvatarsSmile, 3),
    (AvatarsGlassesAligned, 2),
    (AvatarsTwo, 1),
    (AvatarsStyles3, 2),
)
"""The tasks of the faces, with their shares of 20.

Three quarters are posed. Glasses have twice the share of other contents, because their kinds are
the finest.
"""
CONTENT = 0.75
"""The share of faces with separate content, in a task of two domains."""
POSITION = POSE[:4]
"""The factors of the pose that such a jitter changes: turn, zoom, and both places."""
IGNORED = -100
"""The label of a factor that the task of a face does not know."""
JUDGED = DataSizes(size=32, train=2, probe=1024, test=512)
"""The images per domain for the accuracy of the judge."""


@dataclass(frozen=True)
class Faces:
    """uint8 (n, 3, 64, 64) images, and their int64 (n, heads) labels.

    Label 0 is a factor that the image does not show, label k its value k - 1.
    """

    images: Tensor
    labels: Tensor


def main() -> None:
    """Draw faces, train, write the weights, and print accuracies."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=60_000)
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--no-distortions", action="store_true", help="train plain64")
    options.add_argument("--seed", type=int, help=f"{SEED}, or {PLAIN_SEED} without distortions")
    options.add_argument("--out", type=Path, help="the file of the weights")
    options.add_argument("--cache", type=Path, help="a folder that keeps drawn images")
    given = options.parse_args()
    plain = given.no_distortions
    out = given.out or (PLAIN_WEIGHTS if plain else WEIGHTS)
    seed = given.seed if given.seed is not None else PLAIN_SEED if plain else SEED
    torch.set_num_threads(1)

    found = faces(given.images, given.cache)
    torch.manual_seed(seed)
    net, heads = train(found, given.epochs, given.batch, distorted=not plain)
    kept = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in net.state_dict().items()
    }
    save_file(kept, out)  # float16 halves the file; the numbers below are those of the file
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB", flush=True)
    net.load_state_dict(kept)
    report_heads(net, heads, found)
    if not plain:  # the judge reads `avatars64` only
        report_judge(out, given.cache)


# --- faces -----------------------------------------------------------------------------------


@cache
def labelled() -> tuple[Factor, ...]:
    """Return the factors of all tasks, each once. Equal names with unequal values are two."""
    return tuple(dict.fromkeys(factor for task, _ in MIX for factor in task.factors))


def faces(count: int, folder: Path | None) -> Faces:
    """Return faces, from a file in the folder if it has them."""
    tasks = [task() for task, share in MIX for _ in range(share)]
    recipe = {
        "content": CONTENT,
        "first": FIRST,
        "tasks": [task.recipe(JUDGED) for task in tasks],
    }
    file = folder and folder / f"faces-{count}-{hash_of(recipe)}.safetensors"
    if file and file.exists():
        with safe_open(file, "pt") as stored:
            return Faces(stored.get_tensor("images"), stored.get_tensor("labels"))
    avatars, rows = [], []
    for at in range(count):
        task, turn = tasks[at % len(tasks)], at // len(tasks)
        domain = turn % task.domains if task.domains > 2 else int(turn * CONTENT % 1 < CONTENT)
        avatar = task.avatar("train", domain, FIRST + at)
        values = task.values([avatar], domain)[0]
        known = dict(zip(task.factors, values - HIDDEN, strict=True))
        avatars.append(avatar)
        rows.append([known.get(factor, IGNORED) for factor in labelled()])
    pictures = np.concatenate(list(draw_all(avatars, SIDE, _progress)))
    print()
    found = Faces(torch.from_numpy(pictures), torch.tensor(rows))
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(vars(found), file)
    return found


def _progress(done: int, total: int) -> None:
    print(f"\r{done}/{total} images", end="", flush=True)


# --- training --------------------------------------------------------------------------------


def train(
    found: Faces, epochs: int, batch: int, distorted: bool
) -> tuple[AvatarNet, nn.ModuleList]:
    """Return a trained network and its heads: for each label, one per layer of features."""
    classes = [len(factor.values) + 1 for factor in labelled()]
    classes += [len(BLUR), len(NOISE)] * distorted
    wide = [SEPARATE if factor.separate else 1.0 for factor in labelled()]
    weights = ([1.0] * len(classes), wide + [1.0, 1.0] * distorted)
    net = AvatarNet()
    heads = nn.ModuleList(nn.Linear(size, sum(classes)) for size in (DIMENSIONS, WIDE))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    count = len(found.images) - HELD_OUT
    steps = epochs * (count // batch)
    parameters = [*net.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(epochs):
        order = HELD_OUT + torch.randperm(count)
        losses = []
        for index in order[: count // batch * batch].split(batch):
            images, labels = _jittered(found.images[index].float(), found.labels[index])
            shown, strengths = _shown(images, distorted)
            targets = torch.cat([labels, strengths], 1)
            with torch.autocast("cpu", torch.bfloat16):
                said = _said(net, heads, shown)
            loss = torch.zeros(())
            for layer, weight in zip(said, weights, strict=True):
                for s, t, w in zip(layer.float().split(classes, 1), targets.T, weight, strict=True):
                    loss += w * F.cross_entropy(s, t, ignore_index=IGNORED, reduction="sum") / batch
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.3f}", flush=True)
    return net.eval(), heads


def _said(net: nn.Module, heads: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """Return the scores of all classes, (N, C), from each layer of features."""
    layers = net(x.contiguous(memory_format=torch.channels_last))
    return [head(layer) for head, layer in zip(heads, layers, strict=True)]


def _shown(batch: Tensor, distorted: bool) -> tuple[Tensor, Tensor]:
    """Return the network input for a batch, (N, 3, 64, 64), and its blur and noise levels, (N, 2).

    The first half is reduced to 32 px and enlarged again. In each half, one quarter is blurred, and
    another quarter has noise. Without distortions, there are no levels: (N, 0).
    """
    half = len(batch) // 2
    small = F.interpolate(batch[:half], scale_factor=0.5, mode="area").round()
    if not distorted:
        none = torch.zeros(len(batch), 0, dtype=torch.int64)
        return torch.cat([resize(small), resize(batch[half:])]), none
    parts, strengths = [], []
    for images in (small, batch[half:].clone()):
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


def _jittered(batch: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return a batch of which a share is jittered, in random places, and labels without its pose.

    The border repeats.
    """
    at = torch.nonzero(torch.rand(len(batch)) < JITTERED).flatten()
    turn, zoom, right, down = 2 * torch.rand(4, len(at)) - 1
    scale, turn = torch.exp(ZOOM * zoom), TURN * turn
    mirror = 1 - 2 * torch.randint(2, (len(at),))
    cos, sin = scale * turn.cos(), scale * turn.sin()
    rows = (torch.stack([mirror * cos, -sin, SHIFT * right], 1),
            torch.stack([mirror * sin, cos, SHIFT * down], 1))  # fmt: skip
    grid = F.affine_grid(torch.stack(rows, 1), [len(at), *batch.shape[1:]], align_corners=False)
    batch[at] = F.grid_sample(batch[at], grid, padding_mode="border", align_corners=False).round()
    labels = labels.clone()
    pose = [column for column, factor in enumerate(labelled()) if factor in POSITION]
    labels[at[:, None], pose] = IGNORED
    return batch, labels


def blur(images: Tensor, deviation: float) -> Tensor:
    """Blur float (N, 3, S, S) images with a Gaussian of a standard deviation in pixels."""
    v2 = compat.torchvision_transforms()
    return v2.functional.gaussian_blur(images, [9, 9], [deviation, deviation])


# --- accuracies ------------------------------------------------------------------------------


@torch.inference_mode()
def report_heads(net: AvatarNet, heads: nn.ModuleList, found: Faces) -> None:
    """Print the accuracy of each layer's heads on held-out faces that show the factor."""
    images, labels = found.images[:HELD_OUT].float(), found.labels[:HELD_OUT]
    classes = [len(factor.values) + 1 for factor in labelled()]
    classes += [heads[0].out_features - sum(classes)]  # those of distortions
    for side in (SIDE, SIDE // 2):
        small = F.interpolate(images, (side, side), mode="area").round()
        for layer, said in zip(("narrow", "wide"), _said(net, heads, resize(small)), strict=True):
            right = []
            for factor, s, t in zip(labelled(), said.split(classes, 1), labels.T, strict=False):
                shown = t > 0
                share = (s[shown].argmax(1) == t[shown]).double().mean()
                right.append(f"{factor.name}{'*' * factor.separate} {share:.3f}")
            print(f"held out, {side} px, {layer}: {', '.join(right)}", flush=True)


def report_judge(weights: Path, folder: Path | None) -> None:
    """Print the `Judge.accuracy` of each factor of each task, at two sizes."""
    extractor = extractor_of(weights)
    for task in (kind() for kind, _ in MIX):
        for side in (SIDE, SIDE // 2):
            sizes = DataSizes(side, JUDGED.train, JUDGED.probe, JUDGED.test)
            data = prepare(task, sizes, folder) if folder else task.load(sizes, _progress)
            data = data.pair
            judged = judge(extractor, data, None)
            right = [
                f"{factor.name}{'*' * factor.separate} {accuracy:.3f}"
                for factor in data.factors
                if (accuracy := judged.accuracy(factor, data)) is not None
            ]
            print(f"judge, {task.name}, {side} px: {', '.join(right)}", flush=True)


if __name__ == "__main__":
    main()

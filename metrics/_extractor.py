"""Feature extractors for distances and for the judge, in the form that torch-fidelity registers.

Two ship with the suite: `avatars64` and `plain64`. Each is a small convolutional network, trained
to classify every factor of the built-in faces. A network that classifies only the domain would
ignore the common factors. `avatars64` also classifies blur and noise; `plain64` never saw either.
``python -m tests.train_extractor`` makes their weights. Inception needs the weights that
torch-fidelity documents. The user gives their path: the suite downloads nothing. `probe64` is for
images that are not drawn faces: a smaller network, trained on the *probe* part of the task.

The name of an extractor ends in the hash of its weights, because values of different weights cannot
be compared.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.contracts.metric import Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.utils import compat
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import content_hash, keep_if_possible
from bench.utils.seeds import derive
from bench.utils.threads import computing_with

WEIGHTS = Path(__file__).with_name("weights") / "avatars64.safetensors"
PLAIN_WEIGHTS = WEIGHTS.with_name("plain64.safetensors")
SIDE = 64
DIMENSIONS = 64
"""Features for distances: an interval needs twice as many images."""
WIDE = 256
"""Features for the judge, which needs no interval of a Frechet distance."""
Layers = Sequence[tuple[int, int, int]]
"""The width, the kernel and the stride of each convolution."""
AVATAR_LAYERS: Layers = (
    *((24, 3, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (128, 3, 2)),
)
PROBE_LAYERS: Layers = ((24, 4, 2), (48, 4, 2), (96, 4, 2), (96, 4, 2))
"""Fewer layers for `probe64`, because each machine trains it for each task of photographs."""
LAYER = "features"  # the only layer that torch-fidelity sees
INCEPTION_SHA256 = "6726825d"
"""First digits of the hash of `weights-inception-2015-12-05-6726825d.pth`."""
INCEPTION_SIDE = 299
BATCH = 32
REMEMBERED = 8
"""Sets of images whose features an extractor keeps."""
PROBE_FORMAT = 1
"""The version of `probe64`. Increase it with every change of its training."""
PROBE_STEPS, PROBE_EPOCHS, PROBE_BATCH, PROBE_RATE = 600, 50, 64, 4e-3
"""`probe64` is trained for so many steps, but for no more epochs than that."""
SHIFT = 4
"""The most pixels, of 64, by which `probe64` sees an image shifted in training."""


class AvatarNet(nn.Module):
    """Maps images, (N, 3, 64, 64) in [-1, 1], to (N, 64) and (N, 256) features.

    Distances use the first, the judge uses the second, which are rectified. The first are a linear
    map of the second; on the training images, each has mean 0 and variance 1.
    """

    def __init__(self, layers: Layers = AVATAR_LAYERS) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, side = 3, SIDE
        for width, kernel, stride in layers:
            blocks += [
                nn.Conv2d(before, width, kernel, stride, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before, side = width, side // stride
        self.maps = nn.Sequential(*blocks)
        self.widen = nn.Linear(before * side**2, WIDE, bias=False)
        self.wide_scale = nn.BatchNorm1d(WIDE, affine=False)
        self.embed = nn.Linear(WIDE, DIMENSIONS, bias=False)
        self.scale = nn.BatchNorm1d(DIMENSIONS, affine=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 64) and (N, 256) features."""
        wide = F.relu(self.wide_scale(self.widen(self.maps(x).flatten(1))))
        return self.scale(self.embed(wide)), wide


def resize(images: Tensor) -> Tensor:
    """Convert uint8 or float (N, 3, S, S) images in 0..255 to float (N, 3, 64, 64) in [-1, 1]."""
    x = images.float() / 127.5 - 1
    if x.shape[-1] == SIDE:
        return x
    return F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


def register(name: str, make: Callable[[], nn.Module], prepare: Callable[[Tensor], Tensor]) -> Any:
    """Register a network with torch-fidelity, unless its name is registered already, and return it.

    `prepare` converts the input, uint8 images or features, to the input of the network. The network
    returns (N, D) features, or a tuple of those for distances and those for the judge. For
    torch-fidelity, the output is a tuple with the features for distances.
    """
    fidelity = compat.torch_fidelity()
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    class Registered(fidelity.FeatureExtractorBase):  # type: ignore[name-defined]
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)
            with torch.random.fork_rng(devices=[]):  # the initial weights are overwritten later
                self.net = make().eval()

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (self.both(x)[0],)

        def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
            made = self.net(prepare(x))
            return made if isinstance(made, tuple) else (made, made)

        @staticmethod
        def get_provided_features_list() -> tuple[str]:
            return (LAYER,)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return LAYER

        @staticmethod
        def can_be_compiled() -> bool:
            return False

    if name not in FEATURE_EXTRACTORS_REGISTRY:
        fidelity.register_feature_extractor(name, Registered)
    return Registered(name, [LAYER])


class Extractor:
    """A network in the form of torch-fidelity. Its name ends in the hash of its weights."""

    def __init__(self, name: str, module: Any) -> None:
        self.name = name
        self._module = module
        self._done: OrderedDict[str, tuple[Tensor, Tensor]] = OrderedDict()

    def features(self, images: Tensor) -> Tensor:
        """Return (n, D) float32 features of uint8 (n, 3, S, S) images, for distances.

        The features of the last `REMEMBERED` sets are cached, because several metrics need the same
        images.
        """
        return self._both(images)[0]

    def judge_features(self, images: Tensor) -> Tensor:
        """Return the (n, W) float32 features that the judge reads, of the same pass.

        Networks with a single layer of features return those of `features`.
        """
        return self._both(images)[1]

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        content = content_hash({"images": images})
        if content not in self._done:
            self._done[content] = self._pass(images)
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        return self._done[content]

    @torch.inference_mode()
    def _pass(self, images: Tensor) -> tuple[Tensor, Tensor]:
        parts = [self._module.both(batch) for batch in images.split(BATCH)]
        narrow, wide = (torch.cat([x.flatten(1) for x in xs]) for xs in zip(*parts, strict=True))
        return narrow, wide


@cache
def avatars64() -> Extractor:
    """Return the extractor that ships with the suite."""
    return extractor_of(WEIGHTS)


@cache
def plain64() -> Extractor:
    """Return the second extractor, which never saw blur or noise."""
    return extractor_of(PLAIN_WEIGHTS)


def extractor_of(weights: Path) -> Extractor:
    """Return the extractor with the weights of a file of `AvatarNet`."""
    name = f"{weights.stem}@{hashlib.sha256(weights.read_bytes()).hexdigest()[:8]}"
    return Extractor(name, register(name, partial(_trained, weights), resize))


def _trained(weights: Path) -> AvatarNet:
    from safetensors.torch import load_file

    # the file holds float16, which float32 represents exactly
    return _with_weights(AvatarNet(), load_file(weights))


def _probe_net(weights: Mapping[str, Tensor]) -> AvatarNet:
    return _with_weights(AvatarNet(PROBE_LAYERS), weights)


def _with_weights(net: AvatarNet, weights: Mapping[str, Tensor]) -> AvatarNet:
    net.load_state_dict(weights)
    return net


def extractor_for(data: TaskData, settings: Settings) -> Extractor:
    """Return the extractor for the images of a task, with all its domains.

    Drawn faces get `avatars64`. Other images get Inception if the user gives its weights, and
    `probe64` otherwise.

    Raises:
        UserError: the file with the weights of Inception is missing or wrong.
    """
    if data.features == "avatars":
        return avatars64()
    if settings.inception is not None:
        return inception(settings.inception)
    return probe64(data, settings.cache)


def probe64(data: TaskData, folder: Path | None) -> Extractor:
    """Return a network trained to predict the domain and all factors of the *probe* images.

    It is trained once per machine, and stored in a folder under a hash of its training data.
    Without a folder, it is trained once per process.
    """
    parts = data.domains["probe"]
    images = torch.cat([domain.images for domain in parts])
    domains = torch.cat([torch.full((len(of.images), 1), at) for at, of in enumerate(parts)])
    labels = torch.cat([torch.cat([of.factors for of in parts]), domains], 1)
    classes = [*(len(factor.values) for factor in data.factors), len(parts)]
    content = content_hash({"images": images, "labels": labels})
    key = f"{PROBE_FORMAT}|{content}|{classes}|{torch.__version__}"
    if key not in _PROBES:

        def make() -> dict[str, Tensor]:
            return _train_probe(images, labels, classes)

        named = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        file = folder and folder / f"probe64-{named}.safetensors"
        weights = keep_if_possible(file, make) if file else make()
        name = f"probe64@{content_hash(weights)[:8]}"
        _PROBES[key] = Extractor(name, register(name, partial(_probe_net, weights), resize))
    return _PROBES[key]


_PROBES: dict[str, Extractor] = {}
"""The networks of this process, by the hash of what they are trained on."""


def _train_probe(images: Tensor, labels: Tensor, classes: Sequence[int]) -> dict[str, Tensor]:
    """Return the weights of a network trained on uint8 (N, 3, S, S) images.

    labels: int64 (N, F), `HIDDEN` where an image does not tell. classes: the number of values of
    each label. With one thread, every cell on a machine gets the same weights.
    """
    with computing_with(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive("probe64"))
        net = AvatarNet(PROBE_LAYERS)
        heads = nn.ModuleList(nn.Linear(size, sum(classes)) for size in (DIMENSIONS, WIDE))
        parameters = [*net.parameters(), *heads.parameters()]
        optimizer = torch.optim.AdamW(parameters, PROBE_RATE / 10, weight_decay=1e-2)
        steps = min(PROBE_STEPS, PROBE_EPOCHS * -(-len(images) // PROBE_BATCH))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PROBE_RATE, total_steps=steps)
        for _ in range(steps):
            at = torch.randint(len(images), (PROBE_BATCH,))
            x = F.pad(resize(images[at]), [SHIFT] * 4, mode="replicate")
            down, right = torch.randint(2 * SHIFT + 1, (2,)).tolist()
            made = net(x[..., down : down + SIDE, right : right + SIDE])
            loss = torch.stack(
                [
                    F.cross_entropy(scores, told, ignore_index=HIDDEN)
                    for head, layer in zip(heads, made, strict=True)
                    for scores, told in zip(
                        head(layer).split(classes, 1), labels[at].T, strict=True
                    )
                    if (told != HIDDEN).any()
                ]
            ).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: value.detach() for name, value in net.state_dict().items()}


@cache
def pass_through() -> str:
    """Return the name of an extractor that returns its input.

    It lets torch-fidelity work on features that have been computed already.
    """
    name = "contentbench-features"
    register(name, nn.Identity, lambda features: features)
    return name


@cache
def inception(weights: Path) -> Extractor:
    """Return Inception-v3 with the TensorFlow weights, the TF1 resize and fp32."""
    check_inception(weights)
    return inception_of(weights, f"inception@{INCEPTION_SHA256}")


def inception_of(weights: Path, name: str) -> Extractor:
    """Return Inception-v3 with the weights of a file, under a name.

    It gives the same features as the network of torch-fidelity in about half the time: batch norms
    are folded into their convolutions, the memory format is channels-last, and the resize is two
    matrix products. Everything is fp32, because bf16 would give a different metric.
    """

    def make() -> nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # torch-fidelity unpickles without checks, so make sure first that the file is safe
        torch.load(weights, map_location="cpu", weights_only=True)
        net = FeatureExtractorInceptionV3(
            name, ["2048"], feature_extractor_weights_path=str(weights)
        )
        for block in net.modules():
            if isinstance(getattr(block, "bn", None), nn.BatchNorm2d):
                block.conv = fuse_conv_bn_eval(block.conv, block.bn)
                block.bn = nn.Identity()
        *layers, _classifier = net.children()
        trunk = nn.Sequential(*layers, nn.Flatten())
        return trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    compat.torch_fidelity()
    return Extractor(name, register(name, make, _tf1_input))


def _tf1_input(images: Tensor) -> Tensor:
    """Convert uint8 (N, 3, H, W) images to the input of Inception, (N, 3, 299, 299) in [-1, 1]."""
    x = images.float()
    down, across = (tf1_bilinear(side, INCEPTION_SIDE).to(x.device) for side in x.shape[2:])
    x = (down @ x @ across.T - 128) / 128
    return x.contiguous(memory_format=torch.channels_last)


@cache
def tf1_bilinear(n: int, m: int) -> Tensor:
    """Return the (m, n) weights of the bilinear resize of TensorFlow 1, from n pixels to m.

    Output pixel i is at input coordinate i * n / m. There is no half-pixel shift and no
    antialiasing. Beyond the last pixel, the last pixel is repeated.
    """
    at = torch.arange(m, dtype=torch.float32) * torch.tensor(n / m, dtype=torch.float32)
    low = at.long()
    high = (low + 1).clamp_max(n - 1)
    weights = torch.zeros(m, n)
    rows = torch.arange(m)
    weights[rows, low] += 1 - (at - low)
    weights[rows, high] += at - low
    return weights


@cache
def check_inception(weights: Path) -> None:
    """Check the file with the weights of Inception.

    Raises:
        UserError: It is missing, or it is not the file that torch-fidelity documents.
    """
    if not weights.is_file():
        raise UserError(f"--inception {weights}: no such file; {_WANTED}")
    found = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    if found != INCEPTION_SHA256:
        raise UserError(f"--inception {weights}: its sha256 begins with {found}; {_WANTED}")


_WANTED = (
    f"expected weights-inception-2015-12-05-{INCEPTION_SHA256}.pth of torch-fidelity's release "
    f"page (sha256 begins with {INCEPTION_SHA256})"
)

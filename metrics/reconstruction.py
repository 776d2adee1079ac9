"""Reconstruction error of test images: L1, PSNR and SSIM, for A and for B."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData
from bench.metrics._statistics import Array, mean_result

PSNR_CAP = 60.0
WINDOW, SIGMA = 11, 1.5


def l1(output: Tensor, target: Tensor) -> Array:
    """Return the mean absolute error of each uint8 (n, 3, S, S) image, (n,) in [0, 1]."""
    return ((_unit(output) - _unit(target)).abs().mean((1, 2, 3))).numpy()


def psnr(output: Tensor, target: Tensor) -> Array:
    """Return -10 log10 of each image's mean squared error, (n,) in dB, at most 60.

    The metric is the mean over images. In the PSNR of the pooled error, one bad image dominates.
    """
    error = (_unit(output) - _unit(target)).square().mean((1, 2, 3))
    return (-10 * torch.log10(error.clamp_min(10 ** (-PSNR_CAP / 10)))).numpy()


def ssim(output: Tensor, target: Tensor) -> Array:
    """Return the structural similarity of each image, (n,) in [-1, 1].

    Wang et al., IEEE TIP 2004: Gaussian window of 11 px with sigma 1.5, no borders, no
    down-sampling, each channel separately, data range 1. For images below 11 px, the window is the
    largest odd size that fits.
    """
    size = min(WINDOW, (output.shape[-1] - 1) // 2 * 2 + 1)
    at = torch.arange(size, dtype=torch.float64) - size // 2
    line = torch.exp(-at.square() / (2 * SIGMA**2))
    line /= line.sum()

    def blur(x: Tensor) -> Tensor:
        c = x.shape[1]
        x = F.conv2d(x, line.view(1, 1, 1, -1).expand(c, -1, -1, -1), groups=c)
        return F.conv2d(x, line.view(1, 1, -1, 1).expand(c, -1, -1, -1), groups=c)

    c1, c2 = 0.01**2, 0.03**2
    found = []
    for x, y in zip(_unit(output).split(256), _unit(target).split(256), strict=True):
        mean_x, mean_y = blur(x), blur(y)
        var_x = blur(x * x) - mean_x.square()
        var_y = blur(y * y) - mean_y.square()
        cov = blur(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
        found.append((luminance * (2 * cov + c2) / (var_x + var_y + c2)).mean((1, 2, 3)))
    return torch.cat(found).numpy()


MEASURES = {"l1": l1, "psnr": psnr, "ssim": ssim}


class Reconstruction(Metric):
    """Reconstruction error of test images, decoded in their own domain."""

    name = "reconstruction"
    summary = "error of images that are encoded and decoded: L1, PSNR, SSIM"
    version = 2
    position = 70
    numbers = (
        MetricInfo(
            id="rec_l1_a",
            unit="pixel range",
            better="lower",
            meaning="reconstruction of A: mean absolute pixel error, of a range of 1",
            label="L1 A",
            group="Reconstruction",
            bounds=(0.0, 1.0),
            keeps_items=True,
            main=True,
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            in_curve=True,
            needs=("rec_a",),
        ),
        MetricInfo(
            id="rec_l1_b",
            unit="pixel range",
            better="lower",
            meaning="reconstruction of B: mean absolute pixel error, of a range of 1",
            label="L1 B",
            group="Reconstruction",
            bounds=(0.0, 1.0),
            keeps_items=True,
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            in_curve=True,
            needs=("rec_b",),
        ),
        MetricInfo(
            id="rec_psnr_a",
            unit="dB",
            better="higher",
            meaning="reconstruction of A: mean over images of the peak signal-to-noise ratio",
            label="PSNR A",
            group="Reconstruction",
            bounds=(0.0, 60.0),
            digits=2,
            tolerance=0.2,
            needs=("rec_a",),
        ),
        MetricInfo(
            id="rec_psnr_b",
            unit="dB",
            better="higher",
            meaning="reconstruction of B: mean over images of the peak signal-to-noise ratio",
            label="PSNR B",
            group="Reconstruction",
            bounds=(0.0, 60.0),
            digits=2,
            tolerance=0.2,
            needs=("rec_b",),
        ),
        MetricInfo(
            id="rec_ssim_a",
            unit="",
            better="higher",
            meaning="reconstruction of A: structural similarity to the original",
            label="SSIM A",
            group="Reconstruction",
            bounds=(-1.0, 1.0),
            needs=("rec_a",),
        ),
        MetricInfo(
            id="rec_ssim_b",
            unit="",
            better="higher",
            meaning="reconstruction of B: structural similarity to the original",
            label="SSIM B",
            group="Reconstruction",
            bounds=(-1.0, 1.0),
            needs=("rec_b",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the mean over test images of each wanted measure."""
        results = {}
        for info in wanted:
            _, measure, domain = info.id.split("_")
            target = data.domains["test"]["ab".index(domain)].images
            items = MEASURES[measure](artefacts.tensors[f"rec_{domain}"], target)
            results[info.id] = mean_result(info, items, info.id)
        return results


def _unit(images: Tensor) -> Tensor:
    return images.to(torch.float64) / 255

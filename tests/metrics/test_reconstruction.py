"""PSNR and SSIM follow their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.helpers import module


def test_psnr_is_the_mean_over_images_and_capped():
    rec = module("reconstruction")
    target = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    output = target.clone()
    output[1] = 51  # 0.2 of the range: 13.98 dB
    assert rec.psnr(output, target) == pytest.approx([60, -20 * math.log10(0.2)])
    assert rec.l1(output, target) == pytest.approx([0, 0.2])


def test_ssim_is_its_definition():
    """A second implementation: the definition, window by window, without convolutions."""
    rec = module("reconstruction")
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randint(0, 256, (1, 3, 14, 14), generator=generator, dtype=torch.uint8)
        for _ in range(2)
    )
    at = np.arange(11) - 5
    line = np.exp(-(at**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    p, q = x[0].double().numpy() / 255, y[0].double().numpy() / 255
    found = []
    for c in range(3):
        for i in range(4):
            for j in range(4):
                u, v = p[c, i : i + 11, j : j + 11], q[c, i : i + 11, j : j + 11]
                mu, mv = (window * u).sum(), (window * v).sum()
                su = (window * (u - mu) ** 2).sum()
                sv = (window * (v - mv) ** 2).sum()
                suv = (window * (u - mu) * (v - mv)).sum()
                top = (2 * mu * mv + 1e-4) * (2 * suv + 9e-4)
                found.append(top / ((mu**2 + mv**2 + 1e-4) * (su + sv + 9e-4)))
    assert rec.ssim(x, y) == pytest.approx([np.mean(found)], abs=1e-9)
    assert rec.ssim(x, x) == pytest.approx([1])

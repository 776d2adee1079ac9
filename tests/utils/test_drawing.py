"""Drawn pictures take any label."""

from __future__ import annotations

from tests.helpers import NOT_UTF8


def test_pictures_take_any_label(tmp_path):
    """Case 27: what no font has is drawn as something else."""
    import torch

    from bench.utils.drawing import save_columns

    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    save_columns(tmp_path / "grid.png", f"日本 {NOT_UTF8}", [(f"{NOT_UTF8} 日本", images)])
    assert (tmp_path / "grid.png").stat().st_size > 0

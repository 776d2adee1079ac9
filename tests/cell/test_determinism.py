"""What torch cannot promise to repeat is in the record. GPUs are asked; here a CPU is."""

from __future__ import annotations

import warnings

import pytest
import torch

from bench.cell.checkpoint import Checkpoint
from bench.cell.determinism import nondeterministic_operations, prefer_deterministic_kernels
from bench.cell.training import build, flops_of_step, train
from tests.helpers import REGISTRY


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    prefer_deterministic_kernels()
    yield
    torch.use_deterministic_algorithms(False)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def _put(times=1):
    for _ in range(times):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


def test_an_operation_without_a_deterministic_kernel_is_named_once(asked):
    with nondeterministic_operations() as found:
        torch.ones(2) @ torch.ones(2)
        assert found == set()
        _put(3)
    assert found == {"put_"}


def test_other_warnings_stay_what_they_were(asked):
    with warnings.catch_warnings(record=True) as heard, nondeterministic_operations() as found:
        warnings.simplefilter("always")
        warnings.warn("mind the gap", stacklevel=1)
    assert found == set()
    assert [str(warning.message) for warning in heard] == ["mind the gap"]


def test_training_says_what_it_could_not_repeat_also_after_a_kill(asked, faces, tmp_path):
    method_class = REGISTRY.find("method", "autoencoder").load()
    config = method_class.Config(batch_size=2, width=4)

    def trained(steps, put_at):
        method = build(method_class, faces.spec, config, 0)
        flops, step, taken = flops_of_step(method), method.training_step, []

        def training_step(batch):
            taken.append(1)
            if len(taken) == put_at:
                _put()
            if len(taken) == 3 and put_at:
                raise KeyboardInterrupt
            return step(batch)

        method.training_step = training_step
        checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", "source", 0)
        return train(
            method, faces, steps=steps, flops_per_step=flops, seed=0, precision="fp32",
            checkpoint=checkpoint,
        )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        trained(4, put_at=1)
    assert trained(4, put_at=0).not_deterministic == ["put_"]

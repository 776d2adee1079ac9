"""Makes the artefacts of a trained method: its results, its codes and its cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.cell.measure import clock_of, repeat
from bench.cell.parameter_use import parameters_behind
from bench.cell.training import Training, autocast, in_batches
from bench.cell.untrained.anchors import NO_MODEL, without_truth
from bench.contracts.cell import Cell
from bench.contracts.images import of_neighbours, to_float, to_uint8
from bench.contracts.method import Method
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.outputs import (
    checked_codes,
    checked_images,
    require_for_all,
    require_one_shape,
)
from bench.contracts.task import TaskData

T = TypeVar("T")
VERSION = 3
"""The version of the artefacts. Raise it when their number or their format changes."""
LATENCY_REPEATS = 50
LATENCY_SECONDS = 3.0
INFERENCE_BATCH = 32
SECOND_PASS = ("cycle_a", "cycle_b", "z1_add", "z2_add")
"""The results for which the method processes its own results."""


class Transfer(Protocol):
    """What is judged: two functions of images (N, 3, S, S), float32 in [-1, 1].

    It may also have ``reconstruct(x, domain)`` and ``encode(x, domain)`` (see
    `bench.contracts.method.Method`). Without them, the metrics that need them are gaps.
    """

    def add(self, a: Tensor, guide: Tensor, /) -> Tensor:
        """Return images of A with the separate content of guides of B."""

    def remove(self, b: Tensor, /) -> Tensor:
        """Return images of B without their separate content."""


@torch.inference_mode()
def artefacts_of(method: Method, data: TaskData, training: Training, cell: Cell) -> Artefacts:
    """Return all artefacts of a trained method."""
    device = torch.device(cell.device)
    tensors, absent = results_of(method, data, device, cell.precision, cell.numbers["eval_batch"])
    measured = {
        "version": VERSION,
        "training": dataclasses.asdict(training),
        "inference": measure_inference(method, data, device, cell.precision),
    }
    return Artefacts(tensors, measured, absent)


@torch.inference_mode()
def results_of(
    method: Transfer,
    data: TaskData,
    device: torch.device,
    precision: str,
    size: int,
    second_pass: bool = True,
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the results and codes of a method, and the reason for each missing one.

    `bench.contracts.metric.Artefacts` describes both.

    Args:
        method: a trained method. A module is set to eval mode.
        data: the task.
        device: the device of the method.
        precision: "fp32" or "bf16".
        size: the number of images in a forward pass.
        second_pass: whether to make the results of `SECOND_PASS` too.

    Raises:
        OutputError: a function of the method breaks its contract.
    """
    if isinstance(method, nn.Module):
        method.eval()
    passes = _Passes(device, precision, size)
    images = passes.images
    a, b = data.test_pairs
    tensors = {
        "add": images("add", method.add, a, b),
        "other": images("add", method.add, a, of_neighbours(b)),
        "remove": images("remove", method.remove, b),
    }
    absent: dict[str, str] = {}
    if hasattr(method, "reconstruct"):
        tensors["rec_a"] = passes.reconstructed(method, a, 0)
        tensors["rec_b"] = passes.reconstructed(method, b, 1)
    else:
        absent = dict.fromkeys(("rec_a", "rec_b"), "the model has no function 'reconstruct'")
    if second_pass:
        tensors["cycle_a"] = images("remove", method.remove, tensors["add"])
        tensors["cycle_b"] = images("add", method.add, tensors["remove"], b)
    if not hasattr(method, "encode"):
        return tensors, absent | dict.fromkeys(CODES, "the model has no function 'encode'")
    encoded = {
        f"{part}_{letter}": (data.domains[part][domain].images, domain)
        for part in ("probe", "test")
        for domain, letter in enumerate(ascii_lowercase[: data.spec.domains])
    }
    if second_pass:
        encoded["add"] = tensors["add"], 1
    common: dict[str, Tensor] = {}
    separate: dict[str, Tensor] = {}
    for of, (pictures, domain) in encoded.items():
        made = passes.batches(lambda x, domain=domain: method.encode(x, domain), pictures)
        codes = [checked_codes(*of_batch) for of_batch in made]
        common[of] = torch.cat([code.common for code in codes])
        parts = [code.separate for code in codes if code.separate is not None]
        if parts:
            require_for_all(len(parts), len(codes))
            separate[of] = torch.cat(parts)
        else:
            absent[f"z2_{of}"] = "the method has no separate code"
    for name, of_images in (("common", common), ("separate", separate)):
        require_one_shape(name, of_images)
    tensors |= {f"z1_{of}": code for of, code in common.items()}
    tensors |= {f"z2_{of}": code for of, code in separate.items()}
    return tensors, absent


@torch.inference_mode()
def decoded_truth(method: Method, data: TaskData, cell: Cell) -> Artefacts:
    """Return the true results passed through `reconstruct` of a trained method.

    They are the best that a method with this decoder could do. Results of add are reconstructed as
    images of B, those of remove as images of A. The true cycles are the sources themselves.
    """
    method.eval()
    passes = _Passes(torch.device(cell.device), cell.precision, cell.numbers["eval_batch"])
    a, b = data.test_pairs
    again = {"rec_a": passes.reconstructed(method, a, 0)}
    again["rec_b"] = passes.reconstructed(method, b, 1)
    absent = dict(NO_MODEL)
    if data.truth is None:
        absent |= without_truth(data).absent
        absent = {name: reason for name, reason in absent.items() if name not in again}
    else:
        again |= {
            "add": passes.reconstructed(method, data.truth.add, 1),
            "other": passes.reconstructed(method, data.truth.other, 1),
            "remove": passes.reconstructed(method, data.truth.remove, 0),
            "cycle_a": again["rec_a"].clone(),  # a file cannot hold one tensor twice
            "cycle_b": again["rec_b"].clone(),
        }
    return Artefacts(again, {"version": VERSION}, absent)


@dataclass(frozen=True)
class _Passes:
    """Forward passes of a method over uint8 images, `size` at a time."""

    device: torch.device
    precision: str
    size: int

    def batches(self, call: Callable[..., T], *inputs: Tensor) -> Iterator[tuple[T, Tensor]]:
        """Yield the output of a function for each batch, and the batch of the first input."""
        for part in in_batches(len(inputs[0]), self.size):
            batch = [to_float(images[part].to(self.device)) for images in inputs]
            with autocast(self.device.type, self.precision):
                yield call(*batch), batch[0]

    def images(self, function: str, call: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """Return the images that a function makes, uint8; `function` is its name in errors."""
        made = self.batches(call, *inputs)
        return torch.cat([to_uint8(checked_images(function, *of_batch)) for of_batch in made])

    def reconstructed(self, method: Any, images: Tensor, domain: int) -> Tensor:
        """Return the reconstructions of images of a domain, uint8."""
        return self.images("reconstruct", lambda x: method.reconstruct(x, domain), images)


@torch.inference_mode()
def measure_inference(
    method: Method, data: TaskData, device: torch.device, precision: str
) -> dict[str, Any]:
    """Return the times, FLOPs and parameters of ``add``, the function that a user runs."""
    a, b = data.test_pairs

    def call(n: int) -> Callable[[], Tensor]:
        source, guide = to_float(a[:n].to(device)), to_float(b[:n].to(device))

        def transfer() -> Tensor:
            with autocast(device.type, precision):
                return method.add(source, guide)

        return transfer

    batch = min(INFERENCE_BATCH, len(a))
    parameters = list(method.parameters())
    with FlopCounterMode(display=False) as counter:
        call(1)()
    many = repeat(call(batch), device, LATENCY_REPEATS, LATENCY_SECONDS)
    one = repeat(call(1), device, LATENCY_REPEATS, LATENCY_SECONDS)
    return {
        "clock": clock_of(device),
        "images_per_s": [batch / max(wall, 1e-9) for wall, _ in many],
        "cpu_images_per_s": [batch / max(cpu, 1e-9) for _, cpu in many],
        "latency_ms": [1000 * wall for wall, _ in one],
        "latency_cpu_ms": [1000 * cpu for _, cpu in one],
        "flops": int(counter.get_total_flops()),
        "params": sum(p.numel() for p in parameters),
        "params_infer": sum(p.numel() for p in parameters_behind(call(1), parameters)),
    }


def lacking_artefacts(kept: Artefacts) -> Artefacts:
    """Return stored artefacts, with a reason for each one that an older version did not make."""
    reason = "left by an earlier version of the suite: `python -m bench run --existing fresh`"
    missing: dict[str, str] = dict.fromkeys((*IMAGES, *CODES), reason)
    return dataclasses.replace(kept, absent=missing | dict(kept.absent))

"""Checks the outputs of methods and tasks as soon as they are returned.

An output that breaks its contract raises an error here. So no metric ever sees non-finite values,
too many images, or images of the wrong size. The message names the function that returned it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.contracts.method import Codes
from bench.contracts.task import HIDDEN, LETTERS, PARTS, DataSizes, Factor, Task, TaskData
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

SLACK = 1e-3
"""How far a value may lie outside [-1, 1]: enough for rounding errors."""
DIMENSIONS = (2, 4)
"""Numbers of dimensions of a code: (N, C) or (N, C, H, W)."""


class OutputError(Exception):
    """An output of a method breaks its contract."""


class DivergedError(Exception):
    """A loss is no longer a finite number."""


# --- methods -------------------------------------------------------------------------------------


def checked_images(function: str, output: Any, like: Tensor) -> Tensor:
    """Return the images that a function of a method returned, as float32 on the CPU.

    Args:
        function: its name, for the message.
        output: its output, which must be a floating point tensor in [-1, 1].
        like: the input images, (N, 3, S, S). The output must have the same shape.

    Raises:
        OutputError: the output has another type, shape or range.
    """
    images = _floating(function, output, "images")
    if images.shape != like.shape:
        raise OutputError(
            f"{function} gave images of shape {_shape(images)}, expected {_shape(like)}: "
            "one image for each input image"
        )
    images = _finite(function, images)
    lowest, highest = images.min().item(), images.max().item()
    if lowest < -1 - SLACK or highest > 1 + SLACK:
        raise OutputError(
            f"{function} gave values from {lowest:.3g} to {highest:.3g}, expected [-1, 1]: "
            "end the decoder in tanh, or clamp"
        )
    return images


def checked_codes(output: Any, like: Tensor) -> Codes:
    """Return the codes that ``encode`` returned for (N, 3, S, S) images, as float32 on the CPU.

    Raises:
        OutputError: the output is not `Codes` of finite numbers, (N, C) or (N, C, H, W).
    """
    if not isinstance(output, Codes):
        raise OutputError(f"encode gave {_kind(output)}, expected Codes(common, separate)")
    common = _code("common", output.common, len(like))
    if output.separate is None:
        return Codes(common)
    return Codes(common, _code("separate", output.separate, len(like)))


def _code(which: str, code: Any, n: int) -> Tensor:
    code = _floating("encode", code, f"{which} codes")
    if code.dim() not in DIMENSIONS or len(code) != n or not code.numel():
        raise OutputError(
            f"encode gave {which} codes of shape {_shape(code)}, expected ({n}, C) or "
            f"({n}, C, H, W): one code for each image"
        )
    return _finite("encode", code, f"{which} codes")


def require_for_all(count: int, batches: int) -> None:
    """Check that either all batches have a separate code or none has.

    Raises:
        OutputError: only some batches have a separate code.
    """
    if 0 < count < batches:
        raise OutputError(
            f"encode gave separate codes for {count} of {batches} batches, expected them for all "
            "images or for none"
        )


def require_one_shape(code: str, tensors: Mapping[str, Tensor]) -> None:
    """Check that the codes of all domains and parts have the same shape, apart from N.

    Raises:
        OutputError: the shapes differ.
    """
    shapes = {tuple(tensor.shape[1:]): name for name, tensor in tensors.items()}
    if len(shapes) > 1:
        (one, here), (other, there), *_ = shapes.items()
        raise OutputError(
            f"encode gave {code} codes of shape {('N', *one)} for {here} and {('N', *other)} for "
            f"{there}, expected one shape for all images"
        )


def checked_losses(output: Any, step: int) -> dict[str, float]:
    """Return the losses that ``training_step`` returned at a step, as numbers.

    Raises:
        OutputError: the output is not a dictionary of scalars.
        DivergedError: a loss is not finite.
    """
    if not isinstance(output, Mapping):
        raise OutputError(f"training_step gave {_kind(output)}, expected a dict of scalar tensors")
    losses = {}
    for name, value in output.items():
        if not _is_scalar(value):
            raise OutputError(
                f"training_step gave {_kind(value)} for '{name}', expected a scalar tensor"
            )
        losses[str(name)] = float(torch.as_tensor(value, dtype=torch.float64).detach())
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise DivergedError(f"diverged: {bad[0]} is not finite at step {step}")
    return losses


def _is_scalar(value: Any) -> bool:
    """Return whether a value is one real number, or a tensor that holds one."""
    if isinstance(value, Tensor):
        return value.numel() == 1 and not value.is_complex() and _is_dense(value)
    if isinstance(value, int):  # a Python int has no upper bound
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)


def _is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor is dense: all its values are stored in memory."""
    return tensor.layout is torch.strided and not tensor.is_meta


def _floating(function: str, output: Any, what: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise OutputError(f"{function} gave {_kind(output)}, expected a tensor of {what}")
    if not _is_dense(output):
        kind = "meta" if output.is_meta else str(output.layout).removeprefix("torch.")
        raise OutputError(f"{function} gave {what} in a {kind} tensor, expected a dense one")
    if not output.is_floating_point():
        raise OutputError(
            f"{function} gave {what} of type {_dtype(output)}, expected floating point"
        )
    return output.float().cpu()


def _finite(function: str, values: Tensor, what: str = "values") -> Tensor:
    bad = ~torch.isfinite(values).flatten(1).all(1)
    if bad.any():
        raise OutputError(
            f"{function} gave {what} that are not finite (for {int(bad.sum())} of {len(bad)} "
            "images of a batch)"
        )
    return values


# --- tasks ---------------------------------------------------------------------------------------


def checked_task(data: TaskData, sizes: DataSizes) -> TaskData:
    """Return the data that ``load`` of a task returned.

    Raises:
        UserError: the data break the contract of `TaskData`.
    """
    where = f"task {data.name}: load gave"
    for part in PARTS:
        if part not in data.domains:
            raise UserError(f"{where} no part '{part}', expected {', '.join(PARTS)}")
        domains = data.domains[part]
        if len(domains) != len(data.domains[PARTS[0]]) or len(domains) < 2:
            raise UserError(f"{where} {len(domains)} domains in {part}, expected two or more")
        for letter, domain in zip(LETTERS, domains, strict=False):
            place = f"{where} for domain {letter} of {part}"
            _check_images(place, domain.images, sizes.size)
            _check_factors(place, domain.factors, len(domain.images), data.factors)
        counts = [len(domain.images) for domain in domains]
        if part in ("val", "test") and (len(set(counts[:2])) > 1 or counts[0] % 2):
            raise UserError(
                f"{where} {counts[0]} and {counts[1]} {part} images of A and B, expected equally "
                "many, and an even number: they are pairs"
            )
    for part, truth in (("test", data.truth), ("val", data.val_truth)):
        pairs = len(data.domains[part][0].images)
        for name, images in (vars(truth) if truth else {}).items():
            _check_images(f"{where} as truth of {name}", images, sizes.size)
            if len(images) != pairs:
                raise UserError(
                    f"{where} {len(images)} true results of {name}, expected {pairs}: one for each "
                    f"{part} pair"
                )
    if data.label and data.label not in {factor.name for factor in data.factors}:
        raise UserError(f"{where} the label '{data.label}', expected the name of a factor")
    return data


def checked_pieces(
    task: Task, pieces: Iterator[Tensor], size: int, factors: Tensor | None
) -> Iterator[Tensor]:
    """Yield the images of one domain of a streamed task, piece by piece.

    Raises:
        UserError: a piece is not uint8 (n, 3, S, S), or the factors are not int64 (N, F) in the
            range of their values.
    """
    place, count = f"task {task.name}: load gave", 0
    for piece in pieces:
        _check_images(place, piece, size)
        count += len(piece)
        yield piece
    if task.factors or factors is not None:
        _check_factors(place, factors, count, task.factors)


def _check_images(place: str, images: Any, size: int) -> None:
    wanted = f"expected uint8 (N, 3, {size}, {size})"
    if not isinstance(images, Tensor):
        raise UserError(f"{place} {_kind(images)}, {wanted}")
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1:] != (3, size, size):
        raise UserError(f"{place} {_dtype(images)} images of shape {_shape(images)}, {wanted}")
    if not len(images):
        raise UserError(f"{place} no image, {wanted} with N of 1 or more")


def _check_factors(place: str, values: Any, count: int, factors: Sequence[Factor]) -> None:
    """Check the factors of so many images.

    Raises:
        UserError: they are not int64 (count, F), or a value is out of range.
    """
    wanted = (count, len(factors))
    if not isinstance(values, Tensor) or values.dtype != torch.int64 or values.shape != wanted:
        shape = _shape(values) if isinstance(values, Tensor) else _kind(values)
        raise UserError(f"{place} factors of shape {shape}, expected int64 {wanted}")
    for at, factor in enumerate(factors):
        column = values[:, at]
        if column.min() < HIDDEN or column.max() >= len(factor.values):
            raise UserError(
                f"{place} values of factor {factor.name} from {int(column.min())} to "
                f"{int(column.max())}, expected {HIDDEN} (hidden) to {len(factor.values) - 1}"
            )


# --- words ---------------------------------------------------------------------------------------


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {_shape(value)}"
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    return "nothing (None)" if value is None else f"{article} {name}"

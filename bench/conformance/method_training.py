"""Checks of how a method trains, stops and goes on."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.cell.checkpoint import Checkpoint, seed_generators
from bench.cell.training import autocast, flops_of_step
from bench.conformance.check import FailedCheck, SkippedCheck, check
from bench.conformance.method_case import KINDS, MethodCase, checked_outputs, outputs, states
from bench.conformance.precision import Downcasts
from bench.conformance.shipped import QUICK, SLOW_LEARNERS
from bench.contracts.images import to_float
from bench.contracts.method import Batch, Method
from bench.contracts.outputs import checked_losses
from bench.contracts.source_files import files_of

STEPS = 4
"""The training steps of the check `state`, half of them after a pause."""


@check("losses", "return {name: loss.detach()} with one number for each loss")
def losses(case: MethodCase) -> None:
    """A training step returns its losses, as finite scalars, and prints nothing."""
    method = case.build().train()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for step in range(2):
            if not checked_losses(method.training_step(case.batch(seed=step)), step):
                raise FailedCheck("training_step returns no loss")
    if printed.getvalue():
        raise FailedCheck(f"training_step prints: {printed.getvalue().strip().splitlines()[0]}")


@check("seeds", "draw with the global generators of torch, numpy or random, and seed none of them")
def seeds(case: MethodCase) -> None:
    """The same seed gives the same bits after two steps, and another seed another network."""
    first, second = case.stepped().state_dict(), case.stepped().state_dict()
    for name, value in first.items():
        if not torch.equal(value, second[name]):
            raise FailedCheck(f"{name} differs between two trainings with one seed")
    pairs = zip(case.build().parameters(), case.build(seed=1).parameters(), strict=True)
    if all(torch.equal(one, other) for one, other in pairs):
        raise FailedCheck("another seed gives the same initial weights")


@check(
    "gradients",
    "give every network to an optimiser, and use its output in a loss; write "
    "requires_grad_(False) for weights that stay as they are",
)
def gradients(case: MethodCase) -> None:
    """Each trainable weight belongs to one optimiser, and two training steps change it."""
    method = case.build().train()
    before = states(method)
    for step in range(2):
        method.training_step(case.batch(seed=step))
    parameters = {name: p for name, p in method.named_parameters() if p.requires_grad}
    owners: dict[int, list[str]] = defaultdict(list)
    for name, optimizer in method.optimizers().items():
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            owners[id(parameter)].append(name)
    for name, parameter in parameters.items():
        found = owners.pop(id(parameter), [])
        if len(found) > 1:
            raise FailedCheck(f"{name} belongs to more than one optimiser: {', '.join(found)}")
        if not found:
            raise FailedCheck(f"{name} belongs to no optimiser")
    frozen = {id(p) for p in method.parameters() if not p.requires_grad}
    if stray := [names[0] for at, names in owners.items() if at not in frozen]:
        raise FailedCheck(
            f"optimiser {stray[0]} has weights that are none of the method's: "
            "keep each network as an attribute of it"
        )
    # a bias in front of a norm has no gradient
    still = [
        name
        for name, parameter in parameters.items()
        if not name.endswith("bias") and torch.equal(before[name], parameter)
    ]
    if still:
        names = ", ".join(still[:3])
        raise FailedCheck(f"two training steps do not change {names} ({len(still)} in all)")


@check(
    "state",
    "keep what training or results need in register_buffer, in a parameter or in an optimiser; "
    "a plain attribute is lost when a run is interrupted",
)
def state(case: MethodCase) -> None:
    """A training that was stopped and goes on from its checkpoint gives the same bits."""
    straight = _begun(case, 0)
    _train(case, straight, range(STEPS))
    first = _begun(case, 0)
    _train(case, first, range(STEPS // 2))
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Checkpoint(Path(place) / "checkpoint", "", 0)
        checkpoint.save(first, STEPS // 2, {})
        resumed = _begun(case, 9)
        if checkpoint.restore(resumed) is None:
            raise FailedCheck("its checkpoint cannot be read")
    _train(case, resumed, range(STEPS // 2, STEPS))
    kept = resumed.state_dict()
    lost = _held(resumed)
    for name, value in _held(straight).items():
        if not _same(value, lost.get(name)):
            raise FailedCheck(f"state_dict misses self.{name}: it differs after a resume")
    for name, value in straight.state_dict().items():
        if not torch.equal(value, kept[name]):
            raise FailedCheck(f"{name} differs after a resume: something else was lost")
    a, b = case.batch()
    again = outputs(resumed, a, b)
    for name, value in outputs(straight, a, b).items():
        if not torch.equal(value, again[name]):
            raise FailedCheck(f"{name} differs after a resume: something that it uses was lost")


def _begun(case: MethodCase, seed: int) -> Method:
    method = case.build(seed=seed)
    seed_generators(seed, "train")
    method.prepare(STEPS)
    return method.train()


def _train(case: MethodCase, method: Method, steps: range) -> None:
    for step in steps:
        method.training_step(case.batch(seed=step))


def _held(method: Method) -> dict[str, Any]:
    """Return the values that a method and its parts hold as plain attributes, by name."""
    plain = set(vars(nn.Module()))
    found: dict[str, Any] = {}
    for place, module in method.named_modules():
        for name, value in vars(module).items():
            if name not in plain and name not in ("spec", "config"):
                found[f"{place}.{name}" if place else name] = _value(value)
    return found


def _value(value: Any) -> Any:
    """Return what can be compared of an attribute: numbers, texts, tensors, and lists of them."""
    if isinstance(value, bool | int | float | str | Tensor) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): _value(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(one) for one in value]
    if isinstance(value, torch.optim.lr_scheduler.LRScheduler):
        return _value({k: v for k, v in value.state_dict().items() if not k.startswith("_")})
    return ...  # of another type: the weights and the outputs show whether it matters


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


@check("flops", "let a deep copy of the method train like the method itself")
def flops(case: MethodCase) -> None:
    """The FLOPs of a training step can be counted, grow with the batch, and leave no trace."""
    method = case.build()
    before, random = states(method), torch.get_rng_state()
    count = flops_of_step(method)
    if count < 1:
        raise FailedCheck("a training step has no convolution and no matrix product")
    if count != flops_of_step(method):
        raise FailedCheck("a second count gives other FLOPs")
    changed = [n for n, v in method.state_dict().items() if not torch.equal(v, before[n])]
    if changed or not torch.equal(random, torch.get_rng_state()):
        raise FailedCheck(f"the count changes {changed[0] if changed else 'the random state'}")
    twice = flops_of_step(case.build(batch_size=2 * method.config.batch_size))
    if not 1.98 * count < twice < 2.02 * count:
        raise FailedCheck(f"a batch of twice the size takes {twice / count:.2f} times the FLOPs")


@check(
    "float64",
    "take dtype and device from the input, as in torch.zeros_like(x) or x.new_zeros(n), and do "
    "not call .float()",
)
def float64(case: MethodCase) -> None:
    """In float64, a training step works and all images and codes are computed in float64."""
    method = case.build().double().train()
    batch = case.batch()
    method.training_step(Batch([x.double() for x in batch], batch.kinds))
    single = [name for name, p in method.named_parameters() if p.dtype is not torch.float64]
    if single:
        raise FailedCheck(f"{single[0]} is no longer float64 after a training step")
    a, b = (x.double() for x in case.batch())
    files = [str(path) for path in files_of(case.plugin.path, case.plugin.module)]
    with Downcasts(files) as downcasts:
        made = outputs(method, a, b)
    for name, value in made.items():
        if value.dtype is not torch.float64:
            raise FailedCheck(f"{name} is {str(value.dtype).removeprefix('torch.')}, not float64")
    if downcasts.found:
        raise FailedCheck(f"a float64 tensor becomes float32 in {downcasts.found[0]}")


@check("bf16", "take dtype from the input; compute in float32 what needs it")
def bf16(case: MethodCase) -> None:
    """A training step and all results work in bf16, as in the profiles on new processors."""
    method = case.build().train()
    a, b = case.batch()
    with autocast("cpu", "bf16"):
        checked_losses(method.training_step(case.batch()), 1)
        checked_outputs(method, a, b)


@check("learns", "look at the losses: a sign, a learning rate, a missing zero_grad or step?")
def learns(case: MethodCase) -> None:
    """In at most 200 steps it learns to give back sixteen faces, clearly better than their mean.

    Of a slow learner it is enough that it is clearly better than before the training. Among the
    methods of the suite, `SLOW_LEARNERS` names them.
    """
    name, faces = case.plugin.name, case.faces()
    images = [to_float(domain.images[:8]) for domain in faces.domains["train"]]
    kinds = [faces.kinds("train", at)[:8].clamp_max(KINDS) for at in range(2)]
    few = Batch(images, kinds if case.kind.supervision == "kind" else ())
    method = case.build(batch_size=8, **QUICK.get(name, {}))
    means = [image.mean(0, keepdim=True) for image in images]
    untrained = [method.eval().reconstruct(x, at).detach() for at, x in enumerate(images)]
    bounds = [(means, 0.65)] if name not in SLOW_LEARNERS else []
    bounds += [(untrained, 0.75)] if name in SLOW_LEARNERS or not case.plugin.shipped else []
    torch.manual_seed(1)
    method.prepare(200)
    start, well = time.process_time(), 0
    for block in range(1, 9):
        method.train()
        for _ in range(25):
            method.training_step(few)
        fine = any(max(_errors(method, images, useless)) < bound for useless, bound in bounds)
        well = well + 1 if fine else 0
        if well == 2:  # it has learnt, and keeps it
            return
        said = " and ".join(f"{error:.2f}" for error in _errors(method, images, means))
        if time.process_time() - start > case.seconds:
            raise SkippedCheck(f"{25 * block} of 200 steps took {case.seconds:g} s of CPU time")
    raise FailedCheck(
        f"after 200 steps, images of A and B have {said} times the error of their mean picture"
    )


@torch.inference_mode()
def _errors(method: Method, images: list[Tensor], useless: list[Tensor]) -> list[float]:
    """Return the error of each domain's images, in units of a useless picture's error."""
    method.eval()
    again = [method.reconstruct(x, at) for at, x in enumerate(images)]
    return [
        float((made - x).abs().mean() / (bad - x).abs().mean())
        for made, x, bad in zip(again, images, useless, strict=True)
    ]


CHECKS = (losses, seeds, gradients, state, flops, float64, bf16, learns)
"""The checks of this module, in the order in which they are run."""

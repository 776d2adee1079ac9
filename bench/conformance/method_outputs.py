"""Checks of what a method returns in eval mode."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.conformance.attributes import require_text
from bench.conformance.check import ExpectedFailure, FailedCheck, check
from bench.conformance.generators import random_states
from bench.conformance.method_case import (
    MethodCase,
    Outputs,
    checked_outputs,
    largest,
    outputs,
    states,
)
from bench.contracts.method import Codes, Method
from bench.contracts.outputs import SLACK
from bench.contracts.task import Spec

SIZES = (32, 64, 128)
"""The sides, in pixels, that the profiles use."""
TOLERANCE = 1e-4
"""The largest difference of two outputs that another batch size, so another kernel, explains."""
LARGER = 3.0
"""The factor by which `range` multiplies all weights, as a training may do."""


@check("facts", "bench/contracts/method.py says what each attribute of the class is")
def facts(case: MethodCase) -> None:
    """The class says what the method is, and its Config can be used."""
    require_text(case.plugin, "name", "summary", "paper")
    kind = case.kind
    if kind.name != case.plugin.name:
        raise FailedCheck(f"name is {kind.name!r}, and its source says {case.plugin.name!r}")
    if not isinstance(getattr(kind, "guided", None), bool):
        raise FailedCheck("guided is missing, expected True or False")
    steps = getattr(kind, "published_steps", None)
    if not isinstance(steps, int) or steps < 1:
        raise FailedCheck(f"published_steps is {steps!r}, expected a number of at least 1")
    if kind.supervision not in ("domain", "kind"):
        raise FailedCheck(f"supervision is {kind.supervision!r}, expected 'domain' or 'kind'")
    case.build()


@check(
    "shapes",
    "return one image for each image, and one code (N, C) or (N, C, H, W) of one shape for both "
    "domains; take the side of the images from spec.size",
)
def shapes(case: MethodCase) -> None:
    """Images and codes have the right shapes at 32, 64 and 128 pixels, for one and three images."""
    for size in SIZES:
        method = case.build(size)
        for n in (1, 3) if size == SIZES[0] else (2,):
            a, b = case.batch(size, n)
            made = checked_outputs(method, a, b)
            codes = made["common code of A"], made["common code of B"]
            if codes[0].shape != codes[1].shape:
                raise FailedCheck(
                    f"the common code of A has the shape {tuple(codes[0].shape)}, that of B "
                    f"{tuple(codes[1].shape)}"
                )


@check("range", "end the decoder in tanh, or clamp what it returns to [-1, 1]")
def value_range(case: MethodCase) -> None:
    """Images stay in [-1, 1], also when all weights are three times as large."""
    a, b = case.batch()
    for stage, method in case.stages():
        checked_outputs(method, a, b)
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.mul_(LARGER)
        for name, images in outputs(method, a, b).items():
            highest = float(images.abs().max())  # not finite: so large weights mean nothing here
            if "code" not in name and 1 + SLACK < highest < float("inf"):
                raise FailedCheck(
                    f"{name} gives values up to {highest:.3g} with weights {LARGER:g} times as "
                    f"large ({stage}): nothing keeps them in [-1, 1]"
                )


@check(
    "batch-mates",
    "use no statistics of the batch in eval mode: GroupNorm or InstanceNorm, or BatchNorm that "
    "follows eval()",
)
def batch_mates(case: MethodCase) -> None:
    """The output for an image does not depend on the other images of the batch."""
    a, b = case.batch(n=4)
    for stage, method in case.stages():
        together = outputs(method, a, b)
        alone = outputs(method, a[1:2], b[1:2])
        for name, value in together.items():
            if not torch.allclose(value[1:2], alone[name], atol=TOLERANCE):
                raise FailedCheck(
                    f"{name} of an image changes by up to {largest(value[1:2], alone[name]):.2g} "
                    f"when it is alone in the batch ({stage})"
                )


@check(
    "eval-random",
    "return the mean instead of a draw if self.training is false; draw what must be random once, "
    "in __init__, as a buffer",
)
def eval_random(case: MethodCase) -> None:
    """In eval mode nothing draws random numbers, and two calls give the same."""
    a, b = case.batch()
    for stage, method in case.stages():
        before = random_states()
        first = outputs(method, a, b)
        for generator, state in random_states().items():
            if state != before[generator]:
                raise FailedCheck(f"the random generator of {generator} was used ({stage})")
        second = outputs(method, a, b)
        _require_equal(first, second, f"gives something else at its second call ({stage})")


def _require_equal(first: Outputs, second: Outputs, said: str) -> None:
    for name, value in first.items():
        if not torch.equal(value, second[name]):
            raise FailedCheck(f"{name} {said}, by up to {largest(value, second[name]):.2g}")


@check("eval-state", "update running statistics and counters in training_step only")
def eval_state(case: MethodCase) -> None:
    """In eval mode nothing changes the state."""
    a, b = case.batch()
    for stage, method in case.stages():
        before = states(method)
        outputs(method, a, b)
        changed = [n for n, v in method.state_dict().items() if not torch.equal(v, before[n])]
        if changed:
            raise FailedCheck(f"{changed[0]} changes when images are made in eval mode ({stage})")


@check(
    "guide",
    "let add use the separate code of its guide; if the method has no guide, say `guided = False`",
)
def guide(case: MethodCase) -> None:
    """The result of add follows the guide, unless the class says that it is not guided."""
    a, b = case.batch()
    follows = _depends(case, lambda _: b, lambda method, x: method.add(a, x))
    if follows and not case.kind.guided:
        raise FailedCheck("add depends on its guide, but the class says `guided = False`")
    if not follows and case.kind.guided:
        raise FailedCheck("add ignores its guide, but the class says `guided = True`")
    if not follows:
        raise ExpectedFailure("add ignores its guide, and the class says so: `guided = False`")


@check("source", "let add and remove use the common code of the image that they change")
def source(case: MethodCase) -> None:
    """Results depend on the image that they change."""
    a, b = case.batch()
    if not _depends(case, lambda _: a, lambda method, x: method.add(x, b)):
        raise FailedCheck("add gives the same for another source")
    if not _depends(case, lambda _: b, lambda method, x: method.remove(x)):
        raise FailedCheck("remove gives the same for every image")


@check(
    "codes-used",
    "let decode use both codes; return no separate code (None) if the method has none",
)
def codes_used(case: MethodCase) -> None:
    """Codes depend on the image, and what decode returns depends on each of them."""
    _, b = case.batch()
    has_separate = case.build().eval().encode(b, 1).separate is not None
    for which in ("common", "separate") if has_separate else ("common",):

        def code(method: Method, x: Tensor, which: str = which) -> Tensor:
            found: Tensor = getattr(method.encode(x, 1), which)
            return found

        def image(method: Method, x: Tensor, which: str = which) -> Tensor:
            codes = method.encode(b, 1)
            parts = {"common": codes.common, "separate": codes.separate}
            return method.decode(Codes(**{**parts, which: x}), 1)  # type: ignore[arg-type]

        if not _depends(case, lambda _: b, code) and not _tells_domain(case, which):
            raise FailedCheck(f"the {which} code is the same for all images")
        if not _depends(case, lambda method: code(method, b), image):
            raise FailedCheck(f"decode gives the same image for another {which} code")


@torch.inference_mode()
def _tells_domain(case: MethodCase, which: str) -> bool:
    """Return whether a code differs between the domains, as one that names the domain does."""
    _, b = case.batch()
    method = case.build().eval()
    return not torch.equal(getattr(method.encode(b, 0), which), getattr(method.encode(b, 1), which))


def _depends(
    case: MethodCase,
    inputs: Callable[[Method], Tensor],
    result: Callable[[Method, Tensor], Tensor],
) -> bool:
    """Return whether a result depends on an input, before training or after two steps of it.

    It does if another order of the inputs gives another result. The weights of a new network may be
    so small that it does not; then the result still has a gradient.
    """
    for _, method in case.stages():
        method.eval()
        with torch.no_grad():
            x = inputs(method)
            if not torch.equal(result(method, x), result(method, x.flip(0))):
                return True
        x = x.detach().clone().requires_grad_()
        y = result(method, x)
        if y.requires_grad:
            weights = torch.linspace(-1, 1, y.numel()).view_as(y)
            (slope,) = torch.autograd.grad((weights * y).sum(), x, allow_unused=True)
            if slope is not None and slope.any():
                return True
    return False


@check("unlabelled", "take the number of domains and of kinds from spec")
def unlabelled(case: MethodCase) -> None:
    """It can be built for a task that has no labels of separate content."""
    if case.kind.supervision == "kind":
        raise ExpectedFailure('it needs the kind of separate content: `supervision = "kind"`')
    case.build(spec=Spec(SIZES[0]))


CHECKS = (
    *(facts, shapes, value_range, batch_mates, eval_random, eval_state),
    *(guide, source, codes_used, unlabelled),
)
"""The checks of this module, in the order in which they are run."""

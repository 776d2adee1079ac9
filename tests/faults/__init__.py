"""Small faults that tests plant in the code at run time, to test whether the check finds them.

``python -m tests.faults`` plants one fault after the other, and says which layer or test finds it.
The golden layer of ``bench check`` finds all faults except those in `FOUND_BY_TEST`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn

from bench.contracts.method import Method
from bench.contracts.registry import Registry
from tests.simulated_gpu import timer_waits_for_gpu

Patches = Callable[[], list["mock._patch"]]
PLANTED: dict[str, Patches] = {}
FOUND_BY_TEST: dict[str, Callable[[], bool]] = {
    "throughput timer that skips synchronisation": timer_waits_for_gpu,
}
"""Faults that show on a GPU only, each with the check of a test: false if the fault is there."""


def fault(plant: Patches) -> Patches:
    """Register a fault. Its name is the name of its function, as words."""
    PLANTED[plant.__name__.replace("_", " ")] = plant
    return plant


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a fault in the code inside a with block."""
    patches = PLANTED[name]()
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()


def press():
    """Return the class of press2019 and its module."""
    found = Registry().find("method", "press2019").load()
    return found, sys.modules[found.__module__]


def metric_module(name):
    return sys.modules[Registry().find("metric", name).load().__module__]


def changed(owner, name, change):
    """Return the patch that replaces an attribute with `change(original)`."""
    return mock.patch.object(owner, name, change(getattr(owner, name)))


@fault
def confusion_weight_0():
    return [changed(press()[0], "_confusion", lambda was: lambda self, said: tuple(
        loss.detach() for loss in was(self, said)))]  # fmt: skip


@fault
def confusion_target_flipped():
    entropy = press()[1].binary_cross_entropy
    return [mock.patch.object(press()[0], "_confusion", lambda self, said: tuple(
        entropy(half, 1) for half in said.chunk(2)))]  # fmt: skip


@fault
def zero_code_not_zero():
    return [changed(press()[0], "_nothing", lambda was: lambda self, z1: was(self, z1) + 0.1)]


@fault
def z1_and_z2_joined_in_the_wrong_order():
    def decode(self, codes, domain):
        z1, z2 = codes.common, codes.separate
        return self.decoder(torch.cat([self._nothing(z1) if z2 is None else z2, z1], 1))

    return [mock.patch.object(press()[0], "decode", decode)]


@fault
def encoder_of_the_wrong_domain():
    return [changed(press()[0], "encode", lambda was: lambda self, x, domain: was(
        self, x, 1 - domain))]  # fmt: skip


@fault
def reconstruction_loss_on_one_domain_only():
    calls = []

    def every_other(was):
        def loss(*arguments):
            calls.append(1)
            value = was(*arguments)
            return value.detach() if len(calls) % 2 == 0 else value

        return loss

    return [changed(press()[1], "reconstruction_loss", every_other)]


@fault
def normalisation_left_out():
    return [mock.patch.object(nn.InstanceNorm2d, "forward", lambda self, x: x)]


def after_init(change):
    """Return the patch of press2019 that calls `change(method)` after its constructor."""

    def wrapped(was):
        def init(self, spec, config):
            was(self, spec, config)
            change(self)

        return init

    return changed(press()[0], "__init__", wrapped)


@fault
def learning_rate_x10():
    def faster(method):
        for group in method.optimizers()["main"].param_groups:
            group["lr"] *= 10

    return [after_init(faster)]


@fault
def discriminator_never_updated():
    return [after_init(lambda method: setattr(
        method.optimizers()["discriminator"], "step", lambda *_: None))]  # fmt: skip


@fault
def images_in_bgr():
    from bench.cell import artefacts, training

    return [changed(module, "to_float", lambda was: lambda images: was(images).flip(1))
            for module in (artefacts, training)]  # fmt: skip


@fault
def truncation_instead_of_rounding_to_uint8():
    from bench.cell import artefacts

    return [mock.patch.object(artefacts, "to_uint8", lambda images: (
        (images.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8))]  # fmt: skip


@fault
def probe_trained_on_test():
    def cheating(was):
        def probing(fit, test, classes):
            labels = fit[1][:: len(fit[1]) // 2][:2].repeat(len(test) // 2, 0)
            return was((test, labels), test, classes)

        return probing

    return [changed(metric_module("domain_probe"), "Probing", cheating)]


@fault
def wrong_guide_in_add():
    return [changed(press()[0], "add", lambda was: lambda self, a, guide: was(
        self, a, guide.roll(1, 0)))]  # fmt: skip


@fault
def jackknife_over_repeated_items():
    from bench.metrics import _statistics

    return [changed(_statistics, "jackknife_interval", lambda was: (
        lambda value, left_out: was(value, [*left_out, *left_out])))]  # fmt: skip


@fault
def train_mode_at_inference():
    return [mock.patch.object(Method, "eval", lambda self: self)]


@fault
def throughput_timer_that_skips_synchronisation():
    from bench.cell import measure

    return [mock.patch.object(measure, "synchronize")]

"""Checks before a run that a method fits a task, so that no training is wasted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.contracts.registry import Plugin
from bench.contracts.task import Spec, Task, kinds_of_content
from bench.plan.profiles import Profile
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from bench.contracts.method import BaseConfig, Method


class DomainsError(UserError):
    """A method cannot handle as many domains as a task has."""


def check_fit(plugin: Plugin, profile: Profile, task: Task, config: dict[str, Any]) -> None:
    """Check that a method can be built for a task and handles all its domains.

    The method is built on the meta device, which needs no memory. If that fails, it is built on
    the CPU.

    Raises:
        DomainsError: the method handles two domains, and the task has more.
        UserError: the method does not fit for another reason.
    """
    import torch

    from bench.contracts.method import make_config

    method = plugin.load()
    spec = Spec(profile.size, domains=task.domains, kinds=kinds_of_content(task.factors))
    if method.supervision == "kind" and not spec.kinds:
        raise UserError(
            f"{plugin.name} needs the kind of separate content of every training image, and "
            f"task {task.name} has no such labels: leave {plugin.name} out"
        )
    pair = replace(spec, domains=2)
    for device in ("meta", "cpu"):
        try:
            with torch.device(device):
                built = method(pair, make_config(method.Config, config))
            break
        except (Exception, SystemExit) as error:
            if device == "cpu" or isinstance(error, ValueError):
                reason = str(error) if isinstance(error, ValueError) else repr(error)
                raise UserError(f"{plugin.name} in profile {profile.name}: {reason}") from error
    if not any(parameter.requires_grad for parameter in built.parameters()):
        raise UserError(
            f"{plugin.name} has no trainable parameters, expected at least one: keep its "
            "networks as attributes of the method, so that parameters() finds them"
        )
    settings = make_config(method.Config, config)
    if spec != pair and not _works(method, spec, settings) and _works(method, pair, settings):
        raise DomainsError(
            f"{plugin.name} takes two domains, task {task.name} has {spec.domains}: "
            f"leave {plugin.name} out"
        )


def _works(method: type[Method], spec: Spec, config: BaseConfig) -> bool:
    """Return whether a method can do a training step and reconstruct images of each domain."""
    import torch

    from bench.cell.training import flops_of_step
    from bench.utils.threads import computing_with

    try:
        with computing_with(1), torch.random.fork_rng(devices=[]):
            built = method(spec, config).eval()
            image = torch.rand(1, spec.channels, spec.size, spec.size) * 2 - 1
            with torch.inference_mode():
                for domain in range(spec.domains):
                    built.reconstruct(image, domain)
            flops_of_step(built)
    except (Exception, SystemExit):
        return False
    return True

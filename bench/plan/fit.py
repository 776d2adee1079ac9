"""Checks before a run that a method fits a task, so that no training is wasted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts.registry import Plugin
from bench.contracts.task import Spec, Task, kinds_of_content
from bench.plan.profiles import Profile
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.hashing import hash_of

if TYPE_CHECKING:
    from bench.contracts.method import BaseConfig, Method


class DomainsError(UserError):
    """A method cannot handle as many domains as a task has."""


def check_fit(
    plugin: Plugin,
    profile: Profile,
    task: Task,
    config: dict[str, Any],
    cache: Path | None = None,
) -> None:
    """Check that a method can be built for a task and handles all its domains.

    A fit that was found once is kept in the cache, under a hash of the method's code and of
    everything else that it depends on. Then the method is not built again, and torch not imported.

    Raises:
        DomainsError: the method handles two domains, and the task has more.
        UserError: the method does not fit for another reason.
    """
    spec = Spec(profile.size, domains=task.domains, kinds=kinds_of_content(task.factors))
    name = f"{_hash_of_fit(plugin, task, spec, config)}.json"
    kept = None if cache is None else cache / "fits" / name
    if kept is not None and (message := _kept(kept)) is not None:
        if message:
            raise DomainsError(message)
        return
    try:
        _check(plugin, profile, task, spec, config)
    except DomainsError as error:
        _keep(kept, str(error))
        raise
    _keep(kept, "")


def _hash_of_fit(plugin: Plugin, task: Task, spec: Spec, config: Mapping[str, Any]) -> str:
    """Return the hash of all that decides whether a method fits, and of the message if not."""
    code = [Path(__file__), *(Path(__file__).parents[1] / name for name in _DECIDES)]
    return hash_of(
        {
            "method": plugin.name,
            "source": plugin.source_hash(),
            "config": config,
            "task": task.name,
            "spec": vars(spec),
            "torch": version("torch"),
            "code": hashlib.blake2b(b"".join(path.read_bytes() for path in code)).hexdigest(),
        }
    )


_DECIDES = ("contracts/method.py", "contracts/outputs.py", "cell/training.py")
"""The modules of the suite with which `check_fit` builds a method and trains one step."""


def _kept(path: Path) -> str | None:
    """Return '' for a fit that is in the cache, the message of a misfit, or None."""
    try:
        return str(read_sealed(path)["left_out"])
    except (OSError, ValueError, KeyError):
        return None


def _keep(path: Path | None, message: str) -> None:
    if path is not None:
        with suppress(OSError):  # as in a dry run, or on a full disk: then check again next time
            write_sealed(path, {"left_out": message})


def _check(
    plugin: Plugin, profile: Profile, task: Task, spec: Spec, config: dict[str, Any]
) -> None:
    """Check a fit. The method is built on the meta device, which needs no memory, or on the CPU.

    Raises:
        DomainsError, UserError: see `check_fit`.
    """
    import torch

    from bench.contracts.method import make_config

    method = plugin.load()
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

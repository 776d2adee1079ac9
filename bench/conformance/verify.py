"""Runs all checks of a plug-in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.conformance.check import Check, Outcome, Verdict, judge
from bench.contracts.metric import Settings
from bench.contracts.registry import Kind, Plugin, Registry
from bench.contracts.task import DataSizes, Options
from bench.utils.errors import unknown

if TYPE_CHECKING:
    from bench.contracts.task import TaskData

FACES = "avatars-glasses"
"""The task whose images the checks use."""
KINDS: tuple[Kind, ...] = ("method", "metric", "task")
SECONDS = 40.0
"""The CPU time that the check `learns` may take, so that a method takes less than a minute."""
LOADS_HINT = "correct the file: `python FILE` shows the whole error"


def checks_of(kind: Kind) -> Sequence[Check[Any]]:
    """Return the checks of a kind of plug-ins, in the order in which they are run."""
    if kind == "method":
        from bench.conformance import method_outputs, method_training

        own: Sequence[Check[Any]] = (*method_outputs.CHECKS, *method_training.CHECKS)
    elif kind == "metric":
        from bench.conformance import metric_checks

        own = metric_checks.CHECKS
    else:
        from bench.conformance import task_checks

        own = task_checks.CHECKS
    from bench.conformance.attributes import attributes

    return (own[0], attributes, *own[1:])


def verdicts(
    plugin: Plugin, cache: Path, only: Sequence[str] = (), options: Options | None = None
) -> Iterator[Verdict]:
    """Run the checks of a plug-in and yield what came of each.

    Args:
        plugin: the plug-in.
        cache: the folder that keeps the images of tasks.
        only: the names of the checks to run; empty for all.
        options: the images that the user names, for a task that needs some.

    Raises:
        UserError: there is no such check.
    """
    from bench.conformance.shipped import EXPECTED, short_probes
    from bench.utils.threads import computing_with

    checks = checks_of(plugin.kind)
    for name in only:
        if name not in [one.name for one in checks]:
            raise unknown("check", name, [one.name for one in checks])
    if reason := plugin.why_broken():
        yield Verdict("loads", "Its file can be imported.", Outcome.FAILED, reason, LOADS_HINT)
        return
    expected = EXPECTED.get(plugin.name) if plugin.shipped else None
    if expected is None:
        expected = getattr(plugin.load(), "expected_failures", {})
    subject = _subject(plugin, cache, options or Options())
    for one in checks:
        if not only or one.name in only:
            with computing_with(1), short_probes() if plugin.kind == "metric" else nullcontext():
                found = judge(one, subject, plugin.path, expected)
            yield found


def require_conformance(path: str | Path) -> None:
    """Run all checks of the plug-ins of a file, as its own test does.

    Raises:
        AssertionError: a check failed; the message has a line for each.
        UserError: the file holds no plug-in.
    """
    with tempfile.TemporaryDirectory() as place:
        bad = [
            f"{plugin.name}: {found.check}: {found.reason} (hint: {found.hint})"
            for plugin in of_file(Registry([Path(path)]), Path(path))
            for found in verdicts(plugin, Path(place))
            if found.outcome is Outcome.FAILED
        ]
    if bad:
        raise AssertionError("\n".join(bad))


def of_file(registry: Registry, path: Path) -> list[Plugin]:
    """Return the plug-ins of a file that a registry has read."""
    return [p for kind in KINDS for p in registry.all(kind) if p.path == path.resolve()]


def named(registry: Registry, name: str) -> list[Plugin]:
    """Return the plug-ins of a name, of whatever kind; `all` stands for all.

    Raises:
        UserError: there is none.
    """
    found = [p for kind in KINDS for p in registry.all(kind)]
    chosen = [plugin for plugin in found if name in ("all", plugin.name)]
    if not chosen:
        for kind in KINDS:
            registry.require_usable(kind, name)
        raise unknown("method, metric or task", name, [plugin.name for plugin in found])
    return chosen


def _subject(plugin: Plugin, cache: Path, options: Options) -> Any:
    """Return what the checks of a plug-in look at."""
    if plugin.kind == "method":
        from bench.conformance.method_case import MethodCase

        return MethodCase(plugin, lambda: faces(cache), SECONDS)
    if plugin.kind == "metric":
        from bench.conformance.metric_case import MetricCase

        return MetricCase(plugin, scored_faces(cache), Settings(cache=cache))
    from bench.conformance.task_checks import TaskCase

    return TaskCase(plugin, cache, options)


def faces(cache: Path) -> TaskData:
    """Return the small task that methods are trained on in the check `learns`."""
    return _faces(DataSizes(size=32, train=16, probe=8, test=8), cache)


def scored_faces(cache: Path) -> TaskData:
    """Return the task on which metrics are checked.

    It has enough images for an interval of a Frechet distance in 64 dimensions.
    """
    from bench.conformance.made_up import with_more_to_say

    return with_more_to_say(_faces(DataSizes(size=32, train=16, probe=160, test=160), cache))


def _faces(sizes: DataSizes, cache: Path) -> TaskData:
    from bench.tasks.cache import prepare

    return prepare(Registry().find("task", FACES).load()(), sizes, cache)

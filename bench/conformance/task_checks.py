"""Checks of a task."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from unittest import mock

from bench.conformance.attributes import require_text
from bench.conformance.check import ExpectedFailure, FailedCheck, SkippedCheck, check
from bench.contracts.plugins.plugin import Plugin
from bench.contracts.task import HIDDEN, PARTS, DataSizes, Options, Task, TaskData
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.options import flag

SIZES = DataSizes(size=32, train=64, probe=64, test=32)
OTHER, FEW = DataSizes(32, 64, 64, 34), DataSizes(32, 8, 8, 8)
SAME_IMAGES = 0.97
"""The least share of the images of a part that must differ from each other."""


@dataclass(frozen=True)
class TaskCase:
    """A task that is checked. cache: the folder that keeps its images. options: see `Options`."""

    plugin: Plugin
    cache: Path
    options: Options = field(default_factory=Options)

    @cached_property
    def task(self) -> Task:
        """The task.

        Raises:
            SkippedCheck: its images are not here.
        """
        kind: type[Task] = self.plugin.load()
        if lacking := [flag(name) for name in kind.needs if getattr(self.options, name) is None]:
            raise SkippedCheck(f"it reads images of yours: {' and '.join(lacking)}")
        task = kind(self.options)
        if reason := task.missing():
            raise SkippedCheck(f"its files are not here: {reason}")
        return task

    @cached_property
    def data(self) -> TaskData:
        """Its images, few and small."""
        return prepare(self.task, SIZES, self.cache)

    def again(self) -> Task:
        """Return the task made anew."""
        return type(self.task)(self.options)


@check("facts", "bench/contracts/task.py says what each attribute of the class is")
def facts(case: TaskCase) -> None:
    """The class says what the task is."""
    require_text(case.plugin, "name", "summary")
    kind: type[Task] = case.plugin.load()
    for names, where in ((kind.takes, "takes"), (kind.needs, "needs")):
        for name in names:
            if name not in Options.__dataclass_fields__:
                raise FailedCheck(f"{where} names '{name}', which is no option of a task")
    if kind.domains < 2:
        raise FailedCheck(f"domains is {kind.domains}, expected at least 2")


@check("shapes", "give uint8 images (N, 3, S, S) and int64 factors (N, F) for every part")
def shapes(case: TaskCase) -> None:
    """All parts and domains have images, as many as asked for or available, that are not blank."""
    task, data = case.task, case.data
    there = task.available(SIZES)
    for part in PARTS:
        domains = data.domains[part]
        if len(domains) != task.domains:
            raise FailedCheck(f"{part} has {len(domains)} domains, expected {task.domains}")
        counts = [len(domain.images) for domain in domains]
        if part != "val" and max(counts) != there.of(part):
            raise FailedCheck(f"{part} has {max(counts)} images, expected {there.of(part)}")
        if part != "train" and len(set(counts)) > 1:
            raise FailedCheck(f"{part} has {counts} images of its domains, expected equally many")
        if min(counts) < 2 or max(counts) > SIZES.of(part):
            raise FailedCheck(f"{part} has {counts} images, expected 2 to {SIZES.of(part)}")
        if part in ("val", "test") and counts[0] % 2:
            raise FailedCheck(f"{part} has {counts[0]} images, expected an even number: pairs")
        for domain in domains:
            if domain.images.float().std() <= 1:
                raise FailedCheck(f"the images of {part} are blank")
    if data.label:
        labels = [factor for factor in data.factors if factor.name == data.label]
        if not labels or labels[0].separate:
            raise FailedCheck(f"the label '{data.label}' is no shared factor")


@check("disjoint", "draw each image from a role that names its part")
def disjoint(case: TaskCase) -> None:
    """No two parts share an image, and a part hardly repeats one."""
    parts = {
        part: {image.numpy().tobytes() for domain in domains for image in domain.images}
        for part, domains in case.data.domains.items()
    }
    for at, part in enumerate(PARTS):
        for other in PARTS[at + 1 :]:
            if both := parts[part] & parts[other]:
                raise FailedCheck(f"{part} and {other} share {len(both)} images")
        count = sum(len(domain.images) for domain in case.data.domains[part])
        if len(parts[part]) <= SAME_IMAGES * count:
            raise FailedCheck(f"{part} has {len(parts[part])} different images of {count}")


@check("factors", f"use the index of a value, and HIDDEN ({HIDDEN}) where a factor does not show")
def factors(case: TaskCase) -> None:
    """Factors are values or hidden; no separate factor shows in A."""
    data = case.data
    for part, domains in data.domains.items():
        for domain in domains:
            for column, factor in zip(domain.factors.T, data.factors, strict=True):
                if column.min() < HIDDEN or column.max() >= len(factor.values):
                    raise FailedCheck(f"factor {factor.name} of {part} is out of range")
        of_a = domains[0].factors
        for at, factor in enumerate(data.factors):
            if factor.separate and (of_a[:, at] != HIDDEN).any():
                raise FailedCheck(f"the separate factor {factor.name} shows in A of {part}")


@check("fingerprint", "let the recipe name all that determines the pixels, and the sizes")
def recipe(case: TaskCase) -> None:
    """The fingerprint is the same every time, and another for other sizes."""
    first = fingerprint(case.task, SIZES)
    if first != fingerprint(case.again(), SIZES):
        raise FailedCheck("the recipe of the same task differs")
    if first == fingerprint(case.task, OTHER):
        raise FailedCheck("the recipe is the same for other sizes")


@check("same-bits", "draw every random number from the role of its image (bench.utils.seeds)")
def same_bits(case: TaskCase) -> None:
    """The same recipe gives the same pixels, in another folder too."""
    _ = case.task
    with tempfile.TemporaryDirectory() as place:
        made = [prepare(case.again(), FEW, Path(place) / name) for name in "ab"]
        if made[0].pixel_hash != made[1].pixel_hash:
            raise FailedCheck("two folders hold other pixels")


@check("no-network", "fetch files in `fetch`, which `python -m bench data get` calls")
def no_network(case: TaskCase) -> None:
    """Making the images opens no connection."""
    _ = case.task
    with tempfile.TemporaryDirectory() as place, _no_connections():
        prepare(case.again(), DataSizes(16, 4, 4, 4), Path(place))


@contextmanager
def _no_connections() -> Iterator[None]:
    """Let every attempt to open a connection fail in a block."""

    def refuse(*_: object, **__: object) -> None:
        raise FailedCheck("it opens a connection")

    with (
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.object(socket.socket, "connect_ex", refuse),
        mock.patch.object(socket.socket, "sendto", refuse),
        mock.patch.object(socket, "getaddrinfo", refuse),
    ):
        yield


@check("truth", "draw the true results: a with the guide's content, b without its own")
def truth(case: TaskCase) -> None:
    """The true results, if they are known, are neither the source nor the guide."""
    _ = case.task
    if case.data.truth is None:
        raise ExpectedFailure("the task knows no true results, so skill and scores do not apply")
    a, b = case.data.test_pairs
    known = case.data.truth
    for name, images, other in (
        ("add", known.add, a),
        ("add", known.add, b),
        ("remove", known.remove, b),
    ):
        if not (images != other).flatten(1).any(1).all():
            raise FailedCheck(f"the true result of {name} is an image that was given")


CHECKS = (facts, shapes, disjoint, factors, recipe, same_bits, no_network, truth)
"""The checks of this module, in the order in which they are run."""

"""Loads a trained method from its run, ready for pictures of a user."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from bench.cell.checkpoint import random_states, set_random_states
from bench.cell.training import autocast, build
from bench.contracts.cell import Cell
from bench.contracts.method import Codes, Method, make_config
from bench.contracts.record import Record
from bench.contracts.registry import Registry
from bench.contracts.task import Resize, Spec, kinds_of_content
from bench.models.files import files_of
from bench.models.pictures import Converted, Pictures, convert
from bench.records.read import cell_of
from bench.utils.errors import UserError


class Model:
    """A trained method that takes and returns pictures (see `bench.models.pictures.Pictures`).

    Results have the form of the first argument, and the side of the method's images. For tensors in
    [-1, 1] use `method` itself.

    method: the trained method, in eval mode. record: the record of its run. resize: how pictures of
    other sizes become a square: crop, pad or stretch.
    """

    def __init__(self, method: Method, record: Record, resize: Resize = "crop") -> None:
        self.method = method.eval()
        self.record = record
        self.resize: Resize = resize

    def add(self, a: Pictures, guide: Pictures) -> Pictures:
        """Return pictures of A with the separate content of guides of B.

        A single guide serves all pictures. A method with ``guided = False`` ignores the guide.

        Raises:
            UserError: the pictures have a wrong form, or the numbers of both differ.
        """
        given, guides = self._converted(a), self._converted(guide).images
        many = len(given.images)
        if len(guides) not in (1, many):
            raise UserError(
                f"{many} pictures and {len(guides)} guides, expected 1 or {many} guides"
            )
        guides = guides.expand(many, -1, -1, -1)
        with torch.inference_mode(), self._precision():
            return given.back(self.method.add(self._moved(given.images), self._moved(guides)))

    def remove(self, b: Pictures) -> Pictures:
        """Return pictures of B without their separate content. It needs no guide."""
        given = self._converted(b)
        with torch.inference_mode(), self._precision():
            return given.back(self.method.remove(self._moved(given.images)))

    def encode(self, pictures: Pictures, domain: int) -> Codes:
        """Return the codes of pictures of a domain (0 = A, 1 = B)."""
        images = self._converted(pictures).images
        with torch.inference_mode(), self._precision():
            return self.method.encode(self._moved(images), self._known(domain))

    def reconstruct(self, pictures: Pictures, domain: int) -> Pictures:
        """Return the reconstructions of pictures of a domain (0 = A, 1 = B)."""
        given = self._converted(pictures)
        with torch.inference_mode(), self._precision():
            made = self.method.reconstruct(self._moved(given.images), self._known(domain))
        return given.back(made)

    def _converted(self, pictures: Pictures) -> Converted:
        return convert(pictures, self.method.spec.size, self.resize)

    def _known(self, domain: int) -> int:
        if domain not in range(self.method.spec.domains):
            raise UserError(f"domain is {domain}, expected 0 for A or 1 for B")
        return domain

    def _device(self) -> torch.device:
        return next((p.device for p in self.method.parameters()), torch.device("cpu"))

    def _moved(self, images: Tensor) -> Tensor:
        return images.to(self._device())

    def _precision(self) -> AbstractContextManager[object]:
        return autocast(self._device().type, self.record["identity"]["precision"])


def load_model(
    run: str | PathLike[str],
    *,
    plugins: Sequence[str | PathLike[str]] = (),
    device: str = "cpu",
    resize: Resize = "crop",
    any_source: bool = False,
) -> Model:
    """Return the trained method of a run.

    Args:
        run: the run folder (``results/runs/NAME``), the record (``results/records/NAME.json``) or
            a folder that ``python -m bench export`` wrote.
        plugins: files of methods that are not part of the suite, as for `--plugin`.
        device: where it computes, "cpu" or "cuda".
        resize: how pictures of other sizes become a square: crop, pad or stretch.
        any_source: load the weights although the code of the method has changed since.

    Raises:
        UserError: there is no such run, it has no trained weights, or the code has changed.
    """
    files = files_of(Path(run))
    record = files.read_record()
    cell = cell_of(record, tuple(map(str, plugins)))
    registry = Registry(map(Path, cell.plugins))
    weights, source = files.read_weights()
    plugin = registry.find("method", cell.method)
    if source != plugin.source_hash() and not any_source:
        trained = files.weights.parent.name
        raise UserError(
            f"{plugin.path} has changed since {trained} was trained: check out the code of that "
            "run, train again with --existing fresh, or pass any_source=True (--any-source)"
        )
    method_class: type[Method] = plugin.load()
    spec = _spec(cell, registry)
    config = make_config(method_class.Config, cell.config)
    states = random_states()  # those of the user: `build` seeds all generators
    try:
        method = build(method_class, spec, config, cell.seed)
    finally:
        set_random_states(states)
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        place = files.weights.parent
        raise UserError(f"the weights in {place} do not fit {plugin.path}: {error}") from error
    return Model(method.to(device), record, resize)


def _spec(cell: Cell, registry: Registry) -> Spec:
    """Return what the method was told about the images of its task."""
    task = registry.find("task", cell.task).load()
    factors = task.factors if isinstance(task.factors, tuple) else ()  # folders: known by options
    kinds = kinds_of_content(factors)
    return Spec(cast("int", cell.numbers["size"]), domains=task.domains, kinds=kinds)

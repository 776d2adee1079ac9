"""Applies a trained model to image files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.models.load import Model
from bench.tasks.files.decode import SUFFIXES, read_rgb, to_square
from bench.tasks.files.file_names import in_order
from bench.tasks.files.index import is_image
from bench.utils.errors import UserError, not_written
from bench.utils.files.atomic import written_whole

BATCH = 32


def add_to_files(model: Model, source: Path, guide: Path, output: Path, force: bool) -> list[Path]:
    """Write each source with the separate content of its guide; return the written files.

    Args:
        model: the model.
        source: an image of A, or a folder of them.
        guide: an image of B for all sources, or a folder with one for each source, in the order of
            the names.
        output: the file, or the folder if the source is one. It gets PNG files.
        force: whether files that exist are overwritten.

    Raises:
        UserError: a file cannot be read or written, or the numbers of both differ.
    """
    sources, guides = _images(source), _images(guide)
    if len(guides) not in (1, len(sources)):
        raise UserError(
            f"{source} has {len(sources)} images and {guide} has {len(guides)}, expected one guide "
            "for all or one for each"
        )
    guides = guides * len(sources) if len(guides) == 1 else guides

    def work(at: slice) -> np.ndarray:
        return np.asarray(model.add(_squares(model, sources[at]), _squares(model, guides[at])))

    return _write_all(sources, source.is_dir(), output, force, work, guides)


def remove_from_files(model: Model, source: Path, output: Path, force: bool) -> list[Path]:
    """Write each source without its separate content; return the written files.

    Args:
        model: the model.
        source: an image of B, or a folder of them.
        output: the file, or the folder if the source is one. It gets PNG files.
        force: whether files that exist are overwritten.

    Raises:
        UserError: a file cannot be read or written.
    """
    sources = _images(source)

    def work(at: slice) -> np.ndarray:
        return np.asarray(model.remove(_squares(model, sources[at])))

    return _write_all(sources, source.is_dir(), output, force, work)


def _images(path: Path) -> list[Path]:
    """Return an image file, or the image files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    names = [one.name for one in path.iterdir() if is_image(one.name)]
    if not names:
        raise UserError(f"{path} has no images, expected files that end with {', '.join(SUFFIXES)}")
    return [path / name for name in in_order(names, str(path))]


def _squares(model: Model, paths: Sequence[Path]) -> np.ndarray:
    """Return images as uint8 (N, S, S, 3) with the side of the model."""
    size = model.method.spec.size
    return np.stack([np.asarray(to_square(read_rgb(p), size, model.resize)) for p in paths])


def _write_all(
    sources: Sequence[Path],
    into_folder: bool,
    output: Path,
    force: bool,
    work: Callable[[slice], np.ndarray],
    guides: Sequence[Path] = (),
) -> list[Path]:
    targets = [output / f"{one.stem}.png" for one in sources] if into_folder else [output]
    if len(set(targets)) < len(targets):
        raise UserError(f"two sources would be written to one file of {output}: rename one")
    inputs = {path.resolve() for path in (*sources, *guides)}
    if own := [path for path in targets if path.resolve() in inputs]:
        raise UserError(f"{own[0]} is a source or a guide: name another output with -o")
    there = [path for path in targets if path.exists()]
    if there and not force:
        raise UserError(f"{there[0]} exists: name another output with -o, or give --force")
    try:
        if into_folder:
            output.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(sources), BATCH):
            at = slice(start, start + BATCH)
            for path, made in zip(targets[at], work(at), strict=True):
                with written_whole(path) as partial:
                    Image.fromarray(made).save(partial, "PNG")
    except OSError as error:
        raise not_written(output, error) from error
    return targets

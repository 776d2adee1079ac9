"""Figures for papers: each plot as SVG, PDF and PNG, and the main table of each board as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.board.output.latex import latex_table
from bench.html.plots.board import plots_of
from bench.html.plots.ink import PAPER
from bench.html.sources import Source
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole
from bench.utils.hashing import safe

COLUMN_CM = 8.5
"""The greatest width of a figure: that of a column of a paper."""
_POINTS = 72 / 2.54
"""Points in a centimetre."""
_WIDTH = re.compile(r'<svg[^>]* width="([\d.]+)"')
DOTS_PER_INCH = 300


def write_figures(folder: Path, sources: Sequence[Source]) -> int:
    """Write the figures of boards to a folder; return how many files were written.

    A file is named after its task, profile and plot.

    Raises:
        UserError: a file cannot be written.
    """
    count = 0
    try:
        for source in sources:
            board = source.board
            stem = safe(f"{board.task}-{board.profile}-p{board.protocol}")
            _write(folder / f"{stem}-table.tex", latex_table(board).encode())
            count += 1
            for plot in plots_of(source, PAPER):
                for kind, content in _drawn(dict(plot.spec)).items():
                    _write(folder / f"{stem}-{safe(plot.id)}.{kind}", content)
                    count += 1
    except OSError as error:
        raise UserError(
            f"cannot write the figures in {folder} ({error.strerror}): name another with --figures"
        ) from error
    return count


def _drawn(spec: dict[str, object]) -> dict[str, bytes]:
    """Return a plot in each format. It is as wide as a column at most, and text keeps its size."""
    import vl_convert

    whole = spec | {"config": dict(PAPER.config) | {"background": "white"}}
    svg = vl_convert.vegalite_to_svg(whole)
    found = _WIDTH.search(svg)
    width = float(found[1]) if found else COLUMN_CM * _POINTS
    scale = min(0.75, COLUMN_CM * _POINTS / width)  # a pixel of a browser has 0.75 points
    return {
        "svg": _sized(svg, scale, "pt").encode(),
        "pdf": vl_convert.svg_to_pdf(_sized(svg, scale, "")),  # it takes a pixel for a point
        "png": vl_convert.svg_to_png(svg, scale=scale, ppi=DOTS_PER_INCH),
    }


def _sized(svg: str, scale: float, unit: str) -> str:
    """Return an SVG with its width and height multiplied by ``scale``, in another unit."""

    def in_points(found: re.Match[str]) -> str:
        return f'{found[1]}="{float(found[2]) * scale:.2f}{unit}"'

    head, mark, rest = svg.partition(">")
    return re.sub(r'\b(width|height)="([\d.]+)"', in_points, head) + mark + rest


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as temporary:
        temporary.write_bytes(content)

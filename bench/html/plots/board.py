"""All plots of a board, in the order of the page."""

from __future__ import annotations

from bench.html.plots.curves import curves
from bench.html.plots.ink import Ink
from bench.html.plots.plot import Plot
from bench.html.plots.rows import dots, factors, losses, ranks
from bench.html.plots.scatter import pareto, parts, separation
from bench.html.sources import Source


def plots_of(source: Source, ink: Ink) -> list[Plot]:
    """Return the plots that the numbers of a board allow.

    ink: how they are drawn. The page and paper have inks of their own.
    """
    made: list[Plot | None] = [
        separation(source, ink),
        *parts(source, ink),
        pareto(source, ink),
        *curves(source, ink),
        ranks(source, ink),
        *factors(source, ink),
        losses(source, ink),
        *dots(source, ink),
    ]
    return [plot for plot in made if plot]

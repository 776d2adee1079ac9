"""Anchors: references without a training of their own, which bound what a number can mean.

Floors show what a trick earns that learns nothing. Ceilings show what is possible. All of them are
rows of every leaderboard. `bench.cell.untrained.anchors` makes their artefacts. This module needs
no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

ANCHORS: Mapping[str, str] = {
    "ground-truth": "anchor: the task's own true results, the ceiling",
    "oracle-decoder": "anchor: the true results passed through the trained autoencoder, the "
    "ceiling of a decoder of this budget",
    "paste": "anchor: copies the guide's pixels where the mean images of A and B differ most",
    "mean-image": "anchor: the mean image of the target domain, whatever the source",
    "random-guide": "anchor: a random training image of the target domain",
    "shuffled-truth": "anchor: the true result of another guide, or of another source",
    "copy-source": "anchor: the source as it is, the floor of transfer",
    "copy-guide": "anchor: the guide instead of the source",
}
"""What each anchor is, by name, in the order of the leaderboard: ceilings first."""
CEILINGS = frozenset({"ground-truth", "oracle-decoder"})
"""The anchors that know the true result. A method is not expected to be above them."""
WEIGHTS_OF: Mapping[str, str] = {"oracle-decoder": "autoencoder"}
"""The method whose trained weights an anchor uses. Such an anchor has that method's seeds."""
WITHOUT_SEED = frozenset(ANCHORS) - frozenset(WEIGHTS_OF)
"""The anchors that depend on no training: one cell stands for all seeds and machines."""


def configured_as(method: str) -> str:
    """Return the method whose configuration a method has: itself, or that of `WEIGHTS_OF`."""
    return WEIGHTS_OF.get(method, method)

"""What the checks know of the suite's own plug-ins.

A plug-in of a user says such things in its class (`expected_failures`). Here they stand apart,
because a new line in the file of a method would make its committed records stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

SLOW_LEARNERS = {
    "drit": "reconstruction is one of eight losses, and at first its critics win",
    "sepvae": "it has no norms, and the noise of its codes is as large as they are at first",
}
"""Methods that 150 steps do not bring far below the mean picture's error, and why."""
QUICK: Mapping[str, Mapping[str, Any]] = {
    "drit": {"learning_rate": 1e-3, "content_learning_rate": 4e-4, "d_iter": 1, "width": 8},
    "sepvae": {"learning_rate": 5e-3, "beta2": 0.99, "reset_every": 0},
    "ufdn": {"learning_rate": 2e-3},
}
"""What a method needs in order to learn in 200 steps; start values are for far longer trainings."""
EXPECTED: Mapping[str, Mapping[str, str]] = {}
"""The declared failures of the suite's plug-ins: by name, the reason of each by its check."""
NOT_TOLD_APART = {"tr_companion": "noise shows no companion"}
"""Numbers that a useless method may have as good as a perfect one, and why."""


@contextmanager
def short_probes() -> Iterator[None]:
    """Fit the network probes of the suite's metrics with a fifth of their steps in a block.

    What the checks ask of a metric, such probes fulfil as well, and it takes seconds.
    """
    from bench.metrics.probes.kinds import _Networks

    with mock.patch.object(_Networks, "steps", _Networks.steps // 5):
        yield

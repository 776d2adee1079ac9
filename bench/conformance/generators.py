"""The states of the global random generators, to see whether something was drawn."""

from __future__ import annotations

import random

import numpy as np
import torch


def random_states() -> dict[str, object]:
    """Return the state of each generator, in a form that can be compared."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (name, keys.tobytes(), *rest),  # type: ignore[union-attr]
        "python": random.getstate(),
    }

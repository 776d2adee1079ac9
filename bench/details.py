"""What the details of several seeds say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def over_seeds(details: Sequence[Any]) -> Any:
    """Return the mean of numbers and what is equal in all; None for what seeds disagree about.

    Dictionaries are put together key by key, as far as all have it, and lists item by item.
    """
    first = details[0]
    if all(isinstance(detail, dict) for detail in details):
        together = {
            key: over_seeds([detail[key] for detail in details])
            for key in first
            if all(key in detail for detail in details)
        }
        return {key: value for key, value in together.items() if value is not None}
    if all(isinstance(detail, list) and len(detail) == len(first) for detail in details):
        return [over_seeds(items) for items in zip(*details, strict=True)]
    if all(detail == first for detail in details):
        return first
    if all(isinstance(detail, int | float) for detail in details):
        return float(np.mean(details))
    return None

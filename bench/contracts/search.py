"""Which fields of a method's configuration a tuning study searches, and in what range.

A method marks a searched field in its ``Config``. The default stays the published value::

    learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
    reconstruction: Annotated[Literal["mse", "l1"], Choice(("mse", "l1"), start="l1")] = "mse"

`bench.study.trials` draws the values. ``start`` is the value that the suite set by hand, for
profile ``small``, before it had studies. It is the second trial of a study; the first is the
published configuration.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: the bounds. For a field of type int, whole numbers.
        log: whether to draw uniformly on the logarithm. Then ``low`` must be positive.
        start: the hand-set value, or None if it is the published one.

    Raises:
        ValueError: the bounds are in the wrong order, or the start lies outside them.
    """

    low: float
    high: float
    log: bool = False
    start: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self}: expected low < high, and low > 0 with log")
        if self.start is not None and not self.holds(self.start):
            raise ValueError(f"{self}: the start lies outside the range")

    def holds(self, value: Any) -> bool:
        """Return whether a value can be drawn."""
        return bool(self.low <= value <= self.high)


@dataclass(frozen=True)
class Choice:
    """A few values, all equally likely.

    Attributes:
        values: at least two values, which JSON can hold.
        start: the hand-set value, or None if it is the published one.

    Raises:
        ValueError: there are fewer than two values, or the start is not one of them.
    """

    values: tuple[Any, ...]
    start: Any = None

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"{self}: expected at least two values")
        if self.start is not None and not self.holds(self.start):
            raise ValueError(f"{self}: the start is not one of the values")

    def holds(self, value: Any) -> bool:
        """Return whether a value can be drawn."""
        return value in self.values


def searched_fields(config_class: type) -> dict[str, Range | Choice]:
    """Return what is searched in a configuration, by field name, in the order of the fields.

    Args:
        config_class: the ``Config`` of a method, a dataclass.
    """
    hints = typing.get_type_hints(config_class, include_extras=True)
    found: dict[str, Range | Choice] = {}
    for field in dataclasses.fields(config_class):
        for mark in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(mark, Range | Choice):
                found[field.name] = mark
    return found


def start_values(config_class: type) -> Mapping[str, Any]:
    """Return the hand-set values of a configuration that differ from the published ones."""
    published = config_class()
    starts = {name: mark.start for name, mark in searched_fields(config_class).items()}
    return {
        name: value
        for name, value in starts.items()
        if value is not None and value != getattr(published, name)
    }

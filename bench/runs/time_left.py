"""Estimates when a run ends, from the forecasts of its cells and from the cells that ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass
class _CellTime:
    """What is known of the time of a cell that has not ended, in seconds.

    forecast: The whole, None if unknown. started: When it started, None if it waits. trained: When
    its training will end, None if it does not train.
    """

    forecast: float | None
    started: float | None = None
    trained: float | None = None


class TimeLeft:
    """Counts the cells of a run, and estimates its time left.

    Forecasts come from earlier records, perhaps of another machine. So they are scaled by what the
    cells that ended really took. A cell without a forecast counts as the mean of those that ended.
    A cell that trains takes at least until the end of its training. If a cell takes longer than
    estimated, nothing is known of the time left.
    """

    def __init__(
        self,
        forecasts: Mapping[str, float | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            forecasts: The seconds of each cell by id; None if unknown.
            now: The clock, in seconds.
        """
        self._now = now
        self._cells = {name: _CellTime(seconds) for name, seconds in forecasts.items()}
        self.total = len(forecasts)
        self._ended: list[tuple[float | None, float]] = []
        self._failed = 0
        self._most_at_once = 1

    def start(self, cell: str) -> None:
        """Note that a cell has started."""
        self._cells.setdefault(cell, _CellTime(None)).started = self._now()
        running = sum(one.started is not None for one in self._cells.values())
        self._most_at_once = max(self._most_at_once, running)

    def train(self, cell: str, seconds_left: float) -> None:
        """Note how long the training of a cell still takes."""
        if cell in self._cells:
            self._cells[cell].trained = self._now() + seconds_left

    def end(self, cell: str, is_ok: bool, seconds: float) -> None:
        """Note that a cell has ended, and how long it took."""
        known = self._cells.pop(cell, _CellTime(None))
        self._ended.append((known.forecast, seconds))
        self._failed += not is_ok

    @property
    def done(self) -> int:
        """How many cells have ended."""
        return len(self._ended)

    def seconds(self) -> float | None:
        """Return the estimated seconds until the last cell ends; None if nothing is known."""
        rest = [self._rest(cell) for cell in self._cells.values()]
        known = [seconds for seconds in rest if seconds is not None]
        if len(known) < len(rest):
            return None
        return max(sum(known) / self._most_at_once, *known, 0.0) if known else 0.0

    def line(self) -> str:
        """Return the run in one line, as in "3 of 12 cells, about 4:10 left, 1 failed"."""
        seconds = self.seconds()
        parts = [
            f"{self.done} of {self.total} cells",
            "" if seconds is None or not self._cells else f"about {duration(seconds)} left",
            f"{self._failed} failed" if self._failed else "",
        ]
        return ", ".join(filter(None, parts))

    def _rest(self, cell: _CellTime) -> float | None:
        """Return the seconds that a cell still takes; None if nothing is known."""
        whole = self._whole(cell.forecast)
        if cell.started is None:
            return whole
        ends = [cell.started + whole] if whole is not None else []
        ends += [cell.trained] if cell.trained is not None else []
        rest = max(ends, default=0.0) - self._now()
        return rest if rest > 0 else None

    def _whole(self, forecast: float | None) -> float | None:
        if forecast is None:
            took = [seconds for _, seconds in self._ended]
            return sum(took) / len(took) if took else None
        compared = [(known, took) for known, took in self._ended if known]
        expected = sum(known for known, _ in compared)
        return forecast * (sum(took for _, took in compared) / expected if expected else 1.0)


def duration(seconds: float) -> str:
    """Return seconds as in "0:42" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""The trials of a study: which configurations of a method it tries.

They depend on the names of the study and the method only, never on results. So all of them are
known before the first one runs, and a study with more trials begins with the same ones.
"""

from __future__ import annotations

import typing
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Literal

from bench.contracts.registry import Plugin
from bench.contracts.search import Choice, Range, searched_fields, start_values
from bench.plan.configure import configure
from bench.plan.tuned import Origin
from bench.utils.seeds import derive

DRAWS_PER_TRIAL = 20
"""So many configurations are drawn for each trial, before the method counts as refusing them."""
How = Literal["published", "hand-set", "drawn"]


@dataclass(frozen=True)
class Trial:
    """One configuration of a method that a study tries.

    Attributes:
        method: the name of the method.
        number: 0 for the published configuration, 1 for the hand-set one, or the first drawn one if
            both are equal.
        how: where the configuration comes from.
        changes: the values that differ from the published ones.
        config: the full configuration.
        searched: the names of the fields that the study searches.
        refused: why the method does not take it, or ''.
    """

    method: str
    number: int
    how: How
    changes: Mapping[str, Any]
    config: dict[str, Any]
    searched: tuple[str, ...] = ()
    refused: str = ""

    @property
    def label(self) -> str:
        """The name of its row, for example ``press2019[trial=3]``."""
        return f"{self.method}[trial={self.number}]"


def trials_of(
    plugin: Plugin, study: str, number: int, why_not: Callable[[dict[str, Any]], str]
) -> list[Trial]:
    """Return the trials of a method, fewer than ``number`` if it has too few configurations.

    A drawn configuration that is refused, or equals an earlier one, is replaced by the next draw.

    Args:
        plugin: the method.
        study: the name of the study, which fixes the draws.
        number: how many trials to return.
        why_not: returns why the method does not take a configuration, or ''.
    """
    config_class = plugin.load().Config
    searched = tuple(searched_fields(config_class))
    found: list[Trial] = []
    for how, changes in _candidates(plugin, study, DRAWS_PER_TRIAL * number):
        if len(found) >= number:
            break
        config = configure(plugin, Origin(changes=changes))[1]
        if config in [trial.config for trial in found]:
            continue
        refused = why_not(config)
        if refused and how == "drawn":
            continue
        published = found[0].config if found else config
        differs = {name: value for name, value in config.items() if value != published[name]}
        found.append(Trial(plugin.name, len(found), how, differs, config, searched, refused))
    return found


def _candidates(plugin: Plugin, study: str, draws: int) -> Iterator[tuple[How, Mapping[str, Any]]]:
    """Yield the published, the hand-set and then drawn values."""
    yield "published", {}
    yield "hand-set", start_values(plugin.load().Config)
    for values in islice(_draws(plugin, study), draws):
        yield "drawn", values


def _draws(plugin: Plugin, study: str) -> Iterator[dict[str, Any]]:
    """Yield values of the searched fields: points of a scrambled Sobol sequence.

    The sampler needs the space in advance, so that it takes no point from another sequence; the
    published configuration stands in for an earlier trial (see `optuna.samplers.QMCSampler`).
    """
    fields = searched_fields(plugin.load().Config)
    if not fields:
        return
    import optuna
    from optuna.distributions import BaseDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    hints = typing.get_type_hints(plugin.load().Config)
    space: dict[str, BaseDistribution] = {
        name: _distribution(mark, hints[name]) for name, mark in fields.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(
            qmc_type="sobol", scramble=True, seed=derive("study", study, plugin.name) % 2**32
        )
    sequence = optuna.create_study(sampler=sampler)
    first = {name: _lowest(mark) for name, mark in fields.items()}
    sequence.add_trial(
        optuna.trial.create_trial(params=first, distributions=space, value=0.0)  # not evaluated
    )
    for _ in count():
        point = sequence.ask(space).params
        yield {name: _value(mark, point[name], hints[name]) for name, mark in fields.items()}


def _distribution(mark: Range | Choice, hint: Any) -> Any:
    """Return a distribution of Optuna. Choices are drawn by index, from the same sequence."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(mark, Choice):
        return IntDistribution(0, len(mark.values) - 1)
    if hint is int:
        return IntDistribution(int(mark.low), int(mark.high), log=mark.log)
    return FloatDistribution(mark.low, mark.high, log=mark.log)


def _lowest(mark: Range | Choice) -> Any:
    return 0 if isinstance(mark, Choice) else mark.low


def _value(mark: Range | Choice, point: Any, hint: Any) -> Any:
    """Return a drawn value; a float has three digits, so that a table shows all of it."""
    if isinstance(mark, Choice):
        return mark.values[point]
    return int(point) if hint is int else min(max(float(f"{point:.3g}"), mark.low), mark.high)

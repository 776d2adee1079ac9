"""Tunes methods fairly: the same number of trials and of training FLOPs for each.

A trial is a cell with the trial's configuration, a quarter of the profile's budget, seed 0 and
*val* in the place of *test*. So trials are resumed, isolated and distributed like all other cells.
A confirmation is the same with the whole budget, for the best trials of each method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell, stem_of
from bench.contracts.labels import setting_text, without_brackets
from bench.contracts.registry import families
from bench.plan.fit import check_fit
from bench.plan.plan import Plan, Request, make_plan, stale
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.tuned import TUNED, study_name
from bench.records.store import Store
from bench.study.objective import (
    LABEL_ONLY,
    Criteria,
    Objective,
    metrics_for,
)
from bench.study.terms import Terms, agreed, terms_of
from bench.study.trials import Trial, trials_of
from bench.study.winners import (
    FULL,
    Outcome,
    table_of,
    winners_among,
    write_table,
    write_winners,
)
from bench.tasks.cache import fingerprint
from bench.utils.errors import UserError
from bench.utils.output.console import print_table, say

SHARE = 4
"""A trial has the profile's budget divided by this."""


@dataclass(frozen=True)
class Study:
    """A study that is planned.

    Attributes:
        name: its name, from the task and the profile.
        task: the name of the task.
        profile: the profile, whose budget confirmations have.
        trials: all trials, in the order of the methods.
        plan: one cell for each trial that its method takes.
        cells: the cell of each of these trials, by the label of the trial.
        terms: what all its methods share.
    """

    name: str
    task: str
    profile: Profile
    trials: tuple[Trial, ...]
    plan: Plan
    cells: dict[str, Cell]
    terms: Terms

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods."""
        return tuple(dict.fromkeys(trial.method for trial in self.trials))


def plan_study(request: Request, number: int, objective: Objective) -> Study:
    """Return a study with all its trials.

    Args:
        request: methods, one task, the profile and what else is needed to make cells. Its metrics,
            seeds and configuration do not count.
        number: how many trials each method gets.
        objective: what is maximised.

    Raises:
        UserError: a name does not exist, or the profile has no budget in FLOPs.
    """
    settings = [Setting.parse(text) for text in request.settings]
    for setting in settings:
        if setting.owner != "profile":
            raise UserError(
                f"--set {setting.owner}.{setting.field}={setting.text}: expected "
                "profile.FIELD=VALUE, as the study sets the fields of methods"
            )
    profile = choose_profile(request.profile, settings)
    small = plan_of_quarter(request, profile, objective)
    if len(small.tasks) != 1:
        raise UserError(f"--task {' '.join(request.tasks)}: a study has one task; name it")
    ((name_of_task, task),) = small.tasks.items()
    name = study_name(name_of_task, stem_of(profile.name))
    trials: list[Trial] = []
    cells: dict[str, Cell] = {}
    for cell in small.cells:
        if cell.method in ANCHORS:
            continue
        plugin = small.registry.find("method", cell.method)

        def why_not(config: dict[str, Any], plugin: Any = plugin) -> str:
            try:
                check_fit(plugin, profile, task, config)
            except UserError as error:
                return str(error)
            return ""

        found = trials_of(plugin, name, number, why_not)
        trials += found
        cells |= {trial.label: _cell(cell, trial) for trial in found if not trial.refused}
    plan = replace(small, cells=tuple(cells.values()))
    terms = terms_of(
        profile=request.profile,
        trials=number,
        objective=objective,
        precision=next((cell.precision for cell in cells.values()), ""),
        budget_tflops=float(profile.budget_tflops),
        fingerprint=fingerprint(task, profile.sizes),
        versions=families(small.registry, metrics_for("auto")),
    )
    return Study(name, name_of_task, profile, tuple(trials), plan, cells, terms)


def plan_of_quarter(request: Request, profile: Profile, objective: Objective) -> Plan:
    """Return the plan of the published configurations with the budget of a trial.

    Raises:
        UserError: the profile has no budget in FLOPs, or the request is wrong.
    """
    if profile.budget_tflops == "published":
        raise UserError(
            f"profile {request.profile} trains for the published number of steps, and a study "
            "needs a budget in FLOPs: tune in profile smoke, small or medium"
        )
    budget = setting_text(profile.budget_tflops / SHARE)
    kept = [text for text in request.settings if not text.strip().startswith("profile.budget")]
    quarter = replace(
        request,
        settings=(*kept, f"profile.budget_tflops={budget}"),
        metrics=metrics_for(objective),
        configuration="published",
        seeds="0",
    )
    return make_plan(quarter)


def _cell(cell: Cell, trial: Trial) -> Cell:
    changes = {f"{trial.method}.{name}": value for name, value in trial.changes.items()}
    return replace(
        cell,
        label=trial.label,
        config=trial.config,
        configuration="",
        study="",
        numbers=cell.numbers | {"part": "val"},
        settings=cell.settings | changes,
    )


def show_trials(console: Console, study: Study) -> None:
    """Print one row for each trial of a study."""
    rows = [
        (
            trial.label,
            trial.how,
            ", ".join(f"{name}={setting_text(v)}" for name, v in trial.changes.items())
            or "the published values",
            trial.refused,
        )
        for trial in study.trials
    ]
    heads = ("trial", "origin", "values that differ from the published ones", "not run because")
    print_table(console, heads, rows, title=f"study {study.name}")


def files_of(study: Study, store: Store) -> tuple[Path, Path, Path]:
    """Return the files of a study: its table, its winners beside it, and those of the suite."""
    table = store.root.with_name(f"{store.root.name}.csv")
    place = TUNED / f"{study.name}.toml"
    return table, store.root.with_name(place.name), place


def with_terms(study: Study, store: Store, write: bool) -> Study:
    """Return a study with an objective that agrees with the methods that its files keep.

    Raises:
        UserError: their terms differ, or the winners must not become those of the suite.
    """
    table, beside, place = files_of(study, store)
    if write and study.profile.name != study.terms["profile"]:
        raise UserError(
            "--write: a study of a changed profile is no study of the suite; leave out --write or "
            "--set profile.FIELD=VALUE"
        )
    terms = agreed(study.terms, study.methods, beside, table)
    if write:
        terms = agreed(terms, study.methods, place, None)
    return replace(study, terms=terms)


def require_same_source(plan: Plan, store: Store) -> None:
    """Check that the trials that are kept were made by the method as it is now.

    Raises:
        UserError: some were made by another version of their method.
    """
    changed = stale(plan, store)
    if changed:
        raise UserError(
            f"the source of {', '.join(dict.fromkeys(map(without_brackets, changed)))} has changed "
            "since its trials were run: --existing fresh runs them again"
        )


def finish_study(
    console: Console,
    study: Study,
    store: Store,
    outcomes: Sequence[Outcome],
    criteria: Criteria,
    write: bool,
) -> tuple[str, ...]:
    """Write the table of a study and its winners, and print the winners.

    Args:
        console: where to print.
        study: the study.
        store: the results folder of its cells. The table stands beside it.
        outcomes: what came of the trials and the confirmations.
        criteria: what they were compared by.
        write: whether the winners become the configurations of the suite.

    Returns:
        the methods without a usable trial.
    """
    table, beside, place = files_of(study, store)
    terms = study.terms | {"objective": criteria.objective}
    write_table(table_of(outcomes, criteria), table)
    write_winners(outcomes, beside, study.task, terms)
    say(console, f"wrote {table} and {beside}")
    without = _show_winners(console, study, outcomes, criteria.objective)
    if not write:
        say(console, f"`--write` puts the winners into {place}")
        return without
    try:
        write_winners(outcomes, place, study.task, terms)
        say(console, f"wrote {place}")
    except OSError as error:
        say(console, f"cannot write {place} ({error.strerror}): put {beside} there")
    return without


def _show_winners(
    console: Console, study: Study, outcomes: Sequence[Outcome], objective: Objective
) -> tuple[str, ...]:
    """Print the winner of each method; return the methods without a usable trial."""
    rows, without = [], []
    for method, best in winners_among(outcomes).items():
        mine = [one for one in outcomes if one.trial.method == method]
        if best is None:
            without.append(method)
            say(console, f"{method}: no trial has a score, so it keeps the published values")
            continue
        score = {(one.trial.number, one.budget): one.score for one in mine}
        changes = ", ".join(f"{k}={setting_text(v)}" for k, v in best.trial.changes.items())
        numbers = (
            best.score,
            score.get((0, FULL)),
            score.get((best.trial.number, 1 / SHARE)),
            best.values[LABEL_ONLY],
            best.values["whole_image_error"],
        )
        texts = ("-" if number is None else f"{number:.3f}" for number in numbers)
        lost = sum(one.score is None for one in mine)
        counts = f"{len(mine)}" + (f" ({lost} without a score)" if lost else "")
        rows.append((method, best.trial.label, *texts, counts, changes or "the published values"))
    heads = ("method", "winner", objective, "published", f"at 1/{SHARE}", LABEL_ONLY, "error")
    title = f"study {study.name}: winners on val"
    print_table(console, (*heads, "cells", "values"), rows, title=title)
    return tuple(without)

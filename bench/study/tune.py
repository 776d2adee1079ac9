"""Tunes methods fairly: the same number of trials and of training FLOPs for each.

A trial is a cell with the trial's configuration, a quarter of the profile's budget, seed 0 and
*val* in the place of *test*. So trials are resumed, isolated and distributed like all other cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell, stem_of
from bench.contracts.labels import setting_text
from bench.contracts.record import Record
from bench.plan.fit import check_fit
from bench.plan.plan import Plan, Request, make_plan
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.tuned import TUNED, study_name
from bench.records.read import Damaged
from bench.records.store import Store
from bench.study.objective import (
    LABEL_ONLY,
    Objective,
    chosen_objective,
    metrics_for,
    random_distance,
    values_in,
)
from bench.study.trials import Trial, trials_of
from bench.study.winners import Outcome, table_of, winner_of, write_table, write_winners
from bench.tasks.cache import read
from bench.utils.errors import UserError
from bench.utils.output.console import print_table, say

SHARE = 4
"""A trial has the profile's budget divided by this."""


@dataclass(frozen=True)
class Study:
    """A study that is planned.

    Attributes:
        name: its name, from the task and the profile.
        task, profile: the names of the task and of the profile.
        trials: all trials, in the order of the methods.
        plan: one cell for each trial that its method takes.
        cells: the cell of each of these trials, by the label of the trial.
        objective: what is maximised.
    """

    name: str
    task: str
    profile: str
    trials: tuple[Trial, ...]
    plan: Plan
    cells: dict[str, Cell]
    objective: Objective


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
    return Study(name, name_of_task, request.profile, tuple(trials), plan, cells, objective)


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


def outcomes_of(study: Study, store: Store, cache: Path) -> tuple[list[Outcome], Objective]:
    """Return what came of each trial, and the objective that all of them share."""
    records = {label: store.record(store.record_path(cell)) for label, cell in study.cells.items()}
    good = [
        record
        for record in records.values()
        if not isinstance(record, Damaged) and record["status"] == "ok"
    ]
    objective = chosen_objective(study.objective, good)
    random_l1 = 0.0
    if good:
        cell = next(iter(study.cells.values()))
        random_l1 = random_distance(read(cell.task, cell.sizes, cell.fingerprint, cache))
    found = []
    for trial in study.trials:
        if trial.refused:
            found.append(Outcome(trial, "refused", trial.refused))
        else:
            found.append(_outcome(trial, records[trial.label], objective, random_l1))
    return found, objective


def _outcome(
    trial: Trial, record: Record | Damaged, objective: Objective, random_l1: float
) -> Outcome:
    """Return what came of a trial that has a cell."""
    if isinstance(record, Damaged):
        return Outcome(trial, "failed", str(record))
    if record["status"] != "ok":
        return Outcome(trial, "failed", record["reason"])
    values = values_in(record, random_l1)
    score = values[objective]
    entry = record["metrics"].get(objective)
    lacking = f"no {objective}" if entry is None else entry["reason"]
    facts = dict(record["facts"])
    return Outcome(trial, "ok", "" if score is not None else lacking, score, values, facts)


def finish_study(
    console: Console, study: Study, store: Store, cache: Path, write: bool
) -> tuple[str, ...]:
    """Write the table of a study and its winners, and print the winners.

    Args:
        console: where to print.
        study: the study, whose cells were run.
        store: the results folder of its cells. The table stands beside it.
        cache: the folder of rendered and decoded tasks.
        write: whether the winners become the configurations of the suite.

    Returns:
        the methods without a usable trial.
    """
    outcomes, objective = outcomes_of(study, store, cache)
    table = store.root.with_name(f"{store.root.name}.csv")
    write_table(table_of(outcomes, objective), table)
    say(console, f"wrote {table}")
    without = _show_winners(console, study, outcomes, objective)
    place = TUNED / f"{study.name}.toml"
    beside = store.root.with_name(place.name)
    if write:
        try:
            write_winners(outcomes, place, study.task, study.profile)
            say(console, f"wrote {place}")
            return without
        except OSError as error:
            say(console, f"cannot write {place} ({error.strerror}): put {beside} there")
    write_winners(outcomes, beside, study.task, study.profile)
    say(console, f"wrote {beside}; `--write` puts the winners into {place}")
    return without


def _show_winners(
    console: Console, study: Study, outcomes: Sequence[Outcome], objective: Objective
) -> tuple[str, ...]:
    """Print the winner of each method; return the methods without a usable trial."""
    rows, without = [], []
    for method in dict.fromkeys(trial.method for trial in study.trials):
        mine = [one for one in outcomes if one.trial.method == method]
        best, published = winner_of(mine), mine[0].score
        if best is None:
            without.append(method)
            say(console, f"{method}: no trial has a score, so it keeps the published values")
            continue
        changes = ", ".join(f"{k}={setting_text(v)}" for k, v in best.trial.changes.items())
        numbers = (best.score, published, best.values[LABEL_ONLY], best.values["whole_image_error"])
        texts = ("-" if number is None else f"{number:.3f}" for number in numbers)
        lost = sum(one.score is None for one in mine)
        counts = f"{len(mine)}" + (f" ({lost} without a score)" if lost else "")
        rows.append((method, best.trial.how, *texts, counts, changes or "the published values"))
    heads = ("method", "winner", objective, "published", LABEL_ONLY, "error", "trials", "values")
    print_table(console, heads, rows, title=f"study {study.name}: winners on val")
    return tuple(without)

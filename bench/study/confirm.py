"""Runs the trials of a study, and confirms the best of each method with the whole budget.

A confirmation is a cell like a trial: resumed, isolated and distributed like all other cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.contracts.cell import Cell
from bench.contracts.record import Record
from bench.plan.plan import Plan
from bench.plan.settings import profile_settings
from bench.records.read import Damaged
from bench.records.store import Store
from bench.study.objective import Criteria, criteria_of, random_distance, values_in
from bench.study.trials import Trial
from bench.study.tune import SHARE, Study
from bench.study.winners import BEST, FULL, Outcome, finalists
from bench.tasks.cache import is_cached, read
from bench.utils.output.console import say


def confirmations(study: Study, trials: Iterable[Trial]) -> dict[str, Cell]:
    """Return a cell with the whole budget for each trial, by the label of the trial."""
    profile = study.profile
    found = {}
    for trial in trials:
        cell = study.cells[trial.label]
        kept = {k: v for k, v in cell.settings.items() if not k.startswith("profile.")}
        found[trial.label] = replace(
            cell,
            label=f"{trial.method}[trial={trial.number},budget=full]",
            profile=profile.name,
            numbers=cell.numbers | {"budget_tflops": profile.budget_tflops},
            settings=profile_settings(profile) | kept,
        )
    return found


def run_study(
    console: Console,
    study: Study,
    store: Store,
    cache: Path,
    run: Callable[[Plan], object],
) -> tuple[list[Outcome], Criteria]:
    """Run the trials of a study, then the confirmations; return what came of both.

    Args:
        console: where to print.
        study: the study.
        store: the results folder of its cells.
        cache: the folder of rendered and decoded tasks.
        run: runs what is left to do of the cells of a plan.
    """
    run(study.plan)
    criteria = _criteria(study, store, cache)
    short = _outcomes(study.trials, study.cells, store, criteria, 1 / SHARE)
    best = _by_method(study, short, finalists)
    cells = confirmations(study, best)
    say(console, f"confirming {', '.join(trial.label for trial in best)} with the whole budget")
    run(replace(study.plan, cells=tuple(cells.values())))
    return [*short, *_outcomes(best, cells, store, criteria, FULL)], criteria


def expected_plan(study: Study, store: Store, cache: Path) -> tuple[Plan, bool]:
    """Return the plan of trials and confirmations, and whether the confirmations are known.

    They are known after the trials. Before that, the first trials of each method stand for them.
    """
    first = next(iter(study.cells.values()), None)
    known = first is not None and is_cached(first.task, first.sizes, first.fingerprint, cache)
    for cell in study.cells.values():
        known = known and not isinstance(store.record(store.record_path(cell)), Damaged)
    if known:
        criteria = _criteria(study, store, cache)
        short = _outcomes(study.trials, study.cells, store, criteria, 1 / SHARE)
        best = _by_method(study, short, finalists)
    else:
        best = [
            trial
            for method in study.methods
            for trial in [one for one in study.trials if one.method == method and not one.refused][
                : BEST + 1
            ]
        ]
    cells = (*study.plan.cells, *confirmations(study, best).values())
    return replace(study.plan, cells=cells), known


def _by_method(
    study: Study,
    outcomes: Sequence[Outcome],
    chosen: Callable[[Sequence[Outcome]], list[Trial]],
) -> list[Trial]:
    """Return what a rule chooses among the outcomes of each method."""
    return [
        trial
        for method in study.methods
        for trial in chosen([one for one in outcomes if one.trial.method == method])
    ]


def _criteria(study: Study, store: Store, cache: Path) -> Criteria:
    """Return what the trials are compared by, after they were run."""
    records = [store.record(store.record_path(cell)) for cell in study.cells.values()]
    good = [one for one in records if not isinstance(one, Damaged) and one["status"] == "ok"]
    random_l1 = 0.0
    if good:
        cell = next(iter(study.cells.values()))
        random_l1 = random_distance(read(cell.task, cell.sizes, cell.fingerprint, cache))
    return criteria_of(study.terms["objective"], good, random_l1)


def _outcomes(
    trials: Iterable[Trial],
    cells: Mapping[str, Cell],
    store: Store,
    criteria: Criteria,
    budget: float,
) -> list[Outcome]:
    """Return what came of each trial. cells: by the label of the trial."""
    found = []
    for trial in trials:
        if trial.refused:
            one = Outcome(trial, "refused", trial.refused)
        else:
            record = store.record(store.record_path(cells[trial.label]))
            one = _outcome(trial, record, criteria)
        found.append(replace(one, budget=budget))
    return found


def _outcome(trial: Trial, record: Record | Damaged, criteria: Criteria) -> Outcome:
    """Return what came of a trial that has a cell."""
    if isinstance(record, Damaged):
        return Outcome(trial, "failed", str(record))
    if record["status"] != "ok":
        reason = record["reason"].partition(" (log: ")[0]  # a committed table names no local file
        return Outcome(trial, "failed", reason)
    values = values_in(record, criteria)
    score = values[criteria.objective]
    entry = record["metrics"].get(criteria.objective)
    lacking = f"no {criteria.objective}" if entry is None else entry["reason"]
    facts = dict(record["facts"])
    return Outcome(trial, "ok", "" if score is not None else lacking, score, values, facts)

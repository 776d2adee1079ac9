"""The commands `check` and `baseline`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from bench.check import baseline as baselines
from bench.check.baseline import usable_records
from bench.check.baseline_schema import Baseline, Golden, Row
from bench.check.compare import compare_records
from bench.check.findings import Finding, Layer, Verdict, exit_code
from bench.check.gate import FEWEST_SEEDS
from bench.check.golden.compare import compare_golden
from bench.check.reports import (
    as_json,
    as_junit,
    as_markdown,
    require_writable,
    show,
    tell_github,
    write,
)
from bench.contracts.anchors import ANCHORS
from bench.contracts.registry import Registry
from bench.contracts.task import Options as Said
from bench.plan.configure import fixed_config
from bench.records.select import Choice
from bench.records.store import Store
from bench.tasks.options import flag, to_json
from bench.utils.errors import Exit, UserError, unknown
from bench.utils.output.console import print_table, say

RECORD_LAYERS = (Layer.EXACT, Layer.ORDERING, Layer.STATISTICAL)
LAYERS = (Layer.EXACT, Layer.GOLDEN, Layer.ORDERING, Layer.STATISTICAL)


@dataclass(frozen=True)
class Options:
    """The options that both commands share.

    Attributes:
        console: Where to print.
        path: The baseline file.
        results: The folder of records.
        cache: The folder of rendered tasks.
        plugins: The plug-in files of the user.
        said: The user's options for the task images.
    """

    console: Console
    path: Path
    results: Path
    cache: Path
    plugins: tuple[Path, ...] = ()
    said: Said = field(default_factory=Said)


@dataclass(frozen=True)
class Reports:
    """The paths of the reports that a check writes. None: not written."""

    json: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None

    def require_writable(self) -> None:
        """Make sure that all reports can be written, before anything is run.

        Raises:
            UserError: A report cannot be written, or two reports are the same file.
        """
        paths = [path for path in (self.json, self.junit, self.markdown) if path is not None]
        for path in paths:
            require_writable(path)
        twice = [path for path, n in Counter(path.resolve() for path in paths).items() if n > 1]
        if twice:
            raise UserError(f"two reports are to be written to {twice[0]}: name two files")


def check(
    options: Options,
    layers: Sequence[str],
    lenient: bool,
    reports: Reports,
    run: bool,
    jobs: int | None,
) -> int:
    """Compare records and code with a baseline, report the findings, and return the exit code.

    With `run`, it first runs the first `FEWEST_SEEDS` seeds of each row of the baseline again.

    Raises:
        UserError: The baseline, the records or a layer do not exist.
    """
    for layer in layers:
        if layer not in LAYERS:
            raise unknown("layer", layer, LAYERS)
    reports.require_writable()
    baseline = baselines.read(options.path)
    if to_json(options.said) and not run:
        names = ", ".join(map(flag, to_json(options.said)))
        raise UserError(f"{names}: it is for --run, which makes cells of these images")
    of_records = bool(set(layers) & set(RECORD_LAYERS))
    findings: list[Finding] = []
    if of_records and not baseline["rows"]:
        findings.append(_no_verdict("rows", "the baseline has none: there is nothing to compare"))
    if run:
        baseline, apart = run_cells(options, baseline, jobs)
        findings += apart
    if of_records and baseline["rows"]:
        records = usable_records(Store(options.results))
        infos = Registry(options.plugins).infos()
        findings += compare_records(baseline, records, layers, infos)
    if Layer.GOLDEN in layers:
        findings += golden_now(options, baseline["golden"])
    return _tell(options, findings, str(options.path), lenient, reports)


def check_speed(options: Options, revision: str, lenient: bool, reports: Reports) -> int:
    """Compare the speed of the built-in methods with that of a revision. Return the exit code.

    Raises:
        UserError: The revision does not exist, or its code cannot be timed.
    """
    from bench.check.speed import compare_speed

    reports.require_writable()
    methods = [plugin.name for plugin in Registry().all("method")]
    findings = compare_speed(revision, methods)
    return _tell(options, findings, revision, lenient, reports, all_rows=True)


def golden_now(options: Options, golden: Mapping[str, Any] | None) -> list[Finding]:
    """Return the findings of the golden layer for the current code."""
    if golden is None:
        said = "the baseline was written with --no-golden"
        return [Finding(Verdict.NOT_COMPARED, Layer.GOLDEN, "all methods", "all", said=said)]
    from bench.check.golden.measure import FROZEN_TOLERANCE, measure

    registry = Registry(options.plugins)
    known = {plugin.name for plugin in registry.all("method")}
    rows = {
        label: (row["method"], row["config"], row["side"])
        for label, row in golden["rows"].items()
        if row["method"] in known
    }
    now = measure(registry, rows, options.cache)
    return compare_golden(golden, now, FROZEN_TOLERANCE)


def _tell(
    options: Options,
    findings: Sequence[Finding],
    name: str,
    lenient: bool,
    reports: Reports,
    all_rows: bool = False,
) -> int:
    """Print the findings, write the reports, and return the exit code."""
    if all(finding.verdict is Verdict.NOT_COMPARED for finding in findings):
        findings = [*findings, _no_verdict("all", "nothing of it could be compared")]
    code = exit_code(findings, lenient)
    show(options.console, findings, f"against {name}", all_rows)
    markdown = as_markdown(findings, code, name)
    if reports.json is not None:
        write(reports.json, as_json(findings, code, name))
    if reports.junit is not None:
        write(reports.junit, as_junit(findings))
    if reports.markdown is not None:
        write(reports.markdown, markdown)
    tell_github(options.console, findings, markdown)
    return int(code)


def _no_verdict(number: str, said: str) -> Finding:
    return Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, "baseline", number, said=said)


def run_cells(
    options: Options, baseline: Baseline, jobs: int | None, engine: str = "process"
) -> tuple[Baseline, list[Finding]]:
    """Run the cells of a baseline again.

    Args:
        options: The options of the check.
        baseline: The baseline.
        jobs: The number of parallel cells, or None for the number of cores.
        engine: The engine that runs them.

    Returns:
        The baseline with only the rows that were run, and a finding for each row that was not.
    """
    from bench.check.rerun import plan_again
    from bench.plan.plan import jobs_for
    from bench.runs.execute import execute

    again = plan_again(
        baseline, options.plugins, replace(options.said, cache=options.cache), FEWEST_SEEDS
    )
    if again.plan is not None:
        store = Store(options.results)
        wanted = jobs_for(again.plan, store, options.cache, "fresh")
        store.open_for_writing()
        execute(options.console, again.plan, wanted, store, engine, jobs)
    return {**baseline, "rows": again.rows}, again.findings


# --- baseline ------------------------------------------------------------------------------------


def write_baseline(
    options: Options, profile: str, choice: Choice, reason: str, with_golden: bool
) -> int:
    """Write the baseline of a profile from its records, and show the changes from the old one.

    Args:
        options: The options of the command.
        profile: The profile.
        choice: Which records of the profile to use.
        reason: Why the baseline is written.
        with_golden: Whether to measure golden numbers.

    Raises:
        UserError: Records are missing, failed or not chosen, or there is no reason.
    """
    if not reason.strip():
        raise UserError("--reason: say in a few words why the baseline is written (it is kept)")
    require_writable(options.path)
    records = choice.of(usable_records(Store(options.results)))
    old = baselines.read_if_there(options.path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = baselines.make(records, profile, reason, None, now, Registry(options.plugins).infos())
    if with_golden:
        made["golden"] = cast("Golden", _golden(options, made["rows"]))
    baselines.write(options.path, made, old)
    if old is not None:
        _show_changes(options.console, old, made)
    rows = made["rows"]
    trained = [row for row in rows if row["identity"]["method"] not in ANCHORS]
    count = {len(row["seeds"]) for row in trained}
    say(
        options.console,
        f"wrote {options.path}: {len(rows)} rows, {'/'.join(map(str, sorted(count)))} seeds, "
        f"{sum(map(len, made['claims'].values()))} orderings"
        + (f", golden numbers of {len(made['golden']['rows'])} methods" if made["golden"] else ""),
    )
    return int(Exit.FINE)


def _golden(options: Options, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the golden numbers of all methods, with the config of their rows, or a fixed one."""
    from bench.check.golden.measure import elsewhere, with_tolerances

    registry = Registry(options.plugins)
    side = rows[0]["identity"]["numbers"]["size"]
    found = {
        row["label"]: (row["identity"]["method"], row["identity"]["config"], side)
        for row in rows
        if row["identity"]["method"] not in ANCHORS
    }
    for plugin in registry.all("method"):
        if plugin.name not in {method for method, _, _ in found.values()}:
            found[plugin.name] = (plugin.name, fixed_config(plugin), side)
    others = elsewhere(options.plugins, found, options.cache)
    golden = with_tolerances(registry, found, options.cache, others)
    named = {
        label: {"method": method, "config": config, "side": size}
        for label, (method, config, size) in found.items()
    }
    return golden | {"rows": named}


def _show_changes(console: Console, old: Baseline, new: Baseline) -> None:
    found = baselines.changes(old, new)
    if not found:
        say(console, "no number differs from the old baseline")
        return
    heads = ("row", "number", "old", "new", "in old seed deviations")
    print_table(console, heads, found, title="what the new baseline changes")

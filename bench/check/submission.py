"""Verifies records that someone wants to add to a board: made by this code, on its terms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from bench.board.columns import main_metrics
from bench.cell.training import steps_for
from bench.check.exact import constant
from bench.check.findings import Finding, Layer, Verdict, summary, worst_first
from bench.contracts.anchors import ANCHORS, CEILINGS, WITHOUT_SEED, configured_as
from bench.contracts.cell import is_imported
from bench.contracts.protocol import PROTOCOL, BoardKey, board_key_of, protocol_of
from bench.contracts.record import Record
from bench.contracts.registry import Registry
from bench.contracts.task import Options
from bench.plan.plan import Request, chosen_metrics
from bench.plan.settings import set_options
from bench.plan.tuned import Kind
from bench.records.environment import machine_of
from bench.records.merge import Action, decide
from bench.records.read import Damaged, cell_of
from bench.records.store import Store
from bench.tasks.cache import fingerprint
from bench.tasks.options import from_json, task_of
from bench.utils.errors import Exit, UserError
from bench.utils.files.sealed import SEAL
from bench.utils.output.console import print_table, say

Said = tuple[Verdict, str]
"""A verdict on a record and its reason."""
GOOD: Said = (Verdict.PASS, "")


@dataclass
class Submission:
    """Records to add, and what they are compared with.

    Attributes:
        records: the usable ones.
        known: the records of the board, by id.
        registry: the plug-ins, with those of the submission.
    """

    records: list[Record]
    known: dict[str, Record]
    registry: Registry

    @cached_property
    def versions(self) -> dict[str, int]:
        """The current version of each number that needs no file of the user, by id."""
        return chosen_metrics(self.registry, Request())

    @cached_property
    def main(self) -> list[str]:
        """The numbers of the main table."""
        return main_metrics(self.registry.infos())


def _protocol(record: Record, _: Submission) -> Said:
    protocol = protocol_of(record["identity"])
    if protocol != PROTOCOL:
        return Verdict.FAILED, f"protocol {protocol}, expected {PROTOCOL}: run it with this version"
    return GOOD


def _success(record: Record, _: Submission) -> Said:
    if record["status"] != "ok":
        return Verdict.FAILED, f"the cell {record['status']}: {record['reason']}"
    return GOOD


def _provenance(record: Record, _: Submission) -> Said:
    environment = record["environment"]
    lacking = [key for key in ("command", "cpu", "python", "torch") if not environment.get(key)]
    if lacking:
        return Verdict.FAILED, f"its environment lacks {', '.join(lacking)}"
    commit = environment.get("commit")
    if not commit:
        return Verdict.INCONCLUSIVE, "made outside a git checkout: only the hashes name its code"
    if commit.endswith("-dirty"):
        return Verdict.INCONCLUSIVE, f"made from changed files ({commit}): the hashes decide"
    return GOOD


def _source(record: Record, submission: Submission) -> Said:
    """The code of the method must be known. That of a metric may change while its version stays."""
    method = configured_as(record["identity"]["method"])
    if method in ANCHORS:
        return GOOD
    if is_imported(record["identity"]):
        return Verdict.INCONCLUSIVE, "it was trained elsewhere, so nobody can repeat its training"
    plugins = {plugin.name: plugin for plugin in submission.registry.all("method")}
    if method not in plugins:
        return Verdict.FAILED, f"method {method} is unknown here: give its file with --plugin"
    if record["sources"].get(method) != plugins[method].source_hash():
        return Verdict.FAILED, f"the code of {method} is another one here: run it with this version"
    return GOOD


def _versions(record: Record, submission: Submission) -> Said:
    old = sorted(
        name
        for name, entry in record["metrics"].items()
        if submission.versions.get(name, entry["version"]) != entry["version"]
    )
    lacking = sorted(submission.versions.keys() - record["metrics"].keys())
    if old:
        return Verdict.FAILED, (
            f"{len(old)} numbers of another version ({', '.join(old[:3])}): "
            "`python -m bench score` renews them"
        )
    if lacking:
        return Verdict.INCONCLUSIVE, (
            f"{len(lacking)} numbers are missing ({', '.join(lacking[:3])}): "
            "`python -m bench score` computes what can be had"
        )
    return GOOD


def _images(record: Record, submission: Submission) -> Said:
    cell = cell_of(record)
    if submission.registry.find("task", cell.task).facts.get("needs"):
        return Verdict.INCONCLUSIVE, f"the images of {cell.task} are not here: nobody can repeat it"
    options: Options = from_json(dict(record["environment"].get("options", {})), None)
    task = task_of(submission.registry, cell.task, options)
    if fingerprint(task, cell.sizes) != cell.fingerprint:
        return Verdict.FAILED, f"its images of {cell.task} are not those of this version"
    return GOOD


def _tuning(record: Record, submission: Submission) -> Said:
    identity = record["identity"]
    if identity["method"] in WITHOUT_SEED or is_imported(identity):
        return GOOD
    kind: Kind = "tuned" if record["configuration"] in ("tuned", "both") else "published"
    changed = set_options(identity, submission.registry, kind)
    if not changed:
        return GOOD
    expected = "the winner of a study" if kind == "tuned" else "the published values"
    return Verdict.FAILED, (
        f"{', '.join(changed[:3])} differ from {expected}: a board has unchanged profiles, and "
        "configurations from studies with equal trials (`python -m bench tune`)"
    )


def _budget(record: Record, _: Submission) -> Said:
    facts, budget = record["facts"], record["identity"]["numbers"]["budget_tflops"]
    if "flops_per_step" not in facts or budget == "published":
        return GOOD
    wanted = steps_for(float(budget) * 1e12, facts["flops_per_step"])
    if facts["steps"] != wanted:
        return Verdict.FAILED, f"{facts['steps']} steps, and the budget pays for {wanted}"
    return GOOD


def _anchor(record: Record, submission: Submission) -> Said:
    """Main numbers of a floor or a ceiling depend on no training, so they are equal everywhere."""
    known = submission.known.get(record["id"])
    if record["identity"]["method"] not in WITHOUT_SEED or known is None:
        return GOOD
    for name in submission.main:
        was, now = (one["metrics"].get(name) for one in (known, record))
        if was is None or now is None or None in (was["value"], now["value"]):
            continue
        then, here = ({**one, "values": [one["value"]]} for one in (was, now))
        finding = constant(record["label"], name, then, here)
        if was["version"] == now["version"] and finding.verdict is not Verdict.PASS:
            return Verdict.FAILED, (
                f"{name} is {finding.now}, and the board has {finding.base}: an anchor has no "
                "randomness, so images or metrics differ"
            )
    return GOOD


def _collision(record: Record, submission: Submission) -> Said:
    known = submission.known.get(record["id"])
    if record["identity"]["method"] in WITHOUT_SEED or known is None:
        return GOOD
    verdict = decide(known, record, submission.registry.infos())
    if verdict.action is not Action.CONFLICT:
        return GOOD
    machines = [machine_of(one["environment"]) for one in (known, record)]
    if machines[0] != machines[1]:
        return Verdict.INCONCLUSIVE, (
            "the board has this cell from another kind of machine, with other last digits: it "
            "keeps its own"
        )
    apart = ", ".join(one.what for one in verdict.differences[:3])
    return Verdict.FAILED, f"the board has this cell with other numbers: {apart}"


CHECKS: dict[str, Callable[[Record, Submission], Said]] = {
    "protocol": _protocol,
    "success": _success,
    "provenance": _provenance,
    "source": _source,
    "versions": _versions,
    "images": _images,
    "tuning": _tuning,
    "budget": _budget,
    "anchor": _anchor,
    "collision": _collision,
}
"""The checks of each record, by name."""


def findings_of(submission: Submission) -> Iterator[Finding]:
    """Yield a finding for each check of each record, and for each board of the records."""
    for record in submission.records:
        row = f"{record['label']} on {record['identity']['task']}, seed {_seed(record)}"
        for name, check in CHECKS.items():
            try:
                verdict, said = check(record, submission)
            except UserError as error:
                verdict, said = Verdict.FAILED, str(error)
            yield Finding(verdict, Layer.SUBMISSION, row, name, said=said)
    boards: dict[BoardKey, list[Record]] = {}
    for record in submission.records:
        boards.setdefault(board_key_of(record["identity"]), []).append(record)
    for key, mine in boards.items():
        theirs = [r for r in submission.known.values() if board_key_of(r["identity"]) == key]
        row = f"{key[1]}, {key[0]}"
        for name, (verdict, said) in (
            ("anchors", _anchors(mine, theirs)),
            ("seeds", _seeds(mine, theirs)),
        ):
            yield Finding(verdict, Layer.SUBMISSION, row, name, said=said)


def _anchors(mine: Sequence[Record], theirs: Sequence[Record]) -> Said:
    """Each board needs its floors and ceilings, from the submission or from the board."""
    there = {record["identity"]["method"] for record in (*mine, *theirs)}
    if missing := sorted(WITHOUT_SEED - there):
        kinds = "floors and ceilings" if set(missing) & set(CEILINGS) else "floors"
        return Verdict.FAILED, (
            f"the {kinds} {', '.join(missing)} are missing: run --methods {','.join(missing)}"
        )
    return GOOD


def _seeds(mine: Sequence[Record], theirs: Sequence[Record]) -> Said:
    """Each method should have the seeds that the others have."""
    wanted = {_seed(record) for record in theirs if record["identity"]["method"] not in ANCHORS}
    by_label: dict[str, set[int]] = {}
    for record in mine:
        if record["identity"]["method"] not in ANCHORS:
            by_label.setdefault(record["label"], set()).add(_seed(record))
    short = sorted(label for label, seeds in by_label.items() if wanted - seeds)
    if short:
        return Verdict.INCONCLUSIVE, (
            f"{', '.join(short)} lacks seeds of the board ({', '.join(map(str, sorted(wanted)))}): "
            "it gets no rank there"
        )
    return GOOD


def _seed(record: Record) -> int:
    return int(record["identity"]["seed"])


def check_submission(
    console: Console, folder: Path, against: Path, plugins: Sequence[Path]
) -> Exit:
    """Print the verdict on the records of a folder; return the exit code.

    Args:
        console: where to print.
        folder: a results folder, or a folder of records.
        against: the results folder of the board.
        plugins: files of methods and metrics that the records use.

    Raises:
        UserError: there are no records, or a file of a plug-in cannot be used.
    """
    root = folder if (folder / "records").is_dir() or folder.name != "records" else folder.parent
    store = Store(root)
    store.require_records()
    records, damaged = store.records()
    known = {record["id"]: record for record in Store(against).records()[0]}
    found = list(findings_of(Submission(records, known, Registry(plugins))))
    found += _unsealed(store, damaged)
    rows = [
        (str(verdict), check, _records(of), said) for (verdict, check, said), of in _same(found)
    ]
    if rows:
        print_table(console, ("verdict", "check", "record", "what was found, and what to do"), rows)
    say(console, f"submit-check of {len(records)} records: {summary(found)}")
    failed = any(one.verdict is Verdict.FAILED for one in found)
    if not failed:
        say(console, "docs/submitting.md says how to send them")
    return Exit.REGRESSION if failed else Exit.FINE


def _same(found: Sequence[Finding]) -> Iterator[tuple[tuple[Verdict, str, str], list[str]]]:
    """Yield what did not pass, worst first, each with the records of which it is said."""
    groups: dict[tuple[Verdict, str, str], list[str]] = {}
    for one in worst_first(found):
        if one.verdict is not Verdict.PASS:
            groups.setdefault((one.verdict, one.number, one.said), []).append(one.row)
    yield from groups.items()


def _records(rows: Sequence[str]) -> str:
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return rows[0] + more


def _unsealed(store: Store, damaged: Sequence[Damaged]) -> Iterator[Finding]:
    """Yield a finding for each file that cannot be used, or that has no seal."""
    for one in damaged:
        yield Finding(Verdict.FAILED, Layer.SUBMISSION, one.path.name, "seal", said=one.reason)
    unusable = {one.path for one in damaged}
    for path in sorted((store.root / "records").glob("*.json")):
        if path not in unusable and SEAL not in json.loads(path.read_text("utf-8")):
            said = "it has no seal, so a change cannot be seen: keep the file as it was written"
            yield Finding(Verdict.FAILED, Layer.SUBMISSION, path.name, "seal", said=said)

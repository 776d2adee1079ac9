"""Records are compared with a baseline: every change has its verdict."""

from __future__ import annotations

import pytest

from bench.check.compare import compare_records
from bench.check.exact import compare_exact
from bench.check.findings import Verdict
from bench.contracts.protocol import PROTOCOL
from tests.check.made_records import changed_record, check_records, metric_entry

LAYERS = ("exact", "ordering", "statistical")


def verdicts(base, records, layers=LAYERS):
    """Return all that did not pass, by verdict and what it is about."""
    found = compare_records(base, records, layers)
    return [
        (str(f.verdict), f.row.partition(" ")[0], f.number) for f in found if f.verdict != "pass"
    ]


def test_the_same_records_pass(base):
    assert verdicts(base, check_records()) == []
    assert verdicts(base, check_records(range(3))) == []


def test_other_seeds_are_no_regression(base):
    found = verdicts(base, check_records(range(10, 15)))
    assert {verdict for verdict, _, _ in found} <= {"inconclusive"}


def test_seeds_sources_threads_and_time_may_differ(base):
    records = check_records(range(3))
    for one in records:
        one["identity"]["threads"] = 2
        one["sources"] = {"mine": "other"}
        one["finished"] = "2027"
    assert verdicts(base, records) == []


def test_what_is_worse_is_found_and_what_is_better_is_no_failure(base):
    worse = check_records(range(10, 20), z1_domain_acc=0.9, cf_skill_in_add=0.7)
    for at, one in enumerate(worse[:10]):
        one["metrics"]["z1_domain_acc"]["value"] += 0.001 * (at % 3)
        one["metrics"]["cf_skill_in_add"]["value"] += 0.001 * (at % 3)
    found = verdicts(base, worse)
    assert ("regressed", "mine", "z1_domain_acc") in found
    assert ("improved", "mine", "cf_skill_in_add") in found
    assert len(found) == 2


def test_a_few_of_the_seeds_pass_to_the_last_bit_and_are_else_compared_with_all(base):
    def said(records):
        found = compare_records(base, records, ("statistical",))
        return {f.number: (str(f.verdict), f.said) for f in found if f.row.startswith("mine")}

    assert all("paired" in text for _, text in said(check_records(range(3))).values())
    records = check_records(range(3), z1_domain_acc=0.8)
    for at, one in enumerate(records[:3]):
        one["metrics"]["z1_domain_acc"] = metric_entry(0.8 + 1e-4 * at, "z1_domain_acc")
    verdict, text = said(records)["z1_domain_acc"]
    assert (verdict, "10/3 seeds)" in text) == ("regressed", True)
    assert "paired" in said(check_records(range(10), z1_domain_acc=0.8))["z1_domain_acc"][1]


def test_slower_is_found_on_the_same_kind_of_machine_only(base):
    records = check_records(range(3))
    for one in records[:3]:
        one["facts"]["cpu_seconds"] *= 1.8
    assert verdicts(base, records) == [("regressed", "mine", "cpu_seconds")]
    for one in records[:3]:
        one["environment"] = {"cpu": "another"}
    assert verdicts(base, records) == [("not compared", "mine", "cpu_seconds")]


def test_too_few_seeds_leave_the_layer_out_and_say_so(base):
    assert verdicts(base, check_records(range(2))) == [("not compared", "mine", "all metrics")]


CHANGES = ("missing row", "configuration", "precision", "protocol", "failed seed",
           "failed metric", "lost metric", "version", "parameters", "steps", "pixels",
           "new metric", "new row", "anchor", "copying")  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_has_its_verdict(what, base):
    records, expected = changed_record(what)
    assert expected in verdicts(base, records)


def test_records_of_two_protocols_are_compared_with_the_one_of_their_own(base):
    records, expected = changed_record("protocol")
    found = compare_records(base, records, LAYERS)
    (told,) = {f.said for f in found if f.row.startswith("mine") and f.number == expected[2]}
    assert told == f"run under other conditions: protocol: {PROTOCOL} -> 1"
    assert verdicts(base, [*records[:3], *check_records()]) == []


def test_a_difference_of_identities_is_spelled_out(base):
    records, _ = changed_record("configuration")
    (said,) = {f.said for f in compare_records(base, records, LAYERS) if f.number == "identity"}
    assert said == "run under other conditions: config.width: 4 -> 8"


@pytest.mark.parametrize(
    ("machine", "extractor", "verdict"),
    [
        ("one", "net@1", Verdict.REGRESSED),
        ("another", "net@1", Verdict.PASS),
        ("another", "", Verdict.REGRESSED),
    ],
)
def test_a_judge_of_another_kind_of_machine_may_move_an_anchor(machine, extractor, verdict):
    """Each machine fits its own judge: `paste` has 0.927 on an AMD and 0.914 on an Intel one."""

    def row(value, where):
        entry = {
            "values": [value], "n": 256, "status": "ok", "reason": "", "version": 1, "unit": "",
            "extractor": extractor, "better": "higher", "family": "judged",
        }  # fmt: skip
        return {
            "identity": {"method": "paste"}, "label": "paste", "task": "faces", "machine": where,
            "failed": {}, "seeds": [0], "facts": {}, "metrics": {"success": entry},
        }  # fmt: skip

    found = list(compare_exact(row(0.927, "one"), row(0.914, machine), {}))
    assert [finding.verdict for finding in found] == [verdict]
    far = list(compare_exact(row(0.927, "one"), row(0.8, machine), {}))
    assert [finding.verdict for finding in far] == [Verdict.REGRESSED]

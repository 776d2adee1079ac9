"""Records are chosen by name, task and seed."""

from __future__ import annotations

import pytest

from bench.records.select import Choice
from bench.utils.errors import UserError
from tests.check.made_records import check_record, check_records


def test_records_are_chosen_by_name_task_and_seed_and_anchors_with_any_seed():
    records = [*check_records(range(3)), check_record("other", seed=1)]
    records[-1]["identity"]["task"] = "digits"

    def chosen(**given):
        return [(r["label"], r["identity"]["seed"]) for r in Choice(**given).of(records)]

    anchors = [("ground-truth", 0), ("copy-source", 0)]
    assert chosen(tasks=("digits",)) == [("other", 1)]
    assert chosen(tasks=("faces",), seeds="1-2") == [("mine", 1), ("mine", 2), *anchors]
    assert chosen(methods=("mine", "copy-source"), seeds="2") == [("mine", 2), anchors[1]]
    with pytest.raises(UserError, match="no usable record fits"):
        chosen(seeds="7")
    with pytest.raises(UserError, match="did you mean 'faces'"):
        chosen(tasks=("face",))

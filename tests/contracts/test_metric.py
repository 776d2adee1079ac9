"""A metric that breaks its contract loses its own number only."""

from __future__ import annotations

from bench.records.store import Store
from tests.helpers import TINY


def test_a_metric_of_no_form_loses_its_own_number_and_no_record(inside, tmp_path):
    """case 32, sibling: what a plug-in gives is looked at before it is written, not after."""
    plugin = tmp_path / "metric.py"
    plugin.write_text(
        "from bench.contracts.metric import Metric, MetricInfo, Result\n"
        "class Odd(Metric):\n    name = 'odd'\n    summary = 'odd'\n    version = 1\n"
        "    numbers = (MetricInfo(id='o1', unit='', better='higher', meaning=''),\n"
        "               MetricInfo(id='o2', unit='', better='lower', meaning=''))\n"
        "    def compute(self, wanted, artefacts, data, settings):\n"
        "        return {'o1': Result(1.0, n=2), 'o2': Result(None, n=2)}\n"
    )
    done = inside("run", "--methods", "copy-source", *TINY, "--metrics", "odd,rec_l1_a",
                  "--plugin", plugin, "--results", tmp_path / "r")  # fmt: skip
    assert done.returncode == 3
    assert "o2.value: expected a number, got null" in done.stdout
    ((kept,), damaged) = Store(tmp_path / "r").records()
    assert damaged == []
    assert kept["metrics"]["o2"]["status"] == "failed"

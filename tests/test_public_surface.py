"""What `import bench` offers: the names of `__all__`, each imported at its first use."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import bench
from bench.utils.errors import UserError
from tests.helpers import ROOT


def test_every_public_name_can_be_imported():
    for name in set(bench.__all__) - {"__version__"}:
        found = getattr(bench, name)
        assert callable(found)
        assert found.__doc__
        assert name in dir(bench)


def test_a_public_class_is_the_contract_itself():
    from bench.contracts.method import Method
    from bench.contracts.metric import Metric

    assert bench.Method is Method
    assert bench.Metric is Metric


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'nothing'"):
        _ = bench.nothing


def test_import_bench_loads_neither_torch_nor_pandas():
    code = (
        "import sys, bench; bench.__version__; dir(bench)\n"
        "print([name for name in ('torch', 'pandas', 'numpy', 'typer') if name in sys.modules])\n"
        "bench.MetricInfo, bench.Task\n"
        "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n[]\n", done.stderr


def test_no_room_has_the_name_of_an_export():
    """Importing such a room would overwrite the export."""
    rooms = {path.stem.lower() for path in (ROOT / "bench").iterdir()}
    assert not rooms & {name.lower() for name in bench.__all__}


def test_records_become_a_leaderboard(tmp_path):
    records = bench.load_records(ROOT / "results")
    table = bench.leaderboard(records)
    assert isinstance(table, pd.DataFrame)
    published = records["configuration"].map({"published": " (published)"}).fillna("")
    assert set(table["method"]) == set(records["label"] + published)


def test_a_record_that_cannot_be_used_is_a_warning(tmp_path):
    (tmp_path / "records").mkdir()
    path = min((ROOT / "results" / "records").glob("*.json"))
    shutil.copy(path, tmp_path / "records")
    (tmp_path / "records" / "broken.json").write_text("{")
    with pytest.warns(UserWarning, match=r"broken\.json is left out"):
        records = bench.load_records(str(tmp_path))
    assert set(records["id"]) == {json.loads(path.read_text())["id"]}


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no records in"):
        bench.load_records(tmp_path)


def test_the_public_functions_keep_their_signatures():
    """Who changes one says so in the CHANGELOG, and writes the new one here."""
    now = {
        name: str(inspect.signature(getattr(bench, name)))
        for name in bench.__all__
        if inspect.isfunction(getattr(bench, name))
    }
    assert now == json.loads((ROOT / "tests/golden/public_functions.json").read_text())


def test_the_public_names_are_these():
    """Who adds one writes it here, in the CHANGELOG, and in docs/api.md."""
    assert bench.__all__ == [
        "Artefacts", "BaseConfig", "Codes", "Method", "Metric", "MetricInfo", "Record", "Result",
        "Spec", "Task", "TaskData", "UserError", "__version__", "evaluate", "leaderboard",
        "load_model", "load_records", "report", "run",
    ]  # fmt: skip
    page = (ROOT / "docs" / "api.md").read_text()
    lacking = [name for name in bench.__all__ if f"`bench.{name}`" not in page]
    assert not lacking

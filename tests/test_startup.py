"""What a command does not import: the time of a start is the time of its imports."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import typing
from types import SimpleNamespace

import pytest
import torch

from bench.contracts.metric import Settings
from bench.contracts.registry import Registry
from bench.contracts.source_config import config_fields
from bench.contracts.task import Options
from bench.plan.plan import Request, make_plan
from bench.utils import gpu
from tests.helpers import REGISTRY, ROOT, little, little_arguments

HEAVY = ("torch", "pandas", "sklearn", "scipy.stats", "statsmodels", "torchvision")
COMPILER = ("torch._dynamo", "torchvision", "torch_fidelity")


def run_in_python(code, *arguments, **environment):
    """Run Python code in a process of its own; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"COLUMNS": "200"} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def imported_by(*arguments, cache):
    """Run a verb in a process of its own; return its output, and the heavy modules it imported."""
    code = (
        "import sys\n"
        "from bench.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as stopped: assert stopped.code in (0, 4), stopped.code\n"
        f"print('IMPORTED', *[name for name in {HEAVY} if name in sys.modules])"
    )
    output = run_in_python(code, *arguments, CONTENTBENCH_CACHE=str(cache))
    said, _, names = output.partition("IMPORTED")
    return said, names.split()


def test_a_run_with_nothing_to_do_imports_no_torch(peaceful, cache):
    arguments = little_arguments(peaceful, little(peaceful), "--cache-dir", cache)
    first, _ = imported_by(*arguments, cache=cache)  # it keeps the board and that the method fits
    again, names = imported_by(*arguments, cache=cache)
    assert "1 of 1 cells have a record already" in again
    assert "wrote" in again
    assert again == first
    assert names == []


def test_a_leaderboard_is_computed_once(tmp_path, cache):
    shutil.copytree(ROOT / "results" / "claims" / "records", tmp_path / "records")
    records = sorted((tmp_path / "records").glob("*.json"))
    for path in records[4:]:
        path.unlink()
    arguments = ("leaderboard", "--results", tmp_path)
    first, names = imported_by(*arguments, cache=cache)
    files = {path.name: path.read_text() for path in tmp_path.glob("*.*")}
    assert set(files) == {"leaderboard.csv", "leaderboard.md", "comparisons.csv"}
    assert "torch" not in names
    for name in files:
        (tmp_path / name).unlink()
    assert imported_by(*arguments, cache=cache) == (first, [])
    for choice in (("--wide",), ("--sort", "fd_add"), ("--metrics", "image_quality")):
        shown, names = imported_by(*arguments, *choice, cache=cache)
        assert names == []
        assert shown != first
    assert {path.name: path.read_text() for path in tmp_path.glob("*.*")} == files
    records[0].unlink()  # other records: another leaderboard
    assert imported_by(*arguments, cache=cache)[0] != first


def test_a_check_of_records_imports_no_torch(tmp_path, cache):
    layers = ("--layers", "exact,ordering,statistical")
    shutil.copytree(ROOT / "results" / "records", tmp_path / "records")
    said, names = imported_by(
        "check", ROOT / "results/baselines/smoke.json", *layers, "--results", tmp_path, cache=cache
    )
    assert "check:" in said
    assert names == []


def test_a_training_step_imports_no_compiler():
    code = (
        "import sys\n"
        "import bench.runs.engines.preload, torch\n"
        "from bench.cell.training import flops_of_step\n"
        "from bench.contracts.registry import Registry\n"
        "from bench.contracts.task import Spec\n"
        "for name in ('autoencoder', 'press2019', 'ufdn'):\n"
        "    method = Registry().find('method', name).load()\n"
        "    made = method(Spec(32), method.Config(batch_size=2, width=8))\n"
        "    assert flops_of_step(made) > 0\n"
        "    made.training_step([torch.rand(2, 3, 32, 32) for _ in range(2)])\n"
        "    made.load_state_dict(made.state_dict())\n"
        "    for optimizer in made.optimizers().values():\n"
        "        optimizer.load_state_dict(optimizer.state_dict())\n"
        f"print([name for name in {COMPILER} if name in sys.modules])\n"
        "from bench.utils import compat\n"
        "compat.torch_fidelity(), compat.torchvision_transforms()\n"
        "print([name for name in sys.modules if name.startswith('torch._dynamo')])\n"
    )
    assert run_in_python(code).split() == ["[]", "[]"]


def test_the_compiler_still_works_when_it_is_imported_later():
    """Optimisers give the same weights before and after, and torchvision asks the real compiler."""
    code = (
        "import torch\n"
        "from bench.utils import compat\n"
        "compat.keep_dynamo_out()\n"
        "compat.torchvision()\n"
        "def weights(steps):\n"
        "    w = torch.nn.Parameter(torch.ones(3))\n"
        "    optimizer = torch.optim.Adam([w], 0.1, fused=True)\n"
        "    for _ in range(steps):\n"
        "        optimizer.zero_grad()\n"
        "        (w * torch.tensor([1.0, 2.0, 3.0])).square().sum().backward()\n"
        "        optimizer.step()\n"
        "    assert torch.is_grad_enabled()\n"
        "    return w.detach()\n"
        "before = weights(4)\n"
        "import torch._dynamo\n"
        "assert torch._dynamo.__file__.endswith('__init__.py')\n"
        "assert torch.equal(before, weights(4))\n"
        "from torchvision.ops import roi_align\n"
        "import sys\n"
        "sys.modules['torchvision.ops.roi_align'].is_compile_supported('cpu')\n"
        "print('fine')\n"
    )
    assert run_in_python(code).strip() == "fine"


@pytest.mark.parametrize("plugin", REGISTRY.all("method"), ids=lambda plugin: plugin.name)
def test_the_source_tells_the_fields_of_a_configuration(plugin):
    config = plugin.load().Config
    types, defaults = plugin.config_fields()
    assert list(types.items()) == list(typing.get_type_hints(config).items())
    assert list(defaults.items()) == list(dataclasses.asdict(config()).items())
    assert repr(defaults) == repr(dataclasses.asdict(config()))


@pytest.mark.parametrize(
    "body",
    [
        "    width: int = 2 * 4",
        "    width: int = dataclasses.field(default_factory=int)",
        "    width: 'int' = 4",
        "    width: Own = 4",
        "    width: int = 4\n\n        def __post_init__(self): raise ValueError",
        "    width: int = 4\n\n        def __init__(self): object.__setattr__(self, 'width', 5)",
        "    width: list = [4]",
    ],
)
def test_a_configuration_that_is_not_literal_must_be_loaded(body, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine(Method):\n    name = 'mine'\n\n    @dataclass(frozen=True)\n"
        f"    class Config(BaseConfig):\n    {body}\n"
    )
    assert config_fields(path, "Mine") is None


def test_run_ids_do_not_depend_on_how_a_configuration_is_read(monkeypatch):
    request = Request(methods=("all",), profile="smoke", seeds="0", options=Options())
    monkeypatch.setattr("bench.plan.plan.check_fit", lambda *_: None)
    read = [(cell.label, cell.id, cell.name) for cell in make_plan(request).cells]
    monkeypatch.setattr("bench.contracts.registry.Plugin.config_fields", lambda self: None)
    assert [(cell.label, cell.id, cell.name) for cell in make_plan(request).cells] == read


def test_a_metric_of_the_suite_is_asked_without_loading_it(tmp_path):
    for plugin in Registry().all("metric"):
        family = plugin.load()
        assert plugin.version() == family.version
        assert plugin.unavailable(Settings()) == family().unavailable(Settings())
        assert plugin.gaps is not None
        assert not plugin.asks or plugin.gaps, f"{plugin.name} would be loaded by every run"
    asked = [plugin.name for plugin in Registry().all("metric") if plugin.asks]
    assert asked, "no metric depends on a setting, so this test shows nothing"


class TestGPU:
    def test_the_answers_are_those_of_torch(self):
        assert gpu.gpu_count() == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
        supports = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        assert gpu.native_bf16("cpu") == any(getattr(torch.cpu, name)() for name in supports)

    @pytest.mark.parametrize(
        ("flags", "native"),
        [("sse avx2", False), ("avx512f avx512_bf16", True), ("amx_tile amx_int8", True)],
    )
    def test_flags_of_the_processor(self, flags, native, tmp_path, monkeypatch):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: x\n")
        monkeypatch.setattr(gpu, "CPUINFO", path)
        assert gpu.native_bf16("cpu") is native

    @pytest.mark.parametrize(
        ("driver", "found"),
        [(12080, ((9, 0), (8, 6))), (11080, ()), (13000, ((9, 0), (8, 6)))],
    )
    def test_the_driver_is_asked(self, driver, found, monkeypatch):
        def fill(pointer, value):
            pointer._obj.value = value
            return 0

        capability = {(0, 75): 9, (0, 76): 0, (1, 75): 8, (1, 76): 6}
        library = SimpleNamespace(
            cuInit=lambda flags: 0,
            cuDriverGetVersion=lambda at: fill(at, driver),
            cuDeviceGetCount=lambda at: fill(at, 2),
            cuDeviceGet=fill,
            cuDeviceGetAttribute=lambda at, what, device: fill(at, capability[device.value, what]),
        )
        monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: library)
        assert gpu._capabilities.__wrapped__("12.8") == found

    def test_without_a_driver_there_is_no_gpu(self, monkeypatch):
        def missing(name):
            raise OSError(name)

        monkeypatch.setattr(gpu.ctypes, "CDLL", missing)
        assert gpu._capabilities.__wrapped__("12.8") == ()

"""What several test files need."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before any library looks: two tests at once share two cores

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from bench.contracts.metric import Settings
from bench.contracts.task import DataSizes, Options
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY, ROOT, SIZES, little, little_arguments
from tests.pictures import make_celeba, make_folder

pytest.register_assert_rewrite(
    *(
        f"{__package__}.{path.stem}"
        for pattern in ("parity_*.py", "trace_*.py", "golden_scheme.py")
        for path in (ROOT / "tests").glob(pattern)
    )
)

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def settings(cache):
    """How metrics are scored in a run; judges are fitted once for all tests."""
    return Settings(cache=cache)


@pytest.fixture(scope="session")
def faces(cache):
    """The embedded task, small."""
    return prepare(REGISTRY.find("task", "avatars-glasses").load()(), SIZES, cache)


@pytest.fixture(scope="session")
def data(cache):
    """The embedded task, enough of it for an interval of a Frechet distance in 64 dimensions."""
    sizes = DataSizes(size=32, train=16, probe=160, test=160)
    return prepare(REGISTRY.find("task", "avatars-glasses").load()(), sizes, cache)


@pytest.fixture(scope="session")
def options(tmp_path_factory):
    """What to say of the images of a task: made here where they do not come with the suite."""
    place = tmp_path_factory.mktemp("images")
    faces, plain, extra = place / "data", place / "plain", place / "extra"
    make_folder(plain, 40, seed=0)
    make_folder(extra, 44, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.tasks.celeba.checksums", lambda: made)
        made = make_celeba(faces / "celeba", 120)

        def of(plugin, **more):
            said = {"a": plain, "b": extra, "data_root": faces} | more
            return Options(**{name: said[name] for name in said if name in plugin.load().takes})

        yield of


@pytest.fixture(scope="session")
def bench(cache):
    """Run `python -m bench ...` as a user does; return what it printed and its exit code."""

    def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"CONTENTBENCH_CACHE": str(cache), "COLUMNS": "200"} | variables
        return subprocess.run(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=300,
        )

    return call


@pytest.fixture
def inside(cache, capfd, monkeypatch):
    """Run the command line in this process: each start of Python and torch takes seconds."""
    from bench.__main__ import main

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("CONTENTBENCH_CACHE", str(cache))
        capfd.readouterr()
        inline = ("--engine", "inline") if arguments[0] in ("run", "score", "score-images") else ()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in (*arguments, *inline)])
        said = capfd.readouterr()
        return SimpleNamespace(returncode=int(stopped.value.code), stdout=said.out, stderr=said.err)

    return call


@pytest.fixture
def place(tmp_path):
    """Two folders of twelve good images."""
    make_folder(tmp_path / "a", 12, seed=0)
    make_folder(tmp_path / "b", 12, seed=1)
    return tmp_path


@pytest.fixture(scope="session")
def peaceful(cache, tmp_path_factory):
    """The numbers of a run that nothing happened to, and where it stood."""
    folder = tmp_path_factory.mktemp("peaceful")
    subprocess.run(
        [sys.executable, "-m", "bench", *map(str, little_arguments(folder, little(folder))),
         "--cache-dir", cache],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder

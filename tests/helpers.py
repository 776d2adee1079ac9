"""Builders and constants that several test files use."""

from __future__ import annotations

import csv
import importlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.conformance.method_case import KINDS as KINDS_OF_CONTENT
from bench.conformance.method_case import MethodCase, random_batch
from bench.contracts.protocol import PROTOCOL
from bench.contracts.registry import Registry
from bench.contracts.task import DataSizes, Options
from bench.records.read import cell_of
from bench.records.store import Store
from bench.tasks.user_folders import Folder
from bench.utils.files.sealed import read_sealed

__all__ = ["KINDS_OF_CONTENT", "random_batch"]  # built here for years, and now in the suite
ROOT = Path(__file__).parent.parent
REGISTRY = Registry()
METHODS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("method")]
SIZES = DataSizes(size=32, train=64, probe=64, test=32)

TINY = (
    "--profile", "smoke",
    "--set", "profile.budget_tflops=0.01",
    "--set", "profile.train_images=64",
    "--set", "profile.probe_images=64",
    "--set", "profile.test_images=32",
)  # fmt: skip

TIMED = ("train_images_per_s", "infer_images_per_s", "latency", "peak_memory_mb")
OWN_METHOD = REGISTRY.find("method", "autoencoder").path.read_text("utf-8")
OWN_METHOD = OWN_METHOD.replace('name = "autoencoder"', 'name = "mine"')
"""The file of a user's own method, as CONTRIBUTING says to begin."""


def family(name):
    """Return a family of metrics."""
    return REGISTRY.find("metric", name).load()()


def module(name):
    """Return the module of a family of metrics, or a helper beside it, by its name."""
    package = type(family("image_quality")).__module__.rpartition(".")[0]
    return importlib.import_module(f"{package}.{name}")


def rows(folder):
    """Return the rows of finished methods in a leaderboard, by method and metric."""
    return {(row["method"], row["metric"]): row for row in curve_rows(folder, 1.0)}


def curve_rows(folder, budget):
    """Return the rows of a leaderboard at a fraction of the training."""
    with (folder / "leaderboard.csv").open() as file:
        return [row for row in csv.DictReader(file) if float(row["budget"]) == budget]


def numbers(folder):
    """Return the rows that no clock has a part in: equal wherever a cell is run."""
    return {key: row for key, row in rows(folder).items() if not key[1].startswith(TIMED)}


def board_record(label="m", seed=0, method=None, status="ok", **values):
    identity = {
        "method": method or label, "task": "faces", "profile": "small", "seed": seed,
        "config": {"width": 8}, "numbers": {"size": 32}, "precision": "fp32", "device": "cpu",
        "protocol": PROTOCOL,
    }  # fmt: skip
    entries = {
        metric: {
            "value": value, "lo": None if value is None else value - 1,
            "hi": None if value is None else value + 1, "n": 50,
            "status": "ok" if value is not None else "failed",
            "reason": "" if value is not None else "it broke",
            "extractor": "net@1" if metric.startswith("fd") and value is not None else "",
            "version": 1, "unit": "",
            "better": "lower" if metric.startswith(("fd", "z1", "rec")) else "higher",
            "meaning": f"what {metric} means",
        }
        for metric, value in values.items()
    }  # fmt: skip
    return {"label": label, "identity": identity, "status": status, "reason": "",
            "metrics": entries, "facts": {}, "curve": [], "configuration": "tuned",
            "study": ""}  # fmt: skip


QUICK_RUN = ("run", "--methods", "copy-source", *TINY, "--metrics", "cf_rank_add")
TENSORS = {"a": torch.arange(3.0)}


def refusing(number):
    """Return what a system call does that fails with this number."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


def folder_task(place, **more):
    return Folder(Options(a=place / "a", b=place / "b", **more))


ODD_CHARACTERS = "\x1b[31mred\x1b[0m \x9b2J \x00 \r over \ud800 \ufffe \u202e back"
ODD_NAMES = [
    "a|b",
    "a\nb",
    "a`b",
    "<img src=x>",
    "a,b",
    "=1+1",
    "\x1b[2J",
    "[x](http://y)",
    "_a_",
    "7",
]


def table_cells(line):
    """Return the cells of a row of a table of GitHub's Markdown, unescaped."""
    cells, cell, escaped = [], "", False
    for character in line.strip()[1:-1]:
        if character == "|" and not escaped:
            cells.append(cell.strip())
            cell = ""
        elif escaped or character != "\\":
            cell += character
        escaped = character == "\\" and not escaped
    return [*cells, cell.strip()]


LITTLE_METHOD = '''
import os, pathlib, random, signal
import numpy as np
import torch
from bench.contracts.method import BaseConfig, Codes, Method

class Little(Method):
    """An autoencoder of one layer that draws from every generator; HOW happens before a step."""
    name = "little"
    summary = "small and quick"
    paper = "none"
    guided = True
    published_steps = 8
    Config = BaseConfig
    taken = 0

    def __init__(self, spec, config):
        super().__init__(spec, config)
        self.encoder = torch.nn.Conv2d(3, 4, 4, 4)
        self.decoder = torch.nn.ConvTranspose2d(4, 3, 4, 4)
        self._adam = torch.optim.Adam(self.parameters(), 1e-2)

    def optimizers(self):
        return {"adam": self._adam}

    def training_step(self, batch):
        self.taken += 1
        HOW
        x = torch.cat(batch)
        noise = torch.randn(()) + float(np.random.standard_normal()) + random.gauss(0, 1)
        loss = (self.decoder(self.encoder(x + 0.01 * noise)) - x).square().mean()
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return {"loss": loss.detach()}

    def encode(self, x, domain):
        code = self.encoder(x)
        return Codes(code[:, :3], code[:, 3:])

    def decode(self, codes, domain):
        return self.decoder(torch.cat([codes.common, codes.separate], 1)).clamp(-1, 1)

    def add(self, a, guide):
        return self.decode(Codes(self.encode(a, 0).common, self.encode(guide, 1).separate), 1)

    def remove(self, b):
        return self.decode(Codes(self.encode(b, 1).common, 0 * self.encode(b, 1).separate), 0)
'''
FAST = ("--metrics", "counterfactual,reconstruction,cost", "--checkpoint-every", "0")


def little(folder, how="pass"):
    path = folder / "little.py"
    path.write_text(LITTLE_METHOD.replace("HOW", how))
    return path


def little_arguments(folder, plugin, *more):
    steps = ("--set", "profile.budget_tflops=0.00004")  # four of them
    return ("run", "--methods", "little", *TINY, *steps, *FAST, "--plugin", plugin,
            "--results", folder / "results", *more)  # fmt: skip


class Killed(BaseException):
    pass


def kill(method, when):
    """Let a method raise `Killed` in the place of a training step.

    when: is called with the number of steps so far, and returns whether that is now.
    """
    step, taken = method.training_step, []

    def training_step(batch):
        if when(len(taken)):
            raise Killed
        taken.append(1)
        return step(batch)

    method.training_step = training_step


def harm_file(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        content[len(content) * 3 // 4] ^= 4
    path.write_bytes(content)


FEW_METRICS = ("--metrics", "image_quality,reconstruction,counterfactual")


BROKEN_METRIC = """
from bench.contracts.metric import Metric, MetricInfo
class Broken(Metric):
    name = "broken"
    summary = "fails"
    version = 1
    numbers = (MetricInfo(id="broken", unit="", better="lower", meaning="none"),)
    def compute(self, wanted, artefacts, data, settings):
        raise ArithmeticError("no luck")
"""


FAILING_METHOD = '''
from bench.contracts.method import Method, BaseConfig
class Broken(Method):
    """Fails in its first step."""
    name = "broken"
    summary = "fails"
    paper = "none"
    guided = False
    published_steps = 1
    Config = BaseConfig
    def __init__(self, spec, config):
        super().__init__(spec, config)
        import torch
        self.weight = torch.nn.Parameter(torch.zeros(1))
    def optimizers(self):
        return {}
    def training_step(self, batch):
        HOW
    def encode(self, x, domain): ...
    def decode(self, codes, domain): ...
    def add(self, a, guide): ...
    def remove(self, b): ...
'''


def record_of(folder, label):
    (path,) = (folder / "records").glob(f"{label}-avatars*")
    return json.loads(path.read_text())


def change_identity(results, **changes):
    """Give the method's record another identity, and its files the names that belong to it."""
    path = next((results / "records").glob("autoencoder*"))
    record = read_sealed(path)
    record["identity"] |= changes
    cell = cell_of(record)
    store = Store(results)
    next(results.glob("runs/autoencoder*")).rename(store.run_path(cell))
    path.unlink()
    store.record_path(cell).write_text(json.dumps(record | {"id": cell.id}))


def write_plugin(folder, text=OWN_METHOD, name="mine.py"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


PLAIN_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOT_UTF8 = os.fsdecode(b"caf\xe9")
"""The name of a folder in Latin-1: é is a single byte."""


def make_method(plugin, size=32, seed=0, spec=None, **changes):
    return MethodCase(plugin, faces=None).build(size, seed, spec, **changes)


def gaussian(n, dimensions, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(shift, scale, (n, dimensions)))

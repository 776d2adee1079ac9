"""Faults of every kind, injected: nothing finished is lost, and what is redone has the same bits.

Each of these tests compares with a run that was left in peace, number by number and bit by bit.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.cell.checkpoint import Checkpoint
from bench.cell.training import build, flops_of_step, train
from bench.plan.profiles import choose_profile, configure

from .conftest import REGISTRY, TINY, numbers, rows

METHODS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("method")]

LITTLE = '''
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
    path.write_text(LITTLE.replace("HOW", how))
    return path


def arguments(folder, plugin, *more):
    steps = ("--set", "profile.budget_tflops=0.00004")  # four of them
    return ("run", "--methods", "little", *TINY, *steps, *FAST, "--plugin", plugin,
            "--results", folder / "results", *more)  # fmt: skip


@pytest.fixture(scope="module")
def peaceful(cache, tmp_path_factory):
    """The numbers of a run that nothing happened to, and where it stood."""
    folder = tmp_path_factory.mktemp("peaceful")
    subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments(folder, little(folder))),
         "--cache-dir", cache],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


# --- training ------------------------------------------------------------------------------------


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("plugin", METHODS)
def test_a_killed_training_goes_on_to_the_same_bits(plugin, faces, tmp_path):
    """Weights, optimisers and random state after four steps and after two, a kill and two."""
    config = configure(plugin, choose_profile("smoke"), [])[1] | {"batch_size": 4}
    method_class = plugin.load()

    def new():
        return build(method_class, faces.spec, method_class.Config(**config), 0)

    flops = flops_of_step(new())

    def run(method, checkpoint=None, show=lambda _: None):
        return train(
            method, faces, steps=4, flops_per_step=flops, seed=0, precision="fp32",
            checkpoint=checkpoint, show=show,
        )  # fmt: skip

    straight = new()
    run(straight)
    after = torch.get_rng_state()

    killed = new()
    step = killed.training_step
    taken = []

    def dying(batch):
        if len(taken) == 2:
            raise _Killed
        taken.append(1)
        return step(batch)

    killed.training_step = dying
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(_Killed):
        run(killed, Checkpoint(path, "source", 0))
    resumed = new()
    torch.manual_seed(99)
    run(resumed, Checkpoint(path, "source", 1e9))
    assert torch.equal(after, torch.get_rng_state())
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("harm", ["truncated", "flipped", "empty", "of another source"])
def test_a_checkpoint_that_cannot_be_trusted_is_not_used(harm, faces, tmp_path):
    plugin = REGISTRY.find("method", "autoencoder")
    method_class = plugin.load()
    config = configure(plugin, choose_profile("smoke"), [])[1]
    method = build(method_class, faces.spec, method_class.Config(**config), 0)
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint(path, "source", 0).save(method, 3, {})
    assert Checkpoint(path, "source", 0).restore(method) == (3, {})
    if harm != "of another source":
        _harm(path, harm)
    before = torch.get_rng_state()
    source = "other" if harm == "of another source" else "source"
    assert Checkpoint(path, source, 0).restore(method) is None
    assert torch.equal(before, torch.get_rng_state())


# --- files ---------------------------------------------------------------------------------------


def _harm(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        content[len(content) * 3 // 4] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
@pytest.mark.parametrize(
    "kind", ["weights.safetensors", "training.json", "artefacts.safetensors", "artefacts.json"]
)
def test_harm_to_what_a_stage_left_is_noticed_and_mended(kind, how, peaceful, inside, tmp_path):
    """The record is gone as well, so the cell is finished from what the stages left."""
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    record.unlink()
    (run,) = (tmp_path / "results" / "runs").iterdir()
    _harm(run / kind, how)
    done = inside(*arguments(tmp_path, tmp_path / "little.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_harm_to_a_record_is_noticed_and_mended(how, peaceful, inside, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    _harm(record, how)
    alone = inside("leaderboard", "--results", tmp_path / "results")
    assert "is left out" in alone.stdout + alone.stderr
    done = inside(*arguments(tmp_path, tmp_path / "little.py"))
    assert done.returncode == 0
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


def test_a_changed_digit_in_a_record_is_noticed(peaceful, inside, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    known = json.loads(record.read_text())
    known["metrics"]["rec_l1_a"]["value"] += 0.001
    record.write_text(json.dumps(known))
    done = inside("leaderboard", "--results", tmp_path / "results")
    assert "its content is not what was written" in done.stdout + done.stderr


# --- power loss ----------------------------------------------------------------------------------


def test_power_loss_before_any_write_loses_nothing(peaceful, inside, tmp_path, monkeypatch):
    """Every rename of a run is, in a run of its own, the one that never comes."""
    plugin = little(tmp_path)
    real, count, faults = os.replace, 0, 0
    lose_at = 0

    def replace(source, target):
        nonlocal count
        count += 1
        if count == lose_at:
            raise _Killed
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    while True:
        lose_at += 1
        count = 0
        shutil.rmtree(tmp_path / "results", ignore_errors=True)
        try:
            inside(*arguments(tmp_path, plugin))
        except _Killed:
            faults += 1
        else:
            break
        lose_at, kept = 10**9, lose_at
        done = inside(*arguments(tmp_path, plugin))
        lose_at = kept
        assert done.returncode == 0, (lose_at, done.stdout, done.stderr)
        assert numbers(tmp_path / "results") == numbers(peaceful / "results"), lose_at
        (run,) = (tmp_path / "results" / "runs").iterdir()
        assert not (run / "checkpoint.safetensors").exists()
        assert not list((tmp_path / "results").rglob("*.tmp"))
    assert faults > 10


# --- processes -----------------------------------------------------------------------------------

DIES_ONCE = (
    "mark = pathlib.Path(__file__).with_name('died')\n"
    "        if self.taken == 3 and not mark.exists():\n"
    "            mark.touch()\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        if mark.exists():\n"
    "            with open(mark, 'a') as file:\n"
    "                file.write('a step\\n')"
)


def test_a_lost_worker_is_started_again_and_goes_on(peaceful, bench, tmp_path):
    """Killed in its third step, the worker's successor goes on from the second."""
    done = bench(*arguments(tmp_path, little(tmp_path, DIES_ONCE)))
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    steps = json.loads(record.read_text())["facts"]["steps"]
    # one more than the steps that were left: FLOPs are counted in one on a copy
    assert len((tmp_path / "died").read_text().splitlines()) == steps - 2 + 1
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


def test_a_hang_ends_one_cell(bench, tmp_path):
    hangs = "import time; time.sleep(1000)"
    done = bench(
        "run", "--methods", "little,copy-source", *TINY, *FAST, "--plugin", little(tmp_path, hangs),
        "--results", tmp_path / "results", "--timeout", "8",
    )  # fmt: skip
    assert done.returncode == 3
    assert "timed out after 8 s (--timeout)" in done.stdout
    table = rows(tmp_path / "results")
    assert table["little", "rec_l1_a"]["status"] == "failed"
    assert table["copy-source", "cf_rank_add"]["status"] == "ok"


def _killed_at_random(seed, cache, folder, plugin):
    """Kill a run, its workers included, at random moments until one ends; return the kills."""
    chance = random.Random(seed)
    command = [sys.executable, "-m", "bench", *map(str, arguments(folder, plugin))]
    for kills in range(100):
        process = subprocess.Popen(
            [*command, "--cache-dir", str(cache)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.wait(chance.uniform(3, 8) * 1.6**kills) == 0
            return kills
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise AssertionError("it never ended")


SLOW_STEPS = "import time; time.sleep(0.5)"


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 20))]
)
def test_kills_at_random_moments(seed, peaceful, cache, tmp_path):
    kills = _killed_at_random(seed, cache, tmp_path, little(tmp_path, SLOW_STEPS))
    assert numbers(tmp_path / "results") == numbers(peaceful / "results"), kills


HANGS_ONCE = (
    "mark = pathlib.Path(__file__).with_name('hangs')\n"
    "        if self.taken == 3 and not mark.exists():\n"
    "            import time\n"
    "            mark.touch()\n"
    "            time.sleep(600)"
)


def _heeding_interrupts():
    """A shell lets its background jobs ignore them, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ends(group):
    """Return whether all processes of a group end within seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("engine", ["process", pytest.param("inline", marks=pytest.mark.slow)])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(engine, peaceful, cache, tmp_path):
    """The terminal sends the signal to the run and to all of its workers."""
    mark = tmp_path / "hangs"
    words = arguments(tmp_path, little(tmp_path, HANGS_ONCE), "--engine", engine)
    run = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words), "--cache-dir", str(cache)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heeding_interrupts,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors == "interrupted: repeat the command to continue; finished cells are kept\n"
    assert not list((tmp_path / "results" / "records").glob("*.json"))
    assert list((tmp_path / "results").rglob("checkpoint.safetensors"))
    assert _ends(run.pid)

    again = subprocess.run(run.args, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


COUNTS = (
    "if self.taken == 1:\n"
    "            with open(pathlib.Path(__file__).with_name('trainings'), 'a') as file:\n"
    "                file.write(f'{self.config}\\n')"
)


def test_two_runs_on_one_folder_do_no_cell_twice(cache, tmp_path):
    plugin = little(tmp_path, COUNTS)
    command = [
        *(sys.executable, "-m", "bench", *map(str, arguments(tmp_path, plugin, "--seeds", "0-1"))),
        *("--cache-dir", str(cache), "--jobs", "1"),
    ]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    for process in both:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
    # each training is counted twice: FLOPs are counted on a copy before the first step
    assert len((tmp_path / "trainings").read_text().splitlines()) == 2 * 2
    table = rows(tmp_path / "results")
    assert table["little", "rec_l1_a"]["n_seeds"] == "2"


def test_a_clock_that_jumps_changes_nothing(peaceful, inside, tmp_path, monkeypatch):
    """The wall clock goes back an hour with every look at it."""
    now = [time.time()]

    def jumping():
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", jumping)
    done = inside(*arguments(tmp_path, little(tmp_path)))
    assert done.returncode == 0
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


def test_checkpoint_stays_on_request(inside, tmp_path):
    plugin = little(tmp_path)
    assert inside(*arguments(tmp_path, plugin, "--keep")).returncode == 0
    assert len(list(Path(tmp_path / "results").rglob("checkpoint.safetensors"))) == 1

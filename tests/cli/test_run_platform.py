"""A run on other systems and file systems, and in folders of other users."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys

import pytest

from tests.helpers import QUICK_RUN, ROOT, refusing, rows


def test_a_run_on_a_file_system_that_refuses(inside, monkeypatch, tmp_path):
    """Case 15: no cell is lost."""
    for call in ("fsync", "chmod", "fchmod"):
        monkeypatch.setattr(os, call, refusing(errno.EPERM))
    done = inside(*QUICK_RUN, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(rows(tmp_path)["copy-source", "cf_rank_add"]["value"]) == 0.5


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_a_record_that_cannot_be_written_is_told_with_the_true_reason(
    number, inside, monkeypatch, tmp_path
):
    """Case 15: the disk is called full only if it is."""
    inside(*QUICK_RUN, "--results", tmp_path / "first")  # makes the task
    monkeypatch.setattr(os, "replace", refusing(number))
    done = inside(*QUICK_RUN, "--results", tmp_path / "results")
    assert done.returncode == 3
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("[1/1] failed"))
    (said,) = (line for line in done.stdout.splitlines() if line.startswith("failed: copy-source"))
    for line in (row, said):
        assert f"it cannot be written ({os.strerror(number)}); " in line
        assert ("disk is full" in line) == (number == errno.ENOSPC)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_worker_tells_the_true_reason_too(bench, tmp_path):
    """Case 15: neither lock nor record nor log can be written."""
    for name in ("locks", "records", "runs"):
        (tmp_path / name).symlink_to("nowhere")  # where not even root can make anything
    done = bench(*QUICK_RUN, "--results", tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "it cannot be written (File exists); FileExistsError" in done.stdout
    assert "disk" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_merge_where_modes_cannot_be_set(inside, monkeypatch, tmp_path):
    """Case 15: `shutil.copy2` would fail there."""
    inside(*QUICK_RUN, "--results", tmp_path / "one")
    monkeypatch.setattr(os, "chmod", refusing(errno.EPERM))
    done = inside("merge", tmp_path / "one", "--into", tmp_path / "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "all" / "grids").iterdir())


OTHER = """
import os, sys
from bench.cli.main import main
import bench.records.clean, bench.records.merge, bench.runs.execute, bench.runs.score_images
import bench.board.publish, bench.runs.engines.preload
from bench.contracts.registry import Registry
for kind in ("method", "metric", "task"):
    for plugin in Registry().all(kind):
        plugin.load()
if os.geteuid() == 0:  # whom no mode stops
    os.setgid(54321)
    os.setuid(54321)
for words in sys.argv[1].split(";"):
    if os.fork() == 0:
        main(words.split())
    print("code", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def test_folders_of_another_user(inside, cache, tmp_path):
    """Case 16: whatever only reads works on a cache and on results that cannot be written."""
    assert inside(*QUICK_RUN, "--results", tmp_path / "r").returncode == 0
    full, mine, shut = tmp_path / "cache", tmp_path / "mine", tmp_path / "shut"
    for folder in (full, mine, shut):
        folder.mkdir()
    for task in cache.glob("avatars-glasses-32px-*.safetensors"):
        (full / task.name).write_bytes(task.read_bytes())
    for path in (*full.iterdir(), full, *tmp_path.rglob("r/**/*"), tmp_path / "r"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for folder in [*tmp_path.parents][: len(tmp_path.parents) - 2]:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    mine.chmod(0o777)
    shut.chmod(0)
    there = f"--cache-dir {full} --results {tmp_path / 'r'}"
    run = " ".join(QUICK_RUN)
    commands = [
        f"leaderboard --results {tmp_path / 'r'}",
        f"clean {there}",
        f"merge {tmp_path / 'r'} --into {mine / 'all'}",
        f"{run} {there} --dry-run",
        f"{run} --cache-dir {full} --results {mine / 'r'} --engine inline",
        f"{run} {there} --engine inline --existing fresh",
        f"{run} --cache-dir {mine / 'c'} --results {shut / 'r'} --engine inline",
        f"leaderboard --results {shut / 'r'}",
        f"merge {shut / 'r'} --into {mine / 'all'}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", OTHER, ";".join(commands)], cwd=ROOT, capture_output=True, text=True
    )
    shut.chmod(0o755)
    for path in (full, tmp_path / "r", *tmp_path.glob("r/**/")):
        path.chmod(0o755)
    codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert codes == ["code 0"] * 5 + ["code 2"] * 4, done.stdout + done.stderr
    assert f"{tmp_path / 'r'} is read-only: leaderboard.csv and .md are as they were" in done.stdout
    assert len(re.findall("copy-source +(?:floor +)?0.500", done.stdout)) >= 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 4, done.stderr
    assert f"cannot write the results folder {tmp_path / 'r'} (Permission denied)" in lines[0]
    assert f"cannot look into the folder {shut / 'r'} (Permission denied)" in lines[1]
    assert lines[1].endswith("name another with --results")
    assert lines[3].endswith("name another with DIR")


def test_a_long_folder_for_temporary_files(bench, tmp_path):
    """Case 29: a socket's path has at most 107 bytes."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    done = bench(*QUICK_RUN, "--results", tmp_path / "r", TMPDIR=str(long))
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(rows(tmp_path / "r")["copy-source", "cf_rank_add"]["value"]) == 0.5

"""Too little disk space is seen before a run and survived during one."""

from __future__ import annotations

import errno
import subprocess
from contextlib import contextmanager, suppress

import pytest
from safetensors import SafetensorError

import bench.utils.files.disk
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.disk import Need, disk_is_full, require_space
from tests.helpers import TINY, rows


@contextmanager
def small_disk(folder, size):
    """A disk of this size at a folder: permissions do not stop root, and neither do quotas."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_folders_on_one_disk_share_it(tmp_path, monkeypatch):
    monkeypatch.setattr(bench.utils.files.disk, "RESERVE_MB", 10.0)
    with small_disk(tmp_path / "disk", "50m") as disk:
        one, two = Need(disk / "new" / "a", 30.0, "one"), Need(disk / "b", 30.0, "two")
        require_space([one], "so")
        require_space([two], "so")
        require_space([one, Need(tmp_path, 30.0, "elsewhere")], "so")
        with pytest.raises(UserError) as error:
            require_space([one, two], "make room")
        said = str(error.value)
        assert "and needs about 70 MB (one, two, 10 MB in reserve): make room" in said
        assert f"{disk / 'new' / 'a'} and {disk / 'b'} has 52 MB free" in said
        require_space([Need(disk, 0.0, "nothing")], "so")


def test_a_run_that_will_not_fit_is_refused(inside, tmp_path):
    arguments = ("run", "--methods", "autoencoder", *TINY, "--metrics", "rec_l1_a")
    with small_disk(tmp_path / "disk", "20m") as disk:
        done = inside(*arguments, "--results", disk / "r")
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert (
            "has 21 MB free and needs about 309 MB (1 cell 53 MB, 1 of them a guess" in done.stderr
        )
        assert "`python -m bench clean`" in done.stderr
        assert not (disk / "r").exists()
        cached = inside(*arguments, "--results", tmp_path / "r", "--cache-dir", disk / "cache")
        assert cached.returncode == 2
        assert f"{disk / 'cache'} has 21 MB free" in cached.stderr
        assert "images of avatars-glasses 1 MB" in cached.stderr
        assert inside(*arguments, "--results", disk / "r", "--ignore-disk").returncode == 0
        again = inside(*arguments, "--results", disk / "r")
        assert again.returncode == 0, again.stderr  # nothing is left to do, so nothing is needed


def test_anchors_need_no_room(inside, tmp_path):
    with small_disk(tmp_path / "disk", "2m") as disk:
        arguments = ("run", "--methods", "copy-source", *TINY, "--metrics", "cf_rank_add")
        assert inside(*arguments, "--results", tmp_path / "r").returncode == 0  # makes the task
        assert inside(*arguments, "--results", disk / "r").returncode == 0


def test_a_full_disk_fails_one_cell_with_that_reason(inside, tmp_path):
    arguments = ("run", *TINY, "--metrics", "reconstruction,counterfactual")
    with small_disk(tmp_path / "disk", "900k") as disk:
        methods = ("--methods", "copy-source,autoencoder,ground-truth")
        done = inside(*arguments, *methods, "--results", disk / "r", "--ignore-disk")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        table = rows(disk / "r")
        assert table["autoencoder", "rec_l1_a"]["status"] == "failed"
        assert table["autoencoder", "rec_l1_a"]["reason"].startswith("the disk is full: ")
        assert table["ground-truth", "cf_rank_add"]["status"] == "ok"
        assert not list(disk.rglob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        retry = (*arguments, *methods, "--results", disk / "r", "--ignore-disk")
        assert inside(*retry, "--existing", "retry").returncode == 0
        assert rows(disk / "r")["autoencoder", "rec_l1_a"]["status"] == "ok"


@pytest.mark.parametrize(
    ("engine", "free"),
    [("inline", 0), ("inline", 1), ("inline", 2), ("inline", 3), ("inline", 8), ("process", 0)],
)
def test_no_finished_record_is_harmed_when_not_even_a_record_fits(
    engine, free, inside, bench, tmp_path
):
    """So many pages are free: none for the log, none for the record, none for the leaderboard."""
    run = inside if engine == "inline" else bench
    arguments = ("run", *TINY, "--metrics", "cf_rank_add", "--ignore-disk")
    with small_disk(tmp_path / "disk", "400k") as disk:
        where = ("--results", disk / "r")
        assert inside(*arguments, "--methods", "copy-source", *where).returncode == 0
        before = {path: path.read_bytes() for path in (disk / "r" / "records").iterdir()}
        fill(disk, free)
        done = run(*arguments, "--methods", "copy-source,ground-truth", *where)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "failed: ground-truth seed 0: " in done.stdout
        assert "disk" in done.stdout.partition("failed: ground-truth")[2]
        assert {path: path.read_bytes() for path in before} == before
        assert not Store(disk / "r").records()[1]
        leaderboard = inside("leaderboard", *where)
        assert leaderboard.returncode in (0, 2)
        assert "Traceback" not in leaderboard.stderr
        (disk / "filling").unlink()
        more = inside(*arguments, "--methods", "copy-source,ground-truth", *where,
                      "--existing", "retry")  # fmt: skip
        assert more.returncode == 0, more.stdout + more.stderr
        assert {path: path.read_bytes() for path in before} == before


def fill(disk, pages):
    """Leave so many pages of 4 KiB free."""
    with (disk / "filling").open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(max(0, file.tell() - 4096 * pages))


def test_a_leaderboard_that_does_not_fit_is_one_line(inside, tmp_path):
    arguments = ("run", *TINY, "--methods", "copy-source", "--metrics", "cf_rank_add")
    with small_disk(tmp_path / "disk", "400k") as disk:
        where = ("--results", disk / "r")
        assert inside(*arguments, *where).returncode == 0
        fill(disk, 0)
        run = inside(*arguments, *where)
        assert run.returncode == 3
        assert "error: cannot write the leaderboard" in run.stdout
        alone = inside("leaderboard", *where)
        assert alone.returncode == 2
        assert "cannot write the" in alone.stderr
        assert len(alone.stderr.strip().splitlines()) == 1


def test_a_cache_on_a_full_disk_is_one_line(inside, tmp_path):
    with small_disk(tmp_path / "disk", "100k") as disk:
        done = inside("run", "--methods", "copy-source", *TINY, "--ignore-disk",
                      "--results", tmp_path / "r", "--cache-dir", disk / "cache")  # fmt: skip
        assert done.returncode == 2, done.stdout
        assert len(done.stderr.strip().splitlines()) == 1
        assert "cannot use the cache folder" in done.stderr
        assert "No space left on device" in done.stderr
        assert not list(disk.rglob("*.tmp"))


def test_which_errors_say_that_the_disk_is_full():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert disk_is_full(full)
    assert disk_is_full(SafetensorError("Error: I/O error: No space left (os error 28)"))
    told = UserError("cannot use the cache")
    told.__cause__ = full
    assert disk_is_full(told)
    assert not disk_is_full(OSError(errno.EACCES, "no"))
    assert not disk_is_full(RuntimeError("out of luck"))

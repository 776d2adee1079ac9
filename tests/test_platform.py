"""Other systems, file systems and users; Ctrl-C. Cases are those of inputs that failed in use."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import bench.cell.measure
import bench.utils.files.tensor_files
import bench.utils.parallel
from bench.cell.measure import PeakMemory, most_ever_held
from bench.contracts.metric import Artefacts
from bench.utils.errors import UserError
from bench.utils.files.atomic import NOT_OFFERED, written_whole
from bench.utils.files.paths import default_cache
from bench.utils.files.sealed import write_atomically
from bench.utils.files.tensor_files import CacheError, keep, keep_if_possible, write_checked

from .conftest import TINY, family, rows

ROOT = Path(__file__).parent.parent
QUICK = ("run", "--methods", "copy-source", *TINY, "--metrics", "cf_rank_add")
TENSORS = {"a": torch.arange(3.0)}
INTERRUPTED = "interrupted: repeat the command to continue; finished cells are kept\n"


def refusing(number):
    """Return what a system call does that fails with this number."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


# --- memory: case 8 and 30 -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "told", "megabytes"),
    [
        ("linux", 300 * 2**10, 300),
        ("darwin", 300 * 2**20, 300),
        ("freebsd14", 5 * 2**10, 5),
        ("darwin", 2**19, 0.5),
    ],
)
def test_memory_is_counted_in_the_unit_of_the_platform(platform, told, megabytes, monkeypatch):
    """Case 8: macOS tells bytes, the others KiB."""
    usage = type("Usage", (), {"ru_maxrss": told})
    monkeypatch.setattr(resource, "getrusage", lambda _: usage)
    assert most_ever_held(platform) == megabytes


@pytest.mark.parametrize("status", [None, "Name:\tpython\nVmRSS:\t  1024 kB\n"])
def test_memory_where_linux_tells_no_peak(status, monkeypatch, tmp_path):
    """Case 8: no /proc at all, and one (of a sandbox) that knows no high-water mark."""
    monkeypatch.setattr(bench.cell.measure, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(bench.cell.measure, "_CLEAR", tmp_path / "clear_refs")
    monkeypatch.setattr(bench.cell.measure, "most_ever_held", lambda: 7.0)
    if status:
        (tmp_path / "status").write_text(status)
        (tmp_path / "clear_refs").write_text("")
    with PeakMemory(torch.device("cpu")) as memory:
        pass
    assert memory.megabytes == 7


def test_memory_without_the_module_resource(monkeypatch, tmp_path, faces, settings):
    """Case 30: on Windows the number is not there, with a reason."""
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(bench.cell.measure, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(bench.cell.measure, "_CLEAR", tmp_path / "none")
    with PeakMemory(torch.device("cpu")) as memory:
        pass
    assert memory.megabytes is None
    made = Artefacts({}, {"training": {"peak_memory_mb": memory.megabytes}})
    result = family("cost").score(["peak_memory_mb"], made, faces, settings)["peak_memory_mb"]
    assert (result.status, result.reason) == ("unavailable", "not measured on this system")


def test_no_module_of_the_suite_needs_what_windows_lacks():
    """Case 30: modules that only POSIX has are imported by libraries first, then they are gone."""
    names = ["fcntl", "grp", "pwd", "resource", "termios", "syslog", "readline"]
    code = (
        "import sys, pathlib, importlib, bench.runs.engines.preload, ray_free\n"
        f"for name in {names}: sys.modules[name] = None\n"
        "for path in sorted(pathlib.Path('bench').glob('**/*.py')):\n"
        "    name = '.'.join(path.with_suffix('').parts)\n"
        "    needs_more = ('ray_driver', 'ray_cluster', 'default_sigint', '__main__', '__init__')\n"
        "    if path.stem not in needs_more:\n"
        "        sys.modules.pop(name, None)\n"
        "        importlib.import_module(name)\n"
    ).replace(", ray_free", "")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- file systems: case 15 -----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "chmod"])
@pytest.mark.parametrize("number", sorted(set(NOT_OFFERED)), ids=errno.errorcode.get)
def test_a_file_system_without_modes_or_flushing_is_fine(call, number, monkeypatch, tmp_path):
    """Case 15: EPERM and its siblings; `Path.chmod` calls `os.chmod`."""
    monkeypatch.setattr(os, call, refusing(number))
    write_atomically(tmp_path / "text", "whole")
    write_checked(tmp_path / "tensors", TENSORS)
    assert (tmp_path / "text").read_text() == "whole"
    assert bench.utils.files.tensor_files.read_checked(tmp_path / "tensors")[0]["a"].tolist() == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_any_other_failure_is_raised_and_leaves_nothing(call, number, monkeypatch, tmp_path):
    """Case 15."""
    monkeypatch.setattr(os, call, refusing(number))
    with pytest.raises(OSError, match=os.strerror(number)), written_whole(tmp_path / "file"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_run_on_a_file_system_that_refuses(inside, monkeypatch, tmp_path):
    """Case 15: no cell is lost."""
    for call in ("fsync", "chmod", "fchmod"):
        monkeypatch.setattr(os, call, refusing(errno.EPERM))
    done = inside(*QUICK, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(rows(tmp_path)["copy-source", "cf_rank_add"]["value"]) == 0.5


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_a_record_that_cannot_be_written_is_told_with_the_true_reason(
    number, inside, monkeypatch, tmp_path
):
    """Case 15: the disk is called full only if it is."""
    inside(*QUICK, "--results", tmp_path / "first")  # makes the task
    monkeypatch.setattr(os, "replace", refusing(number))
    done = inside(*QUICK, "--results", tmp_path / "results")
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
    done = bench(*QUICK, "--results", tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "it cannot be written (File exists); FileExistsError" in done.stdout
    assert "disk" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_merge_where_modes_cannot_be_set(inside, monkeypatch, tmp_path):
    """Case 15: `shutil.copy2` would fail there."""
    inside(*QUICK, "--results", tmp_path / "one")
    monkeypatch.setattr(os, "chmod", refusing(errno.EPERM))
    done = inside("merge", tmp_path / "one", "--into", tmp_path / "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "all" / "grids").iterdir())


# --- users: case 16 ------------------------------------------------------------------------------


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664), (0o077, 0o600)]
)
def test_files_get_the_mode_that_the_umask_gives(mask, mode, tmp_path):
    """Case 16: whoever writes them, safetensors too."""
    with umask(mask):
        write_atomically(tmp_path / "text", "")
        write_checked(tmp_path / "tensors", TENSORS)
        keep(tmp_path / "kept", lambda: TENSORS)
        write_atomically(tmp_path / "text", "again")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {mode}, modes


def test_what_is_whole_is_read_without_a_lock(monkeypatch, tmp_path):
    """Case 16: no folder is made, no lock taken, nothing written."""
    path = tmp_path / "cache" / "kept"
    keep(path, lambda: TENSORS)
    Path(f"{path}.lock").unlink()
    monkeypatch.setattr(bench.utils.files.tensor_files, "FileLock", refusing(errno.EACCES))
    monkeypatch.setattr(os, "mkdir", refusing(errno.EROFS))
    assert keep(path, refusing(errno.EIO))["a"].tolist() == [0, 1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["kept"]
    path.write_bytes(b"harmed")
    with pytest.raises(CacheError, match=r"cannot use the cache folder .* \(Permission denied\)"):
        keep(path, lambda: TENSORS)


def test_what_can_be_made_again_needs_no_place_in_the_cache(monkeypatch, tmp_path):
    """Case 16: statistics of real images, where another user's cache lacks them."""
    monkeypatch.setattr(bench.utils.files.tensor_files, "FileLock", refusing(errno.EROFS))
    assert keep_if_possible(tmp_path / "kept", lambda: TENSORS) == TENSORS
    monkeypatch.undo()
    monkeypatch.setattr(os, "replace", refusing(errno.EROFS))
    made = iter([TENSORS])
    assert keep_if_possible(tmp_path / "kept", lambda: next(made)) == TENSORS  # made once
    with pytest.raises(UserError, match="no pictures"):
        keep_if_possible(tmp_path / "kept", _failing)


def _failing():
    raise UserError("no pictures")


def test_an_error_of_what_is_made_is_not_blamed_on_the_cache(tmp_path):
    """Case 15: a file of the user's that is gone."""
    with pytest.raises(FileNotFoundError):
        keep(tmp_path / "kept", refusing(errno.ENOENT))


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
    assert inside(*QUICK, "--results", tmp_path / "r").returncode == 0
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
    run = " ".join(QUICK)
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
    assert done.stdout.count("copy-source │ 0.500") >= 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 4, done.stderr
    assert f"cannot write the results folder {tmp_path / 'r'} (Permission denied)" in lines[0]
    assert f"cannot look into the folder {shut / 'r'} (Permission denied)" in lines[1]
    assert lines[1].endswith("name another with --results")
    assert lines[3].endswith("name another with DIR")


# --- places: case 29 -----------------------------------------------------------------------------


def test_a_long_folder_for_temporary_files(bench, tmp_path):
    """Case 29: a socket's path has at most 107 bytes."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    done = bench(*QUICK, "--results", tmp_path / "r", TMPDIR=str(long))
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(rows(tmp_path / "r")["copy-source", "cf_rank_add"]["value"]) == 0.5


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS])
def test_where_no_socket_can_be_made_processes_start_anew(number, monkeypatch):
    """Case 29: file systems that hold no sockets."""
    from multiprocessing import forkserver

    monkeypatch.setattr(forkserver, "ensure_running", refusing(number))
    assert bench.utils.parallel.context().get_start_method() == "spawn"
    monkeypatch.undo()
    assert bench.utils.parallel.context().get_start_method() == "forkserver"


@pytest.mark.parametrize("older", [False, True])
def test_a_user_without_name_and_home(older, monkeypatch, inside):
    """Case 29: one line names what to give; older versions of platformdirs gave a folder `~`."""
    import pwd

    import platformdirs

    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "CONTENTBENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: {}["nobody"])
    if older:
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache") / name)
    with pytest.raises(
        UserError, match="no home folder: name one with --cache-dir or CONTENTBENCH_CACHE"
    ):
        default_cache()
    monkeypatch.setenv("CONTENTBENCH_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")


@pytest.mark.parametrize("out", ["file/x.png", "file/x/y.png", "."])
def test_a_sheet_that_cannot_be_written(out, faces, monkeypatch, inside, tmp_path):
    """Case 29: one line names --out."""
    import bench.runs.execute

    monkeypatch.setattr(bench.runs.execute, "prepare", lambda *_, **__: faces)
    (tmp_path / "file").write_text("precious")
    done = inside("data", "show", "avatars-glasses", "--profile", "smoke", "--out", tmp_path / out)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert f"cannot write {tmp_path / out} (" in done.stderr
    assert done.stderr.endswith("name another file with --out\n")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_working_folder_that_is_gone(tmp_path):
    """Case 29."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
    code += "from bench.cli.main import main; main(['leaderboard'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot look into the folder results/local (No such file or directory): "
        "name another with --results\n"
    )


# --- Ctrl-C: case 33 -----------------------------------------------------------------------------


def interrupt(arguments, seconds=0.0, after="", **variables):
    """Run the command line, and send what Ctrl-C sends to it and to all that it has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT, env=os.environ | variables, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    said = ""
    while after and after not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_an_interrupt_while_modules_are_imported(cache, tmp_path):
    """Case 33: the server of workers and this process are both importing torch."""
    where = ("--results", tmp_path / "r", "--cache-dir", cache)
    assert interrupt((*QUICK, *where), 1.2) == (130, INTERRUPTED)


@pytest.mark.parametrize("long", [False, True])
def test_an_interrupt_while_images_are_made(long, tmp_path):
    """Case 33: processes draw them, forked or, with a long TMPDIR, started anew."""
    place = tmp_path / ("x" * 100 if long else "x")
    place.mkdir()
    words = ("data", "show", "avatars-glasses", "--cache-dir", tmp_path / "c", "--out", tmp_path)
    found = interrupt(words, 0.5, after="making", TMPDIR=str(place))
    assert found == (130, INTERRUPTED)
    assert not list((tmp_path / "c").glob("*.tmp"))


def test_an_interrupt_that_a_library_swallows(inside, monkeypatch, tmp_path):
    """Case 33: one that is imported at that moment may go on, or fail in its own way."""
    import bench.runs.execute

    def swallowing(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except BaseException:
            raise ImportError("half of it is missing") from None

    monkeypatch.setattr(bench.runs.execute, "prepare", swallowing)
    done = inside(*QUICK, "--results", tmp_path)
    assert (done.returncode, done.stderr) == (130, INTERRUPTED)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

"""The verb `verify` on what needs images of the user."""

from __future__ import annotations

from tests.pictures import make_folder


def test_a_task_that_reads_images_is_checked_with_those_that_are_given(tmp_path, inside):
    done = inside("verify", "folder")
    assert "it reads images of yours: --a and --b" in done.stdout
    make_folder(tmp_path / "a", 40, seed=0)
    make_folder(tmp_path / "b", 44, seed=1)
    done = inside("verify", "folder", "--a", tmp_path / "a", "--b", tmp_path / "b")
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout

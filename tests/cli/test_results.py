"""The commands that read a results folder."""

from __future__ import annotations


def test_leaderboard_without_records(inside, tmp_path):
    done = inside("leaderboard", "--results", tmp_path)
    assert done.returncode == 2
    assert "no records in" in done.stderr

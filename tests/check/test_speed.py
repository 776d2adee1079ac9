"""Speed is compared by the ratios of all rounds."""

from __future__ import annotations

from contextlib import contextmanager

from bench.check import speed


def test_speed_is_judged_by_the_ratios_of_all_rounds():
    ratios = {
        "m same": [1.02, 0.97, 1.05, 1.0, 0.99],
        "m slow": [2.0, 2.1, 1.95, 2.05, 2.0],
        "m noisy": [0.5, 2.5, 1.0, 3.0, 0.8],
        "m fast": [0.5, 0.52, 0.49, 0.5, 0.51],
    }
    found = {f.number: str(f.verdict) for f in speed.judge_ratios(ratios, "main")}
    assert found == {"same": "pass", "slow": "regressed", "noisy": "inconclusive",
                     "fast": "improved"}  # fmt: skip


def test_base_and_head_take_turns_and_change_who_is_first(monkeypatch, tmp_path):
    @contextmanager
    def checked_out(revision):
        yield tmp_path

    def time_tree(tree, methods):
        timed.append(tree)
        return {"m add": 1.0 + 0.001 * len(timed), "m new" if tree == speed.ROOT else "m old": 1.0}

    timed = []
    monkeypatch.setattr(speed, "checked_out", checked_out)
    monkeypatch.setattr(speed, "time_tree", time_tree)
    (finding,) = speed.compare_speed("main", ["m"], rounds=4)
    assert (finding.number, str(finding.verdict)) == ("add", "pass")
    assert timed == [tmp_path, speed.ROOT, speed.ROOT, tmp_path] * 2

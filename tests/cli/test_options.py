"""Wrong options end in one line and exit code 2."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("option", ["--methods", "--tasks", "--metrics"])
@pytest.mark.parametrize("nothing", ["", " ", ","])
def test_an_option_without_a_name_does_not_mean_all(option, nothing, inside):
    """An unset variable of a script must not start hours of work."""
    done = inside("run", option, nothing, "--dry-run")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: an option that takes names got '{nothing}': give a name, or leave the option out\n"
    )


WRONG = {
    "method": (["--methods", "pres2019"], "unknown method 'pres2019'; did you mean 'press2019'?"),
    "task": (["--task", "avatar-glasses"], "unknown task 'avatar-glasses'; did you mean"),
    "metric": (["--metrics", "fd_ad"], "unknown metric 'fd_ad'; did you mean 'fd_add'?"),
    "profile": (["--profile", "smal"], "unknown profile 'smal'; did you mean 'small'?"),
    "seeds": (["--seeds", "x"], "--seeds 'x': expected whole numbers such as 0,1,2 or 0-4"),
    "empty seeds": (["--seeds", ""], "--seeds '': expected whole numbers"),
    "seed range": (["--seeds", "4-0"], "a range is empty"),
    "field": (["--set", "press2019.separate=3"], "unknown field of press2019 'separate'"),
    "type": (["--set", "press2019.sep=many"], "press2019.sep=many: expected int, got 'many'"),
    "choice": (["--set", "press2019.confusion=none"], "expected plain | adversarial, got 'none'"),
    "value": (["--set", "press2019.sep=100000"], "sep is 100000"),
    "negative": (["--set", "press2019.learning_rate=-1"], "learning rate"),
    "size": (["--set", "profile.size=48"], "image size 48 does not fit"),
    "form": (["--set", "press2019"], "expected METHOD.FIELD=VALUE"),
    "owner": (["--set", "press.sep=3"], "unknown owner of a setting 'press'; did you mean"),
    "not run": (["--methods", "autoencoder", "--set", "press2019.sep=3"], "not among the methods"),
    "batch": (["--set", "press2019.batch_size=0"], "batch_size is 0"),
    "width": (["--set", "autoencoder.width=0"], "width is 0"),
    "empty range": (["--seeds", "4-0,7"], "a range is empty"),
    "jobs": (["--jobs", "0"], "--jobs: expected at least 1"),
    "device": (["--device", "gpu"], "unknown device 'gpu'"),
    "precision": (["--precision", "fp16"], "unknown precision 'fp16'"),
    "option": (["--method", "all"], "--method"),
    "fid": (["--metrics", "fid_add"], "metric fid_add: no weights: give --inception FILE"),
    "inception": (["--inception", "nowhere.pth"], "no such file"),
    "plugin": (["--plugin", "nowhere.py"], "no plug-in file nowhere.py"),
    "existing": (["--existing", "maybe"], "maybe"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line_and_exit_code_2(case, tmp_path, inside):
    arguments, expected = WRONG[case]
    done = inside("run", *arguments, "--results", tmp_path / "results")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert not (tmp_path / "results").exists()


def test_wrong_hash_of_inception(inside, tmp_path):
    weights = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    weights.write_bytes(b"a page that says the quota is used up")
    done = inside("run", "--inception", weights, "--results", tmp_path)
    assert done.returncode == 2
    assert "its sha256 begins with" in done.stderr

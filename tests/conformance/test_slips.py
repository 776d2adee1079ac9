"""Each usual slip, planted in the example of a method, fails the check that has its name."""

from __future__ import annotations

import pytest

from bench.conformance.check import Outcome
from bench.conformance.scaffold import text_of
from bench.conformance.verify import of_file, verdicts
from bench.contracts.registry import Registry

METHOD = text_of("method", "mine")
STEP = "        self._optimizer.step()\n"
INIT = "        self._optimizer = torch.optim.Adam"
GUIDED = "self.encode(guide, 1).separate"
NORM = "nn.GroupNorm(4, width)"
SLIPS = {
    "batch-mates": [
        (NORM, "nn.BatchNorm2d(width, track_running_stats=False)", "when it is alone in the batch"),
        ("spread = codes.separate[", "spread = (codes.separate - codes.separate.mean(0))[", "add"),
    ],
    "eval-random": [
        (
            "self.common_encoder(x), separate",
            "self.common_encoder(x + 0.1 * torch.randn_like(x)), separate",
            "the random generator of torch was used",
        ),
        (
            "self.common_encoder(x), separate",
            "self.common_encoder(x + torch.randn(x.shape, generator=self.own)), separate",
            "gives something else at its second call",
        ),
    ],
    "state": [
        (STEP, f"{STEP}        self.seen = getattr(self, 'seen', 0) + 1\n", "misses self.seen"),
        (
            STEP,
            f"{STEP}        self.mean = getattr(self, 'mean', 0) + batch[0].mean(0)\n",
            "state_dict misses self.mean",
        ),
        (
            STEP,
            f"{STEP}        self.schedule.step()\n",
            "state_dict misses self.schedule",
        ),
    ],
    "range": [
        ("nn.Tanh()", "nn.Identity()", "expected [-1, 1]"),
        ("nn.Tanh()", "nn.Softshrink(1.0)", "nothing keeps them in [-1, 1]"),  # inside at first
    ],
    "attributes": [
        ("published_steps =", "published_step = 1\n    published_steps =", "'published_steps'?"),
        ("    def add(", "    def prepaer(self, steps): ...\n\n    def add(", "mean 'prepare'?"),
        ("    guided =", "    colour = 'red'\n    guided =", "colour is unknown: nothing reads it"),
    ],
    "codes-used": [
        ("torch.cat([codes.common, spread], 1)", "torch.cat([codes.common, 0 * spread], 1)",
         "decode gives the same image for another separate code"),
        ("Codes(self.common_encoder(x), sep", "Codes(self.common_encoder(0 * x), sep",
         "the common code is the same for all images"),
    ],
    "guide": [
        (GUIDED, "self.encode(a, 1).separate", "add ignores its guide"),
        ("guided = True", "guided = False", "add depends on its guide"),
    ],
    "source": [("Codes(self.encode(a, 0).common,", "Codes(self.encode(guide, 0).common,", "add")],
    "gradients": [
        ("Adam(self.parameters()", "Adam(self.decoder.parameters()", "belongs to no optimiser"),
        ("return Codes(self.common_encoder(x),", "return Codes(self.common_encoder(x).detach(),",
         "do not change common_encoder.0.weight"),
    ],
    "float64": [
        ("separate = self.separate_encoder(x)", "separate = self.separate_encoder(x).float()", ""),
        (
            "return self.decode(Codes(self.encode(a, 0)",
            "a = a.float().to(a.dtype)\n        return self.decode(Codes(self.encode(a, 0)",
            "becomes float32 in line",
        ),
    ],
    "losses": [
        ("loss.detach() for", "loss.detach()[None, None].expand(2, 2) for", "expected a scalar"),
        (STEP, f"{STEP}        print('step')\n", "training_step prints: step"),
    ],
    "seeds": [("(spec, config)\n", "(spec, config)\n        torch.manual_seed(0)\n",
               "another seed gives the same initial weights")],
    "shapes": [("self.decoder(torch.cat([codes.common, spread], 1))",
                "self.decoder(torch.cat([codes.common, spread], 1))[..., 1:]", "of shape")],
    "learns": [(".mean()\n", ".mean() * -1\n", "after 200 steps")],
    "facts": [('summary = "', 'summary = "" and "', "summary is ''")],
}  # fmt: skip
PLANTED = [
    pytest.param(check, slip, id=f"{check}-{at}")
    for check, slips in SLIPS.items()
    for at, slip in enumerate(slips)
]
SETUP = {
    "self.own": "self.own = torch.Generator()",
    "self.schedule": "self.schedule = torch.optim.lr_scheduler.StepLR(self._optimizer, 1)",
}


def verified(path, text, tmp_path, *only):
    path.write_text(text)
    (plugin,) = of_file(Registry([path]), path)
    return {found.check: found for found in verdicts(plugin, tmp_path / "cache", only)}


@pytest.mark.parametrize(("check", "slip"), PLANTED)
def test_a_planted_slip_is_named(check, slip, tmp_path):
    right, wrong, said = slip
    assert METHOD.count(right) >= 1
    text = METHOD.replace(right, wrong)
    for name, line in SETUP.items():
        if name in wrong:
            at = text.index("\n", text.index(INIT)) + 1
            text = f"{text[:at]}        {line}\n{text[at:]}"
    found = verified(tmp_path / "mine.py", text, tmp_path, check)[check]
    assert found.outcome is Outcome.FAILED
    assert said in found.reason
    assert found.hint


def test_a_declared_failure_is_expected_and_one_that_passes_is_not(tmp_path):
    text = METHOD.replace(", nn.Tanh())", ")").replace(
        "    guided = True",
        '    expected_failures = {"range": "paints outside", "seeds": "never"}\n    guided = True',
    )
    found = verified(tmp_path / "mine.py", text, tmp_path, "range", "seeds", "attributes")
    assert found["range"].outcome is Outcome.EXPECTED
    assert found["range"].reason == "paints outside"
    assert found["seeds"].outcome is Outcome.FAILED
    assert "but it passes" in found["seeds"].reason
    assert found["attributes"].outcome is Outcome.PASSED


def test_an_error_names_its_line(tmp_path):
    text = METHOD.replace("return self.decode(codes", "return self.decode(none", 1)
    text = text.replace('"""Return b without', 'raise KeyError("b")\n        """Return b without')
    found = verified(tmp_path / "mine.py", text, tmp_path, "source")["source"]
    line = text[: text.index("raise KeyError")].count("\n") + 1
    assert found.reason == f"KeyError: 'b' (mine.py, line {line})"


def test_a_file_that_cannot_be_imported_fails_one_check(tmp_path):
    found = verified(tmp_path / "mine.py", f"{METHOD}\nimport no_such_module\n", tmp_path)
    assert list(found) == ["loads"]
    assert "No module named 'no_such_module'" in found["loads"].reason

"""A method's wrong output ends in a failed row that names it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from bench.cell.artefacts import results_of
from bench.cell.training import build
from bench.contracts.method import Codes
from bench.contracts.outputs import DivergedError, OutputError, checked_losses
from bench.plan.configure import fixed_config
from tests.helpers import OWN_METHOD, REGISTRY, TINY, rows

CPU = torch.device("cpu")
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]


def make(faces, name="autoencoder", **functions):
    """Return an untrained method whose functions go through the given ones."""
    plugin = REGISTRY.find("method", name)
    config = fixed_config(plugin) | {"width": 16}
    method = build(plugin.load(), faces.spec, plugin.load().Config(**config), 0)
    if "encode" in functions:  # what is done to codes is not to reach the images before them
        method.reconstruct = lambda x, domain: method.decoder(method.encoder(x))
    for function, change in functions.items():
        whole = getattr(method, function)
        setattr(method, function, lambda *x, whole=whole, change=change: change(whole(*x)))
    return method


def results(method, faces):
    return results_of(method, faces, CPU, "fp32", 16)


def spoilt(value, images=slice(None)):
    def spoil(output):
        output = output.clone()
        output[images, :, 0] = value
        return output

    return spoil


def codes(change, which="common"):
    return lambda made: dataclasses.replace(made, **{which: change(made.common)})


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("function", ["add", "remove", "reconstruct"])
def test_images_that_are_not_finite_are_refused(function, value, faces):
    """Of all images (case 2)."""
    with pytest.raises(OutputError, match=f"{function} gave values that are not finite"):
        results(make(faces, **{function: spoilt(value)}), faces)


@pytest.mark.parametrize("function", ["add", "remove", "reconstruct"])
def test_one_image_that_is_not_finite_is_refused(function, faces):
    """Of some images (case 2), here the last of each batch."""
    message = rf"{function} gave values that are not finite \(for 1 of 16 images of a batch\)"
    with pytest.raises(OutputError, match=message):
        results(make(faces, **{function: spoilt(float("nan"), images=[-1])}), faces)


def test_decode_that_gives_nan_is_seen_where_its_images_are_made(faces):
    """``decode`` is called by ``reconstruct``, which is what the suite asks for (case 2)."""
    with pytest.raises(OutputError, match="reconstruct gave values that are not finite"):
        results(make(faces, decode=spoilt(float("inf"))), faces)


@pytest.mark.parametrize("which", ["common", "separate"])
def test_codes_that_are_not_finite_are_refused(which, faces):
    """Of ``encode``, either code (case 2)."""
    method = make(faces, encode=codes(spoilt(float("nan"), images=[0]), which))
    with pytest.raises(OutputError, match=f"encode gave {which} codes that are not finite"):
        results(method, faces)


WRONG_IMAGES = {
    r"images of shape \(1, 3, 32, 32\), expected \(16, 3, 32, 32\)": lambda x: x[:1],
    r"images of shape \(17, 3, 32, 32\)": lambda x: torch.cat([x, x[:1]]),
    r"images of shape \(16, 1, 32, 32\)": lambda x: x[:, :1],
    r"images of shape \(16, 3, 16, 16\)": lambda x: x[..., ::2, ::2],
    r"images of shape \(16, 32, 32, 3\)": lambda x: x.movedim(1, -1),
    r"values from -?[\d.]+ to 2, expected \[-1, 1\]": spoilt(2.0),
    r"values from 0 to 255, expected \[-1, 1\]": lambda x: 255 * (x > 0).float(),
    "images of type uint8, expected floating point": lambda x: x.to(torch.uint8),
    "images in a sparse_coo tensor, expected a dense one": lambda x: x.to_sparse(),
    "images in a meta tensor, expected a dense one": lambda x: x.to("meta"),
    "images of type complex64, expected floating point": lambda x: x * 1j,
    "a list, expected a tensor of images": list,
    r"nothing \(None\), expected a tensor of images": lambda _: None,
}


@pytest.mark.parametrize("function", ["add", "remove", "reconstruct"])
@pytest.mark.parametrize("message", WRONG_IMAGES)
def test_images_of_another_form_are_refused(function, message, faces):
    with pytest.raises(OutputError, match=f"{function} gave {message}"):
        results(make(faces, **{function: WRONG_IMAGES[message]}), faces)


WRONG_CODES = {
    r"a tensor of shape \(16, .*\), expected Codes": lambda made: made.common,
    "a tuple, expected Codes": lambda made: (made.common, made.separate),
    r"common codes of shape \(16,\), expected \(16, C\)": codes(lambda x: x.flatten(1)[:, 0]),
    r"common codes of shape \(1, 256, 2, 2\)": codes(lambda x: x[:1]),
    r"common codes of shape \(16, 256, 4\)": codes(lambda x: x.flatten(2)),
    r"common codes of shape \(16, 0\)": codes(lambda x: x.flatten(1)[:, :0]),
    "common codes of type int64": codes(lambda x: x.long()),
    r"separate codes of shape \(4, 256, 2, 2\)": codes(lambda x: x[:4], "separate"),
    "a list, expected a tensor of separate codes": codes(lambda x: x.tolist(), "separate"),
}


@pytest.mark.parametrize("message", WRONG_CODES)
def test_codes_of_another_form_are_refused(message, faces):
    with pytest.raises(OutputError, match=f"encode gave {message}"):
        results(make(faces, encode=WRONG_CODES[message]), faces)


def test_codes_of_both_domains_have_one_shape(faces):
    method = make(faces, encode=lambda made: made)
    encode = method.encode
    method.encode = lambda x, domain: Codes(encode(x, domain).common[:, : 9 - domain])
    with pytest.raises(OutputError, match=r"common codes of shape \('N', 9, 2, 2\) for test_a"):
        results(method, faces)


def test_a_separate_code_is_given_for_all_images_or_for_none(faces):
    method = make(faces)
    encode, calls = method.encode, []

    def sometimes(x, domain):
        common = encode(x, domain).common
        calls.append(1)
        return Codes(common, common if len(calls) % 2 else None)

    method.reconstruct = lambda x, domain: method.decoder(method.encoder(x))
    method.encode = sometimes
    with pytest.raises(OutputError, match="encode gave separate codes for 2 of 4 batches"):
        results(method, faces)


def test_rounding_beyond_the_range_is_no_fault(faces):
    tensors, _ = results(make(faces, add=spoilt(1.0005)), faces)
    assert tensors["add"][:, :, 0].eq(255).all()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(()), r"a tensor of shape \(\), expected a dict"),
        (None, r"nothing \(None\), expected a dict"),
        ({"loss": torch.zeros(2)}, r"a tensor of shape \(2,\) for 'loss'"),
        ({"loss": "low"}, "a str for 'loss'"),
        ({"loss": None}, r"nothing \(None\) for 'loss'"),
        ({"loss": torch.tensor(1j)}, r"a tensor of shape \(\) for 'loss'"),
        ({"loss": torch.zeros((), device="meta")}, r"a tensor of shape \(\) for 'loss'"),
        ({"loss": 10**400}, "an int for 'loss'"),
    ],
)
def test_a_training_step_gives_scalars(output, message):
    with pytest.raises(OutputError, match=f"training_step gave {message}"):
        checked_losses(output, 1)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_loss_that_is_not_finite_has_diverged(value):
    with pytest.raises(DivergedError, match="diverged: loss is not finite at step 7"):
        checked_losses({"fine": torch.zeros(()), "loss": torch.tensor(value)}, 7)
    with pytest.raises(DivergedError):
        checked_losses({"loss": value}, 7)


SPOILT = """
    def reconstruct(self, x, domain):
        return super().reconstruct(x, domain) * float("nan")
"""


def test_the_row_names_the_function_and_no_number_is_scored(inside, tmp_path):
    """Neither does a result that fits no pair end the run and every later one (case 2)."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(OWN_METHOD + SPOILT)
    words = ("run", "--plugin", plugin, "--methods", "mine,copy-source", *TINY,
             "--metrics", "reconstruction,counterfactual", "--results", tmp_path / "r")  # fmt: skip
    done = inside(*words)
    assert done.returncode == 3, done.stderr
    assert "OutputError: reconstruct gave values that are not finite" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    table = rows(tmp_path / "r")
    of_mine = {metric: row for (method, metric), row in table.items() if method == "mine"}
    assert of_mine
    assert all(row["status"] == "failed" and not row["value"] for row in of_mine.values())
    assert table["copy-source", "cf_skill_in_add"]["value"] == "0.0"
    again = inside(*words)
    assert again.returncode == 3


@pytest.mark.parametrize("how", ["raise SystemExit", "import sys; sys.exit(1)"])
def test_a_method_that_leaves_ends_one_cell(how, inside, tmp_path):
    """Inline too: the exit code of a run is not a plug-in's to say."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(OWN_METHOD + f"\n    def reconstruct(self, x, domain):\n        {how}\n")
    done = inside("run", "--plugin", plugin, "--methods", "mine,copy-source", *TINY,
                  "--metrics", "cf_rank_add", "--results", tmp_path / "r")  # fmt: skip
    assert done.returncode == 3
    assert "SystemExit" in done.stdout
    assert rows(tmp_path / "r")["copy-source", "cf_rank_add"]["status"] == "ok"


GRADIENTS = {
    "no_grad": "\n    @torch.no_grad()\n    def add(self, a, guide):\n"
    "        return super().add(a, guide)\n",
    "frozen": "\n    def __init__(self, spec, config):\n        super().__init__(spec, config)\n"
    "        self.encoder.requires_grad_(False)\n",
}


@pytest.mark.parametrize("how", GRADIENTS)
def test_a_method_without_all_gradients_is_scored(how, inside, tmp_path):
    """Case 11, the whole way."""
    plugin = tmp_path / "mine.py"
    own = "\n\nclass Mine(Autoencoder):\n" + '    name = "mine"\n'
    plugin.write_text(OWN_METHOD.replace('name = "mine"', 'name = "base"') + own + GRADIENTS[how])
    done = inside("run", "--plugin", plugin, "--methods", "mine", *TINY, "--metrics", "cost",
                  "--results", tmp_path / "r")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = rows(tmp_path / "r")
    assert table["mine", "params_infer"]["value"] == table["mine", "params"]["value"] != ""


@pytest.mark.parametrize(
    "nothing",
    [
        "del self.encoder, self.decoder",
        "self.requires_grad_(False)",
        "self.nets = [self.encoder, self.decoder]; del self.encoder, self.decoder",
    ],
)
def test_a_method_with_nothing_to_train_is_refused_in_words(nothing, inside, tmp_path):
    """Case 25: no parameters, all of them frozen, or networks that torch cannot see in a list."""
    plugin = tmp_path / "mine.py"
    text = OWN_METHOD.replace("self.parameters()", "[torch.nn.Parameter(torch.ones(1))]")
    before = "        self.register_buffer"
    plugin.write_text(text.replace(before, f"        {nothing}\n{before}", 1))
    done = inside("run", "--plugin", plugin, "--methods", "mine", *TINY, "--results", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: mine has no trainable parameters, expected")
    assert done.stderr.count("\n") == 1

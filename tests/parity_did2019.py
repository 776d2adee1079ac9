"""Domain Intersection and Domain Difference against `did2019.json`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.contracts.method import Codes
from bench.contracts.task import Spec
from bench.methods.networks.did2019 import SpectralConv
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden, gradient_norm, on_step

FORWARD = {"float32": 2e-5, "float64": 1e-9}  # the file says 5e-6 between float32 and float64
TRACE = 1e-7  # as for press2019
FILE = golden("did2019")
CLIPPED = "default_if_disc_gradients_really_were_clipped_to_5 (not official)"
LOSSES = "loss_disc_per_step"


def forward_blocks():
    blocks = [FILE[name] for name in ("forward", "forward_float64") if name in FILE]
    kinds = ["float32", "float64"][: len(blocks)]
    variants = FILE.get("forward_variants", [])
    pairs = [*zip(blocks, kinds, strict=True), *((block, "float32") for block in variants)]
    return [pytest.param(b, kind, id=f"sep{b['sep']}-{b['resize']}px-{kind}") for b, kind in pairs]


def traces():
    of_file = FILE.get("traces_float64", {}).items()
    return [pytest.param(name, id=name.split(" (")[0]) for name, b in of_file if "per_step" in b]


def fill_spectral(net: torch.nn.Module, seed_base: int) -> None:
    """Fill a network with spectral norms: each layer has its bias, u, v and W, in this order."""
    k = seed_base
    for layer in net:
        if isinstance(layer, SpectralConv):
            plain = layer.convolution
            bias, weight = (np.random.RandomState(k + at) for at in (0, 3))
            values = {plain.bias: 0.05 * bias.standard_normal(plain.bias.shape)}
            for at, vector in ((1, layer.u), (2, layer.v)):
                of_vector = np.random.RandomState(k + at).standard_normal(vector.shape)
                values[vector] = of_vector / np.sqrt((of_vector**2).sum())
            shape = plain.weight.shape
            outputs = shape[1 if isinstance(plain, torch.nn.ConvTranspose2d) else 0]
            scale = np.sqrt(outputs / np.prod(shape))
            values[plain.weight] = scale * weight.standard_normal(shape)
            for tensor, value in values.items():
                tensor.data.copy_(torch.from_numpy(value.astype(np.float32)))
            k += 4
        elif isinstance(layer, torch.nn.ConvTranspose2d):
            fill(layer, k)


class DID:
    """The method under the names of its golden file."""

    def __init__(self, block: dict, dtype: torch.dtype, **config):
        method = REGISTRY.find("method", "did2019").load()
        self.model = method(Spec(block["resize"]), method.Config(sep=block["sep"], **config))
        self.nets = {
            "E_common": self.model.common,
            "E_separate_A": self.model.separate_a,
            "E_separate_B": self.model.separate_b,
            "Decoder": self.model.decoder,
            "Disc": self.model.discriminator,
        }
        for name, net in self.nets.items():
            base = FILE["scheme"]["network_seed_base"][name]
            (fill if name == "Disc" else fill_spectral)(net, base)
        self.model.to(dtype).train()

    def composed(self, a: torch.Tensor, b: torch.Tensor, wanted: dict) -> dict:
        """Return the wanted compositions, by calls in the recorded order, one call each.

        A slot that has no code of its own is zero, also after a training with copies.
        """
        nets = self.nets
        found = {}
        found["c_A"], found["c_B"] = (nets["E_common"](x) for x in (a, b))
        for letter in "AB":
            for name, x in (("A", a), ("B", b)):
                if f"s{letter}_of_{name}" in wanted:
                    found[f"s{letter}_of_{name}"] = nets[f"E_separate_{letter}"](x)
        slot_a, slot_b = found["sA_of_A"], found["sB_of_B"]
        zero = torch.zeros_like(slot_a)
        for name, parts in {
            "recon_A": (found["c_A"], slot_a, zero),
            "recon_B": (found["c_B"], zero, slot_b),
            "A_to_B": (found["c_A"], zero, slot_b),
            "B_to_A": (found["c_B"], slot_a, zero),
            "intersection_B (removal)": (found["c_B"], zero, zero),
            "union": (found["c_A"], slot_a, slot_b),
        }.items():
            if name in wanted:
                found[name] = nets["Decoder"](torch.cat(parts, 1))
        for letter in "AB":
            found[f"disc_{letter}"] = nets["Disc"](found[f"c_{letter}"])
        return found

    def operations(self, a: torch.Tensor, b: torch.Tensor) -> dict:
        """Return what the method's own operations give in eval mode."""
        model = self.model.eval()
        codes_a, codes_b = model.encode(a, 0), model.encode(b, 1)
        sep = model.config.sep
        slots = torch.cat([codes_a.separate[:, :sep], codes_b.separate[:, sep:]], 1)
        return {
            "c_A": codes_a.common,
            "c_B": codes_b.common,
            "sA_of_A": codes_a.separate[:, :sep],
            "sB_of_B": codes_b.separate[:, sep:],
            "recon_A": model.reconstruct(a, 0),
            "recon_B": model.reconstruct(b, 1),
            "A_to_B": model.add(a, b),
            "intersection_B (removal)": model.remove(b),
            "union": model.decode(Codes(codes_a.common, slots), 1),
            "disc_A": model.discriminator(codes_a.common),
            "disc_B": model.discriminator(codes_b.common),
        }


def flat(name: str, value: torch.Tensor) -> torch.Tensor:
    """Return a code as the file holds it, flat; images and probabilities as they are."""
    is_code = name.startswith(("c_", "s")) or name in ("E_common", "E_separate_A", "E_separate_B")
    return value.flatten(1) if is_code else value


def compared(label: str, found: dict, expected: dict) -> float:
    """Return the largest deviation of a group from the file, and print it."""
    largest = {n: deviation(flat(n, found[n]), recorded) for n, recorded in expected.items()}
    name = max(largest, key=lambda key: largest[key])
    print(f"did2019 {label}: largest deviation {largest[name]:.1e} ({name})")
    return largest[name]


def group_of(block: dict, start: str) -> dict:
    """Return the group whose name starts so; the rest of the name describes it."""
    (name,) = [name for name in block if name.startswith(start)]
    return block[name]


@pytest.mark.skipif(not FILE, reason=f"no did2019.json in {GOLDEN}")
class TestDID2019:
    def test_parameters(self):
        did = DID(FILE["forward"], torch.float32)
        for name, net in did.nets.items():
            counts = FILE["param_counts"][name]
            trained = sum(p.numel() for p in net.parameters())
            assert trained == counts["trainable"], name
            assert trained + sum(x.numel() for x in net.buffers()) == counts["all"], name
            tensors = [*net.parameters(), *net.buffers()]
            recorded = [tuple(entry["shape"]) for entry in FILE["params"][name]]
            assert sorted(tuple(x.shape) for x in tensors) == sorted(recorded)

    @pytest.mark.parametrize(("block", "kind"), forward_blocks())
    def test_forward(self, block, kind):
        dtype = getattr(torch, kind)
        seeds, shapes = block["seeds"], block["input_shapes"]
        a, b = (drawn(seeds[name], shapes["x"], dtype) for name in ("x_A", "x_B"))
        code = drawn(seeds["decoder_input"], shapes["decoder_input"], dtype)
        maps = code.unflatten(1, (-1, block["size"], block["size"]))

        def alone(did: DID) -> dict:
            names = {"E_common": a, "E_separate_A": a, "E_separate_B": a, "Decoder": maps}
            names["Disc"] = drawn(seeds["disc_input"], shapes["disc_input"], dtype)
            return {name: did.nets[name](x) for name, x in names.items()}

        label = f"{block['sep']} {block['resize']} px {kind}"
        with torch.no_grad():
            did = DID(block, dtype)
            first, second = alone(did), alone(did)
            frozen = DID(block, dtype)
            frozen.model.eval()
            worst = [
                compared(f"{label} {start}", found, group_of(block, start))
                for start, found in (
                    ("networks_alone_first_call", first),
                    ("networks_alone_u_v_frozen", alone(frozen)),
                    ("networks_alone_second_call", second),
                )
            ]
            found = DID(block, dtype).composed(a, b, block["composed"])
            worst.append(compared(f"{label} composed", found, block["composed"]))
        assert max(worst) < FORWARD[kind]

    @pytest.mark.parametrize("name", traces())
    def test_trace(self, name):
        block = FILE["traces_float64"][name]
        assert not block["one_encoding"]
        did = DID(
            block,
            torch.float64,
            batch_size=block["batch_per_domain"],
            confusion_weight=block["discweight"],
            zero_weight=block["zeroweight"],
            reconstruction_weight=block["reconweight"],
            learning_rate=block["lr"],
            discriminator_learning_rate=block["disclr"],
            empty_slot="copy" if block["no_flag"] else "zero",
            spectral_gradient="own" if "own u and v" in name else "latest",
        )
        shape = (block["batch_per_domain"], 3, block["resize"], block["resize"])
        a, b = (drawn(block["seeds"][x], shape, torch.float64) for x in ("x_A", "x_B"))
        norms = {}

        def of_networks(norm: float) -> None:
            norms["ae_grad_norm_seen_by_adam"] = norm
            for net_name, net in list(did.nets.items())[:4]:
                norms[f"grad_norm_{net_name}"] = gradient_norm(net.parameters())

        optimizers = did.model.optimizers()
        on_step(optimizers["main"], of_networks)
        on_step(
            optimizers["discriminator"],
            lambda norm: norms.update(disc_grad_norm_seen_by_adam=norm),
        )
        worst = {}
        for recorded in block["per_step"]:
            logs = {key: x.item() for key, x in did.model.training_step([a, b]).items()}
            found = norms | {
                "A_recon": logs["reconstruction_a"],
                "B_recon": logs["reconstruction_b"],
                "A_sep_B": logs["zero_a"],
                "B_sep_A": logs["zero_b"],
                "distribution_adverserial": block["discweight"]
                * (logs["confusion_a"] + logs["confusion_b"]),
                "dist_disc": logs["discriminator_a"] + logs["discriminator_b"],
                "ae_grad_norm_before_clip": logs["gradient_norm"],
                "bce_confusion_A": logs["confusion_a"],
                "bce_confusion_B": logs["confusion_b"],
                "bce_disc_A": logs["discriminator_a"],
                "bce_disc_B": logs["discriminator_b"],
            }
            names = set(recorded) - {"step", "disc_clip_call_returned"}
            for key in names:
                relative = abs(found[key] - recorded[key]) / max(1, abs(recorded[key]))
                worst[f"step {recorded['step']} {key}"] = relative
        if name == "default":  # the file also has the losses with the discriminator clipped
            assert abs(found["dist_disc"] - FILE["traces_float64"][CLIPPED][LOSSES][-1]) > 1e-3
        print(f"did2019 trace {name} losses and norms: largest deviation {max(worst.values()):.1e}")
        worst["weights"] = compared(f"trace {name} weights", *self.weights(did, block))
        groups = {
            start: group_of(block, start)
            for start in ("after_last_step, u and v", "after_last_step (")
        }
        with torch.no_grad():
            if not block["no_flag"]:  # else an empty slot of the method is a copy
                frozen = did.operations(a, b)
                group = groups["after_last_step, u and v"]
                worst["operations"] = compared(f"trace {name} operations", frozen, group)
            for start, group in groups.items():  # the frozen one first: calls in train mode move u
                did.model.train(start == "after_last_step (")
                found = did.composed(a, b, group)
                worst[start] = compared(f"trace {name} {start}", found, group)
        assert max(worst.values()) < TRACE, {k: v for k, v in worst.items() if v >= TRACE}

    @staticmethod
    def weights(did: DID, block: dict) -> tuple[dict, dict]:
        """Return the tensors of the model, and those recorded, by recorded name.

        A bias in front of a norm is left out: its gradient is rounding noise.
        """
        found = {}
        for name, net in did.nets.items():
            layers = [x for x in net.modules() if isinstance(x, SpectralConv)]
            for k, layer in enumerate(layers, 1):
                place = f"{name}.l{k}.0.module."
                found[place + "weight_bar"] = layer.convolution.weight
                found[place + "weight_u"], found[place + "weight_v"] = layer.u, layer.v
        found |= {f"Decoder.l6.0.{k}": x for k, x in did.nets["Decoder"][-2].named_parameters()}
        found |= {f"Disc.{k}": x for k, x in did.nets["Disc"].named_parameters()}
        recorded = block["weights_after_last_step"]
        left_out = set(recorded) - set(found)
        assert all(name.endswith("l1.0.module.bias") for name in left_out)
        return found, {name: entry for name, entry in recorded.items() if name in found}

"""UFDN against `ufdn.json` and `ufdn_float64.json`.

Modules, interpolation grids and the first step of each training are compared in float32, all
steps of the small trainings in float64: after an update, rounding in float32 grows to the size of
a fault.
"""

from __future__ import annotations

import sys
from itertools import islice

import numpy as np
import pytest
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY
from tests.ufdn_interpolation import interpolation, three_domain_columns, two_domain_columns

from .golden_scheme import (
    EXACT,
    GOLDEN,
    assert_close,
    deviation,
    drawn,
    golden,
    normal,
    relative,
    relatives,
)
from .trace_ufdn import UFDNTrace, Unified, all_steps

FILE = golden("ufdn")
FLOAT64 = golden("ufdn_float64")
FIRST_STEP = 1e-4  # float32, losses and gradient norms
BUFFERS = 1e-6  # float64, what depends on batch norms' buffers: 2e-9 between kernels

UNIFIED_CONFIGS = [
    pytest.param(name, config, id=name, marks=() if name.endswith("_small") else pytest.mark.slow)
    for name, config in FILE.get("configs", {}).items()
]
UNIFIED_TRACES = [
    pytest.param(*param.values, trace, id=f"{param.id}-{trace}", marks=param.marks)
    for param in UNIFIED_CONFIGS
    for trace in param.values[1]["traces"]
]
FLOAT64_TRACES = [
    pytest.param(config, block, id=f"{name}-{trace}")
    for name, config in FLOAT64.get("configs", {}).items()
    for trace, block in config["traces"].items()
]


@pytest.mark.skipif(not FILE, reason=f"no ufdn.json in {GOLDEN}")
class TestUFDN:
    @pytest.mark.parametrize(("name", "config"), UNIFIED_CONFIGS)
    def test_parameters(self, name, config):
        for net, module in Unified(FILE, config).nets.items():
            recorded = [tuple(e["shape"]) for e in config["networks"][net]["parameter_order"]]
            assert [tuple(p.shape) for p in module.parameters()] == recorded
            squares = sum(p.detach().double().square().sum() for p in module.parameters())
            assert float(squares**0.5) == pytest.approx(
                config["networks"][net]["l2_norm_after_fill"], rel=1e-9
            )

    @pytest.mark.parametrize(("name", "config"), UNIFIED_CONFIGS)
    def test_modules(self, name, config):
        ufdn = Unified(FILE, config)
        model, recorded, seeds = ufdn.model, config["modules"], FILE["seeds"]
        n, size, k = FILE["batch"], config["img_size"], model.spec.domains
        x = drawn(seeds["x"], (n, 3, size, size))
        z = drawn(seeds["z"], (n, config["zdim"]))
        code = drawn(seeds["code"], (n, k))
        module = sys.modules[REGISTRY.find("method", "ufdn").load().__module__]
        made = {}
        model.eval()
        with torch.no_grad():
            mu, logvar = model.vae.encode(x)
            made["eval_encode_mu"] = mu[:, :, None, None]
            made["eval_encode_logvar"] = logvar[:, :, None, None]
            made["eval_decode_z_code"] = model.vae.decode(z, code)
            made["eval_forward_recon"] = model.vae.decode(mu, code)
            made["eval_return_enc_z"] = mu
            made["d_feat_of_z"] = model.feature(z)
            images = [drawn(seeds[f"interp_img{i}"], (3, size, size)) for i in (1, 2, 3)]
            if ufdn.face:
                made["d_pix_of_x_adv"], made["d_pix_of_x_cls"] = model.critic(x)
                columns = three_domain_columns()
                made["interpolate_3d_attr_max1"] = interpolation(model, images, 12, columns, 4)
            else:
                made["d_digit_of_z"] = model.classifier(z)
                for reach, label in ((1.0, "1"), (1.2, "1.2")):
                    columns = two_domain_columns(reach)
                    made[f"interpolate_2d_attr_max{label}"] = interpolation(
                        model, images[:2], 7, columns, 7
                    )
            ufdn.refresh_norms()
            model.train()
            ufdn.draws = iter([normal(seeds["module_eps"], (n, config["zdim"]))])
            mu, logvar = model.vae.encode(x)
            drawn_z = model._latent(mu, logvar)
            made["train_forward_mu"], made["train_forward_logvar"] = mu, logvar
            made["train_forward_recon"] = model.vae.decode(drawn_z, code)
        largest = {name: deviation(value, recorded[name]) for name, value in made.items()}
        norms = ufdn.norms(recorded["bn_after_one_train_forward"])
        largest |= {name: abs(a - b) for name, (a, b) in norms.items()}
        losses = recorded["train_forward_losses"]
        mse = torch.nn.functional.mse_loss(made["train_forward_recon"], x)
        largest["mse"] = relative(mse.item(), losses["mse"])
        largest["kl"] = relative(module.kl_divergence(mu, logvar).item(), losses["kl"])
        if ufdn.face:
            alpha = np.random.RandomState(seeds["module_alpha"]).uniform(0, 1, (n, 1))
            alpha = torch.from_numpy(alpha.astype(np.float32))[:, :, None, None]
            model._uniform = lambda like: alpha
            penalty = model.gradient_penalty(x, drawn(seeds["fake"], x.shape)).item()
            largest["penalty"] = relative(penalty, recorded["gradient_penalty_unweighted"])
        unseen = set(recorded) - set(largest) - {
            "inputs", "bn_after_one_train_forward", "train_forward_losses",
            "gradient_penalty_unweighted",
        }  # fmt: skip
        assert not unseen
        print(f"modules: largest deviation {max(largest.values()):.1e}")
        assert max(largest.values()) < 1e-5, largest

    @pytest.mark.parametrize(("name", "config", "trace"), UNIFIED_TRACES)
    def test_first_step(self, name, config, trace):
        block = config["traces"][trace]
        pairs = UFDNTrace(FILE, config, block, torch.float32).step(block["steps"][0])
        found = {k: v for k, v in pairs.items() if k.startswith(("loss", "norm", "image"))}
        print(f"{name} {trace}, step 0 in float32: {max(relatives(found).values()):.1e}")
        assert_close(found, FIRST_STEP)

    @pytest.mark.skipif(
        "face32_small" not in FILE.get("configs", {}), reason="the file holds no statistics"
    )
    def test_initialisation(self):
        recorded = FILE["configs"]["face32_small"]["official_default_init_stats"]
        torch.manual_seed(0)
        config = FILE["configs"]["face32_small"]
        method = type(Unified(FILE, config).model)
        model = method(Spec(64, 3, 3), method.Config())
        kinds: dict[str, list[torch.Tensor]] = {}
        for module in model.modules():
            for name in ("weight", "bias"):
                if isinstance(getattr(module, name, None), torch.nn.Parameter):
                    key = f"{type(module).__name__}.{name}"
                    kinds.setdefault(key, []).append(getattr(module, name).flatten())
        for kind in ("Conv2d.weight", "ConvTranspose2d.weight", "BatchNorm2d.weight"):
            values = torch.cat(kinds[kind])
            assert values.std().item() == pytest.approx(recorded[kind]["std"], rel=0.05)
            assert abs(values.mean().item()) < 2e-3
        assert torch.cat(kinds["BatchNorm2d.bias"]).abs().max() == 0


@pytest.mark.skipif(not FLOAT64, reason=f"no ufdn_float64.json in {GOLDEN}")
class TestUFDNFloat64:
    @pytest.mark.parametrize(("config", "block"), FLOAT64_TRACES)
    def test_trace(self, config, block):
        for at, pairs, buffers in all_steps(UFDNTrace(FLOAT64, config, block, torch.float64)):
            print(f"{at}: {max(relatives(pairs).values()):.1e}", end="")
            print(f", eval mode {max(relatives(buffers).values()):.1e}" if buffers else "")
            assert_close(pairs, EXACT)
            if buffers:
                assert_close(buffers, BUFFERS)

    @pytest.mark.parametrize("fault", [{"beta2": 0.998}, {"beta1": 0.51}], ids=str)
    def test_a_fault_of_the_optimiser_shows(self, fault):
        """It cannot before the second step: the first one divides a gradient by itself."""
        if not FLOAT64_TRACES:
            pytest.skip("the file holds no traces")
        config, block = FLOAT64_TRACES[0].values
        trace = UFDNTrace(FLOAT64, config, block, torch.float64, **fault)
        first, second = (max(relatives(p).values()) for _, p, _ in islice(all_steps(trace), 2))
        assert first < EXACT < 1e3 * EXACT < second

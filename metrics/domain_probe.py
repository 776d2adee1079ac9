"""Can the domain be told from the common code z1? What B has extra should not be in it.

Probes are fitted on the *probe* part and scored on *test*. One kind of probe sees only one kind of
leak (a logistic regression is blind to a leak in the variance), so a battery is fitted, the probe
with the best accuracy on a held-out quarter of *probe* is chosen, and that one is scored.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.contracts import Artefacts, Metric, MetricInfo, Result, Settings, TaskData
from bench.seeds import derive

from ._statistics import generator

VALIDATION = 0.25
Features = NDArray[np.float32]
Labels = NDArray[np.int64]


def balanced_accuracy(said: Labels, labels: Labels) -> float:
    """Return the mean over classes of the share that is named right."""
    return float(np.mean([np.mean(said[labels == c] == c) for c in np.unique(labels)]))


def accuracy_interval(said: Labels, labels: Labels, role: str) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the balanced accuracy, classes resampled apart.

    Resampling n items of which a share r is right is drawing from Binomial(n, r): no loop needed.
    """
    random = generator("accuracy", role, len(labels))
    draws = [
        random.binomial(np.sum(labels == c), np.mean(said[labels == c] == c), 2000)
        / np.sum(labels == c)
        for c in np.unique(labels)
    ]
    lo, hi = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return float(lo), float(hi)


def views(code: Tensor) -> dict[str, Features]:
    """Return what probes look at: (n, C*H*W) always, (n, 3*C) pooled where the code is a map.

    Pooling is by mean, standard deviation and maximum over positions, which finds content that
    wanders.
    """
    found = {"flatten": code.flatten(1)}
    if code.dim() == 4 and code.shape[2] * code.shape[3] > 1:
        maps = code.flatten(2)
        found["pool"] = torch.cat([maps.mean(2), maps.std(2), maps.amax(2)], 1)
    return {name: view.float().numpy() for name, view in found.items()}


class _TorchMLP:
    """A small network with dropout and weight decay, 600 steps of Adam."""

    def __init__(self, hidden: int = 128, steps: int = 600, batch: int = 256) -> None:
        self.hidden, self.steps, self.batch = hidden, steps, batch

    def fit(self, x: Features, y: Labels) -> _TorchMLP:
        data, labels = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive("probe", "mlp"))
            self.net = nn.Sequential(
                nn.Dropout(0.2),
                nn.Linear(x.shape[1], self.hidden),
                nn.ReLU(),
                nn.Dropout(0.5),
                nn.Linear(self.hidden, int(y.max()) + 1),
            )
            optimizer = torch.optim.AdamW(self.net.parameters(), 1e-3, weight_decay=1e-2)
            for _ in range(self.steps):
                at = torch.randint(len(data), (min(self.batch, len(data)),))
                loss = nn.functional.cross_entropy(self.net(data[at]), labels[at])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.net.eval()
        return self

    def predict(self, x: Features) -> Labels:
        with torch.inference_mode():
            return self.net(torch.from_numpy(np.ascontiguousarray(x))).argmax(1).numpy()


def _logistic(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300, tol=1e-3)


def _rbf_svm(strength: float) -> Any:
    from sklearn.svm import SVC

    return SVC(C=strength)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        max_bins=63,
        max_features=0.25,
        early_stopping=False,
        random_state=derive("probe", "boosting") % 2**31,
    )


BATTERY: dict[str, list[Callable[[], Any]]] = {
    "logistic": [partial(_logistic, strength) for strength in (1e-4, 1e-3, 1e-2, 1e-1)],
    "rbf_svm": [partial(_rbf_svm, strength) for strength in (1.0, 10.0)],
    "boosting": [_boosting],
    "mlp": [_TorchMLP],
}
"""Each kind of probe, in the strengths between which validation chooses."""


@dataclass(frozen=True)
class _Fitted:
    kind: str
    view: str
    validation: float
    said: Labels


def probe(
    fit: tuple[Tensor, Labels], test: Tensor, kinds: Sequence[str], only: str = ""
) -> list[_Fitted]:
    """Fit every kind of probe on every view; return them with what they say of test, best first.

    Args:
        fit: codes, (n, C) or (n, C, H, W), and the (n,) labels to tell from them.
        test: codes to name.
        kinds: names in `BATTERY`.
        only: the only view to take, '' for all.
    """
    from sklearn.preprocessing import StandardScaler

    code, labels = fit
    held_out = _held_out(labels)
    fitted = []
    of_test = views(test)
    for view, x in views(code).items():
        if only not in ("", view):
            continue
        scaler = StandardScaler().fit(x[~held_out])
        x_fit, x_val, x_test = (
            scaler.transform(v) for v in (x[~held_out], x[held_out], of_test[view])
        )
        for kind in kinds:
            for make in BATTERY[kind]:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
                    model = make().fit(x_fit, labels[~held_out])
                right = balanced_accuracy(model.predict(x_val), labels[held_out])
                fitted.append(_Fitted(kind, view, right, model.predict(x_test)))
    return sorted(fitted, key=lambda f: -f.validation)


def _held_out(labels: Labels) -> NDArray[np.bool_]:
    """Return which items validate: the same share of every class, drawn once for all codes."""
    held_out = np.zeros(len(labels), dtype=bool)
    for c in np.unique(labels):
        at = np.flatnonzero(labels == c)
        chosen = generator("validation", int(c), len(at)).permutation(len(at))
        held_out[at[chosen[: max(1, round(VALIDATION * len(at)))]]] = True
    return held_out


class DomainProbe(Metric):
    """Balanced accuracy of telling the domain from z1."""

    name = "domain_probe"
    summary = "can the domain be told from the common code z1?"
    version = 1
    numbers = {
        "z1_domain_acc": {
            "unit": "",
            "better": "lower",
            "meaning": "accuracy of the best probe that tells the domain from z1; 0.5 = chance",
            "needs": ("z1_probe_a", "z1_probe_b", "z1_test_a", "z1_test_b"),
        },
        "z1_domain_acc_linear": {
            "unit": "",
            "better": "lower",
            "meaning": "accuracy of a linear probe that tells the domain from z1; 0.5 = chance",
            "needs": ("z1_probe_a", "z1_probe_b", "z1_test_a", "z1_test_b"),
        },
    }

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the test accuracy of the probe that validation chose."""
        code, labels = _both(artefacts, "probe")
        test, truth = _both(artefacts, "test")
        kinds = dict.fromkeys(("logistic", *settings.probes))
        fitted = probe((code, labels), test, list(kinds))
        chance = 1.96 * (0.25 / len(truth)) ** 0.5
        results = {}
        for info in wanted:
            linear = info.id == "z1_domain_acc_linear"
            allowed = ("logistic",) if linear else settings.probes
            best = next(
                f for f in fitted if f.kind in allowed and (f.view == "flatten" or not linear)
            )
            lo, hi = accuracy_interval(best.said, truth, info.id)
            detail = {
                "probe": f"{best.kind} on {best.view}",
                "validation": best.validation,
                "chance": [0.5 - chance, 0.5 + chance],
                "dimensions": int(code[0].numel()),
                "n_fit": len(labels),
            }
            value = balanced_accuracy(best.said, truth)
            results[info.id] = Result(value, lo, hi, len(truth), detail=detail)
        return results


def _both(artefacts: Artefacts, part: str) -> tuple[Tensor, Labels]:
    a, b = (artefacts.tensors[f"z1_{part}_{domain}"] for domain in "ab")
    return torch.cat([a, b]), np.repeat([0, 1], [len(a), len(b)])

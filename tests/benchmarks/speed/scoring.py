"""The probes of a cell, beside scikit-learn called plainly for each label, kind and view."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bench.contracts.metric import Artefacts, Settings
from bench.contracts.registry import Registry
from bench.contracts.task import Domain, Factor, TaskData

from .measure import cpu_seconds

HEAD = """\
| what is scored | dimensions of z1 | plain, s | ours, s | times as fast |
|---|---|---|---|---|"""
FACTORS = (2, 3, 4, 5, 6, 7, 8, 13) * 2 + (5, 7)
"""The numbers of values of 18 factors, like those of a drawn face. The last two are separate."""
FOLDS = 4
DOMAIN = [
    *(lambda c=c: LogisticRegression(C=c, max_iter=300, tol=1e-3) for c in (1e-4, 1e-3, 1e-2, 0.1)),
    *(lambda c=c: SVC(C=c) for c in (1.0, 10.0)),
    lambda: HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False),
    lambda: MLPClassifier(64, batch_size=128, max_iter=21, learning_rate_init=2e-3),
]
EACH_FACTOR = [
    *(lambda c=c: LogisticRegression(C=c, max_iter=40, tol=1e-2) for c in (0.03, 0.3)),
    lambda: MLPClassifier(64, batch_size=128, max_iter=42, learning_rate_init=2e-3),
]
"""The kinds of probes of `metrics.probes.kinds`, as scikit-learn has them. The networks see as many
batches as ours."""


def made_up(dimensions: int, probe: int = 1024, test: int = 512) -> tuple[TaskData, Artefacts]:
    """Return a task without images whose codes hold its factors, more or less."""
    random = np.random.default_rng(0)
    domains: dict[str, list[Domain]] = {}
    codes = {}
    mixes = {
        code: random.normal(size=(len(FACTORS), d)) for code, d in (("z1", dimensions), ("z2", 64))
    }
    for part, n in (("train", 1), ("probe", probe), ("test", test)):
        domains[part] = []
        for at, letter in enumerate("ab"):
            factors = np.stack([random.integers(0, k, n) for k in FACTORS], 1)
            domains[part].append(
                Domain(torch.zeros(n, 3, 8, 8, dtype=torch.uint8), torch.from_numpy(factors))
            )
            for code, mix in mixes.items():
                held = factors @ mix / 10 + random.normal(size=(n, mix.shape[1])) + 0.05 * at
                codes[f"{code}_{part}_{letter}"] = torch.from_numpy(held).float()
    last = len(FACTORS) - 2
    properties = tuple(
        Factor(f"factor {at}", tuple(map(str, range(k))), separate=at >= last)
        for at, k in enumerate(FACTORS)
    )
    return TaskData("made up", "", properties, domains, truth=None), Artefacts(codes)


def chosen(
    makers: Sequence[Callable[[], object]],
    fit: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> float:
    """Return the accuracy of the probe that is best on a quarter; fit it again for each fold."""
    x, y = fit
    held_out = np.arange(len(x)) % 4 == 0
    models = [
        make_pipeline(StandardScaler(), make()).fit(x[~held_out], y[~held_out]) for make in makers
    ]
    scores = [balanced_accuracy_score(y[held_out], model.predict(x[held_out])) for model in models]
    best = int(np.argmax(scores))
    for fold in range(FOLDS):
        kept = ~held_out & (np.arange(len(x)) // 4 % FOLDS != fold)
        make_pipeline(StandardScaler(), makers[best]()).fit(x[kept], y[kept]).predict(test[0])
    return balanced_accuracy_score(test[1], models[best].predict(test[0]))


def plain_domain(_: TaskData, codes: dict[str, np.ndarray]) -> None:
    """Fit all probes of the domain on z1, and the chosen one again for its interval."""
    sides = []
    for part in ("probe", "test"):
        a, b = (codes[f"z1_{part}_{letter}"] for letter in "ab")
        sides.append((np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])))
    chosen(DOMAIN, *sides)


def plain_factors(data: TaskData, codes: dict[str, np.ndarray]) -> None:
    """Fit all probes of each factor on both codes, and the chosen ones again."""
    for code in ("z1", "z2"):
        for at in range(len(FACTORS)):
            sides = [
                (codes[f"{code}_{part}_b"], data.domains[part][1].factors[:, at].numpy())
                for part in ("probe", "test")
            ]
            chosen(EACH_FACTOR, *sides)


PARTS = {
    "domain in z1, four kinds of probes": ("domain_probe", plain_domain,
        ["z1_domain_acc", "z1_domain_acc_linear", "z1_leak_bits"]),
    "factors in z1 and z2": ("disentanglement", plain_factors,
        ["separation", "info_z1_common", "leak_z1_specific", "info_z2_specific", "leak_z2_common"]),
}  # fmt: skip


def rows(dimensions: int, rounds: int, sizes: tuple[int, int] = (1024, 512)) -> list[str]:
    """Return the rows of the table. Both take turns; times are medians of CPU seconds.

    The probes may stop before they have converged, as planned, and scikit-learn warns of it.
    """
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return [_row(what, dimensions, rounds, sizes) for what in PARTS]


def _row(what: str, dimensions: int, rounds: int, sizes: tuple[int, int]) -> str:
    data, artefacts = made_up(dimensions, *sizes)
    codes = {name: code.numpy() for name, code in artefacts.tensors.items()}
    family, plain, names = PARTS[what]
    ours = Registry().find("metric", family).load()()
    pairs = [
        (
            cpu_seconds(lambda: plain(data, codes)),
            cpu_seconds(lambda: ours.score(names, artefacts, data, Settings())),
        )
        for _ in range(rounds)
    ]
    a, b = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    return f"| {what} | {dimensions} | {a:.1f} | {b:.1f} | {a / b:.1f} |"

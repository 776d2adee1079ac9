"""Print how far every training recorded in float64 is from its reference, step by step.

``python -m tests.parity_table`` prints Markdown: for each trace the largest relative deviation of
any recorded quantity (losses, gradient norms, images, weights), |a - b| / max(|b|, 1e-3).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from . import parity_drit, parity_press2019, parity_ufdn, trace_drit, trace_ufdn
from .golden_scheme import Pairs, relatives

Steps = Iterator[tuple[str, Pairs]]


def press2019() -> Iterator[tuple[str, Steps]]:
    for trace in parity_press2019.Press.file.get("traces", []):
        if "float64" in trace:
            name = f"confusion weight {trace['discweight']:g}"
            yield name, parity_press2019.all_steps(trace, "float64")


def ufdn() -> Iterator[tuple[str, Steps]]:
    for parameters in parity_ufdn.FLOAT64_TRACES:
        trace = trace_ufdn.UFDNTrace(parity_ufdn.FLOAT64, *parameters.values, torch.float64)

        def steps(trace=trace):
            for at, pairs, buffers in trace_ufdn.all_steps(trace):
                yield at, pairs
                if buffers:
                    yield f"{at}, eval mode", buffers

        yield str(parameters.id), steps()


def drit() -> Iterator[tuple[str, Steps]]:
    for mode, name, block in parity_drit.traces_of(parity_drit.FLOAT64):
        trace = trace_drit.DRITTrace(parity_drit.FLOAT64, name, block, mode, torch.float64)
        yield f"{name} {mode}", trace_drit.all_steps(trace)


def main() -> None:
    torch.set_num_threads(1)
    for method in (press2019, ufdn, drit):
        rows: dict[str, dict[str, float]] = {}
        for name, steps in method():
            rows[name] = {at: max(relatives(pairs).values()) for at, pairs in steps}
        if not rows:
            continue
        columns = list(dict.fromkeys(at for row in rows.values() for at in row))
        worst = {at: max(row[at] for row in rows.values() if at in row) for at in columns}
        print(f"\n| {method.__name__} | {' | '.join(columns)} |")
        print("|---" * (1 + len(columns)) + "|")
        for name, row in {**rows, "largest": worst}.items():
            cells = [f"{row[at]:.0e}" if at in row else "" for at in columns]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""A task that breaks its contract is refused in one line."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from bench.contracts.task import PARTS, DataSizes, Domain, Factor, Streamed, Task, TaskData
from bench.tasks.cache import prepare
from bench.utils.errors import UserError

SIZES = DataSizes(size=8, train=4, probe=4, test=4)
COLOUR = Factor("colour", ("red", "green"))


class _Given(Task):
    name = "given"
    summary = "what a test says"
    factors = (COLOUR,)

    def __init__(self, change):
        super().__init__()
        self.change = change

    def recipe(self, sizes):
        return {"task": self.name}

    def load(self, sizes, progress):
        def domain():
            images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
            return Domain(images, torch.zeros(4, 1, dtype=torch.int64))

        domains = {part: [domain(), domain()] for part in PARTS}
        return self.change(TaskData(self.name, "", self.factors, domains, None))


def _images(change, part="train"):
    def of(data):
        a, b = data.domains[part]
        changed = dataclasses.replace(b, images=change(b.images))
        return dataclasses.replace(data, domains={**data.domains, part: [a, changed]})

    return of


def _unpaired(part):
    def of(data):
        a, b = data.domains[part]
        fewer = Domain(b.images[:2], b.factors[:2])
        return dataclasses.replace(data, domains={**data.domains, part: [a, fewer]})

    return of


def _factors(values):
    def of(data):
        domain = dataclasses.replace(data.domains["probe"][0], factors=values)
        domains = {**data.domains, "probe": [domain, data.domains["probe"][1]]}
        return dataclasses.replace(data, domains=domains)

    return of


WRONG_TASKS = {
    r"for domain B of train float32 images of shape \(4, 3, 8, 8\)": _images(lambda x: x.float()),
    r"for domain B of train uint8 images of shape \(4, 8, 8, 3\)": _images(
        lambda x: x.movedim(1, -1)
    ),
    r"for domain B of train uint8 images of shape \(4, 3, 16, 16\)": _images(
        lambda x: x.repeat(1, 1, 2, 2)
    ),
    "for domain B of train no image": _images(lambda x: x[:0]),
    "for domain B of train a list, expected uint8": _images(lambda x: x.tolist()),
    "4 and 2 test images of A and B, expected equally many": _unpaired("test"),
    "4 and 2 val images of A and B, expected equally many": _unpaired("val"),
    r"for domain A of probe factors of shape \(4, 2\)": _factors(
        torch.zeros(4, 2, dtype=torch.int64)
    ),
    "for domain A of probe values of factor colour from 2 to 2": _factors(
        torch.full((4, 1), 2, dtype=torch.int64)
    ),
    "1 domains in train, expected two or more": lambda data: dataclasses.replace(
        data, domains={part: of[:1] for part, of in data.domains.items()}
    ),
    "no part 'test'": lambda data: dataclasses.replace(
        data, domains={part: data.domains[part] for part in ("train", "val", "probe")}
    ),
    "the label 'digit', expected the name of a factor": lambda data: dataclasses.replace(
        data, label="digit"
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG_TASKS)
def test_a_task_that_breaks_its_contract_is_refused(message, tmp_path):
    with pytest.raises(UserError, match=f"task given: load gave {message}"):
        prepare(_Given(WRONG_TASKS[message]), SIZES, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_task_that_streams_is_checked_as_it_streams(tmp_path):
    def streamed(data):
        good, bad = (torch.zeros(4, 3, 8, 8, dtype=dtype) for dtype in (torch.uint8, torch.int16))
        pieces = {part: [iter([good]), iter([bad if part == "probe" else good])]
                  for part in data.domains}  # fmt: skip
        return Streamed(pieces, factors=_zeros(4))

    with pytest.raises(UserError, match="task given: load gave int16 images"):
        prepare(_Given(streamed), SIZES, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda: _zeros(3), r"shape \(3, 1\), expected int64 \(4, 1\)"),
        (dict, r"shape nothing \(None\), expected int64 \(4, 1\)"),
    ],
)
def test_factors_of_a_stream_are_those_of_its_images(values, said, tmp_path):
    def streamed(data):
        pieces = {part: [iter([domain.images]) for domain in of]
                  for part, of in data.domains.items()}  # fmt: skip
        return Streamed(pieces, factors=values())

    with pytest.raises(UserError, match=f"task given: load gave factors of {said}"):
        prepare(_Given(streamed), SIZES, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def _zeros(count):
    """Factors of so many images for each domain of each part."""
    return {part: [torch.zeros(count, 1, dtype=torch.int64)] * 2 for part in PARTS}


def test_a_task_as_it_should_be_is_taken(tmp_path):
    assert len(prepare(_Given(lambda data: data), SIZES, tmp_path).test_pairs[0]) == 4

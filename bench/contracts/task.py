"""The contract of a task: domains of images, their factors, and the true results of a transfer.

Words (Press et al., ICLR 2019): domain **A** is plain. Domain **B** has everything that A has *plus
separate content* (a face, and a face with glasses). Images are unpaired. The domain is the only
label in training. A method splits an image into a *common* code z1, what A and B share, and a
*separate* code z2, what only B has. With these it can

* ``add(a, guide)``: put the separate content of the guide, an image of B, onto a, an image of A;
* ``remove(b)``: give b without its separate content.

A **cell** is one method on one task in one profile with one seed. It runs in a process of its own
through three stages, *train*, *artefacts* and *score*, and leaves one JSON record. Every table and
every check is a view on records.

Tasks, artefacts and metrics hold images as uint8, methods as float32 in [-1, 1]. Channels come
first: (N, 3, S, S). `bench.contracts.images` converts between the two.

The other contracts are in modules of their own: `bench.contracts.method`, `bench.contracts.metric`
and `bench.contracts.cell`. Only `bench.contracts.method` imports torch, because ``bench list`` must
answer at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.utils.errors import UserError

if TYPE_CHECKING:
    import torch

PARTS = ("train", "probe", "test")
"""*train* trains methods, *probe* fits probes and statistics, *test* gives all numbers."""
LETTERS = ascii_uppercase
"""The names of domains by their index: A, B, C, ..."""
HIDDEN = -1
"""The value of a factor that cannot be seen in an image (the colour of hair under a hijab)."""


@dataclass(frozen=True)
class Spec:
    """What a method knows about the images: side in pixels, channels, number of domains.

    kinds: the number of values of the separate factor (round glasses, sunglasses), 0 where the task
    names none.
    """

    size: int
    channels: int = 3
    domains: int = 2
    kinds: int = 0


@dataclass(frozen=True)
class DataSizes:
    """The size of a task: side in pixels, and the number of images per domain in each part."""

    size: int
    train: int
    probe: int
    test: int

    def of(self, part: str) -> int:
        """Return the number of images per domain of a part."""
        return int(getattr(self, part))


@dataclass(frozen=True)
class Factor:
    """A property of an image that takes one of a few values.

    ``separate`` is true for a property of the separate content, which only domain B has.
    """

    name: str
    values: tuple[str, ...]
    separate: bool = False


def kinds_of_content(factors: Sequence[Factor]) -> int:
    """Return the number of values of the first separate factor, 0 where there is none."""
    return next((len(factor.values) for factor in factors if factor.separate), 0)


@dataclass(frozen=True)
class Domain:
    """The images of one domain in one part.

    images: uint8 (N, 3, S, S). factors: int64 (N, F), an index into the values of each factor, or
    `HIDDEN`; F is 0 where a task knows no factors.
    """

    images: torch.Tensor
    factors: torch.Tensor


@dataclass(frozen=True)
class Truth:
    """The true results of the n test pairs, uint8 (n, 3, S, S) each.

    Pair i has the i-th test image of A as its source and the i-th of B as its guide. ``add`` is the
    true result of that pair. ``other`` is the true result with another guide, that of pair i ^ 1.
    ``remove`` is the i-th image of B without its separate content.
    """

    add: torch.Tensor
    other: torch.Tensor
    remove: torch.Tensor


@dataclass(frozen=True)
class TaskData:
    """A task, loaded: ``domains[part]`` lists the domains of a part, A first.

    label: the name of the shared factor that says what an image shows (the digit), or ''.
    facts: remarks on the images, as JSON: how many there are, which files were left out.
    """

    name: str
    fingerprint: str
    factors: tuple[Factor, ...]
    domains: Mapping[str, Sequence[Domain]]
    truth: Truth | None
    label: str = ""
    pixel_hash: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """What a method knows about the images."""
        train = self.domains["train"]
        _, channels, _, size = train[0].images.shape
        return Spec(size, channels, len(train), kinds_of_content(self.factors))

    @property
    def test_pairs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The sources and the guides of the test pairs: the test images of A and of B."""
        a, b = (domain.images for domain in self.domains["test"][:2])
        return a, b

    @property
    def pair(self) -> TaskData:
        """The task with its first two domains only."""
        return replace(self, domains={part: of[:2] for part, of in self.domains.items()})

    def kinds(self, part: str, domain: int) -> torch.Tensor:
        """Return the separate factor of each image, int64 (N,): 0 for none, else 1 and more."""
        column = next(at for at, factor in enumerate(self.factors) if factor.separate)
        return self.domains[part][domain].factors[:, column] - HIDDEN


@dataclass(frozen=True)
class Streamed:
    """A task whose images may not fit into memory: they are decoded while they are written.

    domains: for each part one iterator per domain, A first. It gives uint8 (n, 3, S, S) at a time
    and is read once, in this order. facts: see `TaskData`.
    """

    domains: Mapping[str, Sequence[Iterator[torch.Tensor]]]
    facts: Mapping[str, Any] = field(default_factory=dict)


Progress = Callable[[int, int], None]
"""Called with the number of images that are done and the number of all images."""
Split = Literal["hash", "folder", "official", "identity"]
Resize = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Options:
    """The user's options for a task whose images do not come with the suite.

    data_root: the folder that holds data sets. a, b: the folders of the two domains. split: how
    images are divided into parts: by a hash of the content, by sub-folder, by the official division
    of the data set, or by the person in the image; None for the default of the task. resize: how an
    image becomes square. skip_bad: whether unusable images are left out; otherwise they are an
    error. cache: the folder for the index of image files; it changes no image.
    """

    data_root: Path | None = None
    a: Path | None = None
    b: Path | None = None
    split: Split | None = None
    resize: Resize | None = None
    skip_bad: bool = False
    cache: Path | None = None


class Task(ABC):
    """Domains to transfer content between. One class is one task.

    ``name`` and ``summary`` are literals in the class body, because ``bench list`` reads them from
    source. ``label`` names the shared factor that says what an image shows (the digit); metrics of
    adaptation train a classifier of it on A and test it on B. ``domains`` is the number of domains.
    Truth and transfer concern the first two, A and B.

    ``takes`` lists the `Options` that the task uses, ``needs`` those that the user must give, and
    ``splits`` the values of ``split``, the default first. A task that reads the user's folders may
    give itself a longer name, ``folder:faces+glasses``. The word before the colon is the name of
    its class.
    """

    name: str
    summary: ClassVar[str]
    factors: tuple[Factor, ...] = ()
    label: ClassVar[str] = ""
    domains: ClassVar[int] = 2
    takes: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Options = Options()) -> None:
        self.options = options

    @property
    def home(self) -> Path | None:
        """The folder that the task reads, None where its images come with the suite."""
        return None

    def missing(self) -> str:
        """Return which files are missing and how to get them, '' where none is."""
        return ""

    def fetch(self) -> None:
        """Download what is missing. Only `python -m bench data get` calls this, never a run.

        Raises:
            UserError: it cannot be downloaded; the message says what to do by hand.
        """
        raise UserError(f"task {self.name} cannot be fetched: {self.missing() or 'nothing to do'}")

    @abstractmethod
    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return all that determines the pixels, as JSON. Its hash is the fingerprint of the task.

        The planning of a run calls this, so it must not render or decode an image.
        """

    @abstractmethod
    def load(self, sizes: DataSizes, progress: Progress) -> TaskData | Streamed:
        """Render or decode the images. Parts are disjoint. The same recipe gives the same bits."""

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes that the task can give where it has fewer images than are asked for."""
        return sizes

    def facts_now(self, sizes: DataSizes, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return remarks on the images for the record of this run. `recipe` was called before.

        Args:
            sizes: the size of the task.
            made: the remarks from when the images were made, maybe by an earlier run. Whatever the
                recipe does not decide, such as the files that were left out, must be found again.

        Raises:
            UserError: the images were made with other options than those of this run.
        """
        return made

"""The contracts of the suite: what a task, a method, a metric and a record are. Read this first.

Words (Press et al., ICLR 2019): domain **A** is plain, domain **B** has everything A has *plus
extra content* (a face, and a face with glasses). Images are unpaired, the domain is the only label
in training. A method splits an image into a *common* code z1 (what A and B share) and a *separate*
code z2 (what only B has), so that it can

* ``add(a, guide)``: put the extra content of the guide, an image of B, onto a, an image of A;
* ``remove(b)``: give b without its extra content.

A **cell** is one (method, task, profile, seed). It runs alone in its own process through three
stages, *train*, *artefacts*, *score*, and leaves one JSON record. Everything that is reported is a
view on records.

Images are uint8 between tasks, artefacts and metrics, and float32 in [-1, 1] inside methods, always
channels first: (N, 3, S, S). The one conversion between the two is in `bench.contracts.images`.

The fourth contract, `bench.contracts.method.Method`, is a module of its own: it is the only one that needs
torch to be imported, and ``bench list`` must answer at once.
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
"""*train* trains methods, *probe* fits probes and reference statistics, *test* gives numbers."""
LETTERS = ascii_uppercase
"""The names of domains by their index: A, B, C, ..."""
HIDDEN = -1
"""The value of a factor that does not show in an image (the hair's colour under a hijab)."""


@dataclass(frozen=True)
class Spec:
    """What a method is told about the images: side in pixels, channels, number of domains.

    kinds: how many kinds of extra content the task names, 0 where it names none.
    """

    size: int
    channels: int = 3
    domains: int = 2
    kinds: int = 0


@dataclass(frozen=True)
class DataSizes:
    """How much of a task is wanted: side in pixels, and images per domain of each part."""

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

    ``separate`` is true for what only domain B has: the extra content.
    """

    name: str
    values: tuple[str, ...]
    separate: bool = False


def kinds_of_content(factors: Sequence[Factor]) -> int:
    """Return how many values the first separate factor has: the kinds of extra content."""
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

    Pair i takes the i-th test image of A as its source and the i-th of B as its guide; ``other`` is
    what the guide of the pair's neighbour (i with its last bit flipped) would give. ``remove`` is
    the i-th image of B without its extra content.
    """

    add: torch.Tensor
    other: torch.Tensor
    remove: torch.Tensor


@dataclass(frozen=True)
class TaskData:
    """A task, loaded: ``domains[part]`` lists the domains of a part, A first.

    label: the name of the shared factor that says what an image shows (the digit), or ''.
    facts: what the task has to say of its images, as JSON: their true numbers, what was left out.
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
        """What a method is told."""
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
        """Return the kind of extra content of each image, int64 (N,): 0 is none, then from 1 on."""
        column = next(at for at, factor in enumerate(self.factors) if factor.separate)
        return self.domains[part][domain].factors[:, column] - HIDDEN


@dataclass(frozen=True)
class Streamed:
    """A task whose images are decoded while they are written, as they may not fit into memory.

    domains: for each part the images of each domain, A first, uint8 (n, 3, S, S) at a time; they
    are taken once, in the order in which they stand here. facts: see `TaskData`.
    """

    domains: Mapping[str, Sequence[Iterator[torch.Tensor]]]
    facts: Mapping[str, Any] = field(default_factory=dict)


Progress = Callable[[int, int], None]
"""Called with how many images are done and how many there are."""
Split = Literal["hash", "folder", "official", "identity"]
Resize = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Options:
    """What a user says of a task whose images do not come with the suite.

    data_root: the folder that holds data sets. a, b: the folders of the two domains. split: what
    decides which part an image is in: a hash of its content, its sub-folder, the data set's own
    division, or the person that it shows; None for the task's default. resize: how an image becomes
    square. skip_bad: whether images that cannot be used are left out instead of refused. cache: the
    folder where what was found out about files is kept; it changes no image.
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

    ``name`` and ``summary`` are literals in the class body: ``bench list`` reads them without
    running the file. ``label`` names the shared factor that says what an image shows (the digit):
    a classifier of it must carry over from A to B. ``domains`` says how many there are; truth and
    transfer are those of the first two, A and B.

    ``takes`` names the `Options` that it goes by, ``needs`` those that must be given, ``splits``
    what its split can be, the default first. A task that is made of the user's folders may give
    itself a longer name, ``folder:faces+glasses``; the word before the colon is that of its class.
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
        """The folder whose files it reads, None where its images come with the suite."""
        return None

    def missing(self) -> str:
        """Return which of its files are not there and how to get them, '' where all are."""
        return ""

    def fetch(self) -> None:
        """Fetch what is missing: `python -m bench data get` calls this, and a run never does.

        Raises:
            UserError: it cannot be fetched; the message says what to do by hand.
        """
        raise UserError(f"task {self.name} cannot be fetched: {self.missing() or 'nothing to do'}")

    @abstractmethod
    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return all that determines the pixels, as JSON: its hash is the task's fingerprint.

        Nothing may be rendered or decoded for it: planning a run calls this.
        """

    @abstractmethod
    def load(self, sizes: DataSizes, progress: Progress) -> TaskData | Streamed:
        """Render or decode the images. Parts are disjoint; the same recipe gives the same bits."""

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return how many images there will be at most, where that is less than what is wanted."""
        return sizes

    def facts_now(self, sizes: DataSizes, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what this run has to say of its images; `recipe` was called before.

        made: the facts that came with the images when they were made, maybe by an earlier run. What
        the recipe does not decide, such as the files that are left out, is said anew.

        Raises:
            UserError: these images were made with options that are not given now.
        """
        return made

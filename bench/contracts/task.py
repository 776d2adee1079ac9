"""The contract of a task: domains of images, their factors, and the true results of a transfer.

Terms (Press et al., ICLR 2019): domain **B** has everything that domain **A** has, *plus separate
content*. For example, A holds faces and B holds faces with glasses. Images are unpaired. The domain
is the only label in training. A method splits an image into a *common* code z1, for the content
that A and B share, and a *separate* code z2, for the content that only B has. Its two functions are

* ``add(a, guide)``: put the separate content of the guide, an image of B, onto a, an image of A;
* ``remove(b)``: return b, an image of B, without its separate content.

A **cell** is one method on one task in one profile with one seed. It runs in its own process
through three stages, *train*, *artefacts* and *score*, and writes one JSON record. All tables and
checks are computed from records.

Tasks, artefacts and metrics hold images as uint8. Methods hold them as float32 in [-1, 1]. Channels
come first: (N, 3, S, S). `bench.contracts.images` converts between the two.

The other contracts are in `bench.contracts.method`, `bench.contracts.metric` and
`bench.contracts.cell`. Only `bench.contracts.method` imports torch, because ``bench list`` must
start fast.
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

PARTS = ("train", "val", "probe", "test")
"""The parts of a task.

*train* trains methods. *val* chooses configurations. *probe* fits probes, classifiers and
statistics. *test* gives all reported numbers.
"""
LETTERS = ascii_uppercase
"""The names of domains by their index: A, B, C, ..."""
Features = Literal["avatars", "probe"]
"""The features that metrics use for the images of a task.

avatars: those of the network that ships with the suite, trained on drawn faces. probe: those of a
small network that is trained on the task's own *probe* part.
"""
HIDDEN = -1
"""The value of a factor that the image does not show, such as hair colour under a hijab."""


@dataclass(frozen=True)
class Spec:
    """What a method knows about the images: side in pixels, channels, number of domains.

    kinds: the number of values of the separate factor (such as round glasses and sunglasses), 0 if
    the task has no such factor.
    """

    size: int
    channels: int = 3
    domains: int = 2
    kinds: int = 0


@dataclass(frozen=True)
class DataSizes:
    """The size of a task: image side in pixels, and the images per domain in each part."""

    size: int
    train: int
    probe: int
    test: int

    @property
    def val(self) -> int:
        """The images of *val*: a tenth of *train* but no more than *test*, and an even number."""
        return max(2, min(self.train // 10, self.test) // 2 * 2)

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
    """Return the number of values of the first separate factor, or 0 if there is none."""
    return next((len(factor.values) for factor in factors if factor.separate), 0)


@dataclass(frozen=True)
class Companion:
    """A shared factor that goes with some separate content in *train* and *val* only.

    For example, dark glasses stand mostly on bearded faces there. A method that takes the beard for
    a part of the glasses fails where the two are independent: in *probe* and *test*.

    separate, bring: a separate factor, and its values that usually bring the companion.
    shared, shown: the shared factor, and its values that show the companion.
    """

    separate: str
    bring: tuple[str, ...]
    shared: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """The images of one domain in one part.

    images: uint8 (N, 3, S, S). factors: int64 (N, F), an index into the values of each factor, or
    `HIDDEN`. F is 0 if the task has no factors.
    """

    images: torch.Tensor
    factors: torch.Tensor


@dataclass(frozen=True)
class Truth:
    """The true results of the n pairs of *test* or of *val*: tensors of uint8 (n, 3, S, S).

    Pair i has the i-th image of A as its source and the i-th of B as its guide. ``add`` is the true
    result of that pair. ``other`` is the true result with the guide of pair i ^ 1 instead.
    ``remove`` is the i-th image of B without its separate content.
    """

    add: torch.Tensor
    other: torch.Tensor
    remove: torch.Tensor


@dataclass(frozen=True)
class TaskData:
    """The data of a task: ``domains[part]`` lists the domains of a part, A first.

    truth, val_truth: the true results of the pairs of *test* and of *val*, or None.
    label: the name of the shared factor that is the class of an image (such as the digit), or ''.
    facts: remarks on the images, as JSON: for example their number and the files left out.
    features: see `Task`.
    companion: the shared factor that goes with the separate content in *train*, or None.
    """

    name: str
    fingerprint: str
    factors: tuple[Factor, ...]
    domains: Mapping[str, Sequence[Domain]]
    truth: Truth | None
    label: str = ""
    pixel_hash: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    val_truth: Truth | None = None
    features: Features = "probe"
    companion: Companion | None = None

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
    def on_val(self) -> TaskData:
        """The same data with *val* in the place of *test*, to choose by the numbers on it."""
        domains = {**self.domains, "test": self.domains["val"]}
        return replace(self, domains=domains, truth=self.val_truth)

    @property
    def pair(self) -> TaskData:
        """The same data with the first two domains only."""
        return replace(self, domains={part: of[:2] for part, of in self.domains.items()})

    def kinds(self, part: str, domain: int) -> torch.Tensor:
        """Return the separate factor of each image, int64 (N,): 0 for none, values from 1 up."""
        column = next(at for at, factor in enumerate(self.factors) if factor.separate)
        return self.domains[part][domain].factors[:, column] - HIDDEN


@dataclass(frozen=True)
class Streamed:
    """A task whose images may not fit into memory. They are decoded while they are written.

    domains: for each part, one iterator per domain, A first. Each iterator yields uint8 pieces
    (n, 3, S, S) and is read once, in this order. facts: see `TaskData`. factors: for each part, the
    factors of each domain (see `Domain`); empty if the task has no factors.
    """

    domains: Mapping[str, Sequence[Iterator[torch.Tensor]]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, Sequence[torch.Tensor]] = field(default_factory=dict)


Progress = Callable[[int, int], None]
"""A function that takes the number of finished images and the number of all images."""
Split = Literal["hash", "folder", "official", "identity"]
Resize = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Options:
    """The user's options for a task whose images do not come with the suite.

    data_root: the folder that holds data sets. a, b: the folders of the two domains. split: how
    images are divided into parts: by a hash of the content, by sub-folder, by the official split of
    the data set, or by the person in the image; None for the default of the task. resize: how an
    image becomes square. skip_bad: whether unusable images are left out; otherwise they raise an
    error. attributes: a table of attributes of the images, which become factors. test_seed: chooses
    another *test* part of drawn images; None for the known part. cache: the folder for the index of
    image files; it does not change the images.
    """

    data_root: Path | None = None
    a: Path | None = None
    b: Path | None = None
    split: Split | None = None
    resize: Resize | None = None
    skip_bad: bool = False
    attributes: Path | None = None
    test_seed: int | None = None
    cache: Path | None = None


_TEST_SEED = ":test-seed-"


def with_test_seed(name: str, seed: int | None) -> str:
    """Return the name of a task with another *test* part; None gives the name itself."""
    return name if seed is None else f"{name}{_TEST_SEED}{seed}"


def without_test_seed(name: str) -> str:
    """Return the name of the task with the *test* part that everybody knows."""
    return name.partition(_TEST_SEED)[0]


class Task(ABC):
    """Domains to transfer content between. One class is one task.

    ``name`` and ``summary`` are literals in the class body, because ``bench list`` reads them from
    source. ``label`` names the shared factor that is the class of an image (such as the digit). The
    metrics of adaptation train a classifier for it on A and test it on B. ``domains`` is the number
    of domains. Truth and transfer concern the first two, A and B. ``features`` names the features
    that metrics use. ``companion`` is the shared factor that goes with the separate content in
    *train*, if there is one.

    ``takes`` lists the `Options` that the task uses, ``needs`` those that the user must give, and
    ``splits`` the values of ``split``, the default first. A task that reads the user's folders may
    have a longer name, such as ``folder:faces+glasses``, and so may one with another *test* part.
    The word before the colon is then the ``name`` of its class. ``expected_failures`` names the
    checks of ``bench verify`` that the task cannot pass, each with the reason.
    """

    name: str
    summary: ClassVar[str]
    factors: tuple[Factor, ...] = ()
    label: ClassVar[str] = ""
    domains: ClassVar[int] = 2
    features: ClassVar[Features] = "probe"
    companion: ClassVar[Companion | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    splits: ClassVar[tuple[str, ...]] = ()
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init__(self, options: Options = Options()) -> None:
        self.options = options

    @property
    def home(self) -> Path | None:
        """The folder that the task reads, or None if its images come with the suite."""
        return None

    def missing(self) -> str:
        """Return which files are missing and how to get them, or '' if none is missing."""
        return ""

    def fetch(self) -> None:
        """Download the missing files. Only `python -m bench data get` calls this, never a run.

        Raises:
            UserError: a download fails; the message says what to do by hand.
        """
        raise UserError(f"task {self.name} cannot be fetched: {self.missing() or 'nothing to do'}")

    @abstractmethod
    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return all that determines the pixels, as JSON. Its hash is the fingerprint of the task.

        This is called when a run is planned, so it must not render or decode images.
        """

    @abstractmethod
    def load(self, sizes: DataSizes, progress: Progress) -> TaskData | Streamed:
        """Render or decode the images. Parts are disjoint. The same recipe gives the same bits."""

    def available(self, sizes: DataSizes) -> DataSizes:
        """Return the sizes that the task can provide, at most those that are asked for."""
        return sizes

    def facts_now(self, sizes: DataSizes, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return remarks on the images for the record of this run. `recipe` was called before.

        Args:
            sizes: the size of the task.
            made: the remarks from the time when the images were made, maybe by an earlier run. The
                task must find again whatever the recipe does not determine, such as the files that
                were left out.

        Raises:
            UserError: the images were made with other options than those of this run.
        """
        return made

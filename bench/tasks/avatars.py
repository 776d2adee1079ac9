"""Tasks of drawn faces (avatars), whose true results can be drawn too.

An avatar is one value for each factor. The true "face a with the glasses of b" is the avatar that
has a's values and b's glasses. `_styles` says how a value looks.

A hash of (recipe, task, part, domain, index, factor) chooses each value, without a random generator
of any library. So the first images of a longer part are those of a shorter one.

A new task is a class that states three things: the factors that all domains share, the separate
factors that only B has, and the values that are fixed in each domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import count
from typing import Any, ClassVar, Literal

import numpy as np

from bench.contracts.task import (
    HIDDEN,
    LETTERS,
    PARTS,
    Companion,
    DataSizes,
    Domain,
    Factor,
    Features,
    Options,
    Progress,
    Task,
    TaskData,
    Truth,
    with_test_seed,
)
from bench.utils.seeds import uniform

from ._avatar_factors import (
    APPEARANCE,
    BARE,
    BEARD,
    BEARDS,
    CLOSE_FACE,
    CLOTHED,
    EXPRESSION,
    FACE,
    GLASSES,
    HAT,
    NEUTRAL,
    NONE_WEIGHT,
    SAMPLING,
    STYLED_FACE,
    is_visible,
    sample,
)
from ._drawing import Avatar, draw_all, hidden_factors, style_of
from ._pose import CROP, POSE, ROLE
from ._pose import recipe as pose_recipe
from ._styles import NONE, PALETTES

SHARES = {"train": 0.54, "val": 0.06, "probe": 0.2, "test": 0.2}
"""The share of all people that each part may have."""
COMPANION_LACKS = 1 / 9
"""The share of avatars that stay in *train* and *val* although they disagree with the companion.

If half of all faces show the companion, nine of ten avatars agree with it.
"""


def _without(factors: Iterable[Factor], *names: str) -> tuple[Factor, ...]:
    return tuple(factor for factor in factors if factor.name not in names)


def _part_of(share: float) -> str:
    """Return the part of a person whose hash is this number in [0, 1)."""
    at = np.searchsorted(np.cumsum(list(SHARES.values())), share, side="right")
    return list(SHARES)[min(int(at), len(SHARES) - 1)]


@dataclass(frozen=True)
class _Plan:
    """All avatars of a task.

    Attributes:
        domains: for each part, the avatars of each domain.
        truth: for *test* and *val*, the true results of the pairs by the names of `Truth`.
    """

    domains: dict[str, list[list[Avatar]]]
    truth: dict[str, dict[str, list[Avatar]]]

    def lists(self) -> Iterator[list[Avatar]]:
        for domains in self.domains.values():
            yield from domains
        for truth in self.truth.values():
            yield from truth.values()


class AvatarTask(Task):
    """A task of drawn faces. Its class attributes describe it completely.

    Attributes:
        shared: the factors of all domains.
        separate: the factors that only B has.
        fixed: for each domain, A first, what is the same in all its images: the style, and values
            of factors that vary in another domain.
        may_lack: the separate factors that an image of B may lack, though never all of them.
        posed: the crop of faces that each have a pose, a background and a light of their own (see
            `_pose`), or "" for aligned faces on white. It is given with the class, as in
            ``class Name(AvatarTask, posed="close")``.
        drawn_as: the name in the hash that chooses values, if it is not the task's own name.
        recipe_version: with 2, each person is in one part only; a person is the visible values of
            the shared factors. With 1, parts are independent: the task has so many people that
            one hardly ever occurs twice.
    """

    shared: ClassVar[tuple[Factor, ...]] = FACE
    separate: ClassVar[tuple[Factor, ...]] = ()
    fixed: ClassVar[tuple[Avatar, ...]] = ({}, {})
    may_lack: ClassVar[tuple[str, ...]] = ()
    drawn_as: ClassVar[str] = ""
    recipe_version: ClassVar[int] = 2
    features: ClassVar[Features] = "avatars"
    takes: ClassVar[tuple[str, ...]] = ("test_seed",)
    posed: ClassVar[str] = ""

    def __init_subclass__(cls, posed: Literal["", "close", "wide"] = "") -> None:
        cls.posed = posed
        cls.factors = cls.shared + (POSE if posed else ()) + cls.separate
        cls.domains = len(cls.fixed)

    def __init__(self, options: Options = Options()) -> None:
        super().__init__(options)
        self.name = with_test_seed(type(self).name, options.test_seed)

    def recipe(self, sizes: DataSizes) -> dict[str, Any]:
        """Return the versions of styles and renderer, the factors and the sizes."""
        recipe = {
            "task": type(self).name,
            "recipe": self.recipe_version,
            "versions": {
                name: version(name) for name in ("dicebear-core", "dicebear-styles", "resvg-py")
            },
            "factors": {factor.name: factor.values for factor in self.factors},
            "weights": {f.name: {NONE: NONE_WEIGHT} for f in self.factors if NONE in f.values},
            "palettes": {f.name: PALETTES[f.name] for f in self.factors if f.name in PALETTES},
            "sizes": vars(sizes),
        }
        if self.posed:
            recipe["pose"] = pose_recipe()
        if self.companion is not None:
            recipe["companion"] = vars(self.companion) | {"lacks": COMPANION_LACKS}
        if self.recipe_version > 1:
            domains = [self._domain_recipe(at) for at in range(self.domains)]
            recipe |= {"domains": domains, "may_lack": self.may_lack, "shares": SHARES}
        if self.options.test_seed is not None:
            recipe["test_seed"] = self.options.test_seed
        return recipe

    def _domain_recipe(self, domain: int) -> dict[str, Any]:
        fixed = self.fixed[domain]
        style = style_of(fixed)
        values = {name: [value] for name, value in fixed.items() if name != "style"}
        own = (factor for factor in self.own(domain) if factor not in POSE)
        values |= {factor.name: list(factor.values) for factor in own}
        return {
            "style": style.source,
            "options": dict(style.options),
            "fixed": fixed,
            "values": {
                name: {value: style.draws(name, value) for value in of_factor}
                for name, of_factor in values.items()
            },
        }

    def load(self, sizes: DataSizes, progress: Progress) -> TaskData:
        """Draw all images on all cores."""
        import torch

        plan = self._plan(sizes)
        wanted = [avatar for avatars in plan.lists() for avatar in avatars]
        pixels = torch.from_numpy(np.concatenate(list(draw_all(wanted, sizes.size, progress))))
        pictures = iter(pixels.split([len(avatars) for avatars in plan.lists()]))
        domains = {
            part: [
                Domain(next(pictures), torch.from_numpy(self.values(avatars, at)))
                for at, avatars in enumerate(by_domain)
            ]
            for part, by_domain in plan.domains.items()
        }
        truth = {
            part: Truth(**{name: next(pictures) for name in avatars})
            for part, avatars in plan.truth.items()
        }
        return TaskData(
            self.name,
            "",
            self.factors,
            domains,
            truth["test"],
            val_truth=truth["val"],
            features=self.features,
            companion=self.companion,
        )

    def own(self, domain: int) -> tuple[Factor, ...]:
        """Return the factors that vary in a domain."""
        return tuple(f for f in self.factors if domain == 1 or not f.separate)

    def avatar(self, part: str, domain: int, index: int) -> Avatar:
        """Return the avatar of an image: the first of its role's candidates that fits."""
        factors = [
            replace(f, values=(NONE, *f.values)) if f.name in self.may_lack else f
            for f in self.own(domain)
        ]
        seed = self.options.test_seed if part == "test" else None
        name = with_test_seed(self.drawn_as or type(self).name, seed)
        role = (name, part, LETTERS[domain], index)
        for attempt in count():
            values = sample(factors, *role, *([attempt] if attempt else []))
            avatar = self.fixed[domain] | values
            if self.posed:
                avatar |= {ROLE: "/".join(map(str, role)), CROP: self.posed}
            if self.recipe_version == 1 or self._fits(avatar, part, domain):
                break
        return avatar

    def _fits(self, avatar: Avatar, part: str, domain: int) -> bool:
        """Return whether an avatar belongs to a part and, in B, has separate content."""
        if domain == 1 and not any(is_visible(factor, avatar) for factor in self.separate):
            return False
        if domain == 1 and part in ("train", "val") and not self._agrees(avatar):
            return False
        face = {factor.name: avatar[factor.name] for factor in self.shared}
        unseen = set().union(*(hidden_factors(fixed | face) for fixed in self.fixed))
        person = [value for name, value in face.items() if name not in unseen]
        at = uniform(SAMPLING, type(self).name, "person", *person)
        return _part_of(at) == part

    def _agrees(self, avatar: Avatar) -> bool:
        """Return whether an avatar has its companion, or is one of those that may lack it."""
        if (goes := self.companion) is None:
            return True
        agrees = (avatar[goes.separate] in goes.bring) == (avatar[goes.shared] in goes.shown)
        return agrees or uniform(SAMPLING, "companion", *avatar.values()) < COMPANION_LACKS

    def _common(self, avatar: Avatar) -> Avatar:
        """Return what an avatar has in common with its true results: its face and its pose."""
        names = [factor.name for factor in self.own(0)]
        return {name: avatar[name] for name in (*names, ROLE, CROP) if name in avatar}

    def added(self, a: Avatar, guide: Avatar) -> Avatar:
        """Return the true result of ``add``: the face of a with the rest of the guide."""
        return self.fixed[1] | self._common(a) | {f.name: guide[f.name] for f in self.separate}

    def removed(self, b: Avatar) -> Avatar:
        """Return the true result of ``remove``: the face of b with the rest as in A."""
        return self.fixed[0] | self._common(b)

    def _plan(self, sizes: DataSizes) -> _Plan:
        domains = {
            part: [
                [self.avatar(part, at, i) for i in range(sizes.of(part))]
                for at in range(self.domains)
            ]
            for part in PARTS
        }
        return _Plan(domains, {part: self._truth(*domains[part][:2]) for part in ("test", "val")})

    def _truth(self, a: Sequence[Avatar], b: Sequence[Avatar]) -> dict[str, list[Avatar]]:
        return {
            "add": [self.added(face, guide) for face, guide in zip(a, b, strict=True)],
            "other": [self.added(face, b[i ^ 1]) for i, face in enumerate(a)],
            "remove": [self.removed(avatar) for avatar in b],
        }

    def values(self, avatars: Sequence[Avatar], domain: int = 1) -> np.ndarray:
        """Return the factors of a domain's avatars, int64 (N, F); see `Domain` for the values."""
        own = self.own(domain)
        rows = np.full((len(avatars), len(self.factors)), HIDDEN, dtype=np.int64)
        for row, avatar in zip(rows, avatars, strict=True):
            for column, factor in enumerate(own):
                if is_visible(factor, avatar):
                    row[column] = factor.values.index(avatar[factor.name])
        return rows


class AvatarsGlasses(AvatarTask, posed="close"):
    """A: faces without glasses. B: faces with glasses of five kinds and five colours."""

    name = "avatars-glasses"
    summary = "posed faces without and with glasses (5 kinds, 5 colours); true results known"
    shared = CLOSE_FACE
    separate = GLASSES
    fixed = (CLOTHED, CLOTHED)


class AvatarsGlassesAligned(AvatarTask):
    """As `avatars-glasses`, with every face in the same place on white: an easier task."""

    name = "avatars-glasses-aligned"
    summary = "aligned faces without and with glasses: easier, a pixel paste wins"
    separate = GLASSES
    drawn_as = "avatars-glasses"
    recipe_version = 1


class AvatarsGlassesCorrelated(AvatarsGlasses, posed="close"):
    """As `avatars-glasses`, but dark glasses stand mostly on bearded faces in *train* and *val*."""

    name = "avatars-glasses-correlated"
    summary = "as avatars-glasses; in training, dark glasses go with beards"
    companion = Companion("glasses", ("sunglasses", "wayfarers"), "beard", BEARDS)


class AvatarsBeard(AvatarTask, posed="close"):
    """A: shaven faces. B: faces with a beard, of four kinds and six colours. No glasses."""

    name = "avatars-beard"
    summary = "posed faces without and with a beard (4 kinds, 6 colours); true results known"
    shared = _without(CLOSE_FACE, "beard", "beard_color")
    separate = BEARD
    fixed = (CLOTHED, CLOTHED)


class AvatarsSmile(AvatarTask, posed="close"):
    """A: faces with one straight mouth. B: seven expressions of the mouth. No beards, no glasses.

    A moustache would hide the mouth, which is the content to transfer.
    """

    name = "avatars-smile"
    summary = "posed faces with a straight mouth and with 7 expressions; true results known"
    shared = _without(CLOSE_FACE, "mouth", "beard", "beard_color")
    separate = EXPRESSION
    fixed = (CLOTHED | {"mouth": "serious"}, CLOTHED)


class AvatarsHat(AvatarTask, posed="wide"):
    """A: faces with one haircut of one colour. B: the same under a hat. No glasses.

    In this style a hat takes the place of the hair. So the hair of A is fixed: B could not show it.
    """

    name = "avatars-hat"
    summary = "posed faces without and with a hat (4 kinds, 5 colours); true results known"
    shared = _without(FACE, "hair", "hair_color", "hat_color")
    separate = HAT
    fixed = (BARE, BARE)


class AvatarsTwo(AvatarTask):
    """A: shaven faces without glasses. B: with glasses, a beard or both (a third of them)."""

    name = "avatars-two"
    summary = "drawn faces without and with glasses, a beard, or both; true results known"
    shared = _without(FACE, "beard", "beard_color")
    separate = GLASSES + BEARD
    may_lack = ("glasses", "beard")


class AvatarsStyle(AvatarTask):
    """A: Avataaars in navy clothes on white. B: the same people as ToonHead.

    The colours of B's clothes and backgrounds vary.
    """

    name = "avatars-style"
    summary = "the same faces in two drawing styles, B in varied colours; true results known"
    shared = STYLED_FACE
    separate = APPEARANCE
    fixed = (NEUTRAL | {"style": "avataaars"}, {"style": "toon-head", "clothes": "plain"})


class AvatarsStyles3(AvatarTask):
    """As `avatars-style`, with a third domain: Personas in navy clothes on white.

    That style has no eyebrows.
    """

    name = "avatars-styles3"
    summary = "the same faces in three drawing styles, B in varied colours; true results known"
    shared = STYLED_FACE
    separate = APPEARANCE
    fixed = (*AvatarsStyle.fixed, NEUTRAL | {"style": "personas"})

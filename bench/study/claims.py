"""The claims of the field, which `claims.toml` states as hypotheses before any cell is run.

A claim compares two rows: a method or an anchor, with the fields of its configuration that the
claim changes. It names the number that is compared, which row should be higher, and by how much.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NotRequired, cast

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from bench.contracts.anchors import ANCHORS, WITHOUT_SEED, configured_as
from bench.contracts.labels import brackets, setting_text
from bench.contracts.record import Number
from bench.contracts.registry import Registry
from bench.plan.configure import configure
from bench.plan.profiles import Setting, choose_profile, profiles
from bench.plan.tuned import Origin
from bench.records.schema import error_in
from bench.utils.errors import UserError, unknown
from bench.utils.seeds import parse_seeds

CLAIMS = Path(__file__).with_name("claims.toml")
Direction = Literal["higher", "lower"]
SetValue = bool | int | float | str | list[int] | list[float] | list[str]


@with_config(ConfigDict(extra="forbid"))
class _SideTable(TypedDict):
    method: str
    set: NotRequired[dict[str, SetValue]]
    detail: NotRequired[str]


@with_config(ConfigDict(extra="forbid"))
class _ClaimTable(TypedDict):
    statement: str
    source: str
    left: _SideTable
    right: _SideTable
    task: str
    profile: str
    metric: str
    direction: Direction
    margin: Number
    seeds: str


@dataclass(frozen=True)
class Row:
    """What trains the cells of one side of a claim. Claims that name the same row share its cells.

    Attributes:
        method: the name of a method or of an anchor.
        settings: what the row changes in the configuration, as `--set` options.
        task, profile, seeds: as in a `bench.plan.plan.Request`.
    """

    method: str
    settings: tuple[str, ...]
    task: str
    profile: str
    seeds: str

    @property
    def has_seeds(self) -> bool:
        """Whether its numbers depend on the seed, which those of most anchors do not."""
        return self.method not in WITHOUT_SEED


@dataclass(frozen=True)
class Side:
    """One side of a claim.

    Attributes:
        row: what is run.
        label: the method, with the changed fields in brackets.
        detail: keys into the detail of the metric, joined by dots, as "glasses.value"; "" for the
            value of the metric itself.
    """

    row: Row
    label: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.label} ({self.detail})" if self.detail else self.label


@dataclass(frozen=True)
class Claim:
    """A hypothesis: the left side is higher, or lower, than the right side by more than a margin.

    Attributes:
        id: its name in `claims.toml`.
        statement: the claim in one plain sentence.
        source: where the field states it.
        left, right: the two sides.
        metric: the id of the number that is compared.
        direction: whether the left side should be higher or lower.
        margin: the difference that counts in practice, in the unit of the metric. A negative margin
            states that the left side is not worse by more than this (non-inferiority).
        family: how many claims its file states. Holm's method counts all of them, so a verdict does
            not depend on which claims are judged together.
    """

    id: str
    statement: str
    source: str
    left: Side
    right: Side
    metric: str
    direction: Direction
    margin: float
    family: int = 1

    @property
    def sides(self) -> tuple[Side, Side]:
        """The side that should be higher, then the other one."""
        return (self.left, self.right) if self.direction == "higher" else (self.right, self.left)


def family_of(claims: Sequence[Claim]) -> int:
    """Return the number of hypotheses that Holm's method counts."""
    return max([len(claims), *(claim.family for claim in claims)])


def read_claims(
    registry: Registry,
    path: Path | None = None,
    only: Iterable[str] = (),
    seeds: str = "",
    profile: str = "",
    settings: Iterable[str] = (),
) -> list[Claim]:
    """Return claims of a file, in the order of the file. All claims of the file are checked.

    Args:
        registry: the methods, metrics and tasks that a claim can name.
        path: the file; None for the claims of the suite.
        only: ids of the claims to return; none for all.
        seeds: the seeds of all claims, as in 0-4; "" for those of each claim.
        profile: the profile of all claims; "" for that of each claim.
        settings: `--set profile.FIELD=VALUE` options for all claims.

    Raises:
        UserError: the file cannot be read, a claim has an unknown key, name or value, or there is
            no claim of this id.
    """
    path = path or CLAIMS
    if seeds:
        parse_seeds(seeds)
    if profile:
        choose_profile(profile)
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the claims in {path} ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a TOML file of claims ({error})") from error
    given = {key: value for key, value in (("seeds", seeds), ("profile", profile)) if value}
    claims = {
        name: _claim(registry, path, name, table, given, tuple(settings))
        for name, table in tables.items()
    }
    chosen = dict.fromkeys(only) or dict.fromkeys(claims)
    for name in chosen:
        if name not in claims:
            raise unknown("claim", name, claims)
    return [replace(claims[name], family=len(claims)) for name in claims if name in chosen]


def _claim(
    registry: Registry,
    path: Path,
    name: str,
    table: Any,
    given: Mapping[str, str],
    settings: tuple[str, ...],
) -> Claim:
    """Return a claim of the file, with the given seeds and profile in place of its own.

    Raises:
        UserError: the claim is wrong; the message names the file and the claim.
    """
    try:
        return _checked(registry, name, table, given, settings)
    except UserError as error:
        raise UserError(f"{path.name}, claim {name}: {error}") from None


def _checked(
    registry: Registry,
    name: str,
    table: Any,
    given: Mapping[str, str],
    settings: tuple[str, ...],
) -> Claim:
    _check_keys(table, _ClaimTable)
    for side in ("left", "right"):
        _check_keys(table.get(side) if isinstance(table, dict) else None, _SideTable, f"{side}.")
    if said := error_in(_ClaimTable, table):
        raise UserError(said)
    checked = cast("_ClaimTable", table)
    known = {
        "task": [plugin.name for plugin in registry.all("task")],
        "metric": list(registry.infos()),
        "profile": list(profiles()),
    }
    for kind, names in known.items():
        if table[kind] not in names:
            raise unknown(kind, table[kind], names)
    parse_seeds(checked["seeds"])
    context = {key: given.get(key, table[key]) for key in ("task", "profile", "seeds")}
    left, right = (
        _side(registry, checked[which], context, settings) for which in ("left", "right")
    )
    if left == right:
        raise UserError(f"left and right are both {left}: expected two different rows")
    return Claim(
        id=name,
        statement=checked["statement"],
        source=checked["source"],
        left=left,
        right=right,
        metric=checked["metric"],
        direction=checked["direction"],
        margin=float(checked["margin"]),
    )


def _check_keys(table: Any, form: Any, before: str = "") -> None:
    """Check that a table has only keys of a form.

    Raises:
        UserError: it has another key.
    """
    for key in table if isinstance(table, dict) else ():
        if key not in form.__annotations__:
            raise unknown("key", before + key, [before + one for one in form.__annotations__])


def _side(
    registry: Registry,
    table: _SideTable,
    context: Mapping[str, str],
    profile_settings: tuple[str, ...],
) -> Side:
    """Return a side of a claim.

    Raises:
        UserError: there is no such method, its configuration has no such field, or the field does
            not take the value.
    """
    method, changes = table["method"], table.get("set", {})
    methods = {plugin.name for plugin in registry.all("method")}
    if method not in methods | ANCHORS.keys():
        raise unknown("method", method, methods | ANCHORS.keys())
    owner = configured_as(method)
    if owner in methods:
        values = [Setting(owner, field, setting_text(value)) for field, value in changes.items()]
        configure(registry.find("method", owner), Origin(), values)
    elif changes:
        raise UserError(f"{method} has no configuration: leave 'set' out")
    settings = [f"{owner}.{field}={setting_text(value)}" for field, value in changes.items()]
    row = Row(method, (*profile_settings, *sorted(settings)), **context)
    return Side(row, method + brackets(changes), table.get("detail", ""))

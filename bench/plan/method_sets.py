"""The methods that a run names: single ones, and sets of them such as `core`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contracts.anchors import ANCHORS
from bench.contracts.registry import Registry
from bench.records.select import ALL
from bench.utils.errors import unknown

SETS: Mapping[str, tuple[str, ...]] = {
    "core": ("autoencoder", "press2019", "ufdn", "drit", "d2ae"),
    "contrastive": ("double_infogan", "sepvae"),
}
"""Names for several methods. A set has all anchors, too, so that its board has floors and ceilings.

core: the first comparison of the field, for a quick look. contrastive: the methods of contrastive
analysis, which call A the background and B the target.
"""


def chosen_methods(registry: Registry, names: Sequence[str]) -> list[str]:
    """Return methods and anchors by name, each once.

    Args:
        registry: The registry of methods.
        names: Names of methods, of anchors and of `SETS`. `all` stands for every method that needs
            no more labels than the domain, and for all anchors.

    Raises:
        UserError: there is no such method, anchor or set.
    """
    plugins = registry.all("method")
    methods = [plugin.name for plugin in plugins]
    unsupervised = [p.name for p in plugins if p.facts.get("supervision", "domain") == "domain"]
    sets = {ALL: unsupervised, **SETS}
    chosen: list[str] = []
    for name in names:
        if name in methods or name in ANCHORS:
            chosen.append(name)
        elif name in sets:
            chosen += [*sets[name], *ANCHORS]
        else:
            registry.require_usable("method", name)
            raise unknown("method", name, [*sets, *methods, *ANCHORS])
    return list(dict.fromkeys(chosen))

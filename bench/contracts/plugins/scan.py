"""Finds the plug-ins in a file by its source text, so that no code of it runs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from bench.contracts.plugins.plugin import BASES, Kind, Plugin
from bench.contracts.source_facts import gaps_in, has_own_config, literals
from bench.contracts.source_files import parsed


def scan(path: Path, only: Kind | None = None, module: str = "") -> list[Plugin]:
    """Return the plug-ins of a file: the subclasses of a contract that have a literal name.

    A class may also derive from another class of the file.

    Args:
        path: the file.
        only: the kind to look for; None for all.
        module: the import name of the file if it belongs to an installed package (see `Plugin`).

    Raises:
        UserError: the file cannot be read, or is not valid Python.
    """
    tree = parsed(path)
    kinds: dict[str, Kind] = {base: kind for kind, base in BASES.items()}
    facts_of: dict[str, dict[str, Any]] = {}
    gaps_of: dict[str, tuple[dict[str, str] | None, bool]] = {}
    owners: dict[str, str] = {}  # by class, the plug-in whose Config it has
    plugins = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base).rsplit(".", 1)[-1] for base in node.bases]
        base = next((base for base in bases if base in kinds), None)
        if base is None:
            continue
        kind = kinds[node.name] = kinds[base]
        facts = facts_of[node.name] = facts_of.get(base, {}) | literals(node)
        known = all(base in BASES.values() or base in gaps_of for base in bases)
        gaps = gaps_of[node.name] = gaps_in(node, gaps_of.get(base, ({}, False)) if known else None)
        owner = "" if has_own_config(node) else owners.get(base, "")
        if "name" in literals(node) and only in (None, kind):
            plugins.append(
                Plugin(kind, facts["name"], node.name, path, facts, *gaps, owner, module)
            )
        owners[node.name] = owner or str(facts.get("name", ""))
    return plugins

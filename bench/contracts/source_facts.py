"""Reads facts of a plug-in's class from its syntax tree, so that no plug-in has to run."""

from __future__ import annotations

import ast
import contextlib
import re
from typing import Any

from bench.contracts.metric import MetricInfo


def literals(node: ast.ClassDef) -> dict[str, Any]:
    """Return the class attributes that are literals, with `numbers` as facts of metrics."""
    found = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        if isinstance(target, ast.Name):
            with contextlib.suppress(ValueError):
                numbers = target.id == "numbers"
                found[target.id] = _infos(value) if numbers else ast.literal_eval(value)
    return found


def has_own_config(node: ast.ClassDef) -> bool:
    """Return whether a class defines or assigns a `Config`."""
    own = [item.name for item in node.body if isinstance(item, ast.ClassDef)]
    assigned = [item for item in node.body if isinstance(item, ast.Assign | ast.AnnAssign)]
    return "Config" in own or any(ast.unparse(one).startswith("Config") for one in assigned)


def gaps_in(
    node: ast.ClassDef, inherited: tuple[dict[str, str] | None, bool] | None
) -> tuple[dict[str, str] | None, bool]:
    """Return `Plugin.gaps` and `asks`. inherited: those of the base; None if it is elsewhere."""
    own = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    found = [item for item in own if item.name == "unavailable"]
    if not found:
        return (None, True) if inherited is None else inherited
    body, gaps = found[-1].body, {}
    if isinstance(body[0], ast.Expr):
        body = body[1:]  # its docstring
    while body and (gap := _GAP.fullmatch(ast.unparse(body[0]))):
        gaps[gap[1]] = str(ast.literal_eval(gap[2]))
        body = body[1:]
    plain = len(body) == 1 and ast.unparse(body[0]) == "return ''"
    return gaps, not plain


_GAP = re.compile(r"if settings\.(\w+) is None:\n    return ('[^'\\\n]*')")
"""A statement that says what is missing, as `ast.unparse` writes it."""


def _infos(value: ast.expr) -> tuple[MetricInfo, ...] | str:
    """Return the facts in a tuple of `MetricInfo` calls, or a message about what is wrong.

    Raises:
        ValueError: the expression is not a tuple of such calls.
    """
    if not isinstance(value, ast.Tuple | ast.List):
        raise ValueError
    found = []
    for call in value.elts:
        if not isinstance(call, ast.Call) or ast.unparse(call.func).split(".")[-1] != "MetricInfo":
            raise ValueError
        facts = {}
        for keyword in call.keywords:
            try:
                facts[str(keyword.arg)] = ast.literal_eval(keyword.value)
            except ValueError:
                return f"{keyword.arg} of a number is not a literal: {ast.unparse(keyword.value)}"
        try:
            found.append(MetricInfo(**facts))
        except (TypeError, ValueError) as error:
            said = str(error).removeprefix("MetricInfo.__init__() ")
            return f"number {facts.get('id')!r}: {said}"
    return tuple(found)

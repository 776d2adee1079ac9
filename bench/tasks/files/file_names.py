"""Compares and orders the names of files and folders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter

from bench.tasks.files.decode import path_text
from bench.utils.errors import UserError

Words = tuple[str | int, ...]
"""A name as alternating texts and numbers. The first is a text, which may be empty."""


def normal(name: str) -> str:
    """Return the form of a name that is compared: letters with accents are one character (NFC).

    Systems store such names in different forms that look the same.
    """
    return unicodedata.normalize("NFC", name)


def in_order(names: Sequence[str], what: str) -> list[str]:
    """Return names in their only sensible order.

    Names that differ in one number, which counts up without a gap, come in the order of that
    number. All others come in the order of their text, which must also be that of their numbers.

    Args:
        names: the names.
        what: the place of the names, with which the message begins.

    Raises:
        UserError: the order by text and the order by numbers differ.
    """
    words = {name: _words(name) for name in names}
    by_number = sorted(names, key=words.__getitem__)
    if _is_counted([words[name] for name in by_number]):
        return by_number
    for one, other in pairwise(by_number):
        if words[one] == words[other]:
            raise UserError(
                f"{what}: {path_text(one)} and {path_text(other)} have the same place in the "
                "order of the names: rename one of them"
            )
    for form in ("NFC", "NFD"):  # the form of accents changes the order by text
        by_text = sorted(names, key=lambda name: unicodedata.normalize(form, name))
        for one, other in zip(by_number, by_text, strict=True):
            if one != other:
                raise UserError(
                    f"{what}: the order of the names is not clear, {path_text(other)} comes before "
                    f"{path_text(one)} by text and after it by numbers or accents: write the "
                    "numbers with leading zeros, as in 00002.png"
                )
    return by_number


def _words(name: str) -> Words:
    found = re.split(r"(\d+)", normal(name))
    return tuple(int(word) if at % 2 else word for at, word in enumerate(found))


def _is_counted(ordered: Sequence[Words]) -> bool:
    """Return whether ordered names differ in one number only, which counts up by 1."""
    if len({len(words) for words in ordered}) != 1:
        return False
    columns = [set(map(itemgetter(at), ordered)) for at in range(len(ordered[0]))]
    varying = [at for at, values in enumerate(columns) if len(values) > 1]
    if len(varying) != 1 or not varying[0] % 2:
        return False
    numbers = [int(words[varying[0]]) for words in ordered]
    return all(after == before + 1 for before, after in pairwise(numbers))

r"""What others have named or said, made harmless where it is shown: terminal, XML, Markdown, CSV.

Names of methods, tasks and folders, reasons of failures and values of `--set` may hold anything.
What cannot be seen is shown as Python writes it (`\x1b`), and what has a meaning to the place
where it is shown loses it there. Needs nothing but the standard library and tabulate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but for tab and newline, what turns the direction of text, and what is no
character: all that XML 1.0 forbids is among them."""
_SPAN = re.compile(r"(`[^`\n]+`)")
"""Code in a sentence of Markdown."""
_SPECIAL = re.compile(
    r"[\\|`<*~$]"
    r"|&(?=[#\w])"  # the beginning of an entity
    r"|(?<![^\W_])_|_(?![^\W_])"  # within a word it has no meaning
    r"|(?<=\])[(\[:]"  # what makes a link of brackets
    r"|^[#>]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """Return a text without what steers a terminal or is not allowed in XML; lines stay lines."""
    return _UNSEEN.sub(_shown, text)


def one_line(text: str) -> str:
    """Return a text as `printable` does, and in one line."""
    return printable(text).replace("\n", "\\n")


def _shown(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def markdown_name(text: str) -> str:
    """Return a name so that Markdown shows it as it is, in a table too."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))


def markdown_prose(text: str) -> str:
    """Return a sentence so that Markdown shows it as it is; code in backticks stays code."""
    parts = _SPAN.split(one_line(text))
    parts[::2] = [_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    parts[1::2] = [part.replace("|", r"\|") for part in parts[1::2]]
    return "".join(parts)


def markdown_code(text: str) -> str:
    """Return a text as code of Markdown, whatever backticks it holds."""
    line = one_line(text)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown. Heads and cells are Markdown already (see `markdown_name`)."""
    from tabulate import tabulate  # here, because every verb imports this module

    return str(tabulate(rows, heads, tablefmt="pipe", disable_numparse=True))


def csv_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown

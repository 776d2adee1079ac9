r"""Escapes text from users and plug-ins for the terminal, XML, Markdown, LaTeX and CSV.

Names of methods, tasks and folders, reasons of failures and values of `--set` may hold any
character. Invisible characters are written as Python escapes (`\x1b`), and characters with a
special meaning in the output format are escaped. Needs only the standard library and tabulate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters except tab and newline, marks that change the direction of text, and code
points that are not characters. They include all that XML 1.0 forbids."""
_SPAN = re.compile(r"(`[^`\n]+`)")
"""Inline code of Markdown."""
_SPECIAL = re.compile(
    r"[\\|`<*~$]"
    r"|&(?=[#\w])"  # the start of an entity
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore within a word is plain text
    r"|(?<=\])[(\[:]"  # after brackets, these make a link
    r"|^[#>]"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What begins a formula in a spreadsheet; the last four are the wide forms of the first four."""
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"{\ttfamily\char34}",  # \textquotedbl needs another encoding of fonts
        "'": r"\textquotesingle{}",
        "`": r"\textasciigrave{}",
        **{character: f"\\{character}" for character in "{}$&#_%"},
    }
)


def printable(text: str) -> str:
    """Return a text with invisible characters as escapes; tabs and newlines stay."""
    return _UNSEEN.sub(_as_escape, text)


def one_line(text: str) -> str:
    """Return a text as `printable` does, with newlines as escapes too."""
    return printable(text).replace("\n", "\\n")


def _as_escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def markdown_name(text: str) -> str:
    """Return a name that Markdown shows unchanged, also in a table."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))


def markdown_prose(text: str) -> str:
    """Return a sentence that Markdown shows unchanged; code in backticks stays code."""
    parts = _SPAN.split(one_line(text))
    parts[::2] = [_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    parts[1::2] = [part.replace("|", r"\|") for part in parts[1::2]]
    return "".join(parts)


def markdown_code(text: str) -> str:
    """Return a text as inline code of Markdown, even if it holds backticks."""
    line = one_line(text)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; heads and cells must be Markdown already (see `markdown_name`)."""
    from tabulate import tabulate  # imported here, because every verb imports this module

    return str(tabulate(rows, heads, tablefmt="pipe", disable_numparse=True))


def latex_text(text: str) -> str:
    """Return a text that LaTeX shows unchanged, also in a table."""
    escaped = one_line(text).translate(_LATEX)
    return re.sub("-(?=-)", "-{}", escaped)  # two hyphens would join into a dash


def csv_text(text: str) -> str:
    """Return a text that no spreadsheet reads as a formula."""
    escaped = printable(text)
    return f"'{escaped}" if escaped.startswith(_FORMULA) else escaped

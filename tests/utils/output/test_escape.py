"""Text of any content is shown without harm."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.utils.output.console import print_table, say
from bench.utils.output.escape import one_line, printable
from tests.helpers import ODD_CHARACTERS


def test_what_cannot_be_seen_is_shown():
    """case 19: what steers a terminal, and all that XML 1.0 forbids."""
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("\x9b2J\x7f") == "\\x9b2J\\x7f"
    assert printable("\udcff\ufffe\uffff") == "\\udcff\\ufffe\\uffff"
    assert printable("line\n\ttab, ä, 漢字, 👩‍🚀, עברית") == "line\n\ttab, ä, 漢字, 👩‍🚀, עברית"
    assert one_line("a\nb\rc") == "a\\nb\\rc"
    allowed = {0x9, 0xA, 0xD, *range(0x20, 0xD800), *range(0xE000, 0xFFFE)}
    for code in set(range(0x10000)) - allowed:
        assert printable(chr(code)).isascii()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_terminal_gets_no_escape_sequence(terminal):
    """case 19: a reason, a cell, a head, a title; and no line that GitHub takes for a command."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, color_system=None, width=300)
    say(console, f"failed: {ODD_CHARACTERS}\n::error::x")
    print_table(
        console,
        [f"head {ODD_CHARACTERS}", "b"],
        [(ODD_CHARACTERS, "x\n::error::y")],
        title=ODD_CHARACTERS,
    )
    shown = file.getvalue().replace("\x1b[3m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert not set(shown) & set("\x1b\x9b\x00\r\u202e\ufffe")
    assert not any(line.strip().startswith("::") for line in shown.splitlines())

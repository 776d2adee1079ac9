"""Turns names and sentences into safe HTML. Every name is shown as the text that it is."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from bench.utils.output.escape import one_line

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Code points for private use. They mark a name inside a sentence until it becomes HTML."""
_NAME = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_SPAN = re.compile(r"`([^`\n]+)`")


def named(name: str) -> str:
    """Return a name marked as code, for a sentence that `prose` turns into HTML."""
    return f"{_OPEN}{_without_marks(one_line(name))}{_CLOSE}"


def prose(sentence: str) -> Markup:
    """Return a sentence as HTML: marked names and spans in backticks become code."""
    parts = _NAME.split(sentence)
    parts[::2] = [_with_spans(_without_marks(one_line(part))) for part in parts[::2]]
    parts[1::2] = [_code(name) for name in parts[1::2]]
    return Markup("").join(parts)


def plain(text: str) -> str:
    """Return text for an attribute or a label: one line, without invisible characters."""
    return _without_marks(one_line(text))


def _with_spans(text: str) -> Markup:
    parts: list[str] = _SPAN.split(text)
    parts[::2] = [escape(part) for part in parts[::2]]
    parts[1::2] = [_code(part) for part in parts[1::2]]
    return Markup("").join(parts)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _without_marks(text: str) -> str:
    return text.replace(_OPEN, "").replace(_CLOSE, "")

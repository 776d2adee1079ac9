"""Pauses the collection of cyclic garbage while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Run a block without collections, each of which would look at every object that is alive.

    Thousands of records are millions of objects. Use it for blocks that leave few cycles behind:
    their memory is only free after the block. As a decorator it is for the calls of a function.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

"""Freed memory stays in the process until it is given back."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import psutil, torch
from bench.utils.allocator import keep_freed_memory, return_freed_memory
def held():
    return psutil.Process().memory_info().rss / 2**20
keep_freed_memory()
before = held()
torch.ones(100, 2**18)  # 100 MiB, freed at once
kept = held() - before
return_freed_memory()
print(kept, held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told what to do")
def test_freed_memory_is_kept_and_can_be_given_back():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    kept, left = map(float, done.stdout.split())
    assert kept > 90
    assert left < 20

"""Colour profiles made by hand."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

P3 = [(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)]


def profile(primaries, curve, space=b"RGB "):
    """Return an ICC profile by its primaries and its curve: a gamma, or a table."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    points = [round(curve * 256)] if isinstance(curve, float) else curve
    tone = b"curv\0\0\0\0" + struct.pack(f">I{len(points)}H", len(points), *points)
    parts = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text\0\0\0\0-\0",
        b"wtpt": xyz(0.9642, 1, 0.8249),
    }
    if space == b"GRAY":
        parts[b"kTRC"] = tone
    else:
        for letter, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
            parts |= {letter + b"XYZ": xyz(*primary), letter + b"TRC": tone}
    return icc_file(parts, b"mntr", space, b"XYZ ")


def icc_file(parts, device, space, pcs):
    table, body, at = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for key, value in parts.items():
        table += struct.pack(">4sII", key, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02100000, device, space, pcs)
    head = head.ljust(36, b"\0") + b"acsp".ljust(32, b"\0")
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def noise():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))

"""Pictures broken in what only their own formats have: chunks with checksums, announced sizes."""

from __future__ import annotations

import struct
import zlib
from random import Random

from .mutate import mutated, zlibbed

_SIDES = (0, 1, 64, 4096, 8192, 16_384, 100_000, 2**31 - 1)


def png(data: bytes, rng: Random) -> bytes:
    """A PNG whose chunks are changed, with right checksums."""
    if rng.random() < 0.3:
        return mutated(data, rng)
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    k = rng.randrange(len(chunks))
    name, content = chunks[k]
    kind = rng.randrange(5)
    if kind == 0:
        del chunks[k]
    elif kind == 1:
        chunks[k:k] = [chunks[k]] * rng.choice((1, 50))
    elif name == b"IHDR" and len(content) == 13:
        sides = [rng.choice((0, 1, 64, 20_000, 2**31 - 1)) for _ in range(2)]
        depth = bytes(rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)) for _ in range(2))
        chunks[k] = (name, struct.pack(">II", *sides) + depth + content[10:])
    elif name == b"IDAT":
        chunks[k] = (name, zlibbed(mutated)(content, rng) if kind == 2 else mutated(content, rng))
    else:
        chunks[k] = (name, mutated(content, rng))
    out = data[:8]
    for name, content in chunks:
        out += struct.pack(">I", len(content)) + name + content
        out += struct.pack(">I", zlib.crc32(name + content))
    return out


def exr(data: bytes, rng: Random) -> bytes:
    """An OpenEXR file that announces other sizes, and has room for their tables of offsets."""
    name = b"dataWindow\0box2i\0" + struct.pack("<i", 16)
    at = data.find(name)
    if at < 0 or rng.random() < 0.5:
        return mutated(data, rng)
    width, height = rng.choice(_SIDES), rng.choice(_SIDES)
    at += len(name)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    return data[:at] + window + data[at + 16 :] + bytes(rng.choice((0, 1000, 100_000)))


def hdr(data: bytes, rng: Random) -> bytes:
    """A Radiance file that announces another size."""
    at, end = data.find(b"-Y "), data.find(b"\n", data.find(b"-Y "))
    if at < 0 or rng.random() < 0.5:
        return mutated(data, rng)
    return data[:at] + b"-Y %d +X %d" % (rng.choice(_SIDES), rng.choice(_SIDES)) + data[end:]

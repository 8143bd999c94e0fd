"""Breaking files on purpose, the same way for the same seed.

Plain bytes are not enough: archives and compressed files have checksums, which would catch every
change before a reader's own code is reached. So what is packed is unpacked, changed and packed
again.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

Mutation = Callable[[bytes, Random], bytes]

_NUMBERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_WORDS = (
    "",
    "0",
    "-1",
    "1e308",
    "1e999",
    "nan",
    "NaN",
    "Infinity",
    "-inf",
    "null",
    "true",
    "[]",
    "{}",
    '"',
    "\\",
    "\x00",
    "99999999999999999999",
    "9" * 5000,
    "1e-10",
    "é",
    "../..",
    "\ud7ff",
    "[" * 3000,
    '{"a":' * 3000,
    "%s%n",
    "-9223372036854775808",
)
MARKER = "PICKLE_RAN"
"""A file of this name appears in the working folder when a pickle of ours is loaded."""

PICKLE = b"cbuiltins\nopen\n(V" + MARKER.encode() + b"\nVw\ntR."
"""Opens a file for writing when it is unpickled, by the oldest protocol."""


def mutated(data: bytes, rng: Random) -> bytes:
    """Bytes with one to four faults."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        out = bytearray(rng.choice(_BYTES)(out, rng))
    return bytes(out)


def _flip(data: bytearray, rng: Random) -> bytearray:
    for _ in range(rng.randint(1, 16)):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _number(data: bytearray, rng: Random) -> bytearray:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(_NUMBERS) % (1 << 8 * size)
    at = _place(data, rng)
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return data


def _cut(data: bytearray, rng: Random) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _remove(data: bytearray, rng: Random) -> bytearray:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 16, 512, len(data)))]
    return data


def _repeat(data: bytearray, rng: Random) -> bytearray:
    at = _place(data, rng)
    part = data[at : at + rng.choice((1, 8, 64, 1024))]
    data[at:at] = part * rng.choice((1, 3, 200))
    return data


def _fill(data: bytearray, rng: Random) -> bytearray:
    at = _place(data, rng)
    size = min(rng.choice((4, 32, 256, 4096)), len(data) - at)
    data[at : at + size] = bytes([rng.choice((0, 255, 127, 32))]) * size
    return data


def _insert(data: bytearray, rng: Random) -> bytearray:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
    return data


def _place(data: bytearray, rng: Random) -> int:
    """Half of the faults go to the first bytes, where the headers are."""
    end = min(len(data), 64) if rng.random() < 0.5 else len(data)
    return rng.randrange(max(end, 1))


_BYTES = (_flip, _flip, _number, _number, _cut, _remove, _repeat, _fill, _insert)


# Text ---------------------------------------------------------------------------------------


def text(data: bytes, rng: Random) -> bytes:
    """A text file with changed numbers, words and lines; now and then with changed bytes."""
    if rng.random() < 0.15:
        return mutated(data, rng)
    out = data.decode("utf-8", "replace")
    for _ in range(rng.randint(1, 3)):
        out = rng.choice((_swap_word, _swap_word, _lines, _lines, _splice))(out, rng)
    return out.encode("utf-8", "surrogatepass")


def _swap_word(whole: str, rng: Random) -> str:
    found = list(re.finditer(r"[\w.+-]+", whole))
    if not found:
        return rng.choice(_WORDS)
    at = rng.choice(found)
    return whole[: at.start()] + rng.choice(_WORDS) + whole[at.end() :]


def _lines(whole: str, rng: Random) -> str:
    lines = whole.split("\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines[at:at] = [lines[other]] * rng.choice((1, 2, 500))
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines = lines[:at]
    return "\n".join(lines)


def _splice(whole: str, rng: Random) -> str:
    at = rng.randrange(len(whole) + 1)
    return whole[:at] + rng.choice(_WORDS) + whole[at + rng.choice((0, 1, 5)) :]


def json_text(data: bytes, rng: Random) -> bytes:
    """A JSON file with other values in its tree, or changed as :func:`text`."""
    if rng.random() < 0.3:
        return text(data, rng)
    try:
        tree = json.loads(data)
    except ValueError:
        return text(data, rng)
    return json.dumps(_value(tree, rng)).encode()


_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1e308,
    float("nan"),
    "",
    "x" * 10_000,
    [],
    {},
    [[]],
    {"a": 1},
    "../../x",
    "\x00",
    10**400,
    [1] * 1000,
)


def _value(tree: Any, rng: Random) -> Any:
    """The tree with one branch changed."""
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        key = rng.choice(sorted(tree))
        if rng.random() < 0.15:
            return {k: v for k, v in tree.items() if k != key}
        return {**tree, key: _value(tree[key], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.9:
        at = rng.randrange(len(tree))
        if rng.random() < 0.1:
            return tree[:at] + tree[at + 1 :]
        return [*tree[:at], _value(tree[at], rng), *tree[at + 1 :]]
    return rng.choice(_VALUES)


# Arrays -------------------------------------------------------------------------------------


def npz(data: bytes, rng: Random) -> bytes:
    """An .npz whose members are changed, with right checksums; now and then the archive itself."""
    if rng.random() < 0.2:
        return mutated(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in rng.sample(sorted(members), min(rng.randint(1, 2), len(members))):
        kind = rng.random()
        if kind < 0.1:
            del members[name]
        elif kind < 0.15:
            members[name] = members[rng.choice(sorted(members))]
        else:
            members[name] = npy(members[name], rng)
    out = io.BytesIO()
    packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def torch_zip(data: bytes, rng: Random) -> bytes:
    """What torch saves: an archive of a pickle and of numbers. The pickle is changed, or is one
    that opens a file, with right checksums."""
    if rng.random() < 0.2:
        return mutated(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in members if name.endswith("data.pkl"))
    if rng.random() < 0.3:
        members[pickled] = PICKLE
    elif rng.random() < 0.6:
        members[pickled] = mutated(members[pickled], rng)
    else:
        name = rng.choice(sorted(members))
        members[name] = mutated(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def npy(data: bytes, rng: Random) -> bytes:
    """An .npy with other values, another shape or type, a header that lies, or a pickle."""
    kind = rng.random()
    if kind < 0.15 or not data.startswith(b"\x93NUMPY"):
        return mutated(data, rng)
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if kind < 0.4:
        return _lying(array, rng)
    if kind < 0.45:
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + PICKLE
    out = io.BytesIO()
    np.save(out, _changed(array, rng), allow_pickle=False)
    return out.getvalue()


def _lying(array: np.ndarray[Any, Any], rng: Random) -> bytes:
    huge = rng.choice((10**6, 10**9, 2**31, 2**40, 2**62, 2**64, -1, 0))
    shape = list(array.shape)
    if shape:
        shape[rng.randrange(len(shape))] = huge
    else:
        shape = [huge]
    kind = rng.choice((array.dtype.str, "<f8", "<U1000000", "|V8", "<M8[s]", "<c16", "|S0", "|b1"))
    order = rng.random() < 0.3
    text = f"{{'descr': {kind!r}, 'fortran_order': {order}, 'shape': {tuple(shape)}, }}"
    if rng.random() < 0.15:
        text = rng.choice(("(" * 5000, "{", "{'descr': '<f8'", "[" * 200, "\x00" * 64, "{1:" * 99))
    header = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + array.tobytes()


def _changed(array: np.ndarray[Any, Any], rng: Random) -> np.ndarray[Any, Any]:
    out = np.array(array)
    kind = rng.randrange(9)
    if kind <= 3 and out.size and out.dtype.kind in "fiub":
        flat = out.reshape(-1)
        floats = (np.nan, np.inf, -np.inf, 1e38, -1e38, 0.0, -1.0, 1e-45)
        whole = (-1, 0, 1, 2**31 - 1, 2**20, 255)
        values = floats if out.dtype.kind == "f" else whole
        with np.errstate(all="ignore"):
            many = rng.random() < 0.3
            place = slice(None) if many else rng.randrange(out.size)
            flat[place] = np.array(rng.choice(values)).astype(out.dtype)
        return flat.reshape(out.shape)
    if kind == 4:
        return out[:0] if out.ndim else out.reshape(1)
    if kind == 5:
        return out.reshape(-1)[: rng.randrange(out.size + 1)]
    if kind == 6:
        return np.asarray(out.T)
    if kind == 7:
        return np.array(rng.choice((0, 3.5, "text", True, -1)))
    types = ("float16", "float64", "int8", "uint64", "bool", "complex64", "U3", "datetime64[s]")
    with np.errstate(all="ignore"):
        try:
            return out.astype(rng.choice(types))
        except (ValueError, TypeError):
            return out[None]


def safetensors(data: bytes, rng: Random) -> bytes:
    """A safetensors file with another header, or other values in its tensors."""
    if rng.random() < 0.2:
        return mutated(data, rng)
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    names = [name for name in header if name != "__metadata__"]
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(names)
        kind = rng.randrange(6)
        if kind == 0 and "__metadata__" in header:
            header["__metadata__"] = _metadata(header["__metadata__"], rng)
        elif kind == 1:
            shape = header[name]["shape"]
            header[name]["shape"] = rng.choice(
                ([0], [0, 3, 10**9], [2**40], [*shape, 1], shape[::-1], [10**9] * 4, [])
            )
        elif kind == 2:
            header[name]["dtype"] = rng.choice(("F64", "I64", "U8", "BOOL", "BF16", "F16", "X"))
        elif kind == 3:
            header = _value(header, rng)
            break
        else:
            start, end = header[name]["data_offsets"]
            body[start:end] = _words(bytes(body[start:end]), rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(body)


def _metadata(metadata: dict[str, str], rng: Random) -> dict[str, str]:
    name = rng.choice(sorted(metadata))
    return {**metadata, name: json_text(metadata[name].encode(), rng).decode("utf-8", "replace")}


def _words(data: bytes, rng: Random) -> bytes:
    """Some of the numbers of a tensor, whatever their type: all bits set (a NaN), none, others."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 20))):
        size = rng.choice((2, 4, 8))
        at = rng.randrange(max(len(out) // size, 1)) * size
        fresh = rng.choice((b"\xff" * size, b"\0" * size, rng.randbytes(size)))
        out[at : at + size] = fresh[: len(out) - at]
    return bytes(out[: len(data)])


# Packed -------------------------------------------------------------------------------------


def gzipped(data: bytes, rng: Random) -> bytes:
    """A gzip stream of which the content is changed; now and then a bomb."""
    if rng.random() < 0.25:
        return mutated(data, rng)
    content = gzip.decompress(data)
    if rng.random() < 0.05:
        return gzip.compress(content + bytes(1 << 28), 9, mtime=0)
    return gzip.compress(mutated(content, rng), 1, mtime=0)


def zlibbed(inner: Mutation) -> Mutation:
    """The same for a bare zlib stream."""

    def mutate(data: bytes, rng: Random) -> bytes:
        if rng.random() < 0.2:
            return mutated(data, rng)
        return zlib.compress(inner(zlib.decompress(data), rng), 1)

    return mutate


def glb(data: bytes, rng: Random) -> bytes:
    """A binary glTF whose JSON or buffer is changed, with right lengths."""
    if rng.random() < 0.25:
        return mutated(data, rng)
    size = int.from_bytes(data[12:16], "little")
    told, rest = data[20 : 20 + size], data[28 + size :]
    if rng.random() < 0.7:
        told = json_text(told, rng)
        told += b" " * (-len(told) % 4)
    else:
        rest = mutated(rest, rng)
    chunks = struct.pack("<I", len(told)) + b"JSON" + told
    chunks += struct.pack("<I", len(rest)) + b"BIN\0" + rest
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def tar(inner: Callable[[str], Mutation]) -> Mutation:
    """A tar file with changed members; ``inner`` says how by a member's name."""

    def mutate(data: bytes, rng: Random) -> bytes:
        if rng.random() < 0.25:
            return mutated(data, rng)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = [(entry, archive.extractfile(entry)) for entry in archive.getmembers()]
            files = [(entry, file.read()) for entry, file in members if file is not None]
        k = rng.randrange(len(files))
        entry, content = files[k]
        content = inner(entry.name)(content, rng)
        kind = rng.randrange(6)
        if kind == 0:
            entry.name = rng.choice(("../../evil.json", "/evil.json", "a" * 300 + ".json", "\n."))
        elif kind == 1:
            entry.type = rng.choice((tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, b"9"))
            entry.linkname = "/etc/passwd"
        files[k] = (entry, content)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for entry, content in _with_sums(files):
                entry.size = len(content) if entry.isreg() else 0
                archive.addfile(entry, io.BytesIO(content))
        return out.getvalue()

    return mutate


def _with_sums(files: list[tuple[tarfile.TarInfo, bytes]]) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A shard's JSON has its members' checksums: set them right, where it can still be read."""
    sums = {entry.name.partition(".")[2]: zlib.crc32(content) for entry, content in files}
    out = []
    for entry, content in files:
        if entry.name.endswith(".json"):
            try:
                about = json.loads(content)
                about["crc32"] = {name: sums.get(name, 0) for name in about["crc32"]}
                content = json.dumps(about).encode()
            except (ValueError, TypeError, KeyError, RecursionError):
                pass
        out.append((entry, content))
    return out

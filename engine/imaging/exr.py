"""OpenEXR files with colour, transparency and depth, for compositing programs.

They have one part, scan lines and ZIP compression. There is a writer here because Blender's Python
has no library for them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.color import srgb_to_linear
from ..core.types import FloatArray
from ..files.atomic import atomic_write

NO_DEPTH = 1e10
"""Depth of empty pixels, as Blender writes it."""

ALPHA_SEEN = 1.0 / 255.0
"""Alpha below which a pixel has no depth."""

DEPTH_CHANNEL = "Depth.Z"

_PIXEL_TYPES = {np.dtype(np.float16): 1, np.dtype(np.float32): 2}
_LINES_A_BLOCK = 16
_ZIP = 3


def write_exr(path: Path, channels: Mapping[str, NDArray[np.float16 | np.float32]]) -> None:
    """Write an OpenEXR file atomically.

    Args:
        path: The file.
        channels: [H, W] float16 or float32 by name, all of one size.

    Raises:
        ValueError: The channels differ in size.
        LikenessError: The folder is missing, full or read-only.
    """
    arrays = {name: np.ascontiguousarray(channels[name]) for name in sorted(channels)}
    sizes = {array.shape for array in arrays.values()}
    if len(sizes) != 1:
        raise ValueError(f"channels of one size are needed, got {sizes}")
    ((height, width),) = sizes
    header = _header(arrays, width, height)
    blocks = [
        _block(arrays, y, min(y + _LINES_A_BLOCK, height)) for y in range(0, height, _LINES_A_BLOCK)
    ]
    starts = np.cumsum([len(header) + 8 * len(blocks), *(len(b) for b in blocks[:-1])])
    with atomic_write(path) as scratch, scratch.open("wb") as file:
        file.write(header)
        file.write(starts.astype("<u8").tobytes())
        file.writelines(blocks)


def write_exr_frame(
    path: Path,
    rgb: FloatArray,
    alpha: FloatArray,
    depth: FloatArray,
    covered: FloatArray | None = None,
    passes: Mapping[str, FloatArray] | None = None,
) -> None:
    """Write a rasteriser's picture: premultiplied linear colour (half) and depth (float).

    Args:
        path: The file.
        rgb: [H, W, 3] premultiplied sRGB, as ``render.rasterize`` draws it on black.
        alpha: [H, W] in 0..1.
        depth: [H, W] metres along the view axis.
        covered: [H, W] coverage; the depth below ``ALPHA_SEEN`` is ``NO_DEPTH``. None takes
            ``alpha``.
        passes: [H, W, 3] further colours by the pass's name, like ``rgb``.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    covered = alpha if covered is None else covered
    channels: dict[str, NDArray[np.float16 | np.float32]] = {}
    for prefix, colors in (("", rgb), *((f"{name}.", p) for name, p in (passes or {}).items())):
        straight = colors / np.maximum(alpha, 1e-6)[..., None]
        linear = srgb_to_linear(np.clip(straight, 0.0, 1.0)) * alpha[..., None]
        channels |= {f"{prefix}{c}": linear[..., k].astype(np.float16) for k, c in enumerate("RGB")}
    channels["A"] = alpha.astype(np.float16)
    channels[DEPTH_CHANNEL] = np.where(covered >= ALPHA_SEEN, depth, NO_DEPTH).astype(np.float32)
    write_exr(path, channels)


def _header(arrays: dict[str, NDArray[np.float16 | np.float32]], width: int, height: int) -> bytes:
    channel_list = b"".join(
        name.encode() + b"\0" + struct.pack("<iBxxxii", _PIXEL_TYPES[array.dtype], 0, 1, 1)
        for name, array in arrays.items()
    )
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes: list[tuple[str, str, bytes]] = [
        ("channels", "chlist", channel_list + b"\0"),
        ("compression", "compression", struct.pack("<B", _ZIP)),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<ff", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    ]
    body = b"".join(
        name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in attributes
    )
    return struct.pack("<ii", 20000630, 2) + body + b"\0"  # magic number, version 2: scan lines


def _block(arrays: dict[str, NDArray[np.float16 | np.float32]], start: int, end: int) -> bytes:
    """Lines ``start`` to ``end``: line by line, channel by channel, then EXR's ZIP."""
    lines = [
        array[y].astype(array.dtype.newbyteorder("<")).tobytes()
        for y in range(start, end)
        for array in arrays.values()
    ]
    raw = np.frombuffer(b"".join(lines), np.uint8)
    # Low and high bytes apart, then differences of neighbours about 128.
    split = np.concatenate([raw[0::2], raw[1::2]]).astype(np.int16)
    split[1:] = split[1:] - split[:-1] + 128
    packed = zlib.compress((split & 255).astype(np.uint8).tobytes(), 4)
    data = packed if len(packed) < len(raw) else raw.tobytes()
    return struct.pack("<ii", start, len(data)) + data

"""Pictures of the surroundings from files: lat-long, linear (:mod:`.core.spherical_harmonics`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, LikenessError
from ..files.untrusted import read_bytes, require_file

ENVIRONMENT_SUFFIXES = (".exr", ".hdr")

_MAX_PIXELS = 16384 * 8192
_MAX_HDR_BYTES = 5 * _MAX_PIXELS
"""Four bytes a pixel, and room for runs that save nothing."""

_SMALL = 64 << 20
"""Decoded bytes that an OpenEXR file of any size may announce."""

_MAX_EXPANSION = 8192
"""Decoded bytes, four of each value, per byte of a larger one. At 8192 x 4096 pixels one colour has
1,900 with ZIP, and a studio of three lamps on black 800, or 4,600 with DWAB."""

_MAX_RUN = 127
"""Equal pixels that two bytes of a Radiance file hold."""

_LATLONG = "Give a lat-long picture of the surroundings, twice as wide as high."


def read_environment(path: Path) -> FloatArray:
    """[H, W, 3] linear float32 of an OpenEXR or a Radiance file, without Blender.

    Raises:
        LikenessError: the file is missing, not a readable .exr or .hdr, or it is an .exr and the
            package OpenEXR is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in ENVIRONMENT_SUFFIXES:
        raise LikenessError(f"'{path}' is not an .exr or .hdr file.", _LATLONG)
    require_file(path, _LATLONG)
    return _read_hdr(path) if suffix == ".hdr" else _read_exr(path)


def load_environment(path: Path) -> FloatArray:
    """[H, 2H, 3] linear float32: :func:`read_environment`, checked.

    Raises:
        LikenessError: as there, or the picture's shape is not H x 2H, or it is black.
    """
    return check_environment(read_environment(path), path)


def check_environment(picture: FloatArray, path: Path) -> FloatArray:
    """Return a picture [H, 2H, 3] float32 without alpha, NaN and infinities.

    Args:
        picture: [H, 2H, 3 or more].
        path: its file, for the message.

    Raises:
        LikenessError: its shape is not H x 2H, or it is black.
    """
    shape = np.shape(picture)
    good = len(shape) == 3 and shape[2] >= 3 and shape[0] >= 2 and shape[1] == 2 * shape[0]
    clean = np.nan_to_num(picture[..., :3], nan=0.0, posinf=65504.0).clip(0.0) if good else None
    if clean is None or not clean.any():
        raise LikenessError(
            f"'{path}' is not a lat-long environment: its shape is {shape}"
            + ("." if clean is None else " and it is black."),
            "Give pictures that are twice as wide as high and show the whole surroundings.",
        )
    return np.asarray(clean, np.float32)


def turn_environment(picture: FloatArray, degrees: float) -> FloatArray:
    """Turn surroundings about y, counter-clockwise from above: at 90, what was at +z is at +x.

    Args:
        picture: [H, 2H, C].
        degrees: of the turn.
    """
    columns = -degrees / 360.0 * picture.shape[1]
    whole = int(np.floor(columns))
    part = np.float32(columns - whole)
    near = np.roll(picture, whole, axis=1)
    return near if part == 0 else near * (1 - part) + np.roll(near, 1, axis=1) * part


def _read_exr(path: Path) -> FloatArray:
    try:
        import OpenEXR
    except ImportError as error:
        raise LikenessError(
            f"'{path}' needs the package OpenEXR to be read without Blender.",
            "Install the package OpenEXR, or give the environment as an .hdr file.",
        ) from error
    try:
        headers = [part.header for part in OpenEXR.File(str(path), header_only=True).parts]
        _check_exr_headers(headers, path.stat().st_size)
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            if "RGB" in channels or "RGBA" in channels:
                pixels = channels["RGB" if "RGB" in channels else "RGBA"].pixels[..., :3]
            else:
                pixels = np.stack([channels[name].pixels for name in "RGB"], -1)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as an environment ({error}).",
            "Give a lat-long picture with the channels R, G and B, saved with ZIP compression.",
        ) from error
    return np.asarray(pixels, np.float32)


def _check_exr_headers(headers: Sequence[Mapping[str, Any]], size: int) -> None:
    """Check an OpenEXR file's sizes and channels before its pixels take memory.

    Args:
        headers: of its parts, which are decoded together.
        size: of the file, in bytes.

    Raises:
        ValueError: they are too large, too large for such a small file, or the first part has
            other channels.
    """
    values = 0
    for header in headers:
        low, high = (np.asarray(corner, np.int64) for corner in header["dataWindow"])
        width, height = (int(v) for v in high - low + 1)
        count = len(header["channels"])
        values += width * height * count
        told = f"{width} x {height} pixels, with {count} channels"
        if min(width, height) < 1 or values > 4 * _MAX_PIXELS:
            raise ValueError(f"it announces {told}")
        if 4 * values > max(_SMALL, _MAX_EXPANSION * size):
            raise ValueError(f"it announces {told}, in {size:,} bytes")
    names = {str(channel.name) for channel in headers[0]["channels"]} if headers else set()
    if not set("RGB") <= names:
        raise ValueError("it lacks one of the channels R, G and B")


def _read_hdr(path: Path) -> FloatArray:
    """A Radiance picture (RGBE), as Ward's *Real Pixels* (Graphics Gems II) describes it."""
    try:
        data = read_bytes(path, _MAX_HDR_BYTES)
        header, _, rest = data[:65536].partition(b"\n\n")
        size = re.match(rb"-Y (\d{1,6}) \+X (\d{1,6})\n", rest)
        if not header.startswith(b"#?") or b"FORMAT=32-bit_rle_rgbe" not in header or not size:
            raise ValueError("it is not an RGBE picture, upper row first")
        height, width = int(size[1]), int(size[2])
        if not 0 < height * width <= _MAX_PIXELS:
            raise ValueError(f"it announces {width} x {height} pixels")
        rgbe = _unpack_rows(data, len(header) + 2 + size.end(), height, width)
    except (OSError, ValueError, IndexError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a Radiance picture ({error}).", _LATLONG
        ) from error
    scale = np.ldexp(np.float32(1.0), rgbe[..., 3].astype(np.int32) - (128 + 8))
    scale[rgbe[..., 3] == 0] = 0.0
    return np.asarray((rgbe[..., :3] + np.float32(0.5)) * scale[..., None], np.float32)


def _unpack_rows(data: bytes, at: int, height: int, width: int) -> NDArray[np.uint8]:
    """[H, W, 4] bytes from plain rows, or from rows whose channels are run-length encoded."""
    if data[at : at + 4] != bytes((2, 2, width >> 8, width & 255)):
        plain = np.frombuffer(data, np.uint8, offset=at)
        if len(plain) < 4 * height * width:
            raise ValueError("it ends too early, or has the runs of very old files")
        return plain[: 4 * height * width].reshape(height, width, 4)
    runs = -(-width // _MAX_RUN)
    if len(data) - at < height * (4 + 4 * 2 * runs):  # all of them as long as can be
        raise ValueError(f"it announces {width} x {height} pixels and ends too early for them")
    out = np.empty((height, 4, width), np.uint8)
    for row in out:
        if data[at : at + 4] != bytes((2, 2, width >> 8, width & 255)):
            raise ValueError("a row does not begin where it should")
        at += 4
        for channel in row:
            done = 0
            while done < width:
                count = data[at]
                same = count > 128
                count -= 128 * same
                if not 0 < count <= width - done:
                    raise ValueError("a run is longer than its row")
                values = data[at + 1 : at + 2] if same else data[at + 1 : at + 1 + count]
                if len(values) != (1 if same else count):
                    raise ValueError("it ends too early")
                channel[done : done + count] = np.frombuffer(values, np.uint8)
                done, at = done + count, at + 1 + len(values)
    return out.transpose(0, 2, 1)

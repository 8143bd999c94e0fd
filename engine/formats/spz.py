"""Gaussian SPZ files, Niantic's compressed format, through gsply.

Files are of version 3: one gzip stream, positions in fixed point, rotations as the smallest three
of a quaternion, scales, colours and opacities in a byte each. The axes are right, up, back, which
are the engine's as a viewer sees them. Precision: 3 % in scale, 1/270 in colour, 8 micrometres in
position.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import gsply
import numpy as np

from ..core.types import Gaussians, LikenessError
from ..files.atomic import atomic_write
from ..files.untrusted import iter_decompressed, read_bytes, wrap_parser_errors
from .ply import decode_gaussians, encode_gaussians

FRACTION_BITS = 16
"""Of the 24 bits of a coordinate: steps of 15 micrometres, up to 127 m."""

MAX_METRES = 2.0 ** (23 - FRACTION_BITS) - 1
"""Colours outside are clipped; photos stay within 0..1."""


MAX_BYTES = 2 << 30
_HEADER = struct.Struct("<IIIB3x")  # magic number, version, splats, degree, 3 bytes more
_MAGIC = 0x5053474E
_HARMONICS = {0: 0, 1: 3, 2: 8, 3: 15, 4: 24}  # coefficients beyond the first, by degree
_POINT = 9 + 1 + 3 + 3 + 3  # bytes: place, opacity, colour, scale, rotation before version 3
_EXTENSIONS = 1 << 20  # bytes that may follow
_GZIP_TIME = 4, 4  # offset and length, in bytes, of the time at which a gzip stream was made


def write_spz(gaussians: Gaussians, path: Path) -> None:
    """Write RGB Gaussians atomically.

    Args:
        gaussians: The Gaussians.
        path: The file.

    Raises:
        LikenessError: The folder cannot be written to, or they lie too far from the origin.
    """
    far = float(np.abs(gaussians.means).max(initial=0.0))
    if far > MAX_METRES:
        raise LikenessError(
            f"Cannot write '{path}': the splats reach {far:.0f} m from the origin.",
            f"SPZ files hold {MAX_METRES:.0f} m. Move the avatar nearer, or write a PLY file.",
        )
    means, log_scales, quats, logits, sh0 = encode_gaussians(gaussians)
    data = gsply.GSData(
        means, log_scales, quats, logits, sh0, np.zeros((len(means), 0, 3), np.float32)
    )
    with atomic_write(path) as scratch:
        gsply.write_spz(scratch, data, version=3, fractional_bits=FRACTION_BITS)
        with scratch.open("r+b") as file:  # the same avatar is the same bytes at any time
            start, length = _GZIP_TIME
            file.seek(start)
            file.write(bytes(length))


def _check(data: bytes) -> None:
    """Check that the stream is as long as its header says.

    It is unpacked in small parts, because a few bytes may expand to gigabytes.

    Raises:
        ValueError: It is not.
    """
    parts = iter_decompressed(data)
    start = b""
    while len(start) < _HEADER.size and (part := next(parts, None)) is not None:
        start += part
    if len(start) < _HEADER.size:
        raise ValueError("it has no header")
    magic, version, points, degree = _HEADER.unpack_from(start)
    if magic != _MAGIC or version not in (1, 2, 3) or degree not in _HARMONICS:
        raise ValueError("it is not an SPZ file of version 1 to 3")
    size = _HEADER.size + points * (_POINT + (version == 3) + 3 * _HARMONICS[degree])
    found = len(start)
    for part in parts:
        found += len(part)
        if found > size + _EXTENSIONS:
            break
    if not size <= found <= size + _EXTENSIONS:
        raise ValueError(f"its {points:,} splats need {size:,} bytes, which it does not have")


def read_spz(path: Path) -> Gaussians:
    """Read an SPZ file of version 1 to 3.

    View-dependent colours are reduced to their mean, with a warning.

    Raises:
        LikenessError: The file does not exist, is not an SPZ file, or has a later version.
    """
    remedy = "Give an SPZ file of version 1 to 3."
    try:
        _check(read_bytes(path, MAX_BYTES))
        with wrap_parser_errors():
            means, scales, quats, opacities, sh0, sh_rest = gsply.read_spz(path).unpack()
    except (OSError, ValueError) as error:
        raise LikenessError(f"Cannot read '{path}' as SPZ ({error}).", remedy) from error
    if sh_rest is not None and sh_rest.size:
        warnings.warn(
            f"'{path}' has colours that change with the view; their mean is used.", stacklevel=2
        )
    return decode_gaussians(path, means, scales, quats, opacities, sh0, remedy)

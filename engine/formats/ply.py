"""Gaussian PLY files as 3D Gaussian splatting programs write them; gsply reads them.

The file stores ``scale_*`` as the natural logarithm of metres, ``opacity`` before the sigmoid,
``rot_*`` as w, x, y, z, and colours as the first spherical-harmonics coefficient:
``f_dc = (rgb - 0.5) / 0.28209``. Files do not record their axes: see :data:`UPS`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import gsply
import numpy as np

from ..core.rotations import matrix_to_quaternion, quaternion_multiply
from ..core.types import FloatArray, Gaussians, LikenessError
from ..files.atomic import atomic_write
from ..files.untrusted import file_size, wrap_parser_errors

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""

_MIN_SCALE = 1e-9  # metres; zero has no logarithm
_MIN_OPACITY = 1e-6  # neither 0 nor 1 has a logit


_HEADER_BYTES = 1 << 16
_MAX_ROWS = 1 << 28
_WIDTHS = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64"), 8),
}
"""Bytes of each property type."""

_PROPERTIES = (
    *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)
"""What a written file has of each Gaussian, in this order."""

UPS: dict[str, FloatArray] = {
    "y": np.eye(3),
    "-y": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}
"""Rotations [3, 3] from the engine's axes to the file's, by the file's up axis. ``y``: the engine's
own, facing +z. ``-y``: facing -z, common in photogrammetry and expected by splat viewers. ``z``:
facing -y, Blender's."""


def rotate_gaussians(gaussians: Gaussians, R: FloatArray) -> Gaussians:
    """Rotate Gaussians without view-dependent colour about the origin.

    Args:
        gaussians: The Gaussians.
        R: [3, 3] rotation.
    """
    if np.array_equal(R, np.eye(3)):
        return gaussians
    quats = quaternion_multiply(matrix_to_quaternion(R), gaussians.quats.astype(np.float64))
    means = (gaussians.means.astype(np.float64) @ R.T).astype(np.float32)
    return Gaussians(
        means, quats.astype(np.float32), gaussians.scales, gaussians.opacities, gaussians.colors
    )


def encode_gaussians(
    gaussians: Gaussians,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the values of RGB Gaussians as files store them.

    Args:
        gaussians: The Gaussians.

    Returns:
        means: [N, 3] float32 metres.
        scales: [N, 3] float32 logarithms of metres.
        quats: [N, 4] float32 as w, x, y, z.
        opacities: [N] float32 logits.
        sh0: [N, 3] float32 first spherical-harmonics coefficients.

    Raises:
        ValueError: The colours are not RGB.
    """
    if gaussians.colors.shape[1] != 3:
        raise ValueError(f"the file holds RGB, not {gaussians.colors.shape[1]} channels")
    opacity = np.clip(np.asarray(gaussians.opacities, np.float64), _MIN_OPACITY, 1 - _MIN_OPACITY)
    return (
        np.ascontiguousarray(gaussians.means, np.float32),
        np.log(np.maximum(gaussians.scales, _MIN_SCALE)).astype(np.float32),
        np.ascontiguousarray(gaussians.quats, np.float32),
        np.log(opacity / (1 - opacity)).astype(np.float32),
        ((np.asarray(gaussians.colors) - 0.5) / SH_C0).astype(np.float32),
    )


def decode_gaussians(
    path: Path,
    means: FloatArray,
    scales: FloatArray,
    quats: FloatArray,
    opacities: FloatArray,
    sh0: FloatArray,
    remedy: str,
) -> Gaussians:
    """Invert :func:`encode_gaussians`.

    Args:
        path: The file, for messages.
        means: [N, 3] metres.
        scales: [N, 3] logarithms.
        quats: [N, 4] as w, x, y, z, of any length.
        opacities: [N] logits.
        sh0: [N, 3] first spherical-harmonics coefficients.
        remedy: Of the error.

    Raises:
        LikenessError: Values are not finite.
    """
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gaussians = Gaussians(
            means=np.array(means, np.float32),
            quats=(quats / length).astype(np.float32),
            scales=np.exp(scales).astype(np.float32),
            opacities=(1 / (1 + np.exp(-opacities.astype(np.float64)))).astype(np.float32),
            colors=(sh0 * SH_C0 + 0.5).astype(np.float32),
        )
    for name in ("means", "quats", "scales", "opacities", "colors"):
        if not np.isfinite(getattr(gaussians, name)).all():
            raise LikenessError(f"'{path}' has {name} that are not finite.", remedy)
    return gaussians


def write_ply(gaussians: Gaussians, path: Path, up: str = "y") -> None:
    """Write RGB Gaussians atomically.

    Args:
        gaussians: The Gaussians.
        path: The file.
        up: The file's up axis, one of ``UPS``.

    Raises:
        LikenessError: The folder cannot be written to.
    """
    # Not by gsply: where torch is installed it imports all of that, which takes seconds, and from
    # the values it guesses whether scales are logarithms.
    means, scales, quats, opacities, sh0 = encode_gaussians(rotate_gaussians(gaussians, UPS[up]))
    columns = means, sh0, opacities[:, None], scales, quats
    rows = np.concatenate(columns, 1, dtype="<f4", casting="same_kind")
    with atomic_write(path) as scratch:
        _write_rows(scratch, rows)


def _write_rows(path: Path, rows: FloatArray) -> None:
    """Write a file of the rows [N, properties], not atomically."""
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    header += [f"property float {name}" for name in _PROPERTIES]
    with path.open("wb") as file:
        file.write("\n".join([*header, "end_header\n"]).encode("ascii"))
        file.write(rows.tobytes())


def check_ply_header(path: Path) -> None:
    """Check that a PLY file has the rows that its header announces.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is not valid.
    """
    size = file_size(path)
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    header, end, _ = start.partition(b"end_header\n")
    if not start.startswith(b"ply") or not end:
        raise ValueError("it has no PLY header")
    needed = len(header) + len(end)
    count = width = 0
    for line in header.decode("ascii", "replace").splitlines():
        match line.split():
            case ["format", kind, *_] if kind != "binary_little_endian":
                raise ValueError(f"its format is {kind}, not binary_little_endian")
            case ["element", _, number]:
                needed += count * width
                count, width = int(number) if number.isdigit() else -1, 0
                if not 0 <= count <= _MAX_ROWS:
                    raise ValueError(f"it announces {number[:20]} rows")
            case ["property", "list", *_] if count:
                raise ValueError("it has faces, unlike Gaussians")
            case ["property", kind, _]:
                width += _WIDTHS.get(kind, 0)
    needed += count * width
    if needed > size:
        raise ValueError(f"its header announces {needed:,} bytes, but it has {size:,}")


def read_ply(path: Path, up: str = "y") -> Gaussians:
    """Read a Gaussian PLY file, compressed or not.

    View-dependent colours are reduced to their mean, with a warning.

    Args:
        path: The file.
        up: The file's up axis, one of ``UPS``.

    Raises:
        LikenessError: The file does not exist, or does not hold Gaussians.
    """
    remedy = "Give a PLY file of 3D Gaussians."
    try:
        check_ply_header(path)
        with wrap_parser_errors():
            data = gsply.plyread(path)
            means, scales, quats, opacities, sh0, sh_rest = data.unpack()
    except (OSError, ValueError) as error:
        raise LikenessError(f"Cannot read '{path}' as Gaussians ({error}).", remedy) from error
    if sh_rest is not None and sh_rest.size:
        warnings.warn(
            f"'{path}' has colours that change with the view; their mean is used.", stacklevel=2
        )
    return rotate_gaussians(
        decode_gaussians(path, means, scales, quats, opacities, sh0, remedy), UPS[up].T
    )

"""Gaussians without a body, as Blender's mesh holds them: a triangle each, in Blender's axes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from ..core.color import srgb_to_linear
from ..core.rotations import quaternion_to_matrix
from ..core.types import FloatArray, Gaussians, IntArray, LikenessError
from ..files.untrusted import require_file
from .mesh import CORNERS, SplatMesh
from .mesh_arrays import pack_mesh, read_array_steps, unpack_mesh

MEAN = "splat_mean"
AXES = ("splat_axis_1", "splat_axis_2", "splat_axis_3")
"""FACE attributes [N, 3]: the place, and the three axes times their standard deviations, the
longest first; Blender's axes."""

_FIELDS = (
    *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
)
_PACKED = "packed_position"  # compressed files hold their fields otherwise
_HEADER_BYTES = 1 << 16
_MIN_SCALE = 1e-7


def check_ply_fields(path: Path) -> None:
    """Check that a PLY file has the fields that Gaussians need.

    Raises:
        LikenessError: the file is missing, is not a PLY file, or lacks fields (the error names
            them).
    """
    require_file(path, "Give a PLY file of 3D Gaussians.")
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER_BYTES)
    except OSError as error:
        raise LikenessError(
            f"Cannot read '{path}': {error.strerror or error}.", "Check the file's name."
        ) from error
    header, end, _ = start.partition(b"end_header")
    if not start.startswith(b"ply") or not end:
        raise LikenessError(f"'{path}' is not a PLY file.", "Give a PLY file of 3D Gaussians.")
    words = [line.split() for line in header.decode("ascii", "replace").splitlines()]
    found = {line[-1] for line in words if line[:1] == ["property"]}
    missing = [name for name in _FIELDS if name not in found]
    if missing and _PACKED not in found:
        raise LikenessError(
            f"'{path}' does not hold Gaussians: it lacks {', '.join(missing)}.",
            "Give a PLY file of 3D Gaussians; for meshes and points use Blender's own import.",
        )


def make_static_mesh(gaussians: Gaussians) -> SplatMesh:
    """Make the mesh of Gaussians in engine axes with sRGB colours."""
    order = np.argsort(-np.asarray(gaussians.scales), axis=1)
    scales = np.maximum(
        np.take_along_axis(np.asarray(gaussians.scales, float), order, 1), _MIN_SCALE
    )
    R = quaternion_to_matrix(np.asarray(gaussians.quats, np.float64))
    axes = np.take_along_axis(R, order[:, None, :], 2) * scales[:, None, :]  # columns
    means = np.asarray(gaussians.means, np.float64)
    faces: dict[str, FloatArray | IntArray] = {MEAN: _blender(means)}
    faces |= {name: _blender(axes[:, :, k]) for k, name in enumerate(AXES)}
    corners = means[:, None] + np.einsum("kc,nac->nka", CORNERS.astype(float), axes[:, :, :2])
    rgb = srgb_to_linear(np.clip(gaussians.colors, 0.0, 1.0))
    colors = np.concatenate([rgb, np.asarray(gaussians.opacities)[:, None]], 1)
    return SplatMesh(faces, colors.astype(np.float32), corners.reshape(-1, 3).astype(np.float32))


def save_static(mesh: SplatMesh, path: Path) -> None:
    """Write a mesh for :func:`load_static_steps`."""
    with path.open("wb") as file:
        np.savez(file, **pack_mesh(mesh))


def load_static_steps(path: Path) -> Generator[None, None, SplatMesh]:
    """Read what :func:`save_static` wrote, one array a step; the generator returns it.

    Raises:
        LikenessError: the file is missing or damaged.
    """
    arrays = yield from read_array_steps(path)
    return unpack_mesh(arrays)


def _blender(vectors: FloatArray) -> FloatArray:
    """Engine axes to Blender's: (x, y, z) becomes (x, -z, y)."""
    out: FloatArray = np.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], 1)
    return out.astype(np.float32)

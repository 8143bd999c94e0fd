"""The z-buffer on NVIDIA GPUs, by nvdiffrast (Laine et al. 2020): the maps of :mod:`.mesh`.

nvdiffrast draws in OpenGL's clip space and starts pictures at the row where y is -1. Our y points
down and our row 0 is at the top, so that neither is flipped. Needs torch; nvdiffrast is imported
when a mesh is drawn.
"""

from __future__ import annotations

import importlib
from functools import cache
from subprocess import SubprocessError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.types import BoolArray, Camera, FloatArray, IntArray, LikenessError
from .gpu_package import installed_version
from .mesh import NEAR, MeshBuffer

MIN_VERSION = (0, 3, 3)
"""The first nvdiffrast that draws pictures of any size without OpenGL."""

_DEVICE = "cuda"
_SLACK = 1e-3  # part of the depth by which the clip planes stand off the mesh


def why_unavailable() -> str | None:
    """Return why this back end cannot draw here, or None if it can."""
    version = installed_version("nvdiffrast", torch.cuda.is_available())
    if isinstance(version, str):
        return version
    if version < MIN_VERSION:
        found, wanted = (".".join(map(str, numbers)) for numbers in (version, MIN_VERSION))
        return f"nvdiffrast {found} is older than {wanted}"
    return None


def clip_matrix(camera: Camera, near: float, far: float) -> FloatArray:
    """Return the matrix from world to clip space.

    x / w and y / w are -1 and 1 at the picture's sides, z / w is -1 at depth ``near`` and 1 at
    ``far``, and w is the depth. Pixel centres lie at +0.5 in both, so that pixel x is at
    x / w = 2 x / width - 1.

    Args:
        camera: The camera.
        near: Metres along the view axis.
        far: Metres along the view axis.

    Returns:
        [4, 4].
    """
    K, w, h = camera.K, camera.width, camera.height
    span = far - near
    lens = np.array(
        [
            [2 * K[0, 0] / w, 2 * K[0, 1] / w, 2 * K[0, 2] / w - 1, 0],
            [0, 2 * K[1, 1] / h, 2 * K[1, 2] / h - 1, 0],
            [0, 0, (far + near) / span, -2 * far * near / span],
            [0, 0, 1, 0],
        ]
    )
    out: FloatArray = lens @ camera.viewmat
    return out


def rasterize_mesh_cuda(
    vertices: FloatArray, f: IntArray, camera: Camera, *, cull_back: bool = False
) -> MeshBuffer:
    """Draw like :func:`.mesh.rasterize_mesh` with nvdiffrast.

    Args:
        vertices: [V, 3] world space, metres.
        f: [F, 3] triangles, counter-clockwise seen from outside.
        camera: The camera.
        cull_back: Skip triangles that face away from the camera.

    Raises:
        LikenessError: No nvdiffrast, none recent enough, no GPU, or no kernels.
    """
    points = np.asarray(vertices, np.float64)
    z = points @ camera.viewmat[2, :3] + camera.viewmat[2, 3]
    rows = np.flatnonzero((z[f] >= NEAR).all(1))  # as there: the near plane splits no triangle
    corners = np.asarray(f)[rows]
    near, far = (z[corners].min(), z[corners].max()) if len(rows) else (1.0, 1.0)
    # Clip planes close to the mesh give it the depth's full precision.
    to_clip = clip_matrix(camera, near * (1 - _SLACK), far * (1 + _SLACK))
    clip = points @ to_clip[:, :3].T + to_clip[:, 3]
    if cull_back:
        kept = _faces_camera(clip[corners])
        rows, corners = rows[kept], corners[kept]
    dr, context = _nvdiffrast()
    shape = camera.height, camera.width
    if len(rows) == 0:
        return MeshBuffer(
            np.full(shape, -1, np.int32),
            np.zeros((*shape, 3), np.float32),
            np.full(shape, np.inf, np.float32),
            np.full(shape, -np.inf, np.float32),
        )
    # The second picture has near and far swapped, and so shows the farthest surface.
    both = np.stack([clip, clip * [1, 1, -1, 1]]).astype(np.float32)
    pos = torch.tensor(both, device=_DEVICE)
    tri = torch.tensor(corners.astype(np.int32), device=_DEVICE)
    drawn, _ = dr.rasterize(context, pos, tri, shape, grad_db=False)
    depths = torch.tensor(z.astype(np.float32), device=_DEVICE)
    front, bary, depth = _maps(drawn[0], tri, depths)
    back, _, back_depth = _maps(drawn[1], tri, depths)
    depth = torch.where(front >= 0, depth, torch.inf)
    back_depth = torch.where(back >= 0, back_depth, -torch.inf)
    row = torch.tensor(rows.astype(np.int32), device=_DEVICE)
    face = torch.where(front >= 0, row[front.clamp(min=0)], -1)
    return MeshBuffer(*(out.cpu().numpy() for out in (face, bary, depth, back_depth)))


def _maps(drawn: Tensor, tri: Tensor, depths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn a picture [H, W, 4] of u, v, z / w and triangle numbers (from 1) into maps.

    Returns:
        triangle: [H, W] rows of ``tri``, -1 without one.
        bary: [H, W, 3] barycentric coordinates.
        depth: [H, W] metres.
    """
    triangle = drawn[..., 3].long() - 1
    some = triangle >= 0
    u, v = drawn[..., 0], drawn[..., 1]
    bary = torch.stack([u, v, 1 - u - v], -1) * some[..., None]
    corners = tri[triangle.clamp(min=0)].long()
    return triangle, bary, (bary * depths[corners]).sum(-1)


def _faces_camera(clip: FloatArray) -> BoolArray:
    """Return whether triangles [N, 3, 4] in clip space face the camera, [N]."""
    xy = clip[..., :2] / clip[..., 3:]
    first, second = xy[:, 1] - xy[:, 0], xy[:, 2] - xy[:, 0]
    # y points down, which reverses the winding.
    out: BoolArray = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
    return out


@cache
def _context() -> tuple[Any, Any]:
    """Return nvdiffrast's module and a shared context; older releases build their kernels here."""
    try:
        dr = importlib.import_module("nvdiffrast.torch")
        return dr, dr.RasterizeCudaContext(device=_DEVICE)
    except (ImportError, OSError, RuntimeError, SubprocessError) as error:
        raise LikenessError(
            f"nvdiffrast has no kernels for this computer ({error}).",
            "Install one that fits torch and CUDA, or use the z-buffer 'cpu'.",
        ) from error


def _nvdiffrast() -> tuple[Any, Any]:
    """Return the module and the context if they can be used here."""
    reason = why_unavailable()
    if reason is not None:
        raise LikenessError(
            f"The CUDA z-buffer cannot be used: {reason}.",
            "It needs an NVIDIA GPU, torch built for CUDA, and nvdiffrast 0.3.3; or use 'cpu'.",
        )
    return _context()

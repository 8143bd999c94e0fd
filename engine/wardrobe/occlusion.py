"""Ambient occlusion from depth maps: how much of the sky a surface sees past the things around."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ..core.cameras import intrinsics, look_at, project
from ..core.settings import register_settings
from ..core.types import Camera, FloatArray, IntArray
from ..render.mesh import rasterize_mesh


@dataclass(frozen=True)
class OcclusionSettings:
    """How openness is measured."""

    directions: int = 64
    side: int = 224  # pixels of a depth map
    away: float = 6.0  # metres, from where it is seen
    lifted: float = 0.003  # metres that a point is carried out before it is looked at
    bias: float = 0.002  # metres by which a point may lie behind the surface
    sky: float = 0.35  # how much more light comes from above than from the side


S = register_settings("wardrobe.occlusion", OcclusionSettings())

MAX_KEPT = 32
"""Results that are kept: an item that is tried in several forms, and each that is fitted again,
asks for the same places of the same body."""
_kept: OrderedDict[bytes, FloatArray] = OrderedDict()


def measure_openness(
    points: FloatArray, normals: FloatArray, vertices: FloatArray, f: IntArray
) -> FloatArray:
    """Measure how much [N] of an overcast sky surface points see; 1 on a wall that nothing hides.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit.
        vertices: [V, 3] of what is in the way, metres.
        f: [F, 3] its triangles.
    """
    key = _digest(points, normals, vertices, f)
    found = _kept.pop(key, None)
    if found is None:
        found = _measure(points, normals, vertices, f)
    _kept[key] = found
    while len(_kept) > MAX_KEPT:
        _kept.popitem(last=False)
    return found.copy()


def _digest(*arrays: FloatArray | IntArray) -> bytes:
    """Of all that the openness depends on."""
    digest = hashlib.blake2b(repr(S).encode(), digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _measure(
    points: FloatArray, normals: FloatArray, vertices: FloatArray, f: IntArray
) -> FloatArray:
    low, high = points.min(0), points.max(0)
    target = 0.5 * (low + high)
    radius = 0.5 * float(np.linalg.norm(high - low)) + 0.01
    focal = 0.5 * S.side * S.away / radius
    K = intrinsics(focal, S.side, S.side)
    seen, most = np.zeros(len(points)), np.zeros(len(points))
    at = points + S.lifted * normals
    for k in range(S.directions):
        height = 1.0 - (2 * k + 1) / S.directions
        yaw = np.degrees(np.mod(k * np.pi * (3.0 - np.sqrt(5.0)), 2 * np.pi))
        camera = Camera(
            look_at(target, S.away, yaw, float(np.degrees(np.arcsin(height)))), K, S.side, S.side
        )
        way = -np.asarray(camera.viewmat)[2, :3]
        cosine = np.maximum(normals @ way, 0.0)
        depth = rasterize_mesh(vertices, f, camera)
        xy, z = project(at, camera)
        col, row = np.clip(xy.astype(int), 0, S.side - 1).T
        free = (depth.face[row, col] < 0) | (z < depth.depth[row, col] + S.bias)
        seen += cosine * free * (1.0 + S.sky * way[1])
        most += cosine
    return np.asarray(seen / np.maximum(most, 1e-9))

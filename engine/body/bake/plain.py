"""Plainly shaded pictures of the body that the landmark detectors take for a person."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ...cameras import project
from ...render.mesh import MeshBuffer, rasterize_mesh
from ...types import Camera, FloatArray, IntArray

BACKGROUND = 0.75
SUPERSAMPLING = 2


def vertex_normals(vertices: FloatArray, f: IntArray) -> FloatArray:
    """[V, 3] unit normals, weighted by the triangles' areas."""
    corner = vertices[f]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    out = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(out, f[:, k], normal)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def interpolate(values: FloatArray, f: IntArray, buffer: MeshBuffer) -> FloatArray:
    """Vertex values [V, C] at every covered pixel [P, C], in the order of ``face >= 0``."""
    covered = buffer.face >= 0
    corners = values[f[buffer.face[covered]]]
    return np.einsum("pkc,pk->pc", corners, buffer.bary[covered])


def render_plain(
    vertices: FloatArray,
    f: IntArray,
    colours: FloatArray,
    camera: Camera,
    light: FloatArray,
    normals: FloatArray | None = None,
) -> tuple[FloatArray, MeshBuffer]:
    """A Lambert-shaded picture on grey.

    Args:
        colours: [V, 3] or [F, 3] in 0..1. light: [3] direction towards the light, world space.

    Returns:
        rgb [H, W, 3] float32 and the z-buffer at SUPERSAMPLING times the size.
    """
    large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    buffer = rasterize_mesh(vertices, f, large)
    covered = buffer.face >= 0
    if normals is None:
        normals = vertex_normals(vertices, f)
    normal = interpolate(normals, f, buffer)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    if len(colours) == len(f) and len(f) != len(vertices):
        albedo = colours[buffer.face[covered]]
    else:
        albedo = interpolate(colours, f, buffer)
    to_camera = -camera.viewmat[2, :3]
    lambert = np.clip(normal @ (light / np.linalg.norm(light)), 0.0, 1.0)
    rim = np.clip(normal @ to_camera, 0.0, 1.0)
    picture = np.full((large.height, large.width, 3), BACKGROUND)
    picture[covered] = albedo * ((0.55 + 0.45 * lambert) * (0.75 + 0.25 * rim))[:, None]
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
    small = image.resize((camera.width, camera.height), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255.0, buffer


def surface_hits(
    pixels: FloatArray, camera: Camera, vertices: FloatArray, f: IntArray, buffer: MeshBuffer
) -> tuple[FloatArray, FloatArray]:
    """Back-project pixels [P, 2] of ``camera`` onto the mesh.

    Returns:
        points [P, 3] (nan where a pixel misses the mesh) and their normals [P, 3].
    """
    col = np.clip((pixels[:, 0] * SUPERSAMPLING).astype(int), 0, buffer.face.shape[1] - 1)
    row = np.clip((pixels[:, 1] * SUPERSAMPLING).astype(int), 0, buffer.face.shape[0] - 1)
    face, bary = buffer.face[row, col], buffer.bary[row, col]
    hit = face >= 0
    points = np.full((len(pixels), 3), np.nan)
    normals = np.full((len(pixels), 3), np.nan)
    points[hit] = np.einsum("pkc,pk->pc", vertices[f[face[hit]]], bary[hit])
    normal = np.einsum("pkc,pk->pc", vertex_normals(vertices, f)[f[face[hit]]], bary[hit])
    normals[hit] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return points, normals


def triangulate(
    cameras: list[Camera], pixels: FloatArray, confidence: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """One 3D point from its pixels [C, 2] in several views, robustly.

    Reweighted linear triangulation (Geman-McClure weights on the reprojection error).

    Args:
        confidence: [C] 0..1.

    Returns:
        point [3] and the distance [C] by which each view's ray misses it, metres.
    """
    weight = np.array(confidence, np.float64)
    point = np.zeros(3)
    miss = np.zeros(len(cameras))
    radius = 0.015  # metres; views that miss by more are mostly ignored
    for _ in range(6):
        rows, values = [], []
        for camera, pixel, w in zip(cameras, pixels, weight):
            P = camera.K @ camera.viewmat[:3]
            for axis in (0, 1):
                row = np.sqrt(w) * (pixel[axis] * P[2] - P[axis]) / camera.K[0, 0]
                rows.append(row[:3])
                values.append(-row[3])
        point = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
        for i, (camera, pixel) in enumerate(zip(cameras, pixels)):
            xy, depth = project(point, camera)
            miss[i] = np.linalg.norm(xy - pixel) * float(depth) / camera.K[0, 0]
        weight = confidence / (1.0 + (miss / radius) ** 2) ** 2
    return point, miss

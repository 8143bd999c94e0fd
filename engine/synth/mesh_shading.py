"""Shading of triangle meshes on the z-buffer, and alpha cards (hair, brows) blended over it."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..core.cameras import intrinsics, look_at
from ..core.geometry import vertex_normals
from ..core.types import Camera, FloatArray, IntArray
from ..render.mesh import NEAR, MeshBuffer, rasterize_mesh

SHADOW_SIZE, SHADOW_BIAS = 256, 0.012  # pixels; metres
HEMISPHERE = 10  # directions from which the sky's light is measured


@dataclass(frozen=True)
class Mesh:
    """Triangles with texture coordinates.

    Attributes:
        vertices: [V, 3] world. f: [F, 3]. uv: [F, 3, 2], v down, 0..1. texture: [F] row of the
            textures that it is drawn with; -1 for painted triangles.
        tint: [F, 3] factor on the texture's colours.
        bias: metres by which a card wins against the surface that it lies on.
    """

    vertices: FloatArray
    f: IntArray
    uv: FloatArray
    texture: IntArray
    tint: FloatArray
    bias: float = 0.0


@dataclass(frozen=True)
class SceneLight:
    """``key`` [3] and ``fill`` [3] directions towards the lights (unit), their linear colours
    [3], and the ``sky``'s [3], which comes from everywhere."""

    key: FloatArray
    fill: FloatArray
    key_colour: FloatArray
    fill_colour: FloatArray
    sky: FloatArray


def join_meshes(meshes: list[Mesh]) -> Mesh:
    """All meshes as one."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.f + start for m, start in zip(meshes, starts)]),
        np.concatenate([m.uv for m in meshes]),
        np.concatenate([m.texture for m in meshes]),
        np.concatenate([m.tint for m in meshes]),
    )


@numba.njit(cache=True)
def _sample(textures, row, u, v):  # type: ignore[no-untyped-def]
    """Bilinear RGBA in 0..1 at (u, v) of one texture; repeats at the border."""
    n = textures.shape[1]
    x = (u - np.floor(u)) * n - 0.5
    y = (v - np.floor(v)) * n - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    x1, y1 = (x0 + 1) % n, (y0 + 1) % n
    x0, y0 = x0 % n, y0 % n
    out = np.zeros(4)
    for c in range(4):
        top = textures[row, y0, x0, c] * (1 - fx) + textures[row, y0, x1, c] * fx
        low = textures[row, y1, x0, c] * (1 - fx) + textures[row, y1, x1, c] * fx
        out[c] = (top * (1 - fy) + low * fy) / 255.0
    return out


@numba.njit(cache=True)
def sample_albedo(face, bary, uv, texture, tint, textures):  # type: ignore[no-untyped-def]
    """Colours [P, 3] (as stored) of surface points: face [P], bary [P, 3]."""
    out = np.zeros((face.shape[0], 3), np.float32)
    for i in range(face.shape[0]):
        k = face[i]
        if texture[k] < 0:
            continue
        u = v = 0.0
        for c in range(3):
            u += bary[i, c] * uv[k, c, 0]
            v += bary[i, c] * uv[k, c, 1]
        rgba = _sample(textures, texture[k], u, v)
        for c in range(3):
            out[i, c] = min(1.0, rgba[c] * tint[k, c])
    return out


@numba.njit(cache=True)
def _lit(colour, nx, ny, nz, open_key, open_fill, open_sky, key, fill, colours):  # type: ignore[no-untyped-def]
    """One albedo (as stored) under the lights; colours [3, 3]: key, fill, sky, linear."""
    k = key[0] * nx + key[1] * ny + key[2] * nz
    # Light wraps a little round skin and cloth; without it the terminator is a knife.
    k = max(0.0, (k + 0.15) / 1.15) * open_key
    f = max(0.0, fill[0] * nx + fill[1] * ny + fill[2] * nz) * open_fill
    s = (0.75 + 0.25 * ny) * open_sky
    for c in range(3):
        light = colours[0, c] * k + colours[1, c] * f + colours[2, c] * s
        colour[c] = min(1.0, colour[c] ** 2.2 * light) ** (1 / 2.2)


@numba.njit(cache=True)
def _shade(rgb, face, bary, f, normals, openness, key, fill, colours):  # type: ignore[no-untyped-def]
    for i in range(face.shape[0]):
        nx = ny = nz = to_key = to_fill = to_sky = 0.0
        for k in range(3):
            vertex, w = f[face[i], k], bary[i, k]
            nx += w * normals[vertex, 0]
            ny += w * normals[vertex, 1]
            nz += w * normals[vertex, 2]
            to_key += w * openness[vertex, 0]
            to_fill += w * openness[vertex, 1]
            to_sky += w * openness[vertex, 2]
        long = max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
        _lit(rgb[i], nx / long, ny / long, nz / long, to_key, to_fill, to_sky, key, fill, colours)


def smooth_values(values: FloatArray, f: IntArray, rounds: int) -> FloatArray:
    """Means [V, C] over each vertex and its neighbours, ``rounds`` times."""
    count = len(values)
    here = np.concatenate([f.ravel(), np.arange(count)])
    there = np.concatenate([f[:, [1, 2, 0]].ravel(), np.arange(count)])
    near = sparse.csr_matrix((np.ones(len(here)), (here, there)), (count, count))
    total = np.asarray(near.sum(1))
    for _ in range(rounds):
        values = (near @ values) / total
    return np.asarray(values)


def _seen_from(mesh: Mesh, direction: FloatArray) -> FloatArray:
    """[V] 1 where a vertex is seen from afar along ``direction``, else 0."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    x, y, z = direction
    distance = 20.0 * radius
    viewmat = look_at(
        centre, distance, float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arcsin(y)))
    )
    focal = 0.5 * SHADOW_SIZE * distance / radius
    camera = Camera(viewmat, intrinsics(focal, SHADOW_SIZE, SHADOW_SIZE), SHADOW_SIZE, SHADOW_SIZE)
    depth = rasterize_mesh(mesh.vertices, mesh.f, camera).depth
    p = mesh.vertices @ viewmat[:3, :3].T + viewmat[:3, 3]
    xy = np.clip(p[:, :2] / p[:, 2:] * focal + SHADOW_SIZE / 2, 0, SHADOW_SIZE - 1).astype(int)
    # The bias also covers a texel's slope on a big body.
    bias = SHADOW_BIAS + 2.0 * radius / SHADOW_SIZE
    return np.asarray(p[:, 2] < depth[xy[:, 1], xy[:, 0]] + bias, np.float64)


def ambient_occlusion(mesh: Mesh, light: SceneLight, rng: np.random.Generator) -> FloatArray:
    """[V, 3] how much of key, fill and sky reaches each vertex, 0..1."""
    normals = vertex_normals(mesh.vertices, mesh.f)
    sky = np.zeros(len(mesh.vertices))
    total = np.full(len(mesh.vertices), 1e-6)
    golden = np.pi * (3.0 - np.sqrt(5.0))
    phase = rng.uniform(0, 2 * np.pi)
    for k in range(HEMISPHERE):
        y = -0.3 + 1.25 * (k + 0.5) / HEMISPHERE
        r = np.sqrt(max(0.0, 1.0 - y * y))
        direction = np.array([r * np.cos(golden * k + phase), y, r * np.sin(golden * k + phase)])
        weight = np.clip(normals @ direction, 0.0, 1.0)
        sky += weight * _seen_from(mesh, direction)
        total += weight
    sky = 0.25 + 0.75 * sky / total  # light also comes from the skin and cloth around
    values = np.stack([_seen_from(mesh, light.key), _seen_from(mesh, light.fill), sky], 1)
    return smooth_values(values, mesh.f, 3)


def shade_pixels(
    mesh: Mesh, buffer: MeshBuffer, colours: FloatArray, light: SceneLight, open_to: FloatArray
) -> FloatArray:
    """Light the albedos ``colours`` [P, 3] of the covered pixels (row-major); [P, 3] as stored."""
    covered = buffer.face >= 0
    rgb = np.ascontiguousarray(colours, np.float64)
    _shade(
        rgb,
        buffer.face[covered],
        buffer.bary[covered],
        mesh.f.astype(np.int64),
        vertex_normals(mesh.vertices, mesh.f),
        open_to,
        light.key,
        light.fill,
        np.stack([light.key_colour, light.fill_colour, light.sky]),
    )
    return rgb


@numba.njit(cache=True)
def _cards(  # type: ignore[no-untyped-def]
    rgb,
    alpha,
    front,
    depth,
    xy,
    z,
    f,
    order,
    bias,
    uv,
    texture,
    tint,
    textures,
    normals,
    sight,
    key,
    fill,
    colours,
):
    height, width = depth.shape
    for i in order:
        a, b, c = f[i, 0], f[i, 1], f[i, 2]
        if z[a] < NEAR or z[b] < NEAR or z[c] < NEAR:
            continue
        x0, y0, x1, y1, x2, y2 = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.floor(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(np.ceil(max(x0, x1, x2))))
        top = max(0, int(np.floor(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(np.ceil(max(y0, y1, y2))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5, y + 0.5
                w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) / area
                w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) / area
                w2 = 1.0 - w0 - w1
                if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                    continue
                d = 1.0 / (w0 / z[a] + w1 / z[b] + w2 / z[c])
                if d > depth[y, x] + bias[i]:
                    continue
                b0, b1, b2 = w0 / z[a] * d, w1 / z[b] * d, w2 / z[c] * d
                u = b0 * uv[i, 0, 0] + b1 * uv[i, 1, 0] + b2 * uv[i, 2, 0]
                v = b0 * uv[i, 0, 1] + b1 * uv[i, 1, 1] + b2 * uv[i, 2, 1]
                rgba = _sample(textures, texture[i], u, v)
                if rgba[3] < 0.02:
                    continue
                nx = b0 * normals[a, 0] + b1 * normals[b, 0] + b2 * normals[c, 0]
                ny = b0 * normals[a, 1] + b1 * normals[b, 1] + b2 * normals[c, 1]
                nz = b0 * normals[a, 2] + b1 * normals[b, 2] + b2 * normals[c, 2]
                # Cards have two sides, and light comes through them: normals lean to the eye.
                side = 1.0 if nx * sight[0] + ny * sight[1] + nz * sight[2] > 0 else -1.0
                nx = side * nx + 0.4 * sight[0]
                ny = side * ny + 0.4 * sight[1]
                nz = side * nz + 0.4 * sight[2]
                long = max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
                for k in range(3):
                    rgba[k] = min(1.0, rgba[k] * tint[i, k])
                _lit(rgba, nx / long, ny / long, nz / long, 0.85, 0.85, 0.8, key, fill, colours)
                for k in range(3):
                    rgb[y, x, k] += rgba[3] * (rgba[k] - rgb[y, x, k])
                alpha[y, x] += rgba[3] * (1.0 - alpha[y, x])
                # Drawn from back to front: the last solid one is the nearest.
                if rgba[3] > 0.5 and d < front[y, x]:
                    front[y, x] = d


def blend_cards(
    rgb: FloatArray,
    alpha: FloatArray,
    depth: FloatArray,
    meshes: list[Mesh],
    textures: NDArray[np.uint8],
    camera: Camera,
    light: SceneLight,
) -> FloatArray:
    """Blend the triangles of all ``meshes``, from back to front, over a picture, in place.

    Args:
        rgb: [H, W, 3] float64, alpha: [H, W] float64, depth: [H, W] of the solid surfaces.

    Returns:
        [H, W] float32 depth of the nearest solid thing, cards (alpha over a half) included.
    """
    mesh = join_meshes(meshes)
    bias = np.concatenate([np.full(len(m.f), m.bias) for m in meshes])
    p = np.asarray(mesh.vertices, np.float64) @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    z = p[:, 2]
    safe = np.maximum(z, NEAR)
    xy = p[:, :2] / safe[:, None] * camera.K[[0, 1], [0, 1]] + camera.K[:2, 2]
    front = depth.copy()
    centre = mesh.vertices.mean(0) @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    sight = camera.viewmat[:3, :3].T @ (-centre / np.linalg.norm(centre))
    f = mesh.f.astype(np.int64)
    _cards(
        rgb,
        alpha,
        front,
        depth,
        xy,
        z,
        f,
        np.argsort(-z[f].mean(1)),
        bias,
        mesh.uv,
        mesh.texture,
        mesh.tint,
        textures,
        vertex_normals(mesh.vertices, mesh.f),
        sight,
        light.key,
        light.fill,
        np.stack([light.key_colour, light.fill_colour, light.sky]),
    )
    return front

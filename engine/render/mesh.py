"""A z-buffer for triangle meshes on the CPU: visibility, depth, barycentric coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.kernels import kernel
from ..core.types import Camera, FloatArray, IntArray

NEAR = 0.05  # metres; triangles that reach nearer are not drawn
MARGIN = 1e-3  # pixels, plus a share of a triangle's size


@dataclass(frozen=True)
class MeshBuffer:
    """A camera's view of a mesh.

    Attributes:
        face: [H, W] int32 row of the nearest triangle, -1 without one.
        bary: [H, W, 3] float32 perspective-correct barycentric coordinates.
        depth: [H, W] float32 metres along the view axis, inf in empty pixels.
        back_depth: [H, W] float32 depth of the farthest surface, -inf in empty pixels.
    """

    face: IntArray
    bary: FloatArray
    depth: FloatArray
    back_depth: FloatArray


@kernel()
def _project(vertices, viewmat, K):  # type: ignore[no-untyped-def]
    """Pixels [V, 2] and depths [V] of vertices [V, 3]; pixel 0 for those nearer than ``NEAR``."""
    xy, z = np.zeros((vertices.shape[0], 2)), np.empty(vertices.shape[0])
    place = np.empty(3)
    for i in range(vertices.shape[0]):
        a, b, c = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        for k in range(3):
            turned = viewmat[k, 0] * a + viewmat[k, 1] * b + viewmat[k, 2] * c
            place[k] = turned + viewmat[k, 3]
        z[i] = place[2]
        if z[i] > NEAR:
            xy[i, 0] = (K[0, 0] * place[0] + K[0, 1] * place[1]) / z[i] + K[0, 2]
            xy[i, 1] = K[1, 1] * place[1] / z[i] + K[1, 2]
    return xy, z


@kernel()
def _raster(xy, z, f, height, width, cull):  # type: ignore[no-untyped-def]
    face = np.full((height, width), -1, np.int32)
    depth = np.full((height, width), np.inf, np.float32)
    back = np.full((height, width), -np.inf, np.float32)
    bary = np.zeros((height, width, 3), np.float32)
    for i in range(f.shape[0]):
        a, b, c = f[i, 0], f[i, 1], f[i, 2]
        if z[a] < NEAR or z[b] < NEAR or z[c] < NEAR:
            continue
        x0, y0 = xy[a, 0], xy[a, 1]
        x1, y1 = xy[b, 0], xy[b, 1]
        x2, y2 = xy[c, 0], xy[c, 1]
        # y points down, so a triangle wound counter-clockwise in space has a negative area here.
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9 or (cull and area > 0):
            continue
        # Pixels whose centres lie inside, or within MARGIN: the test below is not exact either.
        low, high = min(x0, x1, x2), max(x0, x1, x2)
        reach = MARGIN * (1.0 + high - low)
        left = max(0, int(np.ceil(low - 0.5 - reach)))
        right = min(width - 1, int(np.floor(high - 0.5 + reach)))
        low, high = min(y0, y1, y2), max(y0, y1, y2)
        reach = MARGIN * (1.0 + high - low)
        top = max(0, int(np.ceil(low - 0.5 - reach)))
        bottom = min(height - 1, int(np.floor(high - 0.5 + reach)))
        # Most pixels that lie outside are found without a division.
        sign, least, most = (1.0 if area > 0 else -1.0), -2e-6 * abs(area), 1.000003 * abs(area)
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                part0 = (x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)
                part1 = (x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)
                from0, from1 = sign * part0, sign * part1
                if from0 < least or from1 < least or from0 + from1 > most:
                    continue
                w0 = part0 / area
                w1 = part1 / area
                w2 = 1.0 - w0 - w1
                if w0 < -1e-6 or w1 < -1e-6 or w2 < -1e-6:
                    continue
                d = 1.0 / (w0 / z[a] + w1 / z[b] + w2 / z[c])
                if d > back[y, x]:
                    back[y, x] = d
                if d < depth[y, x]:
                    depth[y, x] = d
                    face[y, x] = i
                    bary[y, x, 0] = w0 / z[a] * d
                    bary[y, x, 1] = w1 / z[b] * d
                    bary[y, x, 2] = w2 / z[c] * d
    return face, bary, depth, back


def rasterize_mesh(
    vertices: FloatArray, f: IntArray, camera: Camera, *, cull_back: bool = False
) -> MeshBuffer:
    """Draw a mesh into a z-buffer.

    Args:
        vertices: [V, 3] world space, metres.
        f: [F, 3] triangles, counter-clockwise seen from outside.
        camera: The camera.
        cull_back: Skip triangles that face away from the camera.
    """
    given = (np.ascontiguousarray(v, np.float64) for v in (vertices, camera.viewmat, camera.K))
    xy, z = _project(*given)
    out = _raster(xy, z, np.ascontiguousarray(f, np.int64), camera.height, camera.width, cull_back)
    return MeshBuffer(*out)

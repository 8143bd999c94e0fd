"""All parts of a figure in flat arrays, and a z-buffer over them that respects textures' alpha."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ..core.geometry import vertex_normals
from ..core.kernels import kernel
from ..core.types import Camera, FloatArray, IntArray
from ..render.mesh import NEAR
from ..wardrobe.mesh_parts import KINDS, Material, MeshPart
from .person_parts import Figure
from .raster_textures import MipCache, Textures, pack_textures, sample_alpha

SOLID = 0.9  # alpha from which a texel hides what is behind it
NO_MIPS, PIXEL_MIPS, FLAT_MIPS = range(3)
"""Alpha in full detail, in the mip level of each pixel, or in one mip level for each triangle."""
WIDE = 3  # pixels of extent from which a triangle's rows are searched for where they begin
EDGE = 1e-4  # pixels by which a triangle's extent is widened against rounding
OPAQUE = 250  # of 255: a texture with less somewhere is tested pixel by pixel


class RasterScene(NamedTuple):
    """A figure's V vertices, F triangles and M materials.

    Attributes:
        vertices: [V, 3] float64, metres.
        normals: [V, 3] float64, of the smooth surface.
        f: [F, 3] triangles.
        uv: [F, 3, 2] texture coordinates of the corners.
        uv_area: [F] twice the triangle's area in uv.
        slope: [F, 2, 3] by which the surface's slopes along u and v tilt the normal: the gradients
            of u and v in space, or (for normal maps) their directions.
        along: [F, 3, 3] unit directions of a card's strands, where v grows, at the corners.
        material: [F] rows of the materials.
        label: [F] uint8 rows of :data:`.person_parts.LABELS`.
        bias: [F] metres.
        holes: [F] whether the texture has any.
        kind: [M] rows of :data:`.person_parts.KINDS`.
        metallic: [M] 0 or 1.
    """

    vertices: FloatArray
    normals: FloatArray
    f: IntArray
    uv: FloatArray
    uv_area: FloatArray
    slope: FloatArray
    along: FloatArray
    material: IntArray
    label: NDArray[np.uint8]
    bias: FloatArray
    holes: NDArray[np.bool_]
    kind: IntArray
    metallic: FloatArray


class ProjectedScene(NamedTuple):
    """Vertices in a picture.

    Attributes:
        xy: [V, 2] pixels.
        z: [V] depth, metres.
        rows: [F, 2] first and last row with centres of pixels that each triangle may cover; last <
            first: none.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    xy: FloatArray
    z: FloatArray
    rows: IntArray
    height: int
    width: int


def flatten_figure(
    figure: Figure, mips: bool = True, known: MipCache | None = None
) -> tuple[RasterScene, Textures]:
    """Pack a figure into flat arrays; materials that parts share are stored once.

    Args:
        figure: to pack.
        mips: False: the textures are good for the z-buffer only.
        known: mip maps of the last figure, in and out.
    """
    materials: list[Material] = []
    rows: dict[int, int] = {}
    columns: list[list[Any]] = [[] for _ in range(11)]
    at = 0
    for part in figure.parts:
        if len(part.f) == 0:
            continue
        m = rows.setdefault(id(part.material), len(materials))
        if m == len(materials):
            materials.append(part.material)
        used, f = np.unique(part.f, return_inverse=True)
        vertices = np.asarray(part.vertices, np.float64)[used]
        f = f.reshape(-1, 3).astype(np.int64)
        uv = np.asarray(part.uv, np.float64)
        normals = _soft_normals(part, vertices, f)
        area, slope, along = _slopes(vertices[f], uv, part.material.normal is not None)
        count = len(f)
        values = (
            vertices,
            normals,
            f + at,
            uv,
            area,
            slope,
            _smooth_lines(along, f, len(vertices)),
            np.full(count, m, np.int64),
            np.asarray(part.label, np.uint8),
            np.full(count, part.bias, np.float64),
            np.full(count, bool((part.material.color[..., 3] < OPAQUE).any())),
        )
        for column, value in zip(columns, values):
            column.append(value)
        at += len(vertices)
    kind = np.array([KINDS.index(m.kind) for m in materials], np.int64)
    metallic = np.array([m.metallic for m in materials], np.float64)
    joined: list[Any] = [np.ascontiguousarray(np.concatenate(column)) for column in columns]
    return RasterScene._make([*joined, kind, metallic]), pack_textures(materials, mips, known)


def _soft_normals(part: MeshPart, vertices: FloatArray, f: IntArray) -> FloatArray:
    """[V, 3] normals of a part.

    Those of hair cards lean to where the whole hair bulges, since their own point anywhere.
    """
    normals = vertex_normals(vertices, f)
    if not (part.card and part.material.kind == "hair"):
        return normals
    out = vertices - vertices.mean(0)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    side = np.where((normals * out).sum(1, keepdims=True) < 0, -1.0, 1.0)
    soft = 0.6 * side * normals + out
    return np.asarray(soft / np.maximum(np.linalg.norm(soft, axis=1, keepdims=True), 1e-6))


def _smooth_lines(along: FloatArray, f: IntArray, count: int) -> FloatArray:
    """[F, 3, 3] lines of triangles at their corners, means over the triangles around.

    A highlight would show every facet otherwise. Lines have no sign; a triangle's agree with its
    own.
    """
    towards = np.empty((count, 3))
    towards[f.ravel()] = np.repeat(along, 3, axis=0)  # some triangle's
    each = np.repeat(along, 3, axis=0)
    each = np.where((each * towards[f.ravel()]).sum(1, keepdims=True) < 0, -each, each)
    total = np.stack([np.bincount(f.ravel(), each[:, k], count) for k in range(3)], -1)
    length = np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    out = (total / length)[f]
    return np.where((out * along[:, None]).sum(2, keepdims=True) < 0, -out, out)


def _slopes(
    corners: FloatArray, uv: FloatArray, unit: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Twice the uv area [F], the gradients of u and v in space [F, 2, 3], along v [F, 3]."""
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    d1, d2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    det = d1[:, 0] * d2[:, 1] - d2[:, 0] * d1[:, 1]
    normal = np.cross(e1, e2)
    square = np.maximum((normal * normal).sum(1, keepdims=True), 1e-24)
    # Gradients of the barycentric coordinates of the second and the third corner.
    g1, g2 = np.cross(e2, normal) / square, np.cross(normal, e1) / square
    slope = np.stack([g1 * d1[:, :1] + g2 * d2[:, :1], g1 * d1[:, 1:] + g2 * d2[:, 1:]], 1)
    sign = np.where(det < 0, -1.0, 1.0)[:, None]
    along = sign * (e2 * d1[:, :1] - e1 * d2[:, :1])
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    if unit:
        slope /= np.maximum(np.linalg.norm(slope, axis=2, keepdims=True), 1e-9)
    return np.abs(det), slope, along


def project_scene(scene: RasterScene, camera: Camera, times: int = 1) -> ProjectedScene:
    """Project the vertices into a camera's picture, ``times`` as wide and high."""
    p = scene.vertices @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    z = p[:, 2]
    safe = np.maximum(z, NEAR)
    K = camera.K
    x = (K[0, 0] * p[:, 0] + K[0, 1] * p[:, 1]) / safe + K[0, 2]
    xy = np.stack([x, K[1, 1] * p[:, 1] / safe + K[1, 2]], 1) * times
    return _with_rows(scene, xy, z, camera.height * times, camera.width * times)


FAR_AWAY = 1e3  # metres at which a parallel camera stands; its perspective is too small to matter


def project_parallel(
    scene: RasterScene, axes: FloatArray, centre: FloatArray, scale: float, size: int
) -> ProjectedScene:
    """Project the vertices in parallel.

    Args:
        scene: with the vertices.
        axes: [3, 3] rows right, down, forward.
        centre: [3] the picture's middle, metres.
        scale: pixels per metre.
        size: of the square picture, pixels.
    """
    xy, z = place_parallel(scene.vertices, axes, centre, scale, size)
    return _with_rows(scene, xy, z, size, size)


@kernel()
def place_parallel(points, axes, centre, scale, size):  # type: ignore[no-untyped-def]
    """Pixels [V, 2] and depth [V] of points in the picture of :func:`project_parallel`.

    Args:
        points: [V, 3] metres.
        axes: [3, 3] rows right, down, forward.
        centre: [3] the picture's middle, metres.
        scale: pixels per metre.
        size: of the square picture, pixels.
    """
    xy, z = np.empty((len(points), 2)), np.empty(len(points))
    for i in range(len(points)):
        x, y = points[i, 0] - centre[0], points[i, 1] - centre[1]
        deep = points[i, 2] - centre[2]
        for k in range(2):
            across = axes[k, 0] * x + axes[k, 1] * y + axes[k, 2] * deep
            xy[i, k] = across * scale + size / 2
        z[i] = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * deep + FAR_AWAY
    return xy, z


def _with_rows(
    scene: RasterScene, xy: FloatArray, z: FloatArray, height: int, width: int
) -> ProjectedScene:
    xy, z = np.ascontiguousarray(xy), np.ascontiguousarray(z)
    return ProjectedScene(xy, z, _rows_of(xy, z, scene.f, height, width), height, width)


@kernel(inline="always")
def samples_between(low, high, count):  # type: ignore[no-untyped-def]
    """First and last pixel of ``count`` whose centre lies in low .. high, with a margin."""
    return max(int(np.ceil(low - 0.5 - EDGE)), 0), min(int(np.floor(high - 0.5 + EDGE)), count - 1)


@kernel()
def _rows_of(xy, z, f, height, width):  # type: ignore[no-untyped-def]
    """Projected.rows."""
    out = np.empty((f.shape[0], 2), np.int64)
    for i in range(f.shape[0]):
        a, b, c = f[i, 0], f[i, 1], f[i, 2]
        out[i, 0], out[i, 1] = 0, -1
        y0, y1, y2 = xy[a, 1], xy[b, 1], xy[c, 1]
        top, bottom = samples_between(min(y0, y1, y2), max(y0, y1, y2), height)
        if bottom < top or min(z[a], z[b], z[c]) < NEAR:
            continue
        x0, x1, x2 = xy[a, 0], xy[b, 0], xy[c, 0]
        left, right = samples_between(min(x0, x1, x2), max(x0, x1, x2), width)
        if left <= right:
            out[i, 0], out[i, 1] = top, bottom
    return out


@kernel(inline="always")
def mip_level(scene, textures, i, m, area, d, z3):  # type: ignore[no-untyped-def]
    """The mip level whose texels are as large as a pixel.

    Args:
        scene: the figure.
        textures: of the figure.
        i: row of the triangle.
        m: row of its material.
        area: twice the triangle's, square pixels.
        d: depth of the pixel, metres.
        z3: product of the corners' depths, cubic metres.
    """
    texels = scene.uv_area[i] * textures.size[m, 0, 0] * textures.size[m, 0, 1]
    ratio = texels * d * d * d / (max(abs(area), 1e-9) * z3)
    return int(np.floor(0.5 * np.log2(max(ratio, 1e-9)) + 0.5))


@kernel(inline="always")
def _span(xa, ya, xb, yb, py, side, left, right):  # type: ignore[no-untyped-def]
    """First and last pixel of a row, of left .. right, on the inner side of an edge."""
    rise = side * (yb - ya)
    if abs(rise) > 1e-6:
        crossing = xa + (py - ya) * (xb - xa) / (yb - ya) - 0.5
        if rise < 0.0:
            left = max(left, int(np.ceil(max(crossing, 0.0) - EDGE)))
        else:
            right = min(right, int(np.floor(min(crossing, right + 1.0) + EDGE)))
    return left, right


@kernel()
def z_pass(scene, textures, view, first, last, solid, mips, depth, face):  # type: ignore[no-untyped-def]
    """Find the nearest triangles in the rows first .. last - 1 of a picture.

    Args:
        scene: the figure.
        textures: of the figure.
        view: the projected vertices.
        first: row, pixels.
        last: row, pixels, not included.
        solid: alpha that hides.
        mips: where alpha is looked up: NO_MIPS, PIXEL_MIPS or, in a parallel picture, FLAT_MIPS.
        depth: [last - first, W] metres, in and out, less the bias.
        face: [last - first, W] triangles, out.
    """
    xy, z = view.xy, view.z
    for i in range(scene.f.shape[0]):
        top, bottom = max(view.rows[i, 0], first), min(view.rows[i, 1], last - 1)
        if bottom < top:
            continue
        a, b, c = scene.f[i, 0], scene.f[i, 1], scene.f[i, 2]
        x0, y0, x1, y1, x2, y2 = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = samples_between(min(x0, x1, x2), max(x0, x1, x2), view.width)
        za, zb, zc = z[a], z[b], z[c]
        m, z3, holes = scene.material[i], za * zb * zc, scene.holes[i]
        per_area, per_a, per_b, per_c = 1.0 / area, 1.0 / za, 1.0 / zb, 1.0 / zc
        level = 0
        if holes and mips == FLAT_MIPS:
            level = mip_level(scene, textures, i, m, area, (za + zb + zc) / 3.0, z3)
        # Cheap tests with a margin come first: most pixels fail one of them.
        side, outside = 1.0 if area > 0 else -1.0, -2e-6 * abs(area)
        nearest = min(za, zb, zc) - 3e-6 * (max(za, zb, zc) - min(za, zb, zc)) - 1e-9
        nearest -= scene.bias[i]
        for y in range(top, bottom + 1):
            start, stop = left, right
            if right - left > WIDE:  # slanted slivers fill little of their extent
                py = y + 0.5
                start, stop = _span(x0, y0, x1, y1, py, side, start, stop)
                start, stop = _span(x1, y1, x2, y2, py, side, start, stop)
                start, stop = _span(x2, y2, x0, y0, py, side, start, stop)
            for x in range(start, stop + 1):
                if nearest >= depth[y - first, x]:
                    continue
                px, py = x + 0.5, y + 0.5
                e0 = (x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)
                if side * e0 < outside:
                    continue
                e1 = (x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)
                if side * e1 < outside:
                    continue
                w0, w1 = e0 * per_area, e1 * per_area
                w2 = 1.0 - w0 - w1
                if w0 < -1e-6 or w1 < -1e-6 or w2 < -1e-6:
                    continue
                b0, b1, b2 = w0 * per_a, w1 * per_b, w2 * per_c
                d = 1.0 / (b0 + b1 + b2)
                if d - scene.bias[i] >= depth[y - first, x]:
                    continue
                if holes:
                    b0, b1, b2 = b0 * d, b1 * d, b2 * d
                    u = b0 * scene.uv[i, 0, 0] + b1 * scene.uv[i, 1, 0] + b2 * scene.uv[i, 2, 0]
                    v = b0 * scene.uv[i, 0, 1] + b1 * scene.uv[i, 1, 1] + b2 * scene.uv[i, 2, 1]
                    if mips == PIXEL_MIPS:
                        level = mip_level(scene, textures, i, m, area, d, z3)
                    if sample_alpha(textures, m, u, v, level) <= solid:
                        continue
                depth[y - first, x] = d - scene.bias[i]
                face[y - first, x] = i


def run_in_threads(work: Callable[[int], None], items: Iterable[int]) -> None:
    """Call ``work`` with each item, on as many threads as numba may use."""
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(work, items))

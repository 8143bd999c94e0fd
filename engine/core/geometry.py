"""Triangle meshes: vertex normals, and the frames that Gaussians are bound to.

GUAVA (section 3.3) binds each Gaussian to a triangle: mu' = sigma R dmu + t, r' = R r,
s' = sigma s. The Blender node group (``addon/scene``) builds the same frame from the deformed
mesh, and ``gaussians/posing_torch`` is its twin in torch; tests check that all three agree. For a
Gaussian on triangle (a, b, c) of the posed mesh with barycentric coordinates (u, v, w):

* origin ``t = u a + v b + w c``
* normal ``n = normalize(u n_a + v n_b + w n_c)`` from the mesh's vertex normals, which are
  angle-weighted means of the face normals, so that the frame turns smoothly across edges
* ``e1 = normalize((b - a) - ((b - a) . n) n)``, ``e2 = n x e1``, ``R = [e1 e2 n]`` as columns
* ``sigma = clamp(sqrt(area posed / area at rest), 0.5, 2)``; at rest is ``Body.v_template``

Offsets and scales are metres at the rest pose's size, so that sigma is 1 there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import kernel
from .threads import run_parts
from .types import FloatArray, IntArray, LikenessError

SIGMA_MIN, SIGMA_MAX = 0.5, 2.0
"""Bounds of sigma: a stretched elbow or a collapsed eyelid must not inflate its splats."""

POINTS_PER_PART = 8192  # at least, for a thread
_TINY = 1e-20  # squared lengths below this have no direction (metres to the power 2 or 4)


class TriangleFrames(NamedTuple):
    """Frames at points of triangles.

    Attributes:
        origin: [N, 3] metres.
        R: [N, 3, 3] with the columns e1, e2, n.
        sigma: [N] growth since the rest pose.
    """

    origin: FloatArray
    R: FloatArray
    sigma: FloatArray


@kernel()
def _cross(a, b):  # type: ignore[no-untyped-def]
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel()
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel()
def _edge(vertices, start, end):  # type: ignore[no-untyped-def]
    return (
        vertices[end, 0] - vertices[start, 0],
        vertices[end, 1] - vertices[start, 1],
        vertices[end, 2] - vertices[start, 2],
    )


@kernel()
def _unit(a, fallback):  # type: ignore[no-untyped-def]
    length2 = _dot(a, a)
    if length2 < _TINY:
        return fallback
    k = 1.0 / np.sqrt(length2)
    return k * a[0], k * a[1], k * a[2]


@kernel()
def _across(n):  # type: ignore[no-untyped-def]
    """A unit vector perpendicular to the unit vector n."""
    axis = (1.0, 0.0, 0.0) if abs(n[0]) < 0.6 else (0.0, 1.0, 0.0)
    return _unit(_cross(n, axis), axis)


@kernel()
def _vertex_normals(vertices, f, wanted):  # type: ignore[no-untyped-def]
    """wanted: [V] the vertices whose normals are computed; the others' are wrong."""
    normals = np.zeros((vertices.shape[0], 3))
    for i in range(f.shape[0]):
        abc = (f[i, 0], f[i, 1], f[i, 2])
        if not (wanted[abc[0]] or wanted[abc[1]] or wanted[abc[2]]):
            continue
        area2 = _cross(_edge(vertices, abc[0], abc[1]), _edge(vertices, abc[0], abc[2]))
        face_normal = _unit(area2, (0.0, 0.0, 0.0))
        for k in range(3):
            here = abc[k]
            to_next = _edge(vertices, here, abc[(k + 1) % 3])
            to_last = _edge(vertices, here, abc[(k + 2) % 3])
            angle = np.arctan2(np.sqrt(_dot(area2, area2)), _dot(to_next, to_last))
            for axis in range(3):
                normals[here, axis] += angle * face_normal[axis]
    for i in range(vertices.shape[0]):
        n = _unit((normals[i, 0], normals[i, 1], normals[i, 2]), (0.0, 0.0, 1.0))
        normals[i, 0], normals[i, 1], normals[i, 2] = n
    return normals


@kernel()
def _corners(f, triangle, count):  # type: ignore[no-untyped-def]
    """[count] which vertices are a corner of one of the triangles."""
    out = np.zeros(count, np.bool_)
    for i in triangle:
        for k in range(3):
            out[f[i, k]] = True
    return out


@kernel()
def _double_areas(vertices, f):  # type: ignore[no-untyped-def]
    out = np.empty(f.shape[0])
    for i in range(f.shape[0]):
        across = _cross(_edge(vertices, f[i, 0], f[i, 1]), _edge(vertices, f[i, 0], f[i, 2]))
        out[i] = np.sqrt(_dot(across, across))
    return out


@kernel()
def _sigmas(posed, rest):  # type: ignore[no-untyped-def]
    """Growth of each triangle; one without an area at rest keeps its size."""
    out = np.ones(rest.shape[0])
    for i in range(rest.shape[0]):
        if rest[i] > 0.0:
            out[i] = min(max(np.sqrt(posed[i] / rest[i]), SIGMA_MIN), SIGMA_MAX)
    return out


@kernel()
def frame_at(vertices, normals, a, b, c, u, v, w):  # type: ignore[no-untyped-def]
    """Origin, e1, e2 and n at the point (u, v, w) of triangle (a, b, c); always orthonormal."""
    origin = (
        u * vertices[a, 0] + v * vertices[b, 0] + w * vertices[c, 0],
        u * vertices[a, 1] + v * vertices[b, 1] + w * vertices[c, 1],
        u * vertices[a, 2] + v * vertices[b, 2] + w * vertices[c, 2],
    )
    blended = (
        u * normals[a, 0] + v * normals[b, 0] + w * normals[c, 0],
        u * normals[a, 1] + v * normals[b, 1] + w * normals[c, 1],
        u * normals[a, 2] + v * normals[b, 2] + w * normals[c, 2],
    )
    n = _unit(blended, (0.0, 0.0, 1.0))
    edge = _edge(vertices, a, b)
    along = _dot(edge, n)
    flat = (edge[0] - along * n[0], edge[1] - along * n[1], edge[2] - along * n[2])
    e1 = _unit(flat, _across(n))
    return origin, e1, _cross(n, e1), n


@kernel()
def _quaternion(x, y, z):  # type: ignore[no-untyped-def]
    """Unit quaternion of the rotation with columns x, y, z (Shepperd's method)."""
    trace = x[0] + y[1] + z[2]
    if trace >= x[0] and trace >= y[1] and trace >= z[2]:
        q = (1.0 + trace, y[2] - z[1], z[0] - x[2], x[1] - y[0])
    elif x[0] >= y[1] and x[0] >= z[2]:
        q = (y[2] - z[1], 1.0 + 2.0 * x[0] - trace, x[1] + y[0], z[0] + x[2])
    elif y[1] >= z[2]:
        q = (z[0] - x[2], x[1] + y[0], 1.0 + 2.0 * y[1] - trace, y[2] + z[1])
    else:
        q = (x[1] - y[0], z[0] + x[2], y[2] + z[1], 1.0 + 2.0 * z[2] - trace)
    k = 1.0 / np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return k * q[0], k * q[1], k * q[2], k * q[3]


@kernel()
def _interpolate(first, beyond, values, f, triangle, bary, out):  # type: ignore[no-untyped-def]
    for i in range(first, beyond):
        a, b, c = f[triangle[i], 0], f[triangle[i], 1], f[triangle[i], 2]
        u, v, w = bary[i, 0], bary[i, 1], bary[i, 2]
        for d in range(values.shape[1]):
            out[i, d] = u * values[a, d] + v * values[b, d] + w * values[c, d]


@kernel()
def _frames(  # type: ignore[no-untyped-def]
    first, beyond, vertices, normals, f, triangle, bary, origins, rotations
):
    for i in range(first, beyond):
        a, b, c = f[triangle[i], 0], f[triangle[i], 1], f[triangle[i], 2]
        origin, e1, e2, n = frame_at(vertices, normals, a, b, c, bary[i, 0], bary[i, 1], bary[i, 2])
        for axis in range(3):
            origins[i, axis] = origin[axis]
            rotations[i, axis, 0] = e1[axis]
            rotations[i, axis, 1] = e2[axis]
            rotations[i, axis, 2] = n[axis]


@kernel()
def _place(  # type: ignore[no-untyped-def]
    first,
    beyond,
    vertices,
    normals,
    sigmas,
    f,
    triangle,
    bary,
    offset,
    quats,
    scales,
    out_means,
    out_quats,
    out_scales,
):
    for i in range(first, beyond):
        face = triangle[i]
        sigma = sigmas[face]
        origin, e1, e2, n = frame_at(
            vertices,
            normals,
            f[face, 0],
            f[face, 1],
            f[face, 2],
            np.float64(bary[i, 0]),
            np.float64(bary[i, 1]),
            np.float64(bary[i, 2]),
        )
        for axis in range(3):
            moved = e1[axis] * offset[i, 0] + e2[axis] * offset[i, 1] + n[axis] * offset[i, 2]
            out_means[i, axis] = origin[axis] + sigma * moved
            out_scales[i, axis] = sigma * scales[i, axis]
        aw, ax, ay, az = _quaternion(e1, e2, n)
        bw, bx, by, bz = quats[i, 0], quats[i, 1], quats[i, 2], quats[i, 3]
        out_quats[i, 0] = aw * bw - ax * bx - ay * by - az * bz
        out_quats[i, 1] = aw * bx + ax * bw + ay * bz - az * by
        out_quats[i, 2] = aw * by - ax * bz + ay * bw + az * bx
        out_quats[i, 3] = aw * bz + ax * by - ay * bx + az * bw


def vertex_normals(vertices: FloatArray, f: IntArray) -> FloatArray:
    """Return the vertex normals of a mesh: means of face normals, weighted by corner angle.

    They equal Blender's vertex normals of a triangle mesh. A vertex without triangles, or whose
    triangles have no area, gets +z.

    Args:
        vertices: [V, 3] metres.
        f: [F, 3] triangles, counter-clockwise seen from outside.

    Returns:
        [V, 3] unit vectors.
    """
    return np.asarray(
        _vertex_normals(_doubles(vertices), _indices(f), np.ones(len(vertices), bool))
    )


def triangle_growth(vertices: FloatArray, f: IntArray, rest_vertices: FloatArray) -> FloatArray:
    """Return sigma [F], the growth of triangles since the rest pose, within its bounds.

    Args:
        vertices: [V, 3] metres, posed.
        f: [F, 3] triangles.
        rest_vertices: [V, 3] metres, the T-pose.
    """
    faces = _indices(f)
    areas = (_double_areas(_doubles(v), faces) for v in (vertices, rest_vertices))
    return np.asarray(_sigmas(*areas))


def triangle_frames(
    vertices: FloatArray,
    f: IntArray,
    rest_vertices: FloatArray,
    triangle: IntArray,
    bary: FloatArray,
) -> TriangleFrames:
    """Return the frames at points of a posed mesh (GUAVA, section 3.3).

    Args:
        vertices: [V, 3] metres, posed, world space.
        f: [F, 3] triangles.
        rest_vertices: [V, 3] metres, the T-pose.
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.

    Returns:
        The frames in float64.

    Raises:
        LikenessError: Lengths differ, or a triangle is not a row of ``f``.
    """
    _check_shape("bary", bary, (len(triangle), 3))
    _check_shape("vertices", vertices, np.shape(rest_vertices))
    _check_triangles(triangle, f)
    posed, faces = _doubles(vertices), _indices(f)
    triangle = _indices(triangle)
    sigmas = triangle_growth(posed, faces, rest_vertices)
    normals = _vertex_normals(posed, faces, _corners(faces, triangle, len(posed)))
    count = len(triangle)
    origin, R = np.empty((count, 3)), np.empty((count, 3, 3))
    placed = (posed, normals, faces, triangle, _doubles(bary))
    run_parts(_frames, count, *placed, origin, R, least=POINTS_PER_PART)
    return TriangleFrames(origin, R, sigmas[triangle])


def triangle_areas(vertices: FloatArray, f: IntArray) -> FloatArray:
    """Return the areas [F] of a mesh's triangles, in the square of the vertices' unit.

    Args:
        vertices: [V, 3] positions.
        f: [F, 3] triangles.
    """
    sides = np.diff(np.asarray(vertices, np.float64)[f], axis=1)
    return np.asarray(0.5 * np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1))


def interpolate(
    values: FloatArray, f: IntArray, triangle: IntArray, bary: FloatArray
) -> FloatArray:
    """Return values of vertices at points of triangles.

    Args:
        values: [V, D] of the vertices.
        f: [F, 3] triangles.
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.

    Returns:
        [N, D] float64.

    Raises:
        LikenessError: Lengths differ, or a triangle is not a row of ``f``.
    """
    count = len(triangle)
    _check_shape("bary", bary, (count, 3))
    _check_triangles(triangle, f)
    out = np.empty((count, np.shape(values)[1]))
    given = (_doubles(values), _indices(f), _indices(triangle), _doubles(bary))
    run_parts(_interpolate, count, *given, out, least=POINTS_PER_PART)
    return out


def face_frames(
    vertices: FloatArray,
    f: IntArray,
    rest_vertices: FloatArray,
    triangle: IntArray,
    bary: FloatArray,
) -> TriangleFrames:
    """Return frames of whole triangles, as GUAVA's equation 3 is written.

    Unlike :func:`triangle_frames`, all points of a triangle have its own orientation, and sigma is
    the growth of its mean edge, without bounds.

    Args:
        vertices: [V, 3] metres, posed, world space.
        f: [F, 3] triangles.
        rest_vertices: [V, 3] metres, the T-pose.
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.

    Returns:
        The frames in float64: the first axis along the first edge, the third along the normal.
    """
    corners, rest = (
        np.asarray(v, np.float64)[np.asarray(f)[triangle]] for v in (vertices, rest_vertices)
    )
    origin = np.einsum("nk,nkd->nd", np.asarray(bary, np.float64), corners)
    edge = corners[:, 1] - corners[:, 0]
    normal = np.cross(edge, corners[:, 2] - corners[:, 0])
    tiny = np.sqrt(_TINY)
    flat = np.linalg.norm(normal, axis=1) < tiny
    edge[flat], normal[flat] = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    R = np.stack([edge, np.cross(normal, edge), normal], -1)
    grown, before = (
        np.linalg.norm(c - np.roll(c, 1, axis=1), axis=-1).mean(1) for c in (corners, rest)
    )
    sigma = np.divide(grown, before, out=np.ones(len(grown)), where=before > tiny)
    return TriangleFrames(origin, R, sigma)


def place_on_triangles(
    triangle: IntArray,
    bary: FloatArray,
    offset: FloatArray,
    quats: FloatArray,
    scales: FloatArray,
    *,
    vertices: FloatArray,
    f: IntArray,
    rest_vertices: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Transform N Gaussians from their triangles' frames to world space (GUAVA, equation 3).

    Args:
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.
        offset: [N, 3] metres in the triangle's frame.
        quats: [N, 4] unit quaternions w, x, y, z in the triangle's frame.
        scales: [N, 3] metres at rest.
        vertices: [V, 3] metres, posed, world space.
        f: [F, 3] triangles.
        rest_vertices: [V, 3] metres, the T-pose.

    Returns:
        means: [N, 3] float32 metres, world space.
        quats: [N, 4] float32 unit quaternions, world space.
        scales: [N, 3] float32 metres.

    Raises:
        LikenessError: Lengths differ, or a triangle is not a row of ``f``.
    """
    count = len(triangle)
    for name, values, width in (
        ("bary", bary, 3),
        ("offset", offset, 3),
        ("quats", quats, 4),
        ("scales", scales, 3),
    ):
        _check_shape(name, values, (count, width))
    _check_shape("vertices", vertices, np.shape(rest_vertices))
    _check_triangles(triangle, f)
    posed, faces = _doubles(vertices), _indices(f)
    triangle = _indices(triangle)
    means, world_quats = np.empty((count, 3), np.float32), np.empty((count, 4), np.float32)
    world_scales = np.empty((count, 3), np.float32)
    run_parts(
        _place,
        count,
        posed,
        _vertex_normals(posed, faces, _corners(faces, triangle, len(posed))),
        triangle_growth(posed, faces, rest_vertices),
        faces,
        triangle,
        as_float32(bary),
        as_float32(offset),
        as_float32(quats),
        as_float32(scales),
        means,
        world_quats,
        world_scales,
        least=POINTS_PER_PART,
    )
    return means, world_quats, world_scales


def _check_shape(name: str, values: FloatArray, shape: tuple[int, ...]) -> None:
    """Compiled loops do not check indices: an array that is too short would crash the process."""
    if np.shape(values) != shape:
        raise LikenessError(
            f"{name}: the shape is {list(np.shape(values))}, not {list(shape)}.",
            "Use Gaussians and vertices of the same body.",
        )


def _check_triangles(triangle: IntArray, f: IntArray) -> None:
    rows = np.asarray(triangle)
    if rows.size and (rows.min() < 0 or rows.max() >= len(f)):
        bad = (rows < 0) | (rows >= len(f))
        raise LikenessError(
            f"triangle: {bad.sum():,} of {len(bad):,} are not rows of the body's {len(f):,} "
            f"triangles (first: row {bad.argmax()}).",
            "Use the body that the Gaussians were bound to.",
        )


def _doubles(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, np.float64)


def as_float32(values: FloatArray) -> FloatArray:
    """Return an array as a contiguous float32 array.

    Args:
        values: [...] any numbers.

    Returns:
        [...] float32.
    """
    return np.ascontiguousarray(values, np.float32)


def _indices(values: IntArray) -> IntArray:
    return np.ascontiguousarray(values, np.int64)

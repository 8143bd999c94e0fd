"""Cutting of the body into a few large charts on its left side, which the right side mirrors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .flatten import DiskPatch, boundary_loops, slim, tutte
from .topology import PART

HEAD_SCALE = {"face": 1.0, "lips": 1.9, "eyelid": 1.9, "ear": 0.7, "scalp": 0.44, "neck": 0.46}
"""Texels per metre relative to the face: more where viewers look, less under the hair."""
SCALE_SMOOTHING = 8
FAN_WEIGHT = 0.05


@dataclass(frozen=True)
class BodyMesh:
    """The template in the T-pose, from which the charts are cut.

    Attributes:
        vertices: [V, 3] metres.
        f: [F, 3].
        part: [F] rows of PART_NAMES.
        joints: [55, 3] metres.
        on_middle: [V] vertices of the middle line.
        left: [F] triangles at x > 0.
    """

    vertices: FloatArray
    f: IntArray
    part: IntArray
    joints: FloatArray
    on_middle: BoolArray
    left: BoolArray


@dataclass(frozen=True)
class Chart:
    """One flattened piece of the left side.

    Attributes:
        name: Its part of the body.
        faces: [T] rows of the body's f.
        corner: [T, 3] rows of uv.
        uv: [n, 2], u to the right, v up, without flipped triangles.
        on_axis: [n] vertices with u = 0 that the mirrored piece shares.
    """

    name: str
    faces: IntArray
    corner: IntArray
    uv: FloatArray
    on_axis: BoolArray


def _directed_edges(f: IntArray) -> IntArray:
    """[3 T, 2] all edges: the first of every triangle, then the second, then the third."""
    return np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])


def _edge_pairs(f: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Pairs of triangles that share an edge: triangles a [E], b [E], and the edge [E, 2]."""
    rows = np.concatenate([np.arange(len(f))] * 3)
    edges = np.sort(_directed_edges(f), axis=1)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    same = (edges[order][1:] == edges[order][:-1]).all(1)
    return rows[order][:-1][same], rows[order][1:][same], edges[order][:-1][same]


def split_by_side(mesh: BodyMesh, faces: IntArray, axis: int, rounds: int = 4) -> BoolArray:
    """Find the triangles that face the + direction of an axis, one piece per side.

    Normals are smoothed first, so that the border is short; islands join their surroundings.

    Args:
        mesh: The template.
        faces: [T] rows of ``mesh.f``.
        axis: 0, 1 or 2 for x, y or z.
        rounds: Rounds of smoothing.

    Returns:
        [T] bool.
    """
    f = mesh.f[faces]
    corner = mesh.vertices[f]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    a, b, _ = _edge_pairs(f)
    graph = _face_graph(f)
    quad = faces // 2  # triangles come in pairs; quads stay whole
    normal = _sum_by(quad, normal)
    for _ in range(rounds):
        normal = normal + graph @ normal
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    side = _sum_by(quad, normal)[:, axis] > 0
    for _ in range(4):
        same = side[a] == side[b]
        keep = sparse.csr_matrix((np.ones(same.sum()), (a[same], b[same])), shape=graph.shape)
        _, label = connected_components(keep, directed=False)
        sizes = np.bincount(label)
        side_of = np.bincount(label, side) / sizes  # all or none of a component
        main = [int(np.argmax(np.where(side_of == s, sizes, 0))) for s in (0, 1)]
        islands = ~np.isin(label, main)
        if not islands.any():
            break
        side = side ^ islands
    return side


def _sum_by(group: IntArray, values: FloatArray) -> FloatArray:
    """Each row replaced by the sum over its group."""
    _, index = np.unique(group, return_inverse=True)
    total = np.zeros((index.max() + 1, values.shape[1]))
    np.add.at(total, index, values)
    return np.asarray(total[index])


def cut_path(
    mesh: BodyMesh, faces: IntArray, start: IntArray, end: IntArray, cost: FloatArray
) -> set[tuple[int, int]]:
    """Find the edges of the cheapest path over the triangles from one vertex set to another.

    Args:
        mesh: The template.
        faces: [T] rows of ``mesh.f``.
        start: [n] vertices, one of which the path starts at.
        end: [m] vertices, one of which it ends at.
        cost: [V] factor on the length of edges at each vertex.

    Returns:
        Pairs of vertices, the smaller first.
    """
    edges = np.unique(np.sort(_directed_edges(mesh.f[faces]), axis=1), axis=0)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    length *= 0.5 * (cost[edges[:, 0]] + cost[edges[:, 1]])
    shape = (len(mesh.vertices), len(mesh.vertices))
    graph = sparse.csr_matrix((length, (edges[:, 0], edges[:, 1])), shape=shape)
    distance, before, _ = dijkstra(
        graph, directed=False, indices=start, return_predecessors=True, min_only=True
    )
    at = int(end[np.argmin(distance[end])])
    path = set()
    while before[at] >= 0:
        path.add((min(at, int(before[at])), max(at, int(before[at]))))
        at = int(before[at])
    return path


def _corners(f: IntArray, cuts: set[tuple[int, int]]) -> IntArray:
    """[T, 3] vertex ids after cutting: corners are one where triangles share an uncut edge."""
    a, b, edges = _edge_pairs(f)
    if cuts:
        uncut = np.array([(int(x), int(y)) not in cuts for x, y in edges])
        a, b, edges = a[uncut], b[uncut], edges[uncut]
    place_a = [(f[a] == edges[:, [k]]).argmax(1) + 3 * a for k in (0, 1)]
    place_b = [(f[b] == edges[:, [k]]).argmax(1) + 3 * b for k in (0, 1)]
    rows, cols = np.concatenate(place_a), np.concatenate(place_b)
    graph = sparse.csr_matrix((np.ones(len(rows)), (rows, cols)), shape=(f.size, f.size))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label.reshape(-1, 3), np.int64)


def _smooth_scale(mesh: BodyMesh, faces: IntArray, scale: dict[str, float]) -> FloatArray:
    """[V] texel density, blended between parts on the mesh."""
    value = np.array([scale.get(name, 1.0) for name in PART])
    total = np.zeros(len(mesh.vertices))
    count = np.zeros(len(mesh.vertices))
    for k in range(3):
        np.add.at(total, mesh.f[faces, k], np.log(value[mesh.part[faces]]))
        np.add.at(count, mesh.f[faces, k], 1.0)
    log = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    pairs = _directed_edges(mesh.f[faces])
    both = np.concatenate([pairs, pairs[:, ::-1]])
    shape = (len(log), len(log))
    graph = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=shape)
    degree = np.maximum(np.asarray(graph.sum(1)).ravel(), 1.0)
    for _ in range(SCALE_SMOOTHING):
        log = np.where(count > 0, 0.5 * log + 0.5 * (graph @ log) / degree, 0.0)
    return np.asarray(np.exp(log))


def _axis_gap(loop: IntArray, axis: BoolArray) -> IntArray | None:
    """The shorter stretch of an outline between two runs on the axis (a half mouth), or None."""
    on = axis[loop]
    ends = np.flatnonzero(on & ~np.roll(on, -1))
    if len(ends) < 2:
        return None
    gaps = []
    for end in ends:
        rolled = np.roll(loop, -end)
        until = 1 + int(axis[rolled[1:]].argmax())
        gaps.append(rolled[: until + 1])
    return min(gaps, key=len)


def flatten_chart(
    mesh: BodyMesh,
    name: str,
    faces: IntArray,
    *,
    cuts: set[tuple[int, int]] | None = None,
    axis: BoolArray | None = None,
    scale: dict[str, float] | None = None,
) -> Chart:
    """Flatten triangles of the left side that form a disk, apart from holes.

    Args:
        mesh: The template.
        name: Name of the chart.
        faces: [T] rows of ``mesh.f``.
        cuts: Edges (smaller vertex first) along which the piece is slit open.
        axis: [V] vertices of the middle line that stay joined to the mirrored piece.
        scale: Texel density by part name.
    """
    f = mesh.f[faces]
    corner = _corners(f, cuts or set())
    count = int(corner.max()) + 1
    source = np.zeros(count, np.int64)
    source[corner.reshape(-1)] = f.reshape(-1)
    points = mesh.vertices[source]
    density = _smooth_scale(mesh, faces, scale)[source] if scale else np.ones(count)
    on_axis = np.zeros(count, bool) if axis is None else axis[source]

    triangles = [corner]
    loops = boundary_loops(corner)
    if axis is not None:
        gap = _axis_gap(loops[0], on_axis)
        if gap is not None:
            hub = points[gap].mean(0) * [0.0, 1.0, 1.0]
            points, density = np.vstack([points, hub]), np.append(density, density[gap].mean())
            on_axis = np.append(on_axis, True)
            fan = [[gap[i + 1], gap[i], len(points) - 1] for i in range(len(gap) - 1)]
            triangles.append(np.array(fan))
    for hole in loops[1:]:
        points = np.vstack([points, points[hole].mean(0)])
        density = np.append(density, density[hole].mean())
        on_axis = np.append(on_axis, False)
        fan = [[hole[(i + 1) % len(hole)], hole[i], len(points) - 1] for i in range(len(hole))]
        triangles.append(np.array(fan))
    full = np.concatenate(triangles)
    piece = DiskPatch(
        f=full,
        lengths=_lengths(points, density, full),
        area_weight=np.where(np.arange(len(full)) < len(faces), 1.0, FAN_WEIGHT),
        outline=boundary_loops(full)[0],
        on_axis=on_axis,
    )
    uv = slim(piece, tutte(piece, len(points)))
    return Chart(name, faces, corner, uv[:count], on_axis[:count])


def _lengths(points: FloatArray, density: FloatArray, f: IntArray) -> FloatArray:
    """[T, 3] wanted lengths of the edges opposite to each corner."""
    out = np.zeros((len(f), 3))
    for k in range(3):
        i, j = f[:, (k + 1) % 3], f[:, (k + 2) % 3]
        length = np.linalg.norm(points[i] - points[j], axis=1)
        out[:, k] = np.maximum(length, 1e-5) * np.sqrt(density[i] * density[j])
    return out


def _parts(mesh: BodyMesh, *names: str) -> IntArray:
    return np.flatnonzero(mesh.left & np.isin(mesh.part, [PART[n] for n in names]))


def _shared(mesh: BodyMesh, faces: IntArray, others: IntArray) -> IntArray:
    """Vertices that two sets of triangles have in common."""
    return np.intersect1d(mesh.f[faces], mesh.f[others])


def _around(
    points: FloatArray, start: FloatArray, end: FloatArray, wanted: FloatArray
) -> FloatArray:
    """Cost factor [V] that grows with the angle about the bone away from a direction."""
    bone = (end - start) / np.linalg.norm(end - start)
    ray = points - start
    ray = ray - (ray @ bone)[:, None] * bone
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-9)
    return np.asarray(1.0 + 8.0 * (1.0 - ray @ wanted))


def cut_body(mesh: BodyMesh) -> list[Chart]:
    """Cut all charts of the left side; pieces with an axis are halves of symmetric charts."""
    v, joints = mesh.vertices, mesh.joints
    head = _parts(mesh, *HEAD_SCALE)
    torso, arm, leg = _parts(mesh, "torso"), _parts(mesh, "arm"), _parts(mesh, "leg")
    hand, foot = _parts(mesh, "hand"), _parts(mesh, "foot")

    # The head is slit from the crown down the back.
    front_line = mesh.on_middle & (v[:, 2] > joints[JOINT_INDEX["head"], 2] - 0.03)
    charts = [flatten_chart(mesh, "head", head, axis=front_line, scale=HEAD_SCALE)]

    front = split_by_side(mesh, torso, 2)
    charts.append(flatten_chart(mesh, "torso_front", torso[front], axis=mesh.on_middle))
    charts.append(flatten_chart(mesh, "torso_back", torso[~front], axis=mesh.on_middle))

    def joint(name: str) -> FloatArray:
        return np.asarray(joints[JOINT_INDEX[f"left_{name}"]])

    under = _around(v, joint("shoulder"), joint("wrist"), np.array([0.0, -1.0, 0.0]))
    slit = cut_path(mesh, arm, _shared(mesh, arm, torso), _shared(mesh, arm, hand), under)
    charts.append(flatten_chart(mesh, "arm", arm, cuts=slit))
    inside = _around(v, joint("hip"), joint("ankle"), np.array([-1.0, 0.0, 0.0]))
    slit = cut_path(mesh, leg, _shared(mesh, leg, torso), _shared(mesh, leg, foot), inside)
    charts.append(flatten_chart(mesh, "leg", leg, cuts=slit))

    up = split_by_side(mesh, hand, 1)
    charts.append(flatten_chart(mesh, "hand_back", hand[up]))
    charts.append(flatten_chart(mesh, "hand_palm", hand[~up]))
    upper = split_by_side(mesh, foot, 1)
    top, sole = foot[upper], foot[~upper]
    heel = _around(v, joint("ankle"), joint("ankle") - [0, 1, 0], np.array([0.0, 0.0, -1.0]))
    slit = cut_path(mesh, top, _shared(mesh, top, leg), _shared(mesh, top, sole), heel)
    charts.append(flatten_chart(mesh, "foot_top", top, cuts=slit))
    charts.append(flatten_chart(mesh, "foot_sole", sole))

    for name in ("eye", "eye_back", "eye_socket"):
        charts.append(flatten_chart(mesh, name, _parts(mesh, name)))
    charts.append(flatten_chart(mesh, "mouth", _parts(mesh, "mouth"), axis=mesh.on_middle))
    tongue = _parts(mesh, "tongue")
    upper = split_by_side(mesh, tongue, 1)
    charts.append(flatten_chart(mesh, "tongue_top", tongue[upper], axis=mesh.on_middle))
    charts.append(flatten_chart(mesh, "tongue_bottom", tongue[~upper], axis=mesh.on_middle))
    teeth = _parts(mesh, "teeth")
    _, label = connected_components(_face_graph(mesh.f[teeth]), directed=False)
    rows = [teeth[label == k] for k in (0, 1)]
    rows.sort(key=lambda row: float(v[mesh.f[row]][..., 1].mean()))
    for name, row in zip(("teeth_lower", "teeth_upper"), rows):
        charts.append(flatten_chart(mesh, name, row, axis=mesh.on_middle))
    return charts


def _face_graph(f: IntArray) -> sparse.csr_matrix:
    """Which triangles share an edge."""
    a, b, _ = _edge_pairs(f)
    graph = sparse.csr_matrix((np.ones(len(a)), (a, b)), shape=(len(f), len(f)))
    return graph + graph.T

"""What another body takes over from the default one that was laid onto it.

Parts, atlas and landmarks lie where the registration has them. The facial actions move the skin as
they move the default body's, turned and scaled with the head; those of the jaw turn the body's own
jaw joint. What lies behind the skin and bodies of SMPL-X's kind lack (the mouth's lining, teeth,
tongue, eye sockets) is appended, with the default body's vertices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..body.atlas import rasterize_atlas, surface_points
from ..body.model import Body, Landmarks
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, FloatArray, IntArray, Pose
from ..motion.io import jaw_from_expression
from .closest import closest_on_mesh
from .registration import (
    EYES,
    OUTER_PARTS,
    Registration,
    eye_faces,
    nearest_points,
    part_faces,
    skin_faces,
)

INNER_PARTS = ("eye_socket", "mouth", "teeth", "tongue")
NUM_MESH = 468
"""Face landmarks before those of the irises."""


@dataclass(frozen=True)
class CarrySettings:
    """How closely inner pieces follow the skin, and when charts collide."""

    near: float = 0.01  # metres from the skin within which a lining follows its expressions
    around: int = 64  # vertices of the skin whose shape an inner vertex follows
    stretch: float = 2.0  # times a triangle that a chart may continue beyond its rim
    seam: float = 3.0  # times its own size that a triangle's corner may lie off in the atlas
    seam_slack: float = 0.01  # sides of the atlas more
    atlas_size: int = 1024  # texels at which charts must not overlap
    shrink: float = 0.985  # factor on charts that overlap, again and again
    shrink_steps: int = 8  # at most


S = register_settings("bake.carry_over", CarrySettings())


@dataclass(frozen=True)
class SkinMatch:
    """Where each vertex of a body lies on the default body.

    Attributes:
        triangle: [V] rows of the default body's ``f``.
        bary: [V, 3].
        face: [F] the default body's triangle at the middle of each of the body's.
    """

    triangle: IntArray
    bary: FloatArray
    face: IntArray


def match_surface(default: Body, target: Body, registration: Registration) -> SkinMatch:
    """Find the default body's point for every vertex and triangle of another body.

    Args:
        default: The default body.
        target: The body it was laid onto.
        registration: How.
    """
    V, F = len(target.v_template), len(target.f)
    points = target.v_template.astype(np.float64)
    normals = vertex_normals(points, target.f)
    middles = points[target.f].mean(1)
    triangle, bary, face = np.full(V, -1), np.zeros((V, 3)), np.full(F, -1)
    regions = [(skin_faces(target), part_faces(default, OUTER_PARTS))]
    regions += [(eye_faces(target, eye), eye_faces(default, eye)) for eye in EYES]
    for theirs, ours in regions:
        rows = np.unique(target.f[theirs])
        triangle[rows], bary[rows] = nearest_points(
            points[rows], normals[rows], registration.vertices, default.f, ours
        )
        facing = normals[target.f[theirs]].mean(1)
        face[theirs], _ = nearest_points(
            middles[theirs], facing, registration.vertices, default.f, ours
        )
    loose = triangle < 0  # vertices of no triangle, or of triangles that mix eye and skin
    if loose.any():
        triangle[loose], bary[loose] = closest_on_mesh(
            points[loose], registration.vertices, default.f, regions[0][1]
        )
    loose = face < 0
    if loose.any():
        face[loose] = triangle[target.f[loose, 0]]
    return SkinMatch(triangle, bary, face)


def carry_landmarks(default: Body, target: Body, registration: Registration) -> Landmarks:
    """Return the default body's landmarks on another body.

    Args:
        default: The default body, with landmarks.
        target: The body it was laid onto.
        registration: How.
    """
    marks = default.landmarks
    assert marks is not None
    at = surface_points(registration.vertices, default.f, marks.face_triangle, marks.face_bary)
    N = len(marks.face_triangle)
    triangle, bary = np.zeros(N, np.int32), np.zeros((N, 3))
    on_eye = np.arange(N) >= NUM_MESH
    left = default.v_template[default.f[marks.face_triangle]].mean(1)[:, 0] > 0
    for rows, faces in (
        (~on_eye, skin_faces(target)),
        (on_eye & left, eye_faces(target, EYES[0])),
        (on_eye & ~left, eye_faces(target, EYES[1])),
    ):
        triangle[rows], bary[rows] = closest_on_mesh(at[rows], target.v_template, target.f, faces)
    head = registration.turns[JOINT_INDEX["head"]]

    def turned(joint: IntArray, offset: FloatArray) -> FloatArray:
        out: FloatArray = np.einsum("kab,kb->ka", registration.turns[joint], offset)
        return out

    # The head's joint lies elsewhere in every rig: its points keep their place to the eyes.
    eyes = list(EYES)
    of_head = marks.pose_joint == JOINT_INDEX["head"]
    pose_offset = turned(marks.pose_joint, marks.pose_offset)
    middle = default.J_template[eyes].mean(0) - default.J_template[JOINT_INDEX["head"]]
    away = (marks.pose_offset[of_head] - middle) @ head.T
    there = target.J_template[eyes].mean(0) - target.J_template[JOINT_INDEX["head"]]
    pose_offset[of_head] = away + there
    return replace(
        marks,
        face_triangle=triangle,
        face_bary=bary,
        pose_offset=pose_offset,
        hand_offset=turned(marks.hand_joint, marks.hand_offset),
        turn_shifts=(marks.turn_shifts @ head.T).astype(np.float32),
    )


# Atlas --------------------------------------------------------------------------------------


def carry_atlas(
    default: Body, target: Body, registration: Registration, match: SkinMatch
) -> tuple[FloatArray, IntArray]:
    """Return the default body's atlas on another mesh.

    Each triangle goes to one chart. Its corners continue the chart's nearest triangle, so charts
    reach beyond their rims by a part of a triangle; all shrink a little until they don't overlap.

    Returns:
        atlas_vt: [A, 2], v down.
        atlas_ft: [F, 3] rows of ``atlas_vt``.
    """
    chart = _charts(default)
    of_face = chart[match.face]
    points = target.v_template.astype(np.float64)
    normals = vertex_normals(points, target.f)
    corners = registration.vertices[default.f]
    charts = default.atlas_vt[default.atlas_ft].astype(np.float64)
    uv = np.zeros((len(target.f), 3, 2))
    for k in np.unique(of_face):
        faces = np.flatnonzero(of_face == k)
        rows, corner = np.unique(target.f[faces], return_inverse=True)
        ours = np.flatnonzero(chart == k)
        triangle, _ = nearest_points(
            points[rows], normals[rows], registration.vertices, default.f, ours
        )
        bary = _continued(points[rows], corners[triangle])
        of_row = np.einsum("nc,ncd->nd", bary, charts[triangle])
        uv[faces] = of_row[corner.reshape(-1, 3)]
    _rejoin(uv, points[target.f], corners[match.face], charts[match.face])
    for _ in range(S.shrink_steps):
        clash = _overlapping(uv, of_face)
        if not len(clash):
            break
        for k in clash:
            own = of_face == k
            middle = (uv[own].min((0, 1)) + uv[own].max((0, 1))) / 2
            uv[own] = middle + S.shrink * (uv[own] - middle)
    uv = np.clip(uv, 0.0, 1.0).astype(np.float32)
    # A vertex has one coordinate in each chart, but for the two sides of a seam.
    key = np.column_stack([of_face.repeat(3), target.f.ravel(), uv.reshape(-1, 2).view(np.int32)])
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return uv.reshape(-1, 2)[first], index.reshape(-1, 3).astype(np.int32)


def _rejoin(uv: FloatArray, at: FloatArray, corners: FloatArray, charts: FloatArray) -> None:
    """Move corners that lie across their own chart's seam next to their triangle's middle.

    Args:
        uv: [F, 3, 2] changed in place.
        at: [F, 3, 3] metres, the target's triangles.
        corners: [F, 3, 3] metres, the default body's triangles at their middles.
        charts: [F, 3, 2] those triangles in the atlas.
    """
    middle = at.mean(1, keepdims=True)
    bary = np.stack([_continued(at[:, k], corners) for k in range(3)], 1)
    alone = np.einsum("fkc,fcd->fkd", bary, charts)
    centre = np.einsum("fc,fcd->fd", _continued(middle[:, 0], corners), charts)[:, None]
    side, metres = (
        np.linalg.norm(t - t.mean(1, keepdims=True), axis=2).max(1) for t in (charts, corners)
    )
    reach = side / np.maximum(metres, 1e-9)
    length = np.linalg.norm(at - middle, axis=2)
    across = np.linalg.norm(uv - centre, axis=2) > S.seam * length * reach[:, None] + S.seam_slack
    uv[across] = alone[across]


def _charts(body: Body) -> IntArray:
    """[F] the chart of each triangle: what hangs together in the atlas."""
    edges = body.atlas_ft[:, [0, 1, 1, 2]].reshape(-1, 2)
    size = len(body.atlas_vt)
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(size, size))
    label = connected_components(graph, directed=False)[1]
    return np.asarray(label[body.atlas_ft[:, 0]])


def _continued(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Barycentric coordinates [n, 3] in the planes of triangles [n, 3, 3], outside them too."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    e, g, p = b - a, c - a, points - a
    ee, eg, gg = (e * e).sum(1), (e * g).sum(1), (g * g).sum(1)
    pe, pg = (p * e).sum(1), (p * g).sum(1)
    det = np.maximum(ee * gg - eg * eg, 1e-18)
    v, w = (gg * pe - eg * pg) / det, (ee * pg - eg * pe) / det
    out = np.clip(np.stack([1 - v - w, v, w], 1), -S.stretch, 1 + S.stretch)
    return np.asarray(out / out.sum(1, keepdims=True))


def _overlapping(uv: FloatArray, of_face: IntArray) -> list[int]:
    """Charts that lie on another one."""
    owner = np.full((S.atlas_size, S.atlas_size), -1)
    clash: set[int] = set()
    for k in np.unique(of_face):
        own = uv[of_face == k].reshape(-1, 2)
        triangle, _, _ = rasterize_atlas(own, np.arange(len(own)).reshape(-1, 3), S.atlas_size)
        below = np.unique(owner[(triangle >= 0) & (owner >= 0)])
        if len(below):
            clash |= {int(k), *below.tolist()}
        owner[triangle >= 0] = k
    return sorted(clash)


# Actions ------------------------------------------------------------------------------------


def carry_actions(
    default: Body, target: Body, registration: Registration, match: SkinMatch
) -> FloatArray:
    """Return the default body's facial actions on another body's vertices.

    Returns:
        [V, 3, 52] metres.
    """
    on_eye = target.sum_weights(EYES) > 0.5
    E = default.num_expression
    flat = default.exprdirs.reshape(len(default.exprdirs), -1).astype(np.float64)
    moved = surface_points(flat, default.f, match.triangle, match.bary).reshape(-1, 3, E)
    moved[on_eye] = 0.0
    out: FloatArray = np.einsum("ab,vbe->vae", registration.turns[JOINT_INDEX["head"]], moved)
    return out


def turn_jaw(body: Body) -> Body:
    """Return a body whose jaw actions turn its own jaw joint, as far as the carried ones do.

    Args:
        body: With ``jawOpen``, ``jawLeft`` and ``jawRight`` among its expressions.
    """
    share = jaw_from_expression(body)
    exprdirs = body.exprdirs.copy()
    still = replace(body, exprdirs=np.zeros_like(body.exprdirs))
    rest = Pose.rest(body.num_expression)
    for k in np.flatnonzero(np.abs(share).sum(1)):
        posed, _ = still.vertices(rest.with_joints(jaw=share[k]))
        exprdirs[:, :, k] = posed - body.v_template
    return replace(body, exprdirs=exprdirs)


# Inner pieces -------------------------------------------------------------------------------


def append_inner_pieces(
    default: Body, target: Body, registration: Registration, num_actions: int
) -> Body:
    """Append the mouth's lining, teeth, tongue and eye sockets of the default body.

    They follow the skin around them in shape; linings also in its own expressions, the nearer the
    more. The target has parts and an atlas of the default body's already.

    Args:
        default: The default body.
        target: The body it was laid onto.
        registration: How.
        num_actions: How many of the target's first expressions are the default body's.
    """
    faces = part_faces(default, INNER_PARTS)
    rows, corner = np.unique(default.f[faces], return_inverse=True)
    uv_rows, uv_corner = np.unique(default.atlas_ft[faces], return_inverse=True)
    points = registration.vertices[rows]
    skin = np.unique(target.f[skin_faces(target)])
    distance, near = cKDTree(target.v_template[skin]).query(points, k=S.around)
    pull = 1.0 / (distance**2 + S.near**2)
    pull /= pull.sum(1, keepdims=True)
    follow = sparse.csr_array(
        (pull.ravel(), (np.repeat(np.arange(len(rows)), S.around), skin[near].ravel())),
        shape=(len(rows), len(target.v_template)),
    )

    def followed(values: FloatArray) -> FloatArray:
        flat = follow @ values.reshape(len(values), -1).astype(np.float64)
        return np.asarray(flat.reshape(len(rows), *values.shape[1:]), np.float32)

    lining = np.isin(rows, np.unique(default.f[part_faces(default, ("mouth", "eye_socket"))]))
    share = np.where(lining, np.exp(-distance[:, 0] / S.near), 0.0)[:, None, None]
    own = followed(target.exprdirs[:, :, num_actions:]) * share
    head = registration.turns[JOINT_INDEX["head"]]
    actions = np.einsum("ab,vbe->vae", head, default.exprdirs[rows][:, :, :num_actions])
    posedirs = target.posedirs
    if posedirs is not None:
        nothing = np.zeros((len(rows), *posedirs.shape[1:]), np.float32)
        posedirs = np.concatenate([posedirs, nothing])
    V, A, T = len(target.v_template), len(target.atlas_vt), len(target.vt)
    uv = default.atlas_vt[uv_rows]
    add = corner.reshape(-1, 3)
    return replace(
        target,
        v_template=np.concatenate([target.v_template, points]).astype(np.float32),
        f=np.concatenate([target.f, add + V]).astype(np.int32),
        weights=np.concatenate([target.weights, default.weights[rows]]),
        shapedirs=np.concatenate([target.shapedirs, followed(target.shapedirs)]),
        exprdirs=np.concatenate(
            [target.exprdirs, np.concatenate([actions, own], 2).astype(np.float32)]
        ),
        posedirs=posedirs,
        # In the body's own texture they lie in the next tile.
        vt=np.concatenate([target.vt, uv * [1, -1] + [1, 1]]).astype(np.float32),
        ft=np.concatenate([target.ft, uv_corner.reshape(-1, 3) + T]).astype(np.int32),
        atlas_vt=np.concatenate([target.atlas_vt, uv]).astype(np.float32),
        atlas_ft=np.concatenate([target.atlas_ft, uv_corner.reshape(-1, 3) + A]).astype(np.int32),
        face_part=np.concatenate([target.face_part, default.face_part[faces]]).astype(np.uint8),
    )

"""The body's outline against the person's mask: inside it, and near its edge where that is close.

Clothes and hair stand off the body, so an outline point outside the mask is wrong, but one inside
is only drawn outwards when the edge lies within a few centimetres and runs along the outline.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..body.model import Body
from ..types import JOINT_INDEX, FloatArray, IntArray
from .evidence import Evidence
from .points import Points
from .residuals import MaskTerm, project_rows
from .skeleton import State
from .solver import Term

MAP_SIZE = 384  # pixels of the distance map's longer side
OUTLINE_POINTS = 300
GRAZING = 0.25  # |cosine| between normal and line of sight on the outline
# In shoulder widths: one standard deviation, the robust radius, and what clothes may stand off.
OUTSIDE_NOISE, OUTSIDE_RADIUS = 0.04, 0.4
INSIDE_NOISE, INSIDE_RADIUS, ALLOWANCE = 0.08, 0.12, 0.03
TOGETHER = 5.0  # neighbouring outline points that err together
ALONG = 0.6  # cosine between the outline's and the edge's normals
HAND_JOINTS = np.arange(JOINT_INDEX["left_index1"], JOINT_INDEX["right_thumb3"] + 1)


def outline_terms(body: Body, state: State, evidence: Evidence) -> list[Term]:
    """Terms for the outline of ``state``; to be re-made as the body moves."""
    mask = np.asarray(evidence.observation.person_mask)
    if mask.max() < 0.5:
        return []
    step = max(1, int(np.ceil(max(mask.shape) / MAP_SIZE)))
    inside = mask[step // 2 :: step, step // 2 :: step] > 0.5
    vertices, _ = body.vertices(state.pose, state.betas)
    rows, normals = _outline_vertices(body, vertices)
    if not len(rows):
        return []
    camera = evidence.camera
    scale = evidence.body_scale * inside.shape[1] / camera.width
    points = _vertex_points(body, rows)
    outside_distance: FloatArray = distance_transform_edt(~inside)
    weight = np.full(len(rows), 1.0 / (OUTSIDE_NOISE**2 * TOGETHER))
    terms: list[Term] = [
        MaskTerm(points, outside_distance, weight, camera, scale, OUTSIDE_RADIUS)
    ]
    # The frame's edge is no outline of the person: continue the mask beyond it.
    margin = np.pad(inside, 1, mode="edge")
    inside_distance: FloatArray = distance_transform_edt(margin)[1:-1, 1:-1]
    stand_off = np.maximum(inside_distance - ALLOWANCE * scale, 0.0)
    near = _runs_along(inside_distance, vertices[rows], normals, evidence, scale)
    if near.any():
        kept = np.flatnonzero(near)
        weight = np.full(len(kept), 1.0 / (INSIDE_NOISE**2 * TOGETHER))
        terms.append(
            MaskTerm(points.take(kept), stand_off, weight, camera, scale, INSIDE_RADIUS)
        )
    return terms


def _runs_along(
    distance: FloatArray,
    places: FloatArray,
    normals: FloatArray,
    evidence: Evidence,
    scale: float,
) -> FloatArray:
    """[N] bool: the mask's edge is near and faces the way the body's surface does."""
    pixels, _, _ = project_rows(places, evidence.camera)
    zoom = distance.shape[1] / evidence.camera.width
    column, row = np.floor(pixels * zoom).astype(np.int64).T
    height, width = distance.shape
    seen = (column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)
    column, row = np.clip(column, 1, width - 2), np.clip(row, 1, height - 2)
    slope = np.stack([distance[row, column + 1] - distance[row, column - 1],
                      distance[row + 1, column] - distance[row - 1, column]], -1)  # fmt: skip
    outwards = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    flat = normals[:, :2] * [1.0, -1.0]
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    close = distance[row, column] < 2.0 * INSIDE_RADIUS * scale
    out: FloatArray = seen & close & ((flat * outwards).sum(1) > ALONG)
    return out


def _outline_vertices(body: Body, vertices: FloatArray) -> tuple[IntArray, FloatArray]:
    """Rows and normals [N, 3] of vertices of trunk and limbs square to the line of sight."""
    f = np.asarray(body.f)
    corners = vertices[f]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.stack(
        [np.bincount(f.ravel(), np.repeat(face_normal[:, k], 3), len(vertices)) for k in range(3)],
        axis=-1,
    )
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    sight = vertices / np.maximum(np.linalg.norm(vertices, axis=1, keepdims=True), 1e-9)
    holder = np.asarray(body.weights).argmax(1)
    head = [JOINT_INDEX[n] for n in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")]
    left_out = np.isin(holder, head) | np.isin(holder, HAND_JOINTS)
    rows = np.flatnonzero((np.abs((normal * sight).sum(1)) < GRAZING) & ~left_out)
    rows = rows[:: max(1, len(rows) // OUTLINE_POINTS)]
    return rows, normal[rows]


def _vertex_points(body: Body, rows: IntArray) -> Points:
    """Vertices as points: each in some triangle that has it."""
    f = np.asarray(body.f)
    triangle, corner = np.zeros(len(body.v_template), np.int64), np.zeros(
        len(body.v_template), np.int64
    )
    for k in range(3):
        triangle[f[:, k]], corner[f[:, k]] = np.arange(len(f)), k
    return Points.on_surface(body, triangle[rows], np.eye(3)[corner[rows]])

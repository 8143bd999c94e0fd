"""The body's outline against the person's mask: the body is inside its clothes and hair."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..body.model import Body
from ..types import JOINT_INDEX, FloatArray, IntArray
from .evidence import Evidence
from .points import Points
from .residuals import MaskTerm
from .skeleton import State
from .solver import Term

MAP_SIZE = 256  # pixels of the distance map's longer side
OUTLINE_POINTS = 240
GRAZING = 0.25  # |cosine| between normal and line of sight on the outline
NOISE = 0.04  # one standard deviation, in shoulder widths
TOGETHER = 4.0  # neighbouring outline points that err together
RADIUS = 0.4  # shoulder widths
HAND_JOINTS = np.arange(JOINT_INDEX["left_index1"], JOINT_INDEX["right_thumb3"] + 1)


def outline_term(body: Body, state: State, evidence: Evidence) -> list[Term]:
    """Points of today's outline must project into the mask; re-made as the body moves."""
    mask = np.asarray(evidence.observation.person_mask)
    if mask.max() < 0.5:
        return []
    distance = _distance_outside(mask)
    vertices, _ = body.vertices(state.pose, state.betas)
    rows = _outline_vertices(body, vertices)
    if not len(rows):
        return []
    points = _vertex_points(body, rows)
    scale = evidence.body_scale * distance.shape[1] / evidence.camera.width
    weight = np.full(len(rows), 1.0 / (NOISE**2 * TOGETHER))
    return [MaskTerm(points, distance, weight, evidence.camera, scale, RADIUS)]


def _distance_outside(mask: FloatArray) -> FloatArray:
    """Distance to the mask in pixels of a map of MAP_SIZE, 0 inside."""
    step = max(1, int(np.ceil(max(mask.shape) / MAP_SIZE)))
    inside = mask[step // 2 :: step, step // 2 :: step] > 0.5
    out: FloatArray = distance_transform_edt(~inside)
    return out


def _outline_vertices(body: Body, vertices: FloatArray) -> IntArray:
    """Vertices of trunk and limbs whose normals are square to the line of sight."""
    f = np.asarray(body.f)
    corners = vertices[f]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normal, f[:, k], face_normal)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    sight = vertices / np.maximum(np.linalg.norm(vertices, axis=1, keepdims=True), 1e-9)
    holder = np.asarray(body.weights).argmax(1)
    head = [JOINT_INDEX[n] for n in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")]
    left_out = np.isin(holder, head) | np.isin(holder, HAND_JOINTS)
    rows = np.flatnonzero((np.abs((normal * sight).sum(1)) < GRAZING) & ~left_out)
    step = max(1, len(rows) // OUTLINE_POINTS)
    return rows[::step]


def _vertex_points(body: Body, rows: IntArray) -> Points:
    """Vertices as points: the first corner of a triangle that has them."""
    f = np.asarray(body.f)
    order = np.full(len(body.v_template), -1)
    corner = np.zeros(len(body.v_template), np.int64)
    for k in range(3):
        order[f[:, k]] = np.arange(len(f))
        corner[f[:, k]] = k
    rows = rows[order[rows] >= 0]
    return Points.on_surface(body, order[rows], np.eye(3)[corner[rows]])

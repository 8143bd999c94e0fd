"""The body's outline against the person's mask: inside it, and near its edge where that is close.

Clothes and hair stand off the body, so an outline point outside the mask is wrong, but one inside
is only drawn outwards when the edge lies within a few centimetres and runs along the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..body.model import Body
from ..types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .evidence import Evidence
from .points import Points
from .residuals import MaskTerm, project_rows
from .skeleton import State
from .solver import Term

MAP_SIZE = 384  # pixels of the distance map's longer side
OUTLINE_POINTS = 400
# In shoulder widths: one standard deviation, the robust radius, and what clothes may stand off.
OUTSIDE_NOISE, OUTSIDE_RADIUS = 0.04, 0.4
INSIDE_NOISE, INSIDE_RADIUS, ALLOWANCE = 0.12, 0.12, 0.03
TOGETHER = 0.15  # shoulder widths of outline that err together
ALONG = 0.6  # cosine between the outline's and the edge's normals
HAND_JOINTS = {True: range(25, 40), False: range(40, 55)}  # left, right
HEAD_JOINTS = tuple(JOINT_INDEX[n] for n in (
    "head", "jaw", "left_eye_smplhf", "right_eye_smplhf"))  # fmt: skip


@dataclass(frozen=True)
class Outline:
    """The edges of a body between trunk and limb triangles, from which outlines are picked.

    Attributes:
        edge: [E, 2] vertices. left, right: [E] the triangles on both sides.
        holder: [E] the joint that holds the edge most.
    """

    body: Body
    edge: IntArray
    left: IntArray
    right: IntArray
    holder: IntArray

    @staticmethod
    def of(body: Body) -> Outline:
        """Edges shared by two triangles, the head's left out (hair hides its outline)."""
        f = np.asarray(body.f, np.int64)
        ends = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1)
        triangle = np.tile(np.arange(len(f)), 3)
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        ends, triangle = ends[order], triangle[order]
        twin = np.flatnonzero((ends[1:] == ends[:-1]).all(1))
        weights = np.asarray(body.weights)
        holder = (weights[ends[twin, 0]] + weights[ends[twin, 1]]).argmax(1)
        kept = ~np.isin(holder, HEAD_JOINTS)
        twin = twin[kept]
        return Outline(body, ends[twin], triangle[twin], triangle[twin + 1], holder[kept])

    def terms(self, state: State, evidence: Evidence) -> list[Term]:
        """Terms for the outline of ``state``; to be re-made as the body moves."""
        mask = np.asarray(evidence.observation.person_mask)
        if mask.max() < 0.5:
            return []
        step = max(1, int(np.ceil(max(mask.shape) / MAP_SIZE)))
        inside = mask[step // 2 :: step, step // 2 :: step] > 0.5
        places, normals, lengths, points = self._sample(state, evidence)
        if points is None or inside.all():
            return []
        camera = evidence.camera
        scale = evidence.body_scale * inside.shape[1] / camera.width
        share = lengths / (TOGETHER * evidence.body_scale)
        outside_distance: FloatArray = distance_transform_edt(~inside)
        weight = share / OUTSIDE_NOISE**2
        terms: list[Term] = [
            MaskTerm(points, outside_distance, weight, camera, scale, OUTSIDE_RADIUS)
        ]
        # The frame's edge is no outline of the person: continue the mask beyond it.
        margin = np.pad(inside, 1, mode="edge")
        inside_distance: FloatArray = distance_transform_edt(margin)[1:-1, 1:-1]
        near = np.flatnonzero(_runs_along(inside_distance, places, normals, evidence, scale))
        if len(near):
            stand_off = np.maximum(inside_distance - ALLOWANCE * scale, 0.0)
            weight = share[near] / INSIDE_NOISE**2
            terms.append(
                MaskTerm(points.take(near), stand_off, weight, camera, scale, INSIDE_RADIUS)
            )
        return terms

    def _sample(
        self, state: State, evidence: Evidence
    ) -> tuple[FloatArray, FloatArray, FloatArray, Points | None]:
        """Places [N, 3], normals [N, 3], lengths [N] in pixels, and points of today's outline.

        Its edges lie between triangles that face the camera and such that do not.
        """
        vertices, _ = self.body.vertices(state.pose, state.betas)
        f = np.asarray(self.body.f)
        corners = vertices[f]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        facing = (normal * corners[:, 0]).sum(1) < 0  # the camera is the origin
        seen_hands = [k for hand in evidence.hands for k in HAND_JOINTS[hand.left]]
        turning = facing[self.left] != facing[self.right]
        turning &= ~np.isin(self.holder, seen_hands)  # they have their own landmarks
        rows = np.flatnonzero(turning)
        ends = vertices[self.edge[rows]]
        if not len(rows) or (ends[..., 2] > -0.05).any():
            return ends[:, 0], ends[:, 0], np.zeros(0), None
        pixels, _, _ = project_rows(ends.reshape(-1, 3), evidence.camera)
        pixels = pixels.reshape(-1, 2, 2)
        size = np.array([evidence.camera.width, evidence.camera.height])
        framed = ((pixels > 0) & (pixels < size)).all((1, 2))
        rows, ends, pixels = rows[framed], ends[framed], pixels[framed]
        if not len(rows):
            return ends[:, 0], ends[:, 0], np.zeros(0), None
        length = np.linalg.norm(pixels[:, 1] - pixels[:, 0], axis=1)
        # Even steps along the whole length: each kept edge stands for one step.
        reach = np.cumsum(length)
        picked = np.unique(np.searchsorted(reach, np.linspace(0, reach[-1], OUTLINE_POINTS)[1:]))
        picked = picked[picked < len(rows)]
        share = np.diff(np.r_[0.0, reach[picked]])
        rows = rows[picked]
        both = normal[self.left[rows]] + normal[self.right[rows]]
        both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
        triangle = self.left[rows]
        bary = (f[triangle][:, :, None] == self.edge[rows][:, None, :]).any(2) * 0.5
        points = Points.on_surface(self.body, triangle, bary)
        return ends[picked].mean(1), both, share, points


def _runs_along(
    distance: FloatArray,
    places: FloatArray,
    normals: FloatArray,
    evidence: Evidence,
    scale: float,
) -> BoolArray:
    """[N]: the mask's edge is near and faces the way the body's surface does."""
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
    out: BoolArray = seen & close & ((flat * outwards).sum(1) > ALONG)
    return out

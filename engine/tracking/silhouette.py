"""Outlines: the body's against the person's mask, the head's against the end of its skin.

Clothes and hair stand off the body, so an outline point outside the mask is wrong, but one inside
is only drawn outwards when the edge lies within a few centimetres and runs along the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..body.model import Body
from ..core.interpolation import smoothstep
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..render.mesh import rasterize_mesh
from .bare_limbs import (
    ARM_JOINTS,
    TRUNK_JOINTS,
    draw_to_clothes,
    draw_to_skin,
    drop_sleeve,
    find_bare_limbs,
    is_trunk_clothed,
)
from .body_points import BodyPoints
from .contour import (
    Contour,
    S,
    draw_to_edge,
    drop_near_hands,
    find_near_arms,
    flat_normals,
    keep_inside,
)
from .evidence import Evidence
from .fit_state import FitState, PosedJoints
from .landmark_trust import yaw_disagreement
from .residuals import LandmarkTerm, MaskTerm, project_rows
from .shoulder_line import find_shoulder_line
from .skin_map import PixelMap
from .solver import FitTerm

HAND_JOINTS = {True: range(25, 40), False: range(40, 55)}  # left, right
SHOULDER_JOINTS = tuple(
    JOINT_INDEX[name]
    for name in ("spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder")
)
PROFILE_PARTS = ("face", "lips")
OUTERMOST = 2.5  # pixels from a mesh's edge within which a point belongs to its silhouette
BROW_HEIGHT = 0.02  # metres above the eyes
HEAD_JOINTS = tuple(JOINT_INDEX[n] for n in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf"))


@dataclass(frozen=True)
class SilhouetteEdges:
    """The edges of a body between two triangles, from which outlines are picked.

    Attributes:
        edge: [E, 2] vertices.
        left: [E] the triangle on one side.
        right: [E] the triangle on the other side.
        holder: [E] the joint that holds the edge most.
    """

    body: Body
    edge: IntArray
    left: IntArray
    right: IntArray
    holder: IntArray

    @staticmethod
    def of(body: Body) -> SilhouetteEdges:
        """All edges shared by two triangles."""
        f = np.asarray(body.f, np.int64)
        ends = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1)
        triangle = np.tile(np.arange(len(f)), 3)
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        ends, triangle = ends[order], triangle[order]
        twin = np.flatnonzero((ends[1:] == ends[:-1]).all(1))
        weights = np.asarray(body.weights)
        holder = (weights[ends[twin, 0]] + weights[ends[twin, 1]]).argmax(1)
        return SilhouetteEdges(body, ends[twin], triangle[twin], triangle[twin + 1], holder)

    def terms(self, state: FitState, evidence: Evidence) -> list[FitTerm]:
        """Terms for the outline of ``state``; call again as the body moves."""
        mask = np.asarray(evidence.observation.person_mask)
        if mask.max() < 0.5:
            return []
        step = max(1, int(np.ceil(max(mask.shape) / S.map_size)))
        inside = mask[step // 2 :: step, step // 2 :: step] > 0.5
        if inside.all():
            return []
        camera = evidence.camera
        zoom = np.array([inside.shape[1] / camera.width, inside.shape[0] / camera.height])
        person = PixelMap(inside.astype(np.float64), np.zeros(2), zoom)
        of_head = np.isin(self.holder, HEAD_JOINTS)
        seen_hands = [k for hand in evidence.hands for k in HAND_JOINTS[hand.left]]
        of_hand = np.isin(self.holder, seen_hands)  # they have their own landmarks
        vertices, _ = self.body.vertices(state.pose, state.betas)
        terms: list[FitTerm] = []
        body = self._contour(vertices, evidence, ~of_head & ~of_hand, S.samples)
        if body is not None:
            terms += keep_inside(body, person, evidence, S.outside_noise, S.outside_radius)
            bare = np.isin(body.holder, find_bare_limbs(state, evidence))
            for part, noise, radius, stand_off in (
                (body.take(np.flatnonzero(~bare)), S.inside_noise, S.inside_radius, S.allowance),
                (body.take(np.flatnonzero(bare)), S.bare_noise, S.bare_radius, 0.0),
            ):
                terms += draw_to_edge(
                    part,
                    person,
                    evidence,
                    evidence.body_scale,
                    noise,
                    radius,
                    stand_off,
                    S.together,
                )
        head = self._contour(vertices, evidence, of_head, S.samples // 3)
        if head is not None and evidence.iod is not None:
            terms += keep_inside(head, person, evidence, S.outside_noise, S.outside_radius)
        terms += self.arm_terms(vertices, state, evidence)
        terms += self.shoulder_term(vertices, evidence)
        terms += self.profile_term(vertices, state, evidence)
        skinned = self._contour(
            vertices, evidence, of_head | (self.holder == JOINT_INDEX["neck"]), S.samples // 3
        )
        if skinned is not None and evidence.skin is not None:
            skinned = drop_near_hands(skinned, evidence)
            terms += draw_to_edge(
                skinned,
                evidence.skin,
                evidence,
                evidence.face_scale,
                S.skin_noise,
                S.skin_radius,
                0.0,
                S.skin_together,
            )
        return terms

    def arm_terms(self, vertices: FloatArray, state: FitState, evidence: Evidence) -> list[FitTerm]:
        """Terms for bare arms, and for the sides of a clothed trunk beside them.

        Args:
            vertices: [V, 3] metres, of the body in ``state``.
            state: the body.
            evidence: of the photo.
        """
        if not is_trunk_clothed(state, evidence):
            return []
        terms: list[FitTerm] = []
        arms = np.intersect1d(find_bare_limbs(state, evidence), ARM_JOINTS)
        for joint in arms:
            arm = self._contour(vertices, evidence, self.holder == joint, S.samples // 3)
            if arm is not None:
                terms += draw_to_skin(drop_sleeve(arm, state, evidence, joint), evidence)
        sides = np.isin(self.holder, TRUNK_JOINTS)
        trunk = self._contour(vertices, evidence, sides, S.samples // 3) if len(arms) else None
        if trunk is not None:
            terms += draw_to_clothes(trunk, evidence)
        return terms

    def shoulder_term(self, vertices: FloatArray, evidence: Evidence) -> list[FitTerm]:
        """Shoulders rise to where the mask shows them: those below the frame, of a head all.

        In a close portrait the landmarks of the body are guesses, an outline that the frame cuts
        off is drawn nowhere, and of people who lean forward it is too far from the mask's edge.

        Args:
            vertices: [V, 3] metres, of the body as it is.
            evidence: of the photo.

        Returns:
            One term, or none where the body's own shoulders are as high, or none are shown.
        """
        line = find_shoulder_line(evidence)
        if not np.isfinite(line).any():
            return []
        contour = self._contour(
            vertices, evidence, np.isin(self.holder, SHOULDER_JOINTS), S.samples // 3, framed=False
        )
        if contour is None:
            return []
        pixels = project_rows(contour.places, evidence.camera)[0]
        column = np.clip(pixels[:, 0].astype(np.int64), 0, len(line) - 1)
        target = line[column] + S.allowance * evidence.body_scale
        inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < len(line))
        low = inside & (pixels[:, 1] > target)
        if evidence.framing != "head":
            low &= pixels[:, 1] > evidence.camera.height
        low &= -flat_normals(contour)[:, 1] > S.shoulder_up
        rows = np.flatnonzero(low)
        if not len(rows):
            return []
        weight = contour.lengths[rows] / (S.together * evidence.body_scale) / S.shoulder_noise**2
        return [
            LandmarkTerm(
                contour.points.take(rows),
                np.stack([pixels[rows, 0], target[rows]], -1),
                weight,
                evidence.camera,
                evidence.body_scale,
                S.shoulder_radius,
            )
        ]

    def profile_term(
        self, vertices: FloatArray, state: FitState, evidence: Evidence
    ) -> list[FitTerm]:
        """A turned face's profile, from the brows to the chin, lies on the mask's edge.

        No hair and few clothes cover it, and the face network sees such faces too flat.

        Args:
            vertices: [V, 3] metres, of the body in ``state``.
            state: the body.
            evidence: of the photo.

        Returns:
            One term, or none where the face looks to the camera, the mask has no edge, or limbs
            hide the profile.
        """
        front, trust = face_direction(state, evidence)
        if trust <= 0:
            return []
        contour = self._contour(vertices, evidence, self._of_profile, S.samples // 3)
        if contour is None:
            return []
        forward = flat_normals(contour) @ front
        free = (forward > S.profile_forward) & ~find_near_arms(contour, state, evidence)
        contour = contour.take(np.flatnonzero(free))
        if not len(contour.places):
            return []
        pixels = project_rows(contour.places, evidence.camera)[0]
        mask = np.asarray(evidence.observation.person_mask)
        unit = evidence.face_scale
        low = np.maximum(np.floor(pixels.min(0) - unit), 0).astype(np.int64)
        high = np.minimum(np.ceil(pixels.max(0) + unit).astype(np.int64), mask.shape[::-1])
        step = max(1, int(np.ceil((high - low).max() / S.profile_size)))
        inside = mask[low[1] : high[1] : step, low[0] : high[0] : step] > 0.5
        if inside.all() or not inside.any():
            return []
        depth = distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
        away = np.where(inside, depth, distance_transform_edt(~inside)) - 0.5
        edge = PixelMap(away, low - 0.5 * (step - 1), np.full(2, 1.0 / step))
        covered = rasterize_mesh(vertices, self.body.f, evidence.camera).face >= 0
        own = distance_transform_edt(covered[low[1] : high[1], low[0] : high[0]])
        column, row = (pixels - low).astype(np.int64).T
        kept = np.flatnonzero(own[row, column] < OUTERMOST)
        if not len(kept):
            return []
        noise = np.hypot(S.profile_noise, S.profile_pixels / unit)
        weight = trust * contour.lengths[kept] / (S.profile_together * unit) / noise**2
        return [
            MaskTerm(
                contour.points.take(kept),
                edge,
                weight,
                evidence.camera,
                unit / step,
                max(S.profile_radius, 2 * noise),
            )
        ]

    @cached_property
    def _of_profile(self) -> BoolArray:
        """[E]: edges of the face below the brows."""
        names = self.body.part_names
        parts = [names.index(name) for name in PROFILE_PARTS if name in names]
        rest = np.asarray(self.body.v_template)[self.edge].mean(1)
        eyes = np.asarray(self.body.J_template)[JOINT_INDEX["left_eye_smplhf"], 1]
        below = rest[:, 1] < eyes + BROW_HEIGHT
        out: BoolArray = np.isin(self.body.face_part[self.left], parts) & below
        return out

    def _contour(
        self,
        vertices: FloatArray,
        evidence: Evidence,
        among: BoolArray,
        samples: int,
        framed: bool = True,
    ) -> Contour | None:
        """Points of the outline, evenly sampled along its length; None without any.

        Outline edges are those ``among`` [E] that lie between a triangle facing the camera and one
        facing away, in the frame if ``framed``.
        """
        f = np.asarray(self.body.f)
        corners = vertices[f]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        facing = (normal * corners[:, 0]).sum(1) < 0  # the camera is the origin
        rows = np.flatnonzero((facing[self.left] != facing[self.right]) & among)
        ends = vertices[self.edge[rows]]
        if not len(rows) or (ends[..., 2] > -0.05).any():
            return None
        pixels = project_rows(ends.reshape(-1, 3), evidence.camera)[0].reshape(-1, 2, 2)
        size = np.array([evidence.camera.width, evidence.camera.height])
        shown = ((pixels > 0) & (pixels < size)).all((1, 2)) | (not framed)
        rows, ends, pixels = rows[shown], ends[shown], pixels[shown]
        if not len(rows):
            return None
        reach = np.cumsum(np.linalg.norm(pixels[:, 1] - pixels[:, 0], axis=1))
        picked = np.unique(np.searchsorted(reach, np.linspace(0, reach[-1], samples)[1:]))
        picked = picked[picked < len(rows)]
        share = np.diff(np.r_[0.0, reach[picked]])
        rows = rows[picked]
        both = normal[self.left[rows]] + normal[self.right[rows]]
        both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
        triangle = self.left[rows]
        bary = (f[triangle][:, :, None] == self.edge[rows][:, None, :]).any(2) * 0.5
        points = BodyPoints.on_surface(self.body, triangle, bary)
        return Contour(ends[picked].mean(1), both, share, points, self.holder[rows])


def face_direction(state: FitState, evidence: Evidence) -> tuple[FloatArray, float]:
    """Where a face looks in the picture, and how far its profile can be trusted.

    Args:
        state: the body.
        evidence: of the photo.

    Returns:
        A unit vector [2] (y down), and 0 (it looks to the camera) to 1.
    """
    front = PosedJoints(evidence.body, state).R[JOINT_INDEX["head"]][:2, 2] * [1.0, -1.0]
    length = max(float(np.linalg.norm(front)), 1e-6)
    trust = float(smoothstep(np.array(length), *S.profile_turn))
    if evidence.face is None:  # is it a face that the mask ends at, or hair before it?
        apart = np.array(np.degrees(yaw_disagreement(evidence.observation)))
        trust *= 1.0 - float(smoothstep(apart, *S.profile_doubt))
    return front / length, trust

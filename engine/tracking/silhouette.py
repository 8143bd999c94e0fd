"""Outlines: the body's against the person's mask, the head's against the end of its skin.

Clothes and hair stand off the body, so an outline point outside the mask is wrong, but one inside
is only drawn outwards when the edge lies within a few centimetres and runs along the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import distance_transform_edt, uniform_filter

from ..body.model import Body
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..render.mesh import rasterize_mesh
from .body_points import BodyPoints
from .evidence import Evidence
from .fit_state import FitState, PosedJoints
from .landmark_trust import yaw_disagreement
from .residuals import LandmarkTerm, MaskTerm, project_rows
from .shoulder_line import find_shoulder_line
from .skin_map import PixelMap
from .solver import FitTerm


@dataclass(frozen=True)
class OutlineSettings:
    """How outlines pull; lengths are shoulder widths unless noted."""

    map_size: int = 384  # pixels of the distance map's longer side
    samples: int = 400  # points of the body's outline, and a third of that of the head's
    outside_noise: float = 0.04  # one standard deviation of points outside the mask
    outside_radius: float = 0.4  # their robust radius
    inside_noise: float = 0.12  # of points inside the mask
    inside_radius: float = 0.12  # of points inside the mask
    allowance: float = 0.03  # that clothes may stand off
    bare_noise: float = 0.07  # where the photo shows skin and nothing stands off
    bare_radius: float = 0.15  # likewise
    bare_around: float = 0.08  # looked at around a point
    bare_share: float = 0.5  # how much of it is skin
    together: float = 0.15  # outline that errs together
    shoulder_noise: float = 0.03  # of shoulders that the mask shows and the body has lower
    shoulder_radius: float = 0.5  # likewise
    shoulder_up: float = 0.5  # cosine between their normals and the picture's upward
    skin_noise: float = 0.12  # inter-ocular distances, of the end of a head's skin
    skin_radius: float = 0.25  # inter-ocular distances
    skin_together: float = 0.6  # inter-ocular distances
    hand_near: float = 0.6  # inter-ocular distances around a hand whose skin is not the head's
    along: float = 0.6  # cosine between the outline's and the edge's normals
    profile_size: int = 256  # pixels of the longer side of the map around a turned head
    profile_noise: float = 0.035  # inter-ocular distances, of a turned face's profile
    profile_pixels: float = 1.0  # pixels of the mask, of the same
    profile_radius: float = 0.25  # inter-ocular distances
    profile_together: float = 0.3  # inter-ocular distances of profile that err together
    profile_turn: tuple[float, float] = (0.5, 0.8)  # sines of the turn between which it counts
    profile_doubt: tuple[float, float] = (15.0, 25.0)  # degrees by which ears, eyes and mouth may
    # disagree about the turn of a head without a face
    arm_near: float = 1.5  # inter-ocular distances around an arm, which has an edge of its own
    profile_forward: float = 0.3  # cosine between a profile's normal and the face's front


S = register_settings("tracking.outline", OutlineSettings())

HAND_JOINTS = {True: range(25, 40), False: range(40, 55)}  # left, right
LIMB_JOINTS = tuple(
    JOINT_INDEX[f"{side}_{part}"]
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
SHOULDER_JOINTS = tuple(
    JOINT_INDEX[name]
    for name in ("spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder")
)
PROFILE_PARTS = ("face", "lips")
OUTERMOST = 2.5  # pixels from a mesh's edge within which a point belongs to its silhouette
BROW_HEIGHT = 0.02  # metres above the eyes
HEAD_JOINTS = tuple(JOINT_INDEX[n] for n in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf"))


@dataclass(frozen=True)
class Contour:
    """N points of the current outline.

    Attributes:
        places: [N, 3] metres.
        normals: [N, 3] unit vectors.
        lengths: [N] pixels of outline that each stands for.
        points: the points on the body.
        holder: [N] the joint that holds each.
    """

    places: FloatArray
    normals: FloatArray
    lengths: FloatArray
    points: BodyPoints
    holder: IntArray

    def take(self, rows: IntArray) -> Contour:
        """A selection of the points.

        Args:
            rows: [n] indices of points.
        """
        return Contour(
            self.places[rows],
            self.normals[rows],
            self.lengths[rows],
            self.points.take(rows),
            self.holder[rows],
        )


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
            terms += _stay_inside(body, person, evidence)
            bare = _on_skin(body, evidence)
            for part, noise, radius, stand_off in (
                (body.take(np.flatnonzero(~bare)), S.inside_noise, S.inside_radius, S.allowance),
                (body.take(np.flatnonzero(bare)), S.bare_noise, S.bare_radius, 0.0),
            ):
                terms += _reach_edge(
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
            terms += _stay_inside(head, person, evidence)
        terms += self.shoulder_term(vertices, evidence)
        terms += self.profile_term(vertices, state, evidence)
        skinned = self._contour(
            vertices, evidence, of_head | (self.holder == JOINT_INDEX["neck"]), S.samples // 3
        )
        if skinned is not None and evidence.skin is not None:
            skinned = _away_from_hands(skinned, evidence)
            terms += _reach_edge(
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

    def shoulder_term(self, vertices: FloatArray, evidence: Evidence) -> list[FitTerm]:
        """Shoulders below the frame rise to where the mask shows them.

        In a close portrait the landmarks of the body are guesses, and an outline that the frame
        cuts off is drawn nowhere.

        Args:
            vertices: [V, 3] metres, of the body as it is.
            evidence: of the photo.

        Returns:
            One term, or none where the frame shows the body's own shoulders, or none at all.
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
        low = inside & (pixels[:, 1] > np.maximum(target, evidence.camera.height))
        low &= -_flat_normals(contour)[:, 1] > S.shoulder_up
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
            One term, or none where the face looks to the camera or the mask has no edge.
        """
        front, trust = face_direction(state, evidence)
        if trust <= 0:
            return []
        contour = self._contour(vertices, evidence, self._of_profile, S.samples // 3)
        if contour is None:
            return []
        forward = _flat_normals(contour) @ front
        free = (forward > S.profile_forward) & ~_near_arms(contour, state, evidence)
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


def _stay_inside(contour: Contour, person: PixelMap, evidence: Evidence) -> list[FitTerm]:
    """The outline projects into the mask."""
    distance: FloatArray = distance_transform_edt(person.values < 0.5)
    weight = contour.lengths / (S.together * evidence.body_scale) / S.outside_noise**2
    scale = evidence.body_scale * float(person.zoom[0])
    return [
        MaskTerm(
            contour.points,
            person.with_values(distance),
            weight,
            evidence.camera,
            scale,
            S.outside_radius,
        )
    ]


def _reach_edge(
    contour: Contour,
    mask: PixelMap,
    evidence: Evidence,
    unit: float,
    noise: float,
    radius: float,
    allowance: float,
    together: float,
) -> list[FitTerm]:
    """The outline is drawn to an edge of the mask that is near and faces the same way.

    Noise, radius, allowance and together are in units of ``unit`` pixels.
    """
    scale = unit * float(mask.zoom[0])
    if not len(contour.places):
        return []
    # The map's border is not an edge of the person: continue the mask beyond it.
    margin = np.pad(mask.values > 0.5, 1, mode="edge")
    distance: FloatArray = distance_transform_edt(margin)[1:-1, 1:-1]
    near = np.flatnonzero(
        _runs_along(contour, mask.with_values(distance), evidence, 2.0 * radius * scale)
    )
    if not len(near):
        return []
    stand_off = mask.with_values(np.maximum(distance - allowance * scale, 0.0))
    weight = contour.lengths[near] / (together * unit) / noise**2
    return [MaskTerm(contour.points.take(near), stand_off, weight, evidence.camera, scale, radius)]


def _on_skin(contour: Contour, evidence: Evidence) -> BoolArray:
    """[N]: an arm or a leg that is bare in the photo (on trunks it is a cloth of that colour)."""
    out = np.zeros(len(contour.places), dtype=bool)
    bare = evidence.bare
    if bare is None:
        return out
    size = max(3, round(2 * S.bare_around * evidence.body_scale * float(bare.zoom[0])))
    share = uniform_filter(bare.values, size)
    pixels, _, _ = project_rows(contour.places, evidence.camera)
    column, row = np.rint(bare.place(pixels)).astype(np.int64).T
    height, width = share.shape
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # A point on the very edge has at most half of its surroundings on the person.
    out[seen] = share[row[seen], column[seen]] > 0.5 * S.bare_share
    return out & np.isin(contour.holder, LIMB_JOINTS)


def _near_arms(contour: Contour, state: FitState, evidence: Evidence) -> BoolArray:
    """[N]: an arm passes so near in the picture that the mask's edge may be its own."""
    joints = PosedJoints(evidence.body, state).p
    pixels = project_rows(contour.places, evidence.camera)[0]
    near = np.zeros(len(pixels), dtype=bool)
    for side in ("left", "right"):
        chain = [JOINT_INDEX[f"{side}_{part}"] for part in ("elbow", "wrist", "middle3")]
        start = JOINT_INDEX[f"{side}_shoulder"]
        upper, *lower = project_rows(joints[[start, *chain]], evidence.camera)[0]
        upper = 0.5 * (upper + lower[0])  # shoulders are near every chin
        for end in lower:
            bone = end - upper
            along = np.clip((pixels - upper) @ bone / max(float(bone @ bone), 1e-9), 0, 1)
            gaps = np.linalg.norm(pixels - upper - along[:, None] * bone, axis=1)
            near |= gaps < S.arm_near * evidence.face_scale
            upper = end
    return near


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


def _flat_normals(contour: Contour) -> FloatArray:
    """[N, 2] unit normals of the contour in the picture (y down)."""
    flat = contour.normals[:, :2] * [1.0, -1.0]
    out: FloatArray = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return out


def _runs_along(
    contour: Contour, distance: PixelMap, evidence: Evidence, reach: float
) -> BoolArray:
    """[N]: the mask's edge is within ``reach`` map pixels and faces the way the surface does."""
    pixels, _, _ = project_rows(contour.places, evidence.camera)
    column, row = np.rint(distance.place(pixels)).astype(np.int64).T
    values = distance.values
    height, width = values.shape
    seen = (column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)
    column, row = np.clip(column, 1, width - 2), np.clip(row, 1, height - 2)
    slope = np.stack(
        [
            values[row, column + 1] - values[row, column - 1],
            values[row + 1, column] - values[row - 1, column],
        ],
        -1,
    )
    outwards = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    facing = (_flat_normals(contour) * outwards).sum(1)
    out: BoolArray = seen & (values[row, column] < reach) & (facing > S.along)
    return out


def _away_from_hands(contour: Contour, evidence: Evidence) -> Contour:
    """The contour without the points near a seen hand, whose skin is not the head's."""
    pixels, _, _ = project_rows(contour.places, evidence.camera)
    kept = np.ones(len(pixels), dtype=bool)
    for hand in evidence.hands:
        gaps = np.linalg.norm(pixels[:, None] - hand.landmarks, axis=2).min(1)
        kept &= gaps > S.hand_near * evidence.face_scale
    return contour.take(np.flatnonzero(kept))

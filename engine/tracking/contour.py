"""The outline of a body in the picture: its points, and how they are drawn to the mask's edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .body_points import BodyPoints
from .evidence import Evidence
from .fit_state import FitState, PosedJoints
from .residuals import MaskTerm, project_rows
from .skin_map import PixelMap
from .solver import FitTerm


@dataclass(frozen=True)
class OutlineSettings:
    """How outlines pull; lengths are shoulder widths unless noted."""

    map_size: int = 384  # pixels of the distance map's longer side
    samples: int = 400  # points of the body's outline, and a third of that of the head's
    outside_noise: float = 0.02  # one standard deviation of points outside the mask
    outside_radius: float = 0.4  # their robust radius
    inside_noise: float = 0.12  # of points inside the mask
    inside_radius: float = 0.12  # of points inside the mask
    allowance: float = 0.03  # that clothes may stand off
    bare_noise: float = 0.035  # where the photo shows skin and nothing stands off
    bare_radius: float = 0.15  # likewise
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


def keep_inside(
    contour: Contour, area: PixelMap, evidence: Evidence, noise: float, radius: float
) -> list[FitTerm]:
    """Terms by which the outline projects into an area of the photo.

    Args:
        contour: the outline.
        area: 1 inside and 0 outside.
        evidence: of the photo.
        noise: one standard deviation, in shoulder widths.
        radius: robust radius, in shoulder widths.
    """
    distance: FloatArray = distance_transform_edt(area.values < 0.5)
    weight = contour.lengths / (S.together * evidence.body_scale) / noise**2
    scale = evidence.body_scale * float(area.zoom[0])
    away = area.with_values(distance)
    return [MaskTerm(contour.points, away, weight, evidence.camera, scale, radius)]


def draw_to_edge(
    contour: Contour,
    mask: PixelMap,
    evidence: Evidence,
    unit: float,
    noise: float,
    radius: float,
    allowance: float,
    together: float,
) -> list[FitTerm]:
    """Terms by which the outline is drawn to an edge of the mask, near and facing the same way.

    Args:
        contour: the outline.
        mask: 0..1.
        evidence: of the photo.
        unit: pixels of the picture that the lengths below are in.
        noise: one standard deviation.
        radius: robust radius.
        allowance: how far inside the mask the outline may stay.
        together: length of outline that errs together.
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


def find_near_arms(contour: Contour, state: FitState, evidence: Evidence) -> BoolArray:
    """Find points that an arm passes so near in the picture that the mask's edge may be its own.

    Args:
        contour: the outline, N points.
        state: the body.
        evidence: of the photo.

    Returns:
        [N] whether each is.
    """
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


def flat_normals(contour: Contour) -> FloatArray:
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
    facing = (flat_normals(contour) * outwards).sum(1)
    out: BoolArray = seen & (values[row, column] < reach) & (facing > S.along)
    return out


def drop_near_hands(contour: Contour, evidence: Evidence) -> Contour:
    """Return the contour without points near a seen hand, whose skin is not the head's.

    Args:
        contour: of the head.
        evidence: of the photo.
    """
    pixels, _, _ = project_rows(contour.places, evidence.camera)
    kept = np.ones(len(pixels), dtype=bool)
    for hand in evidence.hands:
        gaps = np.linalg.norm(pixels[:, None] - hand.landmarks, axis=2).min(1)
        kept &= gaps > S.hand_near * evidence.face_scale
    return contour.take(np.flatnonzero(kept))

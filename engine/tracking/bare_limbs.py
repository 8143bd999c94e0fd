"""Bare limbs: where their skin ends, also inside the person's outline.

An arm that hangs at the side has one edge on the background and one on the trunk's clothes. The
mask shows the first alone, so a slender person's arms and trunk would grow into each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, FloatArray
from .contour import Contour, draw_to_edge, keep_inside
from .contour import S as OUTLINE
from .evidence import Evidence
from .fit_state import FitState, PosedJoints
from .residuals import project_rows
from .solver import FitTerm


@dataclass(frozen=True)
class BareLimbSettings:
    """What tells that a limb is bare and the trunk is not; lengths are shoulder widths."""

    bare: float = 0.75  # least share of skin along the middle of a bare limb
    clothed: float = 0.3  # most share of skin along the middle of a clothed trunk
    ends: tuple[float, float] = (0.15, 0.9)  # of a bone, between which it is looked at
    looks: int = 12  # places along a bone
    few: int = 6  # with fewer of them in the frame, nothing is said
    noise: float = 0.02  # one standard deviation of an arm's outline from the end of its skin
    radius: float = 0.15  # its robust radius
    beyond_radius: float = 0.2  # likewise, of an arm's outline beyond its skin
    trunk_noise: float = 0.05  # of a trunk's outline that lies under a bare arm
    trunk_radius: float = 0.15  # its robust radius


S = register_settings("tracking.bare_limbs", BareLimbSettings())

_BONES = tuple(
    (JOINT_INDEX[f"{side}_{start}"], JOINT_INDEX[f"{side}_{end}"])
    for side in ("left", "right")
    for start, end in (
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("hip", "knee"),
        ("knee", "ankle"),
    )
)
_SPINE = (JOINT_INDEX["pelvis"], JOINT_INDEX["spine3"])
TRUNK_JOINTS = tuple(JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3"))
"""They hold the sides of the trunk."""
ARM_JOINTS = tuple(
    JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "elbow")
)
"""They hold the upper and the forearms."""


def find_bare_limbs(state: FitState, evidence: Evidence) -> list[int]:
    """Find the upper and lower arms and legs whose skin shows along their middle.

    Args:
        state: the body.
        evidence: of the photo.

    Returns:
        The joints that hold them: shoulders, elbows, hips and knees.
    """
    joints = PosedJoints(evidence.body, state).p
    shares = {start: _measure_bare(joints, evidence, start, end) for start, end in _BONES}
    return [joint for joint, share in shares.items() if share is not None and share > S.bare]


def is_trunk_clothed(state: FitState, evidence: Evidence) -> bool:
    """Whether the photo shows clothes along the trunk's middle, not in the colour of skin.

    Args:
        state: the body.
        evidence: of the photo.
    """
    share = _measure_bare(PosedJoints(evidence.body, state).p, evidence, *_SPINE)
    return share is not None and share < S.clothed


def _measure_bare(joints: FloatArray, evidence: Evidence, start: int, end: int) -> float | None:
    """Share of skin along the line between two joints; None where the photo does not show it."""
    skin = _look_along(joints, evidence, start, end)
    seen = np.isfinite(skin)
    return float(skin[seen].mean()) if seen.sum() >= S.few else None


def _places_along() -> FloatArray:
    """[looks] places along a bone, as shares of it, at which skin is looked for."""
    return np.linspace(*S.ends, S.looks)


def _look_along(joints: FloatArray, evidence: Evidence, start: int, end: int) -> FloatArray:
    """Skin, 0 or 1, at ``S.looks`` places between two joints; NaN outside the photo.

    ``joints`` [55, 3] are all of the body's, in metres.
    """
    out = np.full(S.looks, np.nan)
    bare = evidence.bare
    if bare is None:
        return out
    steps = _places_along()[:, None]
    places = (1.0 - steps) * joints[start] + steps * joints[end]
    column, row = np.rint(bare.place(project_rows(places, evidence.camera)[0])).astype(int).T
    height, width = bare.values.shape
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    out[seen] = bare.values[row[seen], column[seen]]
    return out


def drop_sleeve(arm: Contour, state: FitState, evidence: Evidence, joint: int) -> Contour:
    """Leave out the part of a bare arm's outline that a rolled or a short sleeve covers.

    It would be drawn to where the skin ends: down the arm.

    Args:
        arm: the outline of the upper or the forearm that ``joint`` holds.
        state: the body.
        evidence: of the photo.
        joint: one of ``ARM_JOINTS``.
    """
    joints = PosedJoints(evidence.body, state).p
    start, end = next(bone for bone in _BONES if bone[0] == joint)
    shown = np.flatnonzero(_look_along(joints, evidence, start, end) > 0.5)
    if len(shown) == 0 or shown[0] == 0:
        return arm
    bone = joints[end] - joints[start]
    along = (arm.places - joints[start]) @ bone / (bone @ bone)
    return arm.take(np.flatnonzero(along > _places_along()[shown[0]]))


def draw_to_skin(arm: Contour, evidence: Evidence) -> list[FitTerm]:
    """Terms by which a bare arm's outline is drawn to the end of the skin.

    Args:
        arm: the outline of an upper or a forearm of :func:`find_bare_limbs` alone.
        evidence: of the photo.
    """
    bare = evidence.bare
    if bare is None:
        return []
    return [
        *keep_inside(arm, bare, evidence, S.noise, S.beyond_radius),
        *draw_to_edge(
            arm, bare, evidence, evidence.body_scale, S.noise, S.radius, 0.0, OUTLINE.together
        ),
    ]


def draw_to_clothes(trunk: Contour, evidence: Evidence) -> list[FitTerm]:
    """Terms by which a trunk's outline leaves the bare arms beside it.

    An arm may hang before the trunk's side: then most of that side shows nothing of the trunk, and
    the next clothes are too far to draw it.

    Args:
        trunk: its outline.
        evidence: of the photo.
    """
    bare = evidence.bare
    if bare is None:
        return []
    height, width = bare.values.shape
    mask = np.asarray(evidence.observation.person_mask)
    rows = ((np.arange(height) + 0.5) / bare.zoom[1]).astype(int)
    columns = ((np.arange(width) + 0.5) / bare.zoom[0]).astype(int)
    clothes = (mask[np.ix_(rows, columns)] > 0.5) & (bare.values < 0.5)
    if not clothes.any():
        return []
    inside = bare.with_values(clothes.astype(np.float64))
    return keep_inside(trunk, inside, evidence, S.trunk_noise, S.trunk_radius)

"""How far from the camera arms are, which a photo's landmarks hardly show.

Arms stay out of the trunk; hands that something hides are near the body; and where one arm lies
over the other in the picture, they touch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, FloatArray
from .body_points import BodyPoints
from .evidence import HAND_ENDS, Evidence
from .landmark_trust import ARM_POINTS, WRISTS, shows_wrist
from .residuals import DepthTerm, KeepOutTerm
from .solver import FitTerm


@dataclass(frozen=True)
class ArmDepthSettings:
    """Where arms are in depth."""

    limb_radius: float = 0.035  # metres
    keep_out_weight: float = 100.0  # of squared depths inside the trunk
    seen_wrist: float = 0.4  # trust from which a wrist lies in front of the trunk
    found_palm: float = 25.0  # pixels from which on the network misses no hand that shows
    hidden_skin: float = 0.25  # most share of a smaller hand's landmarks that skin shows at
    hidden_reach: float = 0.14  # metres in depth from the spine to a hidden hand's wrist, at most
    noise: float = 0.05  # metres, of hidden hands and of arms that touch
    over: float = 0.2  # shoulder widths between arms in the picture that lie over each other
    near: float = 0.25  # metres between them, as the network has it, up to which they touch
    touching: float = 0.06  # metres in depth between the middles of arms that touch
    palm: float = 0.6  # of the hand's bones from the wrist to the fingers: the middle of the palm


S = register_settings("tracking.arm_depth", ArmDepthSettings())

_SPINE = np.array([JOINT_INDEX[name] for name in ("spine3", "spine2", "spine1", "pelvis")])


def arm_depth_terms(ev: Evidence, side: bool | None = None) -> list[FitTerm]:
    """What holds arms at their depth.

    Args:
        ev: the evidence.
        side: whether of the left arm; of both by default.
    """
    sides = tuple(left for left in (True, False) if side in (None, left))
    hidden = [left for left in sides if _hides_hand(ev, left)]
    touched = {left: at for left in sides if (at := _find_touched(ev, left)) is not None}
    terms: list[FitTerm] = [_keep_out_term(ev, sides, hidden, touched)]
    if hidden:
        terms.append(_hidden_hand_term(ev, hidden))
    if touched:
        terms.append(_touching_term(ev, touched))
    return terms


def _hides_hand(ev: Evidence, left: bool) -> bool:
    """Whether the photo hides a hand within its frame: in a pocket, behind the other arm.

    The network finds large hands that show; for smaller ones, skin decides.
    """
    pose = ev.observation.pose
    if shows_wrist(ev.observation, left) or ev.pose_weight[WRISTS[left]] < S.seen_wrist:
        return False
    ends = pose[HAND_ENDS[left]]
    if ((ends < 0) | (ends >= [ev.camera.width, ev.camera.height])).any():
        return False
    if ev.hand_scale >= S.found_palm:
        return True
    if ev.bare is None:
        return False
    column, row = np.rint(ev.bare.place(ends)).astype(int).T.clip(0)
    height, width = ev.bare.values.shape
    skin = ev.bare.values[np.minimum(row, height - 1), np.minimum(column, width - 1)]
    return float(skin.mean()) <= S.hidden_skin


def _hidden_hand_term(ev: Evidence, hidden: list[bool]) -> DepthTerm:
    """Hands that something hides are near the body.

    They are as far away as the joint of the spine at the wrist's height in the picture.
    """
    pose = ev.observation.pose[:, 1]
    top, bottom = 0.5 * (pose[11] + pose[12]), 0.5 * (pose[23] + pose[24])
    levels = np.linspace(top, bottom, len(_SPINE))
    wrists = np.array([_joint(left, "wrist") for left in hidden])
    spine = [np.abs(levels - pose[WRISTS[left]]).argmin() for left in hidden]
    zero = np.zeros((len(hidden), 3))
    return DepthTerm(
        BodyPoints.on_joints(ev.body, wrists, zero),
        BodyPoints.on_joints(ev.body, _SPINE[spine], zero),
        0.0,
        np.full(len(hidden), S.noise**-2),
        S.hidden_reach,
    )


def _touching_term(ev: Evidence, touched: dict[bool, tuple[int, int, float]]) -> DepthTerm:
    """Hands that lie over the other arm or hand in the picture, or under it, touch it."""
    rest = ev.body.J_template
    wrists = np.array([_joint(left, "wrist") for left in touched])
    fingers = np.array([_joint(left, "middle1") for left in touched])
    joints, ends = np.array([at[:2] for at in touched.values()]).T
    share = np.array([[at[2]] for at in touched.values()])
    return DepthTerm(
        BodyPoints.on_joints(ev.body, wrists, S.palm * (rest[fingers] - rest[wrists])),
        BodyPoints.on_joints(ev.body, joints, share * (rest[ends] - rest[joints])),
        0.0,
        np.full(len(touched), S.noise**-2),
        S.touching,
    )


def _find_touched(ev: Evidence, left: bool) -> tuple[int, int, float] | None:
    """Return what of the other arm a hand touches: between which joints, and where.

    In side views, arms overlap that are a trunk apart: there the metric landmarks decide.
    """
    pose, world = ev.observation.pose, np.asarray(ev.observation.pose_world, np.float64)
    elbow, wrist = ARM_POINTS[not left][:2]
    if ev.pose_weight[elbow] <= 0.0:
        return None
    hand, other = HAND_ENDS[left], HAND_ENDS[not left]
    palm = _joint(not left, "wrist")
    best = None
    nearest = S.over * ev.body_scale
    for start, end, joints in (
        ([elbow], [wrist], (_joint(not left, "elbow"), palm)),
        ([wrist], other, (palm, _joint(not left, "middle1"))),
    ):
        a, b = pose[start].mean(0), pose[end].mean(0)
        share, gap = _nearest_on_limb(pose[hand].mean(0), a, b)
        there = (1.0 - share) * world[start].mean(0) + share * world[end].mean(0)
        if gap < nearest and np.linalg.norm(world[hand].mean(0) - there) < S.near:
            nearest, best = gap, (*joints, share)
    return best


def _nearest_on_limb(point: FloatArray, start: FloatArray, end: FloatArray) -> tuple[float, float]:
    """The share of a limb's length at which it is nearest to a point, and the distance there."""
    span = end - start
    share = float(np.clip((point - start) @ span / max(float(span @ span), 1e-9), 0.0, 1.0))
    return share, float(np.linalg.norm(point - start - share * span))


def _joint(left: bool, name: str) -> int:
    return JOINT_INDEX[f"{'left' if left else 'right'}_{name}"]


def _keep_out_term(
    ev: Evidence,
    sides: tuple[bool, ...],
    hidden: list[bool],
    touched: dict[bool, tuple[int, int, float]],
) -> KeepOutTerm:
    """Forearms and hands stay out of the trunk, and in front of it where they are seen."""
    rest = ev.body.J_template
    joints, offsets, seen = [], [], []
    for left in sides:
        elbow, wrist = _joint(left, "elbow"), _joint(left, "wrist")
        bone = rest[wrist] - rest[elbow]
        palm = rest[_joint(left, "middle1")] - rest[wrist]
        joints += [elbow, elbow, wrist, wrist, wrist]
        offsets += [0.33 * bone, 0.67 * bone, 0 * bone, S.palm * palm, 1.5 * palm]
        wrist_seen = ev.pose_weight[WRISTS[left]] > S.seen_wrist and left not in hidden
        shown = wrist_seen or ev.hand_of(left) is not None or left in touched
        seen += [False, *[shown] * 4]
    n = len(joints)
    parts = _trunk_ellipsoids(ev.body)
    points = BodyPoints.on_joints(
        ev.body, np.tile(joints, len(parts)), np.tile(offsets, (len(parts), 1))
    )
    holder = np.repeat([part[0] for part in parts], n)
    centre = np.repeat([part[1] for part in parts], n, axis=0)
    radii = np.repeat([part[2] for part in parts], n, axis=0)
    in_front = np.tile(np.array(seen, dtype=bool), len(parts))
    return KeepOutTerm(points, holder, centre, radii, S.keep_out_weight, in_front)


def _trunk_ellipsoids(body: Body) -> list[tuple[int, FloatArray, FloatArray]]:
    """Ellipsoids of chest and belly, as wide and deep as the body, plus half a forearm.

    Returns:
        Joint, centre [3] and radii [3] of each, in metres, in the joint's rest frame.
    """
    spine = [JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
    sides = [JOINT_INDEX[name] for name in ("left_collar", "right_collar")]
    of_trunk = np.asarray(body.weights)[:, spine + sides].sum(1) > 0.7
    vertices = np.asarray(body.v_template, np.float64)[of_trunk]
    out = []
    for name in ("spine3", "spine1"):
        j = JOINT_INDEX[name]
        local = vertices - body.J_template[j]
        slab = local[np.abs(local[:, 1]) < 0.06]
        if len(slab) < 3:
            continue
        low, high = slab.min(0), slab.max(0)
        centre, radii = (low + high) / 2, (high - low) / 2 + S.limb_radius
        # The shoulders' slab reaches to the arms: keep the chest as wide as it is deep, times 1.3.
        radii[0] = min(radii[0], 1.3 * radii[2])
        centre[1], radii[1] = 0.0, 0.22
        out.append((j, centre, radii))
    return out

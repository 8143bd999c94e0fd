"""What holds a skirt: the trunk at its top, and below it both legs, each side more its own.

So it hangs together in a step, and lies over the lap of a person who sits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.rotations import axis_angle_to_matrix
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, FloatArray, Pose

RINGS, COLUMNS = 36, 72  # of vertices; columns go around
TRUNK = [0, 3, 6, 9]
LEGS = [[1, 4, 7, 10], [2, 5, 8, 11]]


@dataclass(frozen=True)
class SkirtSkinningSettings:
    """What holds a skirt."""

    nearest: int = 12  # vertices of the body that decide how a place of the skirt is held
    blend: float = 0.75  # of the half width over which the hold passes from leg to leg
    lap: float = 0.12  # metres over a thigh's bone where the cloth lies
    seat: float = 0.12  # metres under it
    at_knee: float = 0.06  # metres over and under the bone at the knee
    over_knee: float = 0.75  # of a thigh from which on cloth bends down over the knee
    max_bend_share: float = 0.7  # most share of the shin or the pelvis in what a leg holds
    knee_ramp: float = 0.25  # metres below the knees over which cloth comes to bend with them


S = register_settings("lift.skirt_skinning", SkirtSkinningSettings())


def is_trunk_or_leg(body: Body) -> BoolArray:
    """Return which vertices [V] are held by trunk and legs."""
    return np.asarray(body.sum_weights((*TRUNK, *LEGS[0], *LEGS[1])) > 0.5)


def skirt_weights(grid: FloatArray, body: Body, pose: Pose) -> FloatArray:
    """Compute the skirt's skinning weights.

    Args:
        grid: [RINGS, COLUMNS, 3] in the photo's pose, world space, metres.
        body: the person's own.
        pose: of the photo.

    Returns:
        [RINGS * COLUMNS, 55]; rows add up to one.
    """
    vertices, joints = body.vertices(pose)
    candidates = np.nonzero(is_trunk_or_leg(body))[0]
    distance, nearest = cKDTree(vertices[candidates]).query(grid.reshape(-1, 3), S.nearest)
    share = 1.0 / np.maximum(distance, 0.005)
    share /= share.sum(1, keepdims=True)
    held = np.einsum("nk,nkj->nj", share, body.weights[candidates][nearest]).astype(float)
    held = held.reshape(RINGS, COLUMNS, -1)
    wide = (1.5, COLUMNS / 24, 0.0)
    held = ndimage.gaussian_filter(held, wide, mode=("nearest", "wrap", "nearest"))
    trunk = held[..., TRUNK]
    legs = held[..., LEGS[0] + LEGS[1]].sum(-1)
    leg = np.maximum.accumulate(legs / np.maximum(legs + trunk.sum(-1), 1e-9), axis=0)

    # In the pelvis' own frame: x to the left, y up, z ahead of the hips.
    turn = axis_angle_to_matrix(np.asarray(pose.full_pose[0], np.float64))
    hips, knees = (
        (joints[[JOINT_INDEX[f"left_{name}"], JOINT_INDEX[f"right_{name}"]]] - joints[0]) @ turn
        for name in ("hip", "knee")
    )
    place = (grid - joints[0]) @ turn - hips.mean(0)
    apart = 0.5 * float(hips[0, 0] - hips[1, 0])
    half = 0.5 * np.ptp(place[..., 0], axis=1, keepdims=True)
    across = np.clip(place[..., 0] / np.maximum(S.blend * half, 0.9 * apart), -1.0, 1.0)
    of_left = 0.5 + 0.5 * np.sin(0.5 * np.pi * across)
    thigh = float((hips - knees)[:, 1].mean())
    knee, drop = seated_shares(place, apart, thigh)

    out = np.zeros((RINGS, COLUMNS, body.weights.shape[1]))
    upper = trunk / np.maximum(trunk.sum(-1, keepdims=True), 1e-9)
    upper = np.where(trunk.sum(-1, keepdims=True) > 1e-3, upper, np.eye(len(TRUNK))[0])
    out[..., TRUNK] = upper * (1.0 - leg)[..., None]
    out[..., 0] += leg * drop
    for joint, part in zip(LEGS, (of_left, 1.0 - of_left), strict=True):
        out[..., joint[0]] = leg * part * (1.0 - knee - drop)
        out[..., joint[1]] = leg * part * knee
    rows: FloatArray = out.reshape(-1, out.shape[-1])
    return np.asarray(rows / rows.sum(1, keepdims=True))


def seated_shares(place: FloatArray, apart: float, thigh: float) -> tuple[FloatArray, FloatArray]:
    """Compute the shares [R, C] of the shin and of the pelvis in what a leg holds.

    They let the skirt of a seated person lie on the lap and close under the thighs: with hips and
    knees bent by right angles, a place b before and a below the hip is carried to height b by the
    thigh, to thigh - a by the shin (which hangs), and to -a by the pelvis.

    Args:
        place: [R, C, 3] from the middle of the hips, in the pelvis' frame (x to the left, y up).
        apart: metres from that middle to a hip.
        thigh: metres, length of a thigh.
    """
    below = np.maximum(-place[..., 1], 0.0)
    aside = np.maximum(np.abs(place[..., 0]) - apart, 0.0)
    ahead = place[..., 2]
    along = np.clip(below / thigh, 0.0, 1.0)
    top = S.lap + (S.at_knee - S.lap) * along**2 - np.maximum(below - S.over_knee * thigh, 0.0)
    under = S.seat + (S.at_knee - S.seat) * along
    over = ahead - np.clip(ahead, -under, top)  # how far off it the thigh alone would carry it
    # What ends well above the knee would be thrown forward by the shin: the pelvis holds it back.
    shin = np.clip((below / thigh - 0.35) / 0.5, 0.0, 1.0)
    shin = np.where(ahead < 0, 1.0, shin * shin * (3.0 - 2.0 * shin))
    other = shin * (thigh - below) - (1.0 - shin) * below
    share = over / np.where(np.abs(ahead - other) > 0.02, ahead - other, np.inf)
    share = np.clip(share, 0.0, S.max_bend_share)
    # Far below the knee cloth hangs from it as the shin does.
    beyond = np.clip((below - thigh) / S.knee_ramp, 0.0, 1.0)
    knee, drop = share * shin, share * (1.0 - shin)
    knee = np.maximum(knee, 0.9 * beyond)
    # Cloth beside the thighs falls down.
    fall = 0.7 * np.maximum(aside - S.lap, 0.0)
    drop = np.maximum(drop, np.clip(fall / np.maximum(below, 0.05), 0.0, 0.4) * (1.0 - knee))
    wide = (1.5, COLUMNS / 36)
    knee, drop = (ndimage.gaussian_filter(s, wide, mode=("nearest", "wrap")) for s in (knee, drop))
    return knee, drop

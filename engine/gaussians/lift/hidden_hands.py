"""Hands that the photo does not show are moved out of sight, so that they can be kept whole.

The fit knows nothing of a hand in a pocket, behind the back or under the other arm, and leaves it
somewhere in front of what the photo shows. Its splats would have to be dropped there, and the arm
would have no hand in any pose. Where it truly is nobody knows, so the wrist turns it and the
fingers close until the person hides it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.cameras import project
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.settings import register_settings
from ...core.types import Camera, FloatArray, IntArray, Pose
from .pixel_grids import nearest_known
from .regions import HANDS, Regions


@dataclass(frozen=True)
class HiddenHandSettings:
    """The search for a pose that hides a hand."""

    bend: tuple[float, int] = (85.0, 17)  # most degrees to palm or back, and steps
    twist: tuple[float, int] = (90.0, 7)  # the same about the forearm
    tilt: tuple[float, int] = (40.0, 5)  # the same to the thumb or the little finger
    curl: float = 1.2  # radians of each finger joint of a closed hand
    margin: float = 0.01  # metres behind the body's surface that are out of sight
    beyond: float = 0.04  # of the frame's sides beyond them that still count: splats reach over
    deepest: float = 0.15  # metres in front of it beyond which the cost stops rising
    effort: float = 5e-5  # metres that a degree is worth: the smallest turn of equals
    stride: int = 3  # every so many vertices are looked at


S = register_settings("lift.hidden_hands", HiddenHandSettings())


def tuck_hidden_hands(regions: Regions, camera: Camera, body: Body, pose: Pose) -> Pose:
    """Return the photo's pose with the hands that it does not show out of sight.

    Args:
        regions: of the photo.
        camera: of their grid.
        body: the person's own.
        pose: the photo's.
    """
    drawn = regions.body.face >= 0
    if not regions.hidden.any() or not drawn.any():
        return pose
    rows, cols, _ = nearest_known(drawn)
    front = regions.body.depth[rows, cols]
    for wrist, *fingers in HANDS:
        hand = np.asarray(body.weights[:, [wrist, *fingers]].sum(1) > 0.5)[body.f[:, 0]]
        if (regions.hidden & hand).any():
            own = np.unique(body.f[hand])[:: S.stride]
            pose = _tuck(pose, wrist, fingers, own, front, regions, camera, body)
    return pose


def _tuck(
    pose: Pose,
    wrist: int,
    fingers: list[int],
    own: IntArray,
    front: FloatArray,
    regions: Regions,
    camera: Camera,
    body: Body,
) -> Pose:
    """The pose in which least of the vertices ``own`` of one hand shows."""
    best, found = np.inf, pose
    for closed in (False, True):
        full = np.array(pose.full_pose, np.float64)
        full[wrist] = 0.0
        if closed:
            # Fingers bend about z in the T-pose, mirrored; the thumb, the last three, stays.
            full[fingers[:12]] = [0.0, 0.0, S.curl * (-1.0 if wrist == 20 else 1.0)]
        straight = replace(pose, full_pose=full)
        vertices, joints = body.vertices(straight)
        forearm = body.rest_and_transforms(straight)[2][body.parents[wrist]]
        about = (vertices[own] - joints[wrist]) @ forearm
        for turn, effort in zip(*_turns(), strict=True):
            points = joints[wrist] + about @ (forearm @ turn).T
            cost = float(_exposed(points, front, regions, camera).mean()) + S.effort * effort
            if cost < best:
                full[wrist] = matrix_to_axis_angle(turn)
                best, found = cost, replace(pose, full_pose=full.copy())
    return found


def _turns() -> tuple[FloatArray, FloatArray]:
    """[K, 3, 3] rotations of a wrist, and [K] how many degrees each turns in all."""
    angles = [np.linspace(-most, most, steps) for most, steps in (S.twist, S.bend, S.tilt)]
    twist, bend, tilt = np.stack(np.meshgrid(*angles, indexing="ij"), -1).reshape(-1, 3).T
    about = [
        axis_angle_to_matrix(np.radians(angle)[:, None] * axis)
        for angle, axis in zip((twist, bend, tilt), np.eye(3)[[0, 2, 1]], strict=True)
    ]
    return about[0] @ about[1] @ about[2], np.abs(twist) + np.abs(bend) + np.abs(tilt)


def _exposed(points: FloatArray, front: FloatArray, regions: Regions, camera: Camera) -> FloatArray:
    """[N] metres that points stand before what the photo shows; beside the person, the most."""
    xy, z = project(points, camera)
    height, width = regions.mask.shape
    size = np.array([width, height])
    inside = (xy > -S.beyond * size).all(1) & (xy < (1.0 + S.beyond) * size).all(1)
    col, row = np.clip(xy.astype(int), 0, size - 1).T
    before = np.clip(front[row, col] + S.margin - z, 0.0, S.deepest)
    return np.where(inside, np.where(regions.mask[row, col], before, S.deepest), 0.0)

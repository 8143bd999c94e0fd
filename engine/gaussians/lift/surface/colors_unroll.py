"""Limbs unrolled: every point of the surface has a height along its limb and an arc around it.

Torso, legs, arms and head are cut open along the rest body, each with rows across its axis. In
a row the arc is measured along the body's own outline and given as a fraction of it, 0 in front.
What goes round a limb (stripes, hems, belts) keeps its row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, FloatArray
from .limbs import ARMS, HEAD, LEFT_ARM, LEFT_LEG, RIGHT_LEG, TORSO


@dataclass(frozen=True)
class UnrollSettings:
    """The table of a limb's outlines."""

    rows: int = 32  # along a limb
    angles: int = 72  # around it
    even: float = 2.5  # rows over which arcs are averaged


S = register_settings("lift.colors_unroll", UnrollSettings())


_CHAINS = {
    LEFT_ARM: ("left_shoulder", "left_elbow", "left_wrist", "left_middle1", "left_middle3"),
    LEFT_ARM + 1: (
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "right_middle1",
        "right_middle3",
    ),
    LEFT_LEG: ("left_hip", "left_knee", "left_ankle"),
    RIGHT_LEG: ("right_hip", "right_knee", "right_ankle"),
    TORSO: ("pelvis", "spine1", "spine2", "spine3", "neck"),
    HEAD: ("neck", "head"),
}


@dataclass(frozen=True)
class UnrolledLimb:
    """Points [N] of one limb.

    Attributes:
        height: metres along the limb, growing downwards (outwards on an arm).
        arc: 0..1 around it, 0 (and 1) in front, growing towards the body's left.
        girth: metres around the limb at each point's height.
    """

    height: FloatArray
    arc: FloatArray
    girth: FloatArray


def unroll_limb(rest: FloatArray, own: FloatArray, body: Body, group: int) -> UnrolledLimb:
    """Unroll points of a limb.

    Args:
        rest: [N, 3] the points on the body at rest, metres.
        own: [M, 3] the limb's vertices at rest.
        body: the person's own.
        group: the limb, index into ``limbs.GROUPS``.
    """
    axis = 0 if group in ARMS else 1
    height, angle, radius = _cylinder(own, body, group)
    low, high = height.min(), height.max() + 1e-6
    row = np.clip(((height - low) / (high - low) * S.rows).astype(int), 0, S.rows - 1)
    column = np.clip((angle / (2 * np.pi) * S.angles).astype(int), 0, S.angles - 1)
    cell = row * S.angles + column
    count = np.bincount(cell, minlength=S.rows * S.angles).reshape(S.rows, S.angles)
    total = np.bincount(cell, radius, S.rows * S.angles).reshape(S.rows, S.angles)
    outline = _outline(total.astype(float), count.astype(float))
    turn = 2 * np.pi / S.angles
    slope = (np.roll(outline, -1, 1) - np.roll(outline, 1, 1)) / (2 * turn)
    step = np.hypot(outline, slope) * turn
    girth = step.sum(1)
    arc = np.concatenate([np.zeros((S.rows, 1)), np.cumsum(step, 1)], 1) / girth[:, None]

    # Where the outline's noise moved arcs from row to row, stripes along the limb would wave.
    arc = ndimage.gaussian_filter1d(arc, S.even, axis=0, mode="nearest")

    h, a, _ = _cylinder(rest, body, group)
    at_row = np.clip((h - low) / (high - low) * S.rows - 0.5, 0, S.rows - 1)
    at = [at_row, a / (2 * np.pi) * S.angles]
    where = ndimage.map_coordinates(arc, at, order=1, mode="nearest")
    around = np.interp(at_row, np.arange(S.rows), girth)
    sign = -1.0 if axis == 0 and group != LEFT_ARM else 1.0
    return UnrolledLimb(sign * h if axis == 0 else h, np.mod(where, 1.0), around)


def _cylinder(
    points: FloatArray, body: Body, group: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height along the limb, angle 0..2 pi from the front, and distance from its axis."""
    joints = body.J_template[[JOINT_INDEX[name] for name in _CHAINS[group]]]
    if group in ARMS:
        along, across, front = points[:, 0], points[:, 1], points[:, 2]
        order = np.argsort(joints[:, 0])
        a = np.interp(along, joints[order, 0], joints[order, 1])
        b = np.interp(along, joints[order, 0], joints[order, 2])
        across, front = across - a, front - b
    else:
        order = np.argsort(joints[:, 1])
        y = points[:, 1]
        across = points[:, 0] - np.interp(y, joints[order, 1], joints[order, 0])
        front = points[:, 2] - np.interp(y, joints[order, 1], joints[order, 2])
        along = -y
    angle = np.mod(np.arctan2(across, front), 2 * np.pi)
    return along, angle, np.hypot(across, front)


def _outline(total: FloatArray, count: FloatArray) -> FloatArray:
    """[rows, angles] metres from the axis, gaps filled and smoothed."""
    tiled_total, tiled = np.tile(total, (1, 3)), np.tile(count, (1, 3))
    smooth = ndimage.gaussian_filter(tiled_total, (0.7, 1.5), mode="nearest")
    weight = ndimage.gaussian_filter(tiled, (0.7, 1.5), mode="nearest")
    known = weight > 0.05
    if not known.any():
        return np.full(total.shape, 0.1)
    filled = np.where(known, smooth / np.maximum(weight, 1e-9), 0.0)
    index = ndimage.distance_transform_edt(
        ~known, sampling=(3.0, 1.0), return_distances=False, return_indices=True
    )
    wide = ndimage.gaussian_filter(filled[tuple(index)], (1.0, 2.0), mode="nearest")
    n = total.shape[1]
    return np.asarray(np.maximum(wide[:, n : 2 * n], 0.01))

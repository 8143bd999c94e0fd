"""The shape of a closed shoe: a foot without toes, on a flat sole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from ...body import Body
from ...core.alignment import fit_rigid
from ...core.geometry import vertex_normals
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, FloatArray
from .labels_surface import vertex_parts


@dataclass(frozen=True)
class ShoeShapeSettings:
    """The shape of a closed shoe."""

    closed: float = 0.85  # share of a foot that must be shoe: a sandal shows skin
    instep: float = 0.03  # metres behind the ball of the foot where the shoe's cap begins
    sole: float = 0.012  # metres that the sole is high
    rim: float = 0.006  # metres that it stands out beyond the foot
    downward: float = -0.4  # height of a normal below which a vertex lies on the sole
    wall: float = 0.004  # metres that the leather is thick


S = register_settings("lift.shoe_shape", ShoeShapeSettings())


def shape_shoes(body: Body, vertices: FloatArray, shoe: BoolArray) -> FloatArray:
    """Give feet in closed shoes the shape of shoes.

    Args:
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        shoe: [V] whether a shoe covers them.

    Returns:
        [V, 3] metres, world space.
    """
    out = np.array(vertices, np.float64)
    part = vertex_parts(body)
    rest = np.asarray(body.v_template, np.float64)
    for side in ("left", "right"):
        joints = [JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]]
        own = np.nonzero((part == "foot") & (body.weights[:, joints].sum(1) > 0.5))[0]
        if not len(own) or shoe[own].mean() < S.closed:
            continue
        normals = vertex_normals(rest, body.f)[own]
        shaped = _shape(rest[own], normals, float(body.J_template[joints[1]][2]))
        R, _ = fit_rigid(rest[own], out[own])
        out[own] += (shaped - rest[own]) @ R.T
    return out


def _shape(foot: FloatArray, normals: FloatArray, ball: float) -> FloatArray:
    """A foot's vertices [N, 3] at rest (y up, z forwards, metres) as those of a shoe."""
    floor = np.percentile(foot[:, 1], 1.0)
    out = foot + S.wall * normals
    # A cap over the toes: the hull of all in front of the instep.
    front = foot[:, 2] > ball - S.instep
    ramp = np.clip((foot[:, 2] - ball + S.instep) / S.instep, 0.0, 1.0)
    hull = ConvexHull(out[front]).equations
    inside = out[front] @ hull[:, :3].T + hull[:, 3]
    nearest = hull[inside.argmax(1)]
    onto = -np.minimum(inside.max(1), 0.0)[:, None] * nearest[:, :3]
    out[front] += ramp[front, None] * onto
    # A sole: flat below, upright at its rim.
    below = normals[:, 1] < S.downward
    out[below, 1] = floor
    outline = ConvexHull(out[:, [0, 2]]).equations
    beyond = out[:, [0, 2]] @ outline[:, :2].T + outline[:, 2]
    edge = outline[beyond.argmax(1)]
    low = np.clip(1.0 - (out[:, 1] - floor - S.sole) / S.sole, 0.0, 1.0)
    near = np.clip(1.0 + (beyond.max(1) + S.wall) / S.sole, 0.0, 1.0)
    out[:, [0, 2]] += (S.rim * low * near)[:, None] * edge[:, :2]
    return out

"""Conversion of MakeHuman's relaxed A-pose to SMPL-X's T-pose, for each sampled body.

It precedes the shape basis, so that the basis itself is at rest in the T-pose and
SMPL-X's axis-angles mean the same: arms and middle fingers exactly along x, palms down, elbows
and fingers straight, the elbows' hinge axis vertical, feet flat, legs a few degrees apart.
"""

from __future__ import annotations

import numpy as np

from ..body.skinning import skin_vertices
from ..core.rotations import rotation_between
from ..core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, FloatArray

THIGH_OUTWARD = np.radians(4.0)
SHIN_OUTWARD = np.radians(1.5)
"""Angles in the frontal plane of a leg at rest, close to those of SMPL-X's template."""


def _frame(forward: FloatArray, up: FloatArray) -> FloatArray:
    """Orthonormal columns: forward, up made perpendicular to it, and their cross product."""
    x = forward / np.linalg.norm(forward)
    y = up - (up @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], 1)


def _to_frontal_angle(direction: FloatArray, angle: float, side: float) -> FloatArray:
    """The rotation about z that brings a downward direction to ``angle`` outward."""
    now = np.arctan2(side * direction[0], -direction[1])
    turn = side * (angle - now)
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def tpose_rotations(joints: FloatArray, tips: FloatArray) -> FloatArray:
    """Compute the world rotation of every joint from the A-pose to the T-pose.

    Args:
        joints: [55, 3] metres, in the A-pose.
        tips: [10, 3] metres, finger tips, left then right.

    Returns:
        [55, 3, 3].
    """
    R = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at = {name[len(side) + 1 :]: i for name, i in JOINT_INDEX.items() if name.startswith(side)}
        along = np.array([sign, 0.0, 0.0])
        upper = joints[at["elbow"]] - joints[at["shoulder"]]
        fore = joints[at["wrist"]] - joints[at["elbow"]]
        # The bend of the elbow shows the twist of the upper arm: it must bend towards +z.
        hinge = np.cross(upper, fore)
        R_shoulder = _frame(along, np.array([0.0, -sign, 0.0])) @ _frame(upper, hinge).T
        R_elbow = rotation_between(R_shoulder @ fore, along) @ R_shoulder
        palm = joints[at["middle1"]] - joints[at["wrist"]]
        knuckles = joints[at["index1"]] - joints[at["pinky1"]]
        R_wrist = _frame(along, np.array([0.0, 0.0, 1.0])) @ _frame(palm, knuckles).T
        R[at["shoulder"]], R[at["elbow"]], R[at["wrist"]] = R_shoulder, R_elbow, R_wrist
        for k, finger in enumerate(("index", "middle", "pinky", "ring", "thumb")):
            chain = [at[f"{finger}{n}"] for n in (1, 2, 3)]
            if finger == "thumb":
                R[chain] = R_wrist
                continue
            points = np.stack([*joints[chain], tips[k + (0 if sign > 0 else 5)]])
            bones = np.diff(points, axis=0)
            flat = R_wrist @ bones[0]
            flat[1] = 0.0  # keep the fingers' spread, remove their curl
            turned = R_wrist
            for joint, bone in zip(chain, bones):
                turned = rotation_between(turned @ bone, flat) @ turned
                R[joint] = turned
        thigh = joints[at["knee"]] - joints[at["hip"]]
        shin = joints[at["ankle"]] - joints[at["knee"]]
        R[at["hip"]] = _to_frontal_angle(thigh, THIGH_OUTWARD, sign)
        R[at["knee"]] = _to_frontal_angle(shin, SHIN_OUTWARD, sign)
    return R


def _forearm_twist(
    vertices: FloatArray, joints: FloatArray, R: FloatArray, side: str
) -> FloatArray:
    """Return the angles [V] in radians about x by which the forearm turns at each vertex.

    They rise from 0 at the elbow to the twist between elbow and wrist at the wrist.
    """
    elbow, wrist = (joints[JOINT_INDEX[f"{side}_{j}"]] for j in ("elbow", "wrist"))
    bone = wrist - elbow
    part = np.clip((vertices - elbow) @ bone / (bone @ bone), 0.0, 1.0)
    relative = R[JOINT_INDEX[f"{side}_wrist"]] @ R[JOINT_INDEX[f"{side}_elbow"]].T
    twist = np.arctan2(relative[2, 1] - relative[1, 2], relative[1, 1] + relative[2, 2])
    return np.asarray(part * twist)


def to_tpose(
    vertices: FloatArray, joints: FloatArray, tips: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Convert one body from the A-pose to the T-pose.

    Args:
        vertices: [V, 3] metres.
        joints: [55, 3] metres.
        tips: [10, 3] metres, finger tips, left then right.
        weights: [V, 55] skinning weights.

    Returns:
        vertices: [V, 3] metres in the T-pose, the pelvis at the origin.
        joints: [55, 3] metres.
    """
    R = tpose_rotations(joints, tips)
    posed = np.zeros_like(joints)
    posed[0] = joints[0]
    for j, parent in enumerate(PARENTS[1:], start=1):
        posed[j] = posed[parent] + R[parent] @ (joints[j] - joints[parent])
    t = posed - np.einsum("jab,jb->ja", R, joints)
    out = skin_vertices(vertices, weights, R, t)
    # The forearm's own twist is spread along it instead of wringing the wrist.
    for side in ("left", "right"):
        elbow = JOINT_INDEX[f"{side}_elbow"]
        rows = np.flatnonzero(weights[:, elbow] > 0)
        twist = _forearm_twist(vertices[rows], joints, R, side)
        held = vertices[rows] @ R[elbow].T + t[elbow]
        ray = held - posed[elbow]
        c, s = np.cos(twist), np.sin(twist)
        turned = np.stack(
            [ray[:, 0], c * ray[:, 1] - s * ray[:, 2], s * ray[:, 1] + c * ray[:, 2]], 1
        )
        out[rows] += weights[rows, elbow, None] * (turned - ray)
    return out - posed[0], posed - posed[0]

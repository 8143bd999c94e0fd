"""The body's limbs: the joints, vertices and triangles of each."""

from __future__ import annotations

import numpy as np

from ....body import Body
from ....core.types import BoolArray, IntArray

GROUPS = ("torso", "left_arm", "right_arm", "head", "left_leg", "right_leg")
TORSO, LEFT_ARM, RIGHT_ARM, HEAD, LEFT_LEG, RIGHT_LEG = range(6)
ARMS = (LEFT_ARM, RIGHT_ARM)
TRUNK_AND_LEGS = (TORSO, LEFT_LEG, RIGHT_LEG)
_GROUP_JOINTS = {
    LEFT_ARM: [16, 18, 20, *range(25, 40)],
    RIGHT_ARM: [17, 19, 21, *range(40, 55)],
    HEAD: [15, 22, 23, 24],
    LEFT_LEG: [1, 4, 7, 10],
    RIGHT_LEG: [2, 5, 8, 11],
}

ARM_CHAINS = {LEFT_ARM: (16, 18, 20), RIGHT_ARM: (17, 19, 21)}
"""Shoulder, elbow and wrist of each arm."""
HANDS = ([20, *range(25, 40)], [21, *range(40, 55)])
"""Joints of the left and the right hand, the wrist first."""

ARM_JOINTS = [16, 17, 18, 19, 20, 21, *range(25, 55)]
UPPER_ARM_JOINTS = [16, 17]
FOREARM_JOINTS = [18, 19, 20, 21, *range(25, 55)]
THIGH_AND_SHIN_JOINTS = [1, 2, 4, 5]
HAND_JOINTS = [20, 21, *range(25, 55)]
"""Of both sides."""
NECK_JOINTS = [12, 15, 22, 23, 24]
"""The neck, the head and what turns with it."""
CHEST_JOINTS = [9, 13, 14]
"""The uppermost of the spine, and the collars."""


def vertex_groups(body: Body) -> IntArray:
    """Return the limb [V] (index into GROUPS) that holds each vertex most."""
    share = np.zeros((len(body.v_template), len(GROUPS)))
    for group, joints in _GROUP_JOINTS.items():
        share[:, group] = body.sum_weights(joints)
    share[:, TORSO] = 1.0 - share[:, 1:].sum(1)
    return np.asarray(share.argmax(1))


def hand_triangles(body: Body, joints: list[int]) -> BoolArray:
    """Return the triangles [F] that a hand's joints hold.

    Args:
        body: the body.
        joints: of the hand, one of ``HANDS``.
    """
    return np.asarray((body.sum_weights(joints) > 0.5)[body.f[:, 0]])

"""Where the frame cuts off a sitting person, the shins hang down.

The prior of the fit straightens a knee that nothing is known about: a person who sits, and of whom
the photo shows no shins, would stretch both legs out into the air.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, FloatArray
from .fit_state import FitState, PosedJoints


@dataclass(frozen=True)
class ShinSettings:
    """When a shin hangs, in degrees."""

    raised: tuple[float, float] = (35.0, 60.0)  # of a thigh from hanging: not yet, and wholly
    most: float = 130.0  # that a knee bends for it


S = register_settings("tracking.hidden_shins", ShinSettings())


def hang_shins(posed: PosedJoints, unseen: BoolArray, up: FloatArray) -> FitState:
    """Let unseen shins hang from raised thighs, their feet at right angles to them.

    Args:
        posed: the fitted body.
        unseen: [55] joints of which the photo shows nothing.
        up: [3] unit vector against gravity, in the frame of ``posed``.

    Returns:
        The state, with the knees and ankles of such legs replaced.
    """
    state = posed.state
    for side in ("left", "right"):
        hip, knee, ankle = (JOINT_INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        if not unseen[ankle]:
            continue
        thigh = posed.p[knee] - posed.p[hip]
        off = np.degrees(np.arccos(np.clip(-thigh @ up / np.linalg.norm(thigh), -1.0, 1.0)))
        share = float(smoothstep(np.array(off), *S.raised))
        if share <= 0.0:
            continue
        _, down_y, down_z = -posed.R[hip].T @ up
        # The hinge is the hip's own x axis; a straight shin points along -y.
        bent = np.clip(np.arctan2(-down_z, -down_y), 0.0, np.radians(S.most))
        for joint, turn in ((knee, np.array([bent, 0.0, 0.0])), (ankle, np.zeros(3))):
            state = state.with_joint(joint, state.full_pose[joint] * (1.0 - share) + share * turn)
    return state

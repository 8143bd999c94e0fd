"""Where SMPL-X regressors' 53 rotations go in the 55 rows of a full pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, JOINT_NAMES


@dataclass(frozen=True)
class RegressorSettings:
    """Confidence in the parts of regressors' poses, 0..1."""

    root_trust: float = 0.8  # of whole-body regressors
    hand_trust: float = 0.4  # hands are small in their crops
    jaw_trust: float = 0.4  # face landmarks know the head better
    alone_trust: float = 0.9  # of regressors that look at a hand or a face alone


S = register_settings("tracking.regressor", RegressorSettings())


PELVIS, HEAD = JOINT_INDEX["pelvis"], JOINT_INDEX["head"]
JAW = JOINT_INDEX["jaw"]
EYES = (JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"])
BODY = slice(1, 22)
LEFT_HAND, RIGHT_HAND = slice(25, 40), slice(40, 55)

#: How much is thought of a whole-body regressor's parts, 0..1: limbs are what they are made for;
#: hands, feet and jaw are small in their crops, and face landmarks know the head better.
BODY_TRUST = np.array(
    [
        0.3
        if name in ("neck", "head")
        else 0.5
        if name.endswith(("ankle", "foot", "wrist"))
        else 0.8
        for name in JOINT_NAMES[BODY]
    ]
)
#: ... and of those that look at a hand or a face alone.

"""Observations for tests of the lift."""

from __future__ import annotations

import numpy as np
from likeness.engine.core.types import BoolArray, Observation


def observe_nothing(mask: BoolArray) -> Observation:
    """The observation of a person [H, W] in whom no landmark was detected."""
    return Observation(
        pose=np.zeros((33, 2)),
        pose_visibility=np.zeros(33),
        pose_world=np.zeros((33, 3)),
        person_mask=mask.astype(np.float32),
        face=None,
        face_score=0.0,
    )

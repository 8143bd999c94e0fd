"""Where a close portrait shows the shoulders, of which the body's landmarks are guesses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.settings import register_settings
from ..core.types import FloatArray
from .evidence import Evidence


@dataclass(frozen=True)
class ShoulderLineSettings:
    """The mask's edge over the shoulders."""

    slope: float = 1.2  # rows per column from which it is no shoulder
    step: float = 0.02  # of the picture's width over which that is measured
    head: float = 0.6  # inter-ocular distances beside the face where hair may hang


S = register_settings("tracking.shoulder_line", ShoulderLineSettings())


def shoulder_line(evidence: Evidence) -> FloatArray:
    """Find where the mask's edge runs over the shoulders, from the picture's sides inwards.

    Args:
        evidence: of the photo.

    Returns:
        [W] row in each column of the picture, nan where the column shows no shoulder: beside the
        person, from the head on, and where the edge rises steeply (hair, a raised arm).
    """
    mask = np.asarray(evidence.observation.person_mask) > 0.5
    height, width = mask.shape
    out = np.full(width, np.nan)
    face = evidence.observation.face
    if face is None or evidence.iod is None:
        return out
    room = S.head * evidence.iod
    left, right = face[:, 0].min() - room, face[:, 0].max() + room
    run = np.argmin(mask[::-1], axis=0)  # rows of the person above the lower edge
    run = np.where(mask.all(0), height, run)
    top = height - run
    step = max(1, round(S.step * width))
    for columns, end in ((range(width), left), (range(width - 1, -1, -1), width - 1 - right)):
        before = None
        for count, x in enumerate(columns):
            if count >= end or run[x] == 0 or run[x] == height:
                break
            if before is not None and top[before] - top[x] > S.slope * step:
                break
            out[x] = top[x]
            if count >= step:
                before = columns[count - step]
    return out

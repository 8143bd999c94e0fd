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

    slope: float = 1.2  # rows per column: steeper edges are hair or an arm
    step: float = 0.02  # of the picture's width over which that is measured
    head: float = 0.6  # inter-ocular distances beside the face where hair may hang


S = register_settings("tracking.shoulder_line", ShoulderLineSettings())


def find_shoulder_line(evidence: Evidence) -> FloatArray:
    """Find where the mask's edge runs over the shoulders, from the picture's sides inwards.

    Args:
        evidence: of the photo.

    Returns:
        [W] row in each column of the picture, nan where the column shows no shoulder: from the head
        on, where the edge rises steeply (hair, a raised arm), and wherever the person does not fill
        the picture's lower edge up to its side.
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
        for count, x in enumerate(columns):
            ends = count >= end or run[x] in (0, height)
            rise = 0 if count < step else top[columns[count - step]] - top[x]
            if ends or rise > S.slope * step:
                # What was passed since the edge began to rise is of what rises.
                if not ends or count < step:
                    out[list(columns[max(count - step, 0) : count])] = np.nan
                break
            out[x] = top[x]
    return out

"""Places and lines on a face at rest, by the numbers of FaceMesh's landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicSpline

from ..body.model import Body
from ..core.types import FloatArray, LikenessError


def find_landmarks(
    body: Body, rest: FloatArray, rows: Sequence[int] | slice = slice(None), side: float = 1.0
) -> FloatArray:
    """Find landmarks [K, 3] of a face at rest, metres.

    Args:
        body: with landmarks.
        rest: [V, 3] its vertices at rest, metres.
        rows: numbers of the landmarks; all if left out.
        side: -1 mirrors them.

    Raises:
        LikenessError: the body has no landmarks.
    """
    if body.landmarks is None:
        raise LikenessError(
            "The body file lacks the places of brows and eyelids.",
            "Use the default body: run 'python build.py assets'.",
        )
    marks = body.landmarks
    chosen = rows if isinstance(rows, slice) else list(rows)
    corners = np.asarray(rest, np.float64)[body.f[marks.face_triangle[chosen]]]
    points = (corners * marks.face_bary[chosen][..., None]).sum(1)
    return np.asarray(points * [side, 1.0, 1.0])


def smooth_curve(control: FloatArray, count: int = 24) -> FloatArray:
    """Draw a smooth line through points.

    Args:
        control: [C, 3] metres.
        count: points of the line.

    Returns:
        [count, 3] metres.
    """
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(control, axis=0), axis=1))])
    return np.asarray(CubicSpline(along, control)(np.linspace(0.0, along[-1], count)))


def mirror_points(points: FloatArray) -> FloatArray:
    """Mirror points to the other side of the body.

    Args:
        points: [N, 3] metres.

    Returns:
        [N, 3] metres.
    """
    return points * np.array([-1.0, 1.0, 1.0], points.dtype)

"""How large a face is in a picture."""

from __future__ import annotations

import numpy as np

from .types import FloatArray

_EXTENT = 0.25  # of a face's extent that its eyes are apart at least, seen from the front


def iris_distance(face: FloatArray) -> float:
    """Distance between the irises, pixels.

    Args:
        face: [478, 2] landmarks, pixels.
    """
    return float(np.linalg.norm(face[468] - face[473]))


def face_size(face: FloatArray) -> float:
    """The distance between the eyes in pixels, as far as the face's turn lets it be measured.

    In a profile the irises are close together; the face's extent then says how far they are apart.

    Args:
        face: [478, 2] landmarks, pixels.
    """
    extent = float(np.linalg.norm(np.ptp(face[:468], axis=0)))
    return max(iris_distance(face), _EXTENT * extent)

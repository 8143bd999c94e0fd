"""How large a face is in a picture, whichever way it looks."""

from __future__ import annotations

import numpy as np

from .types import FloatArray

_IRISES = (468, 473)  # FaceMesh landmarks of their middles
_EXTENT = 0.25  # of a face's extent that its eyes are apart at least, seen from the front


def face_size(face: FloatArray) -> float:
    """The distance between the eyes in pixels, as far as the face's turn lets it be measured.

    In a profile the eyes are close together; the face's extent then says how far apart they are.

    Args:
        face: [478, 2] landmarks in pixels.
    """
    apart = float(np.linalg.norm(face[_IRISES[0]] - face[_IRISES[1]]))
    return max(apart, _EXTENT * float(np.linalg.norm(np.ptp(face[:468], axis=0))))

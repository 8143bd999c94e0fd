"""Rotations of many splats at once: the same as in ``rotations.py``, by compiled loops.

``rotations.py`` itself does without numba, which takes long to load.
"""

from __future__ import annotations

import numpy as np

from .kernels import kernel
from .threads import run_parts
from .types import FloatArray

ROTATIONS_PER_PART = 8192  # at least, for a thread


def rotation_quaternions(R: FloatArray) -> FloatArray:
    """Return :func:`.rotations.matrix_to_quaternion` of many rotations, several times as fast.

    Args:
        R: [N, 3, 3] rotation matrices.

    Returns:
        [N, 4] float64 as w, x, y, z, with w >= 0.
    """
    out = np.empty((len(R), 4))
    run_parts(
        _fill_quaternions,
        len(R),
        np.ascontiguousarray(R, np.float64),
        out,
        least=ROTATIONS_PER_PART,
    )
    return out


@kernel()
def _fill_quaternions(first, beyond, R, out):  # type: ignore[no-untyped-def]
    for i in range(first, beyond):
        r00, r11, r22 = R[i, 0, 0], R[i, 1, 1], R[i, 2, 2]
        w, x = 1.0 + r00 + r11 + r22, 1.0 + r00 - r11 - r22
        y, z = 1.0 - r00 + r11 - r22, 1.0 - r00 - r11 + r22
        a, b, c = R[i, 2, 1] - R[i, 1, 2], R[i, 0, 2] - R[i, 2, 0], R[i, 1, 0] - R[i, 0, 1]
        d, e, f = R[i, 1, 0] + R[i, 0, 1], R[i, 0, 2] + R[i, 2, 0], R[i, 2, 1] + R[i, 1, 2]
        if w >= x and w >= y and w >= z:
            q = (w, a, b, c)
        elif x >= y and x >= z:
            q = (a, x, d, e)
        elif y >= z:
            q = (b, d, y, f)
        else:
            q = (c, e, f, z)
        length = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
        sign = -1.0 if q[0] < 0.0 else 1.0
        for axis in range(4):
            out[i, axis] = sign * (q[axis] / length)

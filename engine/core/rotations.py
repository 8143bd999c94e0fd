"""Rotations: axis-angle, matrices and quaternions (w, x, y, z), over any leading shape.

Functions keep the input's precision and never modify it.
"""

from __future__ import annotations

import numpy as np

from .types import FloatArray

MIRROR = np.array([1.0, -1.0, -1.0])
"""Factors that mirror a joint's axis-angle from left to right and back."""


def axis_angle_to_matrix(axis_angle: FloatArray) -> FloatArray:
    """Convert axis-angle vectors to rotation matrices by Rodrigues' formula.

    Args:
        axis_angle: [..., 3] radians.

    Returns:
        [..., 3, 3].

    >>> np.round(axis_angle_to_matrix(np.array([0, 0, np.pi / 2])) @ [1.0, 0, 0], 6)
    array([0., 1., 0.])
    """
    v = np.asarray(axis_angle)
    if not np.issubdtype(v.dtype, np.floating):
        v = v.astype(np.float64)
    angle2 = (v * v).sum(-1)[..., None, None]
    small = angle2 < 1e-8
    safe2 = np.where(small, 1.0, angle2)
    safe = np.sqrt(safe2)
    # Taylor series near zero keep both factors smooth, and exact at zero.
    a = np.where(small, 1.0 - angle2 / 6.0, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(safe)) / safe2)
    K = skew(v)
    out: FloatArray = (np.eye(3, dtype=v.dtype) + a * K + b * (K @ K)).astype(v.dtype)
    return out


def skew(v: FloatArray) -> FloatArray:
    """Return cross-product matrices: ``skew(a) @ b`` equals ``np.cross(a, b)``.

    Args:
        v: [..., 3].

    Returns:
        [..., 3, 3].
    """
    v = np.asarray(v)
    K = np.zeros((*v.shape[:-1], 3, 3), dtype=v.dtype)
    K[..., 0, 1], K[..., 0, 2], K[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    K[..., 1, 0], K[..., 2, 0], K[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return K


def matrix_to_axis_angle(R: FloatArray) -> FloatArray:
    """Convert rotation matrices to axis-angle vectors.

    Args:
        R: [..., 3, 3].

    Returns:
        [..., 3] radians, with angles of 0 to pi.

    >>> np.round(matrix_to_axis_angle(np.array([[0., -1, 0], [1, 0, 0], [0, 0, 1]])), 6)
    array([0.      , 0.      , 1.570796])
    """
    return quaternion_to_axis_angle(matrix_to_quaternion(R))


def axis_angle_to_quaternion(axis_angle: FloatArray) -> FloatArray:
    """Convert axis-angle vectors to unit quaternions.

    Args:
        axis_angle: [..., 3] radians.

    Returns:
        [..., 4] as w, x, y, z.

    >>> np.round(axis_angle_to_quaternion(np.array([0, 0, np.pi])), 6)
    array([0., 0., 0., 1.])
    """
    v = np.asarray(axis_angle, dtype=np.result_type(axis_angle, np.float32))
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    # sin(x/2)/x is 1/2 at zero; np.sinc keeps it smooth.
    return np.concatenate([np.cos(angle / 2), v * np.sinc(angle / (2 * np.pi)) / 2], axis=-1)


def quaternion_to_axis_angle(quats: FloatArray) -> FloatArray:
    """Convert unit quaternions to axis-angle vectors.

    Args:
        quats: [..., 4] as w, x, y, z.

    Returns:
        [..., 3] radians, with angles of 0 to pi.
    """
    q = np.asarray(quats)
    q = np.where(q[..., :1] < 0, -q, q)
    s = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(s, q[..., :1])
    out: FloatArray = q[..., 1:] * np.where(s < 1e-8, 2.0, angle / np.where(s < 1e-8, 1.0, s))
    return out


def quaternion_to_matrix(quats: FloatArray) -> FloatArray:
    """Convert unit quaternions to rotation matrices.

    Args:
        quats: [..., 4] as w, x, y, z.

    Returns:
        [..., 3, 3].

    >>> half = np.sqrt(0.5)
    >>> np.round(quaternion_to_matrix(np.array([half, 0, 0, half])) @ [1.0, 0, 0], 6) + 0.0
    array([0., 1., 0.])
    """
    w, x, y, z = np.moveaxis(np.asarray(quats), -1, 0)
    rows = [
        np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return np.stack(rows, -2)


def matrix_to_quaternion(R: FloatArray) -> FloatArray:
    """Convert rotation matrices to unit quaternions by Shepperd's method.

    Args:
        R: [..., 3, 3].

    Returns:
        [..., 4] as w, x, y, z, with w >= 0.

    >>> np.round(matrix_to_quaternion(np.diag([1.0, -1.0, -1.0])), 6)
    array([0., 1., 0., 0.])
    """
    m = np.asarray(R)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    four = np.stack(
        [1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], -1
    )
    a = m[..., 2, 1] - m[..., 1, 2]
    b = m[..., 0, 2] - m[..., 2, 0]
    c = m[..., 1, 0] - m[..., 0, 1]
    d = m[..., 1, 0] + m[..., 0, 1]
    e = m[..., 0, 2] + m[..., 2, 0]
    f = m[..., 2, 1] + m[..., 1, 2]
    candidates = np.stack(
        [
            np.stack([four[..., 0], a, b, c], -1),
            np.stack([a, four[..., 1], d, e], -1),
            np.stack([b, d, four[..., 2], f], -1),
            np.stack([c, e, f, four[..., 3]], -1),
        ],
        -2,
    )
    best = four.argmax(-1)
    q = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def quaternion_multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the Hamilton product, which rotates by ``b`` first and then by ``a``.

    Args:
        a: [..., 4] as w, x, y, z.
        b: [..., 4] as w, x, y, z.

    Returns:
        [..., 4] as w, x, y, z.

    >>> h = np.array([np.sqrt(.5), 0, 0, np.sqrt(.5)])
    >>> np.round(quaternion_multiply(h, h), 6)
    array([0., 0., 0., 1.])
    """
    aw, ax, ay, az = np.moveaxis(np.asarray(a), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def rotation_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the shortest rotation that turns one direction into another.

    Args:
        a: [3], of any length but 0.
        b: [3], of any length but 0.

    Returns:
        [3, 3] rotation matrix.

    >>> np.round(rotation_between(np.array([1., 0, 0]), np.array([0., 2, 0])) @ [1., 0, 0], 6)
    array([0., 1., 0.])
    """
    a = np.asarray(a, dtype=np.float64) / np.linalg.norm(a)
    b = np.asarray(b, dtype=np.float64) / np.linalg.norm(b)
    v, c = np.cross(a, b), float(a @ b)
    if c < -1 + 1e-9:  # opposite: half a turn about any axis perpendicular to a
        helper = np.eye(3)[int(np.abs(a).argmin())]
        axis = np.cross(a, helper)
        return axis_angle_to_matrix(np.pi * axis / np.linalg.norm(axis))
    K = skew(v)
    return np.eye(3) + K + K @ K / (1 + c)


def find_heading(axis_angle: FloatArray) -> FloatArray:
    """Find the turn about the vertical by which somebody upright faces where a pelvis does.

    Who lies on the back or the front faces, once upright, where the feet or the head point.

    Args:
        axis_angle: [3] of the pelvis, radians; y points up.

    Returns:
        [3, 3].

    >>> find_heading(np.array([0.4, 0, 0])).round(6)  # leaning forward
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    _, up, ahead = axis_angle_to_matrix(np.asarray(axis_angle, np.float64)).T
    lying = float(np.clip((abs(ahead[1]) - 0.8) / 0.15, 0.0, 1.0))
    towards = (1.0 - lying) * ahead - lying * np.sign(ahead[1]) * up
    return axis_angle_to_matrix(np.array([0.0, np.arctan2(towards[0], towards[2]), 0.0]))


def swing_twist(quats: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split rotations into a twist about an axis and the swing after it: R = swing . twist.

    Args:
        quats: [..., 4] unit quaternions w, x, y, z.
        axis: [3] unit vector (a bone, say), or one for each rotation, [..., 3].

    Returns:
        twist: [...] radians, -pi to pi. It is undefined, and 0, where the swing is half a turn.
        swing: [..., 3] axis-angle, radians, perpendicular to the axis and at most pi long.

    >>> quarter = axis_angle_to_quaternion(np.array([0, 0, np.pi / 2]))
    >>> sixth = axis_angle_to_quaternion(np.array([np.pi / 3, 0, 0]))
    >>> twist, swing = swing_twist(quaternion_multiply(quarter, sixth), np.array([1.0, 0, 0]))
    >>> float(np.degrees(twist).round(6)), np.degrees(swing).round(6) + 0.0
    (60.0, array([ 0.,  0., 90.]))
    """
    q = np.asarray(quats)
    q = np.where(q[..., :1] < 0, -q, q)
    along = (q[..., 1:] * axis).sum(-1)
    length = np.hypot(q[..., 0], along)
    none = length < 1e-9
    safe = np.where(none, 1.0, length)
    cosine = np.where(none, 1.0, q[..., 0] / safe)
    sine = np.where(none, 0.0, along / safe)
    back = np.concatenate([cosine[..., None], -sine[..., None] * axis], axis=-1)
    swing = quaternion_to_axis_angle(quaternion_multiply(q, back))
    swing = swing - (swing * axis).sum(-1)[..., None] * axis
    return 2.0 * np.arctan2(sine, cosine), swing

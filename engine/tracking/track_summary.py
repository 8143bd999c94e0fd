"""A track in words and plain figures: what was seen, and with which lens."""

from __future__ import annotations

import numpy as np

from ..core.types import JOINT_INDEX, JOINT_NAMES, Camera, FloatArray
from ..imaging.load import FULL_FRAME_DIAGONAL

UNSEEN_BELOW = 0.3  # joint confidence

_FINGERS = tuple(name[5:] for name in JOINT_NAMES[25:40])  # without "left_"
PARTS: dict[str, tuple[str, ...]] = {
    "face": ("head", "jaw"),
    "hips": ("left_hip", "right_hip"),
    **{f"{s} arm": (f"{s}_elbow", f"{s}_wrist") for s in ("left", "right")},
    **{f"{s} hand": tuple(f"{s}_{f}" for f in _FINGERS) for s in ("left", "right")},
    **{f"{s} leg": (f"{s}_knee", f"{s}_ankle") for s in ("left", "right")},
}
"""Parts of the body that a picture may not show -> the joints that decide it."""


def unseen_parts(confidence: FloatArray) -> tuple[str, ...]:
    """List the parts of which no joint was seen.

    Args:
        confidence: [55] or [T, 55], 0..1; a part seen in any frame counts as seen.

    >>> seen = np.ones(55)
    >>> seen[25:40] = 0
    >>> unseen_parts(seen)
    ('left hand',)
    """
    best = np.asarray(confidence).reshape(-1, len(JOINT_NAMES)).max(0)
    return tuple(
        part
        for part, names in PARTS.items()
        if best[[JOINT_INDEX[name] for name in names]].max() < UNSEEN_BELOW
    )


def mean_joint_confidence(confidence: FloatArray) -> dict[str, float]:
    """Mean confidence of each joint by name.

    Args:
        confidence: [55] or [T, 55], 0..1.
    """
    mean = np.asarray(confidence, np.float64).reshape(-1, len(JOINT_NAMES)).mean(0)
    return {name: round(float(value), 3) for name, value in zip(JOINT_NAMES, mean)}


def lens_source(camera: Camera, fov: float | None, focal_35mm: float | None) -> str:
    """Where a photo's focal length comes from: ``given``, ``file`` or ``assumed``.

    Args:
        camera: as :func:`.fit.choose_camera` chose it.
        fov: the user's.
        focal_35mm: from the photo's file; ignored when it is not plausible.
    """
    if fov is not None:
        return "given"
    if focal_35mm is not None:
        expected = focal_35mm / FULL_FRAME_DIAGONAL * np.hypot(camera.width, camera.height)
        if np.isclose(expected, camera.K[0, 0], rtol=1e-3):
            return "file"
    return "assumed"

"""How a person of one frame of a video is compared with those of the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.names import POSE_MIRROR
from ..core.types import FloatArray
from .detectors import DetectedPerson

TRUNK = np.array([0, 7, 8, 11, 12, 23, 24])  # nose, ears, shoulders, hips
_MIRROR = np.array(POSE_MIRROR)
_SIDED = np.array([11, 12, 13, 14, 23, 24, 25, 26])


def measure_appearance(rgb: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Mean colours of chest and face, to recognise a person by.

    Args:
        rgb: [H, W, 3] in 0..1.
        landmarks: [33, 2] body landmarks, pixels.

    Returns:
        [6] sRGB of the chest, then of the face.
    """
    height, width = rgb.shape[:2]
    shoulders = landmarks[[11, 12]].mean(0)
    wide = max(float(np.hypot(*(landmarks[11] - landmarks[12]))), 4.0)
    chest = shoulders + 0.4 * wide * np.array([0.0, 1.0])
    means = []
    for (x, y), reach in ((chest, 0.25 * wide), (landmarks[:11].mean(0), 0.15 * wide)):
        x0, x1 = np.clip([x - reach, x + reach], 0, width - 1).astype(int)
        y0, y1 = np.clip([y - reach, y + reach], 0, height - 1).astype(int)
        means.append(rgb[y0 : y1 + 1, x0 : x1 + 1].reshape(-1, 3).mean(0))
    out: FloatArray = np.concatenate(means).astype(np.float64)
    return out


def locate_person(person: DetectedPerson) -> FloatArray:
    """Where a person is in the picture, to find them there again.

    Args:
        person: as detected.

    Returns:
        [3] x and y of the shoulders' middle and the size of the person's square, pixels.
    """
    x, y = person.landmarks[[11, 12]].mean(0)
    return np.array([x, y, person.roi.size])


def measure_gap(a: DetectedPerson, b: DetectedPerson) -> float:
    """How far the trunk's points lie apart, in quarters of the person's square (a trunk).

    Args:
        a: a person.
        b: the other.
    """
    gap = float(np.median(np.hypot(*(a.landmarks[TRUNK] - b.landmarks[TRUNK]).T)))
    size = min(a.roi.size, b.roi.size) / 4
    scale = max(a.roi.size, b.roi.size) / max(min(a.roi.size, b.roi.size), 1e-6)
    return gap / size + (scale - 1)


def keep_sides(person: DetectedPerson, before: DetectedPerson) -> DetectedPerson:
    """``person`` with left and right exchanged when that is what the last frame showed.

    The network mistakes people for their mirror images when they turn away; limbs do not change
    sides within a frame.

    Args:
        person: in this frame.
        before: the same in the last one.
    """
    now, last = person.landmarks[_SIDED], before.landmarks[_SIDED]
    turned = person.landmarks[_MIRROR][_SIDED]
    width = float(np.hypot(*(last[0] - last[1])))
    as_is = float(np.median(np.hypot(*(now - last).T)))
    exchanged = float(np.median(np.hypot(*(turned - last).T)))
    if exchanged < 0.5 * as_is and as_is > 0.5 * width > 0.1 * person.roi.size / 4:
        return replace(
            person,
            landmarks=person.landmarks[_MIRROR],
            visibility=person.visibility[_MIRROR],
            world=person.world[_MIRROR],
        )
    return person


def is_at_wrist(points: FloatArray, person: DetectedPerson, left: bool) -> bool:
    """Whether a hand followed so far is still near the wrist of its side.

    Args:
        points: [21, 2] of the hand, pixels; the wrist is the first.
        person: whose hand it is.
        left: whether it is the left one.
    """
    size = float(np.ptp(points, axis=0).max())
    return bool(np.hypot(*(person.landmarks[15 if left else 16] - points[0])) < 1.2 * size)

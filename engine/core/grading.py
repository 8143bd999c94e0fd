"""Grading: exposure, hue and saturation of an avatar's parts. Light to import.

Blender's node group does the same (``addon/scene/grade_nodes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .color import linear_to_srgb, srgb_to_linear
from .retouch import SHIFT, get_retouch
from .types import PARTS, BoundGaussians, FloatArray, IntArray

GRADED: dict[str, tuple[str, ...]] = {
    "Skin": ("skin", "face"),
    "Hair": ("hair",),
    "Beard": ("beard",),
    "Top": ("upper",),
    "Bottom": ("lower", "skirt"),  # a skirt's waistband is lower wear
    "Shoes": ("shoes",),
    "Hat": ("hat",),
    "Glasses": ("glasses",),
    "Scarf": ("scarf",),
    "Jewelry": ("earrings", "necklace"),
    "Items": ("held", "headphones"),
}
"""What is graded together -> the parts; eyes, mouth and what is unknown stay as they are."""


class Grade(NamedTuple):
    """How a part's colours are changed; as they are by default.

    Attributes:
        exposure: stops.
        hue: turns of the colour circle, -0.5 to 0.5.
        saturation: factor, 0 is grey.
    """

    exposure: float = 0.0
    hue: float = 0.0
    saturation: float = 1.0


def grade_colors(colors: FloatArray, part: IntArray, grades: Mapping[str, Grade]) -> FloatArray:
    """Grade colours.

    Args:
        colors: [N, 3] linear RGB.
        part: [N] index into ``PARTS``.
        grades: by the names of ``GRADED``; the others stay as they are.

    Returns:
        [N, 3] linear RGB; brighter ones may exceed 1.
    """
    out = np.array(colors, np.float64)
    for name, grade in grades.items():
        rows = np.isin(part, [PARTS.index(one) for one in GRADED[name]])
        if grade == Grade() or not rows.any():
            continue
        hue, saturation, value = _to_hsv(out[rows])
        hue = (hue + grade.hue) % 1.0
        saturation = np.clip(saturation * grade.saturation, 0.0, 1.0)
        out[rows] = _from_hsv(hue, saturation, value) * 2.0**grade.exposure
    return out


def grade_gaussians(gaussians: BoundGaussians, grades: Mapping[str, Grade]) -> BoundGaussians:
    """Grade Gaussians; edits by hand shift their colours to what the grades make of edited ones.

    Args:
        gaussians: with or without edits.
        grades: by the names of ``GRADED``; the others stay as they are.
    """
    if all(grade == Grade() for grade in grades.values()):
        return gaussians

    def grade(colors: FloatArray) -> FloatArray:
        linear = grade_colors(srgb_to_linear(colors), gaussians.part, grades)
        return np.asarray(linear_to_srgb(np.clip(linear, 0.0, 1.0)), np.float32)

    out = replace(gaussians, colors=grade(gaussians.colors))
    if not gaussians.retouch.shape[1]:
        return out
    retouch = get_retouch(gaussians)
    rows = retouch[:, SHIFT].any(1)
    edited = grade(np.clip(gaussians.colors + retouch[:, SHIFT], 0.0, 1.0))
    retouch[rows, SHIFT] = (edited - out.colors)[rows]
    return replace(out, retouch=retouch)


def _to_hsv(rgb: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    high, low = rgb.max(1), rgb.min(1)
    span = high - low
    safe = np.where(span > 0, span, 1.0)
    red, green, blue = rgb.T
    hue = np.where(
        high == red,
        (green - blue) / safe,
        np.where(high == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    saturation = np.where(high > 0, span / np.where(high > 0, high, 1.0), 0.0)
    return np.where(span > 0, hue / 6.0 % 1.0, 0.0), saturation, high


def _from_hsv(hue: FloatArray, saturation: FloatArray, value: FloatArray) -> FloatArray:
    turn = 6.0 * hue
    pure = np.stack(
        [np.abs(turn - 3.0) - 1.0, 2.0 - np.abs(turn - 2.0), 2.0 - np.abs(turn - 4.0)], 1
    )
    pure = np.clip(pure, 0.0, 1.0)
    return np.asarray(value[:, None] * (1.0 + saturation[:, None] * (pure - 1.0)))

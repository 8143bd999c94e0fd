"""The mouth's inside: gums, teeth and tongue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.interpolation import smoothstep
from ..core.noise import fractal_noise
from ..core.types import FloatArray

if TYPE_CHECKING:
    from .skin_canvas import Canvas
    from .skin_look import SkinLook

GUM, TONGUE = np.array([0.68, 0.36, 0.35]), np.array([0.72, 0.42, 0.41])
WHITE, YELLOW = np.array([0.90, 0.89, 0.85]), np.array([0.84, 0.79, 0.67])
GAP = np.array([0.42, 0.33, 0.27])
DEEP = 0.035  # metres behind the lips from where hardly any light comes back
UPPER = (8.6, 6.7, 7.7, 7.0, 6.8, 10.2, 9.6)
LOWER = (5.4, 5.9, 6.9, 7.0, 7.1, 11.0, 10.4)
"""Widths of the teeth from the middle backwards, millimetres."""
CROWN = 0.0098  # metres from a tooth's edge to the gum


def paint_mouth(canvas: Canvas, look: SkinLook) -> None:
    """Paint the mouth's inside over the skin's picture."""
    texels = canvas.texels
    lips = float(texels.landmarks[13, 2])
    for name, color, rough in (("mouth", GUM, 0.28), ("tongue", TONGUE, 0.36)):
        rows = texels.rows(name)
        canvas.cover(rows, color, np.ones(len(rows)))
        uneven = fractal_noise(texels.points[rows], look.seed + 40, 0.004, 3)
        canvas.log[rows] += (0.12 * uneven)[:, None]
        canvas.rough[rows] = rough + 0.04 * uneven
        canvas.height[rows] = 0.0001 * uneven if name == "tongue" else 0.0
    _paint_teeth(canvas, look)
    inside = texels.rows("mouth", "tongue", "teeth")
    back = smoothstep(lips - texels.points[inside, 2], 0.014, DEEP)
    canvas.log[inside] -= (1.3 * back)[:, None]


def _paint_teeth(canvas: Canvas, look: SkinLook) -> None:
    texels = canvas.texels
    every = texels.rows("teeth")
    enamel = WHITE + look.teeth * (YELLOW - WHITE)
    canvas.cover(every, enamel, np.ones(len(every)))
    canvas.rough[every] = 0.14
    canvas.height[every] = 0.0
    on_jaw = texels.zones["jaw"][every] > 0.5
    for own, widths, up in ((~on_jaw, UPPER, 1.0), (on_jaw, LOWER, -1.0)):
        rows = every[own]
        if len(rows) == 0:
            continue
        points = texels.points[rows]
        tooth, along = _teeth_along(points, np.array(widths) / 1000.0)
        tone = np.random.default_rng([look.seed, 41]).normal(0, 0.04, 16)
        canvas.log[rows] += np.outer(tone[tooth], [0.6, 1.0, 1.8]).astype(np.float32)
        edge = points[:, 1].min() if up > 0 else points[:, 1].max()
        height = up * (points[:, 1] - edge)
        # Crowns are round, and the gum comes down between them.
        beside = np.abs(2.0 * along - 1.0)
        gum = smoothstep(height - CROWN * (0.8 + 0.2 * (1.0 - beside**2)), -0.0006, 0.0006)
        line = smoothstep(beside, 0.84, 0.99) * smoothstep(height, 0.0, 0.002)
        canvas.cover(rows, GAP, 0.5 * line)
        # Enamel is thin, and bluish, at the edge; yellow by the gum.
        canvas.log[rows] += np.outer(smoothstep(height, 0.001, CROWN), [0.0, -0.03, -0.12])
        canvas.cover(rows, GUM, gum)
        canvas.height[rows] = (0.0005 * (1.0 - beside**4) * (1 - gum)).astype(np.float32)
        canvas.rough[rows] += 0.14 * gum


def _teeth_along(points: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Which tooth of an arch each point is of [N], 0 to 13, and where between its sides (0..1)."""
    front, back = points[:, 2].max(), points[:, 2].min()
    side = np.abs(points[:, 0])
    # Along a parabola, found by the angle at which a point is seen from between the last teeth.
    t = np.linspace(0.0, 1.0, 200)
    path = np.stack([side.max() * np.sqrt(t), (front - back) * (1.0 - t)], 1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    seen = np.arctan2(side, points[:, 2] - back)
    place = np.interp(seen, np.arctan2(path[:, 0], path[:, 1]), length)
    ends = np.concatenate([[0.0], np.cumsum(widths)])
    k = np.clip(np.searchsorted(ends, place) - 1, 0, len(widths) - 1)
    along = np.clip((place - ends[k]) / widths[k], 0.0, 1.0)
    return np.where(points[:, 0] > 0, k, k + len(widths)), along

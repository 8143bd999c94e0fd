"""Wrinkles and folds of a face: lines between landmarks, pressed into the skin."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.types import FloatArray
from ..wardrobe.creases import Crease, draw_creases
from .skin_texels import SkinTexels


@kernel()
def _press(points, lines, widths, depths, out):  # type: ignore[no-untyped-def]
    """Add the creases' heights to out [H]: a valley with a swell on both sides."""
    for k in range(lines.shape[0]):
        reach = 3.5 * widths[k]
        low0, low1, low2 = lines[k, :, 0].min(), lines[k, :, 1].min(), lines[k, :, 2].min()
        top0, top1, top2 = lines[k, :, 0].max(), lines[k, :, 1].max(), lines[k, :, 2].max()
        last = lines.shape[1] - 1
        for i in range(points.shape[0]):
            x, y, z = points[i, 0], points[i, 1], points[i, 2]
            if x < low0 - reach or y < low1 - reach or z < low2 - reach:
                continue
            if x > top0 + reach or y > top1 + reach or z > top2 + reach:
                continue
            best, where = 1e9, 0.0
            for s in range(last):
                ax, ay, az = lines[k, s, 0], lines[k, s, 1], lines[k, s, 2]
                dx, dy, dz = (
                    lines[k, s + 1, 0] - ax,
                    lines[k, s + 1, 1] - ay,
                    lines[k, s + 1, 2] - az,
                )
                long = dx * dx + dy * dy + dz * dz + 1e-15
                t = ((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / long
                t = min(1.0, max(0.0, t))
                gx, gy, gz = x - ax - t * dx, y - ay - t * dy, z - az - t * dz
                d = gx * gx + gy * gy + gz * gz
                if d < best:
                    best, where = d, (s + t) / last
            fade = 4.0 * where * (1.0 - where)  # ends run out
            q = best / (widths[k] * widths[k])
            if q < 12.0:
                out[i] -= depths[k] * np.sqrt(max(fade, 0.0)) * (1.0 - 0.55 * q) * np.exp(-0.6 * q)


def make_creases(texels: SkinTexels, ageing: float, rng: np.random.Generator) -> list[Crease]:
    """Make the folds of a face whose skin has aged by 0 (none) to 1 (85 years in the sun)."""
    return draw_creases(texels.landmarks.astype(np.float64), texels.tree, ageing, rng)


def press_creases(texels: SkinTexels, lines: list[Crease]) -> FloatArray:
    """[H] metres of height that the creases give the head's texels."""
    out = np.zeros(len(texels.head), np.float32)
    if lines:
        _press(
            np.ascontiguousarray(texels.points[texels.head]),
            np.stack([c.line for c in lines]),
            np.array([c.width for c in lines]),
            np.array([c.depth for c in lines]),
            out,
        )
    return out

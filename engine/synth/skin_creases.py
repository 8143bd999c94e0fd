"""Wrinkles and folds of a face: lines between landmarks, pressed into the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.kernels import kernel
from ..core.types import FloatArray
from .skin_texels import SkinTexels, mirror_points, smooth_curve

BROW_ROW = (104, 69, 108, 151, 337, 299, 333)
HAIR_ROW = (103, 67, 109, 10, 338, 297, 332)
SIDED = {
    "nasolabial": ((203, 206, 216, 212), 0.0022, 0.00070, 0.18),
    "marionette": ((43, 211, 32), 0.0016, 0.00042, 0.55),
    "bag": ((233, 232, 231, 230, 229, 228), 0.0014, 0.00040, 0.40),
    "lid": ((26, 22, 23, 24, 110), 0.0010, 0.00020, 0.30),
}
"""FaceMesh's points of the right side, width and depth in metres, and the amount of ageing (0..1)
from which the fold begins to show."""
CROW_TARGETS = (139, 143, 35, 111, 117)
STEPS = 24


@dataclass(frozen=True)
class Crease:
    """A line on the surface.

    Attributes:
        line: [P, 3] metres.
        width: metres.
        depth: metres.
    """

    line: FloatArray
    width: float
    depth: float


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
    at = texels.landmarks.astype(np.float64)
    out: list[Crease] = []

    def add(control: FloatArray, width: float, depth: float, shake: float) -> None:
        line = smooth_curve(control + rng.normal(0, shake, control.shape), STEPS)
        line[1:-1] += rng.normal(0, 0.25 * shake, (STEPS - 2, 3))
        rows = texels.tree.query(line)[1]
        line = texels.tree.data[rows]  # onto the surface
        out.append(Crease(np.asarray(line), width * rng.uniform(0.8, 1.2), depth))

    def amount(start: float) -> float:
        return float(max(0.0, ageing - start) / (1.0 - start) * rng.uniform(0.6, 1.3))

    for points, width, depth, start in SIDED.values():
        strength = amount(start)
        for flip in (False, True):
            control = at[list(points)]
            if strength > 0.02:
                control = mirror_points(control) if flip else control
                add(control, width, depth * strength * rng.uniform(0.85, 1.15), 0.0008)
    brow, hair = at[list(BROW_ROW)], at[list(HAIR_ROW)]
    for height in np.arange(-0.3, 1.2, rng.uniform(0.28, 0.42)):
        strength = amount(0.3)
        if strength > 0.02:
            cut = int(rng.integers(0, 2))
            row = (brow + height * (hair - brow))[cut : len(brow) - int(rng.integers(0, 2))]
            add(row, 0.0014, 0.00032 * strength, 0.0012)
    for left, right in ((107, 55), (336, 285)):
        if (strength := amount(0.35)) > 0.02:
            middle = at[[9, 9, 8]]
            outer = at[[left, left, right]]
            share = np.array([[0.50], [0.42], [0.45]])
            control = middle + share * (outer - middle) + [[0, 0.004, 0], [0, -0.003, 0], [0, 0, 0]]
            add(control, 0.0012, 0.0004 * strength, 0.0006)
    for flip in (False, True):
        for target in CROW_TARGETS:
            if (strength := amount(0.32)) > 0.02:
                a, b = at[33], at[target]
                span = rng.uniform([0.3, 0.75], [0.45, 1.1])[:, None]
                bow = np.array([[0, 0, 0], [0, rng.normal(0, 0.0008), 0], [0, 0, 0]])
                ends = a + span * (b - a)
                control = np.stack([ends[0], ends.mean(0), ends[1]]) + bow
                add(mirror_points(control) if flip else control, 0.0009, 0.00030 * strength, 0.0005)
    return out


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

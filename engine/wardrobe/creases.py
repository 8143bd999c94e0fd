"""Wrinkles and folds of a face as lines between its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..core.types import FloatArray
from .face_marks import mirror_points, smooth_curve

BROW_ROW = (104, 69, 108, 151, 337, 299, 333)
HAIR_ROW = (103, 67, 109, 10, 338, 297, 332)
SIDED = {
    "nasolabial": ((203, 206, 216, 212), 0.0022, 0.00070, 0.18, "mouth"),
    "marionette": ((43, 211, 32), 0.0016, 0.00042, 0.55, "mouth"),
    "bag": ((233, 232, 231, 230, 229, 228), 0.0014, 0.00040, 0.40, "eyes"),
    "lid": ((26, 22, 23, 24, 110), 0.0010, 0.00020, 0.30, "eyes"),
}
"""FaceMesh's points of the right side, width and depth in metres, the amount of ageing (0..1) from
which the fold begins to show, and the face's region."""
CROW_TARGETS = (139, 143, 35, 111, 117)
STEPS = 24


@dataclass(frozen=True)
class Crease:
    """A line on the surface.

    Attributes:
        line: [P, 3] metres.
        width: metres.
        depth: metres.
        region: of the face: ``forehead``, ``eyes`` or ``mouth``.
    """

    line: FloatArray
    width: float
    depth: float
    region: str


def draw_creases(
    at: FloatArray, surface: cKDTree, ageing: float, rng: np.random.Generator
) -> list[Crease]:
    """Draw the folds of a face.

    Args:
        at: [478, 3] landmarks, metres.
        surface: points of the skin, metres, on which the lines lie.
        ageing: of the skin, 0 (none) to 1 (85 years in the sun).
        rng: of their places and depths.
    """
    out: list[Crease] = []

    def add(control: FloatArray, width: float, depth: float, shake: float, region: str) -> None:
        line = smooth_curve(control + rng.normal(0, shake, control.shape), STEPS)
        line[1:-1] += rng.normal(0, 0.25 * shake, (STEPS - 2, 3))
        line = surface.data[surface.query(line)[1]]
        out.append(Crease(np.asarray(line), width * rng.uniform(0.8, 1.2), depth, region))

    def amount(start: float) -> float:
        return float(max(0.0, ageing - start) / (1.0 - start) * rng.uniform(0.6, 1.3))

    for points, width, depth, start, region in SIDED.values():
        strength = amount(start)
        for flip in (False, True):
            control = at[list(points)]
            if strength > 0.02:
                control = mirror_points(control) if flip else control
                deep = depth * strength * rng.uniform(0.85, 1.15)
                add(control, width, deep, 0.0008, region)
    brow, hair = at[list(BROW_ROW)], at[list(HAIR_ROW)]
    for height in np.arange(-0.3, 1.2, rng.uniform(0.28, 0.42)):
        strength = amount(0.3)
        if strength > 0.02:
            cut = int(rng.integers(0, 2))
            row = (brow + height * (hair - brow))[cut : len(brow) - int(rng.integers(0, 2))]
            add(row, 0.0014, 0.00032 * strength, 0.0012, "forehead")
    for left, right in ((107, 55), (336, 285)):
        if (strength := amount(0.35)) > 0.02:
            middle = at[[9, 9, 8]]
            outer = at[[left, left, right]]
            share = np.array([[0.50], [0.42], [0.45]])
            control = middle + share * (outer - middle) + [[0, 0.004, 0], [0, -0.003, 0], [0, 0, 0]]
            add(control, 0.0012, 0.0004 * strength, 0.0006, "forehead")
    for flip in (False, True):
        for target in CROW_TARGETS:
            if (strength := amount(0.32)) > 0.02:
                a, b = at[33], at[target]
                span = rng.uniform([0.3, 0.75], [0.45, 1.1])[:, None]
                bow = np.array([[0, 0, 0], [0, rng.normal(0, 0.0008), 0], [0, 0, 0]])
                ends = a + span * (b - a)
                control = np.stack([ends[0], ends.mean(0), ends[1]]) + bow
                control = mirror_points(control) if flip else control
                add(control, 0.0009, 0.00030 * strength, 0.0005, "eyes")
    return out

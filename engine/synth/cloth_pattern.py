"""Fabrics and the patterns on them, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.noise import fractal_noise
from ..core.types import FloatArray
from ..wardrobe.tables import Color, parse_names


@dataclass(frozen=True)
class Weave:
    """How a fabric is woven.

    Attributes:
        roughness: 0..1.
        grain: metres across a cell.
        depth: metres of the relief.
        mottle: variation of the threads' colours, as a share of them.
    """

    roughness: float
    grain: float
    depth: float
    mottle: float


WEAVES = {
    "cotton": Weave(0.85, 0.0006, 0.00006, 0.015),
    "denim": Weave(0.82, 0.0010, 0.00012, 0.060),
    "wool": Weave(0.95, 0.0014, 0.00020, 0.040),
    "knit": Weave(0.95, 0.0015, 0.00030, 0.030),
    "silk": Weave(0.38, 0.0005, 0.00002, 0.006),
    "synthetic": Weave(0.55, 0.0006, 0.00004, 0.008),
    "leather": Weave(0.42, 0.0015, 0.00010, 0.020),
}
PATTERNS = parse_names(
    "plain, stripes, thin stripes, checks, plaid, dots, herringbone, knit, blocks, camouflage"
)
MOTIFS = ("disc", "ring", "star", "blob", "band")


@dataclass(frozen=True)
class Fabric:
    """The material of one piece of clothing.

    Attributes:
        weave: of :data:`WEAVES`.
        color: [3] sRGB 0..1 as stored.
        accent: [3] sRGB 0..1 as stored.
        pattern: of :data:`PATTERNS`.
        size: metres of the pattern's period.
        angle: degrees; at 0 stripes run around the limb.
        motif: printed on the chest, of :data:`MOTIFS`, or "".
        wear: 0..1.
        dirt: 0..1.
    """

    weave: str
    color: Color
    accent: Color
    pattern: str = "plain"
    size: float = 0.04
    angle: float = 0.0
    motif: str = ""
    wear: float = 0.2
    dirt: float = 0.0


def pattern_value(pattern: str, across: FloatArray, up: FloatArray, size: float) -> FloatArray:
    """How much of the accent a pattern shows.

    ``blocks`` and ``camouflage`` are not periodic: :mod:`.cloth_paint` draws them.

    Args:
        pattern: of :data:`PATTERNS`.
        across: [N] coordinates across the limb, metres.
        up: [N] coordinates along the limb, metres.
        size: period of the pattern, metres.

    Returns:
        [N] 0..1.
    """
    x, y = across / size, up / size
    soft = 0.0015 / size  # a thread and a half

    def bar(t: FloatArray, share: float) -> FloatArray:
        off = np.abs(t - np.floor(t) - 0.5) - (0.5 - share / 2)
        return np.asarray(np.clip(off / soft + 0.5, 0.0, 1.0))

    if pattern == "stripes":
        return bar(y, 0.5)
    if pattern == "thin stripes":
        return bar(y, 0.16)
    if pattern == "checks":
        return 0.5 * bar(x, 0.5) + 0.5 * bar(y, 0.5)
    if pattern == "plaid":
        wide = 0.4 * bar(x, 0.42) + 0.4 * bar(y, 0.42)
        return np.maximum(wide, 0.8 * np.maximum(bar(x + 0.32, 0.05), bar(y + 0.32, 0.05)))
    if pattern == "dots":
        row = np.floor(y)
        dx, dy = x + 0.5 * (row % 2), y - row - 0.5
        dx = dx - np.floor(dx) - 0.5
        return np.asarray(np.clip((0.27 - np.hypot(dx, dy)) / soft + 0.5, 0.0, 1.0))
    if pattern == "herringbone":
        zigzag = np.abs(x - np.floor(x) - 0.5) * 2.0
        return 0.45 * bar(2.0 * y + zigzag, 0.5)
    if pattern == "knit":
        loop = np.abs(x - np.floor(x) - 0.5) * 2.0
        rows = 0.5 + 0.5 * np.cos(2 * np.pi * (1.5 * y - 0.6 * loop))
        return np.asarray(0.3 * rows + 0.15 * bar(x, 0.15))
    return np.zeros(len(across))


def motif_value(motif: str, x: FloatArray, y: FloatArray, seed: int) -> FloatArray:
    """Draw a print on the chest.

    Args:
        motif: of :data:`MOTIFS`.
        x: [N] from the print's middle to the left, metres.
        y: [N] from the print's middle upwards, metres.
        seed: of its size and form.

    Returns:
        [N] 1 inside the print, 0 outside.
    """
    rng = np.random.default_rng([seed, 77])
    radius, soft = rng.uniform(0.045, 0.085), 0.0012
    r, angle = np.hypot(x, y), np.arctan2(x, y)
    if motif == "disc":
        inside = radius - r
    elif motif == "ring":
        inside = 0.16 * radius - np.abs(r - radius)
        inside = np.maximum(inside, 0.04 - np.abs(y) * 3 - np.abs(x))
    elif motif == "star":
        points = int(rng.integers(5, 9))
        inside = radius * (0.68 + 0.32 * np.cos(points * angle)) - r
    elif motif == "blob":
        wobble = fractal_noise(np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1), seed, 0.9, 2)
        inside = radius * (0.85 + 0.6 * wobble) - r
    else:
        inside = 0.35 * radius - np.abs(y)
    return np.clip(inside / soft + 0.5, 0.0, 1.0)

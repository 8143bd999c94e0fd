"""Hair that is too short for cards: beards, stubble, and the roots on the scalp."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.interpolation import smoothstep
from ..core.noise import cell_noise, fractal_noise
from ..core.types import FloatArray

if TYPE_CHECKING:
    from .skin_canvas import Canvas
    from .skin_look import SkinLook

STYLES: dict[str, tuple[tuple[str, ...], float]] = {
    "shadow": (("moustache", "corners", "chin_beard", "cheek_beard", "neck_beard"), 0.0),
    "stubble": (("moustache", "corners", "chin_beard", "cheek_beard", "neck_beard"), 0.3),
    "moustache": (("moustache",), 0.8),
    "goatee": (("chin_beard",), 0.8),
    "circle": (("moustache", "corners", "chin_beard"), 0.8),
    "short": (("moustache", "corners", "chin_beard", "cheek_beard"), 0.65),
    "full": (("moustache", "corners", "chin_beard", "cheek_beard"), 1.0),
}
"""Where each beard grows, and how long it is: 0 just shaved, 1 as long as paint can show."""
DOT = 0.0011  # metres between hairs of a stubble


def _strands(points: FloatArray, seed: int) -> FloatArray:
    """[N] -1..1 streaks that run down the face, wavering."""
    waver = fractal_noise(points, seed, 0.008, 2)[:, None] * np.array([[0.0015, 0.0, 0.0015]])
    flat = (points + waver) * np.array([1.0, 0.16, 0.8])
    return fractal_noise(flat, seed + 1, 0.0010, 2)


def grow_beard(canvas: Canvas, look: SkinLook) -> None:
    """Paint the beard: shade under the skin, dots of cut hairs, or strands."""
    if look.beard == "none":
        return
    zones, length = STYLES[look.beard]
    texels = canvas.texels
    density = np.max([texels.face_zones[name] for name in zones], axis=0)
    density = density * (1.0 - texels.face_zones["lips"])
    near = np.flatnonzero(density > 0.01)
    rows, points, density = texels.head[near], texels.points[texels.head[near]], density[near]
    uneven = fractal_noise(points, look.seed + 20, 0.006, 3)
    # Edges fray, and hair stands more thinly there; what is shaved fades out.
    sharp = smoothstep(density + 0.35 * uneven, 0.10, 0.90)
    density = look.beard_amount * (sharp if length >= 0.5 else sharp * density)
    gap, chance = cell_noise(points, look.seed + 21, DOT)
    dots = (1.0 - smoothstep(gap, 0.22, 0.55)) * (0.5 + 0.5 * chance)
    color = np.array(look.beard_color)
    # Hairs under the skin look bluish through it.
    below = 0.7 * color + 0.3 * np.array([0.20, 0.22, 0.25])
    canvas.cover(rows, below, (0.13 + 0.3 * length) * density)
    if length < 0.5:
        canvas.cover(rows, color, np.clip(0.15 + 1.6 * length, 0, 0.75) * density * dots)
        canvas.height[rows] += 0.00008 * length * dots * density
        return
    strand = _strands(points, look.seed + 22)
    clumps = fractal_noise(points, look.seed + 24, 0.004, 2)
    opaque = smoothstep(density * (0.75 + 0.7 * length) + 0.55 * strand + 0.2 * clumps, 0.35, 1.05)
    canvas.cover(rows, color, (0.75 + 0.2 * length) * opaque)
    lights = 0.75 * strand + 0.25 * clumps - 0.15
    canvas.log[rows] += (lights * opaque)[:, None].astype(np.float32)
    canvas.height[rows] += 0.0004 * length * opaque * (1.0 + 0.9 * strand)
    canvas.rough[rows] += 0.08 * opaque


def grow_roots(canvas: Canvas, look: SkinLook) -> None:
    """Paint the hair's roots, so that thin hair does not show a bare skull."""
    texels = canvas.texels
    zone = texels.face_zones["scalp"]
    near = np.flatnonzero(zone > 0.01)
    rows, points = texels.head[near], texels.points[texels.head[near]]
    uneven = fractal_noise(points, look.seed + 30, 0.007, 3)
    strand = fractal_noise(points, look.seed + 31, 0.0016, 2)
    density = smoothstep(zone[near] + 0.35 * uneven, 0.05, 1.0) * (1.0 + 0.25 * strand)
    # Fair or grey roots are seen less than dark ones.
    amount = look.scalp_amount * (0.5 if np.mean(look.scalp) > np.mean(look.tone) else 1.0)
    canvas.cover(rows, np.array(look.scalp), np.clip(amount * density, 0.0, 1.0))
    canvas.rough[rows] += 0.06 * density

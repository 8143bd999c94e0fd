"""Colours of people's hair by origin and age, and dye."""

from __future__ import annotations

import numpy as np

from ..core.types import FloatArray
from ..wardrobe.hair_pigment import melanin_color
from ..wardrobe.tables import parse_colors
from .person_parts import Traits

# (share, eumelanin from..to, pheomelanin from..to)
_EUROPEAN = (
    (0.12, 5.0, 7.5, 0.2, 0.5),
    (0.34, 2.8, 4.6, 0.2, 0.7),
    (0.26, 1.6, 2.8, 0.2, 0.6),
    (0.15, 0.8, 1.5, 0.2, 0.6),
    (0.08, 0.25, 0.8, 0.1, 0.4),
    (0.05, 0.6, 1.6, 1.0, 1.8),
)
_ELSEWHERE = ((0.80, 5.5, 9.0, 0.1, 0.5), (0.20, 3.6, 5.5, 0.2, 0.6))
_DYES = parse_colors(
    """
    0.62 0.16 0.14, 0.74 0.36 0.46, 0.36 0.2 0.44, 0.16 0.28 0.52, 0.12 0.4 0.4, 0.83 0.72 0.5,
    0.45 0.1 0.14, 0.8 0.78 0.76
    """
)


def natural_color(rng: np.random.Generator, traits: Traits) -> FloatArray:
    """[3] sRGB of the hair in youth: dark hair for most, all of it for dark skins."""
    european = traits.origin[2] * max(0.0, 1.0 - max(traits.tone - 4, 0) / 2.0)
    table = _EUROPEAN if rng.random() < european else _ELSEWHERE
    _, e0, e1, p0, p1 = table[rng.choice(len(table), p=[row[0] for row in table])]
    return melanin_color(rng.uniform(e0, e1), rng.uniform(p0, p1))


def grey_share(rng: np.random.Generator, age: float) -> float:
    """Draw the share of white strands: half of them at 55, on average."""
    return float(1.0 / (1.0 + np.exp(-(age - 55.0 - rng.normal(0.0, 8.0)) / 5.0)))


def dyed_color(rng: np.random.Generator, traits: Traits) -> FloatArray | None:
    """[3] sRGB of dyed hair, or None for most people, who don't dye."""
    if rng.random() > (0.16 if traits.sex == "female" else 0.03):
        return None
    if rng.random() < (0.85 if traits.age < 55 else 0.97):  # a natural colour, only not their own
        return melanin_color(rng.uniform(0.3, 4.0), rng.uniform(0.1, 1.2))
    dye = np.array(_DYES[rng.integers(len(_DYES))])
    return np.asarray(np.clip(dye + rng.normal(0, 0.04, 3), 0.05, 0.95))

"""Taste: which colours, fabrics and patterns go together often, and which seldom."""

from __future__ import annotations

import colorsys

import numpy as np

from ..wardrobe.tables import Color, parse_colors, parse_shares
from .cloth_pattern import MOTIFS, Fabric

NEUTRALS = parse_colors(
    """
    0.07 0.07 0.08, 0.13 0.13 0.14, 0.23 0.24 0.25, 0.45 0.45 0.46, 0.66 0.66 0.65, 0.9 0.9 0.88,
    0.86 0.83 0.76, 0.1 0.13 0.23, 0.16 0.19 0.3, 0.62 0.54 0.42, 0.4 0.31 0.23, 0.28 0.21 0.17,
    0.32 0.33 0.24
    """
)
DENIMS = parse_colors(
    """
    0.24 0.33 0.46, 0.16 0.21 0.32, 0.38 0.48 0.6, 0.55 0.63 0.71, 0.11 0.12 0.15, 0.35 0.36 0.38
    """
)
LEATHERS = parse_colors(
    """
    0.08 0.075 0.07, 0.2 0.13 0.09, 0.36 0.22 0.13, 0.52 0.36 0.22, 0.14 0.14 0.16, 0.88 0.87 0.85,
    0.55 0.54 0.52, 0.12 0.17 0.3
    """
)


def random_cloth_color(rng: np.random.Generator) -> Color:
    """Choose a cloth's colour: neutral in half of all cases, muted in most others, seldom loud."""
    kind = rng.random()
    if kind < 0.5:
        return _shaken(NEUTRALS[int(rng.integers(len(NEUTRALS)))], rng)
    # Blues and reds are worn more often than greens and yellows.
    hue = (
        float(
            rng.choice(
                [rng.normal(0.60, 0.05), rng.normal(0.99, 0.03), rng.uniform(0, 1)],
                p=[0.35, 0.25, 0.4],
            )
        )
        % 1.0
    )
    loud = kind > 0.88
    saturation = rng.uniform(0.5, 0.8) if loud else rng.uniform(0.15, 0.45)
    value = rng.uniform(0.25, 0.75)
    if 0.1 < hue < 0.45:  # bright greens and yellows look like plastic
        saturation *= 0.6
    return _color(colorsys.hsv_to_rgb(hue, float(saturation), float(value)))


def _color(rgb: tuple[float, ...]) -> Color:
    return (round(float(rgb[0]), 4), round(float(rgb[1]), 4), round(float(rgb[2]), 4))


def _shaken(color: Color, rng: np.random.Generator) -> Color:
    factor = 1.0 + rng.normal(0, 0.08)
    return _color(tuple(np.clip(np.array(color) * factor + rng.normal(0, 0.012, 3), 0.03, 0.93)))


def _accent(color: Color, rng: np.random.Generator) -> Color:
    """A second colour that differs visibly from the first."""
    for _ in range(8):
        other = random_cloth_color(rng)
        if abs(sum(other) - sum(color)) > 0.5:
            return other
    return (0.9, 0.9, 0.88) if sum(color) < 1.4 else (0.1, 0.1, 0.12)


def _choice(rng: np.random.Generator, shares: dict[str, float]) -> str:
    values = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=values / values.sum()))


_WEAVES = {
    "top": parse_shares(
        """
        cotton 0.62, synthetic 0.16, wool 0.08, silk 0.07, denim 0.05, leather 0.02
        """
    ),
    "bottom": parse_shares("denim 0.42, cotton 0.33, wool 0.1, synthetic 0.12, leather 0.03"),
    "second": parse_shares("cotton 0.5, wool 0.2, leather 0.15, denim 0.15"),
}
_OF_STYLE = {
    "sweater": parse_shares("knit 0.55, wool 0.2, cotton 0.25"),
    "jeans": parse_shares("denim 1.0"),
    "leggings": parse_shares("synthetic 0.8, cotton 0.2"),
    "tank top": parse_shares("cotton 0.7, synthetic 0.3"),
    "trousers": parse_shares("cotton 0.5, wool 0.35, synthetic 0.1, leather 0.05"),
}
_PATTERNS = {
    "top": parse_shares(
        """
        plain 0.5, stripes 0.12, thin stripes 0.08, checks 0.05, plaid 0.1, dots 0.05, blocks 0.06,
        camouflage 0.01, herringbone 0.03
        """
    ),
    "bottom": parse_shares(
        """
        plain 0.84, plaid 0.04, thin stripes 0.05, herringbone 0.04, camouflage 0.03
        """
    ),
    "second": parse_shares("plain 0.8, herringbone 0.1, plaid 0.1"),
}
_SIZES = {
    "stripes": (0.015, 0.09),
    "thin stripes": (0.012, 0.04),
    "checks": (0.016, 0.045),
    "plaid": (0.04, 0.11),
    "dots": (0.016, 0.045),
    "herringbone": (0.010, 0.018),
    "knit": (0.006, 0.010),
    "camouflage": (0.03, 0.08),
}


def random_fabric(rng: np.random.Generator, region: str, style: str) -> Fabric:
    """Choose the fabric of a piece of clothing.

    Args:
        rng: random numbers.
        region: ``top``, ``bottom`` or ``second``.
        style: of tailored clothes, or "".
    """
    weave = _choice(rng, _OF_STYLE.get(style, _WEAVES[region]))
    pattern = _choice(rng, _PATTERNS[region])
    if weave in ("denim", "leather"):
        color = _shaken((DENIMS if weave == "denim" else LEATHERS)[int(rng.integers(6))], rng)
        pattern = "plain"
    elif region == "bottom" and rng.random() < 0.8:
        color = _shaken(NEUTRALS[int(rng.integers(len(NEUTRALS)))], rng)
    else:
        color = random_cloth_color(rng)
    if weave == "knit" and pattern == "plain":
        pattern = "knit"
    low, high = _SIZES.get(pattern, (0.02, 0.05))
    angle = (
        float(rng.choice([0.0, 90.0, 45.0], p=[0.6, 0.34, 0.06])) if "stripes" in pattern else 0.0
    )
    if region == "bottom":
        angle = 90.0  # pinstripes
    accent = _accent(color, rng)
    if pattern in ("herringbone", "knit"):  # tone in tone
        accent = _color(tuple(0.6 * np.array(color) + 0.4 * np.array(accent)))
    prints = region == "top" and pattern in ("plain", "blocks") and weave in ("cotton", "synthetic")
    motif = str(rng.choice(MOTIFS)) if prints and rng.random() < 0.35 else ""
    return Fabric(
        weave=weave,
        color=color,
        accent=accent,
        pattern=pattern,
        size=round(float(rng.uniform(low, high)), 4),
        angle=angle,
        motif=motif,
        wear=round(float(rng.uniform(0.05, 1.0 if weave == "denim" else 0.5)), 3),
        dirt=round(float(rng.choice([0.0, rng.uniform(0.1, 0.6)], p=[0.8, 0.2])), 3),
    )


def shoe_color(rng: np.random.Generator) -> tuple[Color, Color]:
    """Choose the colours of the upper and the sole."""
    upper = _shaken(LEATHERS[int(rng.integers(len(LEATHERS)))], rng)
    if rng.random() < 0.25:
        upper = random_cloth_color(rng)
    pale = rng.random() < 0.5
    return upper, ((0.85, 0.84, 0.81) if pale else (0.12, 0.11, 0.10))

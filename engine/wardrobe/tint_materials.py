"""Other colours for hair, skin and cloth, each with its own contrast and highlights.

What varies over a material is light, not pigment: hair lets light through, so that what is darker
in it has more of its colour; skin reflects some light at its surface, whatever its tone; cloth has
folds and prints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..core.color import lab_to_rgb, linear_to_srgb, rgb_to_lab, srgb_to_linear
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import FloatArray


@dataclass(frozen=True)
class TintMaterialSettings:
    """How colours change."""

    spread: float = 11.0  # L* units, standard deviation of what was darker: black has little
    contrast: tuple[float, float] = (0.7, 2.0)  # least and most factor for that
    hue: float = 0.5  # of the deviations in hue that stay
    other: tuple[float, float] = (22.0, 38.0)  # a*b* distance from cloth to print: some, all of it
    lighter: tuple[float, float] = (50.0, 65.0)  # L* units from cloth to a shirt below a suit
    black: tuple[float, float] = (0.25, 0.12)  # share of colourful cloth's lightness that is black
    pales: tuple[float, float] = (60.0, 75.0)  # L* of cloth whose highlights have no colour
    turn: float = 0.4  # of the chroma, by which a shade's hue may be another
    colorful: float = 20.0  # chroma of cloth from which on grey is no shade of it,
    grey: tuple[float, float] = (0.5, 0.8)  # and share of its chroma that such grey lacks
    highlight: float = 0.4  # share of the chroma that highlights lose
    hair: tuple[float, float] = (0.6, 0.38)
    """Standard deviation of the logarithm of light in hair: black, and white. Strands of light hair
    also light each other."""

    strands: tuple[float, float] = (0.34, 0.24)  # the same from strand to strand
    around: int = 32  # splats around one, whose mean is the light on all of them
    sharper: tuple[float, float] = (0.5, 2.5)  # least and most factor on the strands' differences
    lips: float = 0.6  # exponent with which lips follow the skin
    keep: tuple[float, float] = (0.25, 1.25)  # least and most factor on that of the photo's
    strong: float = 2.5  # standard deviations beyond which light is held
    absorbs: float = 0.8  # how far a channel that hair absorbs more follows the light more
    floor: float = 0.004  # of linear light
    spots: float = 0.6  # of the deviations of skin in hue that stay
    skin: tuple[float, float] = (0.55, 0.26)
    """Standard deviation of the logarithm of light on skin, from black to white: light skin
    scatters what falls on it."""

    gloss: float = 0.3  # of the skin's surface reflection that stays
    usual_gloss: float = 0.6  # quantile of it that is the skin's own tone
    most_gloss: float = 0.10  # linear


S = register_settings("wardrobe.tint_materials", TintMaterialSettings())

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def tint_hair(colors: FloatArray, target: FloatArray, points: FloatArray) -> FloatArray:
    """Return colours [N, 3] of hair with another pigment; their median is near the target's.

    Args:
        colors: [N, 3] sRGB 0..1.
        target: [3] sRGB 0..1.
        points: [N, 3] where each is, metres.
    """
    new = np.maximum(srgb_to_linear(target), S.floor)
    linear = np.clip(srgb_to_linear(colors), 0.0, 1.0)
    every = np.log(linear @ _LUMINANCE + S.floor)
    near = every[cKDTree(points).query(points, min(S.around, len(points)))[1]]
    near = near.reshape(len(points), -1)
    around = near.mean(1)
    wanted = float(np.interp(float(rgb_to_lab(target)[0]), [0.0, 100.0], S.strands))
    sharper = np.clip(wanted / np.maximum(near.std(1), 0.02), *S.sharper)
    light = _spread_light(around, target, S.hair) + sharper * (every - around)
    light = light - np.median(light)
    absorption = -np.log(np.minimum(new, 0.98))
    follows = 1.0 + S.absorbs * (absorption / absorption.mean() - 1.0)
    out = new * np.exp(light[:, None] * follows)
    # Bright strands end in white, not in a channel that is full.
    over = np.maximum(out.max(1, keepdims=True) - 0.8, 0.0)
    out = np.where(over > 0.0, out + 0.5 * over * (0.9 - out), out)
    return np.clip(linear_to_srgb(np.clip(out, 0.0, 1.0)), 0.0, 1.0)


def tint_skin(colors: FloatArray, target: FloatArray) -> FloatArray:
    """Return colours [N, 3] of skin in another tone; their median is near the target's.

    Each is light on the skin's tone, and light from its surface, which has no colour and stays.

    Args:
        colors: [N, 3] sRGB 0..1.
        target: [3] sRGB 0..1.
    """
    linear = np.clip(srgb_to_linear(colors), 0.0, 1.0)
    tone = np.maximum(np.median(linear, axis=0), S.floor)
    new = np.maximum(srgb_to_linear(target), S.floor)
    gloss = np.linalg.lstsq(np.stack([tone, np.ones(3)], 1), linear.T, rcond=None)[0][1]
    gloss = np.clip(gloss - np.quantile(gloss, S.usual_gloss), 0.0, S.most_gloss)
    diffuse = linear - gloss[:, None]
    light = np.maximum(diffuse @ tone / (tone @ tone), S.floor)
    # What is left are freckles, blood and brows: relative to the light on them.
    spots = np.clip(diffuse / np.maximum(light[:, None] * tone, S.floor) - 1.0, -0.8, 1.5)
    light = np.exp(_spread_light(np.log(light), target, S.skin))
    out = light[:, None] * new * (1.0 + S.spots * spots) + S.gloss * gloss[:, None]
    return np.clip(linear_to_srgb(np.clip(out, 0.0, 1.0)), 0.0, 1.0)


def follow_skin(colors: FloatArray, skin: FloatArray, target: FloatArray) -> FloatArray:
    """Return colours [N, 3] of lips when the skin takes another tone.

    Args:
        colors: [N, 3] sRGB 0..1.
        skin: [M, 3] colours of the skin before.
        target: [3] its new one.
    """
    tone = np.maximum(srgb_to_linear(np.median(skin, axis=0)), S.floor)
    factor = (np.maximum(srgb_to_linear(target), S.floor) / tone) ** S.lips
    return np.clip(linear_to_srgb(np.clip(srgb_to_linear(colors) * factor, 0.0, 1.0)), 0.0, 1.0)


def _spread_light(light: FloatArray, target: FloatArray, spread: tuple[float, float]) -> FloatArray:
    """[N] logarithms of light, their median 0, as far apart as the new colour has them.

    Args:
        light: [N] logarithms.
        target: [3] sRGB 0..1.
        spread: standard deviations in black and in white.
    """
    light = light - np.median(light)
    wanted = float(np.interp(float(rgb_to_lab(target)[0]), [0.0, 100.0], spread))
    now = max(1.4826 * float(np.median(np.abs(light))), 1e-3)
    light = light * np.clip(wanted / now, *S.keep)
    return np.asarray(S.strong * wanted * np.tanh(light / (S.strong * wanted)))


def tint_cloth(colors: FloatArray, target: FloatArray) -> FloatArray:
    """Return colours [N, 3] of cloth or lips; their median is the target's.

    What has another hue or none keeps its own: prints, straps and buttons.

    Args:
        colors: [N, 3] sRGB 0..1.
        target: [3] sRGB 0..1.
    """
    lab, (light, a, b) = rgb_to_lab(np.clip(colors, 0.0, 1.0)), rgb_to_lab(target)
    middle = np.median(lab, axis=0)
    lightness = lab[:, 0]
    if light < middle[0]:
        new = lightness * light / max(middle[0], 1e-3)
    else:
        keep = np.clip(S.spread / max(float(lightness.std()), 1e-3), *S.contrast)
        new = light + keep * (lightness - middle[0])
    # Dark folds and bright highlights have less colour than what lies between them.
    away = np.where(new > light, S.highlight * (new - light) / max(100.0 - light, 1e-3), 0.0)
    chroma = (1.0 - away)[:, None] * np.minimum(new / max(light, 1e-3), 1.0)[:, None]
    other, apart = _find_prints(lab, middle)
    hue = chroma * [a, b] + S.hue * apart
    dyed = np.clip(lab_to_rgb(np.column_stack([np.clip(new, 0.0, 100.0), hue])), 0.0, 1.0)
    return np.asarray(dyed + other[:, None] * (np.clip(colors, 0.0, 1.0) - dyed))


def _find_prints(lab: FloatArray, middle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find what of a garment is not of its cloth.

    Args:
        lab: [N, 3] colours in Lab.
        middle: [3] the cloth's.

    Returns:
        other: [N] 0..1 how surely each is another material.
        apart: [N, 2] a* and b* off those of the cloth in the same light.
    """
    colorful = float(np.linalg.norm(middle[1:]))
    along = middle[1:] / max(colorful, 1e-3)
    # A fold has the cloth's hue, and less of it; where light cloth shines, it pales.
    wanted = colorful * np.minimum(lab[:, 0] / max(middle[0], 1e-3), 1.0)
    pale = float(smoothstep(middle[:1], *S.pales)[0])
    shines = np.clip((lab[:, 0] - middle[0]) / max(100.0 - middle[0], 1.0), 0.0, 1.0)
    wanted = wanted * (1.0 - pale * shines)
    apart = lab[:, 1:] - wanted[:, None] * along
    chroma = lab[:, 1:] @ along
    aside = np.linalg.norm(lab[:, 1:] - chroma[:, None] * along, axis=1)
    lacks = np.maximum(wanted - chroma, 0.0)
    off = np.hypot(np.maximum(aside - S.turn * np.maximum(chroma, 0.0), 0.0), lacks)
    other = np.maximum(
        smoothstep(off, *S.other), smoothstep(np.abs(lab[:, 0] - middle[0]), *S.lighter)
    )
    if colorful > S.colorful:
        other = np.maximum(other, smoothstep(lacks / np.maximum(wanted, 1.0), *S.grey))
        other = np.maximum(other, smoothstep(lab[:, 0] / max(middle[0], 1e-3), *S.black))
    return other, apart

"""Painting skin over the texels of a body: colour, roughness and relief.

Colours are painted as logarithms of linear light, where what lies in the skin adds up: more
melanin or more blood darken each channel by its own absorption (the two pigments that
Tsumura et al. 2003, "Image-based skin color and texture analysis/synthesis", find in pictures).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..core.interpolation import smoothstep
from ..core.noise import cell_noise, fractal_noise
from ..core.types import FloatArray
from ..wardrobe.asset_files import load_picture
from .skin_beard import grow_beard, grow_roots
from .skin_canvas import Canvas, log_color
from .skin_creases import make_creases, press_creases
from .skin_mouth import paint_mouth
from .skin_texels import SkinTexels

if TYPE_CHECKING:
    from .skin_look import SkinLook

MELANIN = np.array([0.48, 0.74, 1.05], np.float32)
BLOOD = np.array([0.06, 0.70, 0.55], np.float32)
PICTURE = 1024  # pixels: of a larger picture's detail the atlas would show little


@dataclass(frozen=True)
class SkinMaps:
    """Square maps of a skin.

    Attributes:
        color: [S, S, 4] uint8 sRGB.
        roughness: [S, S] uint8 of 255ths.
        bump: [S, S] float32 height, metres.
    """

    color: NDArray[np.uint8]
    roughness: NDArray[np.uint8]
    bump: NDArray[np.float32]


def paint_skin(texels: SkinTexels, look: SkinLook, picture: Path | None) -> SkinMaps:
    """Paint the maps of one person's skin.

    Raises:
        LikenessError: ``picture`` cannot be read; the message names it.
    """
    count = len(texels.points)
    canvas = Canvas(
        texels,
        np.zeros((count, 3), np.float32),
        np.full(count, 0.5, np.float32),
        np.zeros(count, np.float32),
    )
    rng = np.random.default_rng([look.seed, 7])
    fine = fractal_noise(texels.points, look.seed + 2, 0.0024, 2)
    if picture is None:
        _own_zones(canvas, look)
    else:
        _from_picture(canvas, look, picture)
    _mottle(canvas, look, fine)
    _redden(canvas, look)
    _age(canvas, look, rng)
    _settle_tone(canvas, look)
    _spots(canvas, look, rng)
    _shine(canvas, look, fine)
    _make_up(canvas, look)
    grow_roots(canvas, look)
    grow_beard(canvas, look)
    paint_mouth(canvas, look)
    return _maps(canvas)


@lru_cache(maxsize=4)
def _spline(picture: Path) -> NDArray[np.float32]:
    """[3, H, W] cubic spline coefficients of a skin's logarithmic colours."""
    rgb = load_picture(picture, PICTURE)[..., :3] / 255.0
    return np.stack(
        [
            ndimage.spline_filter(plane, order=3).astype(np.float32)
            for plane in log_color(rgb).transpose(2, 0, 1)
        ]
    )


def _core(canvas: Canvas) -> NDArray[np.float32]:
    """[H] weights of the bare face: what its mean colour is measured on."""
    zones = canvas.texels.face_zones
    return np.asarray(zones["middle"] * (1 - zones["lips"]) * (1 - zones["scalp"]) + 1e-6)


def _from_picture(canvas: Canvas, look: SkinLook, picture: Path) -> None:
    texels = canvas.texels
    planes = _spline(picture)
    size = np.array(planes.shape[:0:-1])
    place = (texels.uv * size - 0.5).T[::-1]
    for c, plane in enumerate(planes):
        canvas.log[:, c] = ndimage.map_coordinates(
            plane, place, order=3, prefilter=False, mode="nearest"
        )
    head = texels.head
    mean = np.average(canvas.log[head], 0, weights=_core(canvas))
    canvas.log -= mean
    canvas.log *= look.detail
    zones = texels.face_zones
    # Pictures bring their own cropped hair, of one colour only.
    bald = np.maximum(zones["near_hair"], zones["socket"])
    canvas.log[head] *= (1.0 - bald)[:, None]
    dark = float(np.clip(1.0 - np.mean(look.tone) / 0.62, 0.0, 1.0))
    canvas.stain(head, BLOOD, (0.35 * (look.lips - 0.8) + 0.3 * dark) * zones["lips"])


def _own_zones(canvas: Canvas, look: SkinLook) -> None:
    """What a picture would bring: lips, palms, knuckles, nails, lids."""
    texels, zones = canvas.texels, canvas.texels.face_zones
    dark = float(np.clip(1.0 - np.mean(look.tone) / 0.62, 0.0, 1.0))
    head = texels.head
    canvas.stain(head, BLOOD, 0.72 * look.lips * (1 - 0.45 * dark) * zones["lips"])
    canvas.stain(head, MELANIN, 0.25 * zones["lips"])
    # Foreheads are yellow and lighter, cheeks red, what lies around the mouth and under the jaw
    # is sallow, the hollows around the eyes brown.
    hollow = 0.13 * zones["orbit"] + 0.10 * zones["mouth_side"] + 0.08 * zones["jowl"]
    canvas.stain(head, MELANIN, (1 + dark) * (hollow - 0.07 * zones["forehead"]))
    canvas.stain(head, BLOOD, 0.14 * zones["cheeks"] + 0.05 * zones["orbit"])
    canvas.stain(head, BLOOD, -0.10 * zones["mouth_side"] - 0.06 * zones["forehead"])
    every = slice(None)
    blotches = fractal_noise(texels.points, look.seed + 7, 0.007, 3)
    canvas.stain(every, MELANIN, look.mottling * (0.12 + 0.14 * dark) * blotches)
    canvas.stain(every, MELANIN, -(0.06 + 0.75 * dark) * texels.zones["palm"])
    canvas.stain(every, BLOOD, 0.20 * texels.zones["palm"])
    canvas.stain(every, MELANIN, (0.10 + 0.15 * dark) * texels.zones["knuckle"])
    canvas.stain(every, MELANIN, 0.12 * texels.zones["joint"])
    canvas.stain(every, MELANIN, -(0.12 + 0.5 * dark) * texels.zones["nail"])
    canvas.stain(every, BLOOD, 0.10 * texels.zones["nail"])


def _mottle(canvas: Canvas, look: SkinLook, fine: FloatArray) -> None:
    points = canvas.texels.points
    every, even = slice(None), 1.0 - 0.6 * look.foundation
    patches = fractal_noise(points, look.seed, 0.022, 3)
    broad = fractal_noise(points, look.seed + 1, 0.07, 2)
    canvas.stain(every, BLOOD, even * look.mottling * (0.18 * patches + 0.09 * fine))
    canvas.stain(every, MELANIN, even * look.mottling * (0.09 * broad + 0.05 * fine))


def _redden(canvas: Canvas, look: SkinLook) -> None:
    texels, zones = canvas.texels, canvas.texels.face_zones
    head, red = texels.head, look.redness * (1.0 - 0.5 * look.foundation)
    patchy = 1.0 + 0.5 * fractal_noise(texels.points[head], look.seed + 3, 0.006, 3)
    amount = 0.30 * zones["cheeks"] + 0.20 * zones["nose"] + 0.26 * zones["wings"]
    amount = amount + 0.34 * zones["ear"] + 0.16 * zones["chin"]
    canvas.stain(head, BLOOD, (0.25 + red) * amount * patchy)
    canvas.stain(head, BLOOD, 0.3 * zones["lid_rim"] + 0.06 * zones["shadow"])
    canvas.stain(slice(None), BLOOD, (0.1 + 0.5 * red) * 0.45 * texels.zones["knuckle"])
    canvas.stain(slice(None), BLOOD, (0.08 + 0.25 * red) * texels.zones["joint"])
    circles = look.circles * (1 - 0.7 * look.foundation) * zones["under_eyes"]
    canvas.stain(head, 0.6 * BLOOD + 0.4 * MELANIN, 0.42 * circles)


def _age(canvas: Canvas, look: SkinLook, rng: np.random.Generator) -> None:
    """Folds, and the fine net of dry skin between them."""
    texels = canvas.texels
    height = press_creases(texels, make_creases(texels, look.ageing, rng))
    points, zones = texels.points[texels.head], texels.face_zones
    net = 1.0 - np.abs(fractal_noise(points, look.seed + 4, 0.0035, 2)) * 2.5
    smooth = 1.0 - np.maximum(zones["lips"], zones["scalp"])
    height += 0.00007 * look.ageing * smooth * np.clip(-net, -1.0, 0.6)
    canvas.height[texels.head] += height
    # Light does not reach into folds.
    canvas.stain(texels.head, 0.55 * BLOOD + 0.6 * MELANIN, np.clip(-height * 800.0, -0.06, 0.35))


def _settle_tone(canvas: Canvas, look: SkinLook) -> None:
    """Shift everything so that the bare face's mean is the tone."""
    head = canvas.texels.head
    mean = np.average(np.exp(canvas.log[head]), 0, weights=_core(canvas))
    cool_to_warm = look.undertone * np.array([0.015, 0.0, -0.05], np.float32)
    canvas.log += log_color(look.tone) + cool_to_warm - np.log(mean).astype(np.float32)
    zones = canvas.texels.face_zones
    canvas.cover(
        head, np.array([0.60, 0.30, 0.27]) * (0.5 + 0.6 * np.mean(look.tone)), 0.7 * zones["socket"]
    )


def _spots(canvas: Canvas, look: SkinLook, rng: np.random.Generator) -> None:
    texels = canvas.texels
    points, zones, head = texels.points, texels.face_zones, texels.head
    veil = 1.0 - 0.6 * look.foundation
    if look.freckles > 0:
        where = np.clip(zones["cheeks"] + zones["nose"] + 0.45 * zones["forehead"] + 0.12, 0, 1)
        where = where * (1 - zones["lips"]) * (1 - zones["scalp"])
        for k, cell in enumerate((0.0032, 0.0055)):
            gap, chance = cell_noise(points[head], look.seed + 10 + k, cell)
            spot = 1.0 - smoothstep(gap, 0.12 + 0.1 * chance, 0.34 + 0.12 * chance)
            shown = smoothstep(where * look.freckles - chance, 0.0, 0.15)
            canvas.stain(head, MELANIN, veil * spot * shown * (0.15 + 0.3 * chance))
    if look.spots > 0:
        rows = np.flatnonzero(texels.zones["hand"] > 0.5)
        rows = np.union1d(head, rows)
        gap, chance = cell_noise(points[rows], look.seed + 12, 0.011)
        wavy = 0.12 * fractal_noise(points[rows], look.seed + 13, 0.003, 2)
        spot = 1.0 - smoothstep(gap + wavy, 0.10 + 0.12 * chance, 0.30 + 0.12 * chance)
        shown = spot * (chance < 0.22 * look.spots) * (1 - texels.zones["palm"][rows])
        canvas.stain(rows, MELANIN, veil * 0.28 * shown)
    # The atlas gives the face more texels than its share of the skin, and moles show there.
    for centre in points[rng.integers(0, len(points), look.moles)]:
        radius = float(rng.uniform(0.0007, 0.0019))
        strength = float(rng.uniform(0.7, 1.7))
        rows = np.flatnonzero(np.abs(points - centre).max(1) < 2 * radius)
        gap = np.linalg.norm(points[rows] - centre, axis=1)
        spot = 1.0 - smoothstep(gap, 0.55 * radius, 1.25 * radius)
        canvas.stain(rows, MELANIN, strength * spot)
        canvas.height[rows] += 0.0003 * spot


def _shine(canvas: Canvas, look: SkinLook, fine: FloatArray) -> None:
    """Roughness of bare skin, pores, the lips' own lines."""
    texels, zones = canvas.texels, canvas.texels.face_zones
    head, points = texels.head, texels.points[texels.head]
    canvas.rough += 0.05 * fine
    oily = np.clip(zones["forehead"] + zones["nose"] + 0.6 * zones["chin"] + zones["wings"], 0, 1)
    canvas.rough[head] -= (0.04 + 0.14 * look.oil * (1 - 0.6 * look.foundation)) * oily
    canvas.rough[head] -= 0.12 * zones["lips"] + 0.2 * zones["socket"] + 0.12 * zones["lid_rim"]
    canvas.rough -= 0.14 * texels.zones["nail"]
    canvas.height += (0.00002 + 0.00002 * look.pores) * fine * (1 - texels.zones["nail"])
    gap, chance = cell_noise(points, look.seed + 5, 0.0014)
    rough = np.clip(zones["cheeks"] + zones["nose"] + zones["wings"] + 0.4, 0, 1)
    rough = rough * (1 - zones["lips"]) * zones["middle"]
    pore = (1.0 - smoothstep(gap, 0.1, 0.45)) * rough * look.pores * (0.5 + chance)
    canvas.height[head] -= 0.00006 * pore
    canvas.stain(head, 0.5 * (BLOOD + MELANIN), (1.0 - 0.5 * look.foundation) * 0.16 * pore)
    micro = fractal_noise(points, look.seed + 9, 0.0012, 1)
    canvas.stain(head, 0.6 * BLOOD + 0.4 * MELANIN, 0.07 * look.pores * micro)
    lines = fractal_noise(
        points * np.array([1.0, 0.12, 0.12], np.float32), look.seed + 6, 0.0011, 2
    )
    canvas.height[head] += 0.00010 * lines * zones["lips"]
    canvas.stain(head, BLOOD, -0.12 * lines * zones["lips"])


def _make_up(canvas: Canvas, look: SkinLook) -> None:
    texels, zones = canvas.texels, canvas.texels.face_zones
    head = texels.head
    soft = 0.8 + 0.2 * fractal_noise(texels.points[head], look.seed + 8, 0.004, 2)
    canvas.stain(head, BLOOD, 0.32 * look.blush * zones["apples"])
    if look.lipstick_amount > 0:
        canvas.cover(head, np.array(look.lipstick), look.lipstick_amount * zones["lips"])
        canvas.rough[head] -= 0.2 * (look.lipstick_gloss - 0.4) * zones["lips"]
    canvas.cover(head, np.array(look.shadow), 0.8 * look.shadow_amount * zones["shadow"] * soft)
    lash = np.clip(zones["upper_lash"] + 0.35 * zones["lower_lash"], 0.0, 1.0)
    canvas.cover(head, np.array([0.06, 0.05, 0.05]), 0.9 * look.liner * lash)


def _maps(canvas: Canvas) -> SkinMaps:
    texels = canvas.texels
    linear = np.clip(np.exp(canvas.log), 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    rgba = np.full((len(srgb), 4), 255, np.uint8)
    rgba[:, :3] = np.clip(srgb * 255.0 + 0.5, 0, 255)
    rough = np.clip(canvas.rough * 255.0 + 0.5, 25, 255).astype(np.uint8)
    return SkinMaps(texels.spread(rgba), texels.spread(rough), texels.spread(canvas.height))

"""Hair that the photo does not show: locks and strands with the contrast of those that it shows.

The brightness of seen hair is split into bands by width, from strands to locks. Each band's
contrast, and how much longer than wide its structures are, is measured; behind, noise of the same
bands is laid along the fall of the hair. Straight hair measures long, curls measure round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray
from .pixel_grids import smooth_within


@dataclass(frozen=True)
class HairTextureSettings:
    """Bands of hair."""

    widths: tuple[float, ...] = (0.003, 0.006, 0.012, 0.024)  # metres
    finest: float = 0.0012  # metres that a pixel need not fall below
    resolved: float = 0.7  # pixels of a band's half width below which the photo does not show it
    finer: float = 0.8  # contrast of such a band over that of the next wider one
    usual: float = 0.10  # contrast of hair of which too little is seen, of the logarithm
    max_contrast: float = 0.25  # of one band
    max_stretch: float = 14.0  # length over width of straight hair's structures
    min_pixels: int = 60  # of hair that show its texture
    sharpest: float = 0.4  # least share of a band's contrast that splats are taken to leave
    lattice: int = 256  # cells of the noise along the fall
    wander: float = 0.5  # cells that strands wander aside
    kept: float = 0.85  # of noise's deviation that a cubic spline through it keeps


S = register_settings("lift.hair_texture", HairTextureSettings())


HAIR_FLOOR = 0.05
"""Added to the brightness of hair before its logarithm, to keep noise in black hair small."""


@dataclass(frozen=True)
class HairBand:
    """Structures of one width in hair.

    Attributes:
        width: metres.
        contrast: standard deviation of the logarithm of their brightness.
        stretch: how many times longer than wide they are.
    """

    width: float
    contrast: float
    stretch: float


def measure_hair(colors: FloatArray, hair: BoolArray, pixel: float) -> tuple[HairBand, ...]:
    """Measure the bands of a photo's hair, the finest first.

    Args:
        colors: [H, W, 3] 0..1.
        hair: [H, W] pixels of hair.
        pixel: metres that a pixel spans there.
    """
    if hair.sum() < S.min_pixels:
        return tuple(HairBand(w, S.usual, 0.5 * S.max_stretch) for w in S.widths)
    # What the bands cannot show, and what is not hair, costs time only.
    stride = max(1, int(S.finest / pixel))
    ys, xs = np.nonzero(hair)
    pad = int(2.0 * S.widths[-1] / pixel)
    box = np.s_[
        max(ys.min() - pad, 0) : ys.max() + pad + 1, max(xs.min() - pad, 0) : xs.max() + pad + 1
    ]
    hair, pixel = hair[box][::stride, ::stride], pixel * stride
    light = np.log(colors[box][::stride, ::stride].mean(-1) + HAIR_FLOOR)
    out: list[HairBand] = []
    for width in reversed(S.widths):
        sigma = 0.5 * width / pixel
        if sigma < S.resolved and out:
            coarser = out[-1]
            out.append(HairBand(width, S.finer * coarser.contrast, coarser.stretch))
            continue
        sigma = max(sigma, S.resolved)
        fine = smooth_within(light[..., None], hair, 0.6 * sigma)[..., 0]
        band = np.where(hair, fine - smooth_within(light[..., None], hair, 1.6 * sigma)[..., 0], 0)
        contrast = float(np.clip(band[hair], *np.percentile(band[hair], [2, 98])).std())
        out.append(HairBand(width, min(contrast, S.max_contrast), _stretch(band, hair, sigma)))
    return tuple(reversed(out))


def _stretch(band: FloatArray, hair: BoolArray, sigma: float) -> float:
    """Length over width of structures, from the coherence of their gradients."""
    gy, gx = np.gradient(band)
    inside = ndimage.binary_erosion(hair)
    gy, gx = gy * inside, gx * inside
    xx, yy, xy = (ndimage.gaussian_filter(a, 2.0 * sigma) for a in (gx * gx, gy * gy, gx * gy))
    energy = xx + yy
    coherence = np.hypot(xx - yy, 2.0 * xy)[hair].sum() / max(float(energy[hair].sum()), 1e-12)
    # For an elliptic blob of noise the ratio of gradient energies is that of its axes, squared.
    ratio = (1.0 + coherence) / max(1.0 - coherence, 1e-3)
    return float(np.clip(ratio, 1.0, S.max_stretch))


def draw_strands(
    around: FloatArray,
    fall: FloatArray,
    girth: float,
    bands: tuple[HairBand, ...],
    blur: float = 0.0,
    seed: int = 0,
) -> FloatArray:
    """Draw hair.

    Args:
        around: [N] metres across the fall of the hair.
        fall: [N] metres along it.
        girth: metres after which ``around`` is back at its beginning.
        bands: of :func:`measure_hair`.
        blur: metres, standard deviation of the splats; contrast is raised against their blur.
        seed: of the noise.

    Returns:
        [N] logarithm of the brightness, about zero.
    """
    rng = np.random.default_rng(seed)
    out = np.zeros(len(around))
    for band in bands:
        columns = max(3, round(girth / (2.0 * band.width)))
        grid = rng.standard_normal((S.lattice, columns))
        down = fall / (2.0 * band.width * band.stretch)
        across = around / girth * columns + S.wander * np.sin(1.7 * down + 9.0 * rng.random())
        noise = ndimage.map_coordinates(grid, [down, across], order=3, mode="grid-wrap")
        # Splats blur what is hardly wider than they are.
        sharp = np.exp(-0.5 * (np.pi * blur / (2.0 * band.width)) ** 2)
        out += band.contrast / S.kept / max(sharp, S.sharpest) * noise
    return out

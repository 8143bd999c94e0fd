"""Texture for what the photo does not show, from what it shows.

Cloth: mirrored at the seam. A point at arc length s beyond the place where the surface turns
away takes what the photo shows at s before that place, on the same row around the limb, so that
folds and patterns go on around the side. Where that leads to something that does not go round
(a badge, the shirt under an open jacket), it turns back before it, and so on to and fro.

Hair: a patch of the photo's hair, its strands turned to where they fall from the crown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.settings import register_settings
from ...core.types import BoolArray, FloatArray
from .pixel_grids import distance_inside, smooth_within


@dataclass(frozen=True)
class TextureSettings:
    """Texture repeated where the photo shows none."""

    min_run: float = 0.035  # metres of texture that are worth repeating
    strands: float = 1.5  # locks: length of synthetic strands
    comb: int = 72  # pixels of a patch of them
    calmer: float = 0.7  # their contrast, of the photo's
    smallest: float = 9.0  # pixels: radius of the photo's hair below which it is synthetic
    resolved: float = 5.0  # pixels of a lock from which on its strands are seen
    max_contrast: float = 2.2  # most gain of a patch to the contrast of all hair
    blend: float = 0.03  # metres over which the textures from both sides mix behind


S = register_settings("lift.colors_texture", TextureSettings())


def triangle_wave(distance: FloatArray, length: FloatArray) -> FloatArray:
    """Fold distances into 0..length, to and fro: a triangle wave.

    Args:
        distance: [N] in any unit.
        length: [N] in the same unit, positive.

    Returns:
        [N] in the same unit.

    >>> triangle_wave(np.array([0.5, 1.5, 2.5]), np.array([1.0, 1.0, 1.0]))
    array([0.5, 0.5, 0.5])
    """
    phase = np.mod(distance, 2.0 * length)
    return np.asarray(np.minimum(phase, 2.0 * length - phase))


def mirror_columns(
    known: BoolArray, step: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Find where every cell of a grid of periodic rows takes its texture from.

    Args:
        known: [R, C] cells that have texture.
        step: [R] metres between columns.

    Returns:
        left: [R, C] source column (fractional), -1 where the row has nothing usable on that side.
        right: [R, C] the same on the other side.
        left_distance: [R, C] metres from the seam on the left.
        right_distance: [R, C] metres from the seam on the right.
    """
    n = known.shape[1]
    three = np.tile(known, (1, 3))
    out = []
    for flip in (False, True):
        k = three[:, ::-1] if flip else three
        column = np.broadcast_to(np.arange(3 * n), k.shape)
        last = np.maximum.accumulate(np.where(k, column, -1), axis=1)
        # How far the run that ends at each known cell reaches back.
        start = np.maximum.accumulate(np.where(k, -1, column), axis=1)
        length = np.take_along_axis(column - start, np.maximum(last, 0), 1)
        length = np.minimum(length, n)
        distance = column - last
        usable = (last >= 0) & (length * step[:, None] >= S.min_run)
        inside = triangle_wave(np.maximum(distance - 0.5, 0.0), np.maximum(length, 1).astype(float))
        source = np.maximum(last + 0.5 - inside, last - length + 1.0)
        source = np.where(usable, source, -1.0)
        metres = distance * step[:, None]
        if flip:
            source, metres = source[:, ::-1], metres[:, ::-1]
            source = np.where(source >= 0, 3 * n - 1 - source, -1.0)
        middle = slice(n, 2 * n)
        source = source[:, middle]
        out.append((np.where(source >= 0, np.mod(source, n), -1.0), metres[:, middle]))
    (left, left_d), (right, right_d) = out
    return left, right, left_d, right_d


def hair_patch(
    colors: FloatArray, hair: BoolArray, least: float, coarsest: float
) -> tuple[FloatArray, FloatArray] | None:
    """Cut a square of texture from the photo's hair.

    Args:
        colors: [H, W, 3] 0..1.
        hair: [H, W] pixels of hair.
        least: pixels that half its side must have.
        coarsest: standard deviation in pixels of the blur that removes locks and shading.

    Returns:
        Fine texture [S, S, 3] at the photo's pixel size with strands along axis 0 and zero mean,
        and the mean colour [3]; None where there is too little hair.
    """
    room = distance_inside(hair) * hair
    radius = float(room.max())
    if radius < max(least, 3.0):
        return None
    if coarsest < S.resolved or radius < S.smallest:
        return _combed(colors, hair, coarsest)
    # The largest patch shows strands best; of equal ones take the more central.
    y, x = np.unravel_index(int(room.argmax()), room.shape)
    grey = colors.mean(-1)
    smooth = ndimage.gaussian_filter(grey, 1.0)
    gy, gx = np.gradient(smooth)
    window = np.hypot(*np.mgrid[-y : hair.shape[0] - y, -x : hair.shape[1] - x]) < radius
    jxx, jyy, jxy = ((gx * gx)[window].sum(), (gy * gy)[window].sum(), (gx * gy)[window].sum())
    across = 0.5 * np.arctan2(2 * jxy, jxx - jyy)  # of the strongest change
    along = np.array([np.cos(across), -np.sin(across)])  # rows, columns: a quarter turn further
    along = along if along[0] >= 0 else -along
    side = np.array([-along[1], along[0]])
    half = int(radius / np.sqrt(2.0))
    steps = np.arange(-half, half + 1)
    r = y + steps[:, None] * along[0] + steps[None, :] * side[0]
    c = x + steps[:, None] * along[1] + steps[None, :] * side[1]
    low = smooth_within(colors, hair, float(np.clip(0.45 * half, 1.5, coarsest)))
    patch = np.stack(
        [
            ndimage.map_coordinates(colors[..., k] - low[..., k], [r, c], order=1, mode="nearest")
            for k in range(3)
        ],
        -1,
    )
    patch = ndimage.gaussian_filter1d(patch, 0.25 * min(coarsest, half), axis=0, mode="reflect")
    # Give it the contrast of all hair: its largest patch may lie in the shade.
    contrast = float((colors - low)[hair].std()) / max(float(patch.std()), 1e-6)
    patch = patch * min(contrast, S.max_contrast)
    return patch - patch.mean((0, 1)), low[y, x]


def _combed(colors: FloatArray, hair: BoolArray, coarsest: float) -> tuple[FloatArray, FloatArray]:
    """Synthesise strands with the contrast of the photo's hair, which is too coarse to show any.

    Returns:
        As :func:`hair_patch`.
    """
    mean = np.median(colors[hair], axis=0)
    low = smooth_within(colors, hair, max(1.5, coarsest))
    contrast = S.calmer * float((colors - low)[hair].mean(-1).std())
    noise = np.random.default_rng(0).standard_normal((S.comb, S.comb))
    noise = ndimage.gaussian_filter(noise, (S.strands * coarsest, 0.7), mode="reflect")
    tint = mean / max(float(mean.mean()), 0.02)
    return noise[..., None] / noise.std() * contrast * np.clip(tint, 0.3, 2.0), mean


def sample_mirrored(patch: FloatArray, row: FloatArray, column: FloatArray) -> FloatArray:
    """Read a patch that is mirrored beyond its edges.

    Args:
        patch: [S, S, 3] as of :func:`hair_patch`.
        row: [N] in pixels of the patch.
        column: [N] in pixels of the patch.

    Returns:
        [N, 3].
    """
    side = float(patch.shape[0] - 1)
    full = np.full(len(row), max(side, 1e-6))
    at = [triangle_wave(row, full), triangle_wave(column, full)]
    return np.stack(
        [ndimage.map_coordinates(patch[..., k], at, order=1, mode="nearest") for k in range(3)], -1
    )


def tile_texture(patch: FloatArray, row: FloatArray, column: FloatArray) -> FloatArray:
    """Read endless texture from a zero-mean patch.

    Three readings at different places alternate in patches, so that no mirror line shows; contrast
    is preserved.

    Args:
        patch: [S, S, 3] as of :func:`hair_patch`.
        row: [N] in pixels of the patch.
        column: [N] in pixels of the patch.

    Returns:
        [N, 3].
    """
    side = float(patch.shape[0])
    u, v = row / side, column / side
    total = np.zeros((len(row), 3))
    energy = np.full(len(row), 1e-9)
    for k in range(3):
        turn = 2.1 * k
        blot = np.sin(2.3 * u + 1.1 * v + turn) + np.sin(1.7 * v - 1.3 * u + 2.0 * turn)
        weight = np.exp(2.5 * blot)
        flip = 1.0 if k != 1 else -1.0
        total += weight[:, None] * sample_mirrored(
            patch, row + 0.37 * side * k, flip * column + (0.29 + 0.41 * k) * side
        )
        energy += weight**2
    return np.asarray(total / np.sqrt(energy)[:, None])

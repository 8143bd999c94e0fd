"""Corrections that make Blender draw splats in the photo's camera as the engine does.

Blender differs from the engine, and from every splat renderer, in two ways. It does not widen
splats by a part of a pixel, and it mixes linear light where splat renderers mix the sRGB numbers
stored in photographs, which makes fine dark lines too bright (30 dB on a striped shirt). Both are
compensated once, on import, in the splats themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.color import srgb_to_linear
from ..core.kernels import kernel
from ..core.types import Camera, FloatArray, IntArray
from ..render.raster_types import ALPHA_MAX

MIN_PIXELS = 0.5
"""A splat seen edge-on in the photo is widened as if it were at least this thick, at most 1.5
times, or it would be too wide when it turns (48 dB against the engine's picture of a 258,000-splat
avatar; 55 dB at 0.05)."""

MAX_COLOR_CHANGE = 0.12
"""Most that a colour may move, in sRGB numbers, to compensate for linear mixing."""

ROUNDS = 3
"""Rounds of that: 29, 32, 34, 35 dB on a striped shirt, as much from 35 degrees aside."""

_MAX_PAIRS = 12_000_000
"""Splats times the pixels they touch; larger photos are scaled down (about two seconds)."""

_MIN_WEIGHT = 2e-3  # smaller contributions cannot be seen
_NEAR = 0.01  # metres
_DAMPING = 0.3  # pixels: splats that are hardly seen keep their colour


class PhotoSplats(NamedTuple):
    """N splats in a camera.

    Attributes:
        centre: [N, 2] pixels.
        axes: [N, 2, 2] pixels per standard deviation, the two axes as columns.
        depth: [N] metres.
    """

    centre: FloatArray
    axes: FloatArray
    depth: FloatArray


class SplatCoverage(NamedTuple):
    """Which splats are seen in which pixels, as P pairs.

    Attributes:
        pixel: [P] number of the pixel, row by row.
        splat: [P] number of the splat.
        weight: [P] 0..1, the splat's part of the pixel's colour.
        pixels: of the picture, in all.
    """

    pixel: IntArray
    splat: IntArray
    weight: FloatArray
    pixels: int


def project_splats(means: FloatArray, axes: FloatArray, camera: Camera) -> PhotoSplats:
    """Project splats by the affine approximation around their means.

    Args:
        means: [N, 3] metres, world space, engine axes.
        axes: [N, 3, 2] metres, scaled by standard deviations.
        camera: the camera.
    """
    view = np.asarray(camera.viewmat, np.float64)
    at = means @ view[:3, :3].T + view[:3, 3]
    along = np.einsum("ab,nbk->nak", view[:3, :3], axes)
    z = np.maximum(at[:, 2], _NEAR)
    focal = np.array([camera.K[0, 0], camera.K[1, 1]])
    slope = at[:, :2] / z[:, None]
    return PhotoSplats(
        slope * focal + np.array([camera.K[0, 2], camera.K[1, 2]]),
        (focal[:, None] / z[:, None, None]) * (along[:, :2] - slope[:, :, None] * along[:, 2:]),
        at[:, 2],
    )


def softening(axes: FloatArray, blur: float) -> FloatArray:
    """Compute the symmetric M by which splats grow to be drawn as the engine draws them.

    With A [2, 2] the splat's axes on the photo, the engine draws the covariance A A^T + blur I.
    A M M A^T equals it for M = sqrt(I + blur (A^T A)^-1). The splat keeps M in any other view, as
    if the photo had been taken of a slightly softer person (so do Mip-Splatting's 3D filters, Yu
    et al. 2024, section 5.1).

    Args:
        axes: [N, 2, 2] pixels, the axes as columns.
        blur: square pixels.

    Returns:
        [N, 2, 2].
    """
    # A^T A = mean I + [[apart, along], [along, -apart]], whose eigenvalues are mean +- reach, and M
    # has the same eigenvectors: a tenth of the time that a decomposition takes.
    (a, b), (c, d) = axes.transpose(1, 2, 0).astype(np.float64)
    first, second, along = a * a + c * c, b * b + d * d, a * b + c * d
    mean, apart = 0.5 * (first + second), 0.5 * (first - second)
    reach = np.hypot(apart, along)
    longest = mean + reach
    # Not mean - reach, which loses the digits of needles.
    shortest = (a * d - b * c) ** 2 / np.maximum(longest, np.finfo(np.float64).tiny)
    grow_long, grow_short = (
        np.sqrt(1.0 + blur / np.maximum(square, MIN_PIXELS**2)) for square in (longest, shortest)
    )
    even = 0.5 * (grow_long + grow_short)
    turn = 0.5 * (grow_long - grow_short) / np.maximum(reach, np.finfo(np.float64).tiny)
    out = np.empty((len(axes), 2, 2))
    out[:, 0, 0], out[:, 1, 1] = even + turn * apart, even - turn * apart
    out[:, 0, 1] = out[:, 1, 0] = turn * along
    return out


def solve_linear_colors(colors: FloatArray, coverage: SplatCoverage) -> FloatArray:
    """Find linear colours whose linear mix gives the photo's view as sRGB mixing does.

    A few rounds of Richardson's iteration: the error of each pixel goes to the splats seen in it,
    by their weights.

    Args:
        colors: [N, 3] sRGB 0..1.
        coverage: which splats are seen in which pixels.

    Returns:
        [N, 3] linear 0..1.
    """
    pixel, splat, weight = coverage.pixel, coverage.splat.astype(np.int32), coverage.weight

    def to_pixels(values: FloatArray) -> FloatArray:
        seen = np.zeros((coverage.pixels, 3))
        _add_weighted(pixel, splat, weight, values, seen)
        return seen

    def to_splats(values: FloatArray) -> FloatArray:
        given = np.zeros(colors.shape)
        _add_weighted(splat, pixel, weight, values, given)
        return given

    colors = np.clip(np.asarray(colors, np.float64), 0.0, 1.0)
    alpha = np.bincount(pixel, weight, coverage.pixels)[:, None]
    stored = np.clip(to_pixels(colors) / np.maximum(alpha, 1e-6), 0.0, 1.0)
    wanted = alpha * srgb_to_linear(stored)
    seen = np.bincount(splat, weight, len(colors))[:, None]
    lowest = srgb_to_linear(np.clip(colors - MAX_COLOR_CHANGE, 0.0, 1.0))
    highest = srgb_to_linear(np.clip(colors + MAX_COLOR_CHANGE, 0.0, 1.0))
    linear = srgb_to_linear(colors)
    for _ in range(ROUNDS):
        error = wanted - to_pixels(linear)
        linear = np.clip(linear + to_splats(error) / (seen + _DAMPING), lowest, highest)
    return linear


def compute_coverage(
    splats: PhotoSplats, opacities: FloatArray, width: int, height: int, cut: float
) -> SplatCoverage:
    """Find which splats are seen in which pixels, front to back.

    Args:
        splats: N splats in the camera.
        opacities: [N] 0..1.
        width: pixels of the picture.
        height: pixels of the picture.
        cut: standard deviations at which splats end.
    """
    pairs = np.prod(2 * cut * _spread(splats.axes), axis=1).sum()
    scale = min(1.0, float(np.sqrt(_MAX_PAIRS / max(pairs, 1.0))))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    order = np.argsort(splats.depth)
    order = order[splats.depth[order] > _NEAR]
    centre, axes = scale * splats.centre[order], scale * splats.axes[order]
    reach = cut * _spread(axes)
    # Pixel i has its middle at i + 0.5.
    size = np.array([width, height])
    first = np.clip(np.ceil(centre - reach - 0.5), 0, size).astype(np.int32)
    last = np.clip(np.floor(centre + reach - 0.5), -1, size - 1).astype(np.int32)
    most = int(np.prod(np.maximum(last - first + 1, 0), axis=1, dtype=np.int64).sum())
    pixel, splat = (np.empty(most, np.int32) for _ in range(2))
    weight = np.empty(most, np.float32)
    light = np.ones((height, width))
    inverse = np.linalg.inv(axes + 1e-9 * np.eye(2))
    drawn = opacities[order].astype(np.float64), first, last, float(cut), _MIN_WEIGHT
    seen = slice(_blend(centre, inverse, *drawn, light, pixel, splat, weight))
    return SplatCoverage(
        pixel[seen].copy(), order[splat[seen]], weight[seen].copy(), width * height
    )


@kernel()
def _add_weighted(to, source, weight, values, out):  # type: ignore[no-untyped-def]
    """Add the rows ``source`` [P] of values [M, 3], times a weight each, to the rows ``to``."""
    for k in range(weight.shape[0]):
        for c in range(3):
            out[to[k], c] += weight[k] * values[source[k], c]


def _spread(axes: FloatArray) -> FloatArray:
    """[N, 2] standard deviations along the picture's x and y."""
    return np.asarray(np.linalg.norm(axes, axis=2))


@kernel()
def _blend(  # type: ignore[no-untyped-def]
    centre, inverse, opacities, first, last, cut, least, light, pixel, splat, weight
):
    """Write the pixels, splats and weights of all pairs that can be seen; return their number.

    Splats come nearest first; ``light`` [H, W] is what those before let through.
    """
    count = 0
    for i in range(centre.shape[0]):
        for y in range(first[i, 1], last[i, 1] + 1):
            dy = y + 0.5 - centre[i, 1]
            for x in range(first[i, 0], last[i, 0] + 1):
                dx = x + 0.5 - centre[i, 0]
                u = inverse[i, 0, 0] * dx + inverse[i, 0, 1] * dy
                v = inverse[i, 1, 0] * dx + inverse[i, 1, 1] * dy
                radius2 = u * u + v * v
                if radius2 >= cut * cut:
                    continue
                alpha = min(opacities[i] * np.exp(-0.5 * radius2), ALPHA_MAX)
                own = alpha * light[y, x]
                light[y, x] -= own
                if own > least:
                    pixel[count] = y * light.shape[1] + x
                    splat[count] = i
                    weight[count] = own
                    count += 1
    return count

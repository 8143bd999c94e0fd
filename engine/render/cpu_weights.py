"""The weight of each Gaussian in a picture, or in each of its pixels: drawing without colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.kernels import kernel
from ..core.threads import run_parts
from ..core.types import Camera, FloatArray, Gaussians, IntArray
from .cpu_splats import (
    BLOCK,
    TILE,
    ProjectedSplats,
    TileLists,
    exp_of_negative,
    list_tiles,
    pad_columns,
    project_gaussians,
)
from .raster_types import ALPHA_MAX, TRANSMITTANCE_MIN

_OPAQUE = np.float32(TRANSMITTANCE_MIN)
_MAX_ALPHA = np.float32(ALPHA_MAX)


def blending_weights(gaussians: Gaussians, camera: Camera) -> FloatArray:
    """Return each Gaussian's weight in the picture's colours, summed over the pixels.

    It is the derivative of the picture's sum with respect to the Gaussian's colour.

    Args:
        gaussians: In world space.
        camera: The camera.

    Returns:
        [N].
    """
    return _weights(gaussians, camera)[0]


def painted_parts(gaussians: Gaussians, camera: Camera) -> FloatArray:
    """Return the visible part of each Gaussian's footprint; 0 outside the picture.

    The footprint is its opacity over its ellipse, with nothing in front of it.

    Args:
        gaussians: In world space.
        camera: The camera.

    Returns:
        [N] in 0..1.
    """
    return weigh_gaussians(gaussians, camera).parts


class Weighed(NamedTuple):
    """What N Gaussians are to a picture.

    Attributes:
        weights: [N] as :func:`blending_weights` returns them.
        parts: [N] as :func:`painted_parts` returns them.
        shown: rows of those with a weight, nearest first.
    """

    weights: FloatArray
    parts: FloatArray
    shown: IntArray


def weigh_gaussians(gaussians: Gaussians, camera: Camera) -> Weighed:
    """Return weights, painted parts and order of the Gaussians in a picture.

    Args:
        gaussians: In world space.
        camera: The camera.
    """
    weights, splats = _weights(gaussians, camera)
    a, b, c = np.asarray(splats.conic, np.float64).T
    area = 2.0 * np.pi / np.sqrt(np.maximum(a * c - b * b, 1e-12))
    own = weights[splats.source]
    parts = np.zeros(len(gaussians))
    parts[splats.source] = own / (splats.opacity * area)
    return Weighed(weights, parts, splats.source[own > 0.0])


def _weights(gaussians: Gaussians, camera: Camera) -> tuple[FloatArray, ProjectedSplats]:
    width, height = camera.width, camera.height
    splats = project_gaussians(gaussians, camera.viewmat, camera.K, width, height)
    lists = list_tiles(splats, width, height)
    pairs = np.zeros(len(lists.members), np.float32)
    tiles = len(lists.start) - 1
    run_parts(_weigh, tiles, tuple(splats), lists.start, lists.members, width, height, pairs)
    out = np.zeros(len(gaussians))
    out[splats.source] = np.bincount(lists.members, pairs, len(splats.source))
    return out, splats


@kernel()
def _weigh(begin, beyond, splats, start, members, width, height, pairs):  # type: ignore[no-untyped-def]
    """Sum the weight of every splat in the lists of a range of tiles: drawing without colours."""
    box = splats[6]
    columns = (width + TILE - 1) // TILE
    light, sums = np.empty((TILE, TILE), np.float32), np.empty(TILE, np.float32)
    for tile in range(begin, beyond):
        left, top = tile % columns * TILE, tile // columns * TILE
        _set_light(light, width - left, height - top)
        for position in range(start[tile], start[tile + 1]):
            if (position - start[tile]) % 32 == 31 and not _any_light(light):
                break
            i = members[position]
            for x in range(TILE):
                sums[x] = np.float32(0.0)
            for y in range(max(box[i, 2] - top, 0), min(box[i, 3] - top, TILE - 1) + 1):
                _weigh_row(splats, i, light[y], left, top + y, sums)
            total = np.float32(0.0)
            for x in range(TILE):
                total += sums[x]
            pairs[position] = total


@kernel()
def _set_light(light, wide, high):  # type: ignore[no-untyped-def]
    """1 in the tile's pixels that the picture has, 0 beyond its edge."""
    for y in range(TILE):
        for x in range(TILE):
            light[y, x] = np.float32(y < high and x < wide)


@kernel()
def _any_light(light):  # type: ignore[no-untyped-def]
    for y in range(TILE):
        for x in range(TILE):
            if light[y, x] > np.float32(0.0):
                return True
    return False


@kernel()
def _weigh_row(splats, i, light, left, y, sums):  # type: ignore[no-untyped-def]
    """Add a splat's weights in a tile's row to ``sums`` [TILE], and dim the row's ``light``.

    The loop takes the whole row, whose fixed length lets the compiler vectorise it.
    """
    _, centre, conic, _, opacity, reach, _ = splats
    half = np.float32(0.5)
    zero, one = np.float32(0.0), np.float32(1.0)
    a, b, c = half * conic[i, 0], conic[i, 1], half * conic[i, 2]
    limit, strength = half * reach[i], opacity[i]
    to_first = np.float32(left + 0.5 - centre[i, 0])
    dy = np.float32(y + 0.5 - centre[i, 1])
    across, down = b * dy, c * dy * dy
    for x in range(TILE):
        dx = np.float32(x) + to_first
        power = dx * (a * dx + across) + down
        alpha = min(_MAX_ALPHA, strength * exp_of_negative(min(power, limit)))
        alpha = alpha if power <= limit else zero
        after = light[x] * (one - alpha)
        ends = after <= _OPAQUE
        sums[x] += zero if ends else alpha * light[x]
        light[x] = zero if ends else after  # a finished pixel is opaque


class PixelWeights(NamedTuple):
    """The weight of each splat in each pixel, one tile after another.

    Attributes:
        first: [T + 1] a tile's first entry.
        used: [T] its entries; what follows them up to the next tile's is unused.
        splat: [E] int32 rows of the splats.
        pixel: [E] uint8 row-major pixel of the tile.
        weight: [E] float32 mean over the pixel's samples.
    """

    first: IntArray
    used: IntArray
    splat: IntArray
    pixel: IntArray
    weight: FloatArray


def list_pixel_weights(
    splats: ProjectedSplats, lists: TileLists, width: int, height: int, samples: int
) -> PixelWeights:
    """Find every splat's weight in every pixel.

    Args:
        splats: Projected to the samples.
        lists: Of the samples' tiles.
        width: Samples in a row.
        height: Samples in a column.
        samples: Per pixel, along each side; a divisor of ``TILE``.
    """
    most = np.empty(len(lists.members), np.int64)
    _count_pixels(splats.box, lists.start, lists.members, width, samples, most)
    first = np.concatenate([[0], np.cumsum(most)])[lists.start]
    out = PixelWeights(
        first,
        np.empty(len(first) - 1, np.int64),
        np.empty(first[-1], np.int32),
        np.empty(first[-1], np.uint8),
        np.empty(first[-1], np.float32),
    )
    drawn = (tuple(splats), lists.start, lists.members, width, height, samples)
    run_parts(_weigh_pixels, len(out.used), *drawn, *out)
    return out


def paint_pixels(
    weights: PixelWeights, colors: FloatArray, width: int, height: int, samples: int
) -> FloatArray:
    """Draw a picture [H, W, channels] on black.

    Args:
        weights: Of the splats.
        colors: [M, channels] of the splats.
        width: W pixels.
        height: H pixels.
        samples: Per pixel, along each side.
    """
    out = np.empty((height, width, colors.shape[1]), np.float32)
    painted = pad_columns(colors)
    run_parts(_paint_pixels, len(weights.used), *weights, painted, TILE // samples, out)
    return out


@kernel()
def _count_pixels(box, start, members, width, samples, most):  # type: ignore[no-untyped-def]
    """The pixels that each splat's box has in each tile."""
    columns = (width + TILE - 1) // TILE
    for tile in range(start.shape[0] - 1):
        left, top = tile % columns * TILE, tile // columns * TILE
        for position in range(start[tile], start[tile + 1]):
            i = members[position]
            wide = min(box[i, 1] - left, TILE - 1) // samples - max(box[i, 0] - left, 0) // samples
            high = min(box[i, 3] - top, TILE - 1) // samples - max(box[i, 2] - top, 0) // samples
            most[position] = (wide + 1) * (high + 1)


@kernel()
def _weigh_pixels(  # type: ignore[no-untyped-def]
    begin, beyond, splats, start, members, width, height, samples, first, used, splat, pixel, weight
):
    """Write the entries of a range of tiles, and how many."""
    columns = (width + TILE - 1) // TILE
    light = np.empty((TILE, TILE), np.float32)
    sums = np.zeros((TILE // samples, TILE), np.float32)
    for tile in range(begin, beyond):
        left, top = tile % columns * TILE, tile // columns * TILE
        _set_light(light, width - left, height - top)
        listed = members[start[tile] : start[tile + 1]]
        own = slice(first[tile], first[tile + 1])
        used[tile] = _weigh_tile(
            splats, listed, light, sums, left, top, samples, splat[own], pixel[own], weight[own]
        )


@kernel()
def _weigh_tile(  # type: ignore[no-untyped-def]
    splats, listed, light, sums, left, top, samples, splat, pixel, weight
):
    """Write a tile's entries; return how many. ``sums`` are zero before and after."""
    box = splats[6]
    side, share = TILE // samples, np.float32(1.0 / samples**2)
    entry = 0
    for position in range(listed.shape[0]):
        if position % 32 == 31 and not _any_light(light):
            break
        i = listed[position]
        upper, lower = max(box[i, 2] - top, 0), min(box[i, 3] - top, TILE - 1)
        before = max(box[i, 0] - left, 0) // samples
        last = min(box[i, 1] - left, TILE - 1) // samples
        for y in range(upper, lower + 1):
            _weigh_row(splats, i, light[y], left, top + y, sums[y // samples])
        for y in range(upper // samples, lower // samples + 1):
            for x in range(before, last + 1):
                total = np.float32(0.0)
                for n in range(x * samples, (x + 1) * samples):
                    total += sums[y, n]
                if total > np.float32(0.0):
                    splat[entry] = i
                    pixel[entry] = y * side + x
                    weight[entry] = total * share
                    entry += 1
            for x in range(TILE):
                sums[y, x] = np.float32(0.0)
    return entry


@kernel()
def _paint_pixels(  # type: ignore[no-untyped-def]
    begin, beyond, first, used, splat, pixel, weight, colors, side, out
):
    """Draw a range of tiles."""
    height, width, channels = out.shape
    columns = (width + side - 1) // side
    # Whole blocks of colours, whose fixed length lets the compiler make vectors of them.
    drawn = np.empty((side * side, colors.shape[1]), np.float32)
    for tile in range(begin, beyond):
        left, top = tile % columns * side, tile // columns * side
        drawn[:] = np.float32(0.0)
        for entry in range(first[tile], first[tile] + used[tile]):
            share, at, i = weight[entry], pixel[entry], splat[entry]
            for block in range(0, colors.shape[1], BLOCK):
                for c in range(BLOCK):
                    drawn[at, block + c] += share * colors[i, block + c]
        for y in range(min(side, height - top)):
            for x in range(min(side, width - left)):
                for c in range(channels):
                    out[top + y, left + x, c] = drawn[y * side + x, c]

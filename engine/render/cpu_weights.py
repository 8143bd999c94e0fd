"""The weight of each Gaussian in a picture: drawing without colours, on the cpu."""

from __future__ import annotations

import numba
import numpy as np

from ..core.types import Camera, FloatArray, Gaussians
from .cpu_splats import TILE, ProjectedSplats, exp_of_negative, list_tiles, project_gaussians
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
    weights, splats = _weights(gaussians, camera)
    a, b, c = np.asarray(splats.conic, np.float64).T
    area = 2.0 * np.pi / np.sqrt(np.maximum(a * c - b * b, 1e-12))
    out = np.zeros(len(gaussians))
    out[splats.source] = weights[splats.source] / (splats.opacity * area)
    return out


def _weights(gaussians: Gaussians, camera: Camera) -> tuple[FloatArray, ProjectedSplats]:
    width, height = camera.width, camera.height
    splats = project_gaussians(gaussians, camera.viewmat, camera.K, width, height)
    lists = list_tiles(splats, width, height)
    pairs = np.zeros(len(lists.members), np.float32)
    _weigh(splats, lists.start, lists.members, width, height, pairs)
    out = np.zeros(len(gaussians))
    out[splats.source] = np.bincount(lists.members, pairs, len(splats.source))
    return out, splats


@numba.njit(cache=True, parallel=True)
def _weigh(splats, start, members, width, height, pairs):  # type: ignore[no-untyped-def]
    """Sum the weight of every splat in every tile's list: drawing without colours."""
    columns = (width + TILE - 1) // TILE
    for tile in numba.prange(start.shape[0] - 1):
        left, top = tile % columns * TILE, tile // columns * TILE
        wide, high = min(TILE, width - left), min(TILE, height - top)
        light = np.zeros((TILE, TILE), np.float32)
        light[:high, :wide] = np.float32(1.0)
        sums = np.empty(TILE, np.float32)
        for position in range(start[tile], start[tile + 1]):
            if (position - start[tile]) % 32 == 31 and not light.any():
                break
            pairs[position] = _weigh_one(splats, members[position], light, left, top, high, sums)


@numba.njit(cache=True)
def _weigh_one(splats, i, light, left, top, high, sums):  # type: ignore[no-untyped-def]
    """Loops over x take whole rows, whose fixed length lets the compiler vectorise them."""
    _, centre, conic, _, opacity, reach, box = splats
    half = np.float32(0.5)
    zero, one = np.float32(0.0), np.float32(1.0)
    a, b, c = half * conic[i, 0], conic[i, 1], half * conic[i, 2]
    limit, strength = half * reach[i], opacity[i]
    to_first = np.float32(left + 0.5 - centre[i, 0])
    sums[:] = zero
    for y in range(max(box[i, 2] - top, 0), min(box[i, 3] - top, high - 1) + 1):
        dy = np.float32(y + (top + 0.5 - centre[i, 1]))
        across, down = b * dy, c * dy * dy
        row = light[y]
        for x in range(TILE):
            dx = np.float32(x) + to_first
            power = dx * (a * dx + across) + down
            alpha = min(_MAX_ALPHA, strength * exp_of_negative(min(power, limit)))
            alpha = alpha if power <= limit else zero
            after = row[x] * (one - alpha)
            ends = after <= _OPAQUE
            sums[x] += zero if ends else alpha * row[x]
            row[x] = zero if ends else after  # a finished pixel is opaque
    total = zero
    for x in range(TILE):
        total += sums[x]
    return total

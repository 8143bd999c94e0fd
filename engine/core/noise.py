"""Seeded gradient noise in space, for whatever is painted on people: skin, cloth, hair."""

from __future__ import annotations

import numpy as np

from .kernels import kernel
from .types import FloatArray

LACUNARITY, GAIN = 2.03, 0.5  # not 2: lattices of the octaves must not lie on each other
LARGEST = 0.75  # what the sum of octaves hardly ever exceeds, in units of the octaves' weights


@kernel()
def _hash(x, y, z, seed):  # type: ignore[no-untyped-def]
    """A well-mixed 64-bit number of a lattice point (mixed as SplitMix64's output)."""
    h = np.uint64(x) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(y) * np.uint64(0xC2B2AE3D27D4EB4F)
    h ^= np.uint64(z) * np.uint64(0x165667B19E3779F9)
    h += seed
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel()
def _slope(h, dx, dy, dz):  # type: ignore[no-untyped-def]
    """The offset's product with one of the twelve directions to a cube's edges."""
    k = np.int64(h & np.uint64(15))
    u = dx if k < 8 else dy
    v = dy if k < 4 else (dx if k == 12 or k == 14 else dz)
    return (-u if k & 1 else u) + (-v if k & 2 else v)


@kernel()
def _gradient_noise(x, y, z, seed):  # type: ignore[no-untyped-def]
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    ix, iy, iz = np.int64(fx), np.int64(fy), np.int64(fz)
    dx, dy, dz = x - fx, y - fy, z - fz
    sx = dx * dx * dx * (dx * (dx * 6 - 15) + 10)
    sy = dy * dy * dy * (dy * (dy * 6 - 15) + 10)
    sz = dz * dz * dz * (dz * (dz * 6 - 15) + 10)
    total = 0.0
    for k in range(2):
        wz = sz if k else 1 - sz
        for j in range(2):
            wy = sy if j else 1 - sy
            a = _slope(_hash(ix, iy + j, iz + k, seed), dx, dy - j, dz - k)
            b = _slope(_hash(ix + 1, iy + j, iz + k, seed), dx - 1, dy - j, dz - k)
            total += wz * wy * (a + sx * (b - a))
    return total


@kernel()
def _fractal(points, seeds, cell, out):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        scale, weight, total, weights = 1.0 / cell, 1.0, 0.0, 0.0
        for k in range(len(seeds)):
            total += weight * _gradient_noise(
                points[i, 0] * scale, points[i, 1] * scale, points[i, 2] * scale, seeds[k]
            )
            weights += weight
            scale *= LACUNARITY
            weight *= GAIN
        out[i] = min(1.0, max(-1.0, total / (LARGEST * weights)))


def fractal_noise(points: FloatArray, seed: int, cell: float, octaves: int = 4) -> FloatArray:
    """Gradient noise (Perlin 2002) in several octaves, each half as strong as the one before.

    Args:
        points: [N, 3] in any unit.
        seed: 0 or more.
        cell: size of the coarsest octave's cells in the points' unit.
        octaves: number of octaves; each has cells of half the size of the one before.

    Returns:
        [N] float32 in -1..1, 0 on average, most of it between -0.6 and 0.6.
    """
    seeds = np.random.default_rng([seed, octaves]).integers(0, 2**63, octaves, dtype=np.uint64)
    out = np.empty(len(points), np.float32)
    _fractal(np.asarray(points), seeds, float(cell), out)
    return out


@kernel()
def _cells(points, seed, cell, distance, chance):  # type: ignore[no-untyped-def]
    for i in range(points.shape[0]):
        x, y, z = points[i, 0] / cell, points[i, 1] / cell, points[i, 2] / cell
        ix, iy, iz = np.int64(np.floor(x)), np.int64(np.floor(y)), np.int64(np.floor(z))
        nearest, found = 1e9, np.uint64(0)
        for k in range(-1, 2):
            for j in range(-1, 2):
                for m in range(-1, 2):
                    h = _hash(ix + m, iy + j, iz + k, seed)
                    px = ix + m + np.int64(h & np.uint64(0xFFFF)) / 65536.0 - x
                    py = iy + j + np.int64((h >> np.uint64(16)) & np.uint64(0xFFFF)) / 65536.0 - y
                    pz = iz + k + np.int64((h >> np.uint64(32)) & np.uint64(0xFFFF)) / 65536.0 - z
                    d = px * px + py * py + pz * pz
                    if d < nearest:
                        nearest, found = d, h
        distance[i] = np.sqrt(nearest)
        chance[i] = np.int64(found >> np.uint64(48)) / 65536.0


def cell_noise(points: FloatArray, seed: int, cell: float) -> tuple[FloatArray, FloatArray]:
    """Spots scattered in space, one in each cube of a lattice (Worley 1996).

    Args:
        points: [N, 3] in any unit.
        seed: 0 or more.
        cell: side of the cubes in the points' unit.

    Returns:
        [N] float32 distance to the nearest spot in units of ``cell``, and [N] float32 a random
        number in 0..1 of that spot, the same for all points that are nearest to it.
    """
    distance, chance = np.empty(len(points), np.float32), np.empty(len(points), np.float32)
    number = np.random.default_rng([seed, 0]).integers(0, 2**63, dtype=np.uint64)
    _cells(np.asarray(points), number, float(cell), distance, chance)
    return distance, chance

"""Spherical harmonics of light, from lat-long pictures of the surroundings.

A lat-long picture is [H, 2H, 3] linear radiance, v down; u grows to the right for a viewer in the
middle. In engine axes **u = 0.5 is +x** (the body's left), u = 0.75 is +z (before the body),
u = 0.25 is -z; that is where Blender's environment texture has them when engine (x, y, z) is
Blender's (x, -z, y) and nothing is turned.
"""

from __future__ import annotations

import numpy as np

from .types import FloatArray

COARSE = 64
"""Rows of a picture that are enough for everything but mirrors."""

_COSINE = np.pi * np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])  # Ramamoorthi and Hanrahan 2001


def latlong_directions(height: int) -> FloatArray:
    """[H, 2H, 3] unit directions of a lat-long picture's pixel centres.

    Args:
        height: rows.
    """
    phi = 2 * np.pi * ((np.arange(2 * height) + 0.5) / (2 * height) - 0.5)
    theta = np.pi * (np.arange(height) + 0.5) / height
    ring = np.sin(theta)[:, None]
    y = np.broadcast_to(np.cos(theta)[:, None], (height, 2 * height))
    return np.stack([ring * np.cos(phi), y, ring * np.sin(phi)], -1)


def solid_angles(height: int) -> FloatArray:
    """[H, 1] steradians of a pixel in each row of a lat-long picture H high and 2 H wide."""
    edges = np.cos(np.linspace(0.0, np.pi, height + 1))
    return np.asarray((edges[:-1] - edges[1:])[:, None] * np.pi / height)


def mean_radiance(picture: FloatArray) -> FloatArray:
    """Mean over all directions.

    Args:
        picture: [H, W, 3] linear radiance, lat-long.

    Returns:
        [3] linear.
    """
    weight = solid_angles(len(picture))[..., None] * 2 * len(picture) / picture.shape[1]
    return np.asarray((picture * weight).sum((0, 1), dtype=np.float64) / (4 * np.pi))


def downscale_picture(picture: FloatArray, height: int) -> FloatArray:
    """Resize a picture by means over whole pixels; smaller pictures grow.

    Args:
        picture: [H, W, 3].
        height: of the result, pixels.

    Returns:
        [height, 2 height, 3] float64.
    """
    rows = np.minimum(np.arange(len(picture)) * height // len(picture), height - 1)
    out = np.asarray(picture, np.float64)
    if len(picture) >= height:
        out = np.add.reduceat(out, np.searchsorted(rows, np.arange(height)), axis=0)
        out /= np.bincount(rows)[:, None, None]
    else:
        out = out[np.arange(height) * len(picture) // height]
    wide, width = out.shape[1], 2 * height
    if wide < width:
        return np.asarray(out[:, np.arange(width) * wide // width])
    columns = np.arange(wide) * width // wide
    out = np.add.reduceat(out, np.searchsorted(columns, np.arange(width)), axis=1)
    return np.asarray(out / np.bincount(columns)[None, :, None])


def sh_basis(directions: FloatArray) -> FloatArray:
    """Real spherical harmonics of the bands 0 to 2.

    Args:
        directions: [..., 3] unit.

    Returns:
        [..., 9].
    """
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    one = np.ones_like(x)
    return np.stack(
        [
            0.282095 * one,
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )


def sh_coefficients(picture: FloatArray) -> FloatArray:
    """[9, 3] spherical harmonics of the irradiance: E(n) = ``sh_basis(n) @ coefficients``.

    Ramamoorthi and Hanrahan, An efficient representation for irradiance environment maps (2001).

    Args:
        picture: [H, W, 3] linear radiance, lat-long.
    """
    small = downscale_picture(picture, COARSE)
    weighted = small * solid_angles(COARSE)[..., None]
    basis = sh_basis(latlong_directions(COARSE)).reshape(-1, 9)
    return np.asarray(_COSINE[:, None] * (basis.T @ weighted.reshape(-1, 3)))

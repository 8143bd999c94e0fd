"""Small tools on pixel grids: harmonic and Poisson fills, masked smoothing, nearest extension."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import ConvexHull

from ....core.distances import find_nearest, measure_depth
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.gaps import box_around
from ....imaging.resize import resize, scale_size

SOLID = 0.95
"""Alpha above which the person covers a pixel wholly."""
_MIN_PERSON = 200
"""Pixels of the smallest person."""
_BLOCKS = 4.0
"""Blocks of pixels that a wide blur's standard deviation spans at least."""


def fit_grid(alpha: FloatArray, pixels: int) -> tuple[int, int] | None:
    """Return width and height of a grid that shows the person; None where the matte shows none.

    Args:
        alpha: [H, W] 0..1 of the matte.
        pixels: of the person on the grid, at most; it is never finer than the matte.
    """
    area = float((alpha > 0.5).sum())
    if area < _MIN_PERSON:
        return None
    height, width = alpha.shape
    return scale_size(width, height, min(1.0, float(np.sqrt(pixels / area))))


def solve_poisson(
    region: BoolArray,
    known: BoolArray | None = None,
    values: FloatArray | None = None,
    rhs: float = 0.0,
    walls: BoolArray | None = None,
    vertical: float = 1.0,
) -> FloatArray:
    """Solve laplace(u) = -rhs on the pixels of ``region``.

    Args:
        region: [H, W] unknown pixels.
        known: [H, W] pixels outside the region that hold ``values`` (Dirichlet). Without it every
            pixel outside the region is a zero.
        values: [H, W] or [H, W, C], zero when None.
        rhs: the right-hand side, per square pixel.
        walls: [H, W] pixels outside the region that are neither: nothing flows through them
            (Neumann), as nothing does through the image border.
        vertical: weight of the up and down neighbours; below 1 values travel along rows.

    Returns:
        [H, W] (or [H, W, C]); zero outside the region.
    """
    height, width = region.shape
    channels = 1 if values is None or values.ndim == 2 else values.shape[2]
    held = np.zeros((height, width, channels))
    fixed = ~region if known is None else known & ~region
    if walls is not None:
        fixed = fixed & ~walls
    if values is not None:
        held[fixed] = values.reshape(height, width, channels)[fixed]
    index = np.full((height, width), -1)
    ys, xs = np.nonzero(region)
    n = len(ys)
    out = np.zeros((height, width, channels))
    if n == 0:
        return out if channels > 1 else out[..., 0]
    index[ys, xs] = np.arange(n)
    diagonal = np.full(n, 1e-8)
    b = np.full((n, channels), float(rhs))
    rows, cols, links = [], [], []
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        link = vertical if dy else 1.0
        y, x = ys + dy, xs + dx
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        neighbour = inside & region[y, x]
        boundary = inside & fixed[y, x]
        diagonal += link * neighbour
        diagonal += link * boundary
        b[boundary] += link * held[y, x][boundary]
        links.append(np.full(int(neighbour.sum()), -link))
        rows.append(np.nonzero(neighbour)[0])
        cols.append(index[y, x][neighbour])
    off = np.concatenate(rows), np.concatenate(cols)
    A = sparse.csc_matrix((np.concatenate(links), off), (n, n)) + sparse.diags(diagonal)
    # Symmetric and diagonally dominant: no pivoting needed, and a symmetric ordering fills less.
    solution = spsolve(A.tocsc(), b, permc_spec="MMD_AT_PLUS_A")
    out[ys, xs] = solution.reshape(n, channels)
    return out if channels > 1 else out[..., 0]


def smooth_within(image: FloatArray, mask: BoolArray | FloatArray, sigma: float) -> FloatArray:
    """Blur an image so that only the pixels of a mask mix.

    Args:
        image: [H, W] or [H, W, C].
        mask: [H, W] the pixels, or weights of them.
        sigma: standard deviation of the Gaussian, pixels.

    Returns:
        As ``image``.
    """
    weight = np.asarray(mask, dtype=np.float64)
    out = np.zeros(image.shape)
    here = box_around(weight != 0.0, sigma)
    weight, values = weight[here], image[here].reshape(*weight[here].shape, -1)
    held = np.where(weight[..., None] > 0, values, 0.0) * weight[..., None]
    total = np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-6)
    blurred = ndimage.gaussian_filter(held, (sigma, sigma, 0))
    out[here] = (blurred / total[..., None]).reshape(image[here].shape)
    return out


def smooth_widely(image: FloatArray, mask: BoolArray | FloatArray, sigma: float) -> FloatArray:
    """Blur like :func:`smooth_within`, on a grid as coarse as a wide blur allows: much faster.

    Args:
        image: [H, W] or [H, W, C].
        mask: [H, W] the pixels, or weights of them.
        sigma: standard deviation of the Gaussian, pixels.

    Returns:
        As ``image``.
    """
    block = int(sigma / _BLOCKS)
    if block < 2:
        return smooth_within(image, mask, sigma)
    height, width = image.shape[:2]
    weight = np.asarray(mask, dtype=np.float64)[..., None]
    values = np.where(weight > 0, image.reshape(height, width, -1), 0.0) * weight
    rows, cols = max(1, height // block), max(1, width // block)
    sums = resize(np.concatenate([values, weight], -1), cols, rows, "bilinear")
    # Both changes of size blur, too: by a sixth of a coarse pixel's square each.
    down, across = (np.sqrt((sigma * n) ** 2 - 1.0 / 3.0) for n in (rows / height, cols / width))
    sums = ndimage.gaussian_filter(sums, (down, across, 0.0))
    fine = resize(sums, width, height, "bilinear")
    return np.asarray(fine[..., :-1] / np.maximum(fine[..., -1:], 1e-6)).reshape(image.shape)


def neighbour_links(mask: BoolArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of neighbours, also diagonal ones, among the pixels of a mask.

    Args:
        mask: [H, W] the pixels.

    Returns:
        first: [E] numbers, counted over ``mask[mask]``.
        second: [E] numbers of their neighbours.
        distance: [E] pixels.
    """
    height, width = mask.shape
    index = np.full((height, width), -1)
    index[mask] = np.arange(mask.sum())
    rows, cols, lengths = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = (slice(0, height - dy), slice(max(0, -dx), width - max(0, dx)))
        b = (slice(dy, height), slice(max(0, dx), width + min(0, dx)))
        both = mask[a] & mask[b]
        rows.append(index[a][both])
        cols.append(index[b][both])
        lengths.append(np.full(int(both.sum()), np.hypot(dy, dx)))
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(lengths)


def distance_inside(mask: BoolArray) -> FloatArray:
    """Return how far each pixel of a mask is from its outside; ignores the image border.

    Args:
        mask: [H, W] the pixels.

    Returns:
        [H, W] pixels, 0 outside the mask.
    """
    return np.asarray(measure_depth(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1])


def erode(mask: BoolArray, pixels: int) -> BoolArray:
    """Shrink a mask [H, W], but not from the image border (the frame may cut a person off).

    Args:
        mask: [H, W] the pixels.
        pixels: how far; the mask is returned as it is for 0 and less.
    """
    if pixels <= 0:
        return mask
    return np.asarray(ndimage.binary_erosion(mask, iterations=pixels, border_value=1))


def dilate(mask: BoolArray, pixels: int) -> BoolArray:
    """Grow a mask [H, W].

    Args:
        mask: [H, W] the pixels.
        pixels: how far; the mask is returned as it is for 0 and less.
    """
    if pixels <= 0:
        return mask
    return np.asarray(ndimage.binary_dilation(mask, iterations=pixels))


def fill_polygon(points: FloatArray, height: int, width: int) -> BoolArray:
    """Return the pixels [H, W] whose centres lie in the convex hull of some points.

    Args:
        points: [N, 2] x and y, pixels.
        height: H.
        width: W.
    """
    # A line, such as a closed mouth, has no hull.
    if np.linalg.matrix_rank(points - points.mean(0), tol=0.5) < 2:
        return np.zeros((height, width), bool)
    hull = ConvexHull(points)
    ys, xs = np.mgrid[:height, :width] + 0.5
    inside = np.ones((height, width), bool)
    for a, b, c in hull.equations:
        inside &= a * xs + b * ys + c <= 0
    return inside


def connected_patches(mask: BoolArray) -> list[BoolArray]:
    """Return the connected patches, each [H, W], of a mask [H, W]."""
    numbers, count = ndimage.label(mask)
    return [numbers == k for k in range(1, count + 1)]


def drop_small_parts(mask: BoolArray, area: float) -> BoolArray:
    """Keep the larger connected parts of a mask [H, W].

    Args:
        mask: [H, W] the pixels.
        area: pixels that a part must exceed to stay.
    """
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray((sizes > area)[labels])


def resize_nearest(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return values [H, W] on a grid of ``shape`` [h, w]: a larger one and back changes nothing.

    Args:
        values: [H, W] of any type.
        shape: rows and columns of the result.
    """
    rows, cols = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, values.shape, strict=True)
    )
    return np.asarray(values[np.ix_(rows, cols)])


def blur_within(values: FloatArray, where: BoolArray, radius: float) -> FloatArray:
    """Return the mean around each pixel over those that count.

    Args:
        values: [H, W, C].
        where: [H, W] pixels that count; some must.
        radius: pixels, one standard deviation.

    Returns:
        [H, W, C]; the nearest one's values where none of them is near.
    """
    row, col, _ = find_nearest(where)
    blurred = np.dstack([values * where[..., None], where.astype(float)])
    blurred = ndimage.gaussian_filter(blurred, (radius, radius, 0.0), truncate=2.5)
    total, weight = blurred[..., :-1], blurred[..., -1]
    near = weight > 1e-3
    mean = np.where(near[..., None], total / np.maximum(weight, 1e-3)[..., None], 0.0)
    return np.asarray(np.where(near[..., None], mean, values[row, col]))

"""Alpha and foreground colours of a photo, given which pixels are unknown.

Closed-form matting (Levin et al. 2008): within each window of 3 x 3 pixels alpha is an affine
function of the colour. Multi-level foreground estimation (Germer et al. 2020): smooth colours of
foreground and background that mix to the photo, from coarse to fine.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import cg

from ..core.kernels import kernel
from ..core.types import BoolArray, FloatArray

_TOLERANCE, _MAX_STEPS = 1e-6, 2000
_REGULARISATION = 1e-5
_SMALL_SIDE, _SMALL_ROUNDS, _BIG_ROUNDS = 32, 10, 2


def solve_alpha(
    image: FloatArray,
    alpha: FloatArray,
    unknown: BoolArray,
    prior: FloatArray,
    weight: FloatArray,
    noise: float,
) -> FloatArray:
    """Solve the matting Laplacian for the unknown pixels, with a prior.

    Args:
        image: [h, w, 3] sRGB in 0..1.
        alpha: [h, w] in 0..1, of the known pixels.
        unknown: [h, w].
        prior: [U] expected alpha of the U unknown pixels, row by row.
        weight: [U] of the prior.
        noise: Colour variance below which a window has no edge.

    Returns:
        [U] alpha of the unknown pixels, not clipped.
    """
    height, width = unknown.shape
    place = np.flatnonzero(unknown)
    number = np.full(height * width, -1, np.int32)
    number[place] = np.arange(len(place))
    rows = np.zeros((len(place), 25))
    colors = np.ascontiguousarray(image, np.float64)
    _add_windows(colors, number.reshape(height, width), noise, rows)
    rows[:, 12] += weight  # the pixel itself
    steps = np.arange(-2, 3)
    offset = (steps[:, None] * width + steps).ravel()
    right = weight * prior
    columns = []
    for k in range(25):
        # Beyond the picture the value is 0, and the column any.
        column = np.clip(place + offset[k], 0, height * width - 1)
        inner = number[column]
        known = inner < 0
        right -= np.where(known, rows[:, k] * alpha.ravel()[column], 0.0)
        rows[known, k] = 0.0
        columns.append(np.where(known, 0, inner))
    start = np.arange(0, 25 * len(place) + 1, 25)
    system = csr_matrix((rows.ravel(), np.stack(columns, 1).ravel(), start), (len(place),) * 2)
    system.eliminate_zeros()
    inverse = diags(1.0 / system.diagonal())
    solution, _ = cg(system, right, prior, rtol=_TOLERANCE, maxiter=_MAX_STEPS, M=inverse)
    return np.asarray(solution)


@kernel()
def _add_windows(image, number, noise, rows):  # type: ignore[no-untyped-def]
    """Add up the rows [U, 25] of the unknown pixels: 5 x 5 columns around each.

    Args:
        image: [h, w, 3] float64.
        number: [h, w] of the unknown pixels, -1 elsewhere.
        noise: Colour variance below which a window has no edge.
        rows: [U, 25] zeros, changed.
    """
    height, width = number.shape
    away, solved = np.empty((9, 3)), np.empty((9, 3))
    for top in range(height - 3, -1, -1):
        for left in range(width - 3, -1, -1):
            touched = False
            for k in range(9):
                touched |= number[top + k // 3, left + k % 3] >= 0
            if not touched:
                continue
            for c in range(3):
                mean = 0.0
                for k in range(9):
                    mean += image[top + k // 3, left + k % 3, c]
                mean /= 9
                for k in range(9):
                    away[k, c] = image[top + k // 3, left + k % 3, c] - mean
            # The inverse of the window's covariance, applied to each pixel's colour.
            rr = gg = bb = rg = rb = gb = 0.0
            for k in range(9):
                rr += away[k, 0] * away[k, 0]
                gg += away[k, 1] * away[k, 1]
                bb += away[k, 2] * away[k, 2]
                rg += away[k, 0] * away[k, 1]
                rb += away[k, 0] * away[k, 2]
                gb += away[k, 1] * away[k, 2]
            rr, gg, bb = rr + noise, gg + noise, bb + noise
            c0, c1, c2 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
            scale, cross = 1.0 / (rr * c0 + rg * c1 + rb * c2), rg * rb - rr * gb
            for k in range(9):
                r, g, b = away[k, 0], away[k, 1], away[k, 2]
                solved[k, 0] = scale * (c0 * r + c1 * g + c2 * b)
                solved[k, 1] = scale * (c1 * r + (rr * bb - rb * rb) * g + cross * b)
                solved[k, 2] = scale * (c2 * r + cross * g + (rr * gg - rg * rg) * b)
            for i in range(9):
                own = number[top + i // 3, left + i % 3]
                if own < 0:
                    continue
                for j in range(9):
                    affinity = away[i, 0] * solved[j, 0]
                    affinity += away[i, 1] * solved[j, 1]
                    affinity += away[i, 2] * solved[j, 2]
                    column = 5 * (j // 3 - i // 3 + 2) + j % 3 - i % 3 + 2
                    rows[own, column] += (1.0 if i == j else 0.0) - 1.0 / 9.0 - affinity


def estimate_foreground(image: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return the foreground's colours [h, w, 3] float32 of a photo.

    Args:
        image: [h, w, 3] sRGB in 0..1.
        alpha: [h, w] in 0..1.
    """
    image = np.ascontiguousarray(image, np.float32)
    alpha = np.ascontiguousarray(alpha, np.float32)
    height, width = alpha.shape
    front: FloatArray
    back: FloatArray
    front, back = (
        (image[part].sum(0) / (part.sum() + 1e-5))[None, None].astype(np.float32)
        for part in (alpha > 0.9, alpha < 0.1)
    )
    levels = int(np.ceil(np.log2(max(width, height))))
    for level in range(levels + 1):
        w, h = (round(side ** (level / levels)) for side in (width, height))
        front, back = _resize_nearest(front, h, w), _resize_nearest(back, h, w)
        small = _resize_nearest(image, h, w), _resize_nearest(alpha, h, w)
        rounds = _SMALL_ROUNDS if max(w, h) <= _SMALL_SIDE else _BIG_ROUNDS
        for _ in range(rounds):
            _smooth_colors(*small, front, back)
    return front


def _resize_nearest(values: FloatArray, height: int, width: int) -> FloatArray:
    rows, columns = (
        np.arange(size) * old // size
        for size, old in zip((height, width), values.shape[:2], strict=True)
    )
    out: FloatArray = np.ascontiguousarray(values[rows[:, None], columns])
    return out


@kernel()
def _smooth_colors(image, alpha, front, back):  # type: ignore[no-untyped-def]
    """Solve for both colours of each pixel, one after another, given its neighbours', in place."""
    height, width = alpha.shape
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            a0 = alpha[y, x]
            a1 = 1.0 - a0
            to_left = _REGULARISATION + abs(a0 - alpha[y, left])
            to_right = _REGULARISATION + abs(a0 - alpha[y, right])
            to_up = _REGULARISATION + abs(a0 - alpha[up, x])
            to_down = _REGULARISATION + abs(a0 - alpha[down, x])
            smooth = to_left + to_right + to_up + to_down
            a00, a01, a11 = a0 * a0 + smooth, a0 * a1, a1 * a1 + smooth
            inverse = 1.0 / (a00 * a11 - a01 * a01)
            for c in range(3):
                f = a0 * image[y, x, c] + (
                    to_left * front[y, left, c]
                    + to_right * front[y, right, c]
                    + to_up * front[up, x, c]
                    + to_down * front[down, x, c]
                )
                b = a1 * image[y, x, c] + (
                    to_left * back[y, left, c]
                    + to_right * back[y, right, c]
                    + to_up * back[up, x, c]
                    + to_down * back[down, x, c]
                )
                front[y, x, c] = min(max(inverse * (a11 * f - a01 * b), 0.0), 1.0)
                back[y, x, c] = min(max(inverse * (a00 * b - a01 * f), 0.0), 1.0)

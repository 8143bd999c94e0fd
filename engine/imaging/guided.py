"""The guided filter (He, Sun and Tang 2013): smooths one picture along the edges of another."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.types import FloatArray
from .resize import resize


def guided_filter(
    values: FloatArray,
    guide: FloatArray,
    radius: int,
    epsilon: float,
    full_guide: FloatArray | None = None,
) -> FloatArray:
    """Express ``values`` as a locally linear function of the guide's colours.

    Args:
        values: [H, W].
        guide: [H, W, 3] in 0..1.
        radius: Half side of the window in pixels.
        epsilon: Colour variance below which the filter averages.
        full_guide: [H', W', 3] the same picture at a higher resolution; the linear function is then
            applied there ("fast guided filter", He and Sun 2015).

    Returns:
        [H, W], or [H', W'] with ``full_guide``; float32.

    Raises:
        ValueError: the guide is not of the values' size, or has not three channels.
    """
    if guide.shape != (*values.shape, 3):  # kernels do not check their indices
        raise ValueError(f"values {values.shape} need a guide with 3 channels, not {guide.shape}")
    guide = np.asarray(guide, np.float64)
    # Centred first: variances of 1e-5 must survive the subtraction of squared means.
    centre = guide.mean((0, 1))
    lines = _fit_lines(guide - centre, np.asarray(values, np.float64), radius, epsilon)
    if full_guide is not None:
        height, width = full_guide.shape[:2]
        fine = np.empty((4, height, width))
        for k in range(4):
            fine[k] = resize(lines[k], width, height, "bilinear")
        lines, guide = fine, np.asarray(full_guide, np.float64)
    out: FloatArray = _apply_lines(lines, guide, centre)
    return out


@kernel()
def _fit_lines(g, v, radius, epsilon):  # type: ignore[no-untyped-def]
    """Fit slopes [3, H, W] and an offset [H, W], the mean of those of all windows with a pixel."""
    height, width = v.shape
    # Means of the guide, the values, their products, and the products of the guide's channels.
    means = np.empty((13, height, width))
    for y in range(height):
        for x in range(width):
            r, g_, b, value = g[y, x, 0], g[y, x, 1], g[y, x, 2], v[y, x]
            means[0, y, x], means[1, y, x], means[2, y, x], means[3, y, x] = r, g_, b, value
            means[4, y, x], means[5, y, x], means[6, y, x] = r * value, g_ * value, b * value
            means[7, y, x], means[8, y, x], means[9, y, x] = r * r, r * g_, r * b
            means[10, y, x], means[11, y, x], means[12, y, x] = g_ * g_, g_ * b, b * b
    _average_windows(means, radius)
    lines = np.empty((4, height, width))
    for y in range(height):
        for x in range(width):
            r, g_, b, value = means[0, y, x], means[1, y, x], means[2, y, x], means[3, y, x]
            right0 = means[4, y, x] - r * value
            right1 = means[5, y, x] - g_ * value
            right2 = means[6, y, x] - b * value
            rr = means[7, y, x] - r * r + epsilon
            rg = means[8, y, x] - r * g_
            rb = means[9, y, x] - r * b
            gg = means[10, y, x] - g_ * g_ + epsilon
            gb = means[11, y, x] - g_ * b
            bb = means[12, y, x] - b * b + epsilon
            # Cramer's rule.
            c0, c1, c2 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
            cross, size = rg * rb - rr * gb, rr * c0 + rg * c1 + rb * c2
            slope0 = (c0 * right0 + c1 * right1 + c2 * right2) / size
            slope1 = (c1 * right0 + (rr * bb - rb * rb) * right1 + cross * right2) / size
            slope2 = (c2 * right0 + cross * right1 + (rr * gg - rg * rg) * right2) / size
            lines[0, y, x], lines[1, y, x], lines[2, y, x] = slope0, slope1, slope2
            lines[3, y, x] = value - (slope0 * r + slope1 * g_ + slope2 * b)
    _average_windows(lines, radius)
    return lines


@kernel()
def _average_windows(planes, radius):  # type: ignore[no-untyped-def]
    """Replace planes [N, H, W] by the means of windows around each pixel, mirrored at the rim."""
    count, height, width = planes.shape
    size = float(2 * radius + 1)
    total, tall = np.empty(width), np.empty((height, width))
    for p in range(count):
        for x in range(width):
            total[x] = 0.0
        for k in range(-radius, radius + 1):
            y = _mirror(k, height)
            for x in range(width):
                total[x] += planes[p, y, x]
        for y in range(height):
            if y > 0:
                new, old = _mirror(y + radius, height), _mirror(y - radius - 1, height)
                for x in range(width):
                    total[x] += planes[p, new, x] - planes[p, old, x]
            for x in range(width):
                tall[y, x] = total[x] / size
        for y in range(height):
            running = 0.0
            for k in range(-radius, radius + 1):
                running += tall[y, _mirror(k, width)]
            planes[p, y, 0] = running / size
            for x in range(1, width):
                new, old = x + radius, x - radius - 1
                if old < 0 or new >= width:
                    new, old = _mirror(new, width), _mirror(old, width)
                running += tall[y, new] - tall[y, old]
                planes[p, y, x] = running / size


@kernel()
def _mirror(place, length):  # type: ignore[no-untyped-def]
    while place < 0 or place >= length:
        place = -1 - place if place < 0 else 2 * length - 1 - place
    return place


@kernel()
def _apply_lines(lines, guide, centre):  # type: ignore[no-untyped-def]
    height, width, _ = guide.shape
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            value = lines[0, y, x] * (guide[y, x, 0] - centre[0])
            value += lines[1, y, x] * (guide[y, x, 1] - centre[1])
            value += lines[2, y, x] * (guide[y, x, 2] - centre[2])
            out[y, x] = value + lines[3, y, x]
    return out

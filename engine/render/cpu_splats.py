"""Gaussians on one camera's image: projected, sorted by depth, listed by tile.

EWA splatting's local affine approximation (Zwicker et al. 2001). A Gaussian's ellipse ends where
alpha falls below ``ALPHA_MIN``, so that the lists are complete. Results do not depend on the number
of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.kernels import kernel
from ..core.threads import run_parts
from ..core.types import FloatArray, Gaussians, IntArray
from .raster_types import ALPHA_MIN, BLUR, COMPENSATION, JACOBIAN_MARGIN, NEAR

TILE_BITS = 4
TILE = 1 << TILE_BITS
LANES = 8
"""Pixels of a row that lie together: a tile's buffers are two strips of LANES columns, row by row,
so that the rows a splat covers are one run of numbers.

The compiler makes vectors of a loop over a run, which is five times as fast as a loop over rows,
only if indices are unsigned, else each might count from the end, as Python's do; and if all data
lies in one array at known distances, else it would have to check for overlaps."""

STRIP = TILE * LANES
AREA = TILE * TILE  # numbers of a buffer
STRIDE = 61  # tiles are dealt to threads like cards, so that each gets dense and empty ones
CHUNKS = 16  # parts of the splats whose entries in tiles' lists are counted one by one
SPLATS_PER_PART = 2048  # at least, for a thread
BLOCK = 4  # values of a pixel (its colours and the depth) that are summed in one loop

_SLACK = 1e-3  # pixels added to an ellipse when tiles are listed; alpha decides at its ends


class ProjectedSplats(NamedTuple):
    """The M Gaussians that one camera sees, projected, nearest first.

    Attributes:
        source: [M] int32, the Gaussian's row.
        centre: [M, 2] float64 pixels.
        conic: [M, 3] float32, the inverse 2D covariance's xx, xy and yy.
        depth: [M] float32 metres.
        opacity: [M] float32, compensated if the job says so.
        reach: [M] float32, the squared Mahalanobis distance at which alpha falls below
            ``ALPHA_MIN``.
        box: [M, 4] int32 first and last pixel column, first and last row.
    """

    source: IntArray
    centre: FloatArray
    conic: FloatArray
    depth: FloatArray
    opacity: FloatArray
    reach: FloatArray
    box: IntArray


def pack_values(colors: FloatArray, depth: FloatArray) -> FloatArray:
    """Return colours, depth and zeros up to a multiple of ``BLOCK`` columns.

    Args:
        colors: [M, channels].
        depth: [M] metres.
    """
    out = pad_columns(colors, 1)
    out[:, colors.shape[1]] = depth
    return out


def pad_columns(colors: FloatArray, more: int = 0) -> FloatArray:
    """Return colours and zeros up to a multiple of ``BLOCK`` columns.

    Args:
        colors: [M, channels].
        more: Columns of zeros after the colours, at least.
    """
    count, channels = colors.shape
    out = np.zeros((count, -(-(channels + more) // BLOCK) * BLOCK), np.float32)
    out[:, :channels] = colors
    return out


class TileLists(NamedTuple):
    """The splats of each tile.

    Attributes:
        start: [T + 1]; tile t (row-major) has ``members[start[t]:start[t + 1]]``, nearest first.
        members: Rows of :class:`ProjectedSplats`.
    """

    start: IntArray
    members: IntArray


@kernel(inline="always")
def exp_of_negative(power):  # type: ignore[no-untyped-def]
    """exp(-power) for 0 <= power <= 6, error under 1e-6.

    A polynomial of a sixteenth, squared four times: unlike libm's it runs on whole registers.
    """
    x = power * np.float32(-1.0 / 16.0)
    y = np.float32(1.0 / 120.0)
    y = y * x + np.float32(1.0 / 24.0)
    y = y * x + np.float32(1.0 / 6.0)
    y = y * x + np.float32(0.5)
    y = y * x + np.float32(1.0)
    y = y * x + np.float32(1.0)
    y *= y
    y *= y
    y *= y
    return y * y


@kernel()
def _camera_covariance(q, s, R):  # type: ignore[no-untyped-def]
    """xx, xy, xz, yy, yz, zz of the covariance in camera space.

    q: unit quaternion w, x, y, z. s: [3] scales. R: [3, 3] world to camera.
    """
    w, x, y, z = q
    columns = (
        (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
    )
    xx = xy = xz = yy = yz = zz = 0.0
    for k in range(3):
        axis = columns[k]
        a = s[k] * (R[0, 0] * axis[0] + R[0, 1] * axis[1] + R[0, 2] * axis[2])
        b = s[k] * (R[1, 0] * axis[0] + R[1, 1] * axis[1] + R[1, 2] * axis[2])
        c = s[k] * (R[2, 0] * axis[0] + R[2, 1] * axis[1] + R[2, 2] * axis[2])
        xx += a * a
        xy += a * b
        xz += a * c
        yy += b * b
        yz += b * c
        zz += c * c
    return xx, xy, xz, yy, yz, zz


@kernel()
def slope_limits(focal, principal, size):  # type: ignore[no-untyped-def]
    """Bounds of x / z (or y / z) within which the projection is linearised at the centre."""
    margin = JACOBIAN_MARGIN * 0.5 * size / focal
    return -principal / focal - margin, (size - principal) / focal + margin


@kernel()
def _project(  # type: ignore[no-untyped-def]
    begin,
    beyond,
    means,
    quats,
    scales,
    opacities,
    viewmat,
    K,
    width,
    height,
    compensated,
    centre,
    conic,
    depth,
    strength,
    reach,
    box,
):
    R = viewmat[:3, :3]
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right = slope_limits(fx, cx, width)
    top, bottom = slope_limits(fy, cy, height)
    for i in range(begin, beyond):
        box[i, 0], box[i, 1], box[i, 2], box[i, 3] = 0, -1, 0, -1
        m0, m1, m2 = means[i, 0], means[i, 1], means[i, 2]
        x = R[0, 0] * m0 + R[0, 1] * m1 + R[0, 2] * m2 + viewmat[0, 3]
        y = R[1, 0] * m0 + R[1, 1] * m1 + R[1, 2] * m2 + viewmat[1, 3]
        z = R[2, 0] * m0 + R[2, 1] * m1 + R[2, 2] * m2 + viewmat[2, 3]
        opacity = np.float64(opacities[i])
        if not (z >= NEAR and opacity >= ALPHA_MIN):  # also true for a NaN
            continue
        qw, qx = np.float64(quats[i, 0]), np.float64(quats[i, 1])
        qy, qz = np.float64(quats[i, 2]), np.float64(quats[i, 3])
        norm = np.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
        if not norm > 0.0:
            continue
        q = (qw / norm, qx / norm, qy / norm, qz / norm)
        s = (np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2]))
        xx, xy, xz, yy, yz, zz = _camera_covariance(q, s, R)
        # Jacobian of the projection [[jx, 0, kx], [0, jy, ky]] at the centre, which is clamped
        # to the image's surroundings: far outside the linear approximation blows up.
        jx, kx = fx / z, -fx * min(max(x / z, left), right) / z
        jy, ky = fy / z, -fy * min(max(y / z, top), bottom) / z
        A = jx * jx * xx + 2 * jx * kx * xz + kx * kx * zz + BLUR
        B = jx * jy * xy + jx * ky * xz + kx * jy * yz + kx * ky * zz
        C = jy * jy * yy + 2 * jy * ky * yz + ky * ky * zz + BLUR
        det = A * C - B * B
        if not (det > 0.0 and det < np.inf):
            continue
        if compensated:
            opacity *= (max((A - BLUR) * (C - BLUR) - B * B, 0.0) / det) ** COMPENSATION
            if opacity < ALPHA_MIN:
                continue
        u, v = fx * x / z + cx, fy * y / z + cy
        d2 = 2.0 * np.log(opacity / ALPHA_MIN)
        half_x, half_y = np.sqrt(d2 * A), np.sqrt(d2 * C)
        # Bounds are cut as floats: the integer of a huge float would be anything.
        x0, x1 = max(u - half_x - 0.5, 0.0), min(u + half_x - 0.5, width - 1.0)
        y0, y1 = max(v - half_y - 0.5, 0.0), min(v + half_y - 0.5, height - 1.0)
        if not (x0 <= x1 and y0 <= y1):
            continue
        box[i, 0], box[i, 1] = int(np.ceil(x0)), int(np.floor(x1))
        box[i, 2], box[i, 3] = int(np.ceil(y0)), int(np.floor(y1))
        centre[i, 0], centre[i, 1], depth[i], reach[i] = u, v, z, d2
        strength[i] = opacity
        conic[i, 0], conic[i, 1], conic[i, 2] = C / det, -B / det, A / det


@kernel()
def _sort_digits(keys, shift, order, start, out):  # type: ignore[no-untyped-def]
    """One round of a radix sort: ``order`` by the 11 bits of the keys from ``shift``, stable."""
    for i in order:
        start[((keys[i] >> shift) & 2047) + 1] += 1
    for digit in range(2048):
        start[digit + 1] += start[digit]
    for i in order:
        digit = (keys[i] >> shift) & 2047
        out[start[digit]] = i
        start[digit] += 1


def _depth_order(depth: FloatArray, seen: IntArray) -> IntArray:
    """The splats of ``seen``, nearest first; equal depths keep their order."""
    keys = depth.view(np.uint32)  # positive floats sort as their bit patterns do
    order, other = seen, np.empty_like(seen)
    for shift in (0, 11, 22):
        _sort_digits(keys, shift, order, np.zeros(2049, np.int64), other)
        order, other = other, order
    return order


@kernel()
def _ellipse_at(a, b, c, reach, dy):  # type: ignore[no-untyped-def]
    """Left and right end of the ellipse on a row ``dy`` pixels below its centre."""
    root = b * b * dy * dy - a * (c * dy * dy - reach)
    half = np.sqrt(max(root, 0.0))
    return (-b * dy - half) / a, (-b * dy + half) / a


@kernel()
def set_ramps(columns, rows):  # type: ignore[no-untyped-def]
    """Set buffers [AREA] to each pixel's column and row in the tile."""
    for n in range(AREA):
        columns[n] = n // STRIP * LANES + n % LANES
        rows[n] = n % STRIP // LANES


@kernel()
def pixel_index(y, x):  # type: ignore[no-untyped-def]
    """The index of a tile's pixel in its buffers."""
    return x // LANES * STRIP + y * LANES + x % LANES


@kernel()
def find_covered_run(box, i, left, top, strip):  # type: ignore[no-untyped-def]
    """The indices of a strip's rows that splat i covers: the first, and one past the last."""
    first, last = max(box[i, 2] - top, 0), min(box[i, 3] - top, TILE - 1)
    return np.uint64(strip * STRIP + first * LANES), np.uint64(strip * STRIP + (last + 1) * LANES)


@kernel()
def _tile_span(centre, conic, reach, box, i, tile_row):  # type: ignore[no-untyped-def]
    """First and last tile column that splat i touches in a row of tiles."""
    first, last = box[i, 0] >> TILE_BITS, box[i, 1] >> TILE_BITS
    if first == last:
        return first, last
    a, b, c = np.float64(conic[i, 0]), np.float64(conic[i, 1]), np.float64(conic[i, 2])
    d2 = np.float64(reach[i])
    if not (a > 0.0 and c > 0.0 and a * c > b * b):
        return first, last  # a needle too long for single precision: its whole box
    # The rows of pixel centres of this tile row that the box has, relative to the centre.
    upper = max(box[i, 2], tile_row * TILE) + 0.5 - centre[i, 1]
    lower = min(box[i, 3], tile_row * TILE + TILE - 1) + 0.5 - centre[i, 1]
    left_upper, right_upper = _ellipse_at(a, b, c, d2, upper)
    left_lower, right_lower = _ellipse_at(a, b, c, d2, lower)
    left, right = min(left_upper, left_lower), max(right_upper, right_lower)
    # Between these rows the ellipse may bulge: its outermost points lie at these heights.
    outermost = np.sqrt(d2 * c / (a * c - b * b))
    bulge = -b / c * outermost
    if upper < bulge < lower:
        right = outermost
    if upper < -bulge < lower:
        left = -outermost
    u = centre[i, 0]
    first = max(first, int(max(u + left - 0.5 - _SLACK, 0.0)) >> TILE_BITS)
    last = min(last, int(max(u + right - 0.5 + _SLACK, 0.0)) >> TILE_BITS)
    return first, last


@kernel()
def _visit_tiles(  # type: ignore[no-untyped-def]
    begin, beyond, centre, conic, reach, box, columns, rows, spans, place, members
):
    """Write the splats of a range of chunks where ``place`` [CHUNKS, tiles] says, and advance it.

    Without room in ``members`` they are only counted, and the spans of their rows of tiles, from
    ``rows`` [splats] on, are noted in ``spans`` for the writing.
    """
    count, write = box.shape[0], members.shape[0] > 0
    for chunk in range(begin, beyond):
        for i in range(count * chunk // CHUNKS, count * (chunk + 1) // CHUNKS):
            at = rows[i]
            for row in range(box[i, 2] >> TILE_BITS, (box[i, 3] >> TILE_BITS) + 1):
                if not write:
                    spans[at, 0], spans[at, 1] = _tile_span(centre, conic, reach, box, i, row)
                first, last = spans[at, 0], spans[at, 1]
                at += 1
                for tile in range(row * columns + first, row * columns + last + 1):
                    if write:
                        members[place[chunk, tile]] = i
                    place[chunk, tile] += 1


def project_gaussians(
    gaussians: Gaussians,
    viewmat: FloatArray,
    K: FloatArray,
    width: int,
    height: int,
    compensated: bool = False,
) -> ProjectedSplats:
    """Project Gaussians to ellipses on an image of ``width`` x ``height`` pixels.

    Args:
        gaussians: In world space.
        viewmat: [4, 4] world to camera.
        K: [3, 3] intrinsics in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        compensated: See :class:`.raster_types.RasterJob`.

    Returns:
        Those that the camera sees.
    """
    count = len(gaussians)
    centre, conic = np.zeros((count, 2)), np.zeros((count, 3), np.float32)
    depth, reach = np.zeros(count, np.float32), np.zeros(count, np.float32)
    opacity = np.zeros(count, np.float32)
    box = np.zeros((count, 4), np.int32)
    run_parts(
        _project,
        count,
        np.ascontiguousarray(gaussians.means, np.float32),
        np.ascontiguousarray(gaussians.quats, np.float32),
        np.ascontiguousarray(gaussians.scales, np.float32),
        np.ascontiguousarray(gaussians.opacities, np.float32),
        np.ascontiguousarray(viewmat, np.float64),
        np.ascontiguousarray(K, np.float64),
        width,
        height,
        compensated,
        centre,
        conic,
        depth,
        opacity,
        reach,
        box,
        least=SPLATS_PER_PART,
    )
    seen = np.flatnonzero((box[:, 0] <= box[:, 1]) & (box[:, 2] <= box[:, 3]))
    order = _depth_order(depth, seen.astype(np.int32))
    # What is drawn together lies together.
    return ProjectedSplats(
        order,
        centre.take(order, 0),
        conic.take(order, 0),
        depth[order],
        opacity[order],
        reach[order],
        box.take(order, 0),
    )


def list_tiles(splats: ProjectedSplats, width: int, height: int) -> TileLists:
    """List the splats that each tile has to draw, nearest first."""
    columns, rows = -(-width // TILE), -(-height // TILE)
    box = splats.box
    high = (box[:, 3] >> TILE_BITS) - (box[:, 2] >> TILE_BITS) + 1
    ends = np.cumsum(high, dtype=np.int64)
    spans = np.empty((ends[-1] if len(ends) else 0, 2), np.int32)
    placed = (splats.centre, splats.conic, splats.reach, box, columns, ends - high, spans)
    counts = np.zeros((CHUNKS, columns * rows), np.int64)
    run_parts(_visit_tiles, CHUNKS, *placed, counts, np.empty(0, np.int32))
    # A chunk's place in a tile's list follows from the counts of the chunks before it.
    start = np.concatenate([[0], np.cumsum(counts.sum(0))])
    place = start[:-1] + np.cumsum(counts, 0) - counts
    members = np.empty(start[-1], np.int32)
    if len(members):
        run_parts(_visit_tiles, CHUNKS, *placed, place, members)
    return TileLists(start, members)

"""The backward pass of the cpu rasteriser: from pictures' derivatives to Gaussians'.

Pixels are processed back to front: dividing by 1 - alpha recovers the transmittance in front of
each splat, and one number per pixel, ``worth``, holds the loss's derivative with respect to the
light behind it. Each pair of a tile and a splat has its own sums, which are added in a fixed order:
results do not depend on the threads. Derivations: Ye et al. 2024, "gsplat", appendix; here
power = 1/2 d^T conic d.
"""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.threads import run_parts
from ..core.types import FloatArray, Gaussians, IntArray
from .cpu_splats import (
    AREA,
    BLOCK,
    LANES,
    SPLATS_PER_PART,
    STRIDE,
    TILE,
    ProjectedSplats,
    TileLists,
    exp_of_negative,
    find_covered_run,
    pixel_index,
    set_ramps,
    slope_limits,
)
from .raster_types import ALPHA_MAX, BLUR, COMPENSATION, Gradients

_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_MAX_ALPHA = np.float32(ALPHA_MAX)

GEOMETRY = 6
"""Columns of a pair's sums before those of the colours and of the depth: with g the loss's
derivative by -power and d the way from the centre to the pixel, the sums of g, g dx, g dy,
g dx^2, g dx dy and g dy^2."""


# A tile's buffers, AREA apart: its pixels' columns and rows, their transmittance, what it is worth,
# the place in the list after the last splat they show, one splat's gain and weights, and the
# derivatives by the sums of values.
_ROWS, _LIGHT, _WORTH, _END, _GAIN, _WEIGHT, _D_OUT = (np.uint64(k * AREA) for k in range(1, 8))
_AREA_1, _AREA_2, _AREA_3 = (np.uint64(k * AREA) for k in range(1, 4))


# A check for zeros would be a way out of the loop. No liberties with rounding here: alpha has to be
# what it was when the picture was drawn.
@kernel(error_model="numpy")
def _back_tile(splats, values, listed, pairs, left, top, stop, tile):  # type: ignore[no-untyped-def]
    """One tile's pairs, in place.

    pairs: [listed, GEOMETRY + columns], zero. stop: the place after the last splat that any pixel
    shows.
    """
    _, centre, conic, _, opacity, reach, box = splats
    columns = values.shape[1]
    for position in range(stop - 1, -1, -1):
        i = listed[position]
        half_a, b, half_c = _HALF * conic[i, 0], conic[i, 1], _HALF * conic[i, 2]
        to_left = np.float32(left + 0.5 - centre[i, 0])
        to_top = np.float32(top + 0.5 - centre[i, 1])
        limit = _HALF * reach[i]
        strength = opacity[i]
        here = np.float32(position)
        for strip in range(
            max(box[i, 0] - left, 0) // LANES, min(box[i, 1] - left, TILE - 1) // LANES + 1
        ):
            first, beyond = find_covered_run(box, i, left, top, strip)
            for k in range(0, columns, BLOCK):
                at = _D_OUT + np.uint64(k * AREA)
                v0, v1, v2, v3 = values[i, k], values[i, k + 1], values[i, k + 2], values[i, k + 3]
                before_block = _ZERO if k == 0 else _ONE
                for n in range(first, beyond):
                    tile[n + _GAIN] = (
                        before_block * tile[n + _GAIN]
                        + v0 * tile[n + at]
                        + v1 * tile[n + at + _AREA_1]
                        + v2 * tile[n + at + _AREA_2]
                        + v3 * tile[n + at + _AREA_3]
                    )
            for n in range(first, beyond):
                dx, dy = tile[n] + to_left, tile[n + _ROWS] + to_top
                power = dx * (half_a * dx + b * dy) + half_c * dy * dy
                visible = (power <= limit) & (here < tile[n + _END])
                full = strength * exp_of_negative(power if visible else limit)
                alpha = min(_MAX_ALPHA, full) if visible else _ZERO
                through = _ONE - alpha
                before = tile[n + _LIGHT] / through
                worth, gain = tile[n + _WORTH], tile[n + _GAIN]
                tile[n + _WEIGHT] = alpha * before
                tile[n + _WORTH] = alpha * gain + through * worth
                tile[n + _LIGHT] = before
                g = before * (gain - worth) * alpha if full <= _MAX_ALPHA else _ZERO
                tile[n + _GAIN] = g
            _add_sums(tile, first, beyond, to_left, to_top, columns, pairs[position])


@kernel(fastmath={"contract", "reassoc"})  # sums in any order can be vectors
def _add_sums(tile, first, beyond, to_left, to_top, columns, pair):  # type: ignore[no-untyped-def]
    """Add one splat's sums over a run of pixels, whose g stand in the place of its gain."""
    s, sx, sy, sxx, sxy, syy = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    for n in range(first, beyond):
        dx, dy = tile[n] + to_left, tile[n + _ROWS] + to_top
        g = tile[n + _GAIN]
        gx, gy = g * dx, g * dy
        s += g
        sx += gx
        sy += gy
        sxx += gx * dx
        sxy += gx * dy
        syy += gy * dy
    pair[0] += s
    pair[1] += sx
    pair[2] += sy
    pair[3] += sxx
    pair[4] += sxy
    pair[5] += syy
    for k in range(0, columns, BLOCK):
        at = _D_OUT + np.uint64(k * AREA)
        w0, w1, w2, w3 = _ZERO, _ZERO, _ZERO, _ZERO
        for n in range(first, beyond):
            weight = tile[n + _WEIGHT]
            w0 += weight * tile[n + at]
            w1 += weight * tile[n + at + _AREA_1]
            w2 += weight * tile[n + at + _AREA_2]
            w3 += weight * tile[n + at + _AREA_3]
        pair[GEOMETRY + k] += w0
        pair[GEOMETRY + k + 1] += w1
        pair[GEOMETRY + k + 2] += w2
        pair[GEOMETRY + k + 3] += w3


@kernel()
def _blend_backward(  # type: ignore[no-untyped-def]
    first, beyond, splats, values, start, members, rest, end, d_rgb, d_sum, worth, pairs, shown
):
    """Go through the tiles first, first + STRIDE, ... of each number in the range."""
    height, width = rest.shape
    columns = (width + TILE - 1) // TILE
    tiles = start.shape[0] - 1
    channels = d_rgb.shape[2]
    tile = np.empty((7 + values.shape[1]) * AREA, np.float32)
    set_ramps(tile, tile[AREA:])
    for hand in range(first, beyond):
        for one in range(hand, tiles, STRIDE):
            left, top = one % columns * TILE, one // columns * TILE
            wide, high = min(TILE, width - left), min(TILE, height - top)
            for n in range(2 * AREA, tile.shape[0]):
                tile[n] = _ZERO
            for n in range(AREA):
                tile[n + _LIGHT] = _ONE
            stop = np.int64(0)  # a literal's type would compile the callee twice
            for y in range(high):
                for x in range(wide):
                    n = pixel_index(y, x)
                    ended = end[top + y, left + x]
                    stop = max(stop, ended)
                    tile[n + _LIGHT] = rest[top + y, left + x]
                    tile[n + _WORTH] = worth[top + y, left + x]
                    tile[n + _END] = ended
                    for k in range(channels):
                        tile[n + _D_OUT + k * AREA] = d_rgb[top + y, left + x, k]
                    tile[n + _D_OUT + channels * AREA] = d_sum[top + y, left + x]
            span = slice(start[one], start[one + 1])
            shown[one] = stop
            _back_tile(splats, values, members[span], pairs[span], left, top, stop, tile)


@kernel()
def _reduce(first, beyond, pairs, start, shown, members, sums):  # type: ignore[no-untyped-def]
    """Sum over tiles for a range of splats. A tile's list ascends: a search finds them in it."""
    for tile in range(shown.shape[0]):
        low, high = start[tile], start[tile] + shown[tile]
        stop = high
        while low < high:
            middle = (low + high) // 2
            if members[middle] < first:
                low = middle + 1
            else:
                high = middle
        while low < stop and members[low] < beyond:
            for k in range(pairs.shape[1]):
                sums[members[low], k] += pairs[low, k]
            low += 1


@kernel()
def _rotation_rows(q):  # type: ignore[no-untyped-def]
    w, x, y, z = q
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


@kernel()
def _times(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@kernel()
def _combine(a, b, row_a, row_b):  # type: ignore[no-untyped-def]
    return (a * row_a[0] + b * row_b[0], a * row_a[1] + b * row_b[1], a * row_a[2] + b * row_b[2])


@kernel()
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel()
def _rotation_backward(q, d):  # type: ignore[no-untyped-def]
    """Turn derivatives by a rotation matrix into those by its quaternion."""
    w, x, y, z = q
    dw = 2 * (x * (d[2][1] - d[1][2]) + y * (d[0][2] - d[2][0]) + z * (d[1][0] - d[0][1]))
    dx = 2 * (
        y * (d[0][1] + d[1][0])
        + z * (d[0][2] + d[2][0])
        + w * (d[2][1] - d[1][2])
        - 2 * x * (d[1][1] + d[2][2])
    )
    dy = 2 * (
        x * (d[0][1] + d[1][0])
        + z * (d[1][2] + d[2][1])
        + w * (d[0][2] - d[2][0])
        - 2 * y * (d[0][0] + d[2][2])
    )
    dz = 2 * (
        x * (d[0][2] + d[2][0])
        + y * (d[1][2] + d[2][1])
        + w * (d[1][0] - d[0][1])
        - 2 * z * (d[0][0] + d[1][1])
    )
    return dw, dx, dy, dz


@kernel()
def _any_sum(sums, m):  # type: ignore[no-untyped-def]
    for k in range(sums.shape[1]):  # noqa: SIM110
        if sums[m, k] != 0.0:
            return True
    return False


@kernel()
def _project_backward(  # type: ignore[no-untyped-def]
    first,
    beyond,
    means,
    quats,
    scales,
    viewmat,
    K,
    width,
    height,
    compensated,
    source,
    opacities,
    sums,
    d_means,
    d_quats,
    d_scales,
    d_opacities,
    d_colors,
):
    # Rows of numbers, not arrays: the compiler keeps them in registers.
    R0 = viewmat[0, 0], viewmat[0, 1], viewmat[0, 2]
    R1 = viewmat[1, 0], viewmat[1, 1], viewmat[1, 2]
    R2 = viewmat[2, 0], viewmat[2, 1], viewmat[2, 2]
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right = slope_limits(fx, cx, width)
    top, bottom = slope_limits(fy, cy, height)
    channels = d_colors.shape[1]
    for m in range(first, beyond):
        if not _any_sum(sums, m):  # hidden: nearly half of an avatar's splats
            continue
        i = source[m]
        mean = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
        x = _dot(R0, mean) + viewmat[0, 3]
        y = _dot(R1, mean) + viewmat[1, 3]
        z = _dot(R2, mean) + viewmat[2, 3]
        qw, qx = np.float64(quats[i, 0]), np.float64(quats[i, 1])
        qy, qz = np.float64(quats[i, 2]), np.float64(quats[i, 3])
        norm = np.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
        q = (qw / norm, qx / norm, qy / norm, qz / norm)
        turn0, turn1, turn2 = _rotation_rows(q)
        s = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
        slope_x = min(max(x / z, left), right)
        slope_y = min(max(y / z, top), bottom)
        # The 2D covariance is (M H)(M H)^T + BLUR: M from world to image, H = turn scales.
        ix, iy = fx / z, fy / z
        M0 = (
            ix * (R0[0] - slope_x * R2[0]),
            ix * (R0[1] - slope_x * R2[1]),
            ix * (R0[2] - slope_x * R2[2]),
        )
        M1 = (
            iy * (R1[0] - slope_y * R2[0]),
            iy * (R1[1] - slope_y * R2[1]),
            iy * (R1[2] - slope_y * R2[2]),
        )
        H0, H1, H2 = _times(turn0, s), _times(turn1, s), _times(turn2, s)
        columns = (H0[0], H1[0], H2[0]), (H0[1], H1[1], H2[1]), (H0[2], H1[2], H2[2])
        MH0 = _dot(M0, columns[0]), _dot(M0, columns[1]), _dot(M0, columns[2])
        MH1 = _dot(M1, columns[0]), _dot(M1, columns[1]), _dot(M1, columns[2])
        A = _dot(MH0, MH0) + BLUR
        B = _dot(MH0, MH1)
        C = _dot(MH1, MH1) + BLUR
        det = A * C - B * B
        if not det > 0.0:  # a needle beyond double precision: its shape has no derivative
            det = np.inf
        a, b, c = C / det, -B / det, A / det
        g, gx, gy, gxx, gxy, gyy = (
            sums[m, 0],
            sums[m, 1],
            sums[m, 2],
            sums[m, 3],
            sums[m, 4],
            sums[m, 5],
        )
        # By the covariance: conic G conic with G = 1/2 sum of g d d^T.
        ax, ay = a * gxx + b * gxy, a * gxy + b * gyy
        bx, by = b * gxx + c * gxy, b * gxy + c * gyy
        d_A = 0.5 * (ax * a + ay * b)
        d_B = 0.5 * (ax * b + ay * c)
        d_C = 0.5 * (bx * b + by * c)
        if compensated:  # a power of sharp / det; ``d_B`` counts for both of its places
            sharp = (A - BLUR) * (C - BLUR) - B * B
            if sharp > 0.0:
                d_A += COMPENSATION * g * ((C - BLUR) / sharp - a)
                d_B -= COMPENSATION * g * (B / sharp + b)
                d_C += COMPENSATION * g * ((A - BLUR) / sharp - c)
        d_MH0 = _combine(2 * d_A, 2 * d_B, MH0, MH1)
        d_MH1 = _combine(2 * d_B, 2 * d_C, MH0, MH1)
        d_M0 = _dot(d_MH0, H0), _dot(d_MH0, H1), _dot(d_MH0, H2)
        d_M1 = _dot(d_MH1, H0), _dot(d_MH1, H1), _dot(d_MH1, H2)
        d_H0 = _combine(M0[0], M1[0], d_MH0, d_MH1)
        d_H1 = _combine(M0[1], M1[1], d_MH0, d_MH1)
        d_H2 = _combine(M0[2], M1[2], d_MH0, d_MH1)
        for k in range(3):
            d_scales[i, k] += turn0[k] * d_H0[k] + turn1[k] * d_H1[k] + turn2[k] * d_H2[k]
        dq = _rotation_backward(q, (_times(d_H0, s), _times(d_H1, s), _times(d_H2, s)))
        along = q[0] * dq[0] + q[1] * dq[1] + q[2] * dq[2] + q[3] * dq[3]
        for k in range(4):
            d_quats[i, k] += (dq[k] - along * q[k]) / norm
        # By the centre: the way from it to the pixel shrinks as it moves on.
        d_u, d_v = a * gx + b * gy, b * gx + c * gy
        dx, dy = ix * d_u, iy * d_v
        dz = sums[m, GEOMETRY + channels] - (fx * x * d_u + fy * y * d_v) / (z * z)
        across_z, down_z = _dot(d_M0, R2), _dot(d_M1, R2)
        dz -= fx / (z * z) * (_dot(d_M0, R0) - slope_x * across_z)
        dz -= fy / (z * z) * (_dot(d_M1, R1) - slope_y * down_z)
        if left <= x / z <= right:
            slope = -ix * across_z
            dx += slope / z
            dz -= slope * x / (z * z)
        if top <= y / z <= bottom:
            slope = -iy * down_z
            dy += slope / z
            dz -= slope * y / (z * z)
        for k in range(3):
            d_means[i, k] += R0[k] * dx + R1[k] * dy + R2[k] * dz
        d_opacities[i] += g / opacities[i]  # the compensation is a factor: it cancels out
        for k in range(channels):
            d_colors[i, k] += sums[m, GEOMETRY + k]


def blend_backward(
    splats: ProjectedSplats,
    lists: TileLists,
    values: FloatArray,
    rest: FloatArray,
    end: IntArray,
    d_rgb: FloatArray,
    d_sum: FloatArray,
    worth: FloatArray,
) -> tuple[FloatArray, IntArray]:
    """Return the sums of every pair of a tile and a splat.

    Args:
        splats: The camera's M splats.
        lists: Their lists by tile.
        values: [M, columns] from :func:`.cpu_splats.pack_values`.
        rest: [H, W] remaining transmittance.
        end: [H, W] int32, the index in the tile's list after that of the last splat that it shows.
        d_rgb: [H, W, channels] float32, the loss's derivatives with respect to the colours.
        d_sum: [H, W] float32, those with respect to the sum of weighted depths.
        worth: [H, W] its derivatives with respect to the remaining transmittance.

    Returns:
        pairs: [pairs, GEOMETRY + columns].
        shown: [T] how many of each tile's list, from its beginning, have sums; the others' are 0.
    """
    pairs = np.zeros((len(lists.members), GEOMETRY + values.shape[1]), np.float32)
    shown = np.zeros(len(lists.start) - 1, np.int64)
    run_parts(
        _blend_backward,
        min(STRIDE, len(lists.start) - 1),
        tuple(splats),
        values,
        lists.start,
        lists.members,
        rest,
        end,
        d_rgb,
        d_sum,
        worth,
        pairs,
        shown,
    )
    return pairs, shown


def reduce_over_tiles(
    pairs: FloatArray, shown: IntArray, lists: TileLists, count: int
) -> FloatArray:
    """Sum the pairs of each splat.

    Args:
        pairs: [pairs, columns] from :func:`blend_backward`.
        shown: [T] from the same.
        lists: The splats' lists by tile.
        count: Number of splats.

    Returns:
        [count, columns] float64.
    """
    sums = np.zeros((count, pairs.shape[1]))
    given = (pairs, lists.start, shown, lists.members)
    run_parts(_reduce, count, *given, sums, least=SPLATS_PER_PART)
    return sums


def project_backward(
    gaussians: Gaussians,
    viewmat: FloatArray,
    K: FloatArray,
    width: int,
    height: int,
    compensated: bool,
    splats: ProjectedSplats,
    sums: FloatArray,
    out: Gradients,
) -> None:
    """Add one camera's part to the Gaussians' gradients.

    Args:
        gaussians: In world space.
        viewmat: [4, 4] world to camera.
        K: [3, 3] intrinsics in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        compensated: See :class:`.raster_types.RasterJob`.
        splats: The camera's M splats.
        sums: [M, GEOMETRY + columns] from :func:`reduce_over_tiles`.
        out: The gradients to add to.
    """
    run_parts(
        _project_backward,
        len(splats.source),
        np.ascontiguousarray(gaussians.means, np.float32),
        np.ascontiguousarray(gaussians.quats, np.float32),
        np.ascontiguousarray(gaussians.scales, np.float32),
        np.ascontiguousarray(viewmat, np.float64),
        np.ascontiguousarray(K, np.float64),
        width,
        height,
        compensated,
        splats.source,
        np.ascontiguousarray(gaussians.opacities, np.float32),
        sums,
        out.means,
        out.quats,
        out.scales,
        out.opacities,
        out.colors,
        least=SPLATS_PER_PART,
    )

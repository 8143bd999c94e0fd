"""The backward pass of the cpu rasteriser: from pictures' derivatives to Gaussians'.

Pixels are processed back to front: dividing by 1 - alpha recovers the transmittance in front of
each splat, and one number per pixel, ``worth``, holds the loss's derivative with respect to the
light behind it. Each pair of a tile and a splat has its own sums, which are added in a fixed order:
results do not depend on the threads. Derivations: Ye et al. 2024, "gsplat", appendix; here
power = 1/2 d^T conic d.
"""

from __future__ import annotations

import numba
import numpy as np

from ..core.types import FloatArray, Gaussians, IntArray
from .cpu_splats import (
    CHUNKS,
    LANES,
    LANES_TOLD,
    ROW,
    STRIDE,
    TILE,
    ProjectedSplats,
    TileLists,
    exp_of_negative,
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


# A row of a tile's flat buffer of pixels: transmittance, what it is worth, and the place in the
# list at which the pixel was finished.
_STATE = 3 * ROW
_WORTH_AT, _END_AT = np.uint64(ROW), np.uint64(2 * ROW)
# Of LANES pixels: 0, 1, 2 ..., their weights, what they are worth, and the pair's sums, so far
# apart that no vector reaches from one to the next.
_APART = 64
_WEIGHT, _GAIN, _SUMS = (np.uint64(k * _APART) for k in (1, 2, 3))
_GX, _GY, _GXX, _GXY, _GYY = (np.uint64((3 + k) * _APART) for k in range(1, GEOMETRY))


@numba.njit(cache=True, error_model="numpy")  # a check for zeros would be a way out of the loop
def _back_tile(  # type: ignore[no-untyped-def]
    splats, colors, listed, pairs, left, top, high, stop, pixels, d_out, sums, lanes
):
    """One tile's pairs, in place.

    pairs: [listed, GEOMETRY + channels + 1]. stop: the place at which its last pixel was finished.
    pixels: [16 * _STATE]. d_out: [(channels + 1) * 16 * ROW]. sums: [(3 + columns) * _APART],
    as above. lanes: LANES_TOLD, where the form of this is explained.
    """
    _, centre, conic, depth, opacity, reach, box = splats
    channels = colors.shape[1]
    for position in range(stop - 1, -1, -1):
        i = listed[position]
        half_a, b, half_c = _HALF * conic[i, 0], conic[i, 1], _HALF * conic[i, 2]
        to_first = np.float32(left + 0.5 - centre[i, 0])
        limit = _HALF * reach[i]
        strength = opacity[i]
        here = np.float32(position)
        first = max(box[i, 0] - left, 0)
        last = min(box[i, 1] - left, TILE - 1)
        for k in range(3, 4 + GEOMETRY + channels):
            for x in range(LANES):
                sums[k * _APART + x] = _ZERO
        for y in range(max(box[i, 2] - top, 0), min(box[i, 3] - top, high - 1) + 1):
            dy = np.float32(y + (top + 0.5 - centre[i, 1]))
            across, down = b * dy, half_c * dy * dy
            for lane in range(first, last + 1, LANES):
                at = np.uint64(y * _STATE + lane)
                to_lane = np.float32(lane) + to_first
                to = np.uint64((channels * TILE + y) * ROW + lane)
                value = depth[i]
                for x in range(lanes):
                    sums[_GAIN + x] = value * d_out[to + x]
                for k in range(channels):
                    to = np.uint64((k * TILE + y) * ROW + lane)
                    value = colors[i, k]
                    for x in range(lanes):
                        sums[_GAIN + x] += value * d_out[to + x]
                for x in range(lanes):
                    dx = sums[x] + to_lane
                    power = dx * (half_a * dx + across) + down
                    visible = (power <= limit) & (here < pixels[at + _END_AT + x])
                    full = strength * exp_of_negative(power if visible else limit)
                    alpha = min(_MAX_ALPHA, full) if visible else _ZERO
                    through = _ONE - alpha
                    before = pixels[at + x] / through
                    worth = pixels[at + _WORTH_AT + x]
                    gain = sums[_GAIN + x]
                    sums[_WEIGHT + x] = alpha * before
                    pixels[at + _WORTH_AT + x] = alpha * gain + through * worth
                    pixels[at + x] = before
                    g = before * (gain - worth) * alpha if full <= _MAX_ALPHA else _ZERO
                    gx, gy = g * dx, g * dy
                    sums[_SUMS + x] += g
                    sums[_GX + x] += gx
                    sums[_GY + x] += gy
                    sums[_GXX + x] += gx * dx
                    sums[_GXY + x] += gx * dy
                    sums[_GYY + x] += gy * dy
                for k in range(channels + 1):
                    to = np.uint64((k * TILE + y) * ROW + lane)
                    into = np.uint64((3 + GEOMETRY + k) * _APART)
                    for x in range(lanes):
                        sums[into + x] += sums[_WEIGHT + x] * d_out[to + x]
        for k in range(GEOMETRY + channels + 1):
            total = _ZERO
            for x in range(LANES):
                total += sums[(3 + k) * _APART + x]
            pairs[position, k] = total


@numba.njit(cache=True, parallel=True)
def _blend_backward(  # type: ignore[no-untyped-def]
    splats, colors, start, members, rest, end, d_out, worth, pairs, lanes
):
    height, width = rest.shape
    columns = (width + TILE - 1) // TILE
    tiles = start.shape[0] - 1
    channels = colors.shape[1]
    for hand in numba.prange(min(STRIDE, tiles)):
        pixels = np.empty((TILE, 3, ROW), np.float32)
        d_tile = np.empty((channels + 1, TILE, ROW), np.float32)
        sums = np.empty((4 + GEOMETRY + channels) * _APART, np.float32)
        for x in range(LANES):
            sums[x] = x
        for tile in range(hand, tiles, STRIDE):
            left, top = tile % columns * TILE, tile // columns * TILE
            wide, high = min(TILE, width - left), min(TILE, height - top)
            pixels[:, 0] = _ONE
            pixels[:, 1:] = _ZERO
            d_tile[:] = _ZERO
            stop = 0
            for y in range(high):
                for x in range(wide):
                    ended = end[top + y, left + x]
                    stop = max(stop, ended)
                    pixels[y, 0, x] = rest[top + y, left + x]
                    pixels[y, 1, x] = worth[top + y, left + x]
                    pixels[y, 2, x] = ended
                    for k in range(channels + 1):
                        d_tile[k, y, x] = d_out[top + y, left + x, k]
            span = slice(start[tile], start[tile + 1])
            _back_tile(
                splats,
                colors,
                members[span],
                pairs[span],
                left,
                top,
                high,
                stop,
                pixels.reshape(-1),
                d_tile.reshape(-1),
                sums,
                lanes,
            )


@numba.njit(cache=True, parallel=True)
def _reduce(pairs, start, members, count):  # type: ignore[no-untyped-def]
    """Sum over tiles. A tile's list ascends, so each chunk of splats finds its own in it."""
    sums = np.zeros((count, pairs.shape[1]), np.float64)
    for chunk in numba.prange(CHUNKS):
        first, beyond = count * chunk // CHUNKS, count * (chunk + 1) // CHUNKS
        for tile in range(start.shape[0] - 1):
            listed = members[start[tile] : start[tile + 1]]
            begin, stop = np.searchsorted(listed, first), np.searchsorted(listed, beyond)
            for p in range(begin, stop):
                i, pair = listed[p], pairs[start[tile] + p]
                for k in range(pairs.shape[1]):
                    sums[i, k] += pair[k]
    return sums


@numba.njit(cache=True)
def _rotation(q):  # type: ignore[no-untyped-def]
    w, x, y, z = q
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
    )
    out[1, 0], out[1, 1], out[1, 2] = (
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
    )
    out[2, 0], out[2, 1], out[2, 2] = (
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )
    return out


@numba.njit(cache=True)
def _rotation_backward(q, d):  # type: ignore[no-untyped-def]
    """Turn derivatives by a rotation matrix into those by its quaternion."""
    w, x, y, z = q
    dw = 2 * (x * (d[2, 1] - d[1, 2]) + y * (d[0, 2] - d[2, 0]) + z * (d[1, 0] - d[0, 1]))
    dx = 2 * (
        y * (d[0, 1] + d[1, 0])
        + z * (d[0, 2] + d[2, 0])
        + w * (d[2, 1] - d[1, 2])
        - 2 * x * (d[1, 1] + d[2, 2])
    )
    dy = 2 * (
        x * (d[0, 1] + d[1, 0])
        + z * (d[1, 2] + d[2, 1])
        + w * (d[0, 2] - d[2, 0])
        - 2 * y * (d[0, 0] + d[2, 2])
    )
    dz = 2 * (
        x * (d[0, 2] + d[2, 0])
        + y * (d[1, 2] + d[2, 1])
        + w * (d[1, 0] - d[0, 1])
        - 2 * z * (d[0, 0] + d[1, 1])
    )
    return dw, dx, dy, dz


@numba.njit(cache=True, parallel=True)
def _project_backward(  # type: ignore[no-untyped-def]
    means,
    quats,
    scales,
    viewmat,
    K,
    width,
    height,
    compensated,
    source,
    opacity,
    sums,
    d_means,
    d_quats,
    d_scales,
    d_opacities,
    d_colors,
):
    R = viewmat[:3, :3]
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right = slope_limits(fx, cx, width)
    top, bottom = slope_limits(fy, cy, height)
    channels = d_colors.shape[1]
    for chunk in numba.prange(CHUNKS):
        turn, M, H = np.empty((3, 3)), np.empty((2, 3)), np.empty((3, 3))
        MH, d_MH, d_H, d_M = np.empty((2, 3)), np.empty((2, 3)), np.empty((3, 3)), np.empty((2, 3))
        count = source.shape[0]
        for m in range(count * chunk // CHUNKS, count * (chunk + 1) // CHUNKS):
            i = source[m]
            m0, m1, m2 = means[i, 0], means[i, 1], means[i, 2]
            x = R[0, 0] * m0 + R[0, 1] * m1 + R[0, 2] * m2 + viewmat[0, 3]
            y = R[1, 0] * m0 + R[1, 1] * m1 + R[1, 2] * m2 + viewmat[1, 3]
            z = R[2, 0] * m0 + R[2, 1] * m1 + R[2, 2] * m2 + viewmat[2, 3]
            qw, qx = np.float64(quats[i, 0]), np.float64(quats[i, 1])
            qy, qz = np.float64(quats[i, 2]), np.float64(quats[i, 3])
            norm = np.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
            q = (qw / norm, qx / norm, qy / norm, qz / norm)
            turn[:] = _rotation(q)
            slope_x = min(max(x / z, left), right)
            slope_y = min(max(y / z, top), bottom)
            # The 2D covariance is (M H)(M H)^T + BLUR: M from world to image, H = turn scales.
            for k in range(3):
                M[0, k] = fx / z * (R[0, k] - slope_x * R[2, k])
                M[1, k] = fy / z * (R[1, k] - slope_y * R[2, k])
                for r in range(3):
                    H[r, k] = turn[r, k] * scales[i, k]
            for a in range(2):
                for k in range(3):
                    MH[a, k] = M[a, 0] * H[0, k] + M[a, 1] * H[1, k] + M[a, 2] * H[2, k]
            A = MH[0, 0] ** 2 + MH[0, 1] ** 2 + MH[0, 2] ** 2 + BLUR
            B = MH[0, 0] * MH[1, 0] + MH[0, 1] * MH[1, 1] + MH[0, 2] * MH[1, 2]
            C = MH[1, 0] ** 2 + MH[1, 1] ** 2 + MH[1, 2] ** 2 + BLUR
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
            fade = 1.0
            if compensated:  # a power of sharp / det; ``d_B`` counts for both of its places
                sharp = (A - BLUR) * (C - BLUR) - B * B
                fade = (max(sharp, 0.0) / det) ** COMPENSATION
                if sharp > 0.0:
                    d_A += COMPENSATION * g * ((C - BLUR) / sharp - a)
                    d_B -= COMPENSATION * g * (B / sharp + b)
                    d_C += COMPENSATION * g * ((A - BLUR) / sharp - c)
            for k in range(3):
                d_MH[0, k] = 2 * (d_A * MH[0, k] + d_B * MH[1, k])
                d_MH[1, k] = 2 * (d_B * MH[0, k] + d_C * MH[1, k])
            for r in range(3):
                for k in range(3):
                    d_H[r, k] = M[0, r] * d_MH[0, k] + M[1, r] * d_MH[1, k]
                for k in range(2):
                    d_M[k, r] = d_MH[k, 0] * H[r, 0] + d_MH[k, 1] * H[r, 1] + d_MH[k, 2] * H[r, 2]
            for k in range(3):
                d_scales[i, k] += (
                    turn[0, k] * d_H[0, k] + turn[1, k] * d_H[1, k] + turn[2, k] * d_H[2, k]
                )
                for r in range(3):
                    d_H[r, k] *= scales[i, k]
            dq = _rotation_backward(q, d_H)
            along = q[0] * dq[0] + q[1] * dq[1] + q[2] * dq[2] + q[3] * dq[3]
            for k in range(4):
                d_quats[i, k] += (dq[k] - along * q[k]) / norm
            # By the centre: the way from it to the pixel shrinks as it moves on.
            d_u, d_v = a * gx + b * gy, b * gx + c * gy
            across = d_M[0, 0] * R[0, 0] + d_M[0, 1] * R[0, 1] + d_M[0, 2] * R[0, 2]
            down = d_M[1, 0] * R[1, 0] + d_M[1, 1] * R[1, 1] + d_M[1, 2] * R[1, 2]
            across_z = d_M[0, 0] * R[2, 0] + d_M[0, 1] * R[2, 1] + d_M[0, 2] * R[2, 2]
            down_z = d_M[1, 0] * R[2, 0] + d_M[1, 1] * R[2, 1] + d_M[1, 2] * R[2, 2]
            dx, dy = fx / z * d_u, fy / z * d_v
            dz = sums[m, GEOMETRY + channels] - (fx * x * d_u + fy * y * d_v) / (z * z)
            dz -= fx / (z * z) * (across - slope_x * across_z)
            dz -= fy / (z * z) * (down - slope_y * down_z)
            if left <= x / z <= right:
                slope = -fx / z * across_z
                dx += slope / z
                dz -= slope * x / (z * z)
            if top <= y / z <= bottom:
                slope = -fy / z * down_z
                dy += slope / z
                dz -= slope * y / (z * z)
            for k in range(3):
                d_means[i, k] += R[0, k] * dx + R[1, k] * dy + R[2, k] * dz
            d_opacities[i] += g / opacity[m] * fade
            for k in range(channels):
                d_colors[i, k] += sums[m, GEOMETRY + k]


def blend_backward(
    splats: ProjectedSplats,
    lists: TileLists,
    colors: FloatArray,
    rest: FloatArray,
    end: IntArray,
    d_out: FloatArray,
    worth: FloatArray,
) -> FloatArray:
    """Return the sums of every pair of a tile and a splat.

    Args:
        splats: The camera's M splats.
        lists: Their lists by tile.
        colors: [M, channels] in the splats' order.
        rest: [H, W] remaining transmittance.
        end: [H, W] int32, the index in the tile's list at which the pixel was finished.
        d_out: [H, W, channels + 1] the loss's derivatives with respect to the sums of weighted
            colours and depths.
        worth: [H, W] its derivatives with respect to the remaining transmittance.

    Returns:
        [pairs, GEOMETRY + channels + 1].
    """
    pairs = np.zeros((len(lists.members), GEOMETRY + d_out.shape[2]), np.float32)
    _blend_backward(
        splats, colors, lists.start, lists.members, rest, end, d_out, worth, pairs, LANES_TOLD
    )
    return pairs


def reduce_over_tiles(pairs: FloatArray, lists: TileLists, count: int) -> FloatArray:
    """Sum the pairs of each splat.

    Args:
        pairs: [pairs, columns] from :func:`blend_backward`.
        lists: The splats' lists by tile.
        count: Number of splats.

    Returns:
        [count, columns] float64.
    """
    return np.asarray(_reduce(pairs, lists.start, lists.members, count))


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
        sums: [M, GEOMETRY + channels + 1] from :func:`reduce_over_tiles`.
        out: The gradients to add to.
    """
    _project_backward(
        np.ascontiguousarray(gaussians.means, np.float32),
        np.ascontiguousarray(gaussians.quats, np.float32),
        np.ascontiguousarray(gaussians.scales, np.float32),
        np.ascontiguousarray(viewmat, np.float64),
        np.ascontiguousarray(K, np.float64),
        width,
        height,
        compensated,
        splats.source,
        splats.opacity,
        sums,
        out.means,
        out.quats,
        out.scales,
        out.opacities,
        out.colors,
    )

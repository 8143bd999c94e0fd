"""Level of detail: the order in which an avatar's Gaussians are stored, and how few of them draw.

The first k Gaussians of an ordered avatar are its level of k. To compensate for the others, their
neighbours' tangent scales are multiplied by

    growth(k) = max(1, lod_start / k) ^ 0.55

so that one number per Gaussian, ``lod_start``, says below which k its neighbourhood thins out.
There its density goes as k, so an exponent of a half would keep the area; but neighbourhoods
thin a little unevenly, and with a half, what is behind shows as dark cracks in a cheek.

**The order.** Every Gaussian has a place ``u`` in the even thinning of its neighbourhood (0 stays
longest, 1 goes first) and a ``spacing``, the area that it may stand for: the larger, the sooner
its neighbourhood thins. Sorted by their product, each neighbourhood keeps the part
min(1, t / spacing) of its members at any threshold t. With the weight w by which a Gaussian shows
in pictures from all around, and the detail d of the colours about it, thinning by g costs about
w d g^2 (what is left out of a smooth function grows with the square of the area), and the least
loss for a given number is where g goes as (w d)^(-1/3).

**Even thinning.** Gaussians of one layer are put on a Hilbert curve; neighbours on it play a
knock-out tournament. Each round keeps of every pair the Gaussian closer to the mean of its block in
place and colour. So every block of the curve, however long, keeps its share.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..core.cameras import look_at, orbit, project
from ..core.framing import ball_box, crop_to_box
from ..core.kernels import kernel
from ..core.settings import register_settings
from ..core.threads import start_thread
from ..core.types import (
    JOINT_INDEX,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
    LikenessError,
    Pose,
)
from ..imaging.resize import fit_size
from ..render.cpu_weights import blending_weights
from .binding import place_gaussians

GROWTH_POWER = 0.55
"""Of the tangent scales; the Blender node group's test holds it to this."""


@dataclass(frozen=True)
class LodSettings:
    """The order of importance."""

    view_side: int = 320  # pixels, longer side of the pictures in which Gaussians are weighed
    head_side: int = 192  # pixels, the same of the head
    block: int = 16  # neighbours on the curve among which detail is measured
    min_weight: float = 1e-3  # square pixels
    min_detail: float = 6e-3  # of sRGB squared: even skin must not thin out too far
    min_kept: float = 0.33  # share of any neighbourhood at half of all: less would be a sieve
    hidden: float = 3e-3  # square pixels; less weight is hidden from everywhere
    color_unit: float = 0.02  # sRGB: as bad as a representative at the other end of its pair


S = register_settings("lod", LodSettings())


_UNIT_SIDE = 512.0  # weights are in pixels of a picture of this size
_PHOTO_VIEWS = ((0, 4.0), (35, 1.5), (-35, 1.5), (80, 0.8), (-80, 0.8), (180, 1.0))
_HEAD_VIEWS = ((0, 0.6), (40, 0.3), (-40, 0.3))
_REST_VIEWS = ((0, 15, 0.4), (180, 0, 0.3))
"""Yaw and weight in the photo's pose, of the head alone, and yaw, pitch, weight in the T-pose
with the mouth open. The photo's own view counts most, then the face."""

_HILBERT_BITS = 16


def growth(lod_start: FloatArray, count: int) -> FloatArray:
    """Return the factors [N] of the tangent scales when only the first ``count`` are drawn.

    Args:
        lod_start: [N] count from which each has its own size.
        count: how many are drawn.

    >>> growth(np.array([50.0, 200.0]), 50).round(3)
    array([1.   , 2.144])
    """
    return np.asarray(np.maximum(1.0, np.asarray(lod_start) / max(count, 1)) ** GROWTH_POWER)


def simplify_avatar(avatar: Avatar, count: int) -> Avatar:
    """Reduce an avatar to at most ``count`` Gaussians: its first ones, grown to fill in.

    The result is ordered as well: a level of a level is the level itself. An avatar without an
    order (from an older file) is ordered first, with a warning; that takes seconds.

    Raises:
        LikenessError: ``count`` is not positive.
    """
    if count < 1:
        raise LikenessError(f"An avatar of {count} Gaussians is empty.", "Ask for at least one.")
    if count >= len(avatar.gaussians):
        return avatar
    if avatar.lod_start is None:
        warnings.warn(
            "This avatar's file is of an older version and not in order of importance; its "
            "Gaussians are ordered now.",
            stacklevel=2,
        )
        avatar = order_by_importance(avatar)
    assert avatar.lod_start is not None
    start = avatar.lod_start[:count]
    level = avatar.gaussians.take(slice(0, count))
    scales = np.array(level.scales)
    scales[:, :2] *= growth(start, count)[:, None]
    # A start beyond ``count`` has done its growing up to here: it goes on from ``count``.
    start = np.minimum(start, np.float32(count))
    return replace(avatar, gaussians=replace(level, scales=scales), lod_start=start)


def order_by_importance(avatar: Avatar) -> Avatar:
    """Sort an avatar's Gaussians by importance and set ``lod_start``; deterministic."""
    bound = avatar.gaussians
    if not len(bound):
        return replace(avatar, lod_start=np.zeros(0, np.float32))
    rest = place_gaussians(bound, avatar.body.v_template, avatar.body).means.astype(np.float64)
    curve = np.argsort(_curve_place(rest, bound.layer), kind="stable")
    thinning = start_thread(_even_thinning, curve, rest, np.asarray(bound.colors, np.float64))
    weight = importance(avatar)
    spacing = _spacing(weight, bound.colors, curve)
    spacing = np.where(weight > S.hidden, np.minimum(spacing, _widest(spacing)), spacing)
    order = np.argsort(spacing * thinning.result(), kind="stable")
    # At the whole count nothing grows, and flat areas never much over what is beside them: without
    # the bound, half of the splats are 3 dB further from all of them.
    start = np.minimum(spacing * (1.0 / spacing).sum(), len(bound))
    return replace(avatar, gaussians=bound.take(order), lod_start=start[order].astype(np.float32))


# What shows -----------------------------------------------------------------------------------


def importance(avatar: Avatar) -> FloatArray:
    """Measure how much [N] each Gaussian shows, in square pixels of pictures from all around."""
    total = np.zeros(len(avatar.gaussians))
    for gaussians, camera, weight in _views(avatar):
        scale = _UNIT_SIDE / max(camera.width, camera.height)
        total += weight * scale**2 * blending_weights(gaussians, camera)
    return total


def _views(avatar: Avatar) -> Iterator[tuple[Gaussians, Camera, float]]:
    """Posed Gaussians, a camera, and what its picture counts."""
    body, bound = avatar.body, avatar.gaussians
    width, height = fit_size(avatar.camera.width, avatar.camera.height, S.view_side)
    camera = avatar.camera.resized(width, height)
    posed = place_gaussians(bound, body.vertices(avatar.pose)[0], body)
    seen = _sees(posed, camera)
    if seen.any():
        centre = np.percentile(posed.means[seen].astype(np.float64), [5, 95], axis=0).mean(0)
        for yaw, weight in _PHOTO_VIEWS:
            yield posed, orbit(camera, centre, yaw), weight
    head = body.weights[body.f[bound.triangle, 0]].argmax(1) == JOINT_INDEX["head"]
    if (head & seen).any():
        centre = posed.means[head].mean(0).astype(np.float64)
        radius = 2.0 * float(posed.means[head].std(0).max()) + 1e-3
        close = crop_to_box(camera, ball_box(centre, radius, camera), S.head_side, S.head_side)
        for yaw, weight in _HEAD_VIEWS:
            yield posed, orbit(close, centre, yaw), weight

    pose = Pose.rest(body.num_expression)
    opened = np.array([1.0 if name == "jawOpen" else 0.0 for name in body.expression_names])
    rested = place_gaussians(bound, body.vertices(replace(pose, expression=opened))[0], body)
    low, high = rested.means.min(0).astype(np.float64), rested.means.max(0).astype(np.float64)
    extent = float((high - low).max()) + 1e-3
    focal = 2.5 * S.view_side  # 23 degrees; at 2.8 times its extent, the body fills the picture
    K = np.array([[focal, 0, S.view_side / 2], [0, focal, S.view_side / 2], [0, 0, 1.0]])
    for yaw, pitch, weight in _REST_VIEWS:
        view = look_at((low + high) / 2, 2.8 * extent, yaw, pitch)
        yield rested, Camera(view, K, S.view_side, S.view_side), weight


def _sees(gaussians: Gaussians, camera: Camera) -> BoolArray:
    """[N] whose middle is in the picture."""
    xy, z = project(gaussians.means.astype(np.float64), camera)
    inside = (xy >= 0).all(-1) & (xy <= [camera.width, camera.height]).all(-1)
    return np.asarray(inside & (z > 0) & (gaussians.opacities > 0.3))


# Where it thins -------------------------------------------------------------------------------


def _spacing(weight: FloatArray, colors: FloatArray, curve: IntArray) -> FloatArray:
    """[N] (w d)^(-1/3): the area that each Gaussian may stand for, unitless."""
    blocks = np.empty(len(curve), np.int64)
    blocks[curve] = np.arange(len(curve)) // S.block
    members = np.bincount(blocks)

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray((np.bincount(blocks, values) / members)[blocks])

    detail = np.zeros(len(curve))
    for channel in np.asarray(colors, np.float64).T:
        detail += (channel - mean(channel)) ** 2
    # Half its own, half its neighbours': what stands out stays, and so does what is beside it.
    detail = 0.5 * (detail + mean(detail)) + S.min_detail
    return np.asarray(np.cbrt(1.0 / ((weight + S.min_weight) * detail)))


def _widest(spacing: FloatArray) -> float:
    """The spacing whose neighbourhoods keep ``min_kept`` at half of all, if none has a wider one.

    At the threshold t = ``min_kept`` times it, the mean of min(1, t / spacing) must be a half. It
    grows with the widest spacing, so bisection finds it.
    """
    low, high = float(spacing.min()), float(spacing.max())
    for _ in range(40):
        widest = 0.5 * (low + high)
        kept = np.minimum(1.0, S.min_kept * widest / np.minimum(spacing, widest)).mean()
        low, high = (widest, high) if kept < 0.5 else (low, widest)
    return high


def _even_thinning(curve: IntArray, points: FloatArray, colors: FloatArray) -> FloatArray:
    """[N] in (0, 1]: the part of a Gaussian's neighbourhood that is left when it goes."""
    u = np.empty(len(curve))
    left, part = curve, 1.0
    members = np.ones(len(curve))
    sums = np.concatenate([points, colors], 1)[curve]
    features = np.concatenate([points, colors], 1)
    while len(left) > 1:
        pairs = len(left) // 2
        odd = len(left) % 2
        a, b = left[: 2 * pairs : 2], left[1 : 2 * pairs : 2]
        tail, tail_members, tail_sums = left[2 * pairs :], members[2 * pairs :], sums[2 * pairs :]
        members = members[: 2 * pairs : 2] + members[1 : 2 * pairs : 2]
        sums = sums[: 2 * pairs : 2] + sums[1 : 2 * pairs : 2]
        mean = sums / members[:, None]
        apart = ((points[a] - points[b]) ** 2).sum(1) + 1e-12
        cost_a, cost_b = (_unlike(features[i], mean, apart) for i in (a, b))
        keeps_a = cost_a <= cost_b
        u[np.where(keeps_a, b, a)] = 0.5 * part * (1.0 + _bit_reversed(pairs))
        left = np.where(keeps_a, a, b)
        if odd:
            left = np.concatenate([left, tail])
            members = np.concatenate([members, tail_members])
            sums = np.concatenate([sums, tail_sums])
        part *= 0.5
    u[left] = part
    return u


def _unlike(features: FloatArray, mean: FloatArray, apart: FloatArray) -> FloatArray:
    """How badly Gaussians stand for blocks: squared distance in place and colour."""
    error = (features - mean) ** 2
    return np.asarray(error[:, :3].sum(1) / apart + error[:, 3:].sum(1) / S.color_unit**2)


def _bit_reversed(count: int) -> FloatArray:
    """[count] the van der Corput sequence: any stretch of it is spread evenly over 0..1.

    >>> _bit_reversed(4)
    array([0.  , 0.5 , 0.25, 0.75])
    """
    index = np.arange(count)
    out = np.zeros(count)
    for bit in range(max(count - 1, 1).bit_length()):
        out += ((index >> bit) & 1) * 0.5 ** (bit + 1)
    return out


def _curve_place(points: FloatArray, layer: IntArray) -> IntArray:
    """[N] int64 place on a Hilbert curve through all of space, one layer after the other."""
    low = points.min(0)
    cell = max(float((points.max(0) - low).max()), 1e-9) / ((1 << _HILBERT_BITS) - 1)
    cells = ((points - low) / cell).astype(np.int64)
    return np.asarray(_hilbert(cells) + (np.asarray(layer, np.int64) << 3 * _HILBERT_BITS))


@kernel()
def _hilbert(cells):  # type: ignore[no-untyped-def]
    """Skilling (2004), "Programming the Hilbert curve": Gray code and axis exchanges."""
    out = np.empty(cells.shape[0], np.int64)
    top = 1 << (_HILBERT_BITS - 1)
    x = np.empty(3, np.int64)
    for i in range(cells.shape[0]):
        for axis in range(3):  # copying the row at once takes four times as long to compile
            x[axis] = cells[i, axis]
        q = top
        while q > 1:
            low = q - 1
            for axis in range(3):
                if x[axis] & q:
                    x[0] ^= low
                else:
                    swap = (x[0] ^ x[axis]) & low
                    x[0] ^= swap
                    x[axis] ^= swap
            q >>= 1
        x[1] ^= x[0]
        x[2] ^= x[1]
        flip = 0
        q = top
        while q > 1:
            if x[2] & q:
                flip ^= q - 1
            q >>= 1
        code = 0
        for bit in range(_HILBERT_BITS - 1, -1, -1):
            for axis in range(3):
                code = (code << 1) | (((x[axis] ^ flip) >> bit) & 1)
        out[i] = code
    return out
